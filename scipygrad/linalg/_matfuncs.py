"""Functions of a matrix: so far, its whole powers."""

from __future__ import annotations

import scipy.sparse.linalg as spla

from .._core.engine import strip
from .._core.mirror import traced
from .._core.traced import lift
from ..sparse import _elementwise


@traced(spla.matrix_power, wrt=("A",))
def matrix_power(A, power):
    return _elementwise.matrix_power(lift(A), strip(power))
