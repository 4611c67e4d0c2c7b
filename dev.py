#!/usr/bin/env python3
"""One command per job, with its set-up: needs Python (3.11 or newer) and pip, nothing else.

    python dev.py [--venv DIR] [--pin REQUIREMENT] COMMAND [arguments for the program it runs]

The first run makes the virtual environment `.venv` (or DIR, or $SCIPYGRAD_VENV) and installs
scipygrad there in editable mode with what the command needs; later runs start at once.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent


class Environment:
    """A virtual environment, filled as far as the commands need it."""

    def __init__(self, folder, pins):
        self.folder = folder
        self.pins = pins
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def run(self, *arguments, **options):
        """Run the environment's Python in the repository's root; stop if it fails."""
        command = [str(self.python), *map(str, arguments)]
        status = subprocess.run(command, cwd=ROOT, check=False, **options).returncode
        if status:
            print(f"== failed ({status}): {' '.join(command)}", file=sys.stderr, flush=True)
            sys.exit(status if status > 0 else 1)

    def make(self):
        """An empty environment, with pip where this Python can put it there."""
        say(f"making {self.folder}")
        try:
            venv.create(self.folder, with_pip=True)
        except (subprocess.CalledProcessError, ImportError):  # Debian's Python has no ensurepip
            venv.create(self.folder, with_pip=False, clear=True)

    def pip(self):
        """The start of a pip command: the environment's pip, or else the one beside this Python."""
        try:
            own = [str(self.python), "-m", "pip"]
            subprocess.run([*own, "--version"], check=True, capture_output=True)
            return own
        except subprocess.CalledProcessError:
            return [sys.executable, "-m", "pip", "--python", str(self.python)]

    def need(self, *extras):
        """Install scipygrad with these extras, unless the stamp file says that it is done."""
        if not self.python.exists():
            self.make()
        configuration = (ROOT / "pyproject.toml").read_bytes()
        wanted = [str(ROOT), sys.version, *self.pins, *extras]
        stamp = hashlib.sha256(configuration + "\n".join(wanted).encode()).hexdigest()
        stamps = self.folder / "scipygrad-installed.txt"
        if stamps.exists() and stamp in stamps.read_text().split():
            return
        say(f"installing scipygrad[{','.join(extras)}] into {self.folder}")
        command = [*self.pip(), "install", "--quiet", "--disable-pip-version-check",
                   "--editable", f".[{','.join(extras)}]", *self.pins]  # fmt: skip
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            sys.exit("== pip could not install what is needed; its message is above")
        with stamps.open("a") as file:
            file.write(stamp + "\n")


def demo(env, arguments):
    """two examples with known answers; the pictures go to pictures/"""
    examples(env, ["jacobi_weights", "sparse_approximate_inverse", *arguments])


def examples(env, arguments):
    """the examples named, or all, small or --full; the pictures go to pictures/"""
    env.need("examples")
    known = sorted(p.stem for p in (ROOT / "examples").glob("[!_]*.py"))
    names = [a.removesuffix(".py") for a in arguments if not a.startswith("-")]
    if unknown := sorted(set(names) - set(known)):
        sys.exit(f"== no example {', '.join(unknown)}; there are {', '.join(known)}")
    for name in names or known:
        say(f"examples/{name}.py")
        env.run(f"examples/{name}.py", *(a for a in arguments if a.startswith("-")))


def test(env, arguments):
    """the tests, without the slow ones"""
    env.need("test")
    env.run("-m", "pytest", "-n", "2", "-m", "not slow", *arguments)


def gpu(env, arguments):
    """tests, benchmarks and a profile on a GPU, with a report in gpu-report.md"""
    stand_in = [a for a in arguments if a == "--stand-in"]
    for_pytest = [a for a in arguments if a != "--stand-in"]
    env.pins = [*env.pins, *(() if stand_in else ("cupy-cuda12x[ctk]>=14.2",))]  # CUDA's libraries
    try:
        env.need("test", *(() if stand_in else ("gpu", "gpu-direct")))
    except SystemExit:
        say("without cuDSS, whose extra gpu-direct cannot be installed here")
        env.need("test", "gpu")
    report, failed = Report(ROOT / "gpu-report.md"), 0
    for title, fenced, *command in (
        ("Versions", True, "-c", VERSIONS),
        ("Tests", True, "-m", "pytest", "-m", "gpu", "tests/gpu", *for_pytest),
        ("Benchmarks", False, "asv_bench/gpu.py", *stand_in),
        ("Profile of one step", False, "asv_bench/gpu_profile.py", *stand_in),
    ):
        say(title)
        failed = report.add(title, fenced, [env.python, *command]) or failed
    say(f"report: {report.file}")
    if failed:
        sys.exit(failed)


