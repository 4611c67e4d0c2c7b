"""`A.data` of a traced matrix: the entries, as a traced array through which A can be written to.

``A.data[k] = v`` writes into A. A traced array cannot change, so what is written is not in another
``d = A.data`` taken before. To be right or raise, that is allowed only where there is no such
`d`: the array that `A.data` gave has no name, and nobody else knows it. Its count of references
tells.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import autograd.numpy as anp
import numpy as np

from .._core import errors
from .._core.engine import ARRAY_BOXES, ArrayBox, Box, box_types, strip
from .._core.tags import Gather, gather, pool
from .._core.traced import TracedBase, entries_of
from ._assignment import cast_values, with_entries


class Stored(ArrayBox):
    """The entries of a traced matrix, which knows it."""

    __slots__ = ("_entries", "_matrix")

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]  # an element knows the array that it is from: not this one

    def __setitem__(self, index: Any, v: Any) -> None:
        if sys.getrefcount(self) > _REFERENCES_WITHOUT_A_NAME:
            raise TypeError(errors.traced_array_assignment())
        A = self._matrix
        A._become(with_entries(A, written(A, index, v)))


def stored(data: Any, A: TracedBase) -> Any:
    """The entries `data` of A, for its `data` attribute."""
    if type(data) is not ArrayBox:
        return data
    new = object.__new__(Stored)
    new._value, new._trace, new._node = data._value, data._trace, data._node
    new._entries, new._matrix = data, A
    return new


def written(A: TracedBase, index: Any, v: Any) -> Any:
    """The entries of A after ``A.data[index] = v``."""
    v = cast_values(A, v, "A.data[...] = v")
    shape, given = A._pattern.entries_shape, anp.shape(v)
    size = A._pattern.size
    places = np.arange(size).reshape(shape)
    places[strip(index)] = size + np.arange(math.prod(given)).reshape(given)  # NumPy's errors, too
    plan = Gather(places, (size + math.prod(given),), shape)
    return gather(pool(entries_of(A), v), plan)


class _Counted:
    """What counts references to itself as `Stored` does."""

    counts: list[int] = []  # noqa: RUF012

    def __getitem__(self, index: Any) -> int:
        return 0

    def __setitem__(self, index: Any, v: Any) -> None:
        self.counts.append(sys.getrefcount(self))


class _Holder:
    data = property(lambda self: _Counted())


def _references_without_a_name() -> int:
    """How many there are in ``A.data[k] = v`` and ``A.data[k] += v``.

    0 if a name does not make more, in some version of Python: then all assignments are refused.
    """
    A = _Holder()
    A.data[0] = 1
    A.data[0] += 1
    d = A.data
    d[0] = 1
    first, augmented, named = _Counted.counts
    return max(first, augmented) if named > max(first, augmented) else 0


_REFERENCES_WITHOUT_A_NAME = _references_without_a_name()
box_types.add(Stored)
ARRAY_BOXES.add(Stored)
Box.type_mappings[Stored] = ArrayBox
