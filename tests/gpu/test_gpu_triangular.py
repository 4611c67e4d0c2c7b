"""Substitution on the device: the order of the rows is found once, one number is read."""

import ctypes
import shutil
import subprocess

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import grid, numbers, regular

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device

there, back = scipygrad.to_device, scipygrad.to_host
DTYPES = ["float32", "float64", "complex64", "complex128"]
COMPILER = shutil.which("g++")


def close(got, wanted, rtol):
    got, wanted = (x.toarray() if hasattr(x, "format") else x for x in (back(got), wanted))
    assert got.dtype == wanted.dtype
    onp.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * onp.abs(wanted).max(initial=0))


def triangle(kind, n, dtype="float64", lower=True, seed=0, unit=False):
    """A triangular matrix with another structure of levels for each kind."""
    rng = onp.random.default_rng(seed)
    if kind == "chain":  # n levels of one row
        A = onp.diag(numbers((n - 1,), dtype, seed), -1)
    elif kind == "diagonal":  # one level
        A = onp.zeros((n, n), dtype)
    elif kind == "arrow":  # two levels, the second of one long row
        A = onp.zeros((n, n), dtype)
        A[-1] = numbers(n, dtype, seed)
    elif kind == "dense":  # long rows, n levels
        A = onp.tril(numbers((n, n), dtype, seed), -1) / n
    else:
        A = onp.tril(numbers((n, n), dtype, seed) * (rng.random((n, n)) < 4 / n), -1)
    onp.fill_diagonal(A, 0 if unit == "missing" else numbers(n, dtype, seed + 1) * 3)
    return sp.csr_array(A if lower else A.T).astype(dtype)


KINDS = ["chain", "diagonal", "arrow", "dense", "random"]


# ---- values and derivatives ------------------------------------------------------------------


@pytest.mark.parametrize("lower", [True, False], ids=["lower", "upper"])
@pytest.mark.parametrize("unit", [True, False, "missing"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_as_on_the_host(format, kind, unit, lower, cp):
    A = triangle(kind, 40, "complex128", lower, unit=unit).asformat(format)
    for b in (numbers(40, "complex128", 2), numbers((40, 3), "complex128", 3)):

        def solve(A, b):
            return spla.spsolve_triangular(A, b, lower, unit_diagonal=bool(unit))

        vjp, value = make_vjp(lambda a: solve(*a))((A, b))
        gradient = vjp(value)
        tangent = make_jvp(lambda a: solve(*a))((A, b))(gradient)[1]
        moved = there((A, b))
        vjp, x = make_vjp(lambda a: solve(*a))(moved)
        got = vjp(x)
        assert all(map(on_device, (x, *got)))
        close(x, value, 1e-12)
        close(got[0], gradient[0], 1e-11)
        close(got[1], gradient[1], 1e-11)
        close(make_jvp(lambda a: solve(*a))(moved)(got)[1], tangent, 1e-11)


@pytest.mark.parametrize("right", DTYPES)
@pytest.mark.parametrize("left", DTYPES)
def test_dtypes(left, right, cp):
    A, b = triangle("random", 20, left), numbers((20, 2), right, 2)

    def loss(A, b):
        return np.sum(np.abs(spla.spsolve_triangular(A, b)) ** 2)

    single = {left, right} & {"float32", "complex64"}
    wanted = make_vjp(lambda a: spla.spsolve_triangular(*a))((A, b))[1]
    close(spla.spsolve_triangular(*there((A, b))), wanted, 1e-5 if single else 1e-12)
    for got, g in zip(grad(loss, (0, 1))(*there((A, b))), grad(loss, (0, 1))(A, b)):
        close(got, g, 1e-4 if single else 1e-11)


def test_second_order(cp):
    A, b = triangle("random", 20), numbers(20, "float64", 2)
    v = numbers(20, "float64", 3)

    def loss(b, A):
        return np.sum(spla.spsolve_triangular(A, b) ** 3)

    wanted = hessian_vector_product(loss)(b, A, v)
    close(hessian_vector_product(loss)(*there((b, A, v))), wanted, 1e-10)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (4, 0), (1,), (1, 1)])
def test_small(shape, cp):
    A = 2 * sp.eye_array(shape[0], format="csr")
    b = onp.ones(shape)
    x = spla.spsolve_triangular(*there((A, b)))
    assert x.shape == shape and (x.get() == 0.5).all()


def test_unsorted_rows_with_duplicates(cp):
    A = sp.csr_array(
        (cp.asarray(onp.array([1.0, 3.0, 2.0, 1.0, 5.0])), cp.asarray(onp.array([0, 1, 0, 0, 2])),
         cp.asarray(onp.array([0, 1, 4, 5]))), shape=(3, 3),
    )  # fmt: skip
    B, b = back(A), numbers(3, "float64", 1)

    def loss(A, b):
        return np.sum(spla.spsolve_triangular(A, b) ** 2)

    for got, wanted in zip(grad(loss, (0, 1))(A, there(b)), grad(loss, (0, 1))(B, b)):
        close(got, wanted, 1e-12)