VERSIONS = """from importlib import metadata
for name in ("scipygrad", "numpy", "scipy", "autograd", "cupy-cuda12x", "nvmath-python"):
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        print(name, "is not installed")"""


class Report:
    """A file in Markdown of what programs print, and of which of them failed."""

    def __init__(self, file):
        self.file = file
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        file.write_text(f"# scipygrad on a GPU\n\n{when}, `python dev.py gpu`\n", encoding="utf-8")

    def add(self, title, fenced, command):
        """Run a program; its output is shown, and written down. Returns its status."""
        lines = []
        with (
            tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
            subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE,
                             stderr=errors, text=True, encoding="utf-8") as program,
        ):  # fmt: skip
            for line in program.stdout:
                print(line, end="", flush=True)
                lines.append(line.rstrip())
            status = program.wait()
            errors.seek(0)
            said = errors.read().splitlines()
        text = ["```", *lines, "```"] if fenced else lines
        if status:
            print(*said, sep="\n", file=sys.stderr, flush=True)
            text = [f"**Failed, with status {status}.**", "", *text, "", "```", *said[-30:], "```"]
        with self.file.open("a", encoding="utf-8") as file:
            print("", f"## {title}", "", *text, sep="\n", file=file)
        return status if status >= 0 else 1


def slow(env, arguments):
    """the slow tests"""
    env.need("test")
    env.run("-m", "pytest", "-n", "2", "-m", "slow", *arguments)


def fuzz(env, arguments):
    """random programs, 20000 of them or as many as --programs says"""
    env.need("test")
    env.run("tests/fuzz/run.py", *arguments)


def style(env, arguments):
    """ruff"""
    env.need("lint")
    env.run("-m", "ruff", "check", *(arguments or ["."]))
    env.run("-m", "ruff", "format", "--check", *(arguments or ["."]))


def types(env, arguments):
    """mypy"""
    env.need("lint")
    env.run("-m", "mypy", *arguments)


def lint(env, arguments):
    """ruff and mypy"""
    style(env, arguments)
    types(env, arguments)


def suite(env, arguments):
    """SciPy's own sparse test suite, run against scipygrad"""
    env.need("test")
    env.run("tools/scipy_suite/scipy_suite.py", "--path", ".", *arguments)


def docs(env, arguments):
    """the documentation, into docs/_build/html"""
    env.need("docs", "examples")
    env.run("-m", "sphinx", "-W", "--keep-going", *arguments, "docs", "docs/_build/html")
    say("open docs/_build/html/index.html")


def bench(env, arguments):
    """every benchmark once, quickly, with this environment's Python"""
    env.need("bench", "test")
    configuration = ("--config", "asv_bench/asv.conf.json")
    env.run("-m", "asv", "machine", "--yes", *configuration, stdout=subprocess.DEVNULL)
    env.run("-m", "asv", "run", "--quick", "--dry-run", "--show-stderr", "--python=same",
            "--launch-method=forkserver", *configuration, *arguments)  # fmt: skip


COMMANDS = {
    f.__name__: f
    for f in (demo, examples, test, gpu, slow, fuzz, lint, style, types, suite, docs, bench)
}


def say(text):
    """Print a line at once, before what the programs print."""
    print(f"== {text}", flush=True)


def main():
    """Read the command line, run the command."""
    if sys.version_info < (3, 11):  # noqa: UP036 (run before anything checks the version)
        sys.exit("scipygrad needs Python 3.11 or newer")
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n" + "\n".join(f"  {k:<8} {f.__doc__}" for k, f in COMMANDS.items()),
    )
    parser.add_argument("--venv", metavar="DIR", type=Path,
                        default=os.environ.get("SCIPYGRAD_VENV") or ROOT / ".venv",
                        help="virtual environment (default: $SCIPYGRAD_VENV or .venv)")  # fmt: skip
    parser.add_argument("--pin", metavar="REQUIREMENT", action="append", default=[],
                        help="install this too, as in --pin scipy==1.17.1")  # fmt: skip
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    start = time.monotonic()
    COMMANDS[args.command](Environment(Path(args.venv).absolute(), args.pin), args.arguments)
    say(f"{args.command}: done in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
