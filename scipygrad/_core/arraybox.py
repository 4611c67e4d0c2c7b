"""autograd's ArrayBox, where it meets sparse operands: it lets these answer."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.numpy.numpy_boxes import ArrayBox

from . import errors
from .tracing import is_sparse

MANY = 100
"""Elements of a traced array, from which on it is worth a warning to take it apart."""

REFLECTED = {
    "__add__": "__radd__", "__sub__": "__rsub__", "__mul__": "__rmul__",
    "__truediv__": "__rtruediv__", "__matmul__": "__rmatmul__", "__pow__": "__rpow__",
    "__eq__": "__eq__", "__ne__": "__ne__",
    "__lt__": "__gt__", "__gt__": "__lt__", "__le__": "__ge__", "__ge__": "__le__",
}  # fmt: skip
REFLECTED |= {r: n for n, r in REFLECTED.items() if r.startswith("__r")}

_UFUNC_OPERATORS: dict[Any, str] = {
    np.add: "__add__", np.subtract: "__sub__", np.multiply: "__mul__",
    np.true_divide: "__truediv__", np.matmul: "__matmul__", np.power: "__pow__",
    np.negative: "__neg__", np.absolute: "__abs__", np.equal: "__eq__", np.not_equal: "__ne__",
    np.less: "__lt__", np.less_equal: "__le__", np.greater: "__gt__",
    np.greater_equal: "__ge__",
}  # fmt: skip


def sparse_ufunc(ufunc: np.ufunc, inputs: tuple) -> Any:
    """A NumPy function that is an operator, of sparse operands: what the operator does."""
    from .traced import lift

    name = _UFUNC_OPERATORS.get(ufunc)
    if name is None:
        return NotImplemented
    first, *rest = inputs
    if is_sparse(first):
        return getattr(lift(first), name)(*rest)
    return getattr(lift(rest[0]), REFLECTED[name])(first)


def _guard_arraybox() -> None:
    """Let a sparse operand answer ArrayBox's operators, in whichever class it comes."""
    for name, reflected in REFLECTED.items():
        setattr(ArrayBox, name, _guarded(name, reflected, getattr(ArrayBox, name)))
    ArrayBox.__array_ufunc__ = _guarded_ufunc(ArrayBox.__array_ufunc__)
    ArrayBox.__array__ = _as_plain_array


def _guarded(name: str, reflected: str, original: Callable) -> Callable:
    def method(self, other):
        if is_sparse(other):
            from .traced import lift

            return getattr(lift(other), reflected)(self)
        if type(other) is np.matrix:
            from .npmatrix import beside_npmatrix

            return beside_npmatrix(name, self, other)
        if getattr(type(other), "__array_ufunc__", 0) is None:  # NumPy's sign for: ask me instead
            return NotImplemented
        return original(self, other)

    method.__name__ = name
    return method


def _guarded_ufunc(original: Callable) -> Callable:
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if kwargs.get("out") is not None and method == "__call__":
            raise TypeError(errors.in_place_on_constant(ufunc.__name__))
        if method == "at":
            raise TypeError(errors.at_constant(ufunc.__name__))
        if method == "__call__" and any(map(is_sparse, inputs)):
            return NotImplemented if kwargs else sparse_ufunc(ufunc, inputs)
        if np.matrix in map(type, inputs):
            from .npmatrix import of_npmatrices

            return of_npmatrices(lambda *xs: original(self, ufunc, method, *xs, **kwargs), inputs)
        return original(self, ufunc, method, *inputs, **kwargs)

    return __array_ufunc__


def _as_plain_array(self, dtype=None, copy=None):
    """What NumPy's `asarray` makes of a traced array.

    SciPy's sparse operators ask this way whether their other operand is an array. They are told
    no (a 0-d object array), and then give our reflected operator its turn. Everybody else gets
    what NumPy makes without this method: an object array of traced elements.
    """
    asking = sys._getframe(1)
    module = asking.f_globals.get("__name__", "")
    if module.startswith(("scipy.sparse.linalg.", "scipy.sparse.csgraph.")):
        raise NotImplementedError(errors.not_yet(f"{module}: {asking.f_code.co_name}", ()))
    if module.startswith("scipy.sparse."):
        whole = np.empty((), object)
        whole[()] = self
        return whole
    if self.size > MANY:
        warnings.warn(errors.as_objects(self.shape), stacklevel=2)
    elements = np.empty(self.shape, object)
    for i in np.ndindex(self.shape):
        elements[i] = self[i] if i else self
    return elements


_guard_arraybox()
