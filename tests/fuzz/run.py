"""Many random programs, in several processes: `python dev.py fuzz`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz import checks  # noqa: E402 (after the path)
from fuzz.operations import AVAILABLE  # noqa: E402
from fuzz.programs import GROUPS, programs  # noqa: E402

CHUNK = 40
"""Programs for one seed: hypothesis varies what it has tried, so that many seeds find more."""


def run_chunk(number: int, size: int) -> tuple[Counter[str], Counter[str], str]:
    """How many programs went in which way, the operations in them, and the text of a failure."""
    outcomes: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    failed = False

    @seed(number)
    @settings(max_examples=size, deadline=None, database=None, print_blob=False,
              report_multiple_bugs=False, suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(programs(GROUPS[number % len(GROUPS)]), st.integers(0, 3))
    def run(program, k):
        nonlocal failed
        try:
            outcome = checks.check(program, thorough=k == 3)
        except checks.Failure:
            failed = True
            raise
        if not failed:  # afterwards, hypothesis only looks for a simpler program that fails
            outcomes[outcome] += 1
            operations.update(s.operation.name for s in program.statements)

    try:
        run()
    except checks.Failure as e:
        return outcomes, operations, f"seed {number}: {e}"
    except FlakyFailure as e:  # it did not happen again
        return outcomes, operations, f"seed {number}, once only: {e.exceptions[0]}"
    return outcomes, operations, ""


def main() -> int:
    """Run the programs, print what failed and a closing line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=20_000, help="how many (default: 20000)")
    parser.add_argument("--seed", type=int, default=0, help="another one makes other programs")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    args = parser.parse_args()
    outcomes: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    failures = 0
    number, shown = args.seed * 1_000_000, time.monotonic()
    with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
        running = set()
        while running or outcomes.total() + failures < args.programs:
            missing = args.programs - outcomes.total() - failures - CHUNK * len(running)
            if missing > 0 and len(running) < 2 * args.workers:
                running.add(pool.submit(run_chunk, number, min(CHUNK, missing)))
                number += 1
                continue
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for chunk in done:
                went, used, failure = chunk.result()
                outcomes += went
                operations += used
                if failure:
                    failures += 1
                    print(f"\n---- {failure}\n", flush=True)
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(f"{outcomes.total()} programs, {failures} failures", flush=True)
    for outcome, count in outcomes.most_common():
        print(f"{count:>8} {outcome}")
    rarest = min(AVAILABLE, key=lambda o: operations[o.name]).name
    print(f"{len(AVAILABLE)} operations, the rarest ({rarest}) in {operations[rarest]} programs")
    print(f"{outcomes.total() + failures} programs, {failures} failures")
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
