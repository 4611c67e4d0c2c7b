"""Least squares on the device: as on the host, values and derivatives."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, hessian_vector_product, make_jvp
from cases import numbers

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device

LIMIT = {"lsqr": "iter_lim", "lsmr": "maxiter"}
METHODS = list(LIMIT)
TIGHT = {name: {"atol": 1e-14, "btol": 1e-14, limit: 200} for name, limit in LIMIT.items()}
SHAPES = [(9, 5), (5, 9), (7, 7)]


def matrix(shape, dtype="float64", format="csr", seed=0):
    """A clearly non-symmetric matrix of full rank."""
    rng = onp.random.default_rng(seed)
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.6) + 3 * onp.eye(*shape)
    if onp.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal(shape) * (X != 0)
    return sp.csr_array(X.astype(dtype)).asformat(format)


def close(got, wanted, rtol=1e-10):
    """The same numbers, class and dtype; on the device where it is an array."""
    if hasattr(wanted, "format") or onp.ndim(wanted):
        assert on_device(got)
    got = scipygrad.to_host(got)
    assert onp.result_type(got) == onp.result_type(wanted)
    if hasattr(wanted, "format"):
        assert type(got) is type(wanted)
        got, wanted = got.toarray(), wanted.toarray()
    onp.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * abs(onp.max(onp.abs(wanted))))


def compare(f, *arguments, rtol=1e-10):
    """Gradient and tangent of f in all arguments."""
    moved = scipygrad.to_device(arguments)
    argnums = tuple(range(len(arguments)))
    for got, wanted in zip(grad(f, argnums)(*moved), grad(f, argnums)(*arguments)):
        close(got, wanted, rtol)
    for k in argnums:
        tangent = arguments[k] * 0.5
        wanted = make_jvp(f, k)(*arguments)(tangent)[1]
        got = make_jvp(f, k)(*moved)(scipygrad.to_device(tangent))[1]
        onp.testing.assert_allclose(float(got), wanted, rtol=rtol)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("damp", [0.0, 0.7])
@pytest.mark.parametrize("with_x0", [False, True])
def test_every_result_is_the_hosts(method, shape, damp, with_x0, cp):
    A, b = matrix(shape), numbers(shape[:1], "float64", 1)
    x0 = numbers(shape[1:], "float64", 2) if with_x0 else None
    wanted = getattr(spla, method)(A, b, damp, x0=x0)
    given = scipygrad.to_device((A, b, x0))
    got = getattr(spla, method)(*given[:2], damp, x0=given[2])
    assert len(got) == len(wanted) and got[1:3] == wanted[1:3]
    for g, w in zip(got, wanted):
        close(g, w, 1e-9)
    close(given[1], b)
    if with_x0:
        close(given[2], x0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("damp", [0.0, 0.7])
def test_derivatives(method, shape, dtype, damp, cp):
    solve = getattr(spla, method)

    def loss(A, b, x0):
        result = solve(A, b, damp, x0=x0, **TIGHT[method])
        norms = result[3] + (result[7] if method == "lsmr" else result[8])
        return np.sum(np.abs(result[0]) ** 2) + norms

    arguments = (matrix(shape, dtype), *(numbers((n,), dtype, n) for n in shape))
    compare(loss, *arguments, rtol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia"])
def test_formats(method, format, cp):
    A, b = matrix((7, 4), format=format), numbers((7,), "float64", 1)
    compare(
        lambda A, b: np.sum(getattr(spla, method)(A, b, **TIGHT[method])[0] ** 3), A, b, rtol=1e-7
    )


@pytest.mark.parametrize("method", METHODS)
def test_second_order(method, cp):
    A, b, v = matrix((8, 5)), numbers((8,), "float64", 1), numbers((8,), "float64", 2)

    def loss(b, A):
        return np.sum(getattr(spla, method)(A, b, 0.3, **TIGHT[method])[0] ** 3)

    wanted = hessian_vector_product(loss)(b, A, v)
    close(hessian_vector_product(loss)(*scipygrad.to_device((b, A, v))), wanted, 1e-7)
    A_dot = A * 0.5
    wanted = hessian_vector_product(loss, 1)(b, A, A_dot)
    close(hessian_vector_product(loss, 1)(*scipygrad.to_device((b, A, A_dot))), wanted, 1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_damping_is_a_number_of_the_host(method, cp):
    A, b = scipygrad.to_device((matrix((8, 5)), numbers((8,), "float64", 1)))

    def loss(damp, A, b):
        return np.sum(getattr(spla, method)(A, b, damp, **TIGHT[method])[0] ** 2)

    got = grad(loss)(0.7, A, b)
    assert isinstance(got, float)
    assert got == pytest.approx(grad(loss)(0.7, *scipygrad.to_host((A, b))), rel=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_dense_matrix(method, cp):
    A, b = matrix((7, 4)).toarray(), numbers((7,), "float64", 1)
    compare(
        lambda A, b: np.sum(getattr(spla, method)(A, b, **TIGHT[method])[0] ** 3), A, b, rtol=1e-7
    )


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # SciPy's lsmr, anywhere
@pytest.mark.parametrize("method", METHODS)
def test_single_precision(method, cp):
    A, b = matrix((8, 5), "float32"), numbers((8,), "float32", 1)
    compare(lambda A, b: np.sum(getattr(spla, method)(A, b)[0] ** 2), A, b, rtol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_zero_right_side(method, cp):
    A = scipygrad.to_device(matrix((8, 5)))
    x, istop, itn, *_ = getattr(spla, method)(A, cp.zeros(8))
    assert not x.get().any() and (istop, itn) == (0, 0)


@pytest.mark.parametrize("method", METHODS)
def test_mixed_operands(method, cp):
    A, b = matrix((8, 5)), numbers((8,), "float64", 1)
    with pytest.raises(TypeError, match="one lies in the host's memory"):
        getattr(spla, method)(scipygrad.to_device(A), b)
    with pytest.raises(TypeError, match="one lies in the host's memory"):
        getattr(spla, method)(A, scipygrad.to_device(b))


@pytest.mark.parametrize("method", METHODS)
def test_limit_of_iterations(method, cp):
    A, b = matrix((60, 40)), numbers((60,), "float64", 1)
    wanted = getattr(spla, method)(A, b, **{LIMIT[method]: 3})
    got = getattr(spla, method)(*scipygrad.to_device((A, b)), **{LIMIT[method]: 3})
    assert got[1:3] == wanted[1:3] == (7, 3)
    close(got[0], wanted[0])


@pytest.mark.parametrize("method", METHODS)
def test_derivative_that_does_not_converge_warns(method, cp):
    A, b = matrix((60, 40)), numbers((60,), "float64", 1)

    def loss(b, A):
        return np.sum(getattr(spla, method)(A, b, **{LIMIT[method]: 3})[0])

    with pytest.warns(scipygrad.AdjointConvergenceWarning):
        grad(loss)(*scipygrad.to_device((b, A)))


@pytest.mark.parametrize("method", METHODS)
def test_printing_is_the_hosts(method, capsys, cp):
    A, b = matrix((8, 5)), numbers((8,), "float64", 1)
    wanted = getattr(spla, method)(A, b, show=True)
    printed = capsys.readouterr().out
    with pytest.warns(scipygrad.HostWarning, match="show=True"):
        got = getattr(spla, method)(*scipygrad.to_device((A, b)), show=True)
    assert capsys.readouterr().out == printed
    close(got[0], wanted[0])


def test_variances(cp):
    A, b = matrix((8, 5)), numbers((8,), "float64", 1)
    got = spla.lsqr(*scipygrad.to_device((A, b)), calc_var=True)
    close(got[9], spla.lsqr(A, b, calc_var=True)[9])
