"""Writing: `A[i, j] = v`, `+=`, `setdiag`, `A.data = v`, and the in-place tidying methods.

For csr, csc, coo, bsr and dia one assignment is one run of SciPy's own assignment on tags: the
entries of A have tags 1...n, the values assigned the tags that follow.

lil and dok are written entry by entry, so there SciPy's matrix of tags is kept (`_tags`) and the
assigned values are put on a list (`_values`, with the first tag of each in `_first`). An
assignment costs what SciPy's costs; the pattern and the entries are read off when they are needed.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import autograd.numpy as anp
import numpy as np

from .._core.engine import cast, contains_traced, is_sparse, isbox
from .._core.pattern import Pattern, entries
from .._core.tags import Gather, coalesced, gather, pool, transform
from .._core.traced import TracedBase, entries_of, lift, make, plain


def _values(A: TracedBase, v: Any, what: str) -> Any:
    """Assigned values in the matrix's dtype, which SciPy keeps too."""
    if is_sparse(v):
        v = lift(v)
        return v if v.dtype == A.dtype else lift(make(v._pattern, _to(A, entries_of(v)), v._class))
    if type(v) in (list, tuple) and contains_traced(v):
        v = anp.array(v)
    return _to(A, v if isbox(v) else np.asarray(v), what)


def _to(A: TracedBase, v: Any, what: str = "A[...] = v") -> Any:
    dtype = anp.result_type(v)
    if dtype == A.dtype:
        return v
    if isbox(v) and not np.can_cast(dtype, A.dtype, "same_kind"):
        raise TypeError(
            f"{what}: the values are traced and of dtype {dtype}, the matrix is of dtype {A.dtype} "
            f"and would cut their derivative off. Make the matrix with dtype={dtype}."
        )
    return cast(v, A.dtype) if isbox(v) else v.astype(A.dtype)


class Assembly:
    """Writing into a traced matrix."""

    __slots__ = ()

    def __setitem__(self, index: Any, v: Any) -> None:
        v = _values(self, v, "A[...] = v")
        if self.format in ("lil", "dok"):
            self._assign(index, v)
        else:
            self._become(lift(_assigned(self, lambda T, tags: T.__setitem__(index, tags), v)))

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
        v = _values(self, values, "setdiag")
        if self.format in ("lil", "dok"):
            self._start_assembly()
            self._tags.setdiag(self._tagged_values(v), k)
            self._forget()
        else:
            self._become(lift(_assigned(self, lambda T, tags: T.setdiag(tags, k), v)))

    @property
    def data(self) -> Any:
        """The entries."""
        if self.format == "dok":
            raise AttributeError("data")
        if self.format == "lil":
            raise NotImplementedError(
                "data of a traced lil matrix (lists of rows) is not available. Use A.tocsr().data."
            )
        return entries_of(self)

    @data.setter
    def data(self, v: Any) -> None:
        if anp.shape(v) != self._pattern.entries_shape:
            raise ValueError(
                f"A.data = v: v has shape {anp.shape(v)}, the entries have "
                f"{self._pattern.entries_shape}. For another structure make a new matrix."
            )
        v = v if isbox(v) else np.array(v)
        self._become(_with(self, v))

    def sum_duplicates(self) -> None:
        """Add up duplicate entries, in place."""
        self._become(coalesced(self))
        if not self._pattern.view(self._pattern.tags).has_canonical_format:
            self._become(_tidied(self, "sum_duplicates"))

    def sort_indices(self) -> None:
        """Sort the indices, in place."""
        self._become(_tidied(self, "sort_indices"))

    def sorted_indices(self) -> Any:
        """A copy with sorted indices."""
        A = self.copy()
        A.sort_indices()
        return A

    def prune(self) -> None:
        """Drop what is stored behind the entries, in place."""
        self._become(_tidied(self, "prune"))

    def eliminate_zeros(self) -> None:
        """Nothing: structure does not depend on values, and zeros have derivatives."""

    def resize(self, *shape: Any) -> None:
        """Change the shape, in place; entries outside are dropped."""
        self._become(_tidied(self, "resize", *shape))

    # ---- lil and dok: assembly on a matrix of tags -----------------------------------------

    def _start_assembly(self) -> None:
        d = self.__dict__
        if "_tags" in d:
            return
        p = Pattern.of(d["_constant"]) if "_constant" in d else self._pattern
        data = entries(d["_constant"]) if "_constant" in d else entries_of(self)
        cls, dtype = self._class, self.dtype
        tags = p.matrix(p.tags, cls)
        d.clear()
        d.update(_class=cls, _tags=tags, _dtype=dtype)
        d.update(_values=[data], _first=[0], _next=p.size)

    def _assign(self, index: Any, v: Any) -> None:
        self._start_assembly()
        if isinstance(v, TracedBase):
            tags = v._pattern.matrix(v._pattern.tags + self._next, v._class)
            self._append(entries_of(v), v._pattern.size)
        else:
            tags = self._tagged_values(v)
        self._tags[index] = tags
        self._forget()

    def _tagged_values(self, v: Any) -> Any:
        shape = anp.shape(v)
        first, size = self._next + 1, int(np.prod(shape))
        self._append(v, size)
        return np.arange(first, first + size).reshape(shape) if shape else first

    def _append(self, v: Any, size: int) -> None:
        d = self.__dict__
        d["_values"].append(v)
        d["_first"].append(d["_next"])
        d["_next"] += size

    def _forget(self) -> None:
        for name in ("_pattern", "_data", "_value", "_trace", "_node"):
            self.__dict__.pop(name, None)

    def _read_assembled(self, index: Any) -> Any:
        picked = self._tags[index]
        if isinstance(picked, np.integer):
            return self._value_of(int(picked))
        return _read_off(picked, self)

    def _value_of(self, tag: int) -> Any:
        if tag == 0:
            return self._dtype.type(0)
        i = bisect_right(self._first, tag - 1) - 1
        v, shape = self._values[i], anp.shape(self._values[i])
        # One element of v itself: a reshaped v would cost its whole size in the backward pass.
        return v[np.unravel_index(tag - 1 - self._first[i], shape)] if shape else v

    def _read_tags(self) -> None:
        A = _read_off(self._tags.copy(), self)
        self.__dict__["_pattern"] = A._pattern if isbox(A) else Pattern.of(A)
        self.__dict__["_data"] = entries_of(A) if isbox(A) else entries(A)

    def _finished(self, format: str) -> TracedBase:
        """The matrix under assembly in another format, straight from the tags."""
        return lift(_read_off(getattr(self._tags, f"to{format}")(), self))


