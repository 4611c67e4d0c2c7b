"""Iterative solves, differentiated implicitly: not the iteration, but the solution it stands for.

The adjoint system is solved by the same method, to the same relative tolerance, with the same
preconditioner and iteration limit. The starting guess x0 and the preconditioner M change the way
to the solution and not the solution: their derivatives are zero.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla

from .._core.engine import contains_traced, is_sparse, isbox, strip
from .._core.errors import AdjointConvergenceWarning
from .._core.mirror import traced
from .._core.pattern import Pattern
from .._core.tags import coalesced
from .._core.traced import entries_to_keep, lift
from ..sparse._convert import as_format
from ._implicit import Solver, solve


class HermitianIteration(Solver):
    """A method for Hermitian A: Aᵀ w = g is A w* = g*, so A and M serve the adjoint as they are."""

    def __init__(self, method: Callable, A: Any, pattern: Pattern | None, b: np.ndarray, **options):
        self.method, self.A, self.pattern = method, A, pattern
        self.first = options.pop("first")
        size = float(np.linalg.norm(b))
        rtol, atol = options.pop("rtol"), options.pop("atol")
        # The accuracy that the forward solve had, whatever the size of the adjoint's right side.
        self.rtol = max(rtol, atol / size if size else 0.0)
        self.options = options
        self.info: int | None = None

    def solve(self, data: np.ndarray, b: np.ndarray, transposed: bool) -> np.ndarray:
        A = self.A if self.pattern is None else self.pattern.view(data)
        if self.info is None:
            x, self.info = self.method(A, b, **self.first)
            return x
        rhs = b.conj() if transposed else b
        x, info = self.method(A, rhs.ravel(), rtol=self.rtol, atol=0.0, **self.options)
        if info:
            warnings.warn(
                f"{self.method.__name__}: the linear system of a derivative did not converge "
                f"(info={info}, rtol={self.rtol:g}); the derivative is inexact. Raise maxiter, or "
                "give a better preconditioner M.",
                AdjointConvergenceWarning,
                stacklevel=2,
            )
        return x.conj() if transposed else x


@traced(
    spla.cg,
    wrt=("A", "b"),
    note="A a Hermitian matrix (or a constant operator); no derivative in x0 and M, which do not "
    "change the solution",
)
def cg(A, b, x0=None, *, rtol=1e-05, atol=0.0, maxiter=None, M=None, callback=None):
    x0, M, rtol, atol = strip((x0, M, rtol, atol))
    b = b if isbox(b) else anp.array(b) if contains_traced((b,)) else np.asarray(b)
    pattern, data = None, np.empty(0)
    if is_sparse(A):
        A = coalesced(lift(A))
        if A.format not in ("csr", "csc", "coo"):
            A = as_format(A, "csr")
        pattern, data = A._pattern, entries_to_keep(A)
    elif contains_traced((A,)):
        raise NotImplementedError(
            "cg: a traced dense A is not supported. Make it sparse, sp.csr_array(A), or solve with "
            "autograd.numpy.linalg.solve."
        )
    shared = {"maxiter": maxiter, "M": M}
    first = {"x0": x0, "rtol": rtol, "atol": atol, "callback": callback, **shared}
    solver = HermitianIteration(
        spla.cg, A, pattern, strip(b), rtol=rtol, atol=atol, first=first, **shared
    )
    x = solve(data, b, solver)
    return x, solver.info
