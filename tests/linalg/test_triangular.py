"""Triangular solves."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_vjp
from cases import numbers, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.testing import check_op


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("kind", ["lower", "upper"])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("shape", [(5,), (5, 3)])
def test_values_equal_scipys(format, kind, unit, shape):
    A = regular(format, "array", "float64", kind=kind)
    b = numbers(shape, "float64", 2)
    args = {"lower": kind == "lower", "unit_diagonal": unit}
    x = make_vjp(lambda b: spla.spsolve_triangular(A, b, **args))(b)[1]
    onp.testing.assert_allclose(x, scipy_linalg.spsolve_triangular(A, b, **args), rtol=1e-12)


def test_a_matrix_that_is_not_triangular_is_refused():
    """SciPy gives the solution of neither triangle then."""
    A, b = regular("csr", "array", "float64"), numbers(5, "float64", 2)
    for lower, advice in ((True, "tril"), (False, "triu")):
        with pytest.raises(onp.linalg.LinAlgError, match=advice):
            make_vjp(lambda A, lower=lower: spla.spsolve_triangular(A, b, lower))(A)


@pytest.mark.parametrize("unit", [False, True])
def test_entries_that_are_not_read_have_no_derivative(unit):
    """Stored zeros outside the triangle; with `unit` the diagonal."""
    A, b = regular("csr", "array", "float64"), numbers(5, "float64", 2)
    i, j = A.tocoo().coords
    A.data[i < j] = 0
    read = (i > j) if unit else (i >= j)

    def dense(D):
        return np.sum(np.linalg.solve(np.tril(D, -1) + onp.eye(5) if unit else np.tril(D), b) ** 2)

    g = grad(lambda A: np.sum(spla.spsolve_triangular(A, b, unit_diagonal=unit) ** 2))(A)
    e = grad(dense)(A.toarray())
    onp.testing.assert_allclose(g.data, e[i, j] * read, rtol=1e-11, atol=1e-14)
    assert g.nnz == A.nnz


def test_duplicates_and_unsorted_indices():
    A = sp.csr_array(([1.0, 2.0, 3.0, 0.5, 4.0], [0, 1, 0, 0, 2], [0, 1, 4, 5]), shape=(3, 3))
    assert not A.has_canonical_format
    check_op(lambda A, b: spla.spsolve_triangular(A, b), A, numbers(3, "float64", 1), order=1)


def test_inputs_are_kept_whatever_the_flags_say():
    A, b = regular("csc", "array", "float64", kind="lower"), numbers(5, "float64", 2)
    flags = {"overwrite_A": True, "overwrite_b": True}
    check_op(lambda A, b: spla.spsolve_triangular(A, b, **flags), A, b, order=1)


@pytest.mark.parametrize("matrix", ["float32", "float64", "complex64", "int8", "int64"])
@pytest.mark.parametrize("rhs", ["float32", "float64", "complex64"])
def test_dtype_is_scipys(matrix, rhs):
    A, b = sp.csr_array(onp.tri(3).astype(matrix) * 2), onp.arange(1, 4).astype(rhs)
    x = make_vjp(lambda b: spla.spsolve_triangular(A, b))(b)[1]
    expected = scipy_linalg.spsolve_triangular(A, b)
    assert x.dtype == expected.dtype
    onp.testing.assert_allclose(x, expected, rtol=1e-6)


def test_singular_and_bad_input():
    b = onp.ones(2)
    A = sp.csr_array(onp.array([[1.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(onp.linalg.LinAlgError, match="singular"):
        make_vjp(lambda A: spla.spsolve_triangular(A, b))(A)
    with pytest.raises(ValueError, match="square"):
        make_vjp(lambda b: spla.spsolve_triangular(sp.csr_array((2, 3)), b))(b)
    with pytest.raises(ValueError, match="first dimension"):
        make_vjp(lambda b: spla.spsolve_triangular(sp.eye_array(3, format="csr"), b))(b)


# ---- untraced, large enough for our own substitution -------------------------------------------

N = 1500


def _large(format, lower, dtype="float64"):
    rng = onp.random.default_rng(3)
    i, j = rng.integers(0, N, (2, 6 * N))
    i, j = (
        (onp.maximum(i, j), onp.minimum(i, j)) if lower else (onp.minimum(i, j), onp.maximum(i, j))
    )
    i, j = onp.append(i, onp.arange(N)), onp.append(j, onp.arange(N))
    values = rng.uniform(-0.1, 0.1, i.size)
    values = values + 1j * values[::-1] if dtype.startswith("complex") else values
    values[i == j] = values[i == j] + rng.uniform(1, 3)
    return sp.coo_array((values.astype(dtype), (i, j)), shape=(N, N)).asformat(format)


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("shape", [(N,), (N, 1), (N, 3)])
@pytest.mark.parametrize(
    "dtypes", [("float64", "float64"), ("float32", "float32"), ("float64", "int64"),
               ("complex128", "float64"), ("float64", "complex128"), ("float32", "float64")]
)  # fmt: skip
def test_untraced_values_are_scipys(format, lower, unit, shape, dtypes):
    A, b = _large(format, lower, dtypes[0]), (10 * numbers(shape, "float64", 2)).astype(dtypes[1])
    flags = {"lower": lower, "unit_diagonal": unit}
    before = A.data.copy(), b.copy()
    x = spla.spsolve_triangular(A, b, **flags)
    expected = scipy_linalg.spsolve_triangular(A, b, **flags)
    assert (x.dtype, x.flags.f_contiguous) == (expected.dtype, expected.flags.f_contiguous)
    eps = onp.finfo(x.dtype).eps
    onp.testing.assert_allclose(x, expected, rtol=0, atol=200 * eps * abs(expected).max())
    onp.testing.assert_array_equal(A.data, before[0])
    onp.testing.assert_array_equal(b, before[1])


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("shape", [(N,), (N, 3)])
def test_traced_values_and_gradients_of_a_large_system(format, shape):
    A, b = _large(format, True), numbers(shape, "float64", 2)
    vjp, x = make_vjp(spla.spsolve_triangular, (0, 1))(A, b)
    onp.testing.assert_allclose(A @ x, b, rtol=0, atol=1e-12)
    w = scipy_linalg.spsolve_triangular(A.T, x, lower=False)
    i, j = A.tocoo().coords
    outer = w[i] * x[j] if b.ndim == 1 else (w[i] * x[j]).sum(axis=1)
    A_bar, b_bar = vjp(x)
    onp.testing.assert_allclose(b_bar, w, rtol=1e-10, atol=1e-12)
    onp.testing.assert_allclose(A_bar.tocoo().data, -outer, rtol=1e-10, atol=1e-12)


def test_untraced_duplicates_and_unsorted_indices_are_summed():
    A = _large("csr", True)
    order = onp.lexsort((-A.indices, onp.repeat(onp.arange(N), onp.diff(A.indptr))))
    twice = onp.repeat(order, 2)
    B = sp.csr_array((A.data[twice] / 2, A.indices[twice], 2 * A.indptr), shape=(N, N))
    b = numbers(N, "float64", 2)
    x = spla.spsolve_triangular(B, b)
    onp.testing.assert_allclose(x, scipy_linalg.spsolve_triangular(A, b), rtol=1e-9)
    assert B.nnz == 2 * A.nnz


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_untraced_zero_on_the_diagonal_raises_as_scipy_does(format):
    A = _large(format, True)
    A[N // 2, N // 2] = 0
    with pytest.raises(onp.linalg.LinAlgError, match="zero entry on diagonal"):
        spla.spsolve_triangular(A, onp.ones(N))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("what", ["entries outside", "inf", "nan", "matrix", "long double"])
def test_untraced_what_is_out_of_order_is_left_to_scipy(what):
    A, b = _large("csr", True), numbers(N, "float64", 2)
    if what == "entries outside":
        A = (A + sp.eye_array(N, k=1)).tocsr()
    elif what == "matrix":
        b = onp.asmatrix(b).T
    elif what == "long double":
        b = b.astype(onp.longdouble)
    else:
        b[3] = float(what)
    results = []
    for solve in (spla.spsolve_triangular, scipy_linalg.spsolve_triangular):
        try:
            results.append(solve(A, b))
        except Exception as error:  # whatever SciPy says
            results.append(repr(error))
    onp.testing.assert_array_equal(*results)
    assert type(results[0]) is type(results[1])


def test_traced_entries_outside_the_triangle_are_refused_by_the_kernels():
    for format, shape in (("csr", (N,)), ("csc", (N,)), ("csr", (N, 2)), ("csc", (N, 2))):
        A = (_large(format, True) + sp.eye_array(N, k=1, format=format)).asformat(format)
        b = numbers(shape, "float64", 2)
        with pytest.raises(onp.linalg.LinAlgError, match="tril"):
            make_vjp(spla.spsolve_triangular)(A, b)
