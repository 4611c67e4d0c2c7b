"""Fixtures of the solvers' tests."""

import pytest
import scipy.sparse.linalg as scipy_linalg


@pytest.fixture
def factorisations(monkeypatch):
    """A list with one element for every factorisation that is made."""
    made = []
    original = scipy_linalg.splu

    def counted(*args, **kwargs):
        made.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(scipy_linalg, "splu", counted)
    return made
