"""Solves on a GPU: what `_factor`, `_triangular` and `_krylov` call there instead of SciPy.

CuPy's `splu` factorises on the host and solves on the device; so does this. The factorisation is
the one that the host would use, with the same check of its accuracy, and is kept in the same way.
"""

from __future__ import annotations

from typing import Any

import cupy as cp
import cupyx.scipy.sparse.linalg as cpl
import numpy as np

from .._backend import gpu
from .._core.layout import DEVICE_MATRICES
from .._core.pattern import Pattern
from .._core.traced import entries_of, lift
from ..sparse._convert import as_format

METHODS = ("cg", "cgs", "gmres", "bicgstab", "minres")
"""Iterative methods that CuPy has with SciPy's meaning; the others run on the host."""


# ---- factors ---------------------------------------------------------------------------------


class LU:
    """Triangular factors on the device, of a matrix that was factorised on the host."""

    def __init__(self, lu: Any) -> None:
        self.lu = self._factors = cpl.SuperLU(lu)

    def solve(self, b: Any, transposed: bool) -> Any:
        """x with A x = b, or Aᵀ x = b."""
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
        A = gpu.matrix(pattern, data)
        self._A = A if pattern.format == "csc" else A.T

    def solve(self, b: Any, transposed: bool) -> Any:
        """x with A x = b, or Aᵀ x = b, as exact as a backward stable method makes it."""
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
        r = b - (self._A.T if transposed else self._A) @ x
        size = self._norms[transposed] * abs(x).max(axis=0) + abs(b).max(axis=0)
        error = abs(r).max(axis=0) / cp.where(size == 0, cp.ones_like(size), size)
        return r, float(error.max()) / float(np.finfo(x.dtype).eps)


def moved(factors: Any, pattern: Pattern, data: Any) -> Any:
    """Factors made on the host, for solves on the device."""
    if factors is None:
        return None
    return Checked(factors, pattern, data) if hasattr(factors, "_norms") else LU(factors.lu)


# ---- substitution ----------------------------------------------------------------------------


def substitute(pattern: Pattern, data: Any, b: Any, lower: bool, unit: bool, flip: bool) -> Any:
    """Forward or backward substitution with a triangular matrix, or (`flip`) its transpose."""
    i, j = pattern.coords
    if (i < j if lower else i > j).any():
        here, take = ("above", "tril") if lower else ("below", "triu")
        raise np.linalg.LinAlgError(
            f"spsolve_triangular: A has entries {here} the diagonal, with lower={lower}. "
            f"Take a triangle: {take}(A)."
        )
    if not unit:
        diagonal = gpu.matrix(pattern, data).diagonal()
        if diagonal.size and bool((diagonal == 0).any()):
            raise np.linalg.LinAlgError("A is singular: zero entry on diagonal.")
    dtype = np.result_type(data.dtype, b.dtype)
    A = gpu.matrix(pattern, data.astype(dtype, copy=False))
    x = cpl.spsolve_triangular(
        A.T if flip else A, b.astype(dtype, copy=False), lower=lower != flip, unit_diagonal=unit
    )
    return x.astype(dtype, copy=False)  # CuPy returns float32 as float64


# ---- iterations ------------------------------------------------------------------------------


def iterate(method: Any, A: Any, b: Any, rtol: float, **options: Any) -> tuple[Any, int]:
    """SciPy's iterative method by CuPy's of the same name."""
    name = method.__name__
    M = options.pop("M", None)
    if M is not None:
        options["M"] = cupy_matrix(M)
    if name == "minres":  # CuPy's takes `tol`, and `rtol` in no version
        options["tol"] = rtol
    else:
        options["rtol"] = rtol
    options = {k: v for k, v in options.items() if v is not None}
    return getattr(cpl, name)(cupy_matrix(A), b, **options)


def cupy_matrix(A: Any) -> Any:
    """A matrix on the device as one of CuPy's, in csr or csc."""
    if DEVICE_MATRICES.get(type(A)) is None:
        return A
    B = lift(A) if A.format in ("csr", "csc") else as_format(lift(A), "csr")
    return gpu.matrix(B._pattern, entries_of(B))
