"""scipygrad next to other libraries: value and gradients of the same cases, in one process.

    python peers.py [--seconds 5] [--only TEXT] [--memory 8]

Takes the libraries that are installed (extra `peers`). Each case is a scalar, the sum of the
squares of a result's entries, float64, differentiated with respect to all operands. Before a case
is timed, value and gradients of every library are compared with scipygrad's. All are then called in
turns, twice each, as a loop does; the second call is timed: the first pays for what the library
before it has left in the caches. Medians. Prints a Markdown table of the time of scipygrad in units
of each library's: below 1, scipygrad is faster.
"""

import argparse
import os
import re
import resource
import warnings
from statistics import median
from time import perf_counter

# NumPy's threads wait for each other in a loop: with another library's threads on the same cores, a
# dot product of a few thousand numbers takes a hundred times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import peer_scipy
import scipy.sparse as sps
from benchmarks.common import convection_diffusion, poisson_1d, poisson_2d, vector
from peer_scipy import Missing

TOLERANCE = 1e-8  # of value and gradients, relative
SLOW = 10.0  # seconds: what takes longer than this is called once
LONG = 0.5  # seconds: what takes longer than this is called once in a turn


def cases():
    """Name, operation, operands; made when they are needed."""
    yield "A @ x, 1024²", "matvec", lambda: (convection_diffusion(1024), vector(1024**2))
    yield "A @ X, 32 columns, 512²", "matmat", lambda: (
        convection_diffusion(512), vector(512**2, 32),
    )  # fmt: skip
    for name, make in (
        ("tridiagonal, N = 32768", lambda: tridiagonal(32768)),
        ("512²", lambda: convection_diffusion(512)),
    ):
        yield f"A @ A, {name}", "square", lambda make=make: (make(),)
        yield f"A @ B, {name}", "product", lambda make=make: (make(), other(make()))
    yield "A + B, 512², same structure", "add", lambda: pair(512)
    yield "A + B, 512², other structure", "add", lambda: (pair(512)[0], pair(512)[0][::-1])
    for n in (256, 512):
        yield f"spsolve, {n}²", "solve", lambda n=n: (convection_diffusion(n), vector(n * n))
    yield "spsolve_triangular, 512²", "triangular", lambda: (
        sps.tril(convection_diffusion(512), format="csr"), vector(512**2),
    )  # fmt: skip
    yield "cg to 1e-10, A + I/10, 256²", "cg", lambda: (
        (poisson_2d(256) + 0.1 * sps.eye_array(256**2)).tocsr(), vector(256**2),
    )  # fmt: skip
    for N in (16, 16384):
        yield f"Jacobi weights, N = {N}", "jacobi", lambda N=N: (tridiagonal(N), np.full(N, 0.9))
    for n in (64, 128):
        yield f"sparse approximate inverse, {n}²", "inverse", lambda n=n: (
            convection_diffusion(n), other(convection_diffusion(n)),
        )  # fmt: skip


def tridiagonal(N):
    """Second differences and an upwind term."""
    return (
        poisson_1d(N) + 0.5 * sps.diags_array([-1.0, 1.0], offsets=[-1, 0], shape=(N, N))
    ).tocsr()


def other(A):
    """Other entries in the structure of A."""
    return sps.csr_array((vector(A.nnz), A.indices, A.indptr), shape=A.shape)


def pair(n):
    """Two matrices of one structure."""
    return convection_diffusion(n), other(convection_diffusion(n))


# ---- libraries -------------------------------------------------------------------------------


def libraries():
    """The installed ones; scipygrad is the first."""
    found = [peer_scipy.Scipygrad(), peer_scipy.ByHand()]
    for module in ("peer_jax", "peer_torch"):
        try:
            found += __import__(module).libraries()
        except ImportError as error:
            print(f"<!-- without {error.name} -->")
    return found


def prepare(library, operation, operands):
    """A call that gives value and gradients, or why there is none."""
    if not hasattr(library, operation):
        raise Missing(library.missing.get(operation, "has no such operation"))
    return getattr(library, operation)(*operands)


def distance(found, expected):
    """Largest relative difference among the value and the gradients."""
    worst = abs(found[0] - expected[0]) / abs(expected[0])
    for mine, theirs in zip(found[1], expected[1], strict=True):
        if mine.shape != theirs.shape:
            raise Missing("the gradient of a sparse matrix has another structure")
        worst = max(worst, np.linalg.norm(mine - theirs) / np.linalg.norm(theirs))
    return worst


def check(libraries, operation, operands):
    """The calls to time, and what to say of the other libraries."""
    calls, notes, expected = {}, {}, None
    for library in libraries:
        try:
            call = prepare(library, operation, operands)
            found = library.plain(call())
            expected = expected or found
            worst = distance(found, expected)
        except Exception as error:  # a library that cannot do it says so in its own way
            if library is libraries[0]:
                raise
            notes[library.name] = _words(error)
            continue
        if worst <= TOLERANCE:
            calls[library.name] = call
        else:
            notes[library.name] = f"wrong: differs by {worst:.1e}"
    return calls, notes


def _words(error):
    asked = re.search(r"allocate (\d+) bytes|allocating (\d+) bytes", str(error))
    if asked:
        return f"out of memory, {int(asked[1] or asked[2]) / 1e9:.3g} GB asked for at once"
    first = str(error).strip().split("\n")[0]
    return first if isinstance(error, Missing) else f"{type(error).__name__}: {first[:110]}"


def measure(calls, budget):
    """Median seconds of each call, in turns."""
    times = {name: [] for name in calls}
    slow, end, turns = set(), perf_counter() + budget, 0
    while turns < 5 or perf_counter() < end:
        for name, call in calls.items():
            if name not in slow:
                if not times[name] or times[name][-1] < LONG:
                    call()
                start = perf_counter()
                call()
                times[name].append(perf_counter() - start)
                if times[name][0] > SLOW:
                    slow.add(name)
        turns += 1
        if turns >= 2000:
            break
    return {name: median(column) for name, column in times.items()}


def main():
    """Check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5, help="for each row, at least 5 turns")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has it")
    parser.add_argument("--memory", type=float, default=8, help="address space, GiB")
    args = parser.parse_args()
    limit = int(args.memory * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.simplefilter("ignore")

    found = libraries()
    names = [library.name for library in found[1:]]
    print("| value and gradients |", " | ".join(names), "|")
    print("|---|" + "---:|" * len(names))
    reasons = {}
    for name, operation, operands in cases():
        if args.only not in name:
            continue
        calls, notes = check(found, operation, operands())
        times = measure(calls, args.seconds)
        ours = times[found[0].name]
        cells = [f"{ours / times[n]:.2g}" if n in times else "–" for n in names]
        print(f"| {name} |", " | ".join(cells), "|", flush=True)
        for library, reason in notes.items():
            reasons.setdefault((library, reason), []).append(name)
    print_reasons(reasons)


def print_reasons(reasons):
    """A list: the reason, the libraries that share it, the rows."""
    shared = {}
    for (library, reason), rows in reasons.items():
        shared.setdefault((reason, tuple(rows)), []).append(library)
    if shared:
        print("\nNot there:\n")
    for (reason, rows), libraries in shared.items():
        print(f"- {reason} ({'; '.join(libraries)}): {'; '.join(rows)}")


if __name__ == "__main__":
    main()
