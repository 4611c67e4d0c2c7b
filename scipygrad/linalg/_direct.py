"""Direct solves: spsolve, splu, spilu, factorized.

The derivatives are those of `_implicit`. A factorisation is kept by the `Factorised` solver that
the result's rule holds, and found again by the identity of the entries it was made from.
"""

from __future__ import annotations

import warnings
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._core import errors
from .._core.capture import Kept
from .._core.engine import cast, contains_traced, is_sparse, isbox, strip
from .._core.mirror import own, traced
from .._core.pattern import Pattern
from .._core.table import enter
from .._core.tags import coalesced
from .._core.traced import TracedBase, entries_of, entries_to_keep, lift, make
from ..sparse._convert import as_format
from ._implicit import Solver, solve


class Factorised(Solver):
    """Solves with SuperLU's factors of A, made once per array of entries."""

    def __init__(self, pattern: Pattern | None, options: dict[str, Any], raises: bool = True):
        self.pattern = pattern
        self.options = options
        self.raises = raises
        self.factorisations = 0
        self._of: tuple[np.ndarray, Any] | None = None

    def keep(self, data: np.ndarray, lu: Any) -> None:
        """Use factors that are there already."""
        self._of = (data, lu)

    def factors(self, data: np.ndarray) -> Any:
        """SuperLU object of A, or of Aᵀ if the pattern is csr."""
        kept = self._of
        if kept is not None and kept[0] is data:
            return kept[1]
        A = self.pattern.view(data)
        self.factorisations += 1
        try:
            lu = spla.splu(A if A.format == "csc" else A.T, **self.options)
        except RuntimeError as error:
            if self.raises or "singular" not in str(error):
                raise
            warnings.warn("Matrix is exactly singular", spla.MatrixRankWarning, stacklevel=2)
            lu = None
        self._of = (data, lu)
        return lu

    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        lu = self.factors(data)
        if lu is None:
            return np.full(b.shape, np.nan, np.result_type(data, b))
        if self.pattern is not None and self.pattern.format == "csr":
            transposed = not transposed
        return lu_solve(lu, b, "T" if transposed else "N")


def lu_solve(lu: Any, b: np.ndarray, trans: str) -> np.ndarray:
    """Solve with real or complex factors, whatever b is."""
    b = np.asarray(b)
    if b.dtype.kind == "c" and lu.U.dtype.kind != "c":
        return lu.solve(np.ascontiguousarray(b.real), trans) + 1j * lu.solve(
            np.ascontiguousarray(b.imag), trans
        )
    return lu.solve(np.asarray(b, order="F"), trans)


def canonical(A: TracedBase) -> TracedBase:
    """`A` (csr or csc) with duplicates summed and indices sorted, of floating point."""
    A = coalesced(A)
    if not A._pattern.view(A._pattern.tags).has_sorted_indices:
        A = A.sorted_indices() if isbox(entries_of(A)) else lift(_sorted(A))
    if A.dtype.kind not in "fc":
        A = lift(make(A._pattern, cast(entries_of(A), np.float64), A._class))
    return A


def _sorted(A: TracedBase) -> Any:
    B = A._pattern.matrix(entries_of(A), A._class).copy()
    B.sort_indices()
    return B


def _square_system(A: Any) -> TracedBase:
    """The matrix of `spsolve` in csr or csc, as SuperLU wants it."""
    if not is_sparse(A) or A.format not in ("csr", "csc"):
        warnings.warn(
            "spsolve requires A be CSC or CSR matrix format",
            sps.SparseEfficiencyWarning,
            stacklevel=4,
        )
        if is_sparse(A):
            A = as_format(lift(A), "csc")
        else:
            from ..sparse import csc_array

            A = csc_array(A)
    A = canonical(lift(A))
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"matrix must be square (has shape {A.shape})")
    return A


@traced(
    spla.spsolve,
    wrt=("A", "b"),
    note="b dense; solved by SuperLU, whose factors are kept for the derivatives",
)
def spsolve(A, b, permc_spec=None, use_umfpack=True):
    if is_sparse(b):
        raise NotImplementedError(
            errors.not_yet("spsolve with a sparse right side", ("A", "b"))
            + " Here: spsolve(A, b.toarray())."
        )
    A = _square_system(A)
    b = b if isbox(b) else anp.array(b) if contains_traced((b,)) else np.asarray(b)
    if A.shape[0] != anp.shape(b)[0]:
        raise ValueError(f"matrix - rhs dimension mismatch ({A.shape} - {anp.shape(b)[0]})")
    if anp.ndim(b) == 2 and anp.shape(b)[1] == 1:
        b = anp.ravel(b)
    dtype = np.result_type(A.dtype, anp.result_type(b))
    data = entries_to_keep(A)
    if A.dtype != dtype:
        data = cast(data, dtype)
    if anp.result_type(b) != dtype:
        b = cast(b, dtype)
    solver = Factorised(A._pattern, {"permc_spec": permc_spec}, raises=False)
    return solve(data, b, solver)