def test_other_formats_are_converted(cp):
    A, b = triangle("random", 12), numbers(12, "float64", 1)
    wanted = spla.spsolve_triangular(A, b)
    with pytest.warns(sp.SparseEfficiencyWarning, match="CSC or CSR"):
        close(spla.spsolve_triangular(there(A.tocoo()), there(b)), wanted, 1e-12)


# ---- what is refused -------------------------------------------------------------------------


def entry(A, i, j, value):
    """A on the device with another value at a stored place."""
    A = A.copy()
    A[i, j] = value
    return there(A)


@pytest.mark.parametrize("unit", [False, True])
def test_zero_on_the_diagonal(unit, cp):
    A, b = entry(triangle("random", 12), 5, 5, 0.0), cp.asarray(numbers(12, "float64", 1))
    if unit:
        assert onp.isfinite(spla.spsolve_triangular(A, b, unit_diagonal=True).get()).all()
        return
    with pytest.raises(onp.linalg.LinAlgError, match="zero entry on diagonal"):
        spla.spsolve_triangular(A, b)
    A.data += 1  # the structure was fine
    assert onp.isfinite(spla.spsolve_triangular(A, b).get()).all()


def test_no_entry_on_the_diagonal(cp):
    A, b = there((triangle("chain", 5, unit="missing"), numbers(5, "float64", 1)))
    with pytest.raises(onp.linalg.LinAlgError, match="zero entry on diagonal"):
        spla.spsolve_triangular(A, b)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_entries_of_the_other_triangle(lower, unit, cp):
    """They raise, but for zeros, as on the host."""
    A, b = regular("csr", "array", "float64"), numbers(5, "float64", 1)
    where = "above" if lower else "below"
    with pytest.raises(onp.linalg.LinAlgError, match=f"entries {where} the diagonal"):
        spla.spsolve_triangular(*there((A, b)), lower, unit_diagonal=unit)
    i, j = A.tocoo().coords
    A.data[i < j if lower else i > j] = 0

    def loss(A, b):
        return np.sum(spla.spsolve_triangular(A, b, lower, unit_diagonal=unit) ** 2)

    for got, wanted in zip(grad(loss, (0, 1))(*there((A, b))), grad(loss, (0, 1))(A, b)):
        close(got, wanted, 1e-12)


def test_mixed_operands_raise(cp):
    A, b = triangle("random", 12), numbers(12, "float64", 1)
    for operands in ((there(A), b), (A, there(b))):
        with pytest.raises(TypeError, match="the host's memory"):
            spla.spsolve_triangular(*operands)


# ---- what is done once -----------------------------------------------------------------------


