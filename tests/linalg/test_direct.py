"""Direct solves: factorisations are kept, results stay right whatever happens in between."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import numbers, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


@pytest.fixture
def A():
    return regular("csc", "array", "float64")


@pytest.fixture
def b():
    return numbers(5, "float64", 3)


@pytest.fixture
def factorisations(monkeypatch):
    """A list with one element for every factorisation that is made."""
    made = []
    original = scipy_linalg.splu

    def counted(*args, **kwargs):
        made.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(scipy_linalg, "splu", counted)
    return made


def loss(A, b):
    return np.sum(spla.spsolve(A, b) ** 3)


def dense_loss(D, b):
    return np.sum(np.linalg.solve(D, b) ** 3)


def test_value_and_gradient_factorise_once(A, b, factorisations):
    gA, gb = grad(loss, (0, 1))(A, b)
    assert len(factorisations) == 1
    eA, eb = grad(dense_loss, (0, 1))(A.toarray(), b)
    onp.testing.assert_allclose(gA.toarray(), eA * (A.toarray() != 0), rtol=1e-10)
    onp.testing.assert_allclose(gb, eb, rtol=1e-10)


def test_second_order_factorises_once(A, b, factorisations):
    V = A * 0.3
    h = hessian_vector_product(loss)(A, b, V)
    assert len(factorisations) == 1
    e = hessian_vector_product(dense_loss)(A.toarray(), b, V.toarray())
    onp.testing.assert_allclose(h.toarray(), e * (A.toarray() != 0), rtol=1e-9)


def test_forward_mode_factorises_once(A, b, factorisations):
    make_jvp(lambda A: spla.spsolve(A, b))(A)(A)
    assert len(factorisations) == 1


def test_many_right_sides_and_many_backward_passes_factorise_once(A, factorisations):
    B = numbers((5, 3), "float64", 4)
    vjp, X = make_vjp(lambda A: spla.spsolve(A, B))(A)
    first, second = vjp(X), vjp(X)
    assert len(factorisations) == 1
    onp.testing.assert_array_equal(first.data, second.data)


def test_two_solves_before_one_backward(A, b):
    """Each result's rule keeps its own factors."""
    C = regular("csc", "array", "float64", seed=8)

    def f(A, C):
        x = spla.spsolve(A, b)
        y = spla.spsolve(C, x)
        z = spla.spsolve(A * 2, y)
        return np.sum(x * y * z)

    def f_dense(A, C):
        x = np.linalg.solve(A, b)
        y = np.linalg.solve(C, x)
        z = np.linalg.solve(A * 2, y)
        return np.sum(x * y * z)

    g, e = grad(f, (0, 1))(A, C), grad(f_dense, (0, 1))(A.toarray(), C.toarray())
    for i, M in enumerate((A, C)):
        onp.testing.assert_allclose(g[i].toarray(), e[i] * (M.toarray() != 0), rtol=1e-10)


def test_matrix_changed_in_place_after_its_solve(A, b):
    D = A.toarray()
    expected = grad(lambda b: np.sum(np.linalg.solve(D, b) ** 3))(b)

    def f(b):
        K = A.copy()
        x = spla.spsolve(K, b)
        K.data[:] = 7.0
        return np.sum(x**3)

    onp.testing.assert_allclose(grad(f)(b), expected, rtol=1e-10)

    def f_traced(t):
        K = A * t
        x = spla.spsolve(K, b)
        K.data = K.data * 5
        K[0, 0] = 100.0
        return np.sum(x**3)

    e = grad(lambda t: np.sum(np.linalg.solve(D * t, b) ** 3))(1.5)
    assert float(grad(f_traced)(1.5)) == pytest.approx(float(e), rel=1e-10)


def test_values_equal_scipys(A, b):
    onp.testing.assert_allclose(
        make_vjp(lambda b: spla.spsolve(A, b))(b)[1], scipy_linalg.spsolve(A, b), rtol=1e-13
    )


