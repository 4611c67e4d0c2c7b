"""What the device holds of the structure that patterns and maps describe."""

from __future__ import annotations

from typing import Any

import cupy as cp
import numpy as np


def moved(owner: Any, name: str, array: np.ndarray) -> Any:
    """An index array on the device, kept with its owner (which never changes it)."""
    kept = owner.__dict__.setdefault("_on_device", {})
    if name not in kept:
        small = array.size == 0 or (array.dtype.itemsize == 8 and abs(array).max() < 2**31)
        dtype = np.int32 if small or array.dtype.itemsize < 8 else np.int64
        kept[name] = cp.asarray(np.ascontiguousarray(array, dtype=dtype))
    return kept[name]


def index_of(plan: Any) -> Any:
    """The index of a `Gather`, on the device."""
    return moved(plan, "index", plan.index)


def index_arrays(pattern: Any) -> tuple[Any, Any]:
    """`indptr` and `indices` of a csr or csc pattern, on the device."""
    indptr, indices = pattern.arrays
    return moved(pattern, "indptr", indptr), moved(pattern, "indices", indices)


def coordinates(pattern: Any) -> tuple[Any, Any]:
    """Rows and columns of the entries inside a matrix, on the device, in one dtype."""
    rows, columns = (
        moved(pattern, name, a) for name, a in zip(("rows", "columns"), pattern.coords)
    )
    return as_one_dtype(rows, columns)


def as_one_dtype(*indices: Any) -> list[Any]:
    """Index arrays in the largest of their dtypes."""
    dtype = np.result_type(*(i.dtype for i in indices))
    return [i.astype(dtype, copy=False) for i in indices]


def begins(counts: np.ndarray) -> Any:
    """Where segments of these lengths begin, and the end."""
    begin = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=begin[1:])
    return cp.asarray(begin)


def as_index(order: np.ndarray) -> Any:
    """Places, on the device, in 32 bits if they fit."""
    large = order.size and order.max() >= 2**31
    return cp.asarray(order.astype(np.int64 if large else np.int32))
