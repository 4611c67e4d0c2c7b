"""eigsh, eigs, lobpcg: values, derivatives of eigenvalues and eigenvectors, equal eigenvalues."""

import copy
import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_jvp, make_vjp
from cases import regular

import scipygrad
import scipygrad.linalg._bordered as bordered
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.pattern import Pattern
from scipygrad.linalg import _eigen
from scipygrad.testing import check_op

N = 10
DTYPES = ["float64", "complex128"]
CONVERGED = {"tol": 1e-13, "maxiter": 300}


def start(A):
    return onp.random.default_rng(9).standard_normal(A.shape[0]).astype(A.dtype)


def general(dtype="float64", n=N, seed=0, density=0.3):
    """A clearly non-symmetric matrix with eigenvalues apart."""
    rng = onp.random.default_rng(seed)

    def draw():
        return rng.standard_normal((n, n)) * (rng.random((n, n)) < density)

    X = draw() + 1j * draw() if onp.dtype(dtype).kind == "c" else draw()
    return sp.csr_array((0.7 * X + onp.diag(onp.arange(1.0, n + 1))).astype(dtype))


def hermitian(A):
    return A + A.conj().T


def mass(B):
    """A positive definite matrix."""
    return hermitian(B) * 0.05 + 3 * sp.eye_array(B.shape[0], format="csr", dtype=B.dtype)


def invariant(result):
    """Eigenvalues, and what does not depend on the phases of the vectors."""
    w, V = result[0], result[1]
    return w, np.abs(V) ** 2, np.real(V[0] * np.conj(V[1]))


def spectrum(values, dtype="float64", seed=3):
    """A Hermitian matrix with these eigenvalues."""
    rng = onp.random.default_rng(seed)
    n = len(values)
    X = rng.standard_normal((n, n))
    if onp.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal((n, n))
    Q = onp.linalg.qr(X)[0]
    A = (Q * onp.array(values)) @ Q.conj().T
    return sp.csr_array((A + A.conj().T) / 2)


# ---- derivatives -----------------------------------------------------------------------------

HERMITIAN = {
    "standard": lambda A, B: spla.eigsh(hermitian(A), 3, v0=start(A)),
    "smallest": lambda A, B: spla.eigsh(hermitian(A), k=2, which="SM", v0=start(A)),
    "shift": lambda A, B: spla.eigsh(hermitian(A), 3, sigma=6.3, v0=start(A)),
    "M": lambda A, B: spla.eigsh(hermitian(A), 3, M=mass(B), v0=start(A)),
    "M and shift": lambda A, B: spla.eigsh(hermitian(A), 3, mass(B), 2.1, v0=start(A)),
    "lobpcg": lambda A, B: spla.lobpcg(
        hermitian(A), onp.eye(N)[:, :2] + 0.1, B=mass(B), **CONVERGED
    ),
}
REAL = {
    "buckling": lambda A, B: spla.eigsh(
        hermitian(A) + 9 * sp.eye_array(N), 2, M=hermitian(B), sigma=1.3, mode="buckling",
        v0=start(A),
    ),
    "cayley": lambda A, B: spla.eigsh(
        hermitian(A), 2, M=mass(B), sigma=1.3, mode="cayley", v0=start(A)
    ),
    "both ends": lambda A, B: spla.eigsh(hermitian(A), 4, which="BE", v0=start(A)),
    "complex shift": lambda A, B: spla.eigs(A, 2, sigma=1 + 0.5j, v0=start(A)),
    "imaginary part": lambda A, B: spla.eigs(A, 2, sigma=1 + 0.5j, OPpart="i", v0=start(A)),
}  # fmt: skip
GENERAL = {
    "eigs": lambda A, B: spla.eigs(A, 3, v0=start(A)),
    "eigs, imaginary": lambda A, B: spla.eigs(A, k=2, which="LI", v0=start(A)),
    "eigs, M": lambda A, B: spla.eigs(A, 3, M=mass(B), v0=start(A)),
    "eigs, M and shift": lambda A, B: spla.eigs(A, 2, sigma=0.9, M=mass(B), v0=start(A)),
}


