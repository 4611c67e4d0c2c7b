"""NumPy's functions of sparse operands: what SciPy's matrices make of them, traced."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import make_vjp
from cases import matrix, regular

import scipygrad.sparse as sp
from scipygrad.testing import check_op

A = regular("csr", "array", "float64")
B = regular("csc", "array", "float64", seed=8)

DIFFERENTIABLE = {
    **{f.__name__: (lambda A, f=f: f(A)) for f in (
        onp.abs, onp.negative, onp.conj, onp.real, onp.imag, onp.sin, onp.tan, onp.sinh, onp.tanh,
        onp.arctan, onp.arcsinh, onp.expm1, onp.deg2rad, onp.rad2deg, onp.square, onp.transpose,
        onp.sum, onp.mean, onp.max, onp.min,
    )},
    "sum, axis": lambda A: onp.sum(A, axis=0),
    "mean, axis": lambda A: onp.mean(A, axis=1),
    "max, axis": lambda A: onp.max(A, axis=1),
    "amin, axis": lambda A: onp.amin(A, axis=0),
    "add": lambda A: onp.add(A, B),
    "subtract": lambda A: onp.subtract(B, A),
    "multiply": lambda A: onp.multiply(A, B),
    "multiply, number": lambda A: onp.multiply(A, 2.5),
    "divide": lambda A: onp.divide(A, 2.0),
    "power": lambda A: onp.power(A, 2),
    "matmul": lambda A: A @ onp.ones(5),
    "dot": lambda A: onp.dot(A, B),
    "autograd's abs": lambda A: np.abs(A),
    "autograd's sin": lambda A: np.sin(A),
    "autograd's sum": lambda A: np.sum(A),
    "autograd's multiply": lambda A: np.multiply(A, B),
}  # fmt: skip


def plain(x):
    return x.toarray() if sps.issparse(x) else x


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_value_is_that_of_the_untraced_call(name):
    f = DIFFERENTIABLE[name]
    untraced, traced = f(A), make_vjp(f)(A)[1]
    assert type(untraced) is type(traced) or not sps.issparse(untraced)
    onp.testing.assert_allclose(plain(traced), plain(untraced), rtol=1e-14)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives(name):
    check_op(DIFFERENTIABLE[name], A)


@pytest.mark.parametrize("family", ["array", "matrix"])
def test_dot_of_two_is_the_star_product(family):
    """numpy.dot multiplies what it takes for two numbers: `*`, as untraced."""
    M = regular("csr", family, "float64")
    untraced, traced = onp.dot(M, M), make_vjp(lambda M: onp.dot(M, M))(M)[1]
    onp.testing.assert_allclose(traced.toarray(), untraced.toarray())


def test_dot_with_an_array_says_what_to_write():
    with pytest.raises(TypeError, match=r"A @ x"):
        make_vjp(lambda A: onp.dot(A, onp.ones(5)))(A)


@pytest.mark.parametrize(
    "f", [onp.shape, onp.ndim, onp.size, onp.argmax, onp.argmin, onp.nonzero, onp.iscomplexobj,
          onp.isrealobj, onp.result_type, onp.around],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_plain_results(f):
    seen = []
    make_vjp(lambda A: (seen.append(f(A)), 1.0 * A.sum())[1])(A)
    expected = f(A)
    if sps.issparse(expected):
        assert type(seen[0]) is type(expected)
        seen[0], expected = seen[0].toarray(), expected.toarray()
    onp.testing.assert_array_equal(seen[0], expected)


@pytest.mark.parametrize(
    "f", [onp.exp, onp.cos, onp.cumsum, onp.kron, onp.linalg.norm, onp.vdot, onp.sort],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_other_functions_refuse_a_traced_matrix(f):
    args = (B,) if f in (onp.kron, onp.vdot) else ()
    with pytest.raises((NotImplementedError, TypeError)):
        make_vjp(lambda A: f(A, *args))(A)


def test_no_function_of_numpy_loses_the_derivative():
    """Each one of one matrix: traced it gives a traced result, a plain one, or raises."""
    M = matrix("csr", "array", "float64")
    for name in sorted(set(dir(onp)) - set(dir(onp.testing))):
        f = getattr(onp, name)
        if name.startswith("_") or isinstance(f, type) or not callable(f):
            continue
        if name in _PLAIN_RESULTS:
            continue
        seen = []
        try:
            make_vjp(lambda A: (seen.append(f(A)), A.sum())[1])(M)  # noqa: B023
        except Exception:  # noqa: BLE001 (that it raises is all that counts)
            continue
        (result,) = seen
        assert sps.issparse(result) or _traced(result), name


_PLAIN_RESULTS = {
    # structure, types of numbers, places
    "shape", "ndim", "size", "argmax", "argmin", "nonzero", "iscomplexobj", "isrealobj",
    "result_type", "common_type", "may_share_memory", "can_cast", "isscalar", "iterable",
    "issubdtype", "min_scalar_type", "mintypecode", "around", "round",
    # they print, or take anything
    "info", "printoptions", "set_printoptions", "bmat", "typename", "get_include", "errstate",
    # object arrays that hold the traced matrix itself
    "array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "asmatrix",
    "asarray_chkfinite", "require", "isfortran",
}  # fmt: skip


def _traced(x):
    from scipygrad._core.engine import contains_traced

    return contains_traced((x,))


def test_ufunc_methods_and_out_raise():
    for call in (
        lambda A: onp.add.reduce(A),
        lambda A: onp.multiply(A, 2.0, out=onp.zeros((5, 5))),
        lambda A: onp.add.outer(A, A),
    ):
        with pytest.raises((NotImplementedError, TypeError)):
            make_vjp(call)(A)


def test_scalar_times_matrix():
    check_op(lambda s: onp.multiply(s, A), 1.5)
    check_op(lambda s: sp.csr_array(A) * s, onp.float64(1.5))
