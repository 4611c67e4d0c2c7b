"""What is traced, and by which trace: autograd's own search, with sparse values in it.

Traces get ids that are never used twice (`TraceStack`). autograd counts nested traces on one
counter for all threads, so concurrent gradients disturb each other, and a value that outlived its
trace can be taken for a member of a new one. A NumPy function of a traced sparse matrix is handed
back to NumPy, whose protocols ask the matrix (`find_top_boxed_args`); autograd's own rule would see
a sparse value as an array.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from autograd import tracer
from autograd.extend import Box
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import getval, isbox
from scipy.sparse import issparse as scipy_issparse

from . import errors
from .layout import DEVICE_MATRICES, SPARSE_TYPES, TRACED_TYPES

box_types = Box.types


# ---- what is traced --------------------------------------------------------------------------


def contains_traced(args: Iterable[Any], kwargs: Mapping[str, Any] | None = None) -> bool:
    """Whether a traced value stands among the arguments, at any depth of containers."""
    for x in args:
        t = type(x)
        if t in box_types:
            return True
        if t in _CONTAINERS:
            if t is np.ndarray:
                if x.dtype.hasobject and contains_traced(x.ravel().tolist()):
                    return True
            elif contains_traced(x.values() if t is dict else x):
                return True
    return bool(kwargs) and contains_traced(kwargs.values())


_CONTAINERS = frozenset((tuple, list, dict, np.ndarray))


def strip(x: Any) -> Any:
    """`x` with every traced value, at any depth of containers, replaced by its plain value."""
    t = type(x)
    if t in TRACED_TYPES:
        return x._plain()
    if t in box_types:
        return strip(getval(x))
    if t is tuple or t is list:
        return t(strip(v) for v in x)
    if t is dict:
        return {k: strip(v) for k, v in x.items()}
    if t is np.ndarray and x.dtype.hasobject:
        return np.array([strip(v) for v in x.ravel().tolist()] + [None], object)[:-1].reshape(
            x.shape
        )
    return x


def nested(f: Callable[[Any], Any], x: Any) -> Any:
    """`f` of `x`, or of each of its elements at any depth of tuples, lists and dicts."""
    t = type(x)
    if t is tuple or t is list:
        return t(nested(f, v) for v in x)
    if t is dict:
        return {k: nested(f, v) for k, v in x.items()}
    return f(x)


_sparse_by_type: dict[type, bool] = {}


def is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse matrix or array: SciPy's, ours, or a traced one."""
    t = type(x)
    try:
        return _sparse_by_type[t]
    except KeyError:
        if t.__module__.startswith("cupyx."):
            from . import device

            device.known(t)
        answer = t in TRACED_TYPES or t in DEVICE_MATRICES or scipy_issparse(x)
        _sparse_by_type[t] = answer
        return answer


# ---- traces ----------------------------------------------------------------------------------


class TraceStack:
    """Numbers traces; a later trace, hence every nested one, has the larger number."""

    def __init__(self) -> None:
        self._ids = itertools.count()
        self.live: set[int] = set()

    @contextmanager
    def new_trace(self):
        trace = next(self._ids)  # atomic in CPython
        self.live.add(trace)
        try:
            yield trace
        finally:
            self.live.discard(trace)


_traces = TraceStack()


def is_live(box: Box) -> bool:
    """Whether the trace that `box` belongs to is still being recorded."""
    return box._trace in _traces.live


def tracing() -> bool:
    """Whether a trace is being recorded."""
    return bool(_traces.live)


def trace_of(x: Any) -> int:
    """The trace that `x` belongs to, -1 for a plain value."""
    return x._trace if isbox(x) else -1


def below(x: Any, trace: int) -> Any:
    """`x` as it is without the trace `trace`, if that is its innermost one."""
    return x._value if isbox(x) and x._trace == trace else x


ARRAY_BOXES: set[type] = {ArrayBox}
"""ArrayBox, and what stands for it (`scipygrad._core.elements`)."""

NEVER_OVERRIDES = {np.ndarray, float, int, complex, np.float64, tuple, dict, list, str}


def find_top_boxed_args(args):
    """autograd's search for the innermost trace, with sparse operands of NumPy functions kept.

    A NumPy function met by a traced sparse matrix is called as it is, so that NumPy's protocols
    (`__array_ufunc__`, `__array_function__`) ask the matrix. The same goes for a constant sparse
    matrix beside a traced array, where ArrayBox is asked. What cannot be asked that way raises.
    """
    if not SPARSE_TYPES.isdisjoint(map(type, args)) and _left_to_numpy(args, sys._getframe(1)):
        return [], -1, None, False
    top, boxes, arraybox, overrider = -1, [], False, False
    for i, x in enumerate(args):
        t = type(x)
        if t in box_types:
            trace = x._trace
            if trace > top:
                boxes, top = [(i, x)], trace
            elif trace == top >= 0:  # (what has become constant belongs to no trace, -1)
                boxes.append((i, x))
            arraybox = arraybox or t in ARRAY_BOXES
        elif t not in NEVER_OVERRIDES:
            override = getattr(t, "__array_ufunc__", None)
            overrider = overrider or override not in (None, np.ndarray.__array_ufunc__)
    kind = type(boxes[0][1]._node) if boxes else None
    return boxes, top, kind, arraybox and overrider


def _left_to_numpy(args, calling):
    """Whether the function called with a sparse operand is NumPy's, to be asked of the operand."""
    calling = calling.f_locals
    function = calling.get("f_raw")
    by_numpy = isinstance(function, np.ufunc) or getattr(function, "__module__", "").startswith(
        ("numpy", "scipy.", "autograd.numpy", "autograd.scipy")
    )
    if not by_numpy or not any(type(arg) in box_types for arg in args):
        return False
    if calling.get("called_by_autograd_dispatcher"):
        raise NotImplementedError  # ArrayBox steps back, the sparse operand is asked
    traced_matrix = any(type(arg) in TRACED_TYPES for arg in args)
    if not isinstance(function, np.ufunc) and not (
        traced_matrix and function.__module__.startswith("numpy")
    ):
        raise NotImplementedError(errors.not_yet(f"numpy.{function.__name__}", ()))
    return True


tracer.trace_stack = _traces
tracer.find_top_boxed_args = find_top_boxed_args
