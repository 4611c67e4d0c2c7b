"""The kernels' own source, run thread by thread by a C++ compiler of the host, against NumPy.

This checks what a kernel computes, for all its types; not that a GPU would compute the same.
"""

import ctypes
import itertools
import shutil
import subprocess

import numpy as np
import pytest
from standin import kernels

COMPILER = shutil.which("g++") or shutil.which("clang++")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")
C_TYPES = {"f": "float", "d": "double", "F": "complex<float>", "D": "complex<double>",
           "i": "int", "q": "long long"}  # fmt: skip
TYPES = list(itertools.product("fdFD", "iq"))

SHIM = """
#include <complex>
#include <cstring>
#include <functional>
#include <ucontext.h>
#include <utility>
#include <vector>
using std::complex;
struct Place { long long x; };
static Place blockIdx, blockDim, threadIdx;
#define __global__
#define __device__

// Threads of a block that wait for each other: each has a stack, and runs until it has to wait.
struct Thread { ucontext_t context; std::vector<char> stack; int shuffles, barriers; bool done; };
static std::vector<Thread> threads;
static ucontext_t scheduler;
static std::function<void()> body;
static char shuffled[2][1024][16];
extern "C" { int waited_in_vain = 0; }

static void until(bool (*there)(const Thread&, int), int count, size_t first, size_t last) {
    for (;;) {
        bool all = true;
        for (size_t t = first; t < last; ++t) all = all && there(threads[t], count);
        if (all) return;
        swapcontext(&threads[threadIdx.x].context, &scheduler);
    }
}
static void __syncthreads() {
    int count = ++threads[threadIdx.x].barriers;
    until([](const Thread& t, int n) { return t.barriers >= n; }, count, 0, threads.size());
}
template <typename R> static R __shfl_down_sync(unsigned mask, R v, int offset, int width) {
    size_t me = threadIdx.x, first = me / 32 * 32, last = std::min(first + 32, threads.size());
    size_t other = me % width + offset < (size_t)width ? me + offset : me;
    int count = ++threads[me].shuffles;
    if (mask != 0xffffffffu || other >= last) { waited_in_vain = 1; return v; }
    std::memcpy(shuffled[count % 2][me], &v, sizeof v);
    until([](const Thread& t, int n) { return t.shuffles >= n; }, count, first, last);
    std::memcpy(&v, shuffled[count % 2][other], sizeof v);
    return v;
}
static void run_thread() { body(); threads[threadIdx.x].done = true; }
static void run_block() {
    threads.resize(blockDim.x);
    for (auto& t : threads) {
        getcontext(&t.context);
        t.stack.resize(1 << 15);
        t.context.uc_stack.ss_sp = t.stack.data();
        t.context.uc_stack.ss_size = t.stack.size();
        t.context.uc_link = &scheduler;
        t.shuffles = t.barriers = t.done = 0;
        makecontext(&t.context, run_thread, 0);
    }
    for (long long before = -1, after = 0; before != after;) {  // until nobody gets on
        before = after;
        after = 0;
        for (size_t i = 0; i < threads.size(); ++i) {
            threadIdx.x = i;
            if (!threads[i].done) swapcontext(&scheduler, &threads[i].context);
            after += threads[i].shuffles + threads[i].barriers + threads[i].done;
        }
    }
    for (auto& t : threads) if (!t.done) waited_in_vain = 1;
}
"""
LAUNCH = """
template <typename... A, size_t... I>
void call(void (*kernel)(A...), void** args, std::index_sequence<I...>) {
    kernel(*(A*)args[I]...);
}
template <typename... A>
void launch(void (*kernel)(A...), long long blocks, long long threads, void** args) {
    blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < threads; ++threadIdx.x)
            call(kernel, args, std::index_sequence_for<A...>());
}
template <typename... A>
void launch_together(void (*kernel)(A...), long long blocks, long long threads, void** args) {
    blockDim.x = threads;
    body = [=] { call(kernel, args, std::index_sequence_for<A...>()); };
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) run_block();
}
"""
TOGETHER = {"substitute"}
"""Kernels whose threads wait for each other, besides those in `IN_GROUPS`."""


