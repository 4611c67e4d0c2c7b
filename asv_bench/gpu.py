#!/usr/bin/env python3
"""Times on a GPU: value, and value with gradients, against CuPy's value and against the host.

    python asv_bench/gpu.py [--grid 1500] [--only TEXT] [--cores 2] [--report FILE]

Tables in Markdown: one row for each operation, the fraction of the memory's bandwidth for those
that are bound by it, and the aims with whether they are reached. Times are medians between CUDA
events, after warm-up. Those of the host are of the same operation on the same matrices in the same
process, which keeps to `--cores` cores. Without a GPU it stops; `--stand-in` runs everything once
on the tests' stand-in for CuPy, at a small size, to see that it runs at all: its times mean
nothing.
"""

import argparse
import functools
import gc
import sys
import traceback
import warnings
from pathlib import Path

from gpu_clock import Clock, bandwidth, get_cupy, keep_to, peak_bytes, where

LARGE = 10**7  # stored entries from which on the aims are meant
TOLERANCE = 1e-4  # of differences from the host, also in single precision


# ---- one operation -----------------------------------------------------------------------------


def first_call(clock, operation, f, operands):
    """Seconds of the first call with these operands, and bytes kept of their structure."""
    pool = clock.cp.get_default_memory_pool() if clock.real else None
    gc.collect()
    before = pool.used_bytes() if pool else 0
    seconds = clock.once(lambda: f(operation, operands)())
    gc.collect()
    return seconds, pool.used_bytes() - before if pool else None


def measured(name, clock, sizes, tiny):
    """What there is to say of an operation, by name."""
    from benchmarks import gpu

    import scipygrad

    small = gpu.OPERATIONS[name](tiny)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        gpu.with_gradients(small, tuple(map(gpu.moved, small.operands)))()  # kernels are compiled
    operation = gpu.OPERATIONS[name](sizes)
    operands = tuple(map(gpu.moved, operation.operands))
    found = {
        "entries": getattr(operation.operands[0], "nnz", ""),
        "on the host": any(issubclass(w.category, scipygrad.HostWarning) for w in said),
    }
    warnings.simplefilter("ignore", scipygrad.HostWarning)
    found["first"], found["kept"] = first_call(clock, operation, gpu.with_gradients, operands)
    value = functools.partial(operation.function, *operands)
    both = gpu.with_gradients(operation, operands)
    found["value"], found["both"] = clock.device(value), clock.device(both)
    peaks = peak_bytes(clock, value), peak_bytes(clock, both)
    found["memory"] = peaks[1] / max(peaks[0], 1) if peaks[0] is not None else None
    if operation.moved:
        found["moved"] = operation.moved
    if operation.theirs:
        found["cupy"], found["note"] = of_cupy(clock, operation, operands)
    on_host = gpu.with_gradients(operation, operation.operands)
    found["host"] = clock.host(on_host)
    found["differs"] = difference(scipygrad.to_host(both()), on_host())
    if not found["differs"] < TOLERANCE:
        found["note"] = f"it differs from the host's by {found['differs']:.0e}"
    return found


def of_cupy(clock, operation, operands):
    """Seconds of CuPy's own value, or why there are none; the stand-in may lack it."""
    import cupyx.scipy.sparse.linalg as cpl
    from benchmarks import gpu

    operands = [gpu.plain(x) for x in operands]
    try:
        return clock.device(lambda: operation.theirs(cpl, *operands)), None
    except Exception as error:
        if clock.real:
            traceback.print_exc()
        return None, f"CuPy's: {in_words(error)}" if clock.real else None


def difference(got, wanted):
    """The largest of the differences, each relative to the largest number of its array."""
    if isinstance(wanted, dict):
        got, wanted = list(got.values()), list(wanted.values())
    if isinstance(wanted, (tuple, list)):
        return max((difference(g, w) for g, w in zip(got, wanted)), default=0.0)
    return float(abs(got - wanted).max() / abs(wanted).max())


def in_words(error):
    """An exception, fit for a table."""
    return f"{type(error).__name__}: {error}".replace("\n", " ").replace("|", "/")[:200]


# ---- tables ------------------------------------------------------------------------------------


def milliseconds(x):
    return "" if x is None else f"{1e3 * x:.3g}"


def ratio(x, y, digits=2):
    return "" if x is None or y is None else f"{x / y:.{digits}f}"


