"""Triangular solves: the implicit rule on one triangle of A."""

from __future__ import annotations

import warnings
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._backend import backend
from .._core.engine import is_sparse, strip
from .._core.mirror import traced
from .._core.pattern import Pattern
from .._core.traced import TracedBase, entries_to_keep, lift
from ._factor import as_csc_array, as_dtype, canonical, dense, factor_dtype
from ._implicit import Solver, solve


class Substitution(Solver):
    """Forward or backward substitution."""

    def __init__(self, pattern: Pattern, lower: bool, unit: bool) -> None:
        self.pattern, self.lower, self.unit = pattern, lower, unit

    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        x = backend(data, b).solve_triangular(
            data, *self.pattern.arrays, b.reshape(len(b), -1),
            lower=self.lower != transposed, unit=self.unit,
            by_rows=(self.pattern.format == "csr") != transposed,
        )  # fmt: skip
        return x.reshape(b.shape)

    def on_entries(self, entries: Any) -> Any:
        used = self.pattern.plan(("triangle", self.lower, self.unit), self._used)
        return entries if used is None else anp.where(used, entries, np.zeros(1, entries.dtype))

    def outside(self) -> np.ndarray:
        """Which entries are outside the triangle."""
        i, j = self.pattern.coords
        return i < j if self.lower else i > j

    def _used(self) -> np.ndarray | None:
        """Which entries are read; None for all."""
        used = ~self.outside()
        if self.unit:
            i, j = self.pattern.coords
            used &= i != j
        return None if used.all() else used


@traced(
    spla.spsolve_triangular,
    wrt=("A", "b"),
    note="a triangular A; with unit_diagonal its diagonal is not read",
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
    _check(A, strip(data), solver)
    divided = np.float32 if unit_diagonal or given.kind in "fc" else np.float64  # by the diagonal
    dtype = np.result_type(A.dtype, anp.result_type(b), divided)
    return solve(as_dtype(data, factor_dtype(A.dtype, dtype)), as_dtype(b, dtype), solver)


def _check(A: TracedBase, data: np.ndarray, solver: Substitution) -> None:
    if not solver.unit and not A._pattern.view(data).diagonal().all():
        raise np.linalg.LinAlgError("A is singular: zero entry on diagonal.")
    if data[solver.outside()].any():
        here, take = ("above", "tril") if solver.lower else ("below", "triu")
        raise np.linalg.LinAlgError(
            f"spsolve_triangular: A has entries {here} the diagonal, with lower={solver.lower}. "
            f"SciPy's result would be that of no triangle of A. Take one: {take}(A)."
        )
