"""Solves by cuDSS: what is analysed and factorised how often, and what is not trusted."""

import gc
import subprocess
import sys
import threading
import warnings

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, make_jvp, make_vjp
from cases import grid, numbers, regular

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.pattern import Pattern

STAND_IN = not hasattr(sys.modules["cupy"], "__file__")  # it is no file's
SMALL = {"float32": 3e-4, "complex64": 3e-4, "float64": 1e-11, "complex128": 1e-11}


@pytest.fixture(autouse=True)
def installed(monkeypatch, cp):
    """nvmath-python, or its stand-in; nothing is kept from one test to the next."""
    scipygrad.to_device(onp.ones(1))
    from scipygrad.linalg import _cudss_analysis

    if STAND_IN:
        from standin import nvmath

        nvmath.install(monkeypatch)
    else:
        pytest.importorskip("nvmath")
    yield _cudss_analysis
    spla.use_solver(solver=None)
    _cudss_analysis.close_all()


@pytest.fixture
def nvmath(installed):
    """The stand-in, which counts, and errs if it is told to."""
    if not STAND_IN:
        pytest.skip("the stand-in counts; on a GPU it is the results that are compared")
    from standin import nvmath

    return nvmath


def counts(nvmath):
    """Analyses, factorisations, since the last time."""
    made = nvmath.counts["plan"], nvmath.counts["factorize"]
    nvmath.counts.clear()
    return made


def dense(x):
    return x.toarray() if hasattr(x, "toarray") else x


def compare(f, *arguments, rtol=1e-11):
    """Gradients of f in all arguments, on host and device."""
    argnums = tuple(range(len(arguments)))
    wanted = grad(f, argnums)(*arguments)
    got = grad(f, argnums)(*scipygrad.to_device(arguments))
    for g, w in zip(scipygrad.to_host(got), wanted):
        assert g.dtype == w.dtype and type(g) is type(w)
        g, w = dense(g), dense(w)
        onp.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * abs(w).max())


def loss(A, b):
    return np.sum(np.abs(spla.spsolve(A, b)) ** 2)


def second_order(A, b, v):
    """The derivative of the gradient's product with v."""
    return grad(lambda b: np.real(np.sum(grad(loss, 1)(A, b) * v)))(b)


def system(n=6, dtype="float64", seed=1, columns=None):
    """A system on the host that is clearly not symmetric."""
    b = numbers((n * n,) if columns is None else (n * n, columns), dtype, 2)
    return grid(n, seed=seed, dtype=dtype), b


# ---- values and derivatives ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize("columns", [None, 1, 3])
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_gradients(dtype, columns, format):
    A, b = system(dtype=dtype, columns=columns)
    compare(loss, A.asformat(format), b, rtol=SMALL[dtype])


def test_unsymmetric_structure():
    for dtype in ("float64", "complex128"):
        A = regular("csr", "array", dtype)
        compare(loss, A, numbers(5, dtype, 1))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_second_order_needs_no_other_factors(dtype, nvmath):
    arguments = *system(dtype=dtype), numbers(36, dtype, 5)
    wanted = second_order(*arguments)
    got = second_order(*scipygrad.to_device(arguments))
    onp.testing.assert_allclose(got.get(), wanted, rtol=1e-10)
    assert counts(nvmath) == (2, 2)


def test_forward_mode():
    A, b = system(dtype="complex128")
    t = A.copy()
    t.data = numbers(A.nnz, "complex128", 7)
    wanted = make_jvp(lambda A: spla.spsolve(A, b))(A)(t)[1]
    A, b, t = scipygrad.to_device((A, b, t))
    got = make_jvp(lambda A: spla.spsolve(A, b))(A)(t)[1]
    onp.testing.assert_allclose(got.get(), wanted, rtol=1e-11)


def test_real_matrix_and_complex_right_side():
    A, _ = system()
    for columns in (None, 2):
        compare(loss, A, system(dtype="complex128", columns=columns)[1])


@pytest.mark.parametrize("a, b", [("float32", "float64"), ("float64", "float32"),
                                  ("float32", "complex128"), ("complex64", "float64")])  # fmt: skip
