"""THE rule of every solve: x = A⁻¹ b.

From A x = b:  Ȧ x + A ẋ = ḃ, so  ẋ = A⁻¹ (ḃ − Ȧ x),  and with ⟨x̄, ẋ⟩ = ⟨w, ḃ − Ȧ x⟩,
w = A⁻ᵀ x̄:   b̄ = w,   Ā = −w xᵀ on the stored entries. One adjoint solve serves both.
Complex values: transposes, never conjugates (docs/derivations/linalg_implicit.md).

How a system is solved is the business of its `Solver`; it also decides which entries A has. The
rules call the primitive again, with the same solver, so every further order follows, and a
factorisation that the solver keeps is used by all of them.

Where A is not given by entries but by what it does to a vector, by code that may depend on any
traced value, `solve_action` differentiates the equation instead of listing the values that it
depends on (docs/derivations/linalg_operator.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla

from .._core.engine import below, isbox, primitive, record, trace_of, tracing
from .._core.mirror import as_scipys, traced
from .._core.pattern import Pattern
from ..sparse._matmul import sampled_outer, spmm
from ._action import Action


class Solver:
    """Solves with one matrix A, given by its entries on `pattern`, or with its transpose."""

    pattern: Pattern | None = None

    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, or Aᵀ x = b."""
        raise NotImplementedError

    def run(self, action: Action, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, A given by what it does; `transposed`: A is that of another system."""
        raise NotImplementedError

    def on_entries(self, entries: Any) -> Any:
        """Derivatives with respect to entries that the solver reads; zero for the others."""
        return entries


@primitive(wrt=("data", "b"))
def solve(data, b, solver, transposed=False):
    """x with A x = b (Aᵀ x = b), A given by its entries."""
    return solver.solve(data, b, transposed)


@solve.joint_vjp
def _(names, g, ans, data, b, solver, transposed):
    w = solve(data, g, solver, not transposed)  # the only adjoint solve
    grads = {}
    if "b" in names:
        grads["b"] = w if anp.shape(w) == anp.shape(b) else anp.reshape(w, anp.shape(b))
    if "data" in names:
        left, right = (ans, w) if transposed else (w, ans)
        grads["data"] = -solver.on_entries(sampled_outer(left, right, solver.pattern))
    return [grads[name] for name in names]


@solve.joint_jvp
def _(names, tangents, ans, data, b, solver, transposed):
    given = dict(zip(names, tangents))
    rhs = 0.0
    if "b" in given:
        rhs = (
            given["b"]
            if anp.ndim(given["b"]) == anp.ndim(ans)
            else anp.reshape(given["b"], anp.shape(ans))
        )
    if "data" in given:
        pattern = solver.pattern.T if transposed else solver.pattern
        rhs = rhs - spmm(solver.on_entries(given["data"]), ans, pattern)
    return solve(data, rhs, solver, transposed)


# ---- A given by what it does to a vector ------------------------------------------------------


def solve_action(action: Action, b: Any, solver: Solver, transposed: bool = False) -> Any:
    """x with A x = b, differentiable in b and in all that the action depends on.

    Let x be the solution without the innermost trace t of A and b, right in all outer ones. In
    trace t, r = b - A x is zero and has the derivative  ṙ = ḃ - Ȧ x;  ẋ = A⁻¹ ṙ.
    """
    inner = action.trace()
    t = max(inner, trace_of(b))
    if t < 0:
        return solver.run(action, b, transposed)
    outer = action.below(t) if inner == t else action
    x = solve_action(outer, below(b, t), solver, transposed)
    r = b - action.apply(x) if inner == t else b
    return record(solve_outer, x, r, outer, solver, transposed) if isbox(r) else x


@primitive(wrt=("r",))
def solve_outer(r, action, solver, transposed):
    """A⁻¹ r, for an action that depends on no trace as late as that of r."""
    return solve_action(action, r, solver, transposed)


@solve_outer.vjp("r")  # r̄ = A⁻ᵀ x̄
def _(g, ans, r, action, solver, transposed):
    return solve_action(action.T, g, solver, not transposed)


@solve_outer.jvp("r")  # ẋ = A⁻¹ ṙ
def _(t, ans, r, action, solver, transposed):
    return solve_action(action, t, solver, transposed)


# ---- SciPy's functions of operators -----------------------------------------------------------


def is_operator(x: Any) -> bool:
    """Whether `x` is used by its products, which may depend on anything."""
    return isinstance(x, spla.LinearOperator) or hasattr(x, "matvec")


def traced_solver(
    theirs: Callable, wrt: tuple[str, ...], note: str = "", gpu: bool = False
) -> Callable:
    """As `traced`, for a function of operators, which do not show whether they are traced.

    While nothing is being traced, SciPy's function is called.
    """

    def declare(implementation: Callable) -> Callable:
        def untraced(*args, **kwargs):
            if tracing() and any(map(is_operator, (*args, *kwargs.values()))):
                return implementation(*args, **kwargs)
            if args:  # A, which only products are made with, one in each iteration
                return theirs(as_scipys(args[0]), *args[1:], **kwargs)
            return theirs(**kwargs)

        return traced(theirs, wrt, note, untraced, gpu)(implementation)

    return declare
