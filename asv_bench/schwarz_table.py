"""One training step of the optimised Schwarz preconditioner: sparse, and the same code dense.

    python schwarz_table.py [--sizes 39 54 77 90] [--seconds 5] [--gib 12] [--minutes 10]

Time and memory of the loss and its gradient, the code of `examples/_schwarz.py`, with sparse arrays
and with the same arrays dense, which is what autograd has without scipygrad. Subdomains keep their
size, so their number grows with N. Prints a Markdown table.

Each measurement has a process of its own, which may take `--gib` more memory than it starts with
and `--minutes` of time. The time is that of the fastest step after the first one; there is only the
first one if it takes longer than `--seconds`. The memory is the highest resident size of the
process, less that before it has the problem: the matrices are included. NumPy's BLAS has all cores
for the dense run, and one thread for the sparse run, which is faster with one: its dense products
are small.
"""

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SIZES = (39, 54, 77, 90)  # N = 1521, 2916, 5929, 8100
SUBDOMAIN = 85  # nodes, before they overlap
VECTORS, POWER = 4, 3


def problem(n):
    """An n × n grid, decomposed."""
    sys.path.insert(0, str(EXAMPLES))
    import _schwarz

    A, points = _schwarz.poisson(n)
    return _schwarz.decompose(A, _schwarz.partition(points, SUBDOMAIN))


def training(d):
    """The loss as a function of weights, decomposition and vectors, and such operands."""
    import _schwarz

    def loss(weights, parts, X):
        return _schwarz.loss(weights, _schwarz.Decomposition(*parts), X, POWER)

    rng = np.random.default_rng(0)
    weights = _schwarz.initial_weights(rng)
    weights["out"] = 0.1 * rng.standard_normal(len(weights["out"]))
    return loss, (weights, tuple(d), _schwarz.unit_vectors(rng, d.A.shape[0], VECTORS))


def step(d):
    """The loss and its gradient, as a function without arguments."""
    from autograd import value_and_grad

    loss, operands = training(d)
    loss = value_and_grad(loss)
    return lambda: loss(*operands)


# ---- in a process of its own -----------------------------------------------------------------


def measure(kind, file, seconds, gib):
    """Print seconds and bytes, or why there are none."""
    sys.path.insert(0, str(EXAMPLES))
    import _schwarz

    run = step(_schwarz.decompose(*_small()))
    run()  # what is loaded and compiled once
    before = _peak()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_virtual() + int(gib * 2**30), hard))
    try:
        d = pickle.loads(Path(file).read_bytes())
        run = step(d if kind == "sparse" else d.dense())
        times, end = [], perf_counter() + seconds
        while not times or perf_counter() < end:
            start = perf_counter()
            value, _ = run()
            times.append(perf_counter() - start)
    except MemoryError:
        print(json.dumps({"failure": "out of memory"}))
        return
    report = {"seconds": min(times[1:] or times), "bytes": _peak() - before, "value": value}
    print(json.dumps(report))


def _small():
    import _schwarz

    A, points = _schwarz.poisson(12)
    return A, _schwarz.partition(points, 50)


def _peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _virtual():
    pages = Path("/proc/self/statm")  # Linux; elsewhere the limit is a little tighter
    return int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else 0


def measured(kind, file, seconds, gib, minutes):
    """What the process says."""
    command = [sys.executable, __file__, "--one", kind, file]
    command += ["--seconds", str(seconds), "--gib", str(gib)]
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "MKL", "OMP")}
    environment = os.environ | (threads if kind == "sparse" else {})
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60 * minutes, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"over {minutes:g} min"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        memory = "memory" in last.lower() or done.returncode == -9
        return {"failure": "out of memory" if memory else last}
    return json.loads(done.stdout.splitlines()[-1])


# ---- the table -------------------------------------------------------------------------------


def rows(sizes=SIZES, seconds=5, gib=12, minutes=10):
    """For each size: N, number of subdomains, what was measured sparse, and dense."""
    for n in sizes:
        d = problem(n)
        with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
            file.write(pickle.dumps(d))
            file.flush()
            sparse, dense = (
                measured(kind, file.name, seconds, gib, minutes) for kind in ("sparse", "dense")
            )
        if "value" in sparse and "value" in dense:
            np.testing.assert_allclose(sparse["value"], dense["value"], rtol=1e-8)
        yield d.A.shape[0], d.parts, sparse, dense


def exponent(sizes, values):
    """The slope of log(value) over log(size)."""
    return np.polyfit(np.log(sizes), np.log(values), 1)[0]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="points per direction")
    parser.add_argument("--seconds", type=float, default=5, help="for each measurement, or a step")
    parser.add_argument("--gib", type=float, default=12, help="memory that a process may take")
    parser.add_argument("--minutes", type=float, default=10, help="time that a process may take")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(*args.one, args.seconds, args.gib)
        return

    print("| N | subdomains | sparse, s | sparse, MB | dense, s | dense, MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    sparse = []
    for N, subdomains, *both in rows(args.sizes, args.seconds, args.gib, args.minutes):
        cells = " | ".join(
            f"{r['failure']} | –" if "failure" in r
            else f"{r['seconds']:.3g} | {r['bytes'] / 1e6:.0f}" for r in both
        )  # fmt: skip
        print(f"| {N} | {subdomains} | {cells} |", flush=True)
        if "seconds" in both[0]:
            sparse.append((N, both[0]["seconds"], both[0]["bytes"]))
    if len(sparse) > 1:
        N, seconds, size = zip(*sparse, strict=True)
        print(f"\nSparse grows like N^{exponent(N, seconds):.2f} in time, "
              f"N^{exponent(N, size):.2f} in memory. Each process may take {args.gib:g} GiB and "
              f"{args.minutes:g} minutes.")  # fmt: skip


if __name__ == "__main__":
    main()
