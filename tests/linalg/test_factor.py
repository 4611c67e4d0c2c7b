"""Which factorisation is made, by structure and by packages; none is less accurate than SciPy's."""

import gc
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_vjp
from cases import grid, numbers, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.linalg import _packages
from scipygrad.testing import check_op


@pytest.fixture
def orderings(monkeypatch):
    """What `permc_spec` was for each factorisation that is made."""
    made = []
    original = scipy_linalg.splu

    def counted(A, permc_spec=None, **kwargs):
        made.append(permc_spec)
        return original(A, permc_spec, **kwargs)

    monkeypatch.setattr(scipy_linalg, "splu", counted)
    return made


@pytest.fixture(autouse=True)
def default_solver():
    """The choice of a solver ends with its test."""
    yield
    spla.use_solver(solver=None)


def backward_error(A, x, b):
    r = A @ x - b
    return abs(r).max() / (abs(A).sum(axis=1).max() * abs(x).max() + abs(b).max())


# ---- by structure ----------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32"])
@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_symmetric_structure_untraced_and_traced(format, dtype, shape, orderings):
    A = grid(33, seed=1, dtype=dtype).asformat(format)
    b = numbers((A.shape[0], *shape), dtype, 3)
    expected = scipy_linalg.spsolve(A, b)
    plain, traced = spla.spsolve(A, b), make_vjp(lambda b: spla.spsolve(A, b))(b)[1]
    assert orderings == ["MMD_AT_PLUS_A"] * 2
    for x in (plain, traced):
        assert (type(x), x.shape, x.dtype) == (onp.ndarray, expected.shape, expected.dtype)
        rtol = 1e-3 if dtype == "float32" else 1e-11
        onp.testing.assert_allclose(x, expected, rtol=rtol, atol=rtol * abs(expected).max())
    assert plain.flags.f_contiguous == expected.flags.f_contiguous


def test_gradient_is_that_of_the_default(orderings):
    A, b = grid(33, seed=1), numbers(33 * 33, "float64", 3)

    def loss(A, **options):
        return np.sum(spla.spsolve(A, b, **options) ** 2)

    g, e = grad(loss)(A), grad(loss)(A, permc_spec="COLAMD")
    assert orderings == ["MMD_AT_PLUS_A", "COLAMD"]
    onp.testing.assert_allclose(g.data, e.data, rtol=1e-9)


@pytest.mark.parametrize("index_dtype", ["int32", "int64"])
@pytest.mark.parametrize("dtype", ["float64", "complex128", "float32", "complex64"])
def test_sizes_of_entries(dtype, index_dtype):
    from scipygrad._backend.elimination import sizes

    A = (grid(6, seed=1, dtype=dtype) + sps.eye_array(36)).tocsc().astype(dtype)
    A.data[7] *= 20  # beside the diagonal
    indptr, indices = A.indptr.astype(index_dtype), A.indices.astype(index_dtype)
    share = (abs(A.diagonal()) / abs(A).max(axis=0).toarray().ravel()).min()
    norms = [abs(A).sum(axis=k).max() for k in (1, 0)]
    for part, expected in ((0.99 * share, True), (1.01 * share, False)):
        fit, *found = sizes(indptr, indices, A.data, part)
        assert fit == expected
        onp.testing.assert_allclose(found, norms, rtol=1e-6)
    for bad in (onp.nan, onp.inf):
        for place in range(A.indptr[2]):
            data = A.data.copy()
            data[place] = bad
            assert not sizes(indptr, indices, data, 0.0)[0]


def unsymmetric():
    A = grid(33).tolil()
    A[0, 500] = 0.1
    return A.tocsc()


def with_weak_diagonal():
    A = grid(33)
    A.setdiag(0.01)
    return A


@pytest.mark.parametrize(
    "A", [grid(20), unsymmetric(), with_weak_diagonal()], ids=["small", "unsymmetric", "weak"]
)
def test_other_matrices_are_solved_as_by_scipy(A, orderings):
    b = numbers(A.shape[0], "float64", 3)
    onp.testing.assert_array_equal(spla.spsolve(A, b), scipy_linalg.spsolve(A, b))
    assert orderings == []
    make_vjp(lambda b: spla.spsolve(A, b))(b)
    assert orderings == [None]


@pytest.mark.parametrize("keyword", [{"permc_spec": "COLAMD"}, {"permc_spec": "NATURAL"}])
def test_an_ordering_that_was_asked_for_is_taken(keyword, orderings):
    A, b = grid(33), numbers(33 * 33, "float64", 3)
    onp.testing.assert_array_equal(
        spla.spsolve(A, b, **keyword), scipy_linalg.spsolve(A, b, **keyword)
    )
    assert orderings == []


