"""Triangular solves: the implicit rule on one triangle of A."""

from __future__ import annotations

import warnings
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._core.device import on_device, placed_as, refuse_mixed
from .._core.engine import is_sparse
from .._core.layout import DEVICE_ARRAYS
from .._core.mirror import traced
from .._core.pattern import Pattern
from .._core.traced import entries_to_keep, lift
from ._factor import SMALL, as_csc_array, as_dtype, canonical, dense, factor_dtype
from ._implicit import Solver, solve


class Substitution(Solver):
    """Forward or backward substitution."""

    def __init__(self, pattern: Pattern, lower: bool, unit: bool) -> None:
        self.pattern, self.lower, self.unit = pattern, lower, unit
        self._checked = False

    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        x, met = self._substitute(data, b, transposed)
        if met:
            self._refuse(met)
        return x

    def _refuse(self, met: int) -> None:
        from .._backend.elimination import OUTSIDE, SINGULAR

        if met == SINGULAR:
            raise np.linalg.LinAlgError("A is singular: zero entry on diagonal.")
        if met & OUTSIDE:
            here, take = ("above", "tril") if self.lower else ("below", "triu")
            raise np.linalg.LinAlgError(
                f"spsolve_triangular: A has entries {here} the diagonal, with lower={self.lower}. "
                f"SciPy's result would be that of no triangle of A. Take one: {take}(A)."
            )

    def _substitute(self, data: Any, b: Any, transposed: bool) -> tuple[Any, int]:
        if type(data) in DEVICE_ARRAYS or type(b) in DEVICE_ARRAYS:
            refuse_mixed((data, b))
            from .._backend.gpu.triangular import substitute as on_gpu

            # Further solves, of derivatives, are with the same values.
            known, self._checked = self._checked, True
            return on_gpu(self.pattern, data, b, self.lower, self.unit, transposed, known)
        from .._backend.elimination import substitute

        indptr, indices = self.pattern.arrays
        return substitute(
            data, indptr, indices, b,
            lower=self.lower != transposed, unit=self.unit,
            by_rows=(self.pattern.format == "csr") != transposed,
        )  # fmt: skip

    def on_entries(self, entries: Any) -> Any:
        used = self.pattern.plan(("triangle", self.lower, self.unit), self._used)
        if used is None:
            return entries
        if on_device(entries):
            from .._backend.gpu.structure import kept

            name = f"triangle {self.lower} {self.unit}"
            mask = kept(self.pattern, name, lambda: placed_as(used, entries))
            return anp.where(mask, entries, 0.0)
        return anp.where(used, entries, np.zeros(1, entries.dtype))

    def _used(self) -> np.ndarray | None:
        """Which entries are read; None for all."""
        i, j = self.pattern.coords
        used = i >= j if self.lower else i <= j
        if self.unit:
            used &= i != j
        return None if used.all() else used


def _scipys_or_faster(A, b, lower=True, overwrite_A=False, overwrite_b=False, unit_diagonal=False):
    """SciPy's `spsolve_triangular`, by our substitution where all is in order.

    Values are SciPy's to rounding; warnings and errors come from SciPy's function itself.
    """
    x = _substituted(A, b, bool(lower), bool(unit_diagonal))
    if x is None:
        return spla.spsolve_triangular(A, b, lower, overwrite_A, overwrite_b, unit_diagonal)
    return x


def _substituted(A: Any, b: Any, lower: bool, unit: bool) -> np.ndarray | None:
    """A⁻¹ b of a triangular matrix, if nothing is out of order."""
    if not (sps.issparse(A) and A.format in ("csr", "csc") and A.dtype.char in "fdFD"):
        return None
    if len(A.shape) != 2 or A.shape[0] != A.shape[1] or A.shape[0] < SMALL:
        return None
    b = np.asanyarray(b)
    if type(b) is not np.ndarray or b.dtype.kind not in "biufc" or b.ndim not in (1, 2):
        return None
    dtype = np.promote_types(A.dtype, b.dtype)
    if b.shape[0] != A.shape[0] or 0 in b.shape or factor_dtype(A.dtype, b.dtype) != A.dtype:
        return None
    from .._backend.elimination import substitute

    # Read-only arrays would have kernels of their own.
    data, indptr, indices = (
        a if a.flags.writeable else a.copy() for a in (A.data, A.indptr, A.indices)
    )
    x, met = substitute(
        data,
        indptr,
        indices,
        b.astype(dtype, copy=False),
        lower=lower,
        unit=unit,
        by_rows=A.format == "csr",
    )
    return None if met else np.asfortranarray(x)  # as SciPy's is


@traced(
    spla.spsolve_triangular,
    wrt=("A", "b"),
    note="a triangular A; with unit_diagonal its diagonal is not read",
    untraced=_scipys_or_faster,
    gpu=True,
)
def spsolve_triangular(A, b, lower=True, overwrite_A=False, overwrite_b=False, unit_diagonal=False):
    if not is_sparse(A) or A.format not in ("csc", "csr"):
        warnings.warn("CSC or CSR matrix format is required. Converting to CSC matrix.",
                      sps.SparseEfficiencyWarning, stacklevel=3)  # fmt: skip
        A = as_csc_array(A)
    given, A = A.dtype, canonical(lift(A))
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"A must be a square matrix but its shape is {A.shape}.")
    b = dense(b)
    if anp.ndim(b) not in (1, 2):
        raise ValueError(f"b must have 1 or 2 dims but its shape is {anp.shape(b)}.")
    if anp.shape(b)[0] != A.shape[0]:
        raise ValueError(
            "The size of the dimensions of A must be equal to the size of the first dimension of "
            f"b but the shape of A is {A.shape} and the shape of b is {anp.shape(b)}."
        )
    solver = Substitution(A._pattern, bool(lower), bool(unit_diagonal))
    data = entries_to_keep(A)
    divided = np.float32 if unit_diagonal or given.kind in "fc" else np.float64  # by the diagonal
    dtype = np.result_type(A.dtype, anp.result_type(b), divided)
    return solve(as_dtype(data, factor_dtype(A.dtype, dtype)), as_dtype(b, dtype), solver)
