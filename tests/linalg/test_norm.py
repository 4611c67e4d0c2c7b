"""Norms of sparse matrices: SciPy's values and exceptions, and derivatives also at corners."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import matrix, numbers, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.npmatrix import is_npmatrix
from scipygrad.testing import check_op

INF = onp.inf
MATRIX_NORMS = [(None, None), ("fro", None), (1, None), (-1, None), (INF, None), (-INF, None)]
WITH_AXES = [(1, (1, 0)), (-INF, (0, 1)), ("f", (1, 0)), (None, (-2, -1))]
VECTOR_NORMS = [
    (ord, axis) for ord in (None, 1, 2, 3, 0.5, -1, INF, -INF, 0) for axis in (0, 1)
] + [(2, -1)]  # fmt: skip
ALL = MATRIX_NORMS + WITH_AXES + VECTOR_NORMS


def value(x, *args):
    """The value while everything is traced; a traced np.matrix as np.matrix."""
    kinds = []

    def norm(x):
        traced = spla.norm(x, *args)
        kinds.append(onp.matrix if is_npmatrix(traced) else onp.ndarray)
        return traced

    plain = make_vjp(norm)(x)[1]
    return plain.view(kinds[0]) if onp.ndim(plain) else plain


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("cls", ["csr_array", "csc_matrix", "coo_array", "bsr_matrix", "lil_array"])
@pytest.mark.parametrize("ord, axis", ALL)
@pytest.mark.filterwarnings("ignore:divide by zero")  # 0 ** -1, in SciPy too
def test_values_are_scipys(ord, axis, cls, dtype):
    A = matrix(*cls.split("_"), dtype)
    got, want = value(A, ord, axis), scipy_linalg.norm(getattr(sps, cls)(A), ord, axis)
    assert type(got) is type(want)
    assert onp.shape(got) == onp.shape(want) and onp.asarray(got).dtype == want.dtype
    onp.testing.assert_allclose(got, want, rtol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("ord, axis", [k for k in ALL if k[0] != 0])
def test_derivatives(ord, axis, dtype):
    A = regular("csr", "array", dtype, n=4)  # away from the corners
    check_op(lambda A: spla.norm(A, ord, axis), A)


@pytest.mark.parametrize("cls", ["csc_matrix", "coo_array", "bsr_array", "dia_array", "dok_matrix"])
@pytest.mark.parametrize("ord, axis", [("fro", None), (1, None), (2, 0), (INF, 1)])
def test_derivatives_in_other_formats(ord, axis, cls):
    check_op(lambda A: spla.norm(A, ord=ord, axis=axis), regular(*cls.split("_"), "float64"),
             order=1)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_spectral_norm(dtype):
    A = matrix("csr", "array", dtype, (6, 5))
    check_op(lambda A: spla.norm(A, 2), A)
    want = scipy_linalg.norm(sps.csr_array(A), 2)
    assert type(value(A, 2)) is type(want)
    assert value(A, 2) == pytest.approx(want, rel=1e-5 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize(
    "ord, axis", [(None, 0), (1, 0), (INF, 0), (-INF, 0), (3, 0), ("fro", None)]
)
def test_vectors(ord, axis):
    x = sp.coo_array(onp.array([1.0, 0.0, -2.0, 0.5]))
    onp.testing.assert_array_equal(value(x, ord, axis), scipy_linalg.norm(x, ord, axis))
    check_op(lambda x: spla.norm(x, ord, axis), x, order=1)


def test_more_than_two_dimensions():
    x = sp.coo_array(numbers((2, 3, 2), "float64", 1))
    assert value(x) == scipy_linalg.norm(x)
    check_op(spla.norm, x)


# ---- corners ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ord, axis", [k for k in ALL if k[0] not in (0, -1, 0.5)])
def test_derivatives_at_the_zero_matrix_are_zero(ord, axis):
    V = regular("csr", "array", "float64")
    A = V * 0.0
    vjp, n = make_vjp(lambda A: spla.norm(A, ord, axis))(A)
    assert not onp.any(n) and not vjp(onp.ones_like(n)).data.any()
    assert not onp.any(make_jvp(lambda A: spla.norm(A, ord, axis))(A)(V)[1])


def test_entries_that_are_largest_together_share_equally():
    A = sp.csr_array(onp.array([[2.0, -2.0, 1.0], [0.0, 3.0, 0.0]]))
    g = grad(lambda A: np.sum(spla.norm(A, INF, axis=1)))(A)
    onp.testing.assert_array_equal(g.toarray(), [[0.5, -0.5, 0.0], [0.0, 1.0, 0.0]])


def test_rows_that_are_largest_together_share_equally():
    A = sp.csr_array(onp.array([[2.0, -1.0], [0.0, 3.0]]))
    g = grad(lambda A: spla.norm(A, INF))(A)
    onp.testing.assert_array_equal(g.toarray(), [[0.5, -0.5], [0.0, 0.5]])


def test_smallest_entry_of_a_line_that_is_not_full_is_no_entry():
    A = sp.csr_array(onp.array([[2.0, -4.0], [0.0, 3.0]]))
    vjp, n = make_vjp(lambda A: spla.norm(A, -INF, axis=1))(A)
    onp.testing.assert_array_equal(n, [2.0, 0.0])
    onp.testing.assert_array_equal(vjp(onp.ones(2)).toarray(), [[1.0, 0.0], [0.0, 0.0]])


def test_second_derivative_at_a_zero_entry():
    A = sp.csr_array((onp.array([3.0, 0.0, 4.0]), [0, 1, 2], [0, 3]), shape=(1, 3))
    V = sp.csr_array((onp.array([0.0, 1.0, 0.0]), [0, 1, 2], [0, 3]), shape=(1, 3))
    for axis in (None, 1):
        h = hessian_vector_product(lambda A, axis=axis: np.sum(spla.norm(A, None, axis)))(A, V)
        onp.testing.assert_allclose(h.data, [0.0, 1 / 5, 0.0])  # of √(25 + x²)


@pytest.mark.parametrize("ord, axis", [(None, None), (1, None), (2, 0), (INF, 1)])
def test_duplicates_have_the_derivative_of_their_sum(ord, axis):
    coords = (onp.array([0, 0, 1, 1]), onp.array([1, 1, 0, 1]))
    A = sp.coo_array((onp.array([1.0, -3.0, 1.5, 0.5]), coords), shape=(2, 2))
    g = grad(lambda A: np.sum(spla.norm(A, ord, axis)))(A)
    e = grad(lambda A: np.sum(spla.norm(A, ord, axis)))(A.tocsr())
    onp.testing.assert_array_equal(g.data, e.toarray()[coords])
    assert g.nnz == 4


# ---- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [
    {"ord": 5}, {"ord": "nuc"}, {"ord": "x", "axis": 0}, {"axis": 2}, {"axis": (0, 0)},
    {"axis": (0, 3)}, {"axis": (0, 1, 1)}, {"axis": 0.5}, {"axis": "x"}, {"ord": 0},
    {"ord": -2}, {"axis": ()},
], ids=str)  # fmt: skip
def test_bad_arguments_raise_as_in_scipy(arguments):
    A = regular("csr", "array", "float64")
    with pytest.raises(Exception) as theirs:  # noqa: PT011 (whatever SciPy raises)
        scipy_linalg.norm(sps.csr_array(A), **arguments)
    with pytest.raises(type(theirs.value)) as ours:
        make_vjp(lambda A: spla.norm(A, **arguments))(A)
    assert str(theirs.value) in str(ours.value)


def test_dense_and_traced_orders_raise():
    A = regular("csr", "array", "float64")
    with pytest.raises(TypeError, match="not sparse"):
        grad(spla.norm)(A.toarray())
    with pytest.raises(NotImplementedError, match="'ord'"):
        grad(lambda p: np.sum(spla.norm(A, ord=p, axis=0)))(3.0)


def test_scipys_own_matrix():
    A = sps.csc_matrix(regular("csc", "matrix", "float64"))
    g = grad(lambda A: spla.norm(A))(A)
    assert type(g) is sps.csc_matrix
    onp.testing.assert_allclose(g.toarray(), A.toarray() / scipy_linalg.norm(A))


# ---- onenormest -------------------------------------------------------------------------------


def clear_case(dtype="float64", n=20):
    """A matrix one column of which is clearly the largest: every search finds it."""
    A = regular("csr", "array", dtype, n=n)
    return A @ sp.diags_array(onp.where(onp.arange(n) == 3, 5.0, 1.0)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_estimate_has_the_derivatives_of_the_column_that_it_found(dtype):
    A = clear_case(dtype)
    want = abs(A.toarray()[:, 3]).sum()
    assert value_of_estimate(A) == pytest.approx(float(want), rel=1e-6)
    check_op(lambda A: spla.onenormest(A), A)
    g = grad(spla.onenormest)(A)
    column = A.toarray()[:, 3]
    e = onp.zeros(A.shape, dtype)
    e[:, 3] = onp.where(column != 0, column.conj() / onp.maximum(abs(column), 1e-30), 0)
    onp.testing.assert_allclose(g.toarray(), e, rtol=1e-5, atol=1e-7)


def value_of_estimate(A):
    return make_vjp(lambda A: spla.onenormest(A))(A)[1]


def test_vectors_of_the_estimate():
    A = clear_case()
    theirs = scipy_linalg.onenormest(sps.csr_array(A), compute_v=True, compute_w=True)
    vjp, ours = make_vjp(
        lambda A: np.array(spla.onenormest(A, t=3, compute_v=True, compute_w=True)[2])
    )(A)
    onp.testing.assert_array_equal(ours, theirs[2])
    onp.testing.assert_array_equal(vjp(onp.ones(20)).toarray()[:, 3] != 0, theirs[2] != 0)

    def parts(A):
        est, v = spla.onenormest(A, compute_v=True)
        assert type(v) is onp.ndarray
        onp.testing.assert_array_equal(v, theirs[1])
        return est

    assert make_vjp(parts)(A)[1] == pytest.approx(theirs[0])
    check_op(lambda A: spla.onenormest(A, compute_w=True), A, order=1)


@pytest.mark.parametrize("format", ["csc", "coo", "bsr", "dia", "lil", "dok"])
def test_estimate_of_a_small_matrix_is_the_norm(format):
    A = regular(format, "array", "float64", n=4)
    check_op(lambda A: spla.onenormest(A, t=4), A, order=1)
    assert make_vjp(lambda A: spla.onenormest(A, t=4))(A)[1] == scipy_linalg.norm(A, 1)


def test_estimate_of_a_dense_matrix():
    D = clear_case().toarray()
    check_op(lambda D: spla.onenormest(D), D, order=1)


def test_estimate_of_a_rectangular_matrix_raises_as_in_scipy():
    with pytest.raises(ValueError, match="square"):
        make_vjp(lambda A: spla.onenormest(A))(matrix("csr", "array", "float64"))