def hard(kind):
    """Symmetric structure, but pivots from the diagonal lose digits, or A is near to singular."""
    A = grid(33)
    rng = onp.random.default_rng(5)
    if kind == "growth":
        A.data *= rng.uniform(0.1, 3, A.nnz)
    elif kind == "indefinite":
        A = A - 1.9 * sp.eye_array(A.shape[0], format="csc")
    else:
        A = A + A.T
        smallest = scipy_linalg.eigsh(A, 1, sigma=0, return_eigenvectors=False, v0=onp.ones(1089))[
            0
        ]
        A = A - (smallest + 1e-11) * sp.eye_array(A.shape[0], format="csc")
    return sp.csc_array(A)


@pytest.mark.parametrize("kind", ["growth", "indefinite", "near_singular"])
def test_never_less_accurate_than_scipy(kind, orderings):
    A = hard(kind)
    b = A @ numbers(A.shape[0], "float64", 3)
    x = spla.spsolve(A, b)
    assert "MMD_AT_PLUS_A" in orderings
    theirs = backward_error(A, scipy_linalg.spsolve(A, b), b)
    assert backward_error(A, x, b) <= max(2 * theirs, 8 * onp.finfo(float).eps)
    y, z = make_vjp(lambda b: spla.spsolve(A, b))(b)[0](b), scipy_linalg.spsolve(A.T.tocsc(), b)
    assert backward_error(A.T, y, b) <= max(2 * backward_error(A.T, z, b), 8 * onp.finfo(float).eps)


def test_an_inaccurate_solution_leads_to_the_default(monkeypatch, orderings):
    from scipygrad.linalg import _factor

    monkeypatch.setattr(_factor, "ACCEPTED", -1.0)
    monkeypatch.setattr(_factor, "GOOD", -1.0)
    A, b = grid(33), numbers(33 * 33, "float64", 3)
    onp.testing.assert_array_equal(spla.spsolve(A, b), scipy_linalg.spsolve(A, b))
    vjp, x = make_vjp(lambda b: spla.spsolve(A, b))(b)
    vjp(x)
    assert orderings == ["MMD_AT_PLUS_A", "MMD_AT_PLUS_A", None]  # which is kept
    onp.testing.assert_allclose(x, scipy_linalg.spsolve(A, b), rtol=1e-10)


def test_singular_matrix_of_symmetric_structure_warns_as_scipys(orderings):
    """The Laplacian of a graph, of powers of 2: its last pivot is exactly 0."""
    n = 1024
    A = sp.csc_array(sps.diags_array([-onp.ones(n - 1), onp.r_[1, 2 * onp.ones(n - 2), 1],
                                      -onp.ones(n - 1)], offsets=[-1, 0, 1]))  # fmt: skip
    b = onp.ones(n)
    with pytest.warns(scipy_linalg.MatrixRankWarning):
        expected = scipy_linalg.spsolve(A, b)
    for solve in (spla.spsolve, lambda A, b: make_vjp(lambda b: spla.spsolve(A, b))(b)[1]):
        with pytest.warns(spla.MatrixRankWarning):
            onp.testing.assert_array_equal(solve(A, b), expected)
    assert orderings == ["MMD_AT_PLUS_A", "MMD_AT_PLUS_A", None]


def test_not_finite_entries_give_what_scipy_gives():
    A, b = grid(33), onp.ones(1089)
    b[5] = onp.inf
    with onp.errstate(invalid="ignore"):
        onp.testing.assert_array_equal(spla.spsolve(A, b), scipy_linalg.spsolve(A, b))


def test_the_matrix_is_left_alone():
    A, b = grid(33).tocsr(), onp.ones(1089)
    before = A.copy()
    A.data.flags.writeable = False
    spla.spsolve(A, b)
    assert (A != before).nnz == 0 and (b == 1).all()


# ---- packages --------------------------------------------------------------------------------


def fake_umfpack():
    """scikit-umfpack's interface, over dense matrices."""
    module = ModuleType("scikits.umfpack")
    module.UMFPACK_A, module.UMFPACK_At, module.UMFPACK_Aat = "A", "At", "Aat"
    module.made = []

    class UmfpackContext:
        def __init__(self, family):
            assert family in ("dl", "zl")
            self.family = family
            module.made.append(self)

        def numeric(self, A):
            assert A.format == "csc" and A.indices.dtype == onp.int64
            self.A = A

        def solve(self, system, A, b, autoTranspose=False):
            assert A is self.A and b.ndim == 1
            D = A.toarray()
            return onp.linalg.solve({"A": D, "At": D.conj().T, "Aat": D.T}[system], b)

        def linsolve(self, system, A, b, autoTranspose=False):
            return onp.linalg.solve(A.toarray(), b)

    module.UmfpackContext = UmfpackContext
    return module


