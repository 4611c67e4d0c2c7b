"""The examples in the docstrings of the library's own functions run, and print what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module", ["_core.mirror", "linalg._determinant", "linalg._newton", "testing"]
)
def test_examples(module):
    outcome = doctest.testmod(importlib.import_module(f"scipygrad.{module}"))
    assert outcome.attempted and not outcome.failed
