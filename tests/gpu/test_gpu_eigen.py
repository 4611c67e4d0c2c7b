"""Eigenpairs and singular triplets on the device: as on the host, values and derivatives."""

import re
import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_jvp
from cases import grid

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device

DTYPES = ["float64", "complex128"]
SIZES = [10, 66]  # of a dense matrix, and beyond


def matrix(shape, dtype="float64", seed=0, density=None):
    """A sparse matrix without any symmetry."""
    rng = onp.random.default_rng(seed)
    density = density or 6 / shape[1]
    X = rng.standard_normal(shape) * (rng.random(shape) < density)
    if onp.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal(shape) * (rng.random(shape) < density)
    return sp.csr_array((X + onp.eye(*shape) * onp.arange(1, shape[1] + 1) ** 1.3).astype(dtype))


def hermitian(A):
    return A + A.conj().T


def number(x):
    return onp.asarray(scipygrad.to_host(x))


def close(got, wanted, rtol):
    """The same numbers, class and dtype, on the device."""
    assert on_device(got)
    got = scipygrad.to_host(got)
    assert got.dtype == wanted.dtype
    if hasattr(wanted, "format"):
        assert type(got) is type(wanted)
        got, wanted = got.toarray(), wanted.toarray()
    onp.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * onp.abs(wanted).max())


def compare(f, A, rtol=1e-8):
    """Value, gradient and tangent of f."""
    on_gpu = scipygrad.to_device(A)
    tangent = A.multiply(A) * 0.1 if hasattr(A, "multiply") else A * A * 0.1
    tangent = tangent.asformat(A.format).astype(A.dtype) if hasattr(A, "format") else tangent
    onp.testing.assert_allclose(number(f(on_gpu)), f(A), rtol=rtol)
    close(grad(f)(on_gpu), grad(f)(A), rtol)
    wanted = make_jvp(f)(A)(tangent)[1]
    got = make_jvp(f)(on_gpu)(scipygrad.to_device(tangent))[1]
    onp.testing.assert_allclose(number(got), wanted, rtol=rtol)


def weights(k):
    return onp.arange(1.0, k + 1)


def placed(x, like):
    """A constant array beside another one."""
    return scipygrad.to_device(x) if on_device(like) else x


def of_pairs(w, V, k):
    """A function of eigenvalues and vectors that does not depend on phases, nor on their order."""
    order = onp.argsort(scipygrad.to_host(scipygrad.detach(w))).tolist()
    w, V = w[order], V[:, order]
    c = placed(weights(k), V)
    return np.sum(w * c) + np.sum(np.abs(V) ** 4 * c) + np.sum(np.real(V[0] * np.conj(V[1])) * c)


# ---- eigsh -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", ["LM", "LA", "SA"])
@pytest.mark.parametrize("sigma", [None, 5.3])
@pytest.mark.parametrize("vectors", [True, False])
def test_eigenvalues_and_their_order(n, dtype, which, sigma, vectors, cp):
    A = hermitian(matrix((n, n), dtype))
    call = {"k": 4, "which": which, "sigma": sigma, "return_eigenvectors": vectors}
    wanted = scipy_linalg.eigsh(A, **call)
    got = spla.eigsh(scipygrad.to_device(A), **call)
    if dtype == "complex128":  # where ARPACK's order is that of chance at times
        got, wanted = (in_order(x, vectors) for x in (got, wanted))
    if not vectors:
        return close(got, wanted, 1e-11)
    close(got[0], wanted[0], 1e-11)
    close(abs(got[1]), abs(wanted[1]), 1e-9)
    w, V = scipygrad.to_host(got)
    onp.testing.assert_allclose(A @ V, V * w, atol=1e-10)
    return None


def in_order(found, vectors):
    """Eigenvalues ascending."""
    w, V = found if vectors else (found, None)
    order = onp.argsort(scipygrad.to_host(w)).tolist()
    return (w[order], V[:, order]) if vectors else w[order]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sigma", [None, 5.3])
