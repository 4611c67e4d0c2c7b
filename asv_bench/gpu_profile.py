#!/usr/bin/env python3
"""One step on a GPU, looked at: copies, waits, launches, and where the time goes.

    python asv_bench/gpu_profile.py [--step NAME] [--grid 1500] [--report FILE]

The step is value and gradient of an operation of `benchmarks/gpu.py`, by default that of a sparse
approximate inverse, with its structure known. Counted are

- copies to the host: all of CuPy's pass `_declare_synchronize`;
- copies to the device: all of CuPy's take their memory from the allocator of pinned memory;
- waits: `synchronize` of streams and events;
- launches of scipygrad's kernels, with the time of each between two events;
- everything that the device does, from the graph that CUDA captures of the step. What waits for the
  device cannot be captured: that it can be is the proof.

Where there is Nsight Systems (`nsys`), its tables follow. Prints Markdown; fails if anything was
copied or waited for. `--stand-in` runs it on the tests' stand-in for CuPy, where copies are
counted, too.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gpu_clock import Clock, get_cupy, where

STEP = "‖I − M A‖²"


# ---- what is counted ---------------------------------------------------------------------------


@contextmanager
def replaced(owner, name, make):
    """An attribute replaced by what is made of it."""
    theirs = getattr(owner, name)
    setattr(owner, name, make(theirs))
    try:
        yield
    finally:
        setattr(owner, name, theirs)


def counting(counts, what):
    """A wrapper that counts calls."""

    def make(function):
        def counted(*args, **kwargs):
            counts[what] += 1
            return function(*args, **kwargs)

        return counted

    return make


@contextmanager
def transfers(cp, real):
    """Counts of what goes between host and device, and of waits."""
    counts = Counter()
    if not real:
        import standin

        before = Counter(standin.transfers)
        yield counts
        counts.update(standin.transfers - before)
        return
    from cupy._core import syncdetect

    stream, pinned = cp.cuda.stream, cp.get_default_pinned_memory_pool()
    with ExitStack() as stack:
        for owner, name, what in (
            (syncdetect, "_declare_synchronize", "to host"),
            (stream._BaseStream, "synchronize", "waits"),
            (stream.Event, "synchronize", "waits"),
        ):
            stack.enter_context(replaced(owner, name, counting(counts, what)))
        stack.callback(cp.cuda.set_pinned_memory_allocator, pinned.malloc)
        cp.cuda.set_pinned_memory_allocator(counting(counts, "to device")(pinned.malloc))
        yield counts


@contextmanager
def launches(cp, real):
    """Name, and two events where there are any, of each launch of one of scipygrad's kernels."""
    from scipygrad._backend.gpu.launch import launch

    found = []

    def recorded(stem, name, value, index, n, *args, **kwargs):
        events = [cp.cuda.Event(), cp.cuda.Event()] if real else []
        for event in events[:1]:
            event.record()
        launch(stem, name, value, index, n, *args, **kwargs)
        for event in events[1:]:
            event.record()
        if n:  # else there is nothing to launch
            found.append((f"{stem}.{name}", events))

    with ExitStack() as stack:
        for module in list(sys.modules.values()):
            known = getattr(module, "__name__", "").startswith("scipygrad")
            if known and vars(module).get("launch") is launch:
                stack.enter_context(replaced(module, "launch", lambda _: recorded))
        yield found


# ---- the step as CUDA's graph ------------------------------------------------------------------


def captured(cp, step):
    """The graph that CUDA captures of the step."""
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        for _ in range(2):  # the pool has memory of this stream
            step()
        stream.begin_capture()
        try:
            kept = step()
        finally:
            graph = stream.end_capture()
    stream.synchronize()
    return graph, stream, kept


def nodes(dot):
    """What a graph consists of, by name, from its description in the language DOT."""
    labels = re.findall(r'"[^"]*node[^"]*"\s*\[[^\]]*?label="(.*?)"', dot, re.S)
    lines = [[line.strip("{}| ") for line in re.split(r"\\n|\n|\|", label)] for label in labels]
    return Counter(" ".join(x for x in line if x and not x.isdigit())[:120] for line in lines)


def graph_rows(cp, clock, step, seconds):
    """What CUDA's graph of the step says; also where the step cannot be captured."""
    try:
        graph, stream, _kept = captured(cp, step)
        found = nodes(graph.debug_dot_str())
        with stream:
            alone = clock.device(graph.launch)
    except Exception as error:  # CUDA's, in a library that waits
        reason = f"{type(error).__name__}: {error}".replace("\n", " ").replace("|", "/")
        yield f"| captured as a graph | no: {reason[:200]} |"
        return
    yield f"| captured as a graph of so many operations | {sum(found.values())} |"
    yield f"| the graph's time, ms | {1e3 * alone:.3g} |"
    yield f"| share of the time that launching takes | {max(0.0, 1 - alone / seconds):.2f} |"
    yield from ("", "| in the graph | times |", "|---|---|")
    for name, times in found.most_common():
        yield f"| `{name}` | {times} |"


