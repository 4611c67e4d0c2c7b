"""What every untraced call costs beside SciPy's, measured in one process, in turns.

    python overhead_table.py [--classes csr_array,coo_matrix] [--only TEXT] [--above 1.0]

On 3 × 3 matrices, microseconds more than SciPy: every operator, index, method (with each of the
sample arguments of tests/sparse/test_untraced.py), constructor and function. On matrices of 10⁵
stored entries, units of SciPy's time. Prints Markdown tables, and `--above` only what is above,
with the reason where there is one (`REASONS`).

Both calls are timed in short blocks, in turns, by the processor time of this process. A call's time
is that of its fastest blocks, which nothing else disturbed. Blocks are added until two halves of
them, the even and the odd turns, say the same, or `LONGEST` is over.
"""

import argparse
import re
import sys
import warnings
from pathlib import Path
from time import process_time
from timeit import Timer

import numpy as np
import scipy.sparse as sps

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph
import scipygrad.sparse.linalg  # noqa: F401 (found in sys.modules)

for folder in ("tests", "tests/sparse"):
    sys.path.insert(0, str(Path(__file__).parents[1] / folder))
import test_untraced as calls  # noqa: E402 (found by the line above)

OPERATORS = {
    "A + B": lambda A, B: A + B, "A - B": lambda A, B: A - B, "A * 2": lambda A, B: A * 2,
    "2 * A": lambda A, B: 2 * A, "A / 2": lambda A, B: A / 2, "-A": lambda A, B: -A,
    "A @ B": lambda A, B: A @ B, "A @ x": lambda A, B: A @ np.ones(A.shape[1]),
    "x @ A": lambda A, B: np.ones(A.shape[0]) @ A, "A ** 2": lambda A, B: A**2,
    "A * B": lambda A, B: A * B, "A / B": lambda A, B: A / B,
    "A.T": lambda A, B: A.T, "abs(A)": lambda A, B: abs(A), "A > B": lambda A, B: A > B,
    "A == 1": lambda A, B: A == 1, "A[1:]": lambda A, B: A[1:], "A[1, 1]": lambda A, B: A[1, 1],
    "A[1]": lambda A, B: A[1], "A[:, 1:2]": lambda A, B: A[:, 1:2],
    "A[[0, 2]]": lambda A, B: A[[0, 2]], "A[[0, 2], [1, 2]]": lambda A, B: A[[0, 2], [1, 2]],
}  # fmt: skip
WRITES = {
    "A[1, 1] = 2.0": lambda A, B: A.__setitem__((1, 1), 2.0),
    "A[1] = 2.0": lambda A, B: A.__setitem__(1, 2.0),
    "A[[0, 1], [0, 1]] = 2.0": lambda A, B: A.__setitem__(([0, 1], [0, 1]), 2.0),
    "A *= 1": lambda A, B: A.__imul__(1), "A += B": lambda A, B: A.__iadd__(B),
    "A.data": lambda A, B: A.data, "A.data = d": lambda A, B: setattr(A, "data", A.data),
    "A.shape": lambda A, B: A.shape, "A.nnz": lambda A, B: A.nnz, "A.dtype": lambda A, B: A.dtype,
    "A.real": lambda A, B: A.real, "A.imag": lambda A, B: A.imag, "A.mT": lambda A, B: A.mT,
}  # fmt: skip
LARGE = OPERATORS | {
    "A.multiply(B)": lambda A, B: A.multiply(B), "A.sum()": lambda A, B: A.sum(),
    "A.sum(axis=0)": lambda A, B: A.sum(axis=0), "A.tocsc()": lambda A, B: A.tocsc(),
    "A.tocoo()": lambda A, B: A.tocoo(), "A.copy()": lambda A, B: A.copy(),
    "A.power(2)": lambda A, B: A.power(2), "A.maximum(B)": lambda A, B: A.maximum(B),
    "A.diagonal()": lambda A, B: A.diagonal(), "A.astype(float32)": lambda A, B: A.astype("f"),
}  # fmt: skip
del LARGE["A == 1"], LARGE["A / B"]  # dense results

