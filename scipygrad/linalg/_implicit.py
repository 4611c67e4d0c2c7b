"""THE rule of every solve: x = A⁻¹ b.

From A x = b:  Ȧ x + A ẋ = ḃ, so  ẋ = A⁻¹ (ḃ − Ȧ x),  and with ⟨x̄, ẋ⟩ = ⟨w, ḃ − Ȧ x⟩,
w = A⁻ᵀ x̄:   b̄ = w,   Ā = −w xᵀ on the stored entries. One adjoint solve serves both.
Complex values: transposes, never conjugates (docs/derivations/linalg_implicit.md).

How a system is solved is the business of its `Solver`; it also decides which entries A has. The
rules call the primitive again, with the same solver, so every further order follows, and a
factorisation that the solver keeps is used by all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import autograd.numpy as anp
import numpy as np

from .._core.engine import primitive
from .._core.pattern import Pattern
from ..sparse._matmul import sampled_outer, spmm


class Solver(ABC):
    """Solves with one matrix A, given by its entries on `pattern`, or with its transpose."""

    pattern: Pattern | None = None

    @abstractmethod
    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, or Aᵀ x = b."""

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