@pytest.fixture
def umfpack(monkeypatch):
    """SciPy and we find scikit-umfpack installed."""
    from scipy.sparse.linalg._dsolve import linsolve

    module = fake_umfpack()
    monkeypatch.setitem(sys.modules, "scikits", ModuleType("scikits"))
    monkeypatch.setitem(sys.modules, "scikits.umfpack", module)
    monkeypatch.setattr(linsolve, "noScikit", False)
    monkeypatch.setattr(linsolve, "umfpack", module, raising=False)
    monkeypatch.setattr(linsolve.useUmfpack, "u", True, raising=False)
    return module


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_umfpack_is_taken_where_scipy_takes_it(format, dtype, umfpack, orderings):
    A, b = regular(format, "array", dtype), numbers(5, dtype, 3)
    check_op(lambda A, b: spla.spsolve(A, b), A, b, order=1)
    assert umfpack.made and not orderings
    count = len(umfpack.made)
    grad(lambda A: np.sum(np.abs(spla.spsolve(A, b)) ** 2))(A)
    assert len(umfpack.made) == count + 1
    grad(lambda A: np.sum(np.abs(spla.spsolve(A, b, use_umfpack=False)) ** 2))(A)
    assert len(umfpack.made) == count + 1 and orderings == [None]


def test_umfpack_serves_factorized(umfpack, orderings):
    A, b = regular("csc", "array", "float64"), numbers(5, "float64", 3)
    check_op(lambda A, b: spla.factorized(A)(b), A, b, order=1)
    solve = spla.factorized(A)
    expected = onp.linalg.solve(A.toarray().T, onp.ones(5))
    A.data[:] = 1.0
    onp.testing.assert_allclose(grad(lambda b: np.sum(solve(b)))(b), expected, rtol=1e-12)
    assert not orderings


def test_use_solver_switches_umfpack_off(umfpack, orderings):
    A, b = regular("csc", "array", "float64"), numbers(5, "float64", 3)
    spla.use_solver(useUmfpack=False)
    make_vjp(lambda b: spla.spsolve(A, b))(b)
    assert not umfpack.made and orderings == [None]


def fake_cholmod():
    """scikit-sparse's interface, over dense matrices."""
    module = ModuleType("sksparse.cholmod")

    class CholmodError(Exception):
        pass

    def cholesky(A):
        assert type(A) is sps.csc_matrix
        D = A.toarray()
        try:
            onp.linalg.cholesky(D)
        except onp.linalg.LinAlgError:
            raise CholmodError from None
        module.made.append(1)
        return lambda b: onp.linalg.solve(D, b)

    module.made, module.CholmodError, module.cholesky = [], CholmodError, cholesky
    return module


@pytest.fixture
def cholmod(monkeypatch):
    """We find scikit-sparse installed, and it is asked for."""
    module, parent = fake_cholmod(), ModuleType("sksparse")
    parent.__spec__ = ModuleSpec("sksparse", None)
    monkeypatch.setitem(sys.modules, "sksparse", parent)
    monkeypatch.setitem(sys.modules, "sksparse.cholmod", module)
    spla.use_solver(solver="cholmod")
    return module


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_cholmod_takes_positive_definite_matrices(dtype, format, cholmod, orderings):
    """The derivative is that of a general matrix, in directions that are not Hermitian too."""
    A, b = regular(format, "array", dtype, kind="hermitian"), numbers(5, dtype, 3)
    A = A + 6 * sp.eye_array(5, format=format)
    count = len(cholmod.made)
    g = grad(lambda A: np.sum(np.abs(spla.spsolve(A, b)) ** 2))(A)
    assert len(cholmod.made) == count + 1 and not orderings
    e = grad(lambda D: np.sum(np.abs(np.linalg.solve(D, b)) ** 2))(A.toarray())
    onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0), rtol=1e-10)
    onp.testing.assert_allclose(spla.spsolve(A, b), onp.linalg.solve(A.toarray(), b), rtol=1e-12)


