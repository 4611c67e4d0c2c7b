"""Where operations are not smooth.

Each function is given the plain values of an operation's operands in our run (whose structure, not
SciPy's, decides which zeros have a derivative) and says "smooth", "kink" (the rules agree on a
subgradient, differences do not) or "undefined" (they may disagree, or rounding decides).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sps

from scipygrad._core.pattern import Pattern, entries

from .operands import dense

NEAR = 1e-3


def stored(x: Any) -> np.ndarray:
    """The entries of a sparse value (duplicates summed), all elements of a dense one."""
    if not sps.issparse(x):
        return np.asarray(x)
    if x.format in ("csr", "csc", "coo", "bsr"):
        x = x.copy()
        x.sum_duplicates()
    return entries(x)


def near_zero(A: Any) -> str:
    """Of functions with a kink at zero, where they take the subgradient zero."""
    size = np.abs(stored(A))
    if ((size > 0) & (size < NEAR)).any():
        return "undefined"
    return "smooth" if size.all() else "kink"


def at_zero(A: Any) -> str:
    """Of functions that have no derivative at zero."""
    return "undefined" if (np.abs(stored(A)) < NEAR).any() else "smooth"


def at_cut(A: Any) -> str:
    """Of the complex square root: at zero, or on the negative real axis, where it jumps."""
    x = stored(A)
    cut = (x.real < 0) & (np.abs(x.imag) < NEAR)
    return "undefined" if (np.abs(x) < NEAR).any() or cut.any() else "smooth"


def near_integers(A: Any) -> str:
    """Of functions that jump at integers or in the middle between them."""
    x = stored(A)
    off = np.abs(2 * x - np.round(2 * x))
    if ((off < NEAR) & (x != 0)).any():
        return "undefined"
    return "smooth" if x.all() else "kink"


def ties(A: Any) -> str:
    """Of maxima and minima: they have to be attained once, in every row and column.

    Zeros that are not stored may be tied: no derivative goes there.
    """
    D, x = dense(A), stored(A)
    if x.size and (np.abs(x) < NEAR).any():
        return "undefined"
    x = np.sort(x.ravel())
    return "undefined" if (np.diff(x) < NEAR).any() or not D.size else "smooth"


def ties_between(A: Any, B: Any) -> str:
    """Of maxima and minima of two operands."""
    near = np.abs(dense(A) - dense(B)) < NEAR
    both_zero = (np.abs(dense(A)) == 0) & (np.abs(dense(B)) == 0)
    zeros = [x for x in (A, B) if not sps.issparse(x) or not stored(x).all()]
    return "undefined" if (near & ~both_zero).any() or (both_zero.any() and zeros) else "smooth"


def outside_triangle(A: Any, b: Any) -> str:
    """Of triangular solves: a zero stored in the other triangle has derivative zero by definition,
    since it is not read (docs/differences.md); SciPy's result does change with it."""
    i, j = Pattern.of(A).coords
    return "kink" if (i < j).any() and (i > j).any() else "smooth"


def zero_norm(A: Any) -> str:
    """Of the norm, which has no derivative at zero."""
    return "smooth" if (np.abs(stored(A)) > NEAR).any() else "undefined"
