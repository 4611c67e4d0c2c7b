"""Value and gradients from 1e3 to 1e7 stored entries.

    python growth.py [--seconds 3] [--largest 7]

Prints a Markdown table: nanoseconds for each entry in units of those at 1e5, and the slope of
log(time) over log(entries), fitted over all sizes and over those from 1e5 on, where the constant
cost of a call no longer hides it. 1 is linear. SciPy's value is there to compare.
"""

import argparse
from statistics import median
from time import perf_counter

import numpy as np
from benchmarks.common import forward, value_and_gradients
from benchmarks.growth import OPERATIONS
from ratios import seconds


def measure(kind, make, sizes, budget):
    """Median seconds at each size, all sizes in turns; a small size is repeated in a turn."""
    calls = [kind(*make(size)) for size in sizes]
    for call in calls:
        call()
    times, end = [], perf_counter() + budget
    while len(times) < 5 or perf_counter() < end:
        times.append([
            median(seconds(call) for _ in range(max(1, min(20, 10**6 // size))))
            for call, size in zip(calls, sizes, strict=True)
        ])  # fmt: skip
    return [median(column) for column in zip(*times, strict=True)]


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
        for kind, what in ((value_and_gradients, "value + gradients"), (forward, "SciPy's value")):
            times = np.array(measure(kind, make, sizes, args.seconds))
            each, logs = times / sizes, np.log([sizes, times])
            slope, large = (np.polyfit(*logs[:, k:], 1)[0] for k in (0, 2))
            cells = " | ".join(f"{x:.3g}" for x in each / each[2])
            print(f"| {name}, {what} | {cells} | {slope:.2f} | {large:.2f} |", flush=True)


if __name__ == "__main__":
    main()
