"""Iterative solves, differentiated implicitly: not the iteration, but the solution it stands for.

The adjoint system is solved by the same method, to the same relative tolerance, with the transposed
preconditioner and the same iteration limit. The starting guess x0 and the preconditioner M change
the way to the solution and not the solution: their derivatives are zero.
(docs/derivations/linalg_krylov.md)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._core.device import namespace, on_device, one_device
from .._core.engine import contains_traced, is_sparse, isbox, strip
from .._core.errors import AdjointConvergenceWarning
from .._core.layout import DEVICE_ARRAYS
from .._core.pattern import Pattern
from .._core.tags import coalesced
from .._core.traced import entries_to_keep, lift
from ..sparse._convert import as_format
from ._action import Action, MatrixAction, OperatorAction, numbers_only
from ._implicit import Solver, is_operator, solve, solve_action, traced_solver
from ._operator import IdentityOperator, MatrixLinearOperator, aslinearoperator


class Iteration(Solver):
    """One call of an iterative method, and the further solves that its derivatives need.

    `first` are the options of that call (starting guess, callback, the user's lists, ...), `again`
    those of the further solves.
    """

    hermitian = False

    def __init__(
        self, method: Callable, A: Any, b: Any, pattern: Pattern | None, rtol: float, atol: Any,
        preconditioners: dict[str, Any], first: dict[str, Any], again: dict[str, Any],
    ) -> None:  # fmt: skip
        self.method, self.pattern, self.again = method, pattern, again
        self.preconditioners = preconditioners
        tolerances = {"rtol": rtol} if atol is None else {"rtol": rtol, "atol": atol}
        self._first: Any = (A, b, first | tolerances)
        self.info: int | None = None
        self.limits = {"rtol": rtol}
        if atol is not None:
            # The accuracy that the forward solve had, whatever the size of the new right side.
            size = float(np.linalg.norm(b))
            self.limits = {"rtol": max(rtol, atol / size if size else 0.0), "atol": 0.0}

    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        if self.info is None:
            return self._begin()
        flip = transposed and not self.hermitian
        pattern = self.pattern.T if flip else self.pattern
        one_device(data, b)
        if type(data) is np.ndarray:
            return self._go_on(pattern.view(data), b, transposed)
        A = pattern.matrix(data, getattr(sps, f"{pattern.format}_array"))
        return self._go_on(A, b, transposed)

    def run(self, action: Action, b: np.ndarray, transposed: bool) -> np.ndarray:
        if self.info is None:
            return self._begin()
        A = numbers_only(action)
        return self._go_on(_conjugated(A) if transposed and self.hermitian else A, b, transposed)

    def _begin(self) -> np.ndarray:
        A, b, options = self._first
        self._first = None
        x, self.info = self._run(A, b, **self._forward(), **options)
        return namespace(x).array(x)  # for b = 0, SciPy returns b itself

    def _run(self, A: Any, b: Any, **options: Any) -> tuple[Any, int]:
        if type(b) is np.ndarray:
            return self.method(A, b, **options)
        from ._device_krylov import iterate

        return iterate(self.method, A, b, **options)

    def _forward(self) -> dict[str, Any]:
        return {name: _plain_operator(M) for name, M in self.preconditioners.items()}

    def _adjoint(self) -> dict[str, Any]:
        """The preconditioners of the transposed system: (M1 A M2)ᵀ = M2ᵀ Aᵀ M1ᵀ."""
        names = list(self.preconditioners)
        transposed = map(_transposed_operator, reversed(self.preconditioners.values()))
        return dict(zip(names, transposed))

    def _go_on(self, A: Any, b: np.ndarray, transposed: bool) -> np.ndarray:
        flip = transposed and self.hermitian  # Aᵀ x = b  ⇔  A x* = b*
        Ms = self._adjoint() if transposed and not self.hermitian else self._forward()
        rhs = b.conj() if flip else b
        x, info = self._run(A, rhs.ravel(), **self.limits, **Ms, **self.again)
        if info:
            warnings.warn(
                f"{self.method.__name__}: the linear system of a derivative did not converge "
                f"(info={info}, rtol={self.limits['rtol']:g}); the derivative is inexact. Raise "
                "maxiter, or give a better preconditioner.",
                AdjointConvergenceWarning,
                stacklevel=2,
            )
        return x.conj() if flip else x


class HermitianIteration(Iteration):
    """A method for Hermitian A, whose transposed system is solved with A and M as they are."""

    hermitian = True


class TransposeFree(Iteration):
    """tfqmr, which with a preconditioner returns M (M A)⁻¹ b: another vector, unless M A = A M.

    So it is in SciPy 1.15 to 1.18 at least, with info = 0. That vector has no derivative here.
    """

    def _begin(self) -> np.ndarray:
        A, b, _ = self._first
        x = super()._begin()
        if self.preconditioners["M"] is not None and self.info == 0:
            product = _as_operator(A, b).matvec(x)
            error, size = (float(np.linalg.norm(r)) for r in (product - b.ravel(), b))
            if error > 1e3 * max(self.limits["rtol"], np.finfo(x.dtype).eps) * size:
                raise NotImplementedError(
                    f"tfqmr: with this M, what SciPy returns does not solve A x = b (the residual "
                    f"is {error / size:.1g} of b), and is not differentiable. M has to commute "
                    "with A; use another method, as bicgstab or gmres, or no M."
                )
        return x


def _conjugated(A: spla.LinearOperator) -> spla.LinearOperator:
    return spla.LinearOperator(A.shape, lambda v: A._matvec(v.conj()).conj(), dtype=A.dtype)


def _as_operator(A: Any, b: Any) -> Any:
    if type(b) is np.ndarray:
        return spla.aslinearoperator(A)
    from ._device_krylov import as_operator

    return as_operator(A)


def _plain_operator(M: Any) -> Any:
    """A preconditioner without anything traced: it does not change the solution."""
    return numbers_only(OperatorAction(aslinearoperator(M))) if is_operator(M) else strip(M)


def _transposed_operator(M: Any) -> Any:
    if M is None:
        return None
    if is_operator(M):
        return numbers_only(OperatorAction(aslinearoperator(M)).T)
    return strip(M).T


# ---- one function for all methods -------------------------------------------------------------


def _right_side(b: Any) -> Any:
    if isbox(b) or type(b) in DEVICE_ARRAYS:
        return b
    return anp.array(b) if contains_traced((b,)) else np.asarray(b)


def _iterate(
    method: Callable, A: Any, b: Any, rtol: Any, atol: Any, preconditioners: dict[str, Any],
    first: dict[str, Any], again: dict[str, Any], kind: type[Iteration] = Iteration,
    further: dict[str, Any] | None = None,
) -> tuple[Any, int | None]:  # fmt: skip
    """What `method` returns, differentiable in A and b."""
    b, rtol, atol = _right_side(b), strip(rtol), strip(atol)
    if type(A) is MatrixLinearOperator:
        A = A.A
    pattern = None
    action: Action
    if is_sparse(A):
        given = strip(A)
        A = coalesced(lift(A))
        if A.format not in (("csr", "csc") if on_device(A) else ("csr", "csc", "coo")):
            A = as_format(A, "csr")
        pattern, data = A._pattern, entries_to_keep(A)
        one_device(data, b)
    elif isinstance(A, np.ndarray) or isbox(A) or on_device(A):
        one_device(A, b)
        given = strip(A)
        action = MatrixAction(A if isbox(A) else A.copy() if on_device(A) else np.array(A))
    else:
        if hasattr(A, "psolve") and preconditioners.get("M", 0) is None:
            psolve = (A.shape, A.psolve, getattr(A, "rpsolve", None))
            preconditioners = {"M": spla.LinearOperator(*psolve, dtype=A.dtype)}
        action = OperatorAction(aslinearoperator(A), xp=namespace(strip(b)))
        given = numbers_only(action)
    first = first | again
    solver = kind(
        method, given, strip(b), pattern, rtol, atol, preconditioners, first,
        again | (further or {}),
    )  # fmt: skip
    if pattern is not None:
        x = solve(data, b, solver)
    elif action.shape[0] != action.shape[1] or anp.size(b) != action.shape[0]:
        x = solver.run(action, strip(b), False)  # SciPy's error
    else:
        x = solve_action(action, anp.ravel(b), solver)
    return x, solver.info


def _krylov(theirs: Callable, note: str = "") -> Callable:
    """Declare an iterative method that is differentiable in A and b."""
    note = "; ".join(filter(None, (
        note, "A also a LinearOperator whose matvec is traced",
        "no derivative in the starting guess and the preconditioner, which do not change the "
        "solution",
    )))  # fmt: skip

    return traced_solver(theirs, ("A", "b"), note, gpu=True)


# ---- the methods ------------------------------------------------------------------------------


def _simple(theirs: Callable, hermitian: bool = False) -> Callable:
    """A method whose options are those of most."""

    def method(A, b, x0=None, *, rtol=1e-5, atol=0.0, maxiter=None, M=None, callback=None):
        first = {"x0": strip(x0), "callback": callback}
        kind = HermitianIteration if hermitian else Iteration
        return _iterate(theirs, A, b, rtol, atol, {"M": M}, first, {"maxiter": maxiter}, kind)

    return _krylov(theirs, "A Hermitian" if hermitian else "")(method)


cg = _simple(spla.cg, hermitian=True)
bicg = _simple(spla.bicg)
bicgstab = _simple(spla.bicgstab)
cgs = _simple(spla.cgs)


def _nothing(_: Any) -> None:
    """The callback of further solves: a callback changes what gmres takes maxiter to mean."""


@_krylov(spla.gmres)
def gmres(A, b, x0=None, *, rtol=1e-5, atol=0.0, restart=None, maxiter=None, M=None,
          callback=None, callback_type=None):  # fmt: skip
    first = {"x0": strip(x0), "callback": callback, "callback_type": callback_type}
    again = {"restart": restart, "maxiter": maxiter}
    counting = {}
    if callback is not None:
        counting = {"callback": _nothing, "callback_type": callback_type or "legacy"}
    return _iterate(spla.gmres, A, b, rtol, atol, {"M": M}, first, again, further=counting)


@_krylov(spla.lgmres)
def lgmres(A, b, x0=None, *, rtol=1e-5, atol=0.0, maxiter=1000, M=None, callback=None, inner_m=30,
           outer_k=3, outer_v=None, store_outer_Av=True, prepend_outer_v=False):  # fmt: skip
    first = {"x0": strip(x0), "callback": callback, "outer_v": outer_v,
             "prepend_outer_v": prepend_outer_v}  # fmt: skip
    again = {"maxiter": maxiter, "inner_m": inner_m, "outer_k": outer_k,
             "store_outer_Av": store_outer_Av}  # fmt: skip
    return _iterate(spla.lgmres, A, b, rtol, atol, {"M": M}, first, again)


@_krylov(spla.minres, "A symmetric; also in shift")
def minres(A, b, x0=None, *, rtol=1e-5, shift=0.0, maxiter=None, M=None, callback=None, show=False,
           check=False):  # fmt: skip
    if isbox(shift):
        A = aslinearoperator(A)
        A, shift = A - shift * IdentityOperator(A.shape, dtype=A.dtype), 0.0
    first = {"x0": strip(x0), "callback": callback, "show": show, "check": check}
    again = {"shift": shift, "maxiter": maxiter}
    return _iterate(spla.minres, A, b, rtol, None, {"M": M}, first, again, HermitianIteration)


@_krylov(spla.qmr)
def qmr(A, b, x0=None, *, rtol=1e-5, atol=0.0, maxiter=None, M1=None, M2=None, callback=None):
    first = {"x0": strip(x0), "callback": callback}
    Ms = {"M1": M1, "M2": M2}
    return _iterate(spla.qmr, A, b, rtol, atol, Ms, first, {"maxiter": maxiter})


@_krylov(spla.tfqmr)
def tfqmr(A, b, x0=None, *, rtol=1e-5, atol=0.0, maxiter=None, M=None, callback=None, show=False):
    first = {"x0": strip(x0), "callback": callback, "show": show}
    again = {"maxiter": maxiter}
    return _iterate(spla.tfqmr, A, b, rtol, atol, {"M": M}, first, again, TransposeFree)


@_krylov(spla.gcrotmk)
def gcrotmk(A, b, x0=None, *, rtol=1e-5, atol=0.0, maxiter=1000, M=None, callback=None, m=20,
            k=None, CU=None, discard_C=False, truncate="oldest"):  # fmt: skip
    first = {"x0": strip(x0), "callback": callback, "CU": CU, "discard_C": discard_C}
    again = {"maxiter": maxiter, "m": m, "k": k, "truncate": truncate}
    return _iterate(spla.gcrotmk, A, b, rtol, atol, {"M": M}, first, again)