EACH = {
    "eye": {f"eye(format={f!r})": lambda m, A, C, f=f: m.eye(3, k=1, format=f)
            for f in calls.FORMATS},
    "eye_array": {f"eye_array(format={f!r})": lambda m, A, C, f=f: m.eye_array(3, 4, k=-1, format=f)
                  for f in calls.FORMATS},
    "issparse": {"issparse(A)": lambda m, A, C: m.issparse(A)},
    "matrix_power": {f"matrix_power(A, {n})": lambda m, A, C, n=n: m.matrix_power(A, n)
                     for n in range(4)},
    "norm": {"norm(A)": lambda m, A, C: m.norm(A), "norm(A, 1)": lambda m, A, C: m.norm(A, 1),
             "norm(A, axis=0)": lambda m, A, C: m.norm(A, axis=0)},
    "splu": {"splu": lambda m, A, C: m.splu(A), "splu(A).L": lambda m, A, C: m.splu(A).L,
             "splu(A).perm_r": lambda m, A, C: m.splu(A).perm_r,
             "splu(A).solve": lambda m, A, C: m.splu(A).solve(X)},
    "spilu": {"spilu": lambda m, A, C: m.spilu(A)},
    "LaplacianNd": {"LaplacianNd": lambda m, A, C: m.LaplacianNd((2, 3)),
                    "LaplacianNd.tosparse": lambda m, A, C: LAPLACIAN[m].tosparse()},
    "factorized": {"factorized": lambda m, A, C: m.factorized(A)},
    "aslinearoperator": {"aslinearoperator": lambda m, A, C: m.aslinearoperator(A)},
}  # fmt: skip
"""Entries of the tests' lists that make more than one call: a row for each."""
X = np.ones(3)
SOLVERS = [sys.modules[f"{m}.sparse.linalg"] for m in ("scipy", "scipygrad")]
LAPLACIAN = {m: m.LaplacianNd((2, 3)) for m in SOLVERS}

_AROUND = (
    "SciPy's code makes a matrix of its own class, and one of ours is made around the same arrays: "
    "0.3 µs by itself, about 1 µs amid other code"
)
_WRITE = (
    "before a write it is asked whether a derivative or a pattern holds the arrays, and an array "
    "put into `A.data` passes a hook that notices a traced one"
)
_READ = (
    "CPython reads an attribute of an object whose state was given as a dictionary, as ours is, in "
    "13 ns more; an iterative method reads hundreds"
)
REASONS = {
    r"setdiag|class\(|reshape|mean": "several matrices, or entries written, each by a call of ours",
    r"A\[.*\] = |A \*= ": _WRITE,
    r"csgraph_from|_tree|reconstruct_path|^A\[|maximum|minimum|tensordot|LaplacianNd": _AROUND,
    r"splu|spilu|factorized": "the object around SuperLU, whose `solve` can be differentiated",
    r"^cg$": _READ,
    "aslinearoperator": "the operator is one of ours",
    r"expm|matrix_power|norm|inv": "several products or matrices, each by a call of ours",
}
"""What costs more than the goal (a regular expression), and why."""
WITHIN = "under a hundredth of SciPy's time, by which repeated measurements differ"

GOAL = 1.0  # microseconds more than SciPy
BLOCK, SHORTEST, LONGEST = 3e-4, 0.03, 0.6  # seconds: one block, one row


