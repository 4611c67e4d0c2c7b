"""Direct solves: spsolve, splu, spilu, factorized.

The derivatives are those of `_implicit`, for a sparse right side those of `_inverse`. A
factorisation is kept by the `Factorised` solver that the result's rule holds, and found again by
the identity of the entries it was made from (docs/derivations/linalg_direct.md).
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
from .._core.device import on_device, say_host, to_device, to_host
from .._core.engine import contains_traced, is_sparse, isbox, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.mirror import all_plain, own, traced
from .._core.table import enter
from .._core.traced import TracedBase, entries_to_keep, lift
from ..sparse._convert import to_dense
from ._factor import (
    LU,
    SMALL,
    Factorised,
    as_csc_array,
    as_dtype,
    canonical,
    dense,
    factor_dtype,
    floating,
    symmetric_factors,
)
from ._implicit import solve
from ._inverse import solve_sparse
from ._packages import asked, chosen, scipy_takes_umfpack

# ---- spsolve: x = A⁻¹ b ----------------------------------------------------------------------


def _square_system(A: Any) -> TracedBase:
    """The matrix of `spsolve` in csr or csc, as SuperLU wants it."""
    if not is_sparse(A) or A.format not in ("csr", "csc"):
        warnings.warn(
            "spsolve requires A be CSC or CSR matrix format",
            sps.SparseEfficiencyWarning,
            stacklevel=4,
        )
        A = as_csc_array(A)
    A = canonical(lift(A))
    if A.shape[0] != A.shape[1]:
        raise ValueError(f"matrix must be square (has shape {A.shape})")
    return A


def _scipys_or_sparser(A, b, permc_spec=None, use_umfpack=True):
    """SciPy's `spsolve`, with sparser factors where the structure of A allows them.

    Values are SciPy's to rounding; warnings and errors come from SciPy's function itself.
    """
    if asked() is not None and not is_sparse(b):
        return spsolve.traced_implementation(A, b, permc_spec, use_umfpack)
    x = None
    if permc_spec is None and not (use_umfpack and scipy_takes_umfpack()):
        x = _sparser(A, b)
    return spla.spsolve(A, b, permc_spec, use_umfpack) if x is None else x


def _sparser(A: Any, b: Any) -> np.ndarray | None:
    """A⁻¹ b by factors with pivots from the diagonal, if this is fast and accurate."""
    if not (sps.issparse(A) and A.format in ("csr", "csc") and A.dtype.char in "fdFD"):
        return None
    n, m = A.shape
    if n < SMALL or n != m or sps.issparse(b) or not A.has_canonical_format:
        return None
    b = np.asarray(b)
    if b.dtype.kind not in "biufc" or b.ndim not in (1, 2) or b.shape[0] != n:
        return None
    dtype = factor_dtype(A.dtype, b.dtype)
    K = A.astype(dtype, copy=False)
    factors = symmetric_factors(K if A.format == "csc" else K.T)
    if factors is None:
        return None
    if b.ndim == 2 and b.shape[1] == 1:
        b = b.ravel()
    b = b.astype(np.promote_types(dtype, b.dtype), copy=False)
    return factors.solve(b, A.format == "csr")


@traced(
    spla.spsolve,
    wrt=("A", "b"),
    note="b dense or sparse; the factors are kept for the derivatives",
    untraced=_scipys_or_sparser,
    gpu=True,
)
def spsolve(A, b, permc_spec=None, use_umfpack=True):
    A = _square_system(A)
    if is_sparse(b):
        b = lift(b)
        if b.ndim == 2 and b.shape[1] != 1:
            _check_rows(A, b.shape)
            return solve_sparse_on_host(A, b) if on_device(A) else solve_sparse(A, b)
        b = to_dense(b)
    b = dense(b)
    _check_rows(A, anp.shape(b))
    if anp.ndim(b) == 2 and anp.shape(b)[1] == 1:
        b = anp.ravel(b)
    dtype = np.promote_types(A.dtype, floating(anp.result_type(b)))
    data = as_dtype(entries_to_keep(A), factor_dtype(A.dtype, dtype))
    options = None if permc_spec is None else _as_spsolve(permc_spec)
    solver = Factorised(A._pattern, options, raises=False, package=chosen(use_umfpack))
    return solve(data, as_dtype(b, dtype), solver, False)


def solve_sparse_on_host(A: Any, b: Any) -> Any:
    """The sparse A⁻¹ b of matrices on a GPU."""
    say_host("spsolve with a sparse right side")
    return to_device(solve_sparse(lift(to_host(A)), lift(to_host(b))))


def _check_rows(A: TracedBase, shape: tuple[int, ...]) -> None:
    if A.shape[0] != shape[0]:
        raise ValueError(f"matrix - rhs dimension mismatch ({A.shape} - {shape[0]})")


def _as_spsolve(permc_spec: Any) -> dict[str, Any]:
    """Options with which `splu` does what `spsolve` does.

    For "NATURAL", `splu` also switches on SymmetricMode; SuperLU's own number for it does not.
    """
    return {"permc_spec": 0 if permc_spec == "NATURAL" else permc_spec}


# ---- factors that the user keeps ---------------------------------------------------------------


class SuperLU:
    """LU factors of a sparse matrix, with SciPy's attributes; `solve` can be differentiated.

    Made by `splu` and `spilu`. Where the factored matrix is traced, `solve` is differentiable in
    it (`splu` only) as well as in the right side.
    """

    def __init__(self, lu: Any, data: Any = None, solver: Factorised | None = None) -> None:
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
        """The unit lower triangular factor; of a constant matrix only."""
        return self._factor("L")

    @property
    def U(self) -> Any:
        """The upper triangular factor; of a constant matrix only."""
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
            raise NotImplementedError(
                f"SuperLU.{name}: the factors of a traced matrix have no derivative here. It would "
                "take L⁻¹ (dA) U⁻¹, which is dense, and the choice of pivots is not smooth. Use "
                "what is made of the factors: `solve` is differentiable in A, and so are "
                "scipygrad.linalg.logdet and slogdet. For the numbers alone, factor "
                "scipygrad.detach(A)."
            )
        return own(getattr(self._lu, name))

    def solve(self, rhs: Any, trans: str = "N") -> Any:
        """x with A x = rhs, Aᵀ x = rhs ('T') or Aᴴ x = rhs ('H')."""
        if DEVICE_ARRAYS and on_device(rhs) is isinstance(self._lu, spla.SuperLU):
            raise TypeError(errors.mixed(np.ndarray, *DEVICE_ARRAYS))
        if not isbox(self._data) and (all_plain((rhs,)) or not contains_traced((rhs,))):
            return self._lu.solve(rhs, trans)
        if trans not in ("N", "T", "H"):
            raise ValueError("trans must be N, T, or H")
        b = dense(rhs)
        if anp.shape(b)[0] != self._lu.shape[0]:
            raise ValueError("b is of incompatible size")
        if self._solver is None:  # of a plain matrix, whose entries nothing asks for
            self._data, self._solver = np.empty(0), Factorised(None)
            self._solver.keep(self._data, LU(self._lu, self._lu.U.dtype.kind == "c"))
        if trans == "H":  # Aᴴ x = b  ⇔  Aᵀ x̄ = b̄
            return anp.conj(solve(self._data, anp.conj(b), self._solver, True))
        return solve(self._data, b, self._solver, trans == "T")


enter(spla.SuperLU, "traced", ("A",), "made by splu and spilu; `solve` is differentiable")


def _of_plain(theirs: Any) -> Any:
    """SciPy's function with a SuperLU of ours around its result."""
    return lambda *args, **kwargs: SuperLU(theirs(*args, **kwargs))