def test_singular_matrix_behaves_as_scipys():
    A = sp.csc_array(onp.array([[1.0, 2.0], [2.0, 4.0]]))
    b = onp.ones(2)
    with pytest.warns(spla.MatrixRankWarning):
        x = make_vjp(lambda A: spla.spsolve(A, b))(A)[1]
    assert onp.isnan(x).all()
    with pytest.raises(RuntimeError, match="singular"):
        make_vjp(lambda A: spla.splu(A).solve(b))(A)


def test_bad_input(A, b):
    with pytest.raises(ValueError, match="square"):
        make_vjp(lambda A: spla.spsolve(A, b))(sp.csc_array(onp.ones((5, 4))))
    with pytest.raises(ValueError, match="mismatch"):
        make_vjp(lambda A: spla.spsolve(A, b[:3]))(A)
    with pytest.raises(ValueError, match="trans"):
        make_vjp(lambda A: spla.splu(A).solve(b, "X"))(A)
    with pytest.warns(sps.SparseEfficiencyWarning):
        make_vjp(lambda A: spla.spsolve(A, b))(A.tocoo())


def test_constant_factors_serve_a_traced_right_side(A, b, factorisations):
    D = A.toarray()
    lu, solve = spla.splu(A), spla.factorized(A)
    ilu = spla.spilu(A, drop_tol=0.0, fill_factor=100)
    made = len(factorisations)
    for f in (lu.solve, solve, ilu.solve):
        onp.testing.assert_allclose(f(b), onp.linalg.solve(D, b), rtol=1e-10)
        g = grad(lambda b, f=f: np.sum(f(b) ** 3))(b)
        e = grad(lambda b: np.sum(np.linalg.solve(D, b) ** 3))(b)
        onp.testing.assert_allclose(g, e, rtol=1e-9)
    assert len(factorisations) == made
    z = b + 1j * b[::-1]
    onp.testing.assert_allclose(
        make_vjp(lambda z: lu.solve(z, "H"))(z)[1], onp.linalg.solve(D.T, z), rtol=1e-10
    )


def test_superlu_has_scipys_attributes(A):
    lu, theirs = spla.splu(A), scipy_linalg.splu(A)
    assert lu.shape == theirs.shape and lu.nnz == theirs.nnz
    assert onp.array_equal(lu.perm_r, theirs.perm_r) and onp.array_equal(lu.perm_c, theirs.perm_c)
    assert type(lu.L) is sp.csc_array and (lu.U != theirs.U).nnz == 0
    assert isinstance(lu, spla.SuperLU)


def test_whole_number_matrix(b):
    A = sp.csc_array(onp.diag([1, 2, 3, 4, 5]) + onp.tri(5, dtype=int))
    g = grad(lambda b: np.sum(spla.spsolve(A, b) ** 2))(b)
    e = grad(lambda b: np.sum(np.linalg.solve(A.toarray() * 1.0, b) ** 2))(b)
    onp.testing.assert_allclose(g, e, rtol=1e-10)
    D = sp.csr_array(onp.tri(5, dtype=int) * 2)
    g = grad(lambda b: np.sum(spla.spsolve_triangular(D, b) ** 2))(b)
    e = grad(lambda b: np.sum(np.linalg.solve(D.toarray() * 1.0, b) ** 2))(b)
    onp.testing.assert_allclose(g, e, rtol=1e-10)


def test_real_matrix_with_a_complex_right_side(A, b):
    z = b + 1j * b[::-1]
    g, h = grad(lambda A, z: np.sum(np.abs(spla.spsolve(A, z)) ** 2), (0, 1))(A, z)
    e, k = grad(lambda A, z: np.sum(np.abs(np.linalg.solve(A + 0j, z)) ** 2), (0, 1))(
        A.toarray(), z
    )
    assert g.dtype == onp.float64 and h.dtype == onp.complex128
    onp.testing.assert_allclose(g.toarray(), onp.real(e) * (A.toarray() != 0), rtol=1e-10)
    onp.testing.assert_allclose(h, k, rtol=1e-10)