def test_mixed_dtypes(a, b):
    A, x = system(dtype=a)[0], system(dtype=b)[1]
    compare(loss, A, x, rtol=1e-4)
    wanted = spla.spsolve(A, x)
    got = spla.spsolve(*scipygrad.to_device((A, x)))
    assert got.dtype == wanted.dtype


def test_unsorted_with_duplicates():
    A, b = system()
    rows, columns = (onp.tile(a, 2)[::-1].copy() for a in A.tocoo().coords)
    data = numbers(2 * A.nnz, "float64", 8) + 3 * (rows == columns)

    def f(data, b, rows, columns):
        return loss(sp.coo_array((data, (rows, columns)), shape=A.shape).tocsr(), b)

    wanted = grad(f, (0, 1))(data, b, rows, columns)
    got = grad(f, (0, 1))(*scipygrad.to_device((data, b, rows, columns)))
    for g, w in zip(got, wanted):
        onp.testing.assert_allclose(g.get(), w, rtol=1e-10, atol=1e-10 * abs(w).max())


def test_sparse_right_side():
    A, b = system()
    column = sp.csc_array(b[:, None])
    got = spla.spsolve(*scipygrad.to_device((A, column)))
    onp.testing.assert_allclose(got.get(), spla.spsolve(A, column), rtol=1e-11)


@pytest.mark.parametrize("shape", [(36, 0), (36, 1)])
def test_shapes(shape, cp):
    A, _ = system()
    b = onp.ones(shape)
    got = spla.spsolve(*scipygrad.to_device((A, b)))
    wanted = spla.spsolve(A, b)
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    onp.testing.assert_allclose(got.get(), wanted)


def test_no_rows(cp):
    A = scipygrad.to_device(sp.csc_matrix((0, 0)))
    assert spla.spsolve(A, cp.zeros(0)).shape == (0,)


def test_wrong_length(cp):
    solve = spla.factorized(scipygrad.to_device(system()[0]))
    for b in (cp.ones(1), cp.ones(35), cp.ones((1, 36))):
        with pytest.raises(ValueError, match="incompatible"):
            solve(b)


def test_many_columns_in_blocks(nvmath):
    A, b = system(columns=70)
    got = spla.spsolve(*scipygrad.to_device((A, b)))
    onp.testing.assert_allclose(got.get(), spla.spsolve(A, b), rtol=1e-11)
    assert nvmath.counts["solve"] == 3  # 64 and 6 columns, and the question whether A is singular
    assert counts(nvmath) == (1, 1)


# ---- what is made how often ------------------------------------------------------------------


def test_value_and_gradient(nvmath, transfers):
    A, b = scipygrad.to_device(system())
    grad(loss, (0, 1))(A, b)
    assert counts(nvmath) == (2, 2)  # of A and of Aᵀ
    for _ in range(3):
        A.data = 1.5 * A.data
        transfers.clear()
        grad(loss, (0, 1))(A, b)
        assert counts(nvmath) == (0, 2)
        assert transfers == {"to host": 2}  # one number, or a few, for each of two solves


def test_value_alone(nvmath, transfers):
    A, b = scipygrad.to_device(system())
    spla.spsolve(A, b)
    assert counts(nvmath) == (1, 1)
    transfers.clear()
    spla.spsolve(A, b)
    assert counts(nvmath) == (0, 1) and transfers == {"to host": 1}


def of_symmetry(kind):
    A = grid(6, seed=1, dtype="float64" if kind == "symmetric" else "complex128")
    B = A.conj().T if kind == "Hermitian" else A.T
    return sp.csc_matrix(A + B + 5 * sp.eye(36))


@pytest.mark.parametrize("kind", ["symmetric", "complex symmetric", "Hermitian"])
def test_symmetric_matrices_need_one(kind, nvmath):
    A = of_symmetry(kind)
    b = numbers(36, A.dtype.name, 2)
    compare(loss, A, b)
    assert counts(nvmath) == (1, 1)
    second_order(*scipygrad.to_device((A, b, numbers(36, A.dtype.name, 3))))
    assert counts(nvmath) == (0, 1)


def test_symmetric_but_for_one_entry(nvmath):
    A = of_symmetry("symmetric")
    A.data[7] *= 1 + 1e-13
    compare(loss, A, numbers(36, "float64", 2))
    assert counts(nvmath) == (2, 2)