@traced(
    spla.splu,
    wrt=("A",),
    note="through `solve`, in A and in the right side; L and U of a traced A raise",
    untraced=_of_plain(spla.splu),
    gpu=True,
)
def splu(A, permc_spec=None, diag_pivot_thresh=None, relax=None, panel_size=None, options=None):
    A = _to_factor(A)
    settings = {
        "permc_spec": permc_spec, "diag_pivot_thresh": diag_pivot_thresh, "relax": relax,
        "panel_size": panel_size, "options": options,
    }  # fmt: skip
    solver = Factorised(A._pattern, settings)  # SuperLU's, on a GPU too: it has L, U and perm_c
    data = entries_to_keep(A)
    return SuperLU(solver.factors(strip(data)).lu, data, solver)


def _to_factor(A: Any) -> TracedBase:
    """The matrix of `splu` in csc, as SuperLU wants it."""
    if not is_sparse(A) or A.format != "csc":
        warnings.warn("splu converted its input to CSC format", sps.SparseEfficiencyWarning,
                      stacklevel=4)  # fmt: skip
        A = as_csc_array(A)
    A = canonical(lift(A))
    if A.shape[0] != A.shape[1]:
        raise ValueError("can only factor square matrices")
    return A


def _untraced_factorized(A: Any) -> Any:
    if asked() is not None:
        return _factorized(A, eager=True)
    theirs = spla.factorized(A)
    lu = getattr(theirs, "__self__", None)
    if lu is not None:
        return SuperLU(lu).solve
    ours = _factorized(A, eager=False)  # SciPy has UMFPACK's factors, and no way to share them
    return lambda b: ours(b) if contains_traced((b,)) else theirs(b)


def _factorized(A: Any, eager: bool) -> Any:
    """A function of b that solves with factors of A by the chosen package."""
    A = _to_factor(A)
    solver, data = Factorised(A._pattern, package=chosen()), entries_to_keep(A)
    if eager:
        solver.factors(strip(data))
    return lambda b: solve(data, dense(b), solver)


@traced(spla.factorized, wrt=("A",), note="and the right side of the function that it returns",
        untraced=_untraced_factorized, gpu=True)  # fmt: skip
def factorized(A):
    if on_device(A):
        from ._device_factors import has_cudss

        ours = has_cudss()
    else:
        ours = chosen() is not None
    return _factorized(A, eager=True) if ours else splu(A).solve


@traced(
    spla.spilu,
    wrt=(),
    note="`solve` of the factors of a constant A is differentiable in the right side",
    untraced=_of_plain(spla.spilu),
)
def spilu(A, drop_tol=None, fill_factor=None, drop_rule=None, permc_spec=None,
          diag_pivot_thresh=None, relax=None, panel_size=None, options=None):  # fmt: skip
    raise NotImplementedError(
        "spilu: the incomplete factors of a traced A have no derivative here. As a preconditioner "
        "they need none: factor a plain copy, spilu(scipygrad.detach(A))."
    )
