"""Patterns of index arrays that lie on a GPU, where they are checked as SciPy checks them."""

from __future__ import annotations

import weakref
from typing import Any

import scipy.sparse as sps

from .._backend.gpu.entrywise import equal_indices
from .._backend.gpu.structure import index_arrays, read
from .._core import device_pattern
from .._core.engine import getval
from .._core.layout import DEVICE_ARRAYS
from .._core.pattern import Pattern
from .._core.traced import make


def constructed(cls: type, data: Any, structure: list[Any], options: dict[str, Any]) -> Any:
    """``cls((data, *structure), **options)``; None for what is left to SciPy, on the host.

    That is all that SciPy refuses, and whatever is not csr, csc or coo in two dimensions.
    """
    format = cls.__name__.partition("_")[0]
    if options.keys() - {"shape"} or getval(data).ndim != 1:
        return None
    if format == "coo":
        (structure,) = structure
        if type(structure) not in (tuple, list) or len(structure) != 2:
            return None
        arrays = tuple(structure)
    elif format in ("csr", "csc") and len(structure) == 2:
        arrays = tuple(structure[::-1])
    else:
        return None
    pattern = pattern_from(cls, arrays, options.get("shape"))
    if pattern is None or pattern.entries_shape != getval(data).shape:
        return None
    return make(pattern, data, cls)


def pattern_from(cls: type, arrays: tuple[Any, Any], shape: Any) -> Pattern | None:
    """The pattern of index arrays (indptr and indices, or rows and columns) for a class.

    The arrays are copied. None if SciPy, on the host, has to say what is wrong with them, or to
    cut them to the entries that are in use.
    """
    if not all(type(a) in DEVICE_ARRAYS and a.ndim == 1 and a.dtype.kind in "iu" for a in arrays):
        return None
    if shape is not None:
        try:
            shape = tuple(map(int, shape))
        except TypeError:
            return None
        if len(shape) != 2 or min(shape) < 0:
            return None
    key = cls, shape, *map(id, arrays)
    *references, of_pattern = _met.get(key, (_nothing,))
    known = of_pattern()
    if known is not None and all(r() is a for r, a in zip(references, arrays)):
        if equal_indices(zip(arrays, index_arrays(known))):
            return known
    pattern = _found(cls, arrays, shape)
    if pattern is not None:
        _met[key] = [weakref.ref(x, lambda _: _met.pop(key, None)) for x in (*arrays, pattern)]
    return pattern


_met: dict[Any, list[Any]] = {}
"""By the identity of index arrays: references to them, and to the pattern that they were. They may
be written to, so they are compared with it; but it is not searched for."""


def _nothing() -> None:
    return None


def _found(cls: type, arrays: tuple[Any, Any], shape: Any) -> Pattern | None:
    format = cls.__name__.partition("_")[0]
    limits = _of_coordinates if format == "coo" else _of_segments
    shape = limits(format, arrays, shape)
    if shape is None:
        return None
    kept = issubclass(cls, sps.sparray)  # SciPy: arrays keep 64 bits that they are given
    dtype = device_pattern.index_dtype(shape, arrays[1].size, *(a.dtype for a in arrays if kept))
    return device_pattern.pattern_of(format, shape, arrays, dtype, own=False)


def _of_coordinates(format: str, arrays: Any, shape: Any) -> tuple[int, int] | None:
    """The shape of a coo matrix, if its index arrays are right."""
    if arrays[0].size != arrays[1].size:
        return None
    if not arrays[0].size:
        return shape
    ends = read(*(end for a in arrays for end in (a.min(), a.max())))
    if shape is None:
        shape = ends[1] + 1, ends[3] + 1
    if min(ends) < 0 or ends[1] >= shape[0] or ends[3] >= shape[1]:
        return None
    return shape


def _of_segments(format: str, arrays: Any, shape: Any) -> tuple[int, int] | None:
    """The shape of a csr or csc matrix, if its index arrays are right."""
    indptr, indices = arrays
    if not indptr.size or (shape is None and not indices.size):
        return None
    wanted = [indptr[0], indptr[-1]]
    if indptr.size > 1:
        wanted.append((indptr[1:] >= indptr[:-1]).all())
    if indices.size:
        wanted += [indices.min(), indices.max()]
    first, last, *others = read(*wanted)
    rising = others.pop(0) if indptr.size > 1 else True
    least, most = others or (0, -1)
    major = indptr.size - 1
    if shape is None:
        shape = (major, most + 1) if format == "csr" else (most + 1, major)
    length, width = shape if format == "csr" else shape[::-1]
    if length != major or first != 0 or last != indices.size:
        return None
    if least < 0 or most >= width:
        raise ValueError(f"indices must be >= 0 and < {width}, not {least} to {most}")
    if not rising:
        raise ValueError("indptr must be a non-decreasing sequence")
    return shape
