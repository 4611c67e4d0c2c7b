"""Methods of SciPy's classes, wrapped for ours: what they add for an untraced matrix.

Results are of our classes, a traced argument is handed to the traced implementation, a traced value
that is written into a constant matrix turns it into a traced one, and in-place methods copy first
what is shared with a pattern or a rule.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .._core import errors
from .._core.capture import _frozen as captures
from .._core.capture import is_captured
from .._core.engine import box_types, contains_traced
from .._core.layout import DEVICE_ARRAYS, DEVICE_MATRICES
from .._core.mirror import OURS, PLAIN, all_plain, as_scipys, own
from .._core.traced import become_traced, lift

_WITH_OPERAND = (
    "__add__", "__radd__", "__sub__", "__rsub__", "__mul__", "__rmul__", "__matmul__",
    "__rmatmul__", "__truediv__", "__rtruediv__", "__pow__",
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__",
    "dot", "multiply", "maximum", "minimum", "power", "tensordot",
)  # fmt: skip
_IN_PLACE = ("__setitem__", "setdiag", "__imul__", "__itruediv__", "update", "setdefault")
_WRITE_INDICES = (
    "sort_indices", "sum_duplicates", "eliminate_zeros", "resize", "set_shape",
)  # fmt: skip
_HARD_CODED = (
    "_multiply_2d_with_broadcasting", "_add_sparse", "_sub_sparse", "_matmul_sparse",
    "_broadcast_to", "_min_or_max_axis_nd",
)  # fmt: skip
"""Methods in which SciPy names its own classes instead of asking `_xxx_container`, or lets the
other operand, which may be SciPy's, make the result."""

_FORWARD = {
    "__radd__": "__add__", "__rsub__": "__sub__", "__rmul__": "__mul__",
    "__rmatmul__": "__matmul__", "__rtruediv__": "__truediv__",
}  # fmt: skip


def _is_traced(x: Any) -> bool:
    t = type(x)
    if t in DEVICE_ARRAYS or t in DEVICE_MATRICES:  # beside a matrix of the host
        raise TypeError(errors.mixed(np.ndarray, t))
    return t in box_types or ((t is list or t is tuple) and contains_traced(x))


def _with_operand(name: str, theirs: Callable) -> Callable:
    def method(self, *args, **kwargs):  # whatever SciPy calls its arguments
        if not kwargs and all_plain(args):
            return theirs(self, *args)
        if any(map(_is_traced, args)) or (kwargs and contains_traced((), kwargs)):
            return getattr(lift(self), name)(*args, **kwargs)
        return theirs(self, *args, **kwargs)

    return method


def _binary(name: str, theirs: Callable) -> Callable:
    def method(self, other):
        t = type(other)
        if t in PLAIN or t is np.ndarray or not _is_traced(other):
            return theirs(self, other)
        return getattr(lift(self), name)(other)

    return method


def _reflected(name: str, theirs: Callable) -> Callable:
    forward = _FORWARD[name]

    def method(self, other):
        if type(other) in OURS:
            # SciPy's matrix on the left of ours: Python asks us first, since our class derives
            # from its. SciPy's reflected operators do not expect that (A @ B would be computed as
            # (B.T @ A.T).T, in another format).
            return own(getattr(other, forward)(self))
        if _is_traced(other):
            return getattr(lift(self), name)(other)
        return theirs(self, other)

    return method


def _in_place(name: str, theirs: Callable) -> Callable:
    def method(self, *args, **kwargs):
        if (kwargs or not all_plain(args)) and contains_traced(args, kwargs):
            state = lift(self)
            result = getattr(state, name)(*args, **kwargs)
            if result is NotImplemented:
                return result
            become_traced(self, state)
            return self if result is state else result
        _make_writable(self)
        return theirs(self, *args, **kwargs)

    return method


def _set_entry(name: str, theirs: Callable, may_share: bool) -> Callable:
    """`A[i, j] = v`; lil and dok own all they consist of, others `may_share` their arrays."""
    general = _in_place(name, theirs)

    def method(self, key, value):
        if type(value) not in PLAIN:
            return general(self, key, value)
        for k in key if type(key) is tuple else (key,):
            if type(k) not in PLAIN and not all_plain((k,)):
                return general(self, key, value)
        if may_share:
            _make_writable(self)
        return theirs(self, key, value)

    return method


_DONE = {"sum_duplicates": "has_canonical_format", "sort_indices": "has_sorted_indices"}


