#!/usr/bin/env python3
"""Times on a GPU: value, and value with gradients, against CuPy's value and against the host.

    python asv_bench/gpu.py [--grid 3200] [--report FILE]

One row for each operation, in Markdown. Times are medians between CUDA events, after warm-up; those
of the host are of the same operation on the same matrices in the same process. For operations that
are bound by memory, the fraction of the bandwidth that a copy reaches is given, counted from the
bytes that have to be moved at least. Without a GPU it stops; `--stand-in` runs everything once on
the tests' stand-in for CuPy, at a small size, to see that it runs at all: its times mean nothing.
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

import autograd.numpy as np
import numpy as onp
from autograd import value_and_grad

ROOT = Path(__file__).resolve().parents[1]


def poisson(lib, n):
    """5-point matrix of a convection-diffusion problem on an n × n grid, clearly not symmetric."""
    T = lib.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    U = lib.diags_array([-0.5, 0.5], offsets=[-1, 0], shape=(n, n))
    return lib.csr_array(lib.kronsum(T + U, T + 0.3 * U))


class Clock:
    """Median time of a function, on the device or on the host."""

    def __init__(self, cp, real, repeats):
        self.cp, self.real, self.repeats = cp, real, repeats

    def device(self, f):
        """Seconds between two events around the function."""
        if not self.real:
            return self.host(f, warm=0, repeats=1)
        cuda = self.cp.cuda
        for _ in range(3):
            f()
        times = []
        for _ in range(self.repeats):
            start, stop = cuda.Event(), cuda.Event()
            start.record()
            f()
            stop.record()
            stop.synchronize()
            times.append(cuda.get_elapsed_time(start, stop) / 1e3)
        return statistics.median(times)

    def host(self, f, warm=1, repeats=3):
        """Seconds on the host."""
        for _ in range(warm):
            f()
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            f()
            times.append(time.perf_counter() - start)
        return statistics.median(times)


def problems(sp, spla, n, small):
    """Name, function, operands, what CuPy's own value is, and bytes that have to be moved."""
    A, B = poisson(sp, n), poisson(sp, n).tocsc().tocsr()
    N, rng = A.shape[0], onp.random.default_rng(0)
    x, X = rng.standard_normal(N), rng.standard_normal((N, 32))
    K, L = poisson(sp, small), sp.tril(poisson(sp, small), format="csr")
    b = rng.standard_normal(K.shape[0])
    M, identity = sp.csr_array(K), sp.eye_array(K.shape[0], format="csr")
    entries, rows = 12 * A.nnz, 8 * N  # values and 32-bit indices; a vector
    return [
        # the gradient of A @ x reads A's indices and values again and writes as many values
        ("A @ x", lambda A, x: np.sum(A @ x), (A, x), lambda A, x: A @ x,
         (entries + 2 * rows, 2 * entries + 8 * A.nnz + 5 * rows)),
        ("A @ X, 32 columns", lambda A, X: np.sum(A @ X), (A, X), lambda A, X: A @ X, None),
        ("A @ B", lambda A, B: (A @ B).sum(), (A, B), lambda A, B: A @ B, None),
        ("A + B", lambda A, B: (A + B).sum(), (A, B), lambda A, B: A + B, None),
        ("spsolve_triangular", lambda L, b: np.sum(spla.spsolve_triangular(L, b)), (L, b),
         None, None),
        ("spsolve", lambda K, b: np.sum(spla.spsolve(K, b)), (K, b), None, None),
        ("‖I − M A‖²", lambda M, K, one: (one - M @ K).power(2).sum(), (M, K, identity),
         None, None),
    ]  # fmt: skip


def bandwidth(cp, clock):
    """Bytes per second that a copy on the device moves."""
    a = cp.zeros(2**27 if clock.real else 2**10)
    b = cp.empty_like(a)

    def copy():
        b[...] = a

    return 2 * a.nbytes / clock.device(copy)


def rows(cp, n, small, real, repeats=20):
    """The table, line by line."""
    import scipygrad
    import scipygrad.sparse as sp
    import scipygrad.sparse.linalg as spla

    clock = Clock(cp, real, repeats)
    peak = bandwidth(cp, clock)
    yield f"Copy: {peak / 1e9:.0f} GB/s"
    yield ""
    yield "| operation | entries | value, ms | with gradients, ms | CuPy's value, ms | ratio | " \
          "of a copy's bandwidth | host, ms | host / device |"  # fmt: skip
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, f, operands, theirs, moved in problems(sp, spla, n, small):
        argnums = tuple(range(2 if len(operands) == 2 else 1))
        there = scipygrad.to_device(operands)
        value = clock.device(lambda f=f, there=there: f(*there))
        both = clock.device(lambda f=f, a=argnums, there=there: value_and_grad(f, a)(*there))
        on_host = clock.host(lambda f=f, a=argnums, o=operands: value_and_grad(f, a)(*o))
        own = ratio = reached = ""
        if theirs is not None:
            plain = [plain_cupy(x) for x in there]
            seconds = clock.device(lambda theirs=theirs, plain=plain: theirs(*plain))
            own, ratio = f"{1e3 * seconds:.2f}", f"{both / seconds:.2f}"
        if moved is not None:
            reached = f"{moved[0] / value / peak:.2f}, {moved[1] / both / peak:.2f}"
        yield (
            f"| {name} | {operands[0].nnz} | {1e3 * value:.2f} | {1e3 * both:.2f} | {own} | "
            f"{ratio} | {reached} | {1e3 * on_host:.1f} | {on_host / both:.1f} |"
        )


def plain_cupy(x):
    """A matrix of CuPy's own class."""
    import cupyx.scipy.sparse as cps

    if not hasattr(x, "format"):
        return x
    return cps.csr_matrix((x.data, x.indices, x.indptr), shape=x.shape)


def main():
    """Read the command line, print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--grid", type=int, default=1500, help="n of the n × n grid (5 n² entries)")
    parser.add_argument("--small", type=int, default=200, help="the same, for solves")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the table there, too")
    parser.add_argument("--stand-in", action="store_true", help="see whether it runs; no GPU")
    args = parser.parse_args()
    if args.stand_in:
        sys.path.insert(0, str(ROOT / "tests" / "gpu"))
        import standin

        cp, args.grid, args.small = standin.install(), 8, 6
        where = "stand-in for CuPy: THESE TIMES MEAN NOTHING"
    else:
        import cupy as cp

        properties = cp.cuda.runtime.getDeviceProperties(0)
        where = f"{properties['name'].decode()}, CuPy {cp.__version__}"
    lines = [f"{where}; host: {platform.machine()}, Python {platform.python_version()}", ""]
    for line in (*lines, *rows(cp, args.grid, args.small, not args.stand_in)):
        print(line, flush=True)
        lines.append(line)
    if args.report:
        args.report.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
