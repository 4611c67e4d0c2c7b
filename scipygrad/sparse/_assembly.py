"""Writing: `A[i, j] = v`, `+=`, `setdiag`, `A.data = v`, and the in-place tidying methods.

For csr, csc, coo, bsr and dia one assignment is one run of SciPy's own assignment on tags: the
entries of A have tags 1...n, the values assigned the tags that follow.

lil and dok are written entry by entry, so there SciPy's matrix of tags is kept (`_tags`) and the
assigned values are put on a list (`_values`, with the first tag of each in `_first`). An
assignment costs what SciPy's costs; the pattern and the entries are read off when they are needed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import count
from operator import setitem
from typing import Any

import autograd.numpy as anp
import numpy as np

from .._core.collect import Numbers, collect
from .._core.device import on_device, outside
from .._core.elements import DEFERRED, WHOLE, as_deferred, is_number
from .._core.engine import is_live, isbox, strip, trace_of
from .._core.layout import DEVICE_ARRAYS
from .._core.pattern import Pattern, entries
from .._core.tags import Gather, coalesced, gather, pool
from .._core.traced import TracedBase, entries_of, lift, make
from ._assignment import (
    assigned,
    cast_values,
    for_diagonal,
    require_assignment,
    tidied,
    with_entries,
)
from ._stored import stored


class Assembly:
    """Writing into a traced matrix."""

    __slots__ = ()

    def __setitem__(self, index: Any, v: Any) -> None:
        d = self.__dict__
        place = _place(index, d["_tags"]._shape) if "_tags" in d else None
        if place is not None:
            number = _number(v, d["_dtype"].type)
            if number is not None:
                d["_pending"][place] = number
                if "_pattern" in d:
                    self._forget()
                if len(d["_pending"]) > PENDING:
                    self._flush()
                return
        v = cast_values(self, v, "A[...] = v")
        if self.format in ("lil", "dok"):
            self._assign(index, v)
        else:
            require_assignment(self)
            self._become(lift(assigned(self, lambda T, tags: setitem(T, index, tags), v)))

    def __iadd__(self, other: Any) -> Any:
        return self._added(other, 1)

    def __isub__(self, other: Any) -> Any:
        return self._added(other, -1)

    def _added(self, other: Any, sign: int) -> Any:
        if self.format != "lil":  # as in SciPy, the others make a new matrix
            return NotImplemented
        self[:, :] = self + other if sign > 0 else self - other
        return self

    def setdiag(self, values: Any, k: int = 0) -> None:
        """Set a diagonal."""
        if self.format in ("lil", "dok"):
            v = cast_values(self, values, "setdiag")
            self._start_assembly()
            self._tags.setdiag(self._tagged(v), k)
            self._forget()
        else:
            A = for_diagonal(self, values, k)
            v = cast_values(A, values, "setdiag")
            self._become(lift(assigned(A, lambda T, tags: T.setdiag(tags, k), v)))

    @property
    def data(self) -> Any:
        """The entries; of lil, an array of rows, which are tuples: it is not to be written to."""
        if self.format == "dok":
            raise AttributeError("data")
        if self.format != "lil":
            data = entries_of(self)
            return outside(data) if DEVICE_ARRAYS and on_device(data) else stored(data, self)
        self._start_assembly()
        return _read_only([map(self._value_of, row) for row in self._tags.data])

    @data.setter
    def data(self, v: Any) -> None:
        if anp.shape(v) != self._pattern.entries_shape:
            raise ValueError(
                f"A.data = v: v has shape {anp.shape(v)}, the entries have "
                f"{self._pattern.entries_shape}. For another structure make a new matrix."
            )
        if not isbox(v):
            v = v.copy() if on_device(v) else np.array(v)
        self._become(with_entries(self, v))

    @property
    def rows(self) -> Any:
        """Of lil: the columns of the entries of each row, as tuples: not to be written to."""
        if self.format != "lil":
            raise AttributeError("rows")
        self._start_assembly()
        return _read_only(self._tags.rows)

    def getrowview(self, i: int) -> Any:
        """Refused: what is written to the view would not be in the matrix."""
        raise NotImplementedError(
            f"getrowview({i}) of a traced lil matrix: a row cannot share its entries with it. Read "
            f"a copy, A[[{i}], :], and write with A[{i}, :] = v."
        )

    def sum_duplicates(self) -> None:
        """Add up duplicate entries, in place."""
        self._become(coalesced(self))
        if not self._pattern.view(self._pattern.tags).has_canonical_format:
            self._become(tidied(self, "sum_duplicates"))

    def sort_indices(self) -> None:
        """Sort the indices, in place."""
        self._become(tidied(self, "sort_indices"))

    def sorted_indices(self) -> Any:
        """A copy with sorted indices."""
        A = lift(self.copy())
        A.sort_indices()
        return A

    def prune(self) -> None:
        """Drop what is stored behind the entries, in place."""
        self._become(tidied(self, "prune"))

    def eliminate_zeros(self) -> None:
        """Nothing: structure does not depend on values, and zeros have derivatives."""

    def resize(self, *shape: Any) -> None:
        """Change the shape, in place; entries outside are dropped."""
        self._become(tidied(self, "resize", *shape))

    # ---- lil and dok: assembly on a matrix of tags -----------------------------------------

    def _start_assembly(self) -> None:
        d = self.__dict__
        if "_tags" in d:
            self._flush()
            return
        p = Pattern.of(d["_constant"]) if "_constant" in d else self._pattern
        data = entries(d["_constant"]) if "_constant" in d else entries_of(self)
        cls, dtype = self._class, self.dtype
        tags = p.matrix(p.tags, cls)
        d.clear()
        d.update(_class=cls, _tags=tags, _dtype=dtype, _pending={})
        d.update(_values=[data], _first=[0], _next=p.size)

    def _assign(self, index: Any, v: Any) -> None:
        self._start_assembly()
        self._tags[strip(index)] = self._tagged(v)
        self._forget()

    def _flush(self) -> None:
        """Give the numbers written to single places their tags, those of one trace together."""
        d = self.__dict__
        pending, d["_pending"] = d["_pending"], {}
        by_trace: dict[int, list] = {}
        for v in pending.values():
            by_trace.setdefault(trace_of(v), []).append(v)
        tags = {}
        for trace, numbers in by_trace.items():
            tags[trace] = count(d["_next"] + 1)
            if trace < 0:
                self._append(np.array(numbers), len(numbers))
            else:
                self._append(Numbers(numbers, d["_dtype"]), len(numbers))
        for place, v in pending.items():
            d["_tags"]._set_intXint(*place, next(tags[trace_of(v)]))

    def _tagged(self, v: Any) -> Any:
        """The numbers that stand for the values v, in its form.

        A plain zero has tag 0, as what is not stored: SciPy does not store it either, and would
        drop an entry for it. A traced zero is an entry.
        """
        if isinstance(v, TracedBase):
            v = coalesced(v)  # SciPy would add up the tags of duplicates
            shape, x = v._pattern.entries_shape, entries_of(v)
        else:
            shape, x = anp.shape(v), v
        first, size = self._next + 1, math.prod(shape)
        if not isbox(x):
            x = np.array(x)  # the user's array may change
        tags = np.arange(first, first + size).reshape(shape)
        if not isbox(x):
            tags[x == 0] = 0
        self._append(x if isbox(x) or shape else x[()], size)
        if isinstance(v, TracedBase):
            return v._pattern.matrix(tags, v._class)
        return tags if shape else int(tags)

    def _tagged_number(self, v: Any) -> int:
        v = cast_values(self, v, "A[key] = v")
        if anp.ndim(v):
            raise ValueError("Trying to assign a sequence to an item")
        return self._tagged(v)

    def _append(self, v: Any, size: int) -> None:
        d = self.__dict__
        d["_values"].append(v)
        d["_first"].append(d["_next"])
        d["_next"] += size

    def _forget(self) -> None:
        for name in ("_pattern", "_data", "_value", "_trace", "_node"):
            self.__dict__.pop(name, None)

    def _read_assembled(self, index: Any) -> Any:
        d = self.__dict__
        tags = d["_tags"]
        place = _place(index, tags._shape)
        if place is None:
            self._flush()
            tag = tags[strip(index)]
        else:
            v = d["_pending"].get(place)
            if v is not None:
                return v if type(v) in DEFERRED else _shown(v)
            tag = tags._get_intXint(*place)
        if isinstance(tag, (int, np.integer)):
            return self._value_of(int(tag))
        return _read_off(tag, self)

    def _value_of(self, tag: int) -> Any:
        d = self.__dict__
        if tag == 0:
            return d["_dtype"].type(0)
        i = bisect_right(d["_first"], tag - 1) - 1
        v = d["_values"][i]
        if type(v) is Numbers:
            return v[tag - 1 - d["_first"][i]]
        shape = anp.shape(v)
        # One element of v itself: a reshaped v would cost its whole size in the backward pass.
        place = np.unravel_index(tag - 1 - d["_first"][i], shape)
        return v[tuple(map(int, place))] if shape else _shown(v)

    def _read_tags(self) -> None:
        self._flush()
        A = _read_off(self._tags.copy(), self, whole=True)
        self.__dict__["_pattern"] = A._pattern if isbox(A) else Pattern.of(A)
        self.__dict__["_data"] = entries_of(A) if isbox(A) else entries(A)

    def _finished(self, format: str) -> TracedBase:
        """The matrix under assembly in another format, straight from the tags."""
        self._flush()
        return lift(_read_off(getattr(self._tags, f"to{format}")(), self, whole=True))


def _place(index: Any, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The two whole numbers that `index` is, counted from 0, if it is that and they are inside."""
    if type(index) is tuple and len(index) == 2 == len(shape):
        i, j = index
        if type(i) is int is type(j) and 0 <= i < shape[0] and 0 <= j < shape[1]:
            return index
        if type(i) in WHOLE and type(j) in WHOLE:
            i, j = int(i), int(j)
            i, j = i + shape[0] if i < 0 else i, j + shape[1] if j < 0 else j
            if 0 <= i < shape[0] and 0 <= j < shape[1]:
                return i, j
    return None