def test_two_solves_before_one_backward(nvmath):
    A, b = system()

    def both(A, B, b):
        return np.sum(spla.spsolve(A, b) * spla.spsolve(B, spla.spsolve(A, b)))

    B = A.copy()
    B.data = numbers(A.nnz, "float64", 4) + 4 * (A.data > 1)
    compare(both, A, B, b, rtol=1e-9)
    assert counts(nvmath)[0] == 2  # they share their structure


def test_matrices_that_take_turns(nvmath):
    A, b = scipygrad.to_device(system())
    solves = [spla.factorized(A), spla.factorized(2 * A), spla.factorized(-3 * A)]
    for _ in range(10):
        for solve, by in zip(solves, (1, 2, -3)):
            onp.testing.assert_allclose((by * solve(b)).get(), spla.spsolve(A, b).get(), rtol=1e-11)
    plans, factors = counts(nvmath)
    assert plans <= 4
    assert factors < 20 + 30  # 30 of them by spsolve


def test_the_shape_of_b_does_not_grow_the_number_of_analyses(nvmath):
    A, _ = scipygrad.to_device(system())
    for k in range(1, 40):
        spla.spsolve(A, scipygrad.to_device(onp.ones((36, k))))
    assert nvmath.counts["plan"] == 7  # for 1, 2, 4, ..., 64 columns


# ---- what is not trusted ---------------------------------------------------------------------


def test_solutions_are_refined(nvmath):
    nvmath.behaviour.error = 1e-5
    compare(loss, *system(), rtol=1e-9)
    assert nvmath.counts["solve"] > 4 and counts(nvmath) == (2, 2)


def test_inaccurate_solutions_are_given_up(nvmath):
    nvmath.behaviour.error = 0.5
    with pytest.warns(scipygrad.HostWarning, match="on the host, by SuperLU.*not accurate"):
        compare(loss, *system())


def test_ill_conditioned():
    """As SciPy solves it: to a small residual."""
    if STAND_IN:
        from standin import nvmath

        nvmath.behaviour.error = 1e-12
    M = 1e9 * numbers((20, 1), "float64", 2) @ numbers((1, 20), "float64", 3)
    A = sp.csc_array(M + numbers((20, 20), "float64", 1))
    b = numbers(20, "float64", 4)
    x = spla.spsolve(*scipygrad.to_device((A, b))).get()
    size = abs(A.toarray()).sum(axis=1).max() * abs(x).max() + abs(b).max()
    assert abs(A.toarray() @ x - b).max() < 64 * onp.finfo(float).eps * size


@pytest.mark.parametrize("scale", [1e-20, 1e-150, 1e30])
def test_scale_makes_no_difference(scale):
    """Which pivots cuDSS takes for zero does not depend on the unit of measurement."""
    A, b = system()
    got = spla.spsolve(*scipygrad.to_device((scale * A, b)))
    onp.testing.assert_allclose(scale * got.get(), spla.spsolve(A, b), rtol=1e-11)


SINGULAR = {
    "zero on the diagonal": onp.diag([1.0, 0.0, 2.0]),
    "empty row": onp.array([[1.0, 0, 0], [2, 3, 0], [0, 0, 0]]),
    "equal rows": onp.array([[1.0, 2, 0], [1, 2, 0], [0, 1, 1]]),
}


@pytest.mark.parametrize("name", SINGULAR)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("consistent", [True, False])
def test_singular(name, dtype, consistent):
    M = SINGULAR[name].astype(dtype)
    A = sp.csc_matrix(M)
    if name == "zero on the diagonal":  # a stored one
        A = sp.csc_matrix((M.diagonal(), onp.arange(3), onp.arange(4)))
    b = M @ onp.ones(3) if consistent else onp.array([1.0, 2.0, 3.0])
    with pytest.warns(spla.MatrixRankWarning):
        x = spla.spsolve(*scipygrad.to_device((A, b.astype(dtype))))
    assert onp.isnan(x.get()).all() and x.dtype == dtype
    with pytest.raises(RuntimeError, match="singular"):
        spla.factorized(scipygrad.to_device(A))


