"""What the device holds of the structure that patterns and maps describe.

It is kept with its owner, for each device by itself, and counted with all that is remembered
(`_core/held.py`). Nothing of it is ever changed. It is complete before anybody gets it (`settled`):
CuPy orders nothing between streams, and who meets a structure again may be in another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy as cp
import numpy as np

from ..._core.pattern import noted


def kept(owner: Any, name: str, build: Callable[[], Any]) -> Any:
    """`build()` on the current device, made once and kept with its owner."""
    store = owner.__dict__.setdefault("_on_device", {})
    key = cp.cuda.get_device_id(), name
    known = store.get(key)
    if known is None:
        known = store[key] = settled(build())
        noted(known)
    return known


def settled(made: Any) -> Any:
    """`made`, when all that was asked for in this stream is done."""
    cp.cuda.get_current_stream().synchronize()
    return made


def has(owner: Any, name: str) -> bool:
    """Whether something is kept under this name on the current device."""
    return (cp.cuda.get_device_id(), name) in owner.__dict__.get("_on_device", ())


def moved(owner: Any, name: str, array: np.ndarray) -> Any:
    """An index array of the host on the device, kept with its owner."""
    return kept(owner, name, lambda: copied_there(array))


def copied_there(array: np.ndarray) -> Any:
    """An index array of the host on the device, in 32 bits if they are enough."""
    small = array.size == 0 or (array.dtype.itemsize == 8 and abs(array).max() < 2**31)
    dtype = np.int32 if small or array.dtype.itemsize < 8 else np.int64
    return cp.asarray(np.ascontiguousarray(array, dtype=dtype))


def here(array: Any) -> Any:
    """An array of any device, on the current one."""
    return array if array.device.id == cp.cuda.get_device_id() else array.copy()


# ---- patterns --------------------------------------------------------------------------------


def index_arrays(pattern: Any) -> tuple[Any, Any]:
    """The index arrays on the device: `indptr`, `indices` of csr and csc; rows, columns of coo."""

    def build():
        if pattern.born is not None:
            return tuple(map(here, pattern.born))
        t = pattern.known_transpose()
        if t is not None and has(t, "arrays"):
            arrays = index_arrays(t)
            return arrays[::-1] if pattern.format == "coo" else arrays
        return tuple(as_one_dtype(*map(copied_there, pattern.arrays)))

    return kept(pattern, "arrays", build)


def majors(pattern: Any) -> Any:
    """The row of each entry of a csr pattern, the column of each of a csc pattern."""

    def build():
        t = pattern.known_transpose()
        if t is not None and has(t, "majors"):
            return majors(t)
        indptr, indices = index_arrays(pattern)
        return major_of_each(indptr, indices.size).astype(indices.dtype)

    return kept(pattern, "majors", build)


def major_of_each(indptr: Any, size: int) -> Any:
    """In which of the segments that `indptr` bounds each of so many places lies."""
    return cp.searchsorted(indptr, cp.arange(size), side="right") - 1


def coordinates(pattern: Any) -> tuple[Any, Any]:
    """Rows and columns of the entries inside a matrix, on the device, in one dtype."""
    if pattern.format == "coo":
        return index_arrays(pattern)
    if pattern.format == "dia":
        return _on_diagonals(pattern)[:2]
    if pattern.format in ("csr", "csc") and pattern.inside is None:
        major, minor = majors(pattern), index_arrays(pattern)[1]
        return (major, minor) if pattern.format == "csr" else (minor, major)
    return kept(
        pattern, "coordinates", lambda: tuple(as_one_dtype(*map(copied_there, pattern.coords)))
    )


def stored_at(pattern: Any) -> Any | None:
    """Where the entries inside a matrix in dia are stored, in the order of `coordinates`."""
    return _on_diagonals(pattern)[2] if pattern.format == "dia" else None


def of_all_stored(pattern: Any, index: Any) -> Any:
    """Numbers of the entries inside a matrix, in an array of all stored ones; -1 for the others."""
    stored = stored_at(pattern)
    if stored is None:
        return index
    out = cp.full(pattern.size, -1, index.dtype)
    out[stored] = index
    return out


def _on_diagonals(pattern: Any) -> tuple[Any, Any, Any]:
    """Rows, columns and places of the entries inside a matrix in dia."""

    def build():
        (m, n), length = pattern.shape, max(pattern.entries_shape[1], 1)
        place = cp.arange(pattern.size)
        columns = place % length
        rows = columns - cp.asarray(pattern.arrays[0].astype(np.int64))[place // length]
        inside = cp.flatnonzero((rows >= 0) & (rows < m) & (columns < n))
        return tuple(as_places(x[inside], max(m, n)) for x in (rows, columns)) + (inside,)

    return kept(pattern, "on diagonals", build)


# ---- maps ------------------------------------------------------------------------------------


def index_of(plan: Any) -> Any:
    """The index of a `Gather`, on the device."""

    def build():
        if plan.born is not None:
            return here(plan.born)
        if plan.slice is not None:
            return cp.ascontiguousarray(cp.arange(plan.size, dtype=plan.integers)[plan.slice])
        return copied_there(plan.index)

    return kept(plan, "index", build)


def slice_of(index: Any) -> slice | None:
    """The slice that selects the same as an index of places, if there is one."""
    if not index.size:
        return None
    even = (index[1:] - index[:-1] == index[1:2] - index[:1]).all()
    first, second, last, even = read(index[0], index[1 % index.size], index[-1], even)
    step = second - first if index.size > 1 else 1
    if first < 0 or last < 0 or step == 0 or not even:
        return None
    end = last + (1 if step > 0 else -1)
    return slice(first, end if end >= 0 else None, step)


def read(*scalars: Any) -> list[int]:
    """Whole numbers that lie on the device as 0-d arrays, in one copy."""
    return cp.stack([s.astype(np.int64) for s in scalars]).get().tolist()


def sorting(keys: Any) -> tuple[Any | None, Any]:
    """The order in which whole numbers rise, equal ones as they are, and the numbers in it.

    The order is None if they rise already.
    """
    if bool((keys[1:] >= keys[:-1]).all()):
        return None, keys
    order = keys.argsort()  # CuPy's is stable
    return order, keys[order]


def as_places(places: Any, size: int) -> Any:
    """Places among so many, in 32 bits if these are enough."""
    return places.astype(np.int32 if size < 2**31 else np.int64, copy=False)


def as_one_dtype(*indices: Any) -> list[Any]:
    """Index arrays in the largest of their dtypes."""
    dtype = np.result_type(*(i.dtype for i in indices))
    return [i.astype(dtype, copy=False) for i in indices]


def as_index(order: np.ndarray) -> Any:
    """Places, on the device, in 32 bits if they fit."""
    large = order.size and order.max() >= 2**31
    return cp.asarray(order.astype(np.int64 if large else np.int32))
