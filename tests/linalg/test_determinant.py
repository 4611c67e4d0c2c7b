"""Determinants: values against NumPy's, gradients against the inverse, cost and memory."""

from concurrent.futures import ThreadPoolExecutor

import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_vjp
from cases import FORMATS, grid, numbers, regular

import scipygrad.sparse as sp
from scipygrad.linalg import _determinant, logdet, slogdet
from scipygrad.testing import check_op


@pytest.fixture
def no_solves(monkeypatch):
    """Entries of the inverse come from the recurrence, or the test fails."""

    def chain(self, data, *gs):
        raise AssertionError("the inverse was found by solves")

    monkeypatch.setattr(_determinant.Determinant, "chain", chain)


def scattered(n, dtype, seed, density=0.1):
    """Entries anywhere, a weak diagonal: rows are interchanged."""
    rng = onp.random.default_rng(seed)
    A = sps.random_array((n, n), density=density, rng=rng).toarray()
    A[onp.arange(n), rng.permutation(n)] += rng.uniform(1, 2, n)
    if onp.dtype(dtype).kind == "c":
        A = A * onp.exp(1j * rng.uniform(0, 6, (n, n)))
    return sp.csc_array(A.astype(dtype))


# ---- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int64"])
def test_value_is_numpys(format, dtype):
    A = scattered(12, dtype, 3) if dtype != "int64" else sp.csc_array(onp.tri(4, dtype=int) * 3)
    A = A.asformat(format)
    sign, size = slogdet(A)
    expected = onp.linalg.slogdet(A.toarray())
    rtol = 1e-5 if dtype in ("float32", "complex64") else 1e-13
    onp.testing.assert_allclose(sign, expected[0], rtol=rtol)
    onp.testing.assert_allclose(size, expected[1], rtol=rtol)
    assert (sign.dtype, size.dtype) == (expected[0].dtype, expected[1].dtype)


@pytest.mark.parametrize("seed", range(6))
def test_sign_counts_interchanges_of_rows_and_columns(seed):
    A = scattered(30, "float64", seed)
    assert slogdet(A).sign == onp.linalg.slogdet(A.toarray())[0]


def test_logarithm_of_a_complex_determinant_is_the_principal_value():
    A = scattered(12, "complex128", 4)
    assert logdet(A) == pytest.approx(onp.log(onp.linalg.det(A.toarray())), rel=1e-12)


def test_determinants_that_overflow():
    A = sp.diags_array(onp.full(2000, 1e-3), format="csc")
    assert slogdet(A) == (1.0, pytest.approx(2000 * onp.log(1e-3), rel=1e-13))


def test_negative_determinant():
    A = sp.csc_array(onp.diag([1.0, -2.0]))
    with pytest.warns(RuntimeWarning, match="negative"):
        vjp, value = make_vjp(logdet)(A)
    assert onp.isnan(value) and onp.isnan(vjp(1.0).data).all()
    assert slogdet(A) == (-1.0, onp.log(2))


def test_singular_matrix():
    A = sp.csc_array(onp.array([[1.0, 2.0], [2.0, 4.0]]))
    assert slogdet(A) == (0.0, -onp.inf) and logdet(A) == -onp.inf
    with pytest.warns(scipy_linalg.MatrixRankWarning):
        g = grad(logdet)(A)
    assert onp.isnan(g.data).all()


def test_empty_matrix():
    assert slogdet(sp.csc_array((0, 0))) == (1.0, 0.0)


def test_bad_input():
    with pytest.raises(ValueError, match=r"logdet: .*square, not of shape \(2, 3\)"):
        logdet(sp.csc_array((2, 3)))
    with pytest.raises(TypeError, match="slogdet: the matrix must be sparse, not ndarray"):
        slogdet(onp.eye(2))


# ---- derivatives -----------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia", "bsr", "lil"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_derivatives(format, dtype):
    A = regular(format, "matrix", dtype)
    check_op(logdet, A)
    check_op(lambda A: slogdet(A).logabsdet, A)


def test_the_sign_of_a_complex_determinant_is_differentiable():
    A = scattered(6, "complex128", 2)
    check_op(lambda A: tuple(slogdet(A)), A)


