"""The solution of a non-linear system, differentiated by one linear solve: `implicit`.

F(u, θ) = 0:  F_u u̇ + F_θ θ̇ = 0,  so  u̇ = -F_u⁻¹ F_θ θ̇.  With u constant and θ traced, F(u, θ)
has the derivative F_θ θ̇ and the value 0. F_u is applied by differentiating F, so every order
follows; the given Jacobian is used as numbers only, to solve with F_u (docs/newton.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla
from autograd import make_jvp, make_vjp

from .._core.engine import below, isbox, record, strip, trace_of
from .._core.errors import AdjointConvergenceWarning
from ._action import Action, Below
from ._implicit import Solver, solve_outer


def implicit(u: Any, residual: Callable[[Any], Any], jacobian: Any) -> Any:
    """The solution u of ``residual(u) = 0``, as a function of all that `residual` depends on.

    Find u in any way, by Newton's method or in pseudo-time, on plain values: how it was found is
    not differentiated. The derivatives, in both modes and of any order, are those of the equation,
    by linear solves with the Jacobian, which is factored once.

    Parameters
    ----------
    u : array_like
        The solution, a vector, converged as far as the derivatives are to be accurate.
    residual : callable
        ``residual(u)``, a vector as long as u, made of traced operations; it may depend on traced
        values of the surrounding function.
    jacobian : sparse or dense matrix
        The derivatives of the residual with respect to u, at u. Only its values are used; those of
        a step before do as well, since the solves with it are refined.

    Returns
    -------
    array
        u, traced where `residual` is.

    Warns
    -----
    AdjointConvergenceWarning
        If the refinement does not converge: `jacobian` is not the Jacobian of `residual` at u.

    Examples
    --------
    >>> import autograd.numpy as np
    >>> import scipygrad as sg
    >>> from autograd import grad
    >>> def root(a):  # u³ + u = a, in every component
    ...     u = np.zeros(2)
    ...     for _ in range(50):
    ...         J = sg.sparse.diags_array(3 * u**2 + 1)
    ...         u = u - sg.sparse.linalg.spsolve(J.tocsc(), u**3 + u - sg.detach(a))
    ...     return sg.implicit(u, lambda u: u**3 + u - a, J)
    >>> a = np.array([2.0, 10.0])
    >>> print(root(a).round(12), grad(lambda a: np.sum(root(a)))(a).round(6))
    [1. 2.] [0.25     0.076923]
    """
    u, J = np.array(strip(u)), strip(jacobian)
    if u.ndim != 1 or np.shape(J) != (len(u), len(u)):
        raise ValueError(
            "implicit: u must be a vector, and jacobian a square matrix of its size; their shapes "
            f"are {u.shape} and {np.shape(J)}."
        )

    def F(v):
        r = residual(v)
        r = r if isbox(r) else anp.array(r)
        if anp.shape(r) != u.shape:
            raise ValueError(
                f"implicit: residual(u) has shape {anp.shape(r)}, but u has shape {u.shape}."
            )
        return r

    return _solution(F, u, Refined(J), ())


def _solution(F: Callable, u: np.ndarray, solver: Solver, stripped: tuple[int, ...]) -> Any:
    """u without the traces `stripped`, the inner ones, with all others."""
    t = trace_of(_below(F(u), stripped))
    if t < 0:
        return u
    stripped += (t,)
    outer = _solution(F, u, solver, stripped)
    F_u: Action = Derivative(F, outer)
    for trace in stripped:
        F_u = Below(F_u, trace)
    r = _below(F(outer), stripped[:-1])
    return record(solve_outer, outer, -r, F_u, solver, False)


def _below(x: Any, traces: tuple[int, ...]) -> Any:
    for trace in traces:
        x = below(x, trace)
    return x


class Derivative(Action):
    """The linear map F_u, at u."""

    def __init__(self, F: Callable, u: Any, transposed: bool = False) -> None:
        self.F, self.u, self.transposed = F, u, transposed
        self.shape, self.dtype = (len(u), len(u)), anp.result_type(u)

    def apply(self, v: Any) -> Any:
        if self.transposed:
            return make_vjp(self.F)(self.u)[0](v)
        return make_jvp(self.F)(self.u)(v)[1]

    @property
    def T(self) -> Action:
        return Derivative(self.F, self.u, not self.transposed)


class Refined(Solver):
    """Solves by the factors of J, refined until the system with F_u itself is solved."""

    def __init__(self, J: Any) -> None:
        self.J = sps.csc_array(J)
        if self.J.dtype.kind not in "fc":
            self.J = self.J.astype(float)
        self._lu: Any = None

    def _approximately(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        if self._lu is None:
            self._lu = spla.splu(self.J)
        parts = [b] if b.dtype.kind != "c" or self.J.dtype.kind == "c" else [b.real, b.imag]
        trans = "T" if transposed else "N"
        x = [self._lu.solve(part.astype(self.J.dtype), trans) for part in parts]
        return x[0] if len(x) == 1 else x[0] + 1j * x[1]

    def run(self, action: Action, b: np.ndarray, transposed: bool) -> np.ndarray:
        x = self._approximately(b, transposed)
        size, before = np.linalg.norm(b), np.inf
        eps = np.finfo(np.result_type(b, np.float32)).eps
        while size:
            r = b - strip(action.apply(x))
            left = float(np.linalg.norm(r) / size)
            if not left > 10 * eps or left > before / 2:
                break
            x, before = x + self._approximately(r, transposed), left
        if size and not min(left, before) < np.sqrt(eps):
            warnings.warn(
                "implicit: the linear system of a derivative was not solved (relative residual "
                f"{min(left, before):.1g}); the derivative is inexact. `jacobian` has to be that "
                "of `residual` at u.",
                AdjointConvergenceWarning,
                stacklevel=2,
            )
        return x
