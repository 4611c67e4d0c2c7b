"""The fourteen sparse classes: real subclasses of SciPy's.

Untraced they behave as SciPy's do. What they add: results are of our classes, a traced argument is
handed to the traced implementation, a traced value that is written into a constant matrix turns it
into a traced one, and in-place methods copy first what is shared with a pattern or a rule.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABCMeta
from typing import Any

import numpy as np
import scipy.sparse as sps

from .._core.device import on_device
from .._core.engine import box_types, contains_traced
from .._core.layout import DEVICE_MATRICES, TRACED_TYPES, SparseLayout
from .._core.mirror import DICTIONARIES, OURS, PLAIN, THEIRS, own
from .._core.table import enter
from .._core.traced import class_of, register_class
from ._methods import wrap_methods
from ._shortcuts import Blocks, ByCoordinates, Compressed, Coordinates, Diagonals

_modules = sys.modules


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
        if t is np.ndarray:
            unclear = first.dtype.hasobject
        else:
            unclear = t is list or t is tuple
        if t in box_types or (unclear and contains_traced((first,))):
            from ._construct import construct

            return construct(cls, *args, **kwargs)
        if cls in _WITH_SHORTCUTS:  # not subclasses of them, whose constructors may do more
            if t is np.ndarray:
                new = None
                if type(arg1) is tuple:
                    new = cls._from_arrays(*args, **kwargs)
                elif len(args) == 1 and not kwargs:
                    new = cls._from_dense(arg1)
                if new is not None:
                    return new
            elif t in cls._siblings and len(args) == 1 and not kwargs:
                new = cls._from_arrays(first._arrays(), first._shape)
                if new is not None:
                    return new
        if "cupy" in _modules and on_device(first):
            from ._construct import construct

            return construct(cls, *args, **kwargs)
        theirs = THEIRS.get(cls)
        if theirs is not None:  # SciPy makes its own class faster than a class with a `data` hook
            return own(theirs(*args, **kwargs))
        return type.__call__(cls, *args, **kwargs)

    @property
    def __signature__(cls) -> inspect.Signature:
        """That of the constructor; `inspect` would take it from `__call__`."""
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=[*signature.parameters.values()][1:])

    def __instancecheck__(cls, x: Any) -> bool:
        t = type(x)
        if t in TRACED_TYPES or t in DEVICE_MATRICES:
            return issubclass(class_of(x), cls)
        return type.__instancecheck__(cls, x)

    def __subclasscheck__(cls, other: type) -> bool:
        return type.__subclasscheck__(cls, other)


class _FamilyMeta(type):
    """isinstance and issubclass as for SciPy's family, traced matrices included."""

    def __instancecheck__(cls, x: Any) -> bool:
        return issubclass(class_of(x), cls)

    def __subclasscheck__(cls, other: type) -> bool:
        theirs = cls.__base__
        if type(theirs) is _FamilyMeta:  # a subclass of one of the two
            return type.__subclasscheck__(cls, other)
        return issubclass(other, theirs)


class sparray(sps.sparray, metaclass=_FamilyMeta):
    __doc__ = sps.sparray.__doc__


class spmatrix(sps.spmatrix, metaclass=_FamilyMeta):
    __doc__ = sps.spmatrix.__doc__


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
    """Complete one of our classes."""
    theirs = cls.__bases__[-1]
    wrap_methods(cls, theirs)
    on_gpu = cls.__name__.split("_")[0] in ("csr", "csc", "coo", "dia")
    entry = enter(
        theirs, "traced", ("arg1",), "structure is constant; entries are differentiated", on_gpu
    )
    cls.__doc__ = f"{entry.line()}\n\n{inspect.cleandoc(theirs.__doc__ or '')}"
    cls.__module__, cls.__qualname__ = "scipygrad.sparse", cls.__name__
    OURS[theirs] = cls
    PLAIN.update((cls, theirs))
    THEIRS[cls] = theirs
    if issubclass(theirs, dict):
        DICTIONARIES.add(cls)
    return cls


@_sparse_class
class bsr_array(_ArrayContainers, Blocks, sps.bsr_array, metaclass=Meta):
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
class dia_array(_ArrayContainers, Diagonals, sps.dia_array, metaclass=Meta):
    pass


@_sparse_class
class dok_array(_ArrayContainers, ByCoordinates, sps.dok_array, metaclass=Meta):
    pass


@_sparse_class
class lil_array(_ArrayContainers, ByCoordinates, sps.lil_array, metaclass=Meta):
    pass


@_sparse_class
class bsr_matrix(_MatrixContainers, Blocks, sps.bsr_matrix, metaclass=Meta):
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
class dia_matrix(_MatrixContainers, Diagonals, sps.dia_matrix, metaclass=Meta):
    pass


@_sparse_class
class dok_matrix(_MatrixContainers, ByCoordinates, sps.dok_matrix, metaclass=Meta):
    pass


@_sparse_class
class lil_matrix(_MatrixContainers, ByCoordinates, sps.lil_matrix, metaclass=Meta):
    pass


_WITH_SHORTCUTS = frozenset((
    bsr_array, bsr_matrix, coo_array, coo_matrix, csc_array, csc_matrix, csr_array, csr_matrix,
    dia_array, dia_matrix, dok_array, dok_matrix, lil_array, lil_matrix,
))  # fmt: skip
for _cls in _WITH_SHORTCUTS:
    _cls._siblings = frozenset(
        c for c in _WITH_SHORTCUTS if c._format == _cls._format and hasattr(c, "_arrays")
    )
    _cls._coordinates = coo_array if issubclass(_cls, _ArrayContainers) else coo_matrix

for _family in (sparray, spmatrix):
    _family.__module__, _family.__qualname__ = "scipygrad.sparse", _family.__name__
    enter(_family.__base__, "plain", note="a family of classes, for isinstance")
