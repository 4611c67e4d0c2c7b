"""cg: implicit derivatives."""

import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import numbers, regular, stored

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


def symmetric(dtype="float64", family="array", n=8):
    return regular("csr", family, dtype, n=n, kind="hermitian")


TIGHT = {"rtol": 1e-13}


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_gradients(format, family):
    A, b = symmetric(family=family).asformat(format), numbers(8, "float64", 2)
    g, h = grad(lambda A, b: np.sum(spla.cg(A, b=b, **TIGHT)[0] ** 3), (0, 1))(A, b)
    e, k = grad(lambda D, b: np.sum(np.linalg.solve(D, b) ** 3), (0, 1))(A.toarray(), b)
    onp.testing.assert_allclose(g.toarray(), e * stored(A), rtol=1e-9, atol=1e-12)
    onp.testing.assert_allclose(h, k, rtol=1e-9)
    assert type(g) is type(A)


def test_complex_hermitian():
    A, b = symmetric("complex128"), numbers(8, "complex128", 2)
    g, h = grad(lambda A, b: np.sum(np.abs(spla.cg(A, b, **TIGHT)[0]) ** 2), (0, 1))(A, b)
    e, k = grad(lambda D, b: np.sum(np.abs(np.linalg.solve(D, b)) ** 2), (0, 1))(A.toarray(), b)
    onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0), rtol=1e-9, atol=1e-12)
    onp.testing.assert_allclose(h, k, rtol=1e-9)


def test_second_order_and_forward_mode():
    A, b = symmetric(), numbers(8, "float64", 2)
    V = A * 0.2
    h = hessian_vector_product(lambda A: np.sum(spla.cg(A, b, **TIGHT)[0] ** 3))(A, V)
    e = hessian_vector_product(lambda D: np.sum(np.linalg.solve(D, b) ** 3))(
        A.toarray(), V.toarray()
    )
    onp.testing.assert_allclose(h.toarray(), e * (A.toarray() != 0), rtol=1e-8, atol=1e-11)
    t = make_jvp(lambda A: spla.cg(A, b, **TIGHT)[0])(A)(V)[1]
    x = onp.linalg.solve(A.toarray(), b)
    onp.testing.assert_allclose(t, -onp.linalg.solve(A.toarray(), V @ x), rtol=1e-9)


def test_float32():
    A, b = symmetric("float32"), numbers(8, "float32", 2)
    g, h = grad(lambda A, b: np.sum(spla.cg(A, b)[0] ** 2), (0, 1))(A, b)
    assert g.dtype == h.dtype == onp.float32


def test_info_callback_and_options_are_scipys():
    A, b = symmetric(), numbers(8, "float64", 2)
    calls, theirs = [], []
    options = {"maxiter": 2, "rtol": 1e-12}
    expected = scipy_linalg.cg(A, b, callback=lambda x: theirs.append(1), **options)
    info = None

    def f(b):
        nonlocal info
        x, info = spla.cg(A, b, callback=lambda x: calls.append(1), **options)
        return x

    x = make_vjp(f)(b)[1]
    assert info == expected[1] > 0 and len(calls) == len(theirs)
    onp.testing.assert_array_equal(x, expected[0])


def test_adjoint_that_does_not_converge_warns():
    A, b = symmetric(), numbers(8, "float64", 2)
    vjp, x = make_vjp(lambda b: spla.cg(A, b, maxiter=1, rtol=1e-12)[0])(b)
    with pytest.warns(scipygrad.AdjointConvergenceWarning, match="maxiter"):
        vjp(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error", scipygrad.AdjointConvergenceWarning)
        with pytest.raises(scipygrad.AdjointConvergenceWarning):
            vjp(x)


def test_absolute_tolerance_does_not_swallow_a_small_cotangent():
    A, b = symmetric(), 1e3 * numbers(8, "float64", 2)
    vjp, x = make_vjp(lambda b: spla.cg(A, b, rtol=0.0, atol=1e-6)[0])(b)
    g = vjp(1e-9 * onp.ones(8))
    onp.testing.assert_allclose(g, 1e-9 * onp.linalg.solve(A.toarray(), onp.ones(8)), rtol=1e-6)


def test_preconditioner_and_guess_are_used_by_the_adjoint_and_have_no_derivative():
    A, b = symmetric(), numbers(8, "float64", 2)

    def f(A, b):
        M = sp.diags(1 / A.diagonal())  # traced: changes the way, not the solution
        x, info = spla.cg(A, b, x0=b * 0.1, M=M, rtol=1e-13)
        assert info == 0
        return np.sum(x**3)

    g, h = grad(f, (0, 1))(A, b)
    e, k = grad(lambda D, b: np.sum(np.linalg.solve(D, b) ** 3), (0, 1))(A.toarray(), b)
    onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0), rtol=1e-8, atol=1e-11)
    onp.testing.assert_allclose(h, k, rtol=1e-8)


def test_constant_operator_and_dense_matrix():
    A, b = symmetric(), numbers(8, "float64", 2)
    e = grad(lambda b: np.sum(np.linalg.solve(A.toarray(), b) ** 3))(b)
    for operator in (spla.aslinearoperator(A), A.toarray()):
        g = grad(lambda b, A=operator: np.sum(spla.cg(A, b, **TIGHT)[0] ** 3))(b)
        onp.testing.assert_allclose(g, e, rtol=1e-9)
    with pytest.raises(NotImplementedError, match="dense"):
        grad(lambda D: np.sum(spla.cg(D, b)[0]))(A.toarray())


def test_column_right_side():
    A, b = symmetric(), numbers((8, 1), "float64", 2)
    g = grad(lambda b: np.sum(spla.cg(A, b, **TIGHT)[0] ** 3))(b)
    e = grad(lambda b: np.sum(np.linalg.solve(A.toarray(), b) ** 3))(b)
    onp.testing.assert_allclose(g, e, rtol=1e-9)
