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
using std::complex;
struct Place { long long x; };
static Place blockIdx, blockDim, threadIdx;
#define __global__
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
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory, cp):
    """All kernels for all types, as functions of a shared library."""
    from scipygrad._backend import gpu

    folder = tmp_path_factory.mktemp("kernels")
    code = SHIM + "".join((gpu.KERNELS / f"{stem}.cu").read_text() for stem in gpu.NAMES) + LAUNCH
    for name in itertools.chain(*gpu.NAMES.values()):
        for t, i in TYPES:
            code += (
                f'extern "C" void {name}_{t}{i}(long long blocks, long long threads, void** args) '
                f"{{ launch(&{name}<{C_TYPES[t]}, {C_TYPES[i]}>, blocks, threads, args); }}\n"
            )
    (folder / "kernels.cpp").write_text(code)
    command = [COMPILER, "-std=c++17", "-O1", "-shared", "-fPIC", "-Wall", "-Werror",
               "-Wno-unused-function", "kernels.cpp", "-o", "kernels.so"]  # fmt: skip
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "kernels.so"))


def run(library, name, t, i, n, *args):
    """Launch a kernel as `gpu` does, in blocks of eight threads."""
    held = [np.array(x.ctypes.data, np.uintp) if isinstance(x, np.ndarray) else np.array(x)
            for x in (*args, np.int64(n))]  # fmt: skip
    pointers = (ctypes.c_void_p * len(held))(*(x.ctypes.data for x in held))
    getattr(library, f"{name}_{t}{i}")(
        ctypes.c_longlong(-(-n // 8)), ctypes.c_longlong(8), pointers
    )


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
    if name == "sampled_outer":
        k = int(rng.integers(1, 4))
        return 41, numbers(rng, t, 41), (
            numbers(rng, t, 7, k), numbers(rng, t, 5, k), index(0, 7, 41), index(0, 5, 41),
            np.int64(k),
        )  # fmt: skip
    assert name == "segment_products"
    return 13, numbers(rng, t, 13), (
        numbers(rng, t, 20), numbers(rng, t, 9), index(0, 20, 50), index(0, 9, 50),
        begins(rng, 13, 50),
    )  # fmt: skip


VALUES = ["gather", "gather_sum", "segment_sum", "sampled_outer", "segment_products"]


@needs_compiler
@pytest.mark.parametrize("t, i", TYPES)
@pytest.mark.parametrize("name", VALUES)
def test_kernel(name, t, i, library):
    for seed in range(5):
        n, out, args = arguments(name, t, i, np.random.default_rng(seed))
        wanted = out.copy()
        getattr(kernels, name)(wanted, *args)
        run(library, name, t, i, n, out, *args)
        tolerance = 1e-5 if t in "fF" else 1e-13
        np.testing.assert_allclose(out, wanted, rtol=tolerance, atol=tolerance)


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

    assert {*VALUES, "differ"} == set(itertools.chain(*gpu.NAMES.values()))


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