def _read_off(tags: Any, A: TracedBase) -> Any:
    """The matrix whose entries are the values of A that these tags stand for."""
    numbers = entries(tags) - 1
    pattern = Pattern.of(tags, own=True)
    first = np.array(A._first)
    chunk = np.searchsorted(first, numbers.ravel(), side="right") - 1
    chunk[numbers.ravel() < 0] = 0
    used = np.unique(chunk)
    parts = [A._values[i] for i in used.tolist()]
    sizes = np.array([int(np.prod(anp.shape(v))) for v in parts], np.int64)
    offsets = np.cumsum(sizes) - sizes
    where = np.searchsorted(used, chunk)
    index = numbers.ravel() - first[chunk] + offsets[where] if len(used) else numbers.ravel()
    index[numbers.ravel() < 0] = -1
    values = pool(*parts) if parts else np.zeros(0, A._dtype)
    data = gather(values, Gather(index, anp.shape(values), numbers.shape))
    return make(pattern, data, type(tags))


def _with(A: TracedBase, data: Any) -> TracedBase:
    """A traced matrix, or a stand-in for a constant one, with other entries."""
    if isbox(data):
        return make(A._pattern, data, A._class)
    return lift(make(A._pattern, data, A._class))


def _tidied(A: TracedBase, method: str, *args: Any) -> TracedBase:
    def operation(T):
        T = T.copy()
        getattr(T, method)(*args)
        return T

    return lift(transform(operation, [A], (method, repr(args)), duplicates=True))


def _assigned(A: TracedBase, assign: Any, v: Any) -> Any:
    def operation(T, tags):
        T = T.copy()
        assign(T, tags)
        return T

    operands = [A, v]
    if not isinstance(v, TracedBase) and not isbox(v) and not isbox(entries_of(A)):
        B = plain(A).copy()
        assign(B, v)
        return B
    return transform(operation, operands, None)