@pytest.mark.parametrize(
    "problem, dtype",
    [(p, d) for p in HERMITIAN | GENERAL for d in DTYPES] + [(p, "float64") for p in REAL],
)
def test_derivatives(problem, dtype):
    """To second order, both modes, in A and M alone and together, against differences."""
    solve = (HERMITIAN | GENERAL | REAL)[problem]
    operands = general(dtype), general(dtype, seed=5)
    if "B" not in problem and not {"M", "lobpcg", "buckling", "cayley"} & set(
        problem.replace(",", "").split()
    ):
        check_op(lambda A: invariant(solve(A, None)), operands[0])
    else:
        check_op(lambda A, B: invariant(solve(A, B)), *operands)


@pytest.mark.parametrize("function", [spla.eigsh, spla.eigs])
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision(function, dtype):
    A = general(dtype)
    v0 = start(A)
    w, V = make_vjp(lambda A: scipygrad.detach(function(hermitian(A), 2, v0=v0)))(A)[1]
    assert w.itemsize == V.itemsize == onp.dtype(onp.complex64).itemsize or w.dtype == "float32"
    check_op(
        lambda A: invariant(function(hermitian(A), 2, v0=v0.astype(A.dtype))), A, order=1
    )  # fmt: skip


def test_against_dense_eigh():
    A = general(n=24, density=0.2)
    W = onp.random.default_rng(1).standard_normal((24, 3))

    def sparse(A):
        w, V = spla.eigsh(hermitian(A), 3, which="LA", v0=start(A))
        return np.sum(w**2) + np.sum(W * V**2)

    def dense(D):
        w, V = np.linalg.eigh(D + D.T)
        return np.sum(w[-3:] ** 2) + np.sum(W * V[:, -3:] ** 2)

    expected = grad(dense)(A.toarray()) * (A.toarray() != 0)
    onp.testing.assert_allclose(grad(sparse)(A).toarray(), expected, rtol=1e-9, atol=1e-12)


def test_complex_symmetric_with_an_absorbing_layer():
    """Helmholtz on a line, stretched into the complex plane at both ends, where the field is."""
    n, layer = 60, 20
    x = onp.arange(n) + 0.5
    depth = onp.clip(onp.maximum(layer - x, x - (n - layer)), 0, None) / layer
    stretch = 1 + 4j * depth**2

    def problem(eps):
        D = sp.diags([-np.ones(n - 1), np.ones(n)], [-1, 0]) * (1 / 0.3)
        s = sp.diags(1 / stretch)
        L = -(s @ D.T @ s @ D)
        return (L + sp.diags(eps * 1.0)).tocsc()

    eps = 1 + 0.5 * onp.exp(-(((x - n / 2) / 6) ** 2))
    v0 = onp.ones(n, complex)

    def mode(eps):
        w, V = spla.eigs(problem(eps), 2, sigma=1.2 + 0.0j, v0=v0)
        return w, np.abs(V) ** 2

    _, intensity = mode(eps)
    assert (intensity[:layer].max(axis=0) > 1e-4 * intensity.max(axis=0)).any()
    check_op(mode, eps, order=1)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_formats(format, family):
    A = general()
    B = getattr(sp, f"{format}_{family}")(A)

    def f(A):
        return sum(map(np.sum, map(np.abs, invariant(spla.eigs(A, k=2, v0=start(A))))))

    g = grad(f)(B)
    assert type(g) is type(B)
    stored = onp.where(A.toarray() != 0, 1, 0)
    onp.testing.assert_allclose(g.toarray() * stored, grad(f)(A).toarray(), rtol=1e-8, atol=1e-12)


def test_duplicates_have_the_derivative_of_their_sum():
    A = general().tocoo()
    twice = sp.coo_array(
        (onp.concatenate([A.data * 0.25, A.data * 0.75]),
         tuple(onp.concatenate([c, c]) for c in A.coords)), shape=A.shape,
    )  # fmt: skip

    def f(A):
        return np.sum(spla.eigsh(A + A.T, 2, v0=start(A))[1] ** 4)

    g = grad(f)(twice).data
    onp.testing.assert_allclose(g[: A.nnz], grad(f)(A).data, rtol=1e-9, atol=1e-13)
    onp.testing.assert_allclose(g[A.nnz :], g[: A.nnz], rtol=1e-12)


