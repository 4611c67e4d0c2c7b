"""Sparse right sides of `spsolve`, and `inv`: sparse results, of a structure without luck in it."""

import tracemalloc

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_vjp
from cases import matrix, numbers, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.linalg import _inverse
from scipygrad.testing import check_op


def traced(fun, *args):
    """The value with everything traced."""
    return make_vjp(lambda args: fun(*args))(args)[1]


def parts(format="csc", dtype="float64"):
    """A matrix of three parts that do not all depend on each other, its rows in disorder."""
    blocks = [sps.csr_array(numbers((k, k), dtype, 10 + k) + 4 * onp.eye(k)) for k in (3, 1, 4)]
    A = sps.block_diag(blocks).tolil()
    A[0, 5] = 0.5  # the third part acts on the first
    return getattr(sp, f"{format}_array")(A.tocsr()[[4, 2, 7, 0, 1, 6, 3, 5]])


@pytest.mark.parametrize("rhs", ["csr", "csc", "coo", "dia", "bsr", "lil", "dok"])
@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_class_shape_and_values_are_scipys(format, family, rhs):
    A, B = regular(format, family, "float64"), matrix(rhs, "array", "float64", (5, 3))
    X, expected = traced(spla.spsolve, A, B), scipy_linalg.spsolve(A, B)
    assert type(X) is getattr(sp, type(expected).__name__) and X.shape == expected.shape
    onp.testing.assert_allclose(X.toarray(), expected.toarray(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("kind", ["coo_matrix", "dia_matrix", "bsr_array"])
def test_a_matrix_of_another_format_becomes_a_csc_array(kind):
    A, B = getattr(sp, kind)(regular("csc", "array", "float64")), sp.eye_array(5, 3, format="csc")
    with pytest.warns(sps.SparseEfficiencyWarning):
        X, expected = traced(spla.spsolve, A, B), scipy_linalg.spsolve(A, B)
    assert type(X) is sp.csc_array and type(expected) is sps.csc_array


@pytest.mark.parametrize("rhs", ["csr_array", "csc_matrix", "dia_array", "coo_array"])
def test_one_column_gives_a_vector(rhs):
    A, b = regular("csc", "array", "float64"), numbers((5, 1), "float64", 3)
    B = getattr(sp, rhs)(b)
    x = traced(spla.spsolve, A, B)
    assert x.shape == scipy_linalg.spsolve(A, B).shape == (5,)
    check_op(lambda A, B: spla.spsolve(A, B), A, B, order=1)


def test_a_sparse_vector():
    A, b = regular("csc", "array", "float64"), sp.coo_array(onp.array([1.0, 0.0, 2.0, 0.0, 3.0]))
    check_op(lambda A, b: spla.spsolve(A, b), A, b, order=1, reference=scipy_linalg.spsolve)


@pytest.mark.parametrize("matrix_dtype", ["float32", "float64", "complex64", "int64"])
@pytest.mark.parametrize("rhs", ["float32", "float64", "complex128"])
def test_dtype_is_scipys(matrix_dtype, rhs):
    A = sp.csc_array((onp.tri(3) + onp.eye(3)).astype(matrix_dtype))
    B = sp.csc_array(onp.eye(3, 2, dtype=rhs))
    vjp, X = make_vjp(lambda B: spla.spsolve(A, B))(B)
    assert X.dtype == scipy_linalg.spsolve(A, B).dtype
    assert vjp(X).dtype == B.dtype


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_structure_is_what_the_parts_allow(format, dtype):
    """It covers all of A⁻¹ that is not 0, and for general numbers nothing more."""
    A = parts(format, dtype)
    X, D = traced(spla.inv, A), onp.linalg.inv(A.toarray())
    assert type(X) is type(A)
    where = onp.zeros(X.shape, bool)
    where[X.nonzero()] = True
    onp.testing.assert_array_equal(where, abs(D) > 1e-13)
    assert X.nnz == where.sum() < X.shape[0] ** 2
    onp.testing.assert_allclose(X.toarray(), D, rtol=1e-10, atol=1e-14)
    check_op(spla.inv, A)
    check_op(
        spla.spsolve,
        A,
        sp.csc_array(numbers((8, 2), dtype, 1) * (onp.eye(8, 2) + onp.eye(8, 2, -5))),
    )


def test_structure_does_not_depend_on_values():
    """An entry that cancels is kept, with its derivative; SciPy leaves it out."""
    A = sp.csc_array(onp.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))
    X = traced(spla.inv, A)
    assert X.nnz == 6 and scipy_linalg.inv(A).nnz == 5 and X[2, 0] == 0
    g = grad(lambda A: spla.inv(A)[2, 0])(A)
    e = grad(lambda D: np.linalg.inv(D)[2, 0])(A.toarray())
    onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0), rtol=1e-14)
    assert g[1, 0] != 0


