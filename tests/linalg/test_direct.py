"""Direct solves: factorisations are kept, results stay right whatever happens in between."""

from concurrent.futures import ThreadPoolExecutor

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import numbers, regular

import scipygrad as sg
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.testing import check_op


@pytest.fixture
def A():
    return regular("csc", "array", "float64")


@pytest.fixture
def b():
    return numbers(5, "float64", 3)


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


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(5,), (5, 1), (5, 3), (5, 0)])
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_right_side_of_any_shape(format, shape, order):
    """(n, 1) becomes (n,), as in SciPy."""
    A, b = (
        regular(format, "matrix", "float64"),
        onp.array(numbers(shape, "float64", 4), order=order),
    )
    x = make_vjp(lambda b: spla.spsolve(A, b))(b)[1]
    expected = scipy_linalg.spsolve(A, b) if b.size else onp.zeros(shape)
    assert x.shape == expected.shape
    onp.testing.assert_allclose(x, expected, rtol=1e-13)
    if b.size:
        check_op(lambda A, b: spla.spsolve(A, b), A, b, order=1)


@pytest.mark.parametrize(
    "matrix", ["float32", "float64", "complex64", "complex128", "int8", "int64"]
)
@pytest.mark.parametrize("rhs", ["float32", "float64", "complex64", "complex128"])
def test_dtype_is_scipys(matrix, rhs):
    A, b = sp.csc_array((onp.tri(3) + onp.eye(3)).astype(matrix)), onp.arange(1, 4).astype(rhs)
    vjp, x = make_vjp(lambda b: spla.spsolve(A, b))(b)
    expected = scipy_linalg.spsolve(A, b)
    assert x.dtype == expected.dtype
    assert vjp(x).dtype == b.dtype
    onp.testing.assert_allclose(x, expected, rtol=1e-6)


@pytest.mark.parametrize("permc_spec", ["NATURAL", "MMD_ATA", "MMD_AT_PLUS_A", "COLAMD"])
def test_ordering_by_keyword(A, b, permc_spec):
    check_op(
        lambda A, b: spla.spsolve(A=A, permc_spec=permc_spec, b=b, use_umfpack=False),
        *(A, b),
        order=1,
        reference=lambda A, b: scipy_linalg.spsolve(A, b, permc_spec=permc_spec),
    )


def test_dense_and_foreign_matrices(A, b):
    e = grad(dense_loss)(A.toarray(), b)
    D = onp.where(A.toarray() == 0, 0.0, A.toarray())
    with pytest.warns(sps.SparseEfficiencyWarning):
        onp.testing.assert_allclose(grad(loss)(D, b), e, rtol=1e-10)
    for cls in (sps.csc_matrix, sps.csr_array):
        g = grad(loss)(cls(A), b)
        assert type(g) is cls
        onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0), rtol=1e-10)
    with pytest.warns(sps.SparseEfficiencyWarning):
        g = grad(lambda D: np.sum(spla.splu(D).solve(b) ** 3))(D)
    onp.testing.assert_allclose(g, e, rtol=1e-10)


def test_unsorted_duplicated_and_overlong_storage(b):
    """Three ways in which a csr matrix need not be canonical."""
    n = 5
    data = numbers(17, "float64", 2)
    data[[1, 3, 5, 7, 9]] += 9.0 * onp.sign(data[[1, 3, 5, 7, 9]])
    indices = onp.array([3, 0, 2, 1, 4, 2, 1, 3, 2, 4, 0, 0, 3, 9, 9, 9, 9])
    A = sp.csr_array((data[:13], indices[:13], [0, 2, 4, 6, 8, 13]), shape=(n, n))
    assert not A.has_canonical_format and not A.has_sorted_indices
    check_op(lambda A, b: spla.spsolve(A.copy(), b), A, b, order=1)  # (SciPy's sorts A itself)
    L = sp.csr_array((n, n))
    L.data, L.indices, L.indptr = data, indices.astype(onp.int32), A.indptr
    g = grad(loss)(L, b)
    onp.testing.assert_allclose(g.data[:13], grad(loss)(A, b).data, rtol=1e-12)
    assert not g.data[13:].any()