def test_third_derivative():
    A = regular("csr", "array", "float64")
    v = A.multiply(sp.csr_array(numbers((5, 5), "float64", 2)))
    second = hessian_vector_product(logdet)
    check_op(lambda A: second(A, v.tocsr()), A)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_recurrence_with_interchanged_rows(seed, dtype, no_solves):
    A = scattered(60, dtype, seed, density=0.05)
    g = grad(lambda A: slogdet(A)[1])(A)
    i, j = A.tocoo().coords
    onp.testing.assert_allclose(g.data, onp.linalg.inv(A.toarray())[j, i], rtol=1e-8, atol=1e-14)
    lu = scipy_linalg.splu(A)
    assert not onp.array_equal(lu.perm_r, lu.perm_c)


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("n", [1, 2, 12])
def test_recurrence_with_symmetric_structure(n, format, no_solves):
    A = grid(n, seed=1).asformat(format)
    g = grad(lambda A: slogdet(A)[1])(A)
    onp.testing.assert_allclose(
        g.toarray(), onp.linalg.inv(A.toarray()).T * (A.toarray() != 0), rtol=1e-9
    )


@pytest.mark.parametrize("symmetric", [True, False])
def test_recurrence_with_stored_zeros_and_cancellation(symmetric, no_solves):
    """SciPy's L and U lack entries then, which the recurrence needs."""
    D = onp.array([[1.0, 1, 1, 0], [1, 2, 1, 0], [1, 1, 3, 1], [0, 0, 1, 2]])
    if not symmetric:
        D = D[[1, 2, 3, 0]]
    A = sp.csc_array(sps.kron(sps.csc_array(D), onp.array([[2.0, 1.0], [1.0, 3.0]])))
    A.data[::3] *= onp.where(A.indices == onp.repeat(onp.arange(8), onp.diff(A.indptr)), 1, 0)[::3]
    D = A.toarray()
    stored = sp.csc_array((onp.ones(A.nnz), A.indices, A.indptr)).toarray()
    g = grad(lambda A: slogdet(A)[1])(A)
    onp.testing.assert_allclose(g.toarray(), onp.linalg.inv(D).T * stored, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("columns", [1, 7, 64])
def test_solves_give_the_same_entries_where_the_structure_grows_too_much(columns, monkeypatch):
    monkeypatch.setattr(_determinant, "FILL", 0)
    monkeypatch.setattr(_determinant, "COLUMNS", columns)
    A = grid(6)
    onp.testing.assert_allclose(
        grad(logdet)(A).toarray(), onp.linalg.inv(A.toarray()).T * (A.toarray() != 0), rtol=1e-10
    )


def test_unsorted_and_duplicated_entries():
    A = sp.csr_array(([1.0, 5.0, 3.0, 0.5, 4.0], [2, 0, 1, 1, 2], [0, 2, 4, 5]), shape=(3, 3))
    assert not A.has_canonical_format
    check_op(logdet, A)


def test_foreign_matrix_and_class_of_the_gradient():
    A = sps.dia_matrix(regular("csc", "array", "float64"))
    g = grad(logdet)(A)
    assert type(g) is sps.dia_matrix
    onp.testing.assert_allclose(
        g.toarray(), onp.linalg.inv(A.toarray()).T * (g.toarray() != 0), rtol=1e-10
    )


def test_matrix_changed_in_place_afterwards():
    A = regular("csc", "array", "float64")
    expected = grad(lambda t: logdet(A * t))(2.0)

    def f(t):
        K = A * t
        value = logdet(K)
        K[0, 0] = 100.0
        return value

    assert grad(f)(2.0) == expected == pytest.approx(5 / 2)


# ---- cost ------------------------------------------------------------------------------------


def test_factorised_once_for_value_and_gradient_and_for_a_hessian(factorisations):
    A = grid(8)
    grad(logdet)(A)
    assert len(factorisations) == 1
    hessian_vector_product(logdet)(A, A)
    assert len(factorisations) == 2


def test_several_backward_passes(factorisations, no_solves):
    A = grid(8)
    vjp = make_vjp(logdet)(A)[0]
    with ThreadPoolExecutor(4) as pool:
        gradients = list(pool.map(vjp, [1.0] * 8))
    assert len(factorisations) == 1
    for g in gradients:
        onp.testing.assert_array_equal(g.data, gradients[0].data)


def test_gradient_of_a_large_matrix(no_solves):
    """40,000 rows: the inverse has 1.6e9 entries. d/dt log det (t A) = n / t, by the gradient."""
    A = grid(200)
    g = grad(logdet)(A)
    assert float(g.multiply(A).sum()) == pytest.approx(A.shape[0], rel=1e-12)
    column = scipy_linalg.spsolve(A, onp.eye(1, A.shape[0], 777)[0])
    assert g[777, 777] == pytest.approx(column[777], rel=1e-11)
    assert g.nnz == A.nnz