@pytest.mark.parametrize("change", ["unsymmetric", "indefinite", "float32"])
def test_cholmod_leaves_other_matrices_to_superlu(change, cholmod, orderings):
    A, b = regular("csc", "array", "float64", kind="hermitian") + 6 * sp.eye_array(5), onp.ones(5)
    A = A.tocsc()
    if change == "unsymmetric":
        A[0, 1] = 0.25
    elif change == "indefinite":
        A = A - 12 * sp.eye_array(5, format="csc")
    else:
        A, b = A.astype("float32"), b.astype("float32")
    x = make_vjp(lambda b: spla.spsolve(A, b))(b)[1]
    onp.testing.assert_allclose(x, onp.linalg.solve(A.toarray(), b), rtol=1e-5)
    assert not cholmod.made and orderings == [None]


@pytest.fixture
def pardiso():
    """PARDISO itself, asked for."""
    pytest.importorskip("pypardiso", reason="the extra 'pardiso' is not installed")
    spla.use_solver(solver="pardiso")


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("shape", [(5,), (5, 2)])
def test_pardiso(format, shape, pardiso, orderings):
    A, b = regular(format, "array", "float64"), numbers(shape, "float64", 3)
    check_op(lambda A, b: spla.spsolve(A, b), A, b, reference=scipy_linalg.spsolve)
    check_op(lambda A, b: spla.factorized(A.tocsc())(b), A, b, order=1)
    z = b + 1j * b[::-1]
    onp.testing.assert_allclose(spla.spsolve(A, z), onp.linalg.solve(A.toarray(), z), rtol=1e-12)
    assert not orderings


def test_pardiso_leaves_singular_and_complex_matrices_to_superlu(pardiso, orderings):
    A = sp.csc_array(onp.array([[1.0, 2.0], [2.0, 4.0]]))
    with pytest.warns(spla.MatrixRankWarning):
        assert onp.isnan(spla.spsolve(A, onp.ones(2))).all()
    C = regular("csc", "array", "complex128")
    spla.spsolve(C, onp.ones(5))
    assert orderings == [None, None]


def test_pardiso_serves_sparse_right_sides(pardiso, orderings):
    A = regular("csc", "array", "float64")
    X = make_vjp(lambda A: spla.inv(A))(A)[1]
    onp.testing.assert_allclose(X.toarray(), onp.linalg.inv(A.toarray()), rtol=1e-11, atol=1e-14)
    assert not orderings


@pytest.mark.parametrize("kind", ["symmetric", "indefinite", "no diagonal", "general"])
def test_pardiso_keeps_the_analysis_of_a_structure(kind, pardiso, orderings, monkeypatch):
    """Matrices of one structure, two of them alive at the same time."""
    from pypardiso.pardiso_wrapper import PyPardisoSolver

    phases, call = [], PyPardisoSolver._call_pardiso
    monkeypatch.setattr(
        PyPardisoSolver, "_call_pardiso",
        lambda self, A, b: phases.append((self.phase, self.mtype)) or call(self, A, b),
    )  # fmt: skip
    n = 30 + 2 * len(kind)  # of each kind another structure
    A = sps.diags_array([-1.0, 2.5, -1.0], offsets=[-2, 0, 2], shape=(n, n), format="csc")
    A = A + sps.diags_array([0.5, 0.5], offsets=[-1, 1], shape=(n, n), format="csc")
    if kind == "no diagonal":
        A = sps.csc_array(A - sps.diags_array(A.diagonal()))
        A.eliminate_zeros()
    elif kind != "symmetric":
        A.data[1 if kind == "general" else 0] = -3.0
    b = numbers(n, "float64", 3)
    matrices = [sp.csc_array(A * scale) for scale in (1.0, 2.0, -3.0, 0.5)]
    solves = [spla.factorized(M) for M in matrices[:2]]
    del solves[0]
    gc.collect()
    solves += [spla.factorized(M) for M in matrices[2:]]
    for M, solve in zip(matrices[1:], solves):
        expected = onp.linalg.solve(M.toarray(), b)
        onp.testing.assert_allclose(solve(b), expected, rtol=1e-11)
        w = grad(lambda b, solve=solve: solve(b)[3])(b)
        onp.testing.assert_allclose(w, onp.linalg.inv(M.toarray())[3], rtol=1e-10, atol=1e-14)
    symmetric = kind in ("symmetric", "indefinite")
    assert [p for p, _ in phases if p in (12, 22)] == [12, 12, 22, 12] and not orderings
    assert {m for _, m in phases} == {-2 if symmetric else 11}


@pytest.mark.parametrize("name", ["cholmod", "pardiso"])
def test_a_package_that_is_not_installed(name, monkeypatch):
    monkeypatch.setattr(_packages, "find_spec", lambda module: None)
    with pytest.raises(ImportError, match=f"{name}.*not installed"):
        spla.use_solver(solver=name)


def test_unknown_solver():
    with pytest.raises(ValueError, match="'mumps' is not known"):
        spla.use_solver(solver="mumps")