def test_dense_operands():
    D, C = general().toarray(), onp.eye(N) * 2 + onp.eye(N, k=1) * 0.1
    check_op(lambda D, C: invariant(spla.eigsh(D + D.T, 3, M=C + C.T, v0=start(D))), D, C, order=1)


def test_all_eigenvalues_of_a_dense_matrix():
    rng = onp.random.default_rng(2)
    D = onp.diag([1.0, 4, 9, 16, 25]) + rng.standard_normal((5, 5))
    M = onp.eye(5) * 2 + 0.1 * rng.standard_normal((5, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy: calls scipy.linalg.eig
        check_op(lambda D: invariant(spla.eigs(D, 5)), D, order=1)
        check_op(lambda D, M: invariant(spla.eigs(D, 5, M=M + M.T)), D, M, order=1)
        check_op(lambda D: invariant(spla.eigsh(D + D.T, 5)), D, order=1)


def test_foreign_matrix_gets_a_foreign_gradient():
    A = sps.csr_array(hermitian(general()))
    g = grad(lambda A: np.sum(spla.eigsh(A, 2, v0=start(A))[0]))(A)
    V = scipy_linalg.eigsh(A, 2, v0=start(A))[1]
    assert type(g) is sps.csr_array
    onp.testing.assert_allclose(g.toarray(), (V @ V.T) * (A.toarray() != 0), rtol=1e-9, atol=1e-14)


def test_gradient_of_a_symmetric_matrix_is_symmetric():
    A = hermitian(general())
    g = grad(lambda A: np.sum(spla.eigsh(A, 2, v0=start(A))[1] ** 4))(A)
    assert abs(g - g.T).max() <= 1e-14 * abs(g).max()


def test_matrix_changed_after_the_call():
    A = hermitian(general())
    M = sp.eye_array(N, format="csr") * 2.0

    def f(B):
        w, V = spla.eigsh(A, 2, M=mass(B), v0=start(A))
        return np.sum(w) + np.sum(V**4)

    B = general(seed=5)
    expected = grad(f)(B)
    vjp, _ = make_vjp(f)(B)
    A.data[:] = 7.0
    assert abs(vjp(1.0) - expected).max() == 0
    assert M.nnz == N


# ---- values ----------------------------------------------------------------------------------


@pytest.mark.parametrize("vectors", [True, False])
@pytest.mark.parametrize("which", ["LM", "SM", "LA", "SA"])
def test_values_and_order_of_eigsh_are_scipys(vectors, which):
    A = hermitian(general())
    options = {"k": 4, "which": which, "v0": start(A), "return_eigenvectors": vectors}
    expected = scipy_linalg.eigsh(A, **options)
    found = scipygrad.detach(make_vjp(lambda A: spla.eigsh(A, **options))(A)[1])
    onp.testing.assert_array_equal(found[0], expected[0])
    onp.testing.assert_array_equal(found[-1], expected[-1])


@pytest.mark.parametrize("function", [spla.eigsh, spla.eigs])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", ["LM", "SM"])
def test_without_vectors_each_eigenvalue_has_its_own_derivative(function, dtype, which):
    """SciPy sorts in another way then; the second call must not mix them up."""
    A = general(dtype)
    B = hermitian(A) if function is spla.eigsh else A
    options = {"k": 3, "which": which, "v0": start(A)}
    jvp = make_jvp(lambda A: function(A, return_eigenvectors=False, **options))(B)
    w, t = jvp(B)  # λ is homogeneous in A
    onp.testing.assert_allclose(t, w, rtol=1e-10)
    check_op(lambda A: function(hermitian(A) if function is spla.eigsh else A,
                                return_eigenvectors=False, **options), A, order=1)  # fmt: skip


def test_lobpcg_histories_are_scipys():
    A, X = hermitian(general()), onp.eye(N)[:, :1] + 0.1
    options = {"retLambdaHistory": True, "retResidualNormsHistory": True, **CONVERGED}
    found = make_vjp(lambda A: scipygrad.detach(spla.lobpcg(A, X, **options)))(A)[1]
    expected = scipy_linalg.lobpcg(A, X, **options)
    assert len(found) == len(expected) == 4
    for a, b in zip(found, expected):
        onp.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_lobpcg_with_constraints():
    """Against a dense problem in the space that the constraints leave."""
    A = general(n=14)
    Q = onp.linalg.eigh(hermitian(A).toarray())[1]
    known, rest = Q[:, -2:], Q[:, :-2]
    X, W = onp.eye(14)[:, :2] + 0.1, onp.random.default_rng(1).standard_normal((14, 2))

    def loss(w, V):
        return np.sum(w * onp.array([1.0, 3.0])) + np.sum(W * V**2)

    def dense(D):
        w, V = np.linalg.eigh(rest.T @ (D + D.T) @ rest)
        return loss(w[:-3:-1], rest @ V[:, :-3:-1])

    g = grad(lambda A: loss(*spla.lobpcg(hermitian(A), X, Y=known, tol=1e-12, maxiter=300)))(A)
    expected = grad(dense)(A.toarray()) * (A.toarray() != 0)
    onp.testing.assert_allclose(g.toarray(), expected, rtol=1e-8, atol=1e-10)
    with pytest.raises(NotImplementedError, match="constraints"):
        grad(lambda Y: np.sum(spla.lobpcg(hermitian(A), X, Y=Y)[0]))(known)


def test_no_convergence_raises_as_in_scipy():
    A = hermitian(general(n=60))
    with pytest.raises(spla.ArpackNoConvergence):
        grad(lambda A: np.sum(spla.eigsh(A, 5, which="SM", maxiter=1, v0=start(A))[0]))(A)


def test_bad_input_raises_as_in_scipy():
    A = general()
    for call in (
        lambda A: spla.eigsh(A, k=N),
        lambda A: spla.eigs(A, k=0),
        lambda A: spla.eigsh(A, which="XX"),
        lambda A: spla.eigs(A[:, :4]),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            with pytest.raises((TypeError, ValueError)) as theirs:
                call(A)
            with pytest.raises(theirs.type):
                make_vjp(call)(A)


# ---- cost ------------------------------------------------------------------------------------


@pytest.fixture
def count(monkeypatch):
    """Number of factorisations."""
    made = []
    factor = bordered.Bordered._factor

    def counting(self, *args):
        made.append(args)
        return factor(self, *args)

    monkeypatch.setattr(bordered.Bordered, "_factor", counting)
    return made


def test_eigenvalues_of_a_hermitian_matrix_take_no_factorisation(count):
    A = hermitian(general())
    grad(lambda A: np.sum(spla.eigsh(A, 3, v0=start(A))[0] ** 2))(A)
    assert not count


def test_one_factorisation_for_each_vector_that_is_asked_for(count):
    A = hermitian(general())
    grad(lambda A: np.sum(spla.eigsh(A, 3, v0=start(A))[1][:, 1] ** 4))(A)
    assert len(count) == 1


def test_second_order_takes_no_further_factorisation(count):
    A = hermitian(general())
    v0, k = start(A), 3

    def f(t):
        return np.sum(spla.eigsh(A * t + sp.diags(np.arange(N) * 1.0), k, v0=v0)[1] ** 4)

    grad(grad(f))(1.0)
    assert len(count) == k


def test_conjugate_pairs_share_a_factorisation(count):
    blocks = [sp.csr_array(onp.array([[i, 1.0], [-1.0 - i, i]])) for i in range(1, 7)]
    A = sp.block_diag(blocks, format="csr")
    f = grad(lambda A: np.sum(np.abs(spla.eigs(A, 4, v0=start(A), which="LR")[1]) ** 4))
    f(A)
    assert len(count) == 2


def test_nothing_becomes_dense(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("toarray was called")

    n = 4000
    A = sp.diags([-onp.ones(n - 1), 2.0 + 1e-3 * onp.arange(n), -onp.ones(n - 1)], [-1, 0, 1])
    A = A.tocsr()
    for cls in (sps.csr_array, sps.csc_array, sps.coo_array, sps.csr_matrix, sps.csc_matrix):
        monkeypatch.setattr(cls, "toarray", refuse)
    import tracemalloc

    def f(A):
        return np.sum(spla.eigsh(A, 2, sigma=0, v0=onp.ones(n))[1] ** 4)

    grad(f)(A)
    tracemalloc.start()
    grad(f)(A)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * 400


# ---- equal eigenvalues -----------------------------------------------------------------------

DOUBLE = [9.0, 7.0, 7.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5, 0.2]


def three(A):
    return spla.eigsh(hermitian(A) * 0.5, 3, v0=start(A))


def projector(V):
    return V @ np.linalg.solve(np.conj(V.T) @ V, np.conj(V.T))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "loss", [lambda w, V: np.sum(w), lambda w, V: projector(V), lambda w, V: np.sum(w) * V[:, :0]],
    ids=["sum", "projector", "nothing"],
)  # fmt: skip
def test_functions_of_the_space_are_differentiable(loss, dtype):
    check_op(lambda A: loss(*three(A)), spectrum(DOUBLE, dtype), modes=("reverse",))


def orthogonal(A):
    return projector(spla.eigsh((A + A.T) * 0.5, 3, v0=start(A))[1])


def oblique(A):
    """The spectral projector, from right and left vectors."""
    V, U = (spla.eigs(B, 3, v0=start(A))[1] for B in (A, A.T))
    return np.real(V @ np.linalg.solve(U.T @ V, U.T))


@pytest.mark.parametrize("find", [orthogonal, oblique])
def test_derivatives_of_order_four_of_a_projector(find):
    """Against the Taylor coefficients of the contour integral of the resolvent."""
    if find is orthogonal:
        A, D = spectrum(DOUBLE), hermitian(general(seed=7)) * 0.3
    else:
        A, D = similar(7 * onp.eye(2)), general(seed=7) * 0.5
    W = general(seed=8).toarray()
    z = 8 + 2.5 * onp.exp(2j * onp.pi * (onp.arange(256) + 0.5) / 256)

    def exact(t):
        inverse = onp.linalg.inv(z[:, None, None] * onp.eye(N) - A.toarray() - t * D.toarray())
        return onp.sum(inverse * W * ((z - 8) / 256)[:, None, None])

    circle = 0.02 * onp.exp(2j * onp.pi * onp.arange(16) / 16)
    taylor = onp.fft.fft([exact(t) for t in circle]).real / 16 / 0.02 ** onp.arange(16)

    def f(t):
        return np.sum(find(A + D * t) * W)

    for order in range(5):
        expected = taylor[order] * float(onp.prod(onp.arange(1, order + 1)))
        onp.testing.assert_allclose(f(0.0), expected, rtol=1e-7)
        f = grad(f)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "loss",
    [
        lambda w, V: np.sum(w * onp.array([1, 2, 3])),
        lambda w, V: np.sum(np.abs(V) ** 2 * onp.arange(3 * N).reshape(N, 3) ** 2),
        lambda w, V: np.sum(np.abs((V * w) @ np.conj(V.T)) ** 2 * onp.arange(N)),
    ],
    ids=["eigenvalues", "vectors", "both"],
)
def test_functions_of_single_pairs_raise(loss, dtype):
    with pytest.raises(onp.linalg.LinAlgError, match="count as equal"):
        grad(lambda A: loss(*three(A)))(spectrum(DOUBLE, dtype))


def test_vector_of_another_eigenvalue_is_differentiable():
    A = spectrum(DOUBLE)
    check_op(lambda A: three(A)[1][:, -1] ** 2, A, modes=("reverse",), order=1)


def test_eigenvalue_that_is_cut_raises():
    A = spectrum(DOUBLE)
    with pytest.raises(onp.linalg.LinAlgError, match="Raise k"):
        grad(lambda A: np.sum(spla.eigsh(A, 2, v0=start(A))[1] ** 4))(A)


def test_eigenvalue_that_is_nearly_cut_warns():
    A = spectrum([9.0, 7.0 + 1e-9, 7.0, *DOUBLE[3:]])
    with pytest.warns(scipygrad.NearlyDegenerateWarning, match="Raise k"):
        grad(lambda A: np.sum(spla.eigsh(A, 2, v0=start(A))[1] ** 4))(A)


def test_forward_mode_warns_if_the_direction_parts_equal_eigenvalues():
    A, D = spectrum(DOUBLE), spectrum(range(N), seed=11)
    with pytest.warns(scipygrad.NearlyDegenerateWarning, match="do not depend on the basis"):
        P, t = make_jvp(lambda A: projector_times(A, onp.eye(N)))(A)(D)
    h = 1e-4
    difference = (projector_times(A + D * h, onp.eye(N))
                  - projector_times(A - D * h, onp.eye(N))) / (2 * h)  # fmt: skip
    onp.testing.assert_allclose(t, difference, atol=1e-5)
    make_jvp(lambda A: three(A)[0])(A)(A * 0.5)  # does not part them: no warning


def projector_times(A, X):
    V = three(A)[1]
    return V @ (V.T @ X)


def test_nearly_equal_eigenvalues():
    """A function of the space has an accurate derivative; one of the vectors warns."""
    near, equal = spectrum([9.0, 7.0 + 1e-9, 7.0, *DOUBLE[3:]]), spectrum(DOUBLE)
    W = hermitian(general(seed=8)).toarray()
    f = grad(lambda A: np.sum(projector_times(A, W)))
    onp.testing.assert_allclose(f(near).toarray(), f(equal).toarray(), atol=1e-6)
    with pytest.warns(scipygrad.NearlyDegenerateWarning, match="nearly equal"):
        grad(lambda A: np.sum(three(A)[1] ** 4 * onp.arange(3)))(near)


def similar(block, rest=(4.0, 3.0, 2.0, 1.5, 1.0, 0.5, 0.2)):
    """A general matrix with this block and these eigenvalues."""
    n = 3 + len(rest)
    J = onp.diag([9.0, 0, 0, *rest])
    J[1:3, 1:3] = block
    X = onp.eye(n) + 0.15 * onp.random.default_rng(0).standard_normal((n, n))
    return sp.csr_array(X @ J @ onp.linalg.inv(X))


def test_equal_eigenvalues_of_a_general_matrix():
    A = similar(7 * onp.eye(2))

    def find(A):
        return spla.eigs(A, 3, v0=start(A))

    check_op(lambda A: np.sum(find(A)[0]), A, modes=("reverse",))
    check_op(lambda A: projector(find(A)[1]), A, modes=("reverse",))
    with pytest.raises(onp.linalg.LinAlgError, match="count as equal"):
        grad(lambda A: np.sum(np.abs(find(A)[1]) ** 4 * onp.arange(3)))(A)


def test_defective_eigenvalue():
    A = similar([[7.0, 1.0], [0.0, 7.0]])
    with pytest.warns(scipygrad.NearlyDegenerateWarning, match="defective"):
        grad(lambda A: np.sum(np.abs(spla.eigs(A, 3, v0=start(A))[0])))(A)


def test_eigenvalue_that_is_defective_to_working_precision_raises():
    n = 200  # convection and diffusion: left and right vectors are in layers at opposite ends
    A = sp.diags([-1.7 * onp.ones(n - 1), 2.7 * onp.ones(n), -onp.ones(n - 1)], [-1, 0, 1])
    with pytest.raises(onp.linalg.LinAlgError, match="defective to working precision"):
        grad(lambda A: np.sum(np.abs(spla.eigs(A, 3, sigma=0, v0=start(A))[0])))(A.tocsr())


@pytest.mark.filterwarnings("ignore:k >= N:RuntimeWarning")
def test_infinite_eigenvalue_has_a_value_and_no_derivative():
    D, M = general(n=5).toarray(), onp.diag([1.0, 1, 1, 1, 0])
    vjp, w = make_vjp(lambda D: spla.eigs(D, 5, M=M)[0])(D)
    assert onp.isinf(w).any()
    with pytest.raises(onp.linalg.LinAlgError, match="not finite"):
        vjp(w)


def test_cotangent_with_nan_gives_nan():
    A = hermitian(general())
    vjp, V = make_vjp(lambda A: spla.eigsh(A, 2, v0=start(A))[1])(A)
    assert onp.isnan(vjp(V * onp.nan).data).all()


def test_second_call_that_finds_other_eigenvalues_raises(monkeypatch):
    A, calls = hermitian(general()), []

    def changing(A, k, which, **options):
        calls.append(which)
        return theirs(A, k, which="SA" if len(calls) > 1 else which, **options)

    theirs = scipy_linalg.eigsh
    changing.__name__ = "eigsh"
    monkeypatch.setattr(scipy_linalg, "eigsh", changing)
    with pytest.raises(onp.linalg.LinAlgError, match="return_eigenvectors=True"):
        grad(lambda A: np.sum(spla.eigsh(A, 2, return_eigenvectors=False, which="LA")))(A)


# ---- phases, operators -----------------------------------------------------------------------


@pytest.mark.parametrize("function", [spla.eigsh, spla.eigs])
def test_loss_that_depends_on_the_phase_warns(function):
    A = hermitian(general("complex128"))
    with pytest.warns(scipygrad.PhaseWarning, match="phase"):
        grad(lambda A: np.sum(np.real(function(A, 2, v0=start(A))[1])))(A)


def test_phase_that_is_fixed_in_the_loss():
    def f(A):
        V = spla.eigs(A, 2, v0=start(A))[1]
        return np.real(V * np.exp(-1j * np.angle(V[3])))

    check_op(f, general("complex128"), modes=("reverse",), order=1)


def test_constant_operators_serve_for_eigenvalues():
    A, B = general(), general(seed=5)
    operator = scipy_linalg.aslinearoperator(sps.csr_array(hermitian(A)))
    check_op(lambda B: spla.eigsh(operator, 3, M=mass(B), v0=start(A))[0], B, order=1,
             modes=("reverse",))  # fmt: skip
    with pytest.raises(NotImplementedError, match="factorisation"):
        grad(lambda B: np.sum(spla.eigsh(operator, 3, M=mass(B), v0=start(A))[1] ** 4))(B)


@pytest.mark.parametrize("function", [spla.eigsh, spla.eigs, spla.svds])
def test_operator_made_of_traced_values_raises(function):
    def f(A):
        return np.sum(np.abs(function(spla.aslinearoperator(A), 2, v0=start(A))[1]))

    with pytest.raises(NotImplementedError):
        grad(f)(general())


def test_starting_vector_and_shift_are_constants():
    A = hermitian(general())
    v0 = start(A)
    expected = grad(lambda A: np.sum(spla.eigsh(A, 2, sigma=0.3, v0=v0)[0]))(A)

    def f(A, s):
        return np.sum(spla.eigsh(A, 2, sigma=s, v0=copy.copy(v0) + 0 * A.diagonal())[0])

    g = grad(f)(A, 0.3)
    assert abs(g - expected).max() < 1e-12


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_hermitian_part_on_a_symmetric_pattern(dtype):
    """In one pass, of a matrix that is not Hermitian; other patterns have no such map."""
    A = regular("csc", "array", dtype)
    A = sp.csc_array(A + sps.csc_array(A.T) * 0.25)
    p = Pattern.of(A)
    H = p.matrix(_eigen.hermitian_part(A.data, _eigen._mirrored(p)), type(A))
    assert H.dtype == dtype
    onp.testing.assert_allclose(H.toarray(), (A.toarray() + A.toarray().conj().T) / 2, rtol=1e-6)
    if dtype != "float32":
        check_op(lambda data: _eigen.hermitian_part(data, _eigen._mirrored(p)), A.data)
    assert _eigen._mirrored(Pattern.of(sp.csc_array(onp.triu(onp.ones((3, 3)))))) is None
