"""Reading entries and parts: `A[...]`, `getrow`, `getcol`, `reshape`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from .._core.device import host
from .._core.engine import ArrayBox, is_sparse, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.tags import transform
from .._core.traced import entries_of, lift


def frozen(index: Any) -> Hashable:
    """An index, or None if it is not to be remembered."""
    if isinstance(index, tuple):
        parts = tuple(map(frozen, index))
        return None if None in parts else parts
    if isinstance(index, slice):
        return "slice", index.start, index.stop, index.step
    if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
        return "int", int(index)
    if index is None or index is Ellipsis:
        return ("index", str(index))
    if is_sparse(index):
        return None
    array = np.asarray(index)
    return "array", array.shape, array.dtype.char, array.tobytes()


def _array_beside_steps(index: Any) -> bool:
    """Whether the index is an array and a slice with steps, in either order."""
    if not (isinstance(index, tuple) and len(index) == 2):
        return False
    slices = [i for i in index if isinstance(i, slice)]
    other = next((i for i in index if not isinstance(i, slice)), None)
    array = other is not None and not is_sparse(other) and np.ndim(other) == 1
    return array and len(slices) == 1 and slices[0].step not in (None, 1)


def _is_one_place(key: Hashable) -> bool:
    """Whether a frozen index is two whole numbers."""
    return type(key) is tuple and len(key) == 2 and key[0][0] == "int" == key[1][0]


class Index:
    """Reading parts of a matrix."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        if "_tags" in self.__dict__:
            return self._read_assembled(index)
        index = strip(index)
        if DEVICE_ARRAYS:
            index = host(index)  # the structure of the result depends on it
        if self.format in ("csr", "csc") and _array_beside_steps(index):
            # SciPy (1.17) takes them for pairs, and reads memory behind the shorter one.
            rows, columns = index
            return lift(self[rows, :])[:, columns]
        key = frozen(index)
        if _is_one_place(key) and self.format in ("csr", "csc") and not self._pattern.duplicated:
            return self._entry(index, key)
        return transform(lambda M: M[index], [self], key and ("getitem", key))

    def _entry(self, index: Any, key: Hashable) -> Any:
        """One entry: an element of the array of entries, which makes no node until it is needed."""
        p = self._pattern
        place = p.plan(("place", key), lambda: int(p.view(p.tags)[index]) - 1)
        data = entries_of(self)
        if place < 0 or type(data) is not ArrayBox:
            return transform(lambda M: M[index], [self], ("getitem", key))
        return data[place]

    def getrow(self, i: int) -> Any:
        """Row i as a 1 × n matrix."""
        return transform(lambda M: M._getrow(i), [self], ("getrow", i))

    def getcol(self, j: int) -> Any:
        """Column j as an m × 1 matrix."""
        return transform(lambda M: M._getcol(j), [self], ("getcol", j))

    def reshape(self, *shape: Any, order: str = "C", copy: bool = False) -> Any:
        """Another shape with the same entries."""
        key = ("reshape", repr(shape), order)
        return transform(lambda M: M.reshape(*shape, order=order), [self], key, duplicates=True)
