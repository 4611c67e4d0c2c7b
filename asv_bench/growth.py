"""Value and gradients from 1e3 to 1e7 stored entries.

    python growth.py [--seconds 3] [--largest 7]

Prints a Markdown table: nanoseconds for each entry in units of those at 1e5, and the slope of
log(time) over log(entries), fitted over all sizes and over those from 1e5 on, where the constant
cost of a call no longer hides it. 1 is linear. SciPy's value, measured in the same turns, is there
to compare, and the ratio of both at each size.
"""

import argparse
import itertools
from statistics import median
from time import perf_counter

import numpy as np
from benchmarks.common import forward, value_and_gradients
from benchmarks.growth import OPERATIONS
from ratios import seconds

KINDS = (value_and_gradients, "value + gradients"), (forward, "SciPy's value")


def measure(make, sizes, budget):
    """Median seconds of both kinds at each size, all in turns; a small size is repeated in one."""
    problems = [make(size) for size in sizes]
    calls = [[kind(*problem) for problem in problems] for kind, _ in KINDS]
    for call in itertools.chain(*calls):
        call()
    times, end = [], perf_counter() + budget
    while len(times) < 5 or perf_counter() < end:
        times.append([
            [median(seconds(call) for _ in range(max(1, min(20, 10**6 // size))))
             for call, size in zip(row, sizes, strict=True)]
            for row in calls
        ])  # fmt: skip
    return np.median(times, axis=0)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3, help="for each row, at least 5 turns")
    parser.add_argument("--largest", type=int, default=7, help="power of ten, at least 6")
    args = parser.parse_args()

    sizes = [10**k for k in range(3, args.largest + 1)]
    header = " | ".join(f"1e{k}" for k in range(3, args.largest + 1))
    print(f"| operation | {header} | slope | from 1e5 |")
    print("|---|" + "---:|" * (len(sizes) + 2))
    for name, make in OPERATIONS.items():
        both = measure(make, sizes, args.seconds)
        for (_, what), times in zip(KINDS, both, strict=True):
            each, logs = times / sizes, np.log([sizes, times])
            slopes = (np.polyfit(*logs[:, k:], 1)[0] for k in (0, 2))
            print_row(f"{name}, {what}", each / each[2], *(f"{x:.2f}" for x in slopes))
        print_row(f"{name}, ratio", both[0] / both[1], "", "")


def print_row(name, numbers, *more):
    """One row of the table."""
    print(f"| {name} |", " | ".join([*(f"{x:.3g}" for x in numbers), *more]), "|", flush=True)


if __name__ == "__main__":
    main()
