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