@pytest.mark.parametrize("what", ["duplicates", "unsorted", "empty row"])
def test_structures_that_it_does_not_get(what, cp):
    """Callers see to that, or SuperLU says that the matrix is singular."""
    from scipygrad.linalg._cudss import Factors
    from scipygrad.linalg._packages import Unsuitable

    indices = {"duplicates": [0, 0, 1], "unsorted": [1, 0, 1], "empty row": [0, 0]}[what]
    indptr = [0, len(indices) - 1, len(indices)]
    A = sp.csc_matrix((onp.ones(len(indices)), indices, indptr), shape=(2, 2))
    with pytest.raises(Unsuitable):
        Factors(Pattern.of(A), cp.ones(A.nnz))


def test_gradient_of_a_singular_system(cp):
    A = scipygrad.to_device(sp.csc_matrix((onp.array([1.0, 0.0]), [0, 1], [0, 1, 2])))
    with pytest.warns(spla.MatrixRankWarning):
        g = grad(loss)(A, cp.ones(2))
    assert onp.isnan(g.get().data).all()


def test_nan_in_the_right_side(cp):
    A, b = scipygrad.to_device(system())
    b[3] = onp.nan
    with pytest.warns(scipygrad.HostWarning):
        assert onp.isnan(spla.spsolve(A, b).get()).any()


# ---- what changes afterwards -----------------------------------------------------------------


def test_entries_changed_after_the_solve(cp):
    A, b = system()
    g = numbers(36, "float64", 3)
    wanted = spla.spsolve(A.T.tocsc(), g)
    A, b, g = scipygrad.to_device((A, b, g))
    vjp, _ = make_vjp(lambda b: spla.spsolve(A, b))(b)
    A.data[...] = 7.0
    b[...] = 0.0
    onp.testing.assert_allclose(vjp(g).get(), wanted, rtol=1e-11)


def test_entries_changed_after_factorized(cp):
    A, b = system()
    wanted = spla.spsolve(A, b)
    A, b = scipygrad.to_device((A, b))
    solve = spla.factorized(A)
    A.data[...] = 7.0
    first = solve(b)
    second = solve(2 * b)
    onp.testing.assert_allclose(first.get(), wanted, rtol=1e-11)  # no view of a buffer
    onp.testing.assert_allclose(second.get(), 2 * wanted, rtol=1e-11)


# ---- threads, streams, memory ----------------------------------------------------------------


def test_threads():
    if STAND_IN:
        from standin import nvmath

        nvmath.behaviour.seconds = 0.001
    A, b = system()
    matrices = [sp.csc_matrix((k * A.data, A.indices, A.indptr)) for k in range(1, 5)]
    wanted = [grad(loss)(M, b) for M in matrices]
    b = scipygrad.to_device(b)
    matrices, got = scipygrad.to_device(matrices), [None] * 4

    def work(k):
        for _ in range(3):
            got[k] = grad(loss)(matrices[k], b)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for g, w in zip(got, wanted):
        onp.testing.assert_allclose(g.get().data, w.data, rtol=1e-10)


def test_streams_wait_for_each_other(cp):
    A, b = scipygrad.to_device(system())
    wanted = grad(loss)(A, b).get().data
    for _ in range(2):
        with cp.cuda.Stream(non_blocking=True):
            got = grad(loss)(A, b).get()
        onp.testing.assert_array_equal(got.data, wanted)
    solve = spla.factorized(A)
    wanted = solve(b).get()
    with cp.cuda.Stream(non_blocking=True):
        onp.testing.assert_array_equal(solve(b).get(), wanted)


def test_memory_goes_with_the_structure(nvmath):
    before = len(nvmath.living)
    A, b = scipygrad.to_device(system(7))
    grad(loss)(A, b)
    pattern = A._pattern
    assert len(nvmath.living) == before + 2
    for key in [k for k in pattern._plans if isinstance(k, tuple) and k[0] == "cuDSS"]:
        pattern._forget(key)
    gc.collect()
    assert len(nvmath.living) == before


def test_a_finalizer_waits_for_no_lock(nvmath, installed):
    A, b = scipygrad.to_device(system(7))
    spla.spsolve(A, b)
    held, done = threading.Event(), threading.Event()

    def hold():
        with installed.lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    A._pattern._plans.clear()
    gc.collect()
    assert nvmath.counts["free"] == 0
    done.set()
    thread.join()
    spla.spsolve(*scipygrad.to_device(system(5)))
    assert nvmath.counts["free"] == 1