@pytest.mark.parametrize("unit, reads", [(False, 1), (True, 0)])
def test_one_number_is_read(unit, reads, transfers, cp):
    """For value and gradients of both orders, once the structure is known."""
    A, b = there((triangle("random", 60), numbers((60, 2), "float64", 2)))

    def loss(A, b):
        return np.sum(spla.spsolve_triangular(A, b, unit_diagonal=unit) ** 3)

    def second(A, b):
        return np.sum(grad(loss, 1)(A, b) ** 2)

    for f in (loss, second):
        grad(f, (0, 1))(A, b)
        transfers.clear()
        grad(f, (0, 1))(A, b)
        assert transfers["to host"] == reads and not transfers["to device"]


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_levels_are_found_once(format, monkeypatch, cp):
    """For A and for its transpose, whatever values they have."""
    from scipygrad._backend.gpu import triangular

    made = []
    init = triangular.Levels.__init__
    monkeypatch.setattr(
        triangular.Levels, "__init__", lambda self, *args: made.append(args) or init(self, *args)
    )
    A, b = there((triangle("random", 33, seed=8).asformat(format), numbers(33, "float64", 2)))
    for _ in range(3):
        A = A * 1.5
        grad(lambda A, b: np.sum(spla.spsolve_triangular(A, b) ** 2), (0, 1))(A, b)
    assert [flip for *_, flip in made] == [False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_few_launches(kind, monkeypatch, cp):
    """Levels of few rows share one, so that a chain is one launch."""
    from scipygrad._backend.gpu import triangular

    launched = []
    launch = triangular.launch
    monkeypatch.setattr(triangular, "launch", lambda *args: launched.append(args) or launch(*args))
    spla.spsolve_triangular(*there((triangle(kind, 500), numbers(500, "float64", 1))))
    assert len(launched) == 1
    launched.clear()
    A = there(sp.tril(grid(30, seed=1), format="csr"))  # 59 levels of at most 30 rows
    spla.spsolve_triangular(A, there(numbers((900, 100), "float64", 1)))
    assert 1 < len(launched) < 59


# ---- the kernel, with threads that wait for each other ---------------------------------------

THREADED = """
#include <barrier>
#include <complex>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>
using std::complex;
struct Place { long long x; };
static thread_local Place blockIdx, threadIdx;
static Place blockDim;
static std::unique_ptr<std::barrier<>> block;
static std::vector<std::unique_ptr<std::barrier<>>> warps;
static char lanes_have[1024][8];
#define __global__
#define __device__
static void __syncthreads() { block->arrive_and_wait(); }
template <typename R> static R __shfl_down_sync(unsigned, R v, int offset, int lanes) {
    long long t = threadIdx.x;
    memcpy(lanes_have[t], &v, sizeof v);
    warps[t / 32]->arrive_and_wait();
    memcpy(&v, lanes_have[t % lanes + offset < lanes ? t + offset : t], sizeof v);
    warps[t / 32]->arrive_and_wait();
    return v;
}
"""
CALL = """
template <typename... A, size_t... I>
void call(void (*kernel)(A...), void** args, std::index_sequence<I...>) {
    kernel(*(A*)args[I]...);
}
template <typename... A>
void launch(void (*kernel)(A...), long long blocks, long long threads, void** args) {
    blockDim.x = threads;
    for (long long b = 0; b < blocks; ++b) {
        block = std::make_unique<std::barrier<>>(threads);
        warps.clear();
        for (int w = 0; w < threads / 32; ++w)
            warps.push_back(std::make_unique<std::barrier<>>(32));
        std::vector<std::thread> all;
        for (long long t = 0; t < threads; ++t)
            all.emplace_back([=] {
                blockIdx.x = b;
                threadIdx.x = t;
                call(kernel, args, std::index_sequence_for<A...>());
            });
        for (auto& thread : all) thread.join();
    }
}
"""
C_TYPES = {"f": "float", "d": "double", "F": "complex<float>", "D": "complex<double>"}


@pytest.fixture(scope="module")
def threaded(tmp_path_factory, cp):
    """The kernel's source, with a thread of the host for each of the device."""
    from scipygrad._backend import gpu

    folder = tmp_path_factory.mktemp("triangular")
    code = THREADED + gpu.source("triangular") + CALL
    for t, name in C_TYPES.items():
        code += (
            f'extern "C" void run_{t}(long long blocks, long long threads, void** args) '
            f"{{ launch(&substitute<{name}, int>, blocks, threads, args); }}\n"
        )
    (folder / "kernel.cpp").write_text(code)
    command = [COMPILER, "-std=c++20", "-O1", "-shared", "-fPIC", "-pthread", "-Wall", "-Werror",
               "kernel.cpp", "-o", "kernel.so"]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "kernel.so"))


@pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")
@pytest.mark.parametrize("t", "dF")
@pytest.mark.parametrize("kind", KINDS)
def test_kernel_with_threads(kind, t, threaded, monkeypatch, cp):
    """Several levels in a launch, several lanes to a row, several blocks to a level."""
    from scipygrad._backend.gpu import triangular

    if not hasattr(cp.ones(1), "_host"):
        pytest.skip("on a GPU the kernel itself is run by the other tests")
    threads = 64

    def launch(stem, name, value, index, n, *args):
        assert n % threads == 0
        held = [
            onp.array(a._host.ctypes.data, onp.uintp) if hasattr(a, "_host") else onp.array(a)
            for a in (*args, onp.int64(n))
        ]
        pointers = (ctypes.c_void_p * len(held))(*(a.ctypes.data for a in held))
        run = getattr(threaded, f"run_{onp.dtype(value).char}")
        run(ctypes.c_longlong(n // threads), ctypes.c_longlong(threads), pointers)

    monkeypatch.setattr(triangular, "launch", launch)
    monkeypatch.setattr(triangular, "THREADS", threads)
    for n, few, most in ((70, 4 * threads, 2**20), (75, 16, 2 * threads)):  # two structures
        monkeypatch.setattr(triangular, "FEW", few)
        monkeypatch.setattr(triangular, "MOST", most)
        for lower, columns in ((True, None), (False, 3)):
            shape = (n,) if columns is None else (n, columns)
            A, b = triangle(kind, n, t, lower), numbers(shape, t, few)
            x = spla.spsolve_triangular(*there((A, b)), lower).get()
            wanted = onp.linalg.solve(A.toarray().astype("D"), b)
            onp.testing.assert_allclose(x, wanted, rtol=1e-3 if t in "fF" else 1e-10,
                                        atol=1e-3 * (t in "fF"))  # fmt: skip
