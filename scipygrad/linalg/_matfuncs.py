"""Whole powers of a matrix. Its exponential, and f(A) b: `_expm`, `_expm_multiply`, `_funm`."""

from __future__ import annotations

import operator
from contextlib import suppress

import scipy.sparse.linalg as spla

from .._core.engine import strip
from .._core.mirror import traced
from .._core.traced import lift
from ..sparse import _power


@traced(spla.matrix_power, wrt=("A",), note="power is a whole number", gpu=True)
def matrix_power(A, power):
    power = strip(power)
    with suppress(TypeError):  # if it is no whole number, SciPy's exception comes
        power = operator.index(power)
    return _power.matrix_power(lift(A), power)
