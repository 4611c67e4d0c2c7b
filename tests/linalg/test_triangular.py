"""Triangular solves."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_vjp
from cases import numbers, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


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


def test_entries_that_are_not_read_have_no_derivative():
    A, b = regular("csr", "array", "float64"), numbers(5, "float64", 2)
    g = grad(lambda A: np.sum(spla.spsolve_triangular(A, b) ** 2))(A)
    e = grad(lambda D: np.sum(np.linalg.solve(np.tril(D), b) ** 2))(A.toarray())
    onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0), rtol=1e-11, atol=1e-14)
    assert g.nnz == A.nnz


def test_singular_and_bad_input():
    b = onp.ones(2)
    A = sp.csr_array(onp.array([[1.0, 0.0], [2.0, 0.0]]))
    with pytest.raises(onp.linalg.LinAlgError, match="singular"):
        make_vjp(lambda A: spla.spsolve_triangular(A, b))(A)
    with pytest.raises(ValueError, match="square"):
        make_vjp(lambda b: spla.spsolve_triangular(sp.csr_array((2, 3)), b))(b)
    with pytest.raises(ValueError, match="first dimension"):
        make_vjp(lambda b: spla.spsolve_triangular(sp.eye_array(3, format="csr"), b))(b)