class SuperLU:
    """LU factors of a sparse matrix, with SciPy's attributes; `solve` can be differentiated.

    Made by `splu` and `spilu`. Where the factored matrix is traced, `solve` is differentiable in
    it (`splu` only) as well as in the right side.
    """

    def __init__(self, lu: Any, data: Any, solver: Factorised) -> None:
        self._lu, self._data, self._solver = lu, data, solver

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_lu":
            raise AttributeError(name)
        return getattr(self._lu, name)

    def __dir__(self):
        return sorted({*dir(type(self)), *dir(self._lu)})

    def __reduce__(self):
        raise TypeError("cannot pickle 'SuperLU' object")

    @property
    def L(self) -> Any:
        """The unit lower triangular factor."""
        return self._factor("L")

    @property
    def U(self) -> Any:
        """The upper triangular factor."""
        return self._factor("U")

    @property
    def perm_r(self) -> np.ndarray:
        """The row permutation; it keeps this object alive, as SciPy's does."""
        return np.asarray(Kept(self, self._lu.perm_r))

    @property
    def perm_c(self) -> np.ndarray:
        """The column permutation."""
        return np.asarray(Kept(self, self._lu.perm_c))

    def _factor(self, name: str) -> Any:
        if isbox(self._data):
            raise NotImplementedError(errors.not_yet(f"SuperLU.{name}", ("A",)))
        return own(getattr(self._lu, name))

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """x with A x = rhs, Aᵀ x = rhs ('T') or Aᴴ x = rhs ('H')."""
        if not (isbox(rhs) or isbox(self._data)) and not contains_traced((rhs,)):
            return self._lu.solve(rhs, trans)
        if trans not in ("N", "T", "H"):
            raise ValueError("trans must be N, T, or H")
        b = rhs if isbox(rhs) else anp.array(rhs)
        if anp.shape(b)[0] != self._lu.shape[0]:
            raise ValueError("b is of incompatible size")
        if trans == "H":  # Aᴴ x = b  ⇔  Aᵀ x̄ = b̄
            return anp.conj(solve(self._data, anp.conj(b), self._solver, True))
        return solve(self._data, b, self._solver, trans == "T")


enter(spla.SuperLU, "traced", ("A",), "made by splu and spilu; `solve` is differentiable")


def _superlu(function: Any, A: Any, *args: Any, **kwargs: Any) -> SuperLU:
    """A SuperLU of ours for a plain matrix."""
    lu = function(A, *args, **kwargs)
    solver = Factorised(None, {})
    data = np.empty(0)
    solver.keep(data, lu)
    return SuperLU(lu, data, solver)


@traced(
    spla.splu,
    wrt=("A",),
    note="through `solve`, in A and in the right side; L and U of a traced A raise",
    untraced=lambda *args, **kwargs: _superlu(spla.splu, *args, **kwargs),
)
def splu(A, permc_spec=None, diag_pivot_thresh=None, relax=None, panel_size=None, options=None):
    if A.format != "csc":
        warnings.warn("splu converted its input to CSC format", sps.SparseEfficiencyWarning,
                      stacklevel=3)  # fmt: skip
    A = canonical(as_format(lift(A), "csc"))
    if A.shape[0] != A.shape[1]:
        raise ValueError("can only factor square matrices")
    settings = {
        "permc_spec": permc_spec, "diag_pivot_thresh": diag_pivot_thresh, "relax": relax,
        "panel_size": panel_size, "options": options,
    }  # fmt: skip
    solver = Factorised(A._pattern, settings)
    data = entries_to_keep(A)
    return SuperLU(solver.factors(strip(data)), data, solver)


def _untraced_factorized(A: Any) -> Any:
    theirs = spla.factorized(A)
    lu = getattr(theirs, "__self__", None)

    def solve_for(b):
        if not contains_traced((b,)):
            return theirs(b)
        return (splu(A) if lu is None else _superlu(lambda _: lu, A)).solve(b)

    return solve_for


@traced(spla.factorized, wrt=("A",), note="and the right side of the function that it returns",
        untraced=_untraced_factorized)  # fmt: skip
def factorized(A):
    return splu(A).solve


@traced(
    spla.spilu,
    wrt=(),
    note="`solve` of the factors of a constant A is differentiable in the right side",
    untraced=lambda *args, **kwargs: _superlu(spla.spilu, *args, **kwargs),
)
def spilu(A, drop_tol=None, fill_factor=None, drop_rule=None, permc_spec=None,
          diag_pivot_thresh=None, relax=None, panel_size=None, options=None):  # fmt: skip
    raise NotImplementedError(
        "spilu: the incomplete factors of a traced A have no derivative here. As a preconditioner "
        "they need none: factor a plain copy, spilu(scipygrad.detach(A))."
    )
