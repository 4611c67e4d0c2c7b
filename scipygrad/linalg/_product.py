"""The product of an operator with a vector or a block, where something is traced.

A traced vector goes through the operator's own code, which may depend on traced values. Where that
code is made for plain numbers only, the operator is a constant linear map, and its adjoint the
derivative (docs/derivations/linalg_operator.md).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla

from .._core.engine import contains_traced, isbox, strip
from .._core.npmatrix import TracedNumpyMatrix
from ._action import Below, Numbers


def dense(x: Any) -> Any:
    """`x`, traced, as a traced array; plain as it is."""
    if type(x) is np.ndarray and not x.dtype.hasobject:
        return x
    if type(x) is TracedNumpyMatrix:
        return x.A
    return x if isbox(x) or not contains_traced((x,)) else anp.array(x)


def apply(op: Any, name: str, x: Any) -> Any:
    """The result of an operator's own method, for a vector or a block, traced or not."""
    columns = _vector_method(op, name)
    own_code = partial(_columns, columns) if columns else getattr(op, name)
    if not isbox(x):
        y = dense(own_code(x))
    elif op._constant:
        y = _by_adjoint(op, name, x)
    else:
        try:
            y = dense(own_code(x))
        except Exception:
            # Code for plain numbers only (FFTs, writing into arrays): good for a constant map.
            if contains_traced((own_code(strip(x)),)):
                raise
            y = _by_adjoint(op, name, x)
    if isbox(y):
        refuse_scipy()
    return y


def _by_adjoint(op: Any, name: str, x: Any) -> Any:
    action = Below(Numbers(op), -1)
    if name in ("_matvec", "_matmat"):
        return action.apply(x)
    return anp.conj(action.T.apply(anp.conj(x)))


def _vector_method(op: Any, name: str) -> Callable | None:
    """What a block of columns is multiplied by, one by one, if there is no method for blocks."""
    cls, base = type(op), spla.LinearOperator
    if name == "_matmat":
        missing = cls._matmat is base._matmat or _lacks(op, "matmat")
        return op.matvec if missing else None
    if name == "_rmatmat":
        missing = cls._rmatmat is base._rmatmat and cls._adjoint is base._adjoint
        return op.rmatvec if missing or _lacks(op, "rmatmat") else None
    return None


def _lacks(op: Any, name: str) -> bool:
    """Whether an operator made of functions has none of this name."""
    return op.__dict__.get(f"_CustomLinearOperator__{name}_impl", op) is None


def _columns(product: Callable, X: Any) -> Any:
    columns = [product(X[:, j]) for j in range(X.shape[1])]
    return (anp if any(map(isbox, columns)) else np).stack(columns, axis=1)


def refuse_scipy() -> None:
    """Raise if the algorithm that asked for a product is SciPy's own, which takes numbers only."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("scipy.sparse.linalg.") and not name.endswith("._interface"):
            raise NotImplementedError(
                f"{name}: SciPy's {frame.f_code.co_name} cannot work with a LinearOperator whose "
                "matvec depends on traced values. Use the function of scipygrad.sparse.linalg, if "
                "docs/support.md lists it as 'traced'; or make the operator of plain values "
                "(scipygrad.detach)."
            )
        if name not in (
            "scipygrad.linalg._operator",
            "scipygrad.linalg._operator_base",
            "scipygrad.linalg._product",
            "scipy.sparse.linalg._interface",
        ):
            return
        frame = frame.f_back  # type: ignore[assignment]
