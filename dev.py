"""Run the project's tasks on a machine that has only Python and pip.

    python dev.py demo        run the two examples, and draw their pictures
    python dev.py test        the tests, without the slow ones
    python dev.py test-slow   the slow ones
    python dev.py lint        ruff check, ruff format --check, mypy
    python dev.py suite       SciPy's own sparse tests, run on scipygrad
    python dev.py docs        the documentation, warnings are errors
    python dev.py bench       every benchmark once

Each makes the virtual environment `.venv` if there is none and installs what it needs there, once.
What follows the task is handed to its tool: `python dev.py test -k spsolve`.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (whoever has an older Python should read why)
    sys.exit(
        "scipygrad needs Python 3.11 or later; this is Python {}.{} ({}).\n"
        "Start dev.py with a newer one, for example: python3.11 dev.py test".format(
            sys.version_info[0], sys.version_info[1], sys.executable
        )
    )

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
BUILD = ROOT / "build"
EXAMPLES = ("jacobi_weights", "sparse_approximate_inverse")
EXTRAS = {
    "demo": ["examples"],
    "test": ["test"],
    "test-slow": ["test"],
    "lint": ["lint"],
    "suite": ["test"],
    "docs": ["docs"],
    "bench": ["bench"],
}


class Failed(Exception):
    """A command ended with a status other than 0."""

    def __init__(self, status):
        super().__init__(status)
        self.status = status


def run(*command, **options):
    """Run a command in the root of the project, showing it."""
    command = [str(part) for part in command]
    print("$ " + shlex.join(command), flush=True)
    status = subprocess.run(command, cwd=ROOT, check=False, **options).returncode
    if status:
        raise Failed(status)


class Environment:
    """A virtual environment with scipygrad (editable) and the extras asked for so far."""

    def __init__(self, folder):
        self.folder = Path(folder).absolute()
        scripts = "Scripts" if os.name == "nt" else "bin"
        self.python = self.folder / scripts / ("python.exe" if os.name == "nt" else "python")
        self.stamp = self.folder / "scipygrad-installed.json"

    def works(self, *arguments):
        """Whether its Python runs with the arguments."""
        try:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            return subprocess.run([self.python, *arguments], check=False, **quiet).returncode == 0
        except OSError:
            return False

    def create(self):
        """Make it, unless it is there and its Python still runs."""
        if self.works("-c", ""):
            return
        if self.folder.exists() and not (self.folder / "pyvenv.cfg").exists():
            if any(self.folder.iterdir()):
                sys.exit(f"{self.folder} is not a virtual environment. Choose another with --venv.")
        print(f"making the virtual environment {self.folder}", flush=True)
        try:
            venv.create(self.folder, clear=True, with_pip=True)
        except (subprocess.CalledProcessError, ImportError):
            # Debian's Python comes without ensurepip: use the pip beside this Python instead.
            venv.create(self.folder, clear=True, with_pip=False)

    def pip(self):
        """The command that installs into it."""
        if self.works("-m", "pip", "--version"):
            return [self.python, "-m", "pip"]
        beside = [sys.executable, "-m", "pip"]
        if subprocess.run([*beside, "--version"], stdout=subprocess.DEVNULL, check=False).returncode:
            sys.exit(
                f"There is no pip for {sys.executable}. Install it (on Debian and Ubuntu: "
                "apt install python3-pip, or python3-venv), then start again."
            )
        return [*beside, "--python", self.python]

    def install(self, extras):
        """Install the project with the extras, unless that was done for this pyproject.toml."""
        content = (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
        content += os.environ.get("PIP_CONSTRAINT", "").encode()
        key = hashlib.sha256(content).hexdigest()
        done = []
        if self.stamp.exists():
            stamp = json.loads(self.stamp.read_text())
            done = stamp["extras"] if stamp["key"] == key else []
        wanted = sorted({*done, *extras})
        if wanted == done:
            return
        what = f"{ROOT}[{','.join(wanted)}]"
        try:
            run(*self.pip(), "install", "--quiet", "--disable-pip-version-check", "-e", what)
        except Failed as error:
            sys.exit(
                f"pip could not install scipygrad with {', '.join(wanted)} (status {error.status}); "
                "its message is above. Without a network, set PIP_INDEX_URL or PIP_FIND_LINKS."
            )
        self.stamp.write_text(json.dumps({"key": key, "extras": wanted}))


def demo(python, rest):
    """Run the examples and say where their pictures are."""
    folder = BUILD / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for name in EXAMPLES:
        print(f"\n--- {name} ---", flush=True)
        pictures.append(folder / f"{name}.png")
        run(python, f"examples/{name}.py", "--plot", pictures[-1], *rest)
    print("\nPictures:", *pictures, sep="\n  ")


def test(python, rest):
    """The tests that take no more than a few seconds each, on two processes."""
    run(python, "-m", "pytest", "-n", "2", "-m", "not slow", *rest)


def test_slow(python, rest):
    """The slow tests."""
    run(python, "-m", "pytest", "-n", "2", "-m", "slow", *rest)


def lint(python, rest):
    """Style, format and types; all are run, whatever the first says."""
    status = 0
    for command in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        try:
            run(python, "-m", *command, *rest)
        except Failed as error:
            status = error.status
    if status:
        raise Failed(status)


def suite(python, rest):
    """SciPy's own tests, their imports changed to scipygrad."""
    BUILD.mkdir(exist_ok=True)
    failures = BUILD / "scipy_suite_failures.txt"
    script = "tools/scipy_suite/scipy_suite.py"
    run(python, script, "--path", ROOT, "--list-failures", failures, *rest)


def docs(python, rest):
    """The documentation in HTML."""
    target = BUILD / "docs"
    shutil.rmtree(target, ignore_errors=True)
    run(python, "-m", "sphinx", "-W", "--keep-going", "-b", "html", *rest, "docs", target)
    print(f"open {target / 'index.html'}")


def bench(python, rest):
    """Every benchmark once, on the environment's own Python; results are shown, not kept."""
    options = ["--config", "asv_bench/asv.conf.json", "--python", "same"]
    run(python, "-m", "asv", "check", *options)
    run(python, "-m", "asv", "machine", "--yes", *options[:2], stdout=subprocess.DEVNULL)
    run(python, "-m", "asv", "run", *options, "--quick", "--dry-run", "--show-stderr", *rest)


TASKS = {
    "demo": demo,
    "test": test,
    "test-slow": test_slow,
    "lint": lint,
    "suite": suite,
    "docs": docs,
    "bench": bench,
}


def main():
    """Parse the command line and run one task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--venv",
        default=os.environ.get("SCIPYGRAD_VENV") or ROOT / ".venv",
        metavar="DIR",
        help="the virtual environment (default: $SCIPYGRAD_VENV, else .venv)",
    )
    parser.add_argument("task", choices=TASKS)
    options, rest = parser.parse_known_args()

    environment = Environment(options.venv)
    environment.create()
    environment.install(EXTRAS[options.task])
    try:
        TASKS[options.task](environment.python, rest)
    except Failed as error:
        print(f"python dev.py {options.task}: failed (status {error.status})", file=sys.stderr)
        return error.status if error.status > 0 else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