@pytest.fixture(scope="module")
def library(tmp_path_factory, cp):
    """All kernels for all types, as functions of a shared library."""
    from scipygrad._backend import gpu

    folder = tmp_path_factory.mktemp("kernels")
    code = SHIM + gpu.source(*gpu.NAMES) + LAUNCH
    for name in itertools.chain(*gpu.NAMES.values()):
        launch = "launch_together" if name in gpu.IN_GROUPS | TOGETHER else "launch"
        for (t, i), lanes in itertools.product(TYPES, lanes_of(name)):
            types = f"{C_TYPES[t]}, {C_TYPES[i]}" + (f", {lanes}" if lanes else "")
            code += (
                f'extern "C" void {name}_{t}{i}{lanes}(long long blocks, long long threads, '
                f"void** args) {{ {launch}(&{name}<{types}>, blocks, threads, args); }}\n"
            )
    (folder / "kernels.cpp").write_text(code)
    command = [COMPILER, "-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror",
               "-Wno-unused-function", "kernels.cpp", "-o", "kernels.so"]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "kernels.so"))


def lanes_of(name):
    """How many threads may share a result; 0 if each has its own."""
    from scipygrad._backend import gpu

    return gpu.LANES if name in gpu.IN_GROUPS else (0,)


def run(library, name, t, i, n, *args, lanes=0):
    """Launch a kernel as `gpu` does, in blocks of eight threads, or of two warps."""
    held = [np.array(x.ctypes.data, np.uintp) if isinstance(x, np.ndarray) else
            np.array(0 if x is None else x) for x in (*args, np.int64(n))]  # fmt: skip
    pointers = (ctypes.c_void_p * len(held))(*(x.ctypes.data for x in held))
    threads, size = (n * lanes, 64) if lanes else (n, 8)
    getattr(library, f"{name}_{t}{i}{lanes}")(
        ctypes.c_longlong(-(-threads // size)), ctypes.c_longlong(size), pointers
    )
    assert not ctypes.c_int.in_dll(library, "waited_in_vain").value, "a thread missed a shuffle"


def numbers(rng, t, *shape):
    x = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if t in "FD" else 0)
    return np.ascontiguousarray(x.astype(t))


def begins(rng, segments, terms):
    """Where segments begin, some of them empty."""
    cuts = np.sort(rng.integers(0, terms + 1, segments - 1))
    return np.concatenate([[0], cuts, [terms]]).astype(np.int64)


def arguments(name, t, i, rng):
    """Number of threads, the result, and further arguments."""
    index = lambda low, high, n: rng.integers(low, high, n).astype(i)  # noqa: E731
    if name == "gather":
        return 37, numbers(rng, t, 37), (numbers(rng, t, 20), index(-1, 20, 37))
    if name == "gather_sum":
        sign = np.int32(rng.choice([-1, 1]))
        return 37, numbers(rng, t, 37), (
            numbers(rng, t, 20), numbers(rng, t, 9), index(-1, 20, 37), index(-1, 9, 37), sign,
        )  # fmt: skip
    if name == "segment_sum":
        return 13, numbers(rng, t, 13), (numbers(rng, t, 20), index(0, 20, 50), begins(rng, 13, 50))
    if name == "segment_extreme":
        x, largest = numbers(rng, t, 20), np.int32(rng.integers(2))
        x[3] = np.nan if rng.random() < 0.3 else 0
        return 13, numbers(rng, t, 13), (x, index(0, 20, 50), begins(rng, 13, 50), largest)
    if name == "sampled_outer":
        k = int(rng.integers(1, 40))
        return 41, numbers(rng, t, 41), (
            numbers(rng, t, 7, k), numbers(rng, t, 5, k), index(0, 7, 41), index(0, 5, 41),
            np.int64(k),
        )  # fmt: skip
    if name in ("sum_lines", "sum_lines_of_block"):
        k = 1 if name == "sum_lines" else int(rng.integers(1, 4))
        begin, indices, places, _ = compressed(rng, i, 11, 9, 60)
        x, data = numbers(rng, t, 60 if rng.random() < 0.3 else 9, k), numbers(rng, t, 60)
        indices = None if len(x) == 60 else indices
        data = None if rng.random() < 0.3 else data
        if name == "sum_lines_of_block":
            return 11 * k, numbers(rng, t, 11, k), (data, x, begin, indices, places, np.int64(k))
        second = None, None
        if rng.random() < 0.5:
            second = numbers(rng, t, 60), numbers(rng, t, len(x))
        return 11, numbers(rng, t, 11), (data, x, *second, begin, indices, places)
    if name == "substitute":  # one level, one lane: more of them take threads that wait
        k = int(rng.integers(1, 4))
        return 40, numbers(rng, t, 12, k), (
            numbers(rng, t, 12, k), numbers(rng, t, 20) + np.dtype(t).type(4), index(0, 20, 15),
            index(0, 6, 15), begins(rng, 6, 15), (6 + rng.permutation(6)).astype(i),
            index(-1, 20, 6), np.array([0, 6]), np.ones(1, np.int32), np.int64(0), np.int64(1),
            np.int64(k),
        )  # fmt: skip
    assert name == "segment_products"
    return 13, numbers(rng, t, 13), (
        numbers(rng, t, 20), numbers(rng, t, 9), index(0, 20, 50), index(0, 9, 50),
        begins(rng, 13, 50),
    )  # fmt: skip


def compressed(rng, i, count, across, size):
    """Lines with sorted indices, some of them long, some empty, with equal ones; their places."""
    line = np.sort((count * rng.random(size) ** 3).astype(int))
    indices = rng.integers(0, across, size)
    order = np.lexsort((indices, line))
    begin = np.searchsorted(line, np.arange(count + 1))
    places = rng.permutation(size).astype(i) if rng.random() < 0.5 else None
    return begin.astype(i), indices[order].astype(i), places, line.astype(i)


VALUES = [
    "gather", "gather_sum", "segment_sum", "segment_extreme", "sampled_outer", "segment_products",
    "substitute", "sum_lines", "sum_lines_of_block",
]  # fmt: skip


def compare(library, name, t, i, n, out, args):
    """A kernel against what it should compute, for all sizes of groups of threads."""
    wanted = [x.copy() for x in out]
    getattr(kernels, name)(*wanted, *args)
    for lanes in lanes_of(name):
        got = [x.copy() for x in out]
        run(library, name, t, i, n, *got, *args, lanes=lanes)
        tolerance = 1e-5 if t in "fF" else 1e-13
        for x, y in zip(got, wanted):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@needs_compiler
@pytest.mark.parametrize("t, i", TYPES)
@pytest.mark.parametrize("name", VALUES)
def test_kernel(name, t, i, library):
    for seed in range(5):
        n, out, args = arguments(name, t, i, np.random.default_rng(seed))
        compare(library, name, t, i, n, [out], args)


@needs_compiler
@pytest.mark.parametrize("t, i", TYPES)
def test_both_cotangents(t, i, library):
    """Along rows and columns of an unsymmetric structure, more of the ones or of the others."""
    for seed, (lines, columns) in enumerate([(11, 7), (7, 11), (9, 0), (6, 6)]):
        rng = np.random.default_rng(seed)
        begin, indices, _, _ = compressed(rng, i, lines, columns or 5, 60)
        own = (begin, indices)
        across = compressed(rng, i, columns, lines, 60)[:3] if columns else (None,) * 3
        g = numbers(rng, t, max(lines, columns))
        args = (numbers(rng, t, lines), numbers(rng, t, columns or 5), g, numbers(rng, t, 60), *own,
                *across, np.int64(lines), np.int64(columns))  # fmt: skip
        out = [numbers(rng, t, 64), numbers(rng, t, columns)]  # entries behind are left alone
        compare(library, "both_cotangents", t, i, max(lines, columns), out, args)


@needs_compiler
@pytest.mark.parametrize("t, i", TYPES)
def test_product_kernels(t, i, library):
    """C = A B with equal indices and empty lines everywhere: by lists, and without."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        sizes = rng.permutation([15, 60, 40])
        a, b = compressed(rng, i, 6, 12, sizes[0]), compressed(rng, i, 8, 12, sizes[1])
        c, n = compressed(rng, i, 6, 8, sizes[2]), int(sizes[2])  # rows of A and C, columns of B
        args = (*a[:3], *b[:3], *c)
        factors = numbers(rng, t, sizes[0]), numbers(rng, t, sizes[1])
        compare(library, "masked_product", t, i, n, [numbers(rng, t, n)], (*factors, *args))
        counts = np.zeros(n, np.int64)
        compare(library, "pairs_of_product", t, i, n, [counts], (None, None, None, *args))
        kernels.pairs_of_product(counts, None, None, None, *args)
        begin = np.concatenate([[0], np.cumsum(counts)])
        lists = np.zeros((2, begin[-1]), i)
        run(library, "pairs_of_product", t, i, n, counts, *lists, begin, *args)
        wanted = np.zeros_like(lists)
        kernels.pairs_of_product(counts, *wanted, begin, *args)
        segment = np.repeat(np.arange(n), counts)
        for x in (lists, wanted):  # in any order within a segment
            x[:] = x[:, np.lexsort((x[1], x[0], segment))]
        np.testing.assert_array_equal(lists, wanted)


@needs_compiler
@pytest.mark.parametrize("t, i", TYPES)
def test_kernels_of_product_cotangents(t, i, library):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        na, nb, nc = (int(x) for x in rng.permutation([15, 60, 40]))
        a_indices, a_line = rng.integers(0, 12, na).astype(i), np.sort(rng.integers(0, 6, na))
        b, c = compressed(rng, i, 12, 8, nb), compressed(rng, i, 6, 8, nc)
        lengths = np.diff(b[0])[a_indices]
        begin = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        slots = np.zeros(begin[-1], i)
        of_a, columns_of_a = (a_line.astype(i), a_indices), compressed(rng, i, 12, 6, na)
        look_up = (begin, *of_a, *b[:2], *c[:3])
        compare(library, "find_slots", t, i, na, [slots], look_up)
        kernels.find_slots(slots, *look_up)
        assert (slots < 0).any() and (slots >= 0).any()
        numbers_of_c = numbers(rng, t, nc)
        for known in ((slots, begin), (None, None)):
            args = (numbers_of_c, numbers(rng, t, nb), *known, *of_a, *b[:2], *c[:3])
            compare(library, "product_left", t, i, na, [numbers(rng, t, na)], args)
            columns = columns_of_a[0], columns_of_a[1], columns_of_a[2]
            if known[0] is not None:  # they belong to A's own order
                order = np.lexsort((a_line, a_indices))
                ends = np.searchsorted(a_indices[order], np.arange(13)).astype(i)
                columns = ends, a_line[order].astype(i), order.astype(i)
            args = (numbers_of_c, numbers(rng, t, na), *known, *columns, b[3], *b[:2], *c[:3])
            compare(library, "product_right", t, i, nb, [numbers(rng, t, nb)], args)


@needs_compiler
@pytest.mark.parametrize("i", "iq")
def test_differ(i, library):
    a = np.arange(30).astype(i)
    for place in (None, 0, 17, 29):
        b = a.copy()
        if place is not None:
            b[place] += 1
        found = np.zeros(1, np.int32)
        run(library, "differ", "d", i, 30, found, a, b)
        assert found[0] == (place is not None)


def test_all_kernels_are_tested(cp):
    from scipygrad._backend import gpu

    others = {"differ", "both_cotangents", "masked_product", "pairs_of_product", "find_slots",
              "product_left", "product_right"}  # fmt: skip
    assert {*VALUES} | others == set(itertools.chain(*gpu.NAMES.values()))


@pytest.mark.parametrize("size, terms", [(1, 1000), (3, 10_000), (50, 200), (4, 0)])
def test_long_segments(size, terms, cp):
    """Sums of many terms are taken in several stages."""
    from scipygrad._backend import gpu

    rng = np.random.default_rng(size)
    index, x = rng.integers(-1, size, terms), rng.standard_normal(terms)
    wanted = np.zeros(size)
    np.add.at(wanted, index[index >= 0], x[index >= 0])
    got = gpu.Segments(index, size).add(cp.asarray(x))
    np.testing.assert_allclose(got.get(), wanted, rtol=1e-12, atol=1e-12)
