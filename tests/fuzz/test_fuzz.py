"""Random programs against SciPy and against dense autograd; `python dev.py fuzz` runs many more."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scipygrad
import scipygrad.sparse as sp

from . import checks
from .operations import AVAILABLE
from .programs import GROUPS, programs

deterministic = settings(
    derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
thorough = st.integers(0, 3).map(lambda k: k == 3)


@pytest.mark.parametrize("group", range(len(GROUPS)))
@settings(deterministic, max_examples=20)
@given(data=st.data())
def test_programs(group, data):
    """Values, structure, gradients, tangents and some Hessians are right."""
    checks.check(data.draw(programs(GROUPS[group])), data.draw(thorough))


def failures_with(monkeypatch, name, defect):
    """What the checks say to programs with an operation of `scipygrad.sparse` that has a defect."""
    right, found = getattr(sp, name), []
    monkeypatch.setattr(sp, name, lambda *args, **kwargs: defect(right(*args, **kwargs)))

    @settings(deterministic, max_examples=10)
    @given(programs([o for o in AVAILABLE if o.name == name]), thorough)
    def run(program, thorough):
        try:
            checks.check(program, thorough)
        except checks.Failure as e:
            found.append(str(e))

    run()
    return found


@pytest.mark.parametrize(
    "defect, message",
    [
        (scipygrad.detach, "gradient of a: error"),
        (lambda A: (scipygrad.detach(A) * 1.5 - A * 0.5).tocoo(), "gradient of a: error"),
        (lambda A: A * 1.001, "sp.tril("),
        (lambda A: A.tocsc().tocsr(), "SciPy's a coo_"),
        (lambda A: A.astype(complex), "has dtype complex128, SciPy's float64"),
        (lambda A: A.no_such_method(), "raises AttributeError"),
    ],
    ids=["dropped", "wrong gradient", "wrong value", "class", "dtype", "raises"],
)
def test_a_defect_is_found(monkeypatch, defect, message):
    """The checks can fail."""
    assert any(message in text for text in failures_with(monkeypatch, "tril", defect))


def test_a_failing_program_runs_by_itself(monkeypatch, capsys):
    """The text of a failure ends in Python that shows the values and the gradients."""
    text = failures_with(monkeypatch, "tril", lambda A: A * 1.001)[0]
    exec(text[text.index("from functools import") :], {})
    assert len(capsys.readouterr().out.splitlines()) >= 2