def _number(v: Any, kind: type) -> Any:
    """v as a number of this kind if it is traced, or plain and not 0; else None."""
    if is_number(v):
        return v if type(v._value) is kind else None
    return kind(v) if type(v) in _PLAIN and v else None


PENDING = 4096
"""Numbers that wait for a tag. (Many more living objects would be work for garbage collection.)"""

_PLAIN = frozenset((int, float, np.float64))


def _shown(v: Any) -> Any:
    return as_deferred(v) if is_number(v) else v


def _read_off(tags: Any, A: TracedBase, whole: bool = False) -> Any:
    """The matrix whose entries are the values of A that these tags stand for.

    `whole`: it stands for A, and is traced if A is, even if all traced values were overwritten.
    """
    shown = entries(tags)
    pattern = Pattern.of(tags, own=True)
    numbers = shown.ravel() - 1
    stored = np.flatnonzero(numbers >= 0)
    numbers = numbers[stored]
    first = A._first
    if 8 * len(numbers) < len(first):  # a block of a large matrix: no pass over all chunks
        found = np.array([bisect_right(first, n) for n in numbers.tolist()], np.intp)
    else:
        found = np.searchsorted(np.array(first), numbers, "right")
    used, chunk = np.unique(found - 1, return_inverse=True)
    if whole and not any(_is_traced(A._values[i]) for i in used):
        used = np.append(used, [i for i, v in enumerate(A._values) if _is_traced(v)][:1])
    used = used.astype(np.intp).tolist()
    starts = np.array([first[i] for i in used], np.intp)
    ends = [first[i + 1] if i + 1 < len(first) else A._next for i in used]
    values, begins = _pooled([A._values[i] for i in used], ends - starts, A._dtype)
    index = np.full(shown.size, -1, np.intp)
    index[stored] = numbers - starts[chunk] + begins[chunk]
    data = gather(values, Gather(index, anp.shape(values), shown.shape))
    return make(pattern, data, type(tags))


def _is_traced(v: Any) -> bool:
    if type(v) is Numbers:
        return is_live(v.sources[0])
    return isbox(v) and is_live(v)


def _pooled(values: Sequence[Any], sizes: np.ndarray, dtype: np.dtype) -> tuple[Any, np.ndarray]:
    """One array of all values, those taken apart at the end, and where in it each begins."""
    apart = [type(v) is Numbers for v in values]
    order = np.argsort(apart, kind="stable")
    begins = np.empty(len(values), np.intp)
    begins[order] = np.cumsum(sizes[order]) - sizes[order]
    parts = [v for v in values if type(v) is not Numbers]
    if any(apart):
        parts.append(collect([v for v in values if type(v) is Numbers]))
    if not parts:
        return np.zeros(0, dtype), begins
    if len(parts) == 1 and anp.ndim(parts[0]):
        return parts[0], begins
    return pool(*parts), begins


def _read_only(rows: Any) -> np.ndarray:
    """An array of tuples, so that who writes to it hears that it is not the matrix."""
    out = np.empty(len(rows), object)
    for i, row in enumerate(rows):
        out[i] = tuple(row)
    out.flags.writeable = False
    return out
