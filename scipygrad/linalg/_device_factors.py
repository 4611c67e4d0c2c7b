"""Direct solves on a GPU: the factors that `_factor` keeps there instead of SciPy's.

Those of cuDSS where nvmath-python is installed (`_cudss`). Else CuPy's `splu` factorises on the
host and solves on the device, and so does this: the factorisation is the one that the host would
use, with the same check of its accuracy, and is kept in the same way.
"""

from __future__ import annotations

from typing import Any

import cupy as cp
import cupyx.scipy.sparse.linalg as cpl
import numpy as np

from .._backend import gpu
from .._backend.gpu.launch import refuse_other_devices
from .._backend.gpu.structure import settled
from .._core.pattern import Pattern
from ._packages import Unsuitable, takes_cudss


def has_cudss() -> bool:
    """Whether systems go to cuDSS: it is there, and nobody asked for SuperLU."""
    from ._cudss_analysis import nvmath

    return takes_cudss() and bool(nvmath())


def factors_on_device(pattern: Pattern, data: Any, check: bool) -> tuple[Any, str]:
    """Factors by cuDSS; or None and, where it might have been expected to serve, why not.

    `check`: find out now whether the matrix is singular.
    """
    if not pattern.shape[0] or not has_cudss():
        return None, ""
    from ._cudss import Factors

    try:
        factors = Factors(pattern, data)
    except Unsuitable:
        return None, "its structure is not one that cuDSS can take"
    return (None, factors.why) if check and not factors.regular() else (factors, "")


class LU:
    """Triangular factors on the device, of a matrix that was factorised on the host."""

    def __init__(self, lu: Any) -> None:
        self.lu = self._factors = settled(cpl.SuperLU(lu))

    def solve(self, b: Any, transposed: bool) -> Any:
        """x with A x = b, or Aᵀ x = b."""
        refuse_other_devices((b, self._factors.L.data))
        if not b.size:  # nothing to solve for, which cuSPARSE need not know
            return cp.zeros(b.shape, np.result_type(self._factors.L.dtype, b.dtype))
        trans = "T" if transposed else "N"
        if b.dtype.kind == "c" and self._factors.L.dtype.kind != "c":
            real, imag = (self._factors.solve(c.copy(), trans) for c in (b.real, b.imag))
            return real + 1j * imag
        return self._factors.solve(b, trans)


class Checked:
    """Factors whose solutions are refined, or given up (None), as `_factor.Checked` does it."""

    def __init__(self, host: Any, pattern: Pattern, data: Any) -> None:
        self._factors, self._norms = LU(host.factors.lu), host._norms
        self.lu = self._factors.lu
        self._data, self._rows = data, pattern if pattern.format == "csc" else pattern.T
        self._held = pattern  # a transpose does not hold it

    def solve(self, b: Any, transposed: bool) -> Any:
        """x with A x = b, or Aᵀ x = b, as exact as a backward stable method makes it."""
        if not b.size:
            return self._factors.solve(b, transposed)
        from ._factor import ACCEPTED, GOOD, REFINEMENTS

        x = self._factors.solve(b, transposed)
        r, error = self._residual(x, b, transposed)
        for _ in range(REFINEMENTS):
            if error <= GOOD or not np.isfinite(error):
                break
            x = x + self._factors.solve(r, transposed)
            r, error = self._residual(x, b, transposed)
        return x if error <= ACCEPTED else None

    def _residual(self, x: Any, b: Any, transposed: bool) -> tuple[Any, float]:
        r = b - gpu.spmm(self._data, x, self._rows.T if transposed else self._rows)
        size = self._norms[transposed] * abs(x).max(axis=0) + abs(b).max(axis=0)
        error = abs(r).max(axis=0) / cp.where(size == 0, cp.ones_like(size), size)
        return r, float(error.max()) / float(np.finfo(x.dtype).eps)


def moved(factors: Any, pattern: Pattern, data: Any) -> Any:
    """Factors made on the host, for solves on the device."""
    if factors is None:
        return None
    return Checked(factors, pattern, data) if hasattr(factors, "_norms") else LU(factors.lu)
