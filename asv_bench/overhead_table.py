"""What every untraced call costs beside SciPy's: one process, measured in turns, medians.

    python overhead_table.py [--classes csr_array,coo_matrix] [--only TEXT] [--above 1.0]

The calls on 3 × 3 matrices are those of tests/sparse/test_untraced.py, microseconds
more than SciPy; those on matrices of 10⁵ stored entries are here, in units of SciPy's time.
Prints Markdown tables.
"""

import argparse
import sys
import warnings
from pathlib import Path
from statistics import median
from timeit import Timer

import numpy as np
import scipy.sparse as sps

import scipygrad.sparse as sp

for folder in ("tests", "tests/sparse"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
import test_untraced as calls  # noqa: E402 (found by the line above)

OPERATORS = {
    "A + B": lambda A, B: A + B, "A - B": lambda A, B: A - B, "A * 2": lambda A, B: A * 2,
    "2 * A": lambda A, B: 2 * A, "A / 2": lambda A, B: A / 2, "-A": lambda A, B: -A,
    "A @ B": lambda A, B: A @ B, "A @ x": lambda A, B: A @ np.ones(A.shape[1]),
    "A.T": lambda A, B: A.T, "abs(A)": lambda A, B: abs(A), "A > B": lambda A, B: A > B,
    "A[1:]": lambda A, B: A[1:], "A[1, 1]": lambda A, B: A[1, 1],
    "A[:, 1:2]": lambda A, B: A[:, 1:2], "A[[0, 2]]": lambda A, B: A[[0, 2]],
}  # fmt: skip
LARGE = OPERATORS | {
    "A.multiply(B)": lambda A, B: A.multiply(B), "A.sum()": lambda A, B: A.sum(),
    "A.sum(axis=0)": lambda A, B: A.sum(axis=0), "A.tocsc()": lambda A, B: A.tocsc(),
    "A.tocoo()": lambda A, B: A.tocoo(), "A.copy()": lambda A, B: A.copy(),
    "A.power(2)": lambda A, B: A.power(2), "A.maximum(B)": lambda A, B: A.maximum(B),
    "A.diagonal()": lambda A, B: A.diagonal(), "A.astype(float32)": lambda A, B: A.astype("f"),
}  # fmt: skip


def in_turns(theirs, mine, repeat, number, best=median):
    """Times of two calls, measured in turns, each the first of a turn as often as the other."""
    timers, times = (Timer(theirs), Timer(mine)), ([], [])
    for k in range(2 * repeat):
        for i in (0, 1) if k % 2 else (1, 0):
            times[i].append(timers[i].timeit(number) / number)
    return [best(column) for column in times]


def small(name):
    """Name and the two calls, of everything that can be done with a 3 × 3 matrix of a class."""
    both = [(calls.make(m, name), calls.make(m, name, calls.OTHER)) for m in (sps, sp)]

    def pair(function, modules=(None, None)):
        return [lambda m=m, AB=AB: function(m, *AB) for m, AB in zip(modules, both, strict=True)]

    for label, f in OPERATORS.items():
        yield label, *pair(lambda m, A, B, f=f: f(A, B))
    for method in calls.public(getattr(sps, name)):
        if callable(getattr(both[0][0], method)):
            for args in calls.METHODS.get(method, [()])[:1]:

                def run(m, A, B, method=method, args=args):
                    return getattr(A, method)(*(B if a is calls.B else a for a in args))

                yield f".{method}", *pair(run)
    for functions, of in ((calls.FUNCTIONS, ""), (calls.SOLVER_RESULTS, ".linalg"),
                          (calls.GRAPH_RESULTS, ".csgraph")):  # fmt: skip
        modules = [sys.modules[m + of] for m in ("scipy.sparse", "scipygrad.sparse")]
        for label, f in functions.items():
            if hasattr(modules[0], label):
                graph = of == ".csgraph"
                yield (
                    label,
                    *pair(
                        lambda m, A, B, f=f, graph=graph: f(m, A) if graph else f(m, A, B), modules
                    ),
                )


def large():
    """Name and the two calls, with 10⁵ stored entries."""
    rng = np.random.default_rng(0)
    A, B = (sps.random_array((20000, 20000), density=2.5e-4, format="csr", rng=rng)
            for _ in range(2))  # fmt: skip
    C, D = sp.csr_array(A), sp.csr_array(B)
    for label, f in LARGE.items():
        yield label, lambda f=f: f(A, B), lambda f=f: f(C, D)


def fails(call):
    """Whether a call raises: what SciPy cannot do is not measured."""
    try:
        call()
    except Exception:  # whatever SciPy raises
        return True
    return False


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--classes", default="csr_array")
    parser.add_argument("--only", default="", metavar="TEXT", help="calls whose name has it")
    parser.add_argument("--above", type=float, default=-1e9, help="print what costs more, in µs")
    args = parser.parse_args()
    warnings.simplefilter("ignore")

    print("| class | call | SciPy, µs | ours, µs more |\n|---|---|---:|---:|")
    for name in args.classes.split(","):
        for label, theirs, mine in small(name):
            if args.only in label and not fails(theirs):
                once = min(Timer(theirs).timeit(1) for _ in range(3))
                a, b = in_turns(theirs, mine, 8, max(1, min(100, int(2e-3 / once))))
                if (b - a) * 1e6 > args.above:
                    print(
                        f"| {name} | `{label}` | {a * 1e6:.2f} | {(b - a) * 1e6:+.2f} |", flush=True
                    )
    print("\n| call, 10⁵ entries | SciPy, µs | ours |\n|---|---:|---:|")
    for label, theirs, mine in large():
        if args.only in label:
            # The least: which of two equal calls gets fresh pages from the system, and waits for
            # them, is settled by what was freed before, for many turns.
            a, b = in_turns(theirs, mine, 30, 3, min)
            print(f"| `{label}` | {a * 1e6:.1f} | {b / a:.3f} |", flush=True)


if __name__ == "__main__":
    main()
