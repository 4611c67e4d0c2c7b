"""Plans that are found on a GPU: patterns and maps of operations whose operands lie there.

They are what the same operation finds on the host, but that indices which SciPy leaves unsorted
are sorted. Classes are SciPy's choice, which it makes for small matrices of the same classes. Where
the device has no way (other formats than csr, csc and coo, more places than 64 bits can number),
the result is None, and the host finds the structure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._backend.gpu import structure, symbolic
from .._core import device_pattern
from .._core.device import on_device
from .._core.pattern import Pattern
from .._core.tags import Gather, Structure
from .._core.traced import TracedBase, class_of_ours

FORMATS = ("csr", "csc", "coo")
"""Formats of results; operands may be dia, too."""


def numbered(*patterns: Pattern) -> bool:
    """Whether the device can number the places of the entries of these patterns."""
    return all(
        len(p.shape) == 2
        and math.prod(p.shape) < symbolic.MOST_PLACES
        and (p.format == "dia" or (p.format in FORMATS and p.inside is None))
        for p in patterns
    )


def _pattern(format: str, shape: tuple[int, int], arrays: Any, *operands: Pattern) -> Pattern:
    """The pattern of a result that has these index arrays."""
    dtype = device_pattern.index_dtype(shape, arrays[1].size, *(p.index_dtype for p in operands))
    return device_pattern.pattern_of(format, shape, arrays, dtype)


def duplicated(p: Pattern) -> bool:
    """Whether some position is stored more than once."""
    if not numbered(p):
        return len(np.unique(p.flat)) < len(p.flat)
    return symbolic.has_duplicates(p)


@cache
def _outcome(operation: Callable, *classes: type) -> type:
    """The class of the result of an operation on matrices of these classes."""
    return class_of_ours(type(operation(*(cls(np.ones((1, 1))) for cls in classes))))


# ---- one operand -----------------------------------------------------------------------------


def found(key: Hashable, operands: Sequence[Any]) -> Structure | None:
    """The structure of an operation that only moves entries, by its name (`tags.transform`)."""
    if not (isinstance(key, tuple) and key[0] == "as_format" and key[2] is None):
        return None
    (A,) = operands
    format = key[1]
    if format not in FORMATS or not numbered(A._pattern):
        return None
    return conversion(A, format)


def conversion(A: TracedBase, format: str) -> Structure:
    """To csr, csc or coo."""
    p, cls = A._pattern, class_of_ours(getattr(sps, f"{format}_{A._family()}"))
    if p.format == format:
        return Structure(Gather.of_all(p.entries_shape, p.entries_shape), p, cls)
    arrays, order = symbolic.converted(p, format)
    q = _pattern(format, p.shape, arrays, p)
    plan = (
        Gather.of_all(p.entries_shape, q.entries_shape)
        if order is None
        else Gather(order, p.entries_shape, q.entries_shape)
    )
    return Structure(plan, q, cls)


def coalescing(p: Pattern) -> tuple[Pattern, Gather] | None:
    """The pattern without duplicates, and the map from it to the entries that are added up."""
    if not numbered(p):
        return None
    arrays, target = symbolic.without_duplicates(p)
    q = _pattern(p.format, p.shape, arrays, p)
    return q, Gather(target, q.entries_shape, p.entries_shape)


# ---- two operands ----------------------------------------------------------------------------


def _two(A: Any, B: Any) -> tuple[Pattern, Pattern] | None:
    """Their patterns, if both are sparse and lie on the device."""
    if not all(isinstance(X, TracedBase) and on_device(X) for X in (A, B)):
        return None
    p, q = A._pattern, B._pattern
    return (p, q) if numbered(p, q) else None


def union(A: TracedBase, B: TracedBase, sign: int) -> tuple[Pattern, type, Gather, Gather] | None:
    """The pattern of A ± B, its class, and the maps from the entries of either to it."""
    patterns = _two(A, B)
    if patterns is None:
        return None
    cls = _outcome(_added if sign > 0 else _subtracted, A._class, B._class)
    format = cls.__name__.partition("_")[0]
    if format not in FORMATS:
        return None
    p, q = patterns
    if p is q and p.format == format:
        same = Gather.of_all(p.entries_shape, p.entries_shape)
        return p, cls, same, same
    arrays, left, right = symbolic.union(p, q, format)
    pattern = _pattern(format, p.shape, arrays, p, q)
    shape = pattern.entries_shape
    return pattern, cls, Gather(left, p.entries_shape, shape), Gather(right, q.entries_shape, shape)


def found_of_two(key: Hashable, A: Any, B: Any) -> tuple[Structure, Gather] | None:
    """The structure of products of one entry of each, by the operation's name (`tags.paired`)."""
    if key != "multiply":
        return None
    return intersection(A, B) if isinstance(B, TracedBase) else scaling(A, B)


