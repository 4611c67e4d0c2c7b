"""Powers: of the entries, and of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.device import on_device, to_device
from .._core.engine import primitive
from .._core.mirror import own
from .._core.traced import TracedBase, lift


@primitive(wrt=("x",))
def power(x, n):
    """Every element to a constant power, other than 0."""
    return x**n


power.keeps("x")


@power.vjp("x")
def _(g, ans, x, n):
    slope = _slope(x, n)
    if type(slope) is np.ndarray and type(g) is np.ndarray and slope.dtype == g.dtype:
        slope *= g  # it is an array of its own
        return slope
    return g * slope


@power.jvp("x")
def _(t, ans, x, n):
    return t * _slope(x, n)


def _slope(x: Any, n: Any) -> Any:
    return n * (x if n == 2 else 1.0 if n == 1 else power(x, n - 1))


def matrix_power(A: TracedBase, power: Any) -> Any:
    """A @ A @ ... @ A."""
    if not isinstance(power, (int, np.integer)) or power < 1 or A.shape[0] != A.shape[1]:
        import scipy.sparse.linalg as spla  # loaded when needed, as in SciPy

        # It raises, or makes the identity.
        identity = spla.matrix_power(A._class(A.shape, dtype=A.dtype), power)
        if power == 0:
            return to_device(own(identity)) if on_device(A) else own(identity)
    power = int(power)
    if power == 1:
        return A.copy()
    half = lift(matrix_power(A, power // 2))
    return half @ half if power % 2 == 0 else A @ (half @ half)