def helmholtz(n, eps, symmetric):
    """Frequency-domain Maxwell (E out of the plane) on an n × n grid inside absorbing layers.

    The layers stretch the coordinates into the complex plane; `symmetric` scales the equations so
    that the matrix is complex symmetric. `eps` may be traced.
    """
    k, layer, h = 0.55, 8, 1.0

    def stretch(x):
        depth = onp.maximum(0, onp.maximum(layer - x, x - (n - 1 - layer))) / layer
        return 1 + 1.5j * depth**2 / k

    s, half = stretch(onp.arange(n)), stretch(onp.arange(n + 1) - 0.5)
    D = sps.diags_array([onp.ones(n), -onp.ones(n)], offsets=[0, -1], shape=(n + 1, n)) / h
    second = -(D.T @ sps.diags_array(1 / half) @ D)  # s times the second derivative
    one, S = sps.eye_array(n), sps.diags_array(s)
    if symmetric:
        A, weight = sps.kron(S, second) + sps.kron(second, S), onp.kron(s, s)
    else:
        second = sps.diags_array(1 / s) @ second
        A, weight = sps.kron(one, second) + sps.kron(second, one), onp.ones(n * n)
    return sp.csc_array(A) + sp.diags_array(k**2 * eps * weight, format="csc")


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("n", [20, 34])
def test_photonics_with_absorbing_layers(n, symmetric):
    """The field reaches into the layers, so that a conjugate too many is seen."""
    rng = onp.random.default_rng(0)
    eps, b = rng.uniform(1, 2, n * n), onp.zeros(n * n, complex)
    b[n * n // 2 + n // 3] = 1
    weight = rng.standard_normal(n * n)

    def intensity(eps):
        field = spla.spsolve(helmholtz(n, eps, symmetric), b)
        return np.sum(weight * np.abs(field) ** 2)

    A = helmholtz(n, eps, symmetric)
    assert (abs(A - A.T).max() < 1e-14) == symmetric
    field = onp.abs(scipy_linalg.spsolve(A, b)).reshape(n, n)
    assert field[:6].max() > 0.1 * field[8:-8, 8:-8].max()
    check_op(intensity, eps, order=1)
    # What a wrong adjoint would give is far away:
    x = scipy_linalg.spsolve(A, b)
    wrong = scipy_linalg.spsolve(A.conj().T.tocsc(), weight * x.conj())
    right = scipy_linalg.spsolve(A.T.tocsc(), weight * x.conj())
    assert onp.linalg.norm(wrong - right) > 0.5 * onp.linalg.norm(right)


def test_concurrent_gradients(A, b, factorisations):
    matrices = [A * (k + 1.0) for k in range(8)]
    expected = [grad(loss)(M, b).data for M in matrices]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda M: grad(loss)(M, b).data, matrices))
    for g, e in zip(found, expected):
        onp.testing.assert_array_equal(g, e)


def test_singular_matrix_behaves_as_scipys():
    A = sp.csc_array(onp.array([[1.0, 2.0], [2.0, 4.0]]))
    b = onp.ones(2)
    with pytest.warns(spla.MatrixRankWarning):
        vjp, x = make_vjp(lambda A: spla.spsolve(A, b))(A)
    assert onp.isnan(x).all()
    assert onp.isnan(vjp(onp.ones(2)).data).all()
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


def test_factors_of_a_traced_matrix_say_why_they_are_not_there(A):
    lu = []
    make_vjp(lambda A: lu.append(spla.splu(A)) or np.sum(A.data))(A)
    for name in ("L", "U"):
        with pytest.raises(NotImplementedError, match=f"SuperLU.{name}.*detach"):
            getattr(lu[0], name)
    onp.testing.assert_array_equal(lu[0].perm_c, scipy_linalg.splu(A).perm_c)


@pytest.mark.parametrize("trans", ["N", "T", "H"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_solve_of_given_factors_by_keyword(dtype, trans):
    A, B = regular("csc", "array", dtype), numbers((5, 2), dtype, 2)
    check_op(
        lambda A, B: spla.splu(A, diag_pivot_thresh=0.5).solve(trans=trans, rhs=B), A, B, order=1,
        reference=lambda A, B: scipy_linalg.splu(A).solve(B, trans),
    )  # fmt: skip


def test_spilu_of_a_traced_matrix_advises(A):
    with pytest.raises(NotImplementedError, match="detach"):
        make_vjp(lambda A: spla.spilu(A).solve(onp.ones(5)))(A)
    ilu = make_vjp(lambda A: spla.spilu(sg.detach(A)).solve(onp.ones(5)) * A.sum())(A)[1]
    assert onp.isfinite(ilu).all()
