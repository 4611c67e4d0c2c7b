"""Factorisations: which one is made of a matrix, how far it is trusted, how long it is kept.

SciPy's default orders columns for a matrix of any structure (COLAMD, partial pivoting). Where the
structure is symmetric and the diagonal is not small, ordering A + Aᵀ and taking pivots from the
diagonal gives much sparser factors, at a risk for accuracy. So the solutions are checked: refined
if they are not as accurate as partial pivoting makes them, and if that does not help, the default
factorisation is made after all. The same holds for factors of other packages.
"""

from __future__ import annotations

import warnings
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla

from .._core.device import host, namespace, on_device
from .._core.engine import cast, contains_traced, is_sparse, isbox
from .._core.errors import HostWarning
from .._core.layout import DEVICE_ARRAYS
from .._core.pattern import Pattern
from .._core.tags import Gather, coalesced, gather
from .._core.traced import TracedBase, entries_of, lift, make
from ..sparse._convert import as_family, as_format
from ..sparse._convert import transposed as as_transposed
from ._implicit import Solver
from ._packages import Unsuitable

SYMMETRIC: dict[str, Any] = {
    "permc_spec": "MMD_AT_PLUS_A",
    "diag_pivot_thresh": 1e-3,  # above this, relative to its column, a diagonal entry is a pivot
    "options": {"SymmetricMode": True},
}
SMALL = 1000  # rows; below, no choice is worth its cost
GOOD, ACCEPTED = 8, 64  # backward errors, in units of the machine precision
REFINEMENTS = 2