def _set_diagonal(name: str, theirs: Callable) -> Callable:
    """`setdiag` of lil and dok: entry by entry, so SciPy's code is given a matrix of its own."""
    general = _in_place(name, theirs)

    def method(self, *args, **kwargs):
        if kwargs or not all_plain(args):
            return general(self, *args, **kwargs)
        return theirs(as_scipys(self), *args)

    return method


def _writes_indices(name: str, theirs: Callable) -> Callable:
    def method(self, *args, **kwargs):
        _make_writable(self, moves=True)
        return theirs(self, *args, **kwargs)

    if name not in _DONE:
        return method
    done = operator.attrgetter(_DONE[name])

    def unless_done(self):
        if not done(self):  # SciPy asks as well, and in nearly every operation
            method(self)

    return unless_done


def _owned(name: str, theirs: Callable) -> Callable:
    def method(self, *args, **kwargs):
        return own(theirs(self, *args, **kwargs))

    return method


def _of_copies(name: str, theirs: Callable) -> Callable:
    """For SciPy's products of coo tensors, in which it sorts the entries of a vector in place."""

    def method(self, other, *args, **kwargs):
        return own(theirs(self.copy(), other.copy(), *args, **kwargs))

    return method


_INDEX_ARRAYS = ("indptr", "indices", "offsets")


def _make_writable(A: Any, moves: bool = False) -> None:
    """Before A is written to: copies of arrays that a pattern or a rule shares with it.

    `moves`: the entries will be moved, as the copied indices are. A matrix that shares both, as
    ``A.T`` does, keeps its indices, so it has to keep its entries, too.
    """
    d = A.__dict__
    if "indices" in d:
        shared = not (d["indices"].flags.writeable and d["indptr"].flags.writeable)
    elif "coords" in d:
        shared = False
        for coordinate in d["coords"]:
            shared = shared or not coordinate.flags.writeable
    else:
        shared = "offsets" in d and not d["offsets"].flags.writeable
    data = d.get("data")
    captured = (bool(captures) and is_captured(A)) or (
        type(data) is np.ndarray and not data.flags.writeable
    )
    if shared or captured:
        for name in ("data", *_INDEX_ARRAYS) if captured or moves else _INDEX_ARRAYS:
            if name in d:
                d[name] = d[name].copy()
        if "coords" in d:
            d["coords"] = tuple(c.copy() for c in d["coords"])


class _Entries:
    """`A.data = v`. Without a `__get__`, reading stays as fast as for any attribute."""

    def __set__(self, A: Any, value: Any) -> None:
        if type(value) in box_types:
            state = lift(A)
            state.data = value
            become_traced(A, state)
            return
        A.__dict__["data"] = value


def _apart(theirs: Callable) -> Callable:
    """Index arrays and entries of a coo matrix as those of csr, where SciPy sorts them next.

    Those of a vector are shared with it, and SciPy sorts the entries in place: it would get them in
    another order than its coordinates.
    """

    def _coo_to_compressed(self, swap, copy=False):
        shared = len(self.shape) == 1 and not self.has_canonical_format
        return theirs(self, swap, copy=copy or shared)

    return _coo_to_compressed


def wrap_methods(cls: type, theirs: type) -> None:
    """Wrap the methods of SciPy's class that the lists above name, for ours."""
    has_data = cls.__name__.split("_")[0] not in ("lil", "dok")
    for names, wrap in (
        (_WITH_OPERAND, None), (_IN_PLACE, _in_place), (_WRITE_INDICES, _writes_indices),
        (_HARD_CODED, _owned), (("_sparse_dot", "_sparse_tensordot"), _of_copies),
    ):  # fmt: skip
        for name in names:
            method = getattr(theirs, name, None)
            if method is None:
                continue
            if name == "__setitem__":
                wrapped = _set_entry(name, method, has_data)
            elif name == "setdiag" and not has_data:
                wrapped = _set_diagonal(name, method)
            elif wrap is None:
                if name in _FORWARD:
                    wrapped = _reflected(name, method)
                elif name == "__pow__":
                    wrapped = _owned(name, _with_operand(name, method))
                elif name.startswith("__"):
                    wrapped = _binary(name, method)
                else:
                    wrapped = _with_operand(name, method)
            else:
                wrapped = wrap(name, method)
            wrapped.__name__, wrapped.__doc__ = name, method.__doc__
            wrapped.__qualname__ = f"{cls.__name__}.{name}"
            setattr(cls, name, wrapped)
    if has_data:
        cls.data = _Entries()
    if cls.__name__.startswith("coo") and hasattr(theirs, "__getitem__"):
        cls.__getitem__ = _owned("__getitem__", theirs.__getitem__)
    if hasattr(theirs, "_coo_to_compressed"):
        cls._coo_to_compressed = _apart(theirs._coo_to_compressed)