def test_the_number_of_analyses_is_limited(nvmath, installed, monkeypatch):
    monkeypatch.setattr(installed, "MOST", 3)
    systems = [scipygrad.to_device(system(n)) for n in (4, 5, 6, 7)]
    wanted = [grad(loss)(A, b).get().data for A, b in systems]
    for (A, b), w in zip(systems, wanted):
        onp.testing.assert_allclose(grad(loss)(A, b).get().data, w, rtol=1e-11)
        assert len(nvmath.living) <= 3


def test_their_memory_is_limited(nvmath, cp):
    nvmath.behaviour.bytes = cp.cuda.Device().mem_info[1] // 3
    for n in (4, 5, 6, 7):
        spla.spsolve(*scipygrad.to_device(system(n)))
    assert len(nvmath.living) == 2


def test_when_memory_runs_out(nvmath):
    """There is room for one only: A and Aᵀ take turns."""
    nvmath.behaviour.room = 1
    compare(loss, *system())
    nvmath.behaviour.room = 0
    with pytest.warns(scipygrad.HostWarning, match="ALLOC_FAILED"):
        compare(loss, *system(5))
    assert not nvmath.living


# ---- the choice ------------------------------------------------------------------------------


def test_superlu_if_asked(nvmath):
    spla.use_solver(solver="superlu")
    compare(loss, *system())
    spla.use_solver(solver=None)
    assert not nvmath.counts
    spla.use_solver(solver="cudss")
    compare(loss, *system())
    assert counts(nvmath) == (2, 2)


def test_options_of_superlu(nvmath):
    A, b = scipygrad.to_device(system())
    spla.spsolve(A, b, permc_spec="NATURAL")
    assert not nvmath.counts


def test_splu_stays_with_superlu(nvmath):
    A, b = scipygrad.to_device(system())
    lu = spla.splu(A)
    x = lu.solve(b)
    assert lu.L.shape == lu.U.shape == (36, 36) and not nvmath.counts
    onp.testing.assert_allclose(x.get(), spla.spsolve(A, b).get(), rtol=1e-11)


def test_packages_of_the_host_do_not_concern_it(nvmath, monkeypatch):
    from scipygrad.linalg import _packages

    monkeypatch.setattr(_packages._choice, "package", _packages.Pardiso, raising=False)
    A, b = scipygrad.to_device(system())
    grad(loss)(A, b)
    assert counts(nvmath) == (2, 2)
    spla.factorized(A)(b)
    _packages._choice.cudss = False
    grad(loss)(A, b)
    spla.factorized(A)(b)
    assert counts(nvmath) == (0, 1)


def test_without_it(monkeypatch, installed, nvmath):
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    compare(loss, *system())
    assert not nvmath.counts


def test_not_installed(monkeypatch):
    from scipygrad.linalg import _packages

    monkeypatch.setattr(_packages, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="cudss.*not installed.*nvmath-python"):
        spla.use_solver(solver="cudss")


def test_installed_without_the_library(nvmath):
    nvmath.behaviour.broken = "cuDSS library not found"
    with pytest.warns(scipygrad.HostWarning, match="cuDSS library not found"):
        compare(loss, *system())


def test_broken_installation(nvmath, monkeypatch):
    monkeypatch.delattr(sys.modules["nvmath.bindings.cudss"], "cuDSSError")
    with pytest.warns(scipygrad.HostWarning, match="could not be loaded") as said:
        compare(loss, *system())
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(loss, *system())


def test_import_loads_neither():
    code = "import scipygrad.sparse.linalg, sys; assert not {'nvmath', 'cupy'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_pattern_of_both_formats():
    """csr and csc of one matrix have structures of their own, and both are right."""
    A, b = system()
    x = spla.spsolve(A, b)
    for format in ("csr", "csc", "csr"):
        M, c = scipygrad.to_device((A.asformat(format), b))
        assert Pattern.of(M).format == format
        onp.testing.assert_allclose(spla.spsolve(M, c).get(), x, rtol=1e-11)
