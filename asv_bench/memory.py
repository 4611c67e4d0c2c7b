"""Peak memory of backward passes, in units of what operands and result store.

    python memory.py [--n 256] [--only TEXT]

Prints a Markdown table. Counted is what NumPy allocates; SuperLU's factors are not, nor is a row of
work space inside a kernel.
"""

import argparse

from benchmarks.memory import operations, ratios


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=256, help="points in each direction of the grid")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has it")
    args = parser.parse_args()

    print("| operation | SciPy's value | backward pass | value + gradients, first time |")
    print("|---|---:|---:|---:|")
    warm, cases = operations(12), operations(args.n)
    for name, case in cases.items():
        if args.only in name:
            ratios(*warm[name])
            value, backward, first = ratios(*case)
            print(f"| {name} | {value:.2f} | {backward:.2f} | {first:.2f} |", flush=True)


if __name__ == "__main__":
    main()
