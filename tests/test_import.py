"""What importing does, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import scipygrad

ROOT = Path(__file__).parents[1]


def fresh(code: str) -> str:
    """What `code` prints in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded_by(statement: str) -> set[str]:
    return set(fresh(f"{statement}\nimport sys\nprint(*sys.modules)").split())


@pytest.mark.parametrize("statement", ["import scipygrad", "import scipygrad.sparse"])
def test_import_does_not_load(statement):
    optional = {"cupy", "numba", "matplotlib", "scipy.sparse.csgraph", "scipy.sparse.linalg"}
    of_scipy = loaded_by("import scipy.sparse, autograd")  # older ones load csgraph themselves
    assert not optional & (loaded_by(statement) - of_scipy)


@pytest.mark.parametrize("module", ["cupy", "numba"])
def test_import_of_everything_does_not_load(module):
    assert module not in loaded_by(
        "import scipygrad.sparse.linalg, scipygrad.sparse.csgraph, scipygrad.linalg"
    )


def test_untraced_use_does_not_load_cupy():
    code = "import scipygrad.sparse as sp\nsp.eye(3).tocsr() @ sp.eye(3)"
    assert "cupy" not in loaded_by(code)


def test_traced_use_does_not_load_cupy():
    code = (
        "import autograd, scipygrad.sparse as sp\n"
        "autograd.grad(lambda A: (A @ A).sum())(sp.eye_array(3, format='csr'))"
    )
    assert "cupy" not in loaded_by(code)


NAMES = ("sparse", "sparse.linalg", "sparse.csgraph", "linalg")
ORDERS = [NAMES[i:] + NAMES[:i] for i in range(4)] + [NAMES[::-1]]


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_modules_are_imported_in_any_order(order):
    lines = [f"import scipygrad.{name} as m{i}" for i, name in enumerate(order)]
    i, j = order.index("sparse.linalg"), order.index("linalg")
    assert fresh("; ".join([*lines, f"print(m{i}.spsolve is m{j}.spsolve)"])) == "True"


@pytest.mark.parametrize("name", ["linalg", "csgraph"])
def test_submodule_is_loaded_when_asked_for(name):
    assert fresh(f"import scipygrad.sparse as sp; print(sp.{name}.__name__)") == (
        f"scipygrad.sparse.{name}"
    )


@pytest.mark.parametrize("name", ["linalg", "csgraph"])
def test_from_import_of_a_submodule(name):
    assert fresh(f"from scipygrad.sparse import {name}; print({name}.__name__)") == (
        f"scipygrad.sparse.{name}"
    )


@pytest.mark.parametrize("name", scipygrad.__all__)
def test_public_name_is_there(name):
    assert hasattr(scipygrad, name)


def test_star_import():
    printed = fresh("from scipygrad.sparse import *; print(csr_array.__module__)")
    assert printed == "scipygrad.sparse"


def test_scipy_is_left_as_it_was():
    code = (
        "import scipy.sparse as sps\nbefore = dict(vars(sps.csr_array))\n"
        "import scipygrad.sparse, scipygrad.sparse.linalg\n"
        "print(before == dict(vars(sps.csr_array)))"
    )
    assert fresh(code) == "True"


def test_scipys_results_stay_scipys():
    code = (
        "import scipygrad.sparse as sp, scipy.sparse as sps\n"
        "print(type(sps.eye_array(3).tocsr() @ sps.eye_array(3).tocsr()).__module__)"
    )
    assert fresh(code).startswith("scipy.sparse")


def test_version_is_that_of_pyproject():
    file = ROOT / "pyproject.toml"
    if not file.exists():
        pytest.skip("installed without its source")
    assert tomllib.loads(file.read_text())["project"]["version"] == scipygrad.__version__