# ---- the report --------------------------------------------------------------------------------


def operation_rows(found, real):
    """Launches and times of scipygrad's kernels, by name."""
    yield "| scipygrad's kernel | launches | ms |"
    yield "|---|---|---|"
    for name, times in Counter(name for name, _ in found).most_common():
        events = [e for n, e in found if n == name]
        total = f"{sum(time_between(*e) for e in events):.3g}" if real else ""
        yield f"| {name} | {times} | {total} |"


def time_between(start, stop):
    """Milliseconds."""
    import cupy

    return cupy.cuda.get_elapsed_time(start, stop)


def profile(cp, real, step):
    """The report, line by line; at last the number of copies and waits."""
    wait = cp.cuda.get_current_stream().synchronize if real else lambda: None
    for _ in range(3):
        step()
    wait()
    with transfers(cp, real) as counts:
        start = time.perf_counter()
        step()
        until_started = time.perf_counter() - start
    with launches(cp, real) as found:
        step()
    wait()
    clock = Clock(cp, real)
    seconds = clock.device(step)
    yield "| in one step | |"
    yield "|---|---|"
    for what, name in (("to host", "copies to the host"), ("to device", "copies to the device"),
                       ("waits", "waits for the device")):  # fmt: skip
        yield f"| {name} | {counts[what]} |"
    yield f"| launches of scipygrad's kernels | {len(found)} |"
    yield f"| host's time until all is launched, ms | {1e3 * until_started:.3g} |"
    yield f"| device's time, ms | {1e3 * seconds:.3g} |"
    if real:
        yield from graph_rows(cp, clock, step, seconds)
    yield ""
    yield from operation_rows(found, real)
    yield sum(counts.values())


def of_nsight(arguments):
    """The tables of Nsight Systems for the same step, where it is installed."""
    if not (nsys := shutil.which("nsys")):
        return ["Nsight Systems (`nsys`) is not on the path: no tables of it."]
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "step")
        command = [nsys, "profile", "--trace=cuda", "--capture-range=cudaProfilerApi",
                   "--capture-range-end=stop", "--force-overwrite=true", f"--output={file}",
                   sys.executable, __file__, "--bare", *arguments]  # fmt: skip
        reports = ("cuda_gpu_kern_sum", "cuda_gpu_mem_size_sum", "cuda_api_sum")
        stats = [nsys, "stats", "--format", "column",
                 *(f"--report={r}" for r in reports), f"{file}.nsys-rep"]  # fmt: skip
        for c in (command, stats):
            done = subprocess.run(c, capture_output=True, text=True, check=False)
            if done.returncode:
                return [f"Nsight Systems failed: {done.stderr.strip().splitlines()[-1:]}"]
    return ["Nsight Systems:", "", "```", *done.stdout.rstrip().splitlines(), "```"]


def bare(cp, step):
    """The step between the marks that Nsight Systems looks for."""
    for _ in range(3):
        step()
    cp.cuda.get_current_stream().synchronize()
    cp.cuda.profiler.start()
    step()
    cp.cuda.get_current_stream().synchronize()
    cp.cuda.profiler.stop()


def main():
    """Read the command line, print or write the report."""
    from benchmarks import gpu

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--step", default=STEP, choices=gpu.OPERATIONS, metavar="NAME")
    parser.add_argument("--grid", type=int, default=gpu.SIZES.large, help="n of the n × n grid")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report there, too")
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--stand-in", action="store_true", help="see whether it runs; no GPU")
    args = parser.parse_args()
    cp, real = get_cupy(args.stand_in), not args.stand_in
    n = args.grid if real else 8
    sizes = gpu.SIZES._replace(large=n, middle=n, small=n)
    operation = gpu.OPERATIONS[args.step](sizes if real else sizes._replace(schwarz=12))
    step = gpu.with_gradients(operation, tuple(map(gpu.moved, operation.operands)))
    if args.bare:
        bare(cp, step)
        return
    lines = [where(cp, real), "", f"{args.step}, value and gradient"]
    if hasattr(operation.operands[0], "nnz"):
        lines[-1] += f", {operation.operands[0].nnz} stored entries"
    lines.append("")
    print(*lines, sep="\n", flush=True)
    for line in profile(cp, real, step):
        if isinstance(line, int):
            moved = line
            continue
        print(line, flush=True)
        lines.append(line)
    if real:
        more = ["", *of_nsight(["--step", args.step, "--grid", str(n)])]
        print(*more, sep="\n")
        lines += more
    if args.report:
        args.report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.exit(f"{moved} copies or waits in a step" if moved else 0)


if __name__ == "__main__":
    main()
