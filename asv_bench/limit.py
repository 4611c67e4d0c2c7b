"""How close products come to what memory can do.

    python limit.py [--seconds 3]

The bytes that have to move, over the time, as a fraction of the bandwidth of the machine: the best
of a triad a = b + s c, with one thread and with all cores. Every array counts once for each sweep,
as if the caches held all gathered numbers; the bound is not reached where they do not. Prints a
Markdown table.
"""

import argparse
import os
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter

import numba
import numpy as np
from benchmarks.common import convection_diffusion, forward, value_and_gradients, vector
from benchmarks.sparse_matmul import matmul
from ratios import seconds

WORDS = 2**24  # in each of the triad's arrays: 128 MiB, beyond the caches


@numba.njit(nogil=True)
def _triad(a, b, c, s):
    for k in range(a.size):
        a[k] = b[k] + s * c[k]


class Triad:
    """a = b + s c, in as many threads as there are cores, or in one."""

    def __init__(self):
        a, b, c = np.zeros(WORDS), np.ones(WORDS), np.ones(WORDS)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.bytes = 3 * a.nbytes
        self.pool = ThreadPoolExecutor(cores)
        self.parts = list(zip(*(np.array_split(x, cores) for x in (a, b, c)), strict=True))
        self.whole = a, b, c

    def one(self):
        """One thread."""
        _triad(*self.whole, 3.0)

    def all(self):
        """All cores."""
        list(self.pool.map(lambda part: _triad(*part, 3.0), self.parts))


def traffic(A, columns):
    """Bytes of A X and of its two gradients: entries, indices, row starts, and dense blocks."""
    structure = A.indices.nbytes + A.indptr.nbytes
    X, Y = 8 * columns * A.shape[1], 8 * columns * A.shape[0]
    product = A.data.nbytes + structure + X + Y
    # Ā = G Xᵀ on the entries and X̄ = Aᵀ G in one sweep: reads A, G, X; writes Ā, X̄
    return product, 2 * A.data.nbytes + structure + Y + 2 * X


def main():
    """Measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3, help="for each row, at least 5 turns")
    args = parser.parse_args()

    triad = Triad()
    print("| product | bytes moved, MB | SciPy's forward | value + gradients |")
    print("|---|---:|---:|---:|")
    for name, n, columns in (
        ("A @ x, 1024²", 1024, 1), ("A @ x, 2048²", 2048, 1), ("A @ X, 8 columns, 1024²", 1024, 8),
        ("A @ X, 32 columns, 512²", 512, 32),
    ):  # fmt: skip
        A = convection_diffusion(n)
        X = vector(A.shape[1]) if columns == 1 else vector(A.shape[1], columns)
        product, gradients = traffic(A, columns)
        calls = [make(matmul, (A, X)) for make in (forward, value_and_gradients)]
        times, end = [], perf_counter() + args.seconds
        for call in (triad.one, triad.all, *calls):
            call()
        while len(times) < 5 or perf_counter() < end:
            times.append([seconds(call) for call in (triad.one, triad.all, *calls)])
        one, both, theirs, ours = (median(column) for column in zip(*times, strict=True))
        bandwidth = triad.bytes / min(one, both)
        print(
            f"| {name} | {(product + gradients) / 1e6:.0f} | {product / theirs / bandwidth:.0%} "
            f"| {(product + gradients) / ours / bandwidth:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
