"""Operands that many tests use."""

import pytest
from cases import numbers, regular


@pytest.fixture
def A():
    """A well-conditioned, clearly non-symmetric 5 × 5 csr array."""
    return regular("csr", "array", "float64")


@pytest.fixture
def x():
    """A vector for it."""
    return numbers(5, "float64", 1)