class LU:
    """SuperLU's factors of A, for right sides of any dtype."""

    def __init__(self, lu: Any, complex_: bool) -> None:
        self.lu, self.complex = lu, complex_

    def solve(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, or Aᵀ x = b."""
        return self.solve_for(b, "T" if transposed else "N")

    def solve_for(self, b: np.ndarray, trans: str) -> np.ndarray:
        """The same in SuperLU's terms."""
        b = np.asarray(b)
        if b.dtype.kind != "c" or self.complex:
            return self.lu.solve(np.asarray(b, order="F"), trans)
        real, imag = (self.lu.solve(np.asfortranarray(c), trans) for c in (b.real, b.imag))
        return real + 1j * imag


class Checked:
    """Factors of A whose pivots may be small: a solution is refined, or given up (None)."""

    def __init__(self, A: Any, factors: Any, norms: tuple[float, float] | None = None) -> None:
        self._A, self.factors = A, factors
        self._norms = norms or _sizes(A)[1]  # of A and of Aᵀ

    def solve(self, b: np.ndarray, transposed: bool) -> np.ndarray | None:
        """x with A x = b, or Aᵀ x = b, as exact as a backward stable method makes it."""
        x = self.unchecked(b, transposed)
        r, error = self.residual(x, b, transposed)
        for _ in range(REFINEMENTS):
            if error <= GOOD or not np.isfinite(error):
                break
            x = x + self.unchecked(r, transposed)
            r, error = self.residual(x, b, transposed)
        return x if error <= ACCEPTED else None

    def residual(self, x: np.ndarray, b: np.ndarray, transposed: bool) -> tuple[np.ndarray, float]:
        """b - A x, and the backward error: its size in units of ε (‖A‖ ‖x‖ + ‖b‖)."""
        r = b - (as_transposed(self._A) if transposed else self._A) @ x
        size = self._norms[transposed] * abs(x).max(axis=0) + abs(b).max(axis=0)
        error = abs(r).max(axis=0) / np.where(size == 0, 1, size)
        return r, float(np.max(error, initial=0.0) / np.finfo(x.dtype).eps)

    def unchecked(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """The solution as the factors give it."""
        if b.dtype.kind != "c" or self._A.dtype.kind == "c":
            return self.factors.solve(b.astype(self._A.dtype, copy=False), transposed)
        real, imag = (self.factors.solve(np.asfortranarray(c), transposed)
                      for c in (b.real, b.imag))  # fmt: skip
        return real + 1j * imag


# ---- the choice ------------------------------------------------------------------------------


def has_symmetric_structure(A: Any) -> bool:
    """Whether A (csc, canonical) has a stored entry at (j, i) for each at (i, j)."""
    T = A.tocsr()
    return np.array_equal(T.indptr, A.indptr) and np.array_equal(T.indices, A.indices)


def symmetric_factors(A: Any, pattern: Pattern | None = None, small: int = SMALL) -> Any:
    """Factors with pivots from the diagonal, of a matrix (csc, canonical) that is fit for it."""
    n = A.shape[0]
    if n < max(small, 1) or not np.diff(A.indptr).all():
        return None
    symmetric = (
        has_symmetric_structure(A)
        if pattern is None
        else pattern.plan("symmetric structure", lambda: has_symmetric_structure(A))
    )
    if not symmetric:
        return None
    fit, norms = _sizes(A)
    if not fit:
        return None
    try:
        lu = spla.splu(A, **SYMMETRIC)
    except RuntimeError:  # a pivot is exactly zero: let SciPy's default find out
        return None
    return Checked(A, LU(lu, A.dtype.kind == "c"), norms)


def _sizes(A: Any) -> tuple[bool, tuple[float, float]]:
    """Whether the diagonal of A (csc) is fit for pivots; the row sum norms of A and of Aᵀ."""
    from .._backend.elimination import sizes

    fit, *norms = sizes(A.indptr, A.indices, A.data, 0.1)
    return fit, tuple(norms)


def default_factors(A: Any, options: dict[str, Any] | None = None) -> LU:
    """SciPy's factors of A (csc)."""
    return LU(spla.splu(A, **(options or {})), A.dtype.kind == "c")


def factorise(
    A: Any, options: dict[str, Any] | None, package: type | None, pattern: Pattern | None = None
) -> Any:
    """Factors of A (csc, canonical): by `package`, else as its structure deserves."""
    if package is not None and A.shape[0]:
        try:
            return Checked(A, package(A, pattern))
        except Unsuitable:
            pass
    chosen = symmetric_factors(A, pattern) if options is None else None
    return chosen if chosen is not None else default_factors(A, options)


# ---- kept factors ----------------------------------------------------------------------------


class Factorised(Solver):
    """Solves with factors of A, made once per array of entries.

    `options` go to `splu` as they are; None leaves the choice to the structure.
    """

    def __init__(
        self,
        pattern: Pattern | None,
        options: dict[str, Any] | None = None,
        raises: bool = True,
        package: type | None = None,
    ) -> None:
        self.pattern, self.options, self.raises, self.package = pattern, options, raises, package
        self._of: tuple[np.ndarray, Any] | None = None

    def keep(self, data: np.ndarray, factors: Any) -> None:
        """Use factors that are there already."""
        self._of = (data, factors)

    def factors(self, data: np.ndarray) -> Any:
        """Factors of A, or of Aᵀ if the pattern is csr; None if A is singular."""
        kept = self._of
        if kept is not None and kept[0] is data:
            return kept[1]
        if DEVICE_ARRAYS and on_device(data):
            return self._make_on_device(data)
        return self._make(data, lambda A: factorise(A, self.options, self.package, self.pattern))

    def matrix(self, data: np.ndarray) -> Any:
        """What is factorised: A, or Aᵀ if the pattern is csr."""
        A = self.pattern.view(host(data))
        return A if A.format == "csc" else as_transposed(A)

    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        xp = namespace(data, b)
        factors = self.factors(data)
        if self.pattern is not None and self.pattern.format == "csr":
            transposed = not transposed
        x = None if factors is None else factors.solve(b, transposed)
        if x is None and factors is not None:  # not accurate
            given_up = getattr(factors, "why", "")
            factors = self._make(data, default_factors)
            if given_up and factors is not None:
                say_on_host(given_up)
            x = None if factors is None else factors.solve(b, transposed)
        dtype = np.result_type(data.dtype, b.dtype)
        return xp.full(b.shape, np.nan, dtype) if x is None else x

    def _make_on_device(self, data: Any) -> Any:
        """Factors by cuDSS, if it is there and nobody asked for SuperLU's; else by SuperLU."""
        from ._device_factors import factors_on_device

        why = ""
        if self.options is None:
            factors, why = factors_on_device(self.pattern, data, check=self.raises)
            if factors is not None:
                self._of = (data, factors)
                return factors
        made = self._make(data, lambda A: factorise(A, self.options, None, self.pattern))
        if why and made is not None:
            say_on_host(why)
        return made

    def _make(self, data: np.ndarray, make_factors: Any) -> Any:
        try:
            factors = make_factors(self.matrix(data))
            if on_device(data):
                from ._device_factors import moved

                factors = moved(factors, self.pattern, data)
        except RuntimeError as error:
            if self.raises or "singular" not in str(error):
                raise
            warnings.warn("Matrix is exactly singular", spla.MatrixRankWarning, stacklevel=2)
            factors = None
        self._of = (data, factors)
        return factors


def say_on_host(why: str) -> None:
    """Warn that SuperLU takes the place of cuDSS."""
    warnings.warn(
        f"A system on a GPU is factorised on the host, by SuperLU: {why}. "
        'use_solver(solver="superlu") asks for that from the start.',
        HostWarning,
        stacklevel=3,
    )


# ---- matrix and right side, as a factorisation wants them ------------------------------------


def as_csc_array(A: Any) -> Any:
    """What `csc_array(A)` is in SciPy, of a sparse or dense matrix."""
    if is_sparse(A):
        return as_family(as_format(lift(A), "csc"), "array")
    from ..sparse import csc_array

    return csc_array(A)


def dense(b: Any) -> Any:
    """A right side as an array, traced or not."""
    if isbox(b) or type(b) in DEVICE_ARRAYS:
        return b
    return anp.array(b) if contains_traced((b,)) else np.asarray(b)


def canonical(A: TracedBase) -> TracedBase:
    """`A` (csr or csc) with duplicates summed and indices sorted, of floating point."""
    A = coalesced(A)
    if A._pattern.inside is not None:
        A = _pruned(A)
    p = A._pattern
    if not p.plan("sorted indices", lambda: p.view(p.tags).has_sorted_indices):
        moves = isbox(entries_of(A)) or on_device(A)
        A = lift(A.sorted_indices()) if moves else lift(_sorted(A))
    if A.dtype.kind not in "fc":
        A = lift(make(A._pattern, cast(entries_of(A), floating(A.dtype)), A._class))
    return A


def _pruned(A: TracedBase) -> TracedBase:
    """`A` without the ends of `data` and `indices` that `indptr` does not speak of."""
    p = A._pattern
    (indptr, indices), n = p.arrays, p.inside.size
    B = type(p.view(p.tags))((np.ones(n), indices[:n], indptr), shape=p.shape)
    data = gather(entries_of(A), Gather(np.arange(n), p.entries_shape, (n,)))
    return lift(make(Pattern.of(B, own=True), data, A._class))


def _sorted(A: TracedBase) -> Any:
    B = A._pattern.matrix(entries_of(A), A._class).copy()
    B.sort_indices()
    return B


def floating(dtype: Any) -> np.dtype:
    """The dtype in which SciPy factorises a matrix of this one."""
    dtype = np.dtype(dtype)
    return np.dtype(next((t for t in "fdFD" if np.can_cast(dtype, t)), dtype))


def factor_dtype(a: Any, b: Any) -> np.dtype:
    """The dtype of the factors of A for right sides b: real for a real A."""
    common = np.promote_types(a, b)
    real = np.dtype(a).kind != "c" and common.kind == "c"
    return np.zeros(0, common).real.dtype if real else common


def as_dtype(x: Any, dtype: Any) -> Any:
    """`x`, cast if need be."""
    return x if anp.result_type(x) == dtype else cast(x, dtype)
