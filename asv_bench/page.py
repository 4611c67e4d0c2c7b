"""Measure, and put the tables into docs/performance.md.

    python page.py [--seconds S] [TABLE ...]

Without names, all tables. Each is what the script of that name prints. `peers` wants the extra
`peers`; the scripts whose rows take seconds take S of them.
"""

import argparse
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "performance.md"
TABLES = (
    "ratios", "solves", "overhead_table", "limit", "memory", "growth", "steps", "schwarz_table",
    "peers",
)  # fmt: skip
UNTIMED = {
    "memory": [],
    "schwarz_table": [],
    "overhead_table": ["--classes", "all", "--above", "1"],
}
PACKAGES = ["numpy", "scipy", "autograd", "numba"]
PEERS = ["jax", "torch", "torch-sla"]


def run(table, seconds):
    """What a script prints."""
    command = [sys.executable, f"{table}.py"]
    command += UNTIMED.get(table, ["--seconds", seconds] if seconds else [])
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, cwd=HERE, env=os.environ | {"PYTHONPATH": path}, check=True, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    return done.stdout.strip()


def machine(table):
    """Cores and versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    packages = PACKAGES + (PEERS if table == "peers" else [])
    versions = [f"{name} {_version(name)}" for name in packages]
    python = f"Python {platform.python_version()}"
    return f"*{cores} cores, {platform.machine()}; {', '.join([python, *versions])}.*"


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def replace(page, table, text):
    """The page with this table's text between its marks."""
    begin, end = f"<!-- begin {table} -->\n", f"<!-- end {table} -->"
    before, rest = page.split(begin)
    return f"{before}{begin}\n{text}\n\n{end}{rest.split(end)[1]}"


def main():
    """Measure each table and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], metavar="TABLE")
    parser.add_argument("--seconds", help="for each row")
    args = parser.parse_args()
    for table in args.tables or TABLES:
        print(f"== {table}", flush=True)
        text = f"{run(table, args.seconds)}\n\n{machine(table)}"
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(replace(page, table, text), encoding="utf-8")


if __name__ == "__main__":
    main()