def test_stored_zeros_duplicates_and_empty_columns():
    A = regular("csc", "array", "float64")
    A[0, 3] = 1.0
    A.data[A.indices == 2] = 0
    A[2, 2] = 5.0
    B = sp.coo_array(([1.0, 2.0, 0.0, 3.0], ([0, 0, 3, 4], [1, 1, 1, 3])), shape=(5, 5))
    X = traced(spla.spsolve, A, B)
    assert list(onp.diff(X.tocsc().indptr) > 0) == [False, True, False, True, False]
    check_op(spla.spsolve, A, B)


@pytest.mark.parametrize("columns", [1, 2, 7])
def test_blocks_of_columns(columns, monkeypatch):
    monkeypatch.setattr(_inverse, "COLUMNS", columns)
    check_op(spla.spsolve, parts(), matrix("csc", "array", "float64", (8, 5)), order=1)


def test_factorised_once_in_all(factorisations):
    A, B = regular("csc", "array", "float64"), matrix("csc", "array", "float64", (5, 3))

    def loss(A, B):
        return spla.spsolve(A, B).power(3).sum()

    grad(loss, (0, 1))(A, B)
    assert len(factorisations) == 1
    hessian_vector_product(loss)(A, B, A)
    assert len(factorisations) == 2


def test_matrix_changed_in_place_afterwards():
    A, B = regular("csc", "array", "float64"), matrix("csc", "array", "float64", (5, 3))
    expected = grad(lambda B: spla.spsolve(A, B).power(2).sum())(B)

    def f(B):
        K = A.copy()
        X = spla.spsolve(K, B)
        K.data[:] = 7.0
        return X.power(2).sum()

    onp.testing.assert_array_equal(grad(f)(B).data, expected.data)


def test_no_dense_matrix_of_all_columns():
    """The inverse of 600 parts of 5 × 5: as a dense matrix it would take 72 MB."""
    n = 600
    A = sp.block_diag([regular("csc", "array", "float64")] * n, format="csc")
    tracemalloc.start()
    try:
        vjp, X = make_vjp(spla.inv)(A)
        vjp(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert X.nnz == 25 * n and peak < 20e6
    onp.testing.assert_allclose(
        X[:5, :5].toarray(), onp.linalg.inv(A[:5, :5].toarray()), rtol=1e-12, atol=1e-15
    )


def test_foreign_operands():
    A, B = sps.csc_matrix(regular("csc", "array", "float64")), sps.csr_array(onp.eye(5, 2))
    g, h = grad(lambda A, B: spla.spsolve(A, B).sum(), (0, 1))(A, B)
    assert type(g) is sps.csc_matrix and type(h) is sps.csr_array
    w = onp.linalg.solve(A.toarray().T, onp.ones(5))
    onp.testing.assert_allclose(h.data, w[:2], rtol=1e-12)


def test_inverse_by_keyword_and_its_error_for_dense_input():
    A = regular("csr", "matrix", "float64")
    onp.testing.assert_allclose(
        grad(lambda A: spla.inv(A=A).trace())(A).toarray(),
        -onp.linalg.inv(A.toarray() @ A.toarray()).T * (A.toarray() != 0), rtol=1e-10,
    )  # fmt: skip
    with pytest.raises(TypeError, match="sparse"):
        make_vjp(lambda D: spla.inv(D))(A.toarray())


@pytest.mark.parametrize(
    "singular", [[[1.0, 2.0], [2.0, 4.0]], [[1.0, 0.0], [2.0, 0.0]]], ids=["values", "structure"]
)
def test_singular_matrix_raises_as_in_scipy(singular):
    A = sp.csc_array(onp.array(singular))
    for solve in (scipy_linalg.inv, lambda A: traced(spla.inv, A)):
        with pytest.raises(RuntimeError, match="singular"):
            solve(A)


def test_bad_shapes():
    A, B = regular("csc", "array", "float64"), sp.csc_array((4, 2))
    with pytest.raises(ValueError, match="mismatch"):
        traced(spla.spsolve, A, B)
    with pytest.raises(ValueError, match="square"):
        traced(spla.inv, sp.csc_array(onp.ones((3, 2))))
