"""Linear maps given by what they do to a vector: v -> A v, by code that may use traced values.

An `Action` can be transposed, and can be had as it is without its innermost trace: this is what
the rule of a solve needs (`_implicit.solve_action`, docs/derivations/linalg_operator.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla
from autograd import make_vjp

from .._core.device import namespace
from .._core.engine import below, getval, is_sparse, isbox, primitive, record, strip, trace_of
from .._core.traced import lift


class Action(ABC):
    """A linear map v -> A v, made of traced operations, and its transpose."""

    shape: tuple[int, int]
    dtype: Any
    xp: Any = np
    """NumPy, or CuPy if its vectors lie on a GPU."""

    @abstractmethod
    def apply(self, v: Any) -> Any:
        """A v, for a traced or plain v."""

    @property
    @abstractmethod
    def T(self) -> Action:
        """The transposed map."""

    def trace(self) -> int:
        """The innermost trace among the values that the action depends on, -1 for none."""
        return trace_of(self.apply(self.xp.ones(self.shape[1], self.dtype)))

    def below(self, trace: int) -> Action:
        """The action without the trace `trace`, its innermost one."""
        return Below(self, trace)


class Below(Action):
    """An action without its innermost trace: what that adds to a result is taken off.

    A vector of a later trace is put onto that trace's tape here, where the action is a constant
    linear map: going through the code of the action would mix the two traces.
    """

    def __init__(self, action: Action, trace: int) -> None:
        self.action, self._trace = action, trace
        self.shape, self.dtype, self.xp = action.shape, action.dtype, action.xp

    def apply(self, v: Any) -> Any:
        if trace_of(v) > self._trace:
            return record(act, self.apply(v._value), v, self)
        return below(self.action.apply(v), self._trace)

    @property
    def T(self) -> Action:
        return Below(self.action.T, self._trace)


@primitive(wrt=("v",))
def act(v, action):
    """A v, for an action that depends on no trace as late as that of v."""
    return action.apply(v)


@act.vjp("v")  # v̄ = Aᵀ ȳ
def _(g, ans, v, action):
    return action.T.apply(g)


@act.jvp("v")  # ẏ = A v̇
def _(t, ans, v, action):
    return action.apply(t)


# ---- what can be an action --------------------------------------------------------------------

_ADVICE = (
    "Give the operator an rmatvec (of a symmetric real one: its matvec), or write its matvec with "
    "autograd.numpy and functions of scipygrad, so that it can be differentiated."
)


class Numbers(Action):
    """An operator in which nothing is traced, for plain vectors; its adjoint is its derivative."""

    def __init__(self, op: Any, transposed: bool = False) -> None:
        self.op, self.transposed = op, transposed
        self.shape = op.shape[::-1] if transposed else op.shape
        self.dtype = op.dtype

    def apply(self, v: Any) -> Any:
        is_vector = v.ndim == 1
        if not self.transposed:
            return self.op.matvec(v) if is_vector else self.op.matmat(v)
        try:
            return np.conj(
                self.op.rmatvec(np.conj(v)) if is_vector else self.op.rmatmat(np.conj(v))
            )
        except NotImplementedError as error:
            raise NotImplementedError(
                f"{self.op!r} is applied to a traced vector by a matvec for plain numbers, and has "
                f"no adjoint. {_ADVICE}"
            ) from error

    @property
    def T(self) -> Action:
        return Numbers(self.op, not self.transposed)


class OperatorAction(Action):
    """An operator, or its transpose: by its adjoint or, without one, by differentiating it."""

    def __init__(self, op: Any, transposed: bool = False, xp: Any = np) -> None:
        self.op, self.transposed, self.xp = op, transposed, xp
        self.shape = op.shape[::-1] if transposed else op.shape
        self.dtype = op.dtype
        self._pull: dict[Any, Callable] = {}

    def apply(self, v: Any) -> Any:
        if not self.transposed:
            return self.op.matvec(v)
        try:
            return anp.conj(self.op.rmatvec(anp.conj(v)))
        except NotImplementedError as error:
            return self._pulled_back(v, error)

    def _pulled_back(self, v: Any, error: Exception) -> Any:
        """Aᵀ v: the cotangent of x for the cotangent v of A x, at any x."""
        dtype = np.result_type(self.dtype, anp.result_type(v), np.float32)

        def product(x):
            y = self.op.matvec(x)
            if trace_of(y) != trace_of(x):
                raise NotImplementedError("the product does not depend on the vector")
            return y

        try:
            if dtype not in self._pull:
                zeros = namespace(getval(v)).zeros(self.shape[0], dtype)
                self._pull[dtype] = make_vjp(product)(zeros)[0]
            return self._pull[dtype](v)
        except (NotImplementedError, TypeError) as second:
            raise NotImplementedError(
                f"The transpose of {self.op!r} is needed for a derivative, and neither is there an "
                f"adjoint nor can its matvec be differentiated ({second}). {_ADVICE}"
            ) from error

    @property
    def T(self) -> Action:
        return OperatorAction(self.op, not self.transposed, self.xp)


class MatrixAction(Action):
    """A dense or sparse matrix, traced or not."""

    def __init__(self, A: Any) -> None:
        self.A = A
        self.shape, self.dtype = A.shape, A.dtype

    def apply(self, v: Any) -> Any:
        if not (isbox(self.A) or isbox(v)):
            return self.A @ v
        return lift(self.A) @ v if is_sparse(self.A) else anp.dot(self.A, v)

    @property
    def T(self) -> Action:
        return MatrixAction(self.A.T)

    def trace(self) -> int:
        return trace_of(self.A)

    def below(self, trace: int) -> Action:
        return MatrixAction(self.A._value)


# ---- for SciPy --------------------------------------------------------------------------------


def numbers_only(action: Action) -> spla.LinearOperator:
    """The action as an operator of SciPy's, which works with numbers."""
    transpose = action.T

    def rmatvec(v):
        return np.conj(strip(transpose.apply(np.conj(v))))

    return spla.LinearOperator(
        action.shape, lambda v: strip(action.apply(v)), rmatvec, dtype=action.dtype
    )
