"""Patterns found on a GPU: their index arrays lie there, and come to the host if asked for.

A structure has one pattern, whether it was met on the host or on a device first. It is looked up
by a sample of the index arrays, a few numbers that are read, and then compared where it lies.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import cupy as cp
import numpy as np
import scipy.sparse as sps

from .._backend.gpu import structure
from .._backend.gpu.entrywise import equal_indices
from .held import clock, missed
from .pattern import Pattern, _by_sample, _by_view, _forgotten, _remember

MOST = np.iinfo(np.int32).max


class DevicePattern(Pattern):
    """A pattern in csr, csc or coo whose arrays on the host are made when something asks for them.

    All entries lie inside the matrix.
    """

    inside = None

    def __init__(
        self, format: str, shape: tuple[int, int], born: tuple[Any, Any], index_dtype: np.dtype
    ) -> None:
        self._begin(format, shape, (born[1].size,))
        self.born = born
        self._index_dtype = index_dtype

    @property
    def index_dtype(self) -> np.dtype:
        """The dtype of the index arrays, as SciPy chooses it."""
        return self._index_dtype

    @cached_property
    def arrays(self) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """The index arrays, on the host."""
        return tuple(a.get().astype(self._index_dtype, copy=False) for a in self.born)

    @cached_property
    def views(self) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        """What matrices on the host get of them."""
        views = tuple(a.view() for a in self.arrays)
        for v in views:
            v.flags.writeable = False
        _by_view[id(views[0])] = self
        return views

    @cached_property
    def _template(self) -> dict[str, Any]:  # type: ignore[override]
        cls = getattr(sps, f"{self.format}_array")
        state = {k: v for k, v in cls((1, 1)).__dict__.items() if not k.startswith("_has_")}
        state["_shape"] = self.shape
        del state["data"]
        if self.format == "coo":
            return state | {"coords": self.views, "has_canonical_format": False}
        return state | {"indptr": self.views[0], "indices": self.views[1]}

    @cached_property
    def duplicated(self) -> bool:
        """Whether some position is stored more than once."""
        from ..sparse import _device_plans

        return _device_plans.duplicated(self)

    def _transposed(self) -> Pattern:
        format = {"csr": "csc", "csc": "csr", "coo": "coo"}[self.format]
        born = self.born[::-1] if self.format == "coo" else self.born
        return DevicePattern(format, self.shape[::-1], born, self._index_dtype)


def index_dtype(shape: tuple[int, ...], size: int, *given: np.dtype) -> np.dtype:
    """The dtype that SciPy chooses for indices of a matrix, from those of its operands."""
    large = max((*shape, size)) > MOST or any(not np.can_cast(d, np.int32) for d in given)
    return np.dtype(np.int64 if large else np.int32)


def pattern_of(
    format: str, shape: tuple[int, int], arrays: tuple[Any, Any], dtype: np.dtype, own: bool = True
) -> Pattern:
    """The pattern that has these index arrays of the device; `own`: they may be taken over."""
    size = arrays[1].size
    narrow = index_dtype(shape, size)
    arrays = tuple(a.astype(narrow, copy=False) for a in arrays)
    key = (format, shape, (size,), *_samples(arrays, dtype))
    for p in _by_sample.get(key, ()):
        if equal_indices(zip(structure.index_arrays(p), arrays)):
            p._used = clock()
            return p
    if not own:
        arrays = tuple(a.copy() for a in arrays)
    arrays = structure.settled(tuple(map(cp.ascontiguousarray, arrays)))
    p = DevicePattern(format, shape, arrays, dtype)
    if hash(key) in _forgotten:
        missed()
    _remember(key, p)
    return p


def _samples(arrays: tuple[Any, Any], dtype: np.dtype) -> list[Any]:
    """What `pattern._sample` gives of the arrays on the host, by one small copy."""
    some = [a[:: a.size // 8 or 1] for a in arrays]
    read = cp.concatenate(some).get().astype(dtype)
    cut = some[0].size
    return [(dtype.char, a.size, x.tobytes()) for a, x in zip(arrays, (read[:cut], read[cut:]))]