def scaling(A: TracedBase, D: Any) -> tuple[Structure, Gather] | None:
    """The structure of the entrywise product with a dense array, and the map from this to it."""
    p, shape = A._pattern, anp.shape(D)
    cls = class_of_ours(getattr(sps, f"coo_{A._family()}"))
    height, width = (1, 1, *shape)[-2:]
    fits = len(shape) < 3 and height in (1, p.shape[0]) and width in (1, p.shape[1])
    fits = fits and height * width > 1 and p.format in FORMATS and numbered(p) and on_device(D)
    if not fits or _outcome(_scaled, A._class) is not cls:
        return None
    ordered = conversion(A, "csr" if p.format == "coo" else p.format)  # as SciPy does
    coordinates = structure.coordinates(ordered.pattern)
    pattern = _pattern("coo", p.shape, coordinates, p)
    rows, columns = (x.astype(np.int64) for x in coordinates)
    index = columns * int(width > 1) + rows * (width if height > 1 else 0)
    of_A = Structure(ordered.map, pattern, cls)
    return of_A, Gather(index, shape, pattern.entries_shape)


def intersection(A: Any, B: Any) -> tuple[Structure, Gather] | None:
    """The structure of the entrywise product, and the map from the entries of B to it."""
    patterns = _two(A, B)
    if patterns is None or patterns[0].shape != patterns[1].shape:
        return None
    cls = _outcome(_multiplied, A._class, B._class)
    format = cls.__name__.partition("_")[0]
    if format not in FORMATS:
        return None
    p, q = patterns
    arrays, left, right = symbolic.intersection(p, q, format)
    pattern = _pattern(format, p.shape, arrays, p, q)
    shape = pattern.entries_shape
    of_A = Structure(Gather(left, p.entries_shape, shape), pattern, cls)
    return of_A, Gather(right, q.entries_shape, shape)


def product_class(A: TracedBase, B: TracedBase) -> type | None:
    """The class of A @ B, if its structure can be found on the device."""
    if _two(A, B) is None or A.shape[0] * B.shape[1] >= symbolic.MOST_PLACES:
        return None
    if any(X.format == "dia" and not X._pattern.size for X in (A, B)):
        return None  # of which SciPy makes one of another dtype
    cls = _outcome(_matmul, A._class, B._class)
    return cls if cls.__name__.partition("_")[0] in FORMATS else None


def product(p: Pattern, q: Pattern) -> Pattern:
    """The pattern of A B for operands in csr, or in csc."""
    shape = p.shape[0], q.shape[1]
    left, right = (p, q) if p.format == "csr" else (q.T, p.T)
    return _pattern(p.format, shape, symbolic.product(left, right), p, q)


def _added(A: Any, B: Any) -> Any:
    return A + B


def _subtracted(A: Any, B: Any) -> Any:
    return A - B


def _multiplied(A: Any, B: Any) -> Any:
    return A.multiply(B)


def _scaled(A: Any) -> Any:
    D = np.ones((2, 3))
    return type(A)(D).multiply(D)


def _matmul(A: Any, B: Any) -> Any:
    return A @ B


# ---- places in dense arrays ------------------------------------------------------------------


def positions(p: Pattern, axes: Sequence[int], shape: tuple[int, ...]) -> Gather | None:
    """The map from places in an array over some of the axes to the entries added up there."""
    if not numbered(p):
        return None
    coordinates = structure.coordinates(p)
    index, *others = (coordinates[a] for a in axes)
    for more, length in zip(others, shape[1:]):
        index = index.astype(np.int64) * length + more
    return Gather(structure.of_all_stored(p, index), shape, p.entries_shape)
