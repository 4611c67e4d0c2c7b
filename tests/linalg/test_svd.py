"""svds: values and derivatives of singular values and vectors."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_jvp, make_vjp

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.testing import check_op

DTYPES = ["float64", "complex128"]
SOLVERS = {
    "arpack": {"v0": onp.ones(11)},
    "propack": {"solver": "propack"},
    "lobpcg": {"solver": "lobpcg", "tol": 1e-9, "maxiter": 500},
}


def rectangular(dtype="float64", shape=(14, 11), seed=0):
    rng = onp.random.default_rng(seed)

    def draw():
        return rng.standard_normal(shape) * (rng.random(shape) < 0.5)

    X = draw() + 1j * draw() if onp.dtype(dtype).kind == "c" else draw()
    return sp.csr_array((X + onp.eye(*shape) * onp.arange(1, shape[1] + 1) ** 2).astype(dtype))


def with_values(values, shape=(14, 11)):
    """A matrix with these singular values."""
    rng = onp.random.default_rng(4)
    U = onp.linalg.qr(rng.standard_normal((shape[0], shape[1])))[0]
    V = onp.linalg.qr(rng.standard_normal((shape[1], shape[1])))[0]
    return sp.csr_array((U * onp.array(values)) @ V.T)


def invariant(result):
    """Singular values, and what does not depend on the phases of the vectors."""
    u, s, vh = result
    return s, np.abs(u) ** 2, np.abs(vh) ** 2, (u * s**2) @ vh


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.filterwarnings("ignore:Exited:UserWarning")  # lobpcg squares the tolerance
@pytest.mark.parametrize("wide", [False, True])
def test_derivatives(solver, dtype, wide):
    order = 2 if solver == "arpack" else 1

    def f(A):
        options = dict(SOLVERS[solver], rng=onp.random.default_rng(1))
        if solver == "propack":
            options["v0"] = onp.ones(11 if wide else 14)
        return invariant(spla.svds(A.T if wide else A, k=2, **options))

    check_op(f, rectangular(dtype), order=order)


def test_smallest_singular_values():
    A = rectangular("complex128")
    check_op(lambda A: invariant(spla.svds(A, 2, which="SM", v0=onp.ones(11))), A, order=1)


def test_single_precision():
    A = rectangular("float32")
    check_op(lambda A: invariant(spla.svds(A, 2, v0=onp.ones(11))), A, order=1)
    assert grad(lambda A: np.sum(spla.svds(A, 2)[1]))(A).dtype == onp.float32


def test_against_dense_svd():
    A = rectangular(shape=(20, 14))

    def loss(u, s, vh):
        return np.sum(s**3) + np.sum(np.abs((u * s) @ vh) ** 1.5)

    def dense(D):
        u, s, vh = np.linalg.svd(D, full_matrices=False)
        return loss(u[:, :3], s[:3], vh[:3])

    g = grad(lambda A: loss(*spla.svds(A, 3, v0=onp.ones(14))))(A)
    expected = grad(dense)(A.toarray()) * (A.toarray() != 0)
    onp.testing.assert_allclose(g.toarray(), expected, rtol=1e-8, atol=1e-10)


def test_dense_and_foreign_operands():
    A = rectangular()
    check_op(lambda D: invariant(spla.svds(D, 2, v0=onp.ones(11))), A.toarray(), order=1)
    assert type(grad(lambda A: np.sum(spla.svds(A, 2)[1]))(sps.csr_array(A))) is sps.csr_array


@pytest.mark.filterwarnings("ignore:Exited:UserWarning")  # lobpcg squares the tolerance
@pytest.mark.parametrize("shape", [(14, 11), (11, 14)])
@pytest.mark.parametrize("solver", ["arpack", "propack", "lobpcg"])
@pytest.mark.parametrize("vectors", [True, False, "u", "vh"])
def test_results_are_scipys(vectors, solver, shape):
    A = rectangular(shape=shape)
    options = {"k": 2, "return_singular_vectors": vectors, "solver": solver}
    if solver != "propack":
        options["v0"] = onp.ones(11)
    if solver == "lobpcg":
        options |= {"tol": 1e-9, "maxiter": 500}

    def call(library, A):
        return library.svds(A, rng=onp.random.default_rng(0), **options)

    found = []
    make_vjp(lambda A: found.append(call(spla, A)) or A.sum())(A)
    found, expected = scipygrad.detach(found[0]), call(scipy_linalg, sps.csr_array(A))
    if vectors is False:
        found, expected = (found,), (expected,)
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            onp.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
            assert a.dtype == b.dtype


def test_keyword_random_state():
    A = rectangular()
    g = grad(lambda A: np.sum(spla.svds(A, k=2, random_state=0)[1]))(A)
    assert abs(g - grad(lambda A: np.sum(spla.svds(A, k=2, rng=0)[1]))(A)).max() < 1e-12


def test_bad_input_raises_as_in_scipy():
    A = rectangular()
    for options in ({"k": 12}, {"solver": "none"}, {"return_singular_vectors": "both"}):
        with pytest.raises(ValueError, match="must"):
            make_vjp(lambda A, o=options: spla.svds(A, **o)[0])(A)


# ---- where there is no derivative ------------------------------------------------------------


def test_equal_singular_values():
    A = with_values([5, 4, 4, 2, 1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
    options = {"k": 3, "v0": onp.arange(1.0, 12)}

    def of_the_space(A):
        u, s, vh = spla.svds(A, **options)
        return np.sum(s), u @ vh, u @ u.T

    check_op(of_the_space, A, modes=("reverse",))
    with pytest.raises(onp.linalg.LinAlgError, match="count as equal"):
        grad(lambda A: np.sum(spla.svds(A, **options)[1] * onp.arange(3)))(A)
    with pytest.raises(onp.linalg.LinAlgError, match="Raise k"):
        grad(lambda A: np.sum(spla.svds(A, k=2, v0=onp.ones(11))[0] ** 4))(A)


def test_singular_value_zero():
    A = with_values([5, 4, 3, *(8 * [0])])

    def find(A):
        return spla.svds(A, k=4, v0=onp.arange(1.0, 12))

    for loss in (lambda u, s, vh: np.sum(s), lambda u, s, vh: np.sum(u**4)):
        with pytest.raises(onp.linalg.LinAlgError, match="singular value is 0"):
            grad(lambda A, loss=loss: loss(*find(A)))(A)
    check_op(lambda A: find(A)[1][1:], A, order=1, modes=("reverse",))
    with pytest.warns(scipygrad.NearlyDegenerateWarning, match="singular value is 0"):
        make_jvp(lambda A: spla.svds(A, k=4, return_singular_vectors=False))(A)(A)


def test_loss_that_depends_on_the_phase_warns():
    A = rectangular("complex128")
    with pytest.warns(scipygrad.PhaseWarning, match="phase"):
        grad(lambda A: np.sum(np.real(spla.svds(A, 2, v0=onp.ones(11))[0])))(A)