def least(times):
    """The mean of the fastest tenth."""
    times = sorted(times)
    return sum(times[: 1 + len(times) // 10]) / (1 + len(times) // 10)


def in_turns(theirs, mine, agree, block=BLOCK):
    """Times of two calls, each the first of a turn as often as the other.

    `agree` is asked whether two pairs of times, of half of the turns each, say the same.
    """
    timers, times = [Timer(call, timer=process_time) for call in (theirs, mine)], ([], [])
    once = min(timer.timeit(1) for timer in 3 * timers)
    number, begin = max(1, int(block / once)), process_time()
    while True:
        for _ in range(4):
            for i in (0, 1, 1, 0):
                times[i].append(timers[i].timeit(number) / number)
        spent = process_time() - begin
        if spent > LONGEST or (
            spent > SHORTEST and agree(*([least(column[k::2]) for column in times] for k in (0, 1)))
        ):
            return [least(column) for column in times]


def same_difference(first, second, above):
    """To 0.1 µs, or both below what is printed."""
    x, y = ((b - a) * 1e6 for a, b in (first, second))
    return abs(x - y) < max(0.1, 2e3 * first[0]) or max(x, y) < above


def same_ratio(first, second):
    """To 1/200, or both at most 1."""
    x, y = (b / a for a, b in (first, second))
    return abs(x - y) < 5e-3 or max(x, y) < 1


def _of_constructor(name):
    """Sample arguments of a class's constructor: a function of a module and a matrix of it."""
    D, i = calls.DENSE, np.arange(3, dtype=calls.INT)
    ptr = np.arange(4, dtype=calls.INT)
    csr = {m: m.csr_array(D) for m in (sps, sp)}
    of = {"dense": lambda m, A: (D,), "shape": lambda m, A: ((3, 3),),
          "itself": lambda m, A: (A,), "csr": lambda m, A: (csr[m],)}  # fmt: skip
    format = name.split("_")[0]
    if format in ("coo", "csr", "csc", "bsr"):
        of["(data, (i, j))"] = lambda m, A: ((X, (i, i)), (3, 3))
    if format in ("csr", "csc"):
        of["(data, indices, indptr)"] = lambda m, A: ((X, i, ptr), (3, 3))
    if format == "bsr":
        of["(data, indices, indptr)"] = lambda m, A: ((X[:, None, None], i, ptr), (3, 3))
    if format == "dia":
        of["(data, offsets)"] = lambda m, A: ((D, i), (3, 3))
    return of


def small(name):
    """Name and the two calls, of everything that can be done with a 3 × 3 matrix of a class."""

    def pair(function, modules=(sps, sp)):
        """Each call on matrices of its own, since some write into them."""
        made = [(calls.make(m, name), calls.make(m, name, calls.OTHER)) for m in (sps, sp)]
        return [lambda m=m, AB=AB: function(m, *AB) for m, AB in zip(modules, made, strict=True)]

    for label, f in (OPERATORS | WRITES).items():
        yield label, *pair(lambda m, A, B, f=f: f(A, B))
    for label, arguments in _of_constructor(name).items():
        yield f"class({label})", *pair(lambda m, A, B, f=arguments: getattr(m, name)(*f(m, A)))
    for method in calls.public(getattr(sps, name)):
        if callable(getattr(calls.make(sps, name), method)):
            for args in calls.METHODS.get(method, [()]):

                def run(m, A, B, method=method, args=args):
                    return getattr(A, method)(*(B if a is calls.B else a for a in args))

                shown = ", ".join("dense" if isinstance(a, np.ndarray) else
                                  getattr(a, "__name__", str(a)) for a in args)  # fmt: skip
                yield f".{method}({shown})", *pair(run)
    for functions, of in ((calls.FUNCTIONS, ""), (calls.SOLVER_RESULTS, ".linalg")):
        modules = [sys.modules[f"{m}.sparse{of}"] for m in ("scipy", "scipygrad")]
        for key, function in functions.items():
            if hasattr(modules[0], key):
                for label, f in EACH.get(key, {key: function}).items():
                    yield label, *pair(f, modules)
    modules = [sys.modules[f"{m}.sparse.csgraph"] for m in ("scipy", "scipygrad")]
    for label, f in calls.GRAPH_RESULTS.items():
        if hasattr(modules[0], label):
            graphs = [calls.make(m, name, calls.GRAPH) for m in (sps, sp)]
            of_graph = (lambda m=m, G=G, f=f: f(m, G) for m, G in zip(modules, graphs, strict=True))
            yield label, *of_graph


def large():
    """Name and the two calls, with 10⁵ stored entries."""
    rng = np.random.default_rng(0)
    A, B = (sps.random_array((20000, 20000), density=2.5e-4, format="csr", rng=rng)
            for _ in range(2))  # fmt: skip
    C, D = sp.csr_array(A), sp.csr_array(B)
    for label, f in LARGE.items():
        yield label, lambda f=f: f(A, B), lambda f=f: f(C, D)


def reason(label, theirs, mine):
    """Why a call costs more than the goal."""
    if theirs > 1e-4 and mine < 1.01 * theirs:
        return WITHIN
    return next((text for key, text in REASONS.items() if re.search(key, label)), "")


def fails(call):
    """Whether a call raises, at once or soon: what SciPy cannot repeat is not measured."""
    try:
        for _ in range(10):
            call()
    except Exception:  # whatever SciPy raises
        return True
    return False


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--classes", default="csr_array", help="separated by commas, or: all")
    parser.add_argument("--only", default="", metavar="TEXT", help="calls whose name has it")
    parser.add_argument("--above", type=float, default=-1e9, help="print what costs more, in µs")
    args = parser.parse_args()
    warnings.simplefilter("ignore")

    def agree(first, second):
        return same_difference(first, second, args.above)

    above = {}
    print("| class | call | SciPy, µs | ours, µs more |\n|---|---|---:|---:|")
    for name in calls.CLASSES if args.classes == "all" else args.classes.split(","):
        for label, theirs, mine in small(name):
            if args.only in label and not fails(theirs):
                a, b = in_turns(theirs, mine, agree)
                over = (b - a) * 1e6
                if over > args.above:
                    print(f"| {name} | `{label}` | {a * 1e6:.2f} | {over:+.2f} |", flush=True)
                if over > GOAL:
                    above.setdefault(reason(label, a, b), []).append(f"`{name}` `{label}`")
    print(f"\nAbove {GOAL:g} µs, and why:\n" if above else f"\nNone is above {GOAL:g} µs.")
    for text, labels in above.items():
        print(f"- {text or 'not explained'}: {', '.join(labels)}.")
    print("\n| call, 10⁵ entries | SciPy, µs | ours |\n|---|---:|---:|")
    for label, theirs, mine in large():
        if args.only in label:
            a, b = in_turns(theirs, mine, same_ratio, block=2e-3)
            print(f"| `{label}` | {a * 1e6:.1f} | {b / a:.3f} |", flush=True)


if __name__ == "__main__":
    main()