def row(name, found):
    """A row of the first table."""
    kept = "" if found["kept"] is None else f"{found['kept'] / 2**20:.0f}"
    cells = [
        name + (" (on the host)" if found["on the host"] else ""), found["entries"],
        milliseconds(found["value"]), milliseconds(found["both"]),
        milliseconds(found.get("cupy")), ratio(found["both"], found.get("cupy")),
        milliseconds(found["host"]), ratio(found["host"], found["both"], 1),
        milliseconds(found["first"]), kept, ratio(found["memory"], 1, 1),
        f"{found['differs']:.0e}",
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


HEAD = """| operation | entries | value, ms | with gradients, ms | CuPy's value, ms | / CuPy's | \
host with gradients, ms | host / device | first call, ms | kept, MiB | peak memory / value's | \
differs |
|---|---|---|---|---|---|---|---|---|---|---|---|"""

LEGEND = """*/ CuPy's*: value with gradients in units of CuPy's value. *first call*: of value with \
gradients, with operands of unknown structure; kernels are compiled before. *kept*: what that call \
leaves on the device, its result excluded. *peak memory*: of value with gradients in units of the \
value's, operands excluded. *differs*: value and gradients from the host's, relative."""


def bandwidth_rows(results, peak):
    """Fractions of the bandwidth for what is bound by memory."""
    yield "| operation | value moves | of the bandwidth | with gradients | of the bandwidth |"
    yield "|---|---|---|---|---|"
    for name, found in results.items():
        if "moved" in found:
            cells = [
                f"{b / 2**20:.1f} MiB | {b / found[k] / peak:.2f}"
                for b, k in zip(found["moved"], ("value", "both"))
            ]
            yield f"| {name} | {' | '.join(cells)} |"


def aims(results, peak):
    """Name, figure, whether it is good enough; None where it was not measured."""
    spmv, spgemm = results.get("A @ x"), results.get("A @ B")
    for name, found in (("A @ x", spmv), ("A @ B", spgemm)):
        if found and found.get("cupy"):
            figure = found["both"] / found["cupy"]
            yield f"{name}: value + gradients ≤ 3 × CuPy's value", figure, figure <= 3, found
    if spmv:
        figure = spmv["moved"][1] / spmv["both"] / peak
        yield "A @ x: value + gradients ≥ 0.5 of the bandwidth", figure, figure >= 0.5, spmv
    for name in ("A @ x", "A @ X, 32 columns", "A @ B", "A + B", "‖I − M A‖²"):
        if found := results.get(name):
            figure = found["host"] / found["both"]
            yield f"{name}: value + gradients ≥ 20 × the host's speed", figure, figure >= 20, found


def aim_rows(results, peak, real):
    """The aims, each with whether it is reached."""
    yield "| aim | figure | |"
    yield "|---|---|---|"
    for name, figure, good, found in aims(results, peak):
        verdict = "reached" if good else "not reached"
        if not real or found["entries"] < LARGE:
            verdict = f"not judged: it is meant for {LARGE:,} entries or more on a GPU"
        yield f"| {name} | {figure:.2f} | {verdict} |"


def tables(cp, real, sizes, tiny, only=""):
    """All tables, line by line; at last a list of what failed."""
    from benchmarks import gpu

    clock, results, failed = Clock(cp, real), {}, []
    speeds = bandwidth(cp, clock)
    yield "; ".join(f"{name}: {s / 1e9:.0f} GB/s" for name, s in speeds.items())
    yield from ("", HEAD)
    for name in gpu.OPERATIONS:
        if only not in name:
            continue
        try:
            results[name] = found = measured(name, clock, sizes, tiny)
            yield row(name, found)
            if found.get("note"):
                failed.append(f"{name} ({found['note']})")
        except Exception as error:
            traceback.print_exc()
            failed.append(f"{name} ({in_words(error)})")
            yield f"| {name} | failed |" + " |" * 10
        gc.collect()
        if real:
            cp.get_default_memory_pool().free_all_blocks()
    peak = max(speeds.values())
    yield from ("", *(f"Failed: {reason}." for reason in failed), "", LEGEND)
    yield from ("", "Of the bandwidth of the faster of copy and triad:", "")
    yield from bandwidth_rows(results, peak)
    yield ""
    yield from aim_rows(results, peak, real)
    yield failed


# ---- the command line --------------------------------------------------------------------------


def main():
    """Read the command line, print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--grid", type=int, help="n of the n × n grid (5 n² entries)")
    parser.add_argument("--middle", type=int, help="the same, for substitution and iterations")
    parser.add_argument("--small", type=int, help="the same, for factorisations")
    parser.add_argument("--only", default="", metavar="TEXT", help="operations with it in the name")
    parser.add_argument("--cores", type=int, default=2, help="of the host")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the tables there, too")
    parser.add_argument("--stand-in", action="store_true", help="see whether it runs; no GPU")
    args = parser.parse_args()
    keep_to(args.cores)
    cp, real = get_cupy(args.stand_in), not args.stand_in
    from benchmarks import gpu

    tiny = gpu.Sizes(8, 6, 6, 12)
    given = {"large": args.grid, "middle": args.middle, "small": args.small}
    sizes = gpu.SIZES._replace(**{k: v for k, v in given.items() if v}) if real else tiny
    lines, failed = [where(cp, real), ""], []
    print(*lines, sep="\n", flush=True)
    for line in tables(cp, real, sizes, tiny, args.only):
        if isinstance(line, list):
            failed = line
            continue
        print(line, flush=True)
        lines.append(line)
    if args.report:
        args.report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
