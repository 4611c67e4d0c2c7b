"""The fourteen sparse classes: real subclasses of SciPy's.

Untraced they behave as SciPy's do. What they add: results are of our classes, a traced argument is
handed to the traced implementation, a traced value that is written into a constant matrix turns it
into a traced one, and in-place methods copy first what is shared with a pattern or a rule.
"""

from __future__ import annotations

import inspect
from abc import ABCMeta
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sps

from .._core.capture import is_captured
from .._core.engine import box_types, contains_traced
from .._core.layout import TRACED_TYPES, SparseLayout
from .._core.mirror import OURS, own
from .._core.table import enter
from .._core.traced import become_traced, lift, register_class
from ._shortcuts import Compressed, Coordinates

_THEIRS: dict[type, type] = {}
"""SciPy's class for each of ours; not for classes that a user derives from ours."""
_CONTAINERS = frozenset((list, tuple, np.ndarray))


class Meta(ABCMeta):
    """Lets a traced matrix be an instance of the class it stands for, and be constructed."""

    def __init__(cls, *args: Any) -> None:
        super().__init__(*args)
        if issubclass(cls, SparseLayout):
            register_class(cls)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        # Entries come first: in arg1, or first in the tuple that arg1 is. SciPy constructs a matrix
        # in nearly every operation, so nothing else is looked at.
        first = arg1 = args[0] if args else kwargs.get("arg1")
        if type(arg1) is tuple and arg1:
            first = arg1[0]
        t = type(first)
        if t in box_types or (t in _CONTAINERS and contains_traced((first,))):
            from ._construct import construct

            return construct(cls, *args, **kwargs)
        if cls in _WITH_SHORTCUTS:  # not subclasses of them, whose constructors may do more
            if t is np.ndarray and type(arg1) is tuple and len(arg1) == cls._parts:
                new = cls._from_arrays(*args, **kwargs)
                if new is not None:
                    return new
            elif t is cls and len(args) == 1 and not kwargs:
                return first._shared()
        theirs = _THEIRS.get(cls)
        if theirs is not None:  # SciPy makes its own class faster than a class with a `data` hook
            return own(theirs(*args, **kwargs))
        return type.__call__(cls, *args, **kwargs)

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor; `inspect` would take it from `__call__`."""
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=[*signature.parameters.values()][1:])

    def __instancecheck__(cls, x: Any) -> bool:
        if type(x) in TRACED_TYPES:
            return issubclass(x._class, cls)
        return type.__instancecheck__(cls, x)

    def __subclasscheck__(cls, other: type) -> bool:
        return type.__subclasscheck__(cls, other)


class _FamilyMeta(type):
    """isinstance and issubclass as for SciPy's family, traced matrices included."""

    def __instancecheck__(cls, x: Any) -> bool:
        return issubclass(x._class if type(x) in TRACED_TYPES else type(x), cls)

    def __subclasscheck__(cls, other: type) -> bool:
        theirs = cls.__base__
        if type(theirs) is _FamilyMeta:  # a subclass of one of the two
            return type.__subclasscheck__(cls, other)
        return issubclass(other, theirs)


class sparray(sps.sparray, metaclass=_FamilyMeta):
    __doc__ = sps.sparray.__doc__


class spmatrix(sps.spmatrix, metaclass=_FamilyMeta):
    __doc__ = sps.spmatrix.__doc__


# ---- traced arguments of a constant's methods -------------------------------------------------

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
    "_sparse_dot", "_sparse_tensordot", "_broadcast_to", "_min_or_max_axis_nd",
)  # fmt: skip
"""Methods in which SciPy names its own classes instead of asking `_xxx_container`, or lets the
other operand, which may be SciPy's, make the result."""

_FORWARD = {
    "__radd__": "__add__", "__rsub__": "__sub__", "__rmul__": "__mul__",
    "__rmatmul__": "__matmul__", "__rtruediv__": "__truediv__",
}  # fmt: skip


def _is_traced(x: Any) -> bool:
    t = type(x)
    return t in box_types or ((t is list or t is tuple) and contains_traced(x))


def _with_operand(name: str, theirs: Callable) -> Callable:
    def method(self, *args, **kwargs):  # whatever SciPy calls its arguments
        if any(map(_is_traced, args)) or (kwargs and contains_traced((), kwargs)):
            return getattr(lift(self), name)(*args, **kwargs)
        return theirs(self, *args, **kwargs)

    return method


def _binary(name: str, theirs: Callable) -> Callable:
    def method(self, other):
        if _is_traced(other):
            return getattr(lift(self), name)(other)
        return theirs(self, other)

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
        if contains_traced(args, kwargs):
            state = lift(self)
            result = getattr(state, name)(*args, **kwargs)
            if result is NotImplemented:
                return result
            become_traced(self, state)
            return self if result is state else result
        _make_writable(self)
        return theirs(self, *args, **kwargs)

    return method


def _writes_indices(name: str, theirs: Callable) -> Callable:
    def method(self, *args, **kwargs):
        _make_writable(self)
        return theirs(self, *args, **kwargs)

    return method


