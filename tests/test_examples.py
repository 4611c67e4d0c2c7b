"""The examples run as a user runs them at their small sizes, and their numbers hold."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("[!_]*.py"))
BY_HAND = "_by_hand"

sys.path.insert(0, str(EXAMPLES))
import _study  # noqa: E402
from _study import Adam, Study  # noqa: E402


@pytest.mark.parametrize("name", NAMES)
def test_example(name, tmp_path):
    """Each ends in assertions about its numbers, and draws its picture."""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", EXAMPLES / f"{name}.py",
         "--pictures", tmp_path],
        capture_output=True, text=True, timeout=300, check=False, encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "MPLBACKEND": "Agg"}, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert any(isinstance(n, ast.Assert) for n in ast.walk(tree(name))), "asserts nothing"


def tree(name):
    """The example's syntax tree."""
    return ast.parse((EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))


def lines_by_hand(name):
    """Lines of code in the bodies of the functions called …_by_hand."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    lines = 0
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef) and node.name.endswith(BY_HAND):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            text = source[body[0].lineno - 1 : node.end_lineno]
            lines += sum(bool(t.strip()) and not t.strip().startswith("#") for t in text)
    return lines


@pytest.mark.parametrize("name", [n for n in NAMES if lines_by_hand(n)])
def test_lines_that_the_gradient_by_hand_takes(name):
    """The text says how many lines of adjoint code `grad` replaces; they are in the file."""
    text = re.sub(r"\s*\n#?\s*", " ", (EXAMPLES / f"{name}.py").read_text(encoding="utf-8"))
    (said,) = re.findall(r"by hand takes (\d+) lines", text)
    assert int(said) == lines_by_hand(name)


def descent(study, steps, stop_before=None):
    """Adam towards (1, 2), stopped in the middle of a step if asked to."""
    training = study.training(steps, x=np.zeros(2), adam=Adam(0.1), losses=[])
    for step in training:
        training.losses.append(float(np.sum((training.x - [1.0, 2.0]) ** 2)))
        if step == stop_before:
            raise KeyboardInterrupt
        training.x = training.adam(training.x, 2 * (training.x - [1.0, 2.0]))
    return training


@pytest.fixture
def state_after_every_step(tmp_path, monkeypatch):
    monkeypatch.setattr(_study, "RUNS", tmp_path)
    monkeypatch.setattr(_study.Training, "SECONDS", 0.0)


@pytest.mark.usefixtures("state_after_every_step")
def test_interrupted_training_goes_on_where_it_was():
    whole = descent(Study("whole.py", ["--full"]), 30)
    with pytest.raises(KeyboardInterrupt):
        descent(Study("stopped.py", ["--full"]), 30, stop_before=12)
    resumed = descent(Study("stopped.py", ["--full"]), 30)
    np.testing.assert_array_equal(resumed.x, whole.x)
    assert resumed.losses == whole.losses


@pytest.mark.usefixtures("state_after_every_step")
def test_interrupted_minimisation_keeps_its_parameters():
    def bowl(x):
        return float(np.sum((x - 3) ** 4)), 4 * (x - 3) ** 3

    x, losses = Study("bowl.py", ["--full"]).minimize(bowl, np.zeros(3), steps=4)
    again, more = Study("bowl.py", ["--full"]).minimize(bowl, np.zeros(3), steps=10)
    assert more[: len(losses)] == losses and len(more) == 11
    assert bowl(again)[0] < bowl(x)[0]


@pytest.mark.usefixtures("state_after_every_step")
def test_fresh_forgets_and_small_sizes_keep_nothing(tmp_path):
    descent(Study("x.py", ["--full"]), 5)
    assert descent(Study("x.py", ["--full", "--fresh"]), 3).step == 3
    descent(Study("small.py", []), 3)
    assert not list(tmp_path.glob("small*"))