def test_derivatives(n, dtype, sigma, cp):
    def loss(A):
        w, V = spla.eigsh(hermitian(A), 3, sigma=sigma)
        return of_pairs(w, V, 3)

    compare(loss, matrix((n, n), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_derivatives_of_eigenvalues_alone(dtype, cp):
    def loss(A):
        w = spla.eigsh(hermitian(A), 3, which="SA", return_eigenvectors=False)
        return np.sum(w**3) ** 2

    compare(loss, matrix((66, 66), dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_second_order(dtype, cp):
    A = matrix((12, 12), dtype)
    direction = onp.random.default_rng(1).standard_normal(A.nnz).astype(dtype)

    def loss(A):
        w, V = spla.eigsh(hermitian(A), 3, which="LA")
        return of_pairs(w, V, 3)

    def slope(A):
        return np.real(np.sum(grad(loss)(A).data * placed(direction, A)))

    close(grad(slope)(scipygrad.to_device(A)), grad(slope)(A), 1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hermitian_part_is_differentiated(dtype, cp):
    """Without `hermitian` in the program; a structure that is symmetric, and one that is not."""
    A = hermitian(matrix((12, 12), dtype))
    lower = sp.csr_array((A.data * 1.0, A.indices, A.indptr), shape=A.shape)
    for B in (A, lower.tocoo()):
        compare(lambda B: np.sum(spla.eigsh(B, 2)[0] ** 2), B)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_formats(format, family, cp):
    A = hermitian(matrix((20, 20))).asformat(format)
    A = getattr(sp, f"{format}_{family}")(A)
    compare(lambda A: np.sum(np.abs(spla.eigsh(A, 2)[1]) ** 4), A)


def test_dense_operand(cp):
    A = hermitian(matrix((20, 20))).toarray()
    compare(lambda A: np.sum(np.abs(spla.eigsh(A, 2)[1]) ** 4), A)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_single_precision(n, dtype, cp):
    A = hermitian(matrix((n, n), dtype))
    compare(lambda A: np.sum(spla.eigsh(A, 2)[0] ** 2), A, rtol=1e-4)


def test_equal_eigenvalues_raise_as_on_the_host(cp):
    A = scipygrad.to_device(sp.diags_array([5.0, 5.0, 3.0, 2.0, 1.0], format="csr"))
    with pytest.raises(onp.linalg.LinAlgError, match="equal"):
        grad(lambda A: spla.eigsh(A, 2)[0][0])(A)
    trace = grad(lambda A: np.sum(spla.eigsh(A, 2)[0]))(A)
    onp.testing.assert_allclose(trace.toarray().get().diagonal(), [1, 1, 0, 0, 0], atol=1e-14)


def test_eigenvalue_that_is_cut_raises(cp):
    A = scipygrad.to_device(sp.diags_array([5.0, 5.0, 3.0, 2.0, 1.0], format="csr"))
    with pytest.raises(onp.linalg.LinAlgError):
        grad(lambda A: np.sum(spla.eigsh(A, 1)[1]) ** 2)(A)


def test_loss_that_depends_on_the_phase_warns(cp):
    A = scipygrad.to_device(hermitian(matrix((10, 10), "complex128")))
    with pytest.warns(scipygrad.PhaseWarning):
        grad(lambda A: np.real(np.sum(spla.eigsh(A, 2)[1])))(A)


def test_grid(cp):
    """Smallest eigenvalues of a Laplacian, which take many restarts."""
    A = grid(12, seed=1)
    A = sp.csr_array(A + A.T)
    compare(lambda A: np.sum(np.abs(spla.eigsh(A, 3, which="SA")[1]) ** 4), A)


def test_starting_vector_is_not_changed(cp):
    A = scipygrad.to_device(hermitian(matrix((66, 66))))
    v0 = cp.asarray(onp.ones(66))
    spla.eigsh(A, 2, v0=v0)
    assert (v0.get() == 1).all()


def test_operands_of_host_and_device(cp):
    A = hermitian(matrix((66, 66)))
    with pytest.raises(TypeError, match="one lies in the host's memory"):
        spla.eigsh(scipygrad.to_device(A), 2, v0=onp.ones(66))


OPTIONS = {
    "which SM": {"which": "SM", "sigma": 0.1},
    "which BE": {"which": "BE"},
    "M": {"M": 2.0},
    "M and sigma": {"M": 2.0, "sigma": 4.2},
    "buckling": {"M": 2.0, "sigma": 4.2, "mode": "buckling"},
    "cayley": {"sigma": 4.2, "mode": "cayley"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_that_are_the_hosts(name, cp):
    n, options = 12, dict(OPTIONS[name])
    A, M = hermitian(matrix((n, n))), options.pop("M", None)
    M = None if M is None else hermitian(matrix((n, n), seed=2)) * 0.01 + sp.eye_array(n) * M
    A, M = (None if x is None else sp.csc_array(x) for x in (A, M))

    def loss(A, M):
        return np.sum(np.abs(spla.eigsh(A, 2, M, **options)[1]) ** 4)

    argnums = (0,) if M is None else (0, 1)
    with pytest.warns(scipygrad.HostWarning, match="eigsh with these options"):
        got = grad(loss, argnums)(*scipygrad.to_device((A, M)))
    for g, wanted in zip(got, grad(loss, argnums)(A, M)):
        close(g, wanted, 1e-8)


def test_iteration_that_breaks_down_is_the_hosts(cp):
    """Lanczos vectors of a matrix with one eigenvalue span one dimension."""
    A = 3 * sp.eye_array(90, format="csr")
    with pytest.warns(scipygrad.HostWarning, match="eigsh that does not converge there"):
        w, V = spla.eigsh(scipygrad.to_device(A), 2)
    w, V = w.get(), V.get()
    onp.testing.assert_allclose(w, [3, 3], rtol=1e-12)
    onp.testing.assert_allclose(A @ V, V * w, atol=1e-12)


def test_no_convergence_raises_as_in_scipy(cp):
    A = sp.csr_array(grid(20, seed=1))
    A = scipygrad.to_device(A + A.T)
    with (
        pytest.warns(scipygrad.HostWarning, match="eigsh that does not converge there"),
        pytest.raises(scipy_linalg.ArpackNoConvergence),
    ):
        spla.eigsh(A, 3, which="SA", maxiter=1, ncv=5)


@pytest.mark.parametrize("k", [0, 12, 13])
def test_bad_input_raises_as_in_scipy(k, cp):
    A = hermitian(matrix((12, 12)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, TypeError)) as wanted:
            scipy_linalg.eigsh(A, k)
        with pytest.raises(type(wanted.value), match=re.escape(str(wanted.value)[:30])):
            spla.eigsh(scipygrad.to_device(A), k)


# ---- svds ------------------------------------------------------------------------------------

SHAPES = [(14, 11), (11, 14), (80, 66), (66, 80)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("vectors", [True, False, "u", "vh"])
def test_singular_triplets(shape, dtype, vectors, cp):
    A = matrix(shape, dtype)
    wanted = scipy_linalg.svds(A, 3, return_singular_vectors=vectors)
    got = spla.svds(scipygrad.to_device(A), 3, return_singular_vectors=vectors)
    if vectors is False:
        return close(got, wanted, 1e-11)
    close(got[1], wanted[1], 1e-11)
    for mine, scipys, asked in ((got[0], wanted[0], "u"), (got[2], wanted[2], "vh")):
        if vectors in (True, asked):
            close(abs(mine), abs(scipys), 1e-9)
        else:
            assert mine is None
    if vectors is True:
        u, s, vh = scipygrad.to_host(got)
        onp.testing.assert_allclose(A @ vh.conj().T, u * s, atol=1e-10)
    return None


def of_triplets(A):
    u, s, vh = spla.svds(A, 2)
    return np.sum(s**2) + np.sum(np.abs(u) ** 4) + np.sum(np.abs(vh) ** 4) + np.sum(
        np.abs((u * s**2) @ vh) ** 2
    )  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_derivatives_of_triplets(shape, dtype, cp):
    compare(of_triplets, matrix(shape, dtype))


def test_second_order_of_triplets(cp):
    A = matrix((14, 11))
    wanted = hessian_vector_product(of_triplets)(A, A * 0.3)
    close(hessian_vector_product(of_triplets)(*scipygrad.to_device((A, A * 0.3))), wanted, 1e-6)


def test_dense_operand_of_svds(cp):
    compare(of_triplets, matrix((14, 11)).toarray())


def test_single_precision_of_triplets(cp):
    compare(lambda A: np.sum(spla.svds(A, 2)[1]), matrix((80, 66), "float32"), rtol=1e-4)


@pytest.mark.parametrize("options", [{"which": "SM"}, {"solver": "propack", "rng": 1}])
def test_options_of_svds_that_are_the_hosts(options, cp):
    A = matrix((14, 11))
    with pytest.warns(scipygrad.HostWarning, match="svds with these options"):
        got = grad(lambda A: np.sum(spla.svds(A, 2, **options)[1]))(scipygrad.to_device(A))
    close(got, grad(lambda A: np.sum(spla.svds(A, 2, **options)[1]))(A), 1e-8)


@pytest.mark.parametrize("k", [0, 11])
@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
def test_bad_input_of_svds_raises_as_in_scipy(k, cp):
    with pytest.raises(ValueError, match="`k` must be an integer"):
        spla.svds(scipygrad.to_device(matrix((14, 11))), k)


@pytest.mark.parametrize("name", ["csr_matrix", "csc_matrix", "coo_matrix", "csr_array"])
def test_matrices_of_cupys_own(name, cp):
    theirs = pytest.importorskip("cupyx.scipy.sparse")
    A = getattr(sp, name)(hermitian(matrix((12, 12))))
    D = getattr(theirs, name)(scipygrad.to_scipy(A))
    for f in (lambda A: np.sum(spla.eigsh(A, 2)[0] ** 2), of_triplets, lambda A: spla.norm(A, 1),
              lambda A: np.sum(spla.lsmr(A, placed(weights(12), A), 1.0)[0])):  # fmt: skip
        close(grad(f)(D), grad(f)(A), 1e-7)


# ---- operators -------------------------------------------------------------------------------


def test_operators(cp):
    """A starting vector on the device says where products are to be made."""
    A, B = hermitian(matrix((70, 70))), matrix((80, 66))
    S, R = scipygrad.to_device((A, B))
    v0 = cp.asarray(onp.ones(70))
    op = spla.LinearOperator(S.shape, lambda v: S @ v, dtype=S.dtype)
    for k in (1, 3):
        w, V = spla.eigsh(op, k, v0=v0)
        close(w, spla.eigsh(A, k)[0], 1e-11)
        onp.testing.assert_allclose(A @ V.get(), V.get() * w.get(), atol=1e-9)
    op = spla.LinearOperator(R.shape, lambda v: R @ v, lambda v: R.T @ v, dtype=R.dtype)
    for vectors in (True, False, "u", "vh"):
        got = spla.svds(op, 3, v0=v0[:66], return_singular_vectors=vectors)
        s = got if vectors is False else got[1]
        close(s, spla.svds(B, 3)[1], 1e-11)
        if vectors == "u":
            assert got[2] is None


# ---- what stays on the host ------------------------------------------------------------------


def test_general_eigenvalues_are_the_hosts(cp):
    A = matrix((12, 12))

    def loss(A):
        return np.sum(np.abs(spla.eigs(A, 2)[0]) ** 2)

    with pytest.warns(scipygrad.HostWarning, match="eigs of an operand on a GPU"):
        got = grad(loss)(scipygrad.to_device(A))
    close(got, grad(loss)(A), 1e-8)