def _owned(name: str, theirs: Callable) -> Callable:
    def method(self, *args, **kwargs):
        return own(theirs(self, *args, **kwargs))

    return method


_INDEX_ARRAYS = ("indptr", "indices", "offsets")


def _make_writable(A: Any) -> None:
    """Before A is written to: copies of arrays that a pattern or a rule shares with it."""
    d = A.__dict__
    if "indices" in d:
        shared = not (d["indices"].flags.writeable and d["indptr"].flags.writeable)
    elif "coords" in d:
        shared = not all(c.flags.writeable for c in d["coords"])
    else:
        shared = "offsets" in d and not d["offsets"].flags.writeable
    captured = is_captured(A)
    if shared or captured:
        for name in ("data", "indptr", "indices", "offsets") if captured else _INDEX_ARRAYS:
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


class _ArrayContainers(SparseLayout):
    _bsr_container = property(lambda self: bsr_array)
    _coo_container = property(lambda self: coo_array)
    _csc_container = property(lambda self: csc_array)
    _csr_container = property(lambda self: csr_array)
    _dia_container = property(lambda self: dia_array)
    _dok_container = property(lambda self: dok_array)
    _lil_container = property(lambda self: lil_array)


class _MatrixContainers(SparseLayout):
    _bsr_container = property(lambda self: bsr_matrix)
    _coo_container = property(lambda self: coo_matrix)
    _csc_container = property(lambda self: csc_matrix)
    _csr_container = property(lambda self: csr_matrix)
    _dia_container = property(lambda self: dia_matrix)
    _dok_container = property(lambda self: dok_matrix)
    _lil_container = property(lambda self: lil_matrix)


def _sparse_class(cls: type) -> type:
    """Complete one of our classes: wrap the methods of SciPy's that the lists above name."""
    theirs = cls.__bases__[-1]
    for names, wrap in (
        (_WITH_OPERAND, None), (_IN_PLACE, _in_place), (_WRITE_INDICES, _writes_indices),
        (_HARD_CODED, _owned),
    ):  # fmt: skip
        for name in names:
            method = getattr(theirs, name, None)
            if method is None:
                continue
            if wrap is None:
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
    if cls.__name__.split("_")[0] not in ("lil", "dok"):
        cls.data = _Entries()
    if cls.__name__.startswith("coo") and hasattr(theirs, "__getitem__"):
        cls.__getitem__ = _owned("__getitem__", theirs.__getitem__)
    entry = enter(theirs, "traced", ("arg1",), "structure is constant; entries are differentiated")
    cls.__doc__ = f"{entry.line()}\n\n{inspect.cleandoc(theirs.__doc__ or '')}"
    cls.__module__, cls.__qualname__ = "scipygrad.sparse", cls.__name__
    OURS[theirs] = cls
    _THEIRS[cls] = theirs
    return cls


@_sparse_class
class bsr_array(_ArrayContainers, sps.bsr_array, metaclass=Meta):
    pass


@_sparse_class
class coo_array(_ArrayContainers, Coordinates, sps.coo_array, metaclass=Meta):
    pass


@_sparse_class
class csc_array(_ArrayContainers, Compressed, sps.csc_array, metaclass=Meta):
    pass


@_sparse_class
class csr_array(_ArrayContainers, Compressed, sps.csr_array, metaclass=Meta):
    pass


@_sparse_class
class dia_array(_ArrayContainers, sps.dia_array, metaclass=Meta):
    pass


@_sparse_class
class dok_array(_ArrayContainers, sps.dok_array, metaclass=Meta):
    pass


@_sparse_class
class lil_array(_ArrayContainers, sps.lil_array, metaclass=Meta):
    pass


@_sparse_class
class bsr_matrix(_MatrixContainers, sps.bsr_matrix, metaclass=Meta):
    pass


@_sparse_class
class coo_matrix(_MatrixContainers, Coordinates, sps.coo_matrix, metaclass=Meta):
    _DIMENSIONS = (2,)


@_sparse_class
class csc_matrix(_MatrixContainers, Compressed, sps.csc_matrix, metaclass=Meta):
    pass


@_sparse_class
class csr_matrix(_MatrixContainers, Compressed, sps.csr_matrix, metaclass=Meta):
    pass


@_sparse_class
class dia_matrix(_MatrixContainers, sps.dia_matrix, metaclass=Meta):
    pass


@_sparse_class
class dok_matrix(_MatrixContainers, sps.dok_matrix, metaclass=Meta):
    pass


@_sparse_class
class lil_matrix(_MatrixContainers, sps.lil_matrix, metaclass=Meta):
    pass


_WITH_SHORTCUTS = frozenset((coo_array, coo_matrix, csc_array, csc_matrix, csr_array, csr_matrix))

for _family in (sparray, spmatrix):
    _family.__module__, _family.__qualname__ = "scipygrad.sparse", _family.__name__
    enter(_family.__base__, "plain", note="a family of classes, for isinstance")
