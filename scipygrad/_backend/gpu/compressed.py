"""Rows and columns of patterns, as the kernels of products read them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import cupy as cp
import numpy as np

from ..._core.pattern import noted
from .entrywise import equal_indices
from .structure import (
    as_one_dtype,
    coordinates,
    index_arrays,
    kept,
    major_of_each,
    moved,
    settled,
)

LONGEST = 2048
"""Entries of a line that one group of threads adds up; longer ones are cut into pieces."""


def lines(pattern: Any) -> Lines:
    """The columns of a csc pattern, else the rows; kept with the pattern."""
    if pattern.format == "csc":  # both of a pattern and its transpose have the same
        return lines(pattern.T)
    if pattern.format == "csr":
        return kept(pattern, "lines", lambda: Lines(*index_arrays(pattern), pattern.shape[1]))
    return kept(pattern, "lines", lambda: _from_coordinates(pattern))


def rows(pattern: Any) -> Lines:
    """The rows of a pattern."""
    own = lines(pattern)
    return own.transposed if pattern.format == "csc" else own


def columns(pattern: Any) -> Lines:
    """The columns of a pattern."""
    own = lines(pattern)
    return own if pattern.format == "csc" else own.transposed


def _from_coordinates(pattern: Any) -> Lines:
    """The rows of a pattern in coo or dia."""
    row, column = coordinates(pattern)
    order = _order(row)
    begin = cp.searchsorted(row[order], cp.arange(pattern.shape[0] + 1)).astype(row.dtype)
    places = order
    if pattern.inside is not None:
        places = moved(pattern, "inside", pattern.inside)[order]
    return Lines(begin, column[order], pattern.shape[1], places)


class Lines:
    """Lines of a matrix, one after the other, and what crosses each of them.

    Line s has the places p from begin[s] up to begin[s + 1]. There it is crossed by the line of
    the other kind indices[p], and the entry is stored at places[p] (None: at p). All is built when
    first asked for, on the device, at the price of some numbers read: a step that follows finds it.
    """

    def __init__(self, begin: Any, indices: Any, across: int, places: Any = None) -> None:
        self.count, self.across = begin.size - 1, across
        if max(self.count, across) >= 2**31:  # else its numbers might not fit
            begin = begin.astype(np.int64, copy=False)
        self.begin, self.indices = as_one_dtype(begin, indices)
        self.places = None if places is None else places.astype(self.dtype, copy=False)
        self.stored = indices.size
        self.size = int(begin[-1])  # there may be more in the arrays, which count for nothing
        self.lanes = lanes_for(self.size / max(self.count, 1))

    @property
    def dtype(self) -> Any:
        """The dtype of all index arrays."""
        return self.begin.dtype

    @cached_property
    def of_each(self) -> Any:
        """The line that each place is in."""
        return settled(self._line_of_each())

    def _line_of_each(self) -> Any:
        return major_of_each(self.begin, self.size).astype(self.dtype, copy=False)

    @cached_property
    def transposed(self) -> Lines:
        """The lines of the other kind; in each, the entries in the order of these lines."""
        indices = self.indices[: self.size]
        order = _order(indices)
        ends = cp.arange(self.across + 1, dtype=self.dtype)
        begin = cp.searchsorted(indices[order], ends).astype(self.dtype)
        crossing = self._line_of_each()[order]
        if begin.size == self.begin.size and equal_indices(
            ((begin, self.begin), (crossing, indices))
        ):  # a structure that is symmetric: one copy, which is read once
            begin, crossing = self.begin, self.indices
        places = order if self.places is None else self.places[order]
        made = settled(Lines(begin, crossing, self.count, places))
        noted(made)
        return made

    @property
    def sorted(self) -> Lines:
        """The same lines with sorted indices; equal ones stay in order."""
        return self if self.are_sorted else self.transposed.transposed

    @cached_property
    def are_sorted(self) -> bool:
        """Whether the indices rise, or stay, in each line."""
        indices, line = self.indices[: self.size], self._line_of_each()
        return not bool(((indices[1:] < indices[:-1]) & (line[1:] == line[:-1])).any())

    @cached_property
    def pieces(self) -> tuple[Lines, Lines] | None:
        """Pieces of the lines, none of them long, and which of them make up each line."""
        cut = pieces_of(self.begin)
        if cut is None:
            return None
        return settled((Lines(cut[0], self.indices, self.across, self.places), cut[1]))


def _order(numbers: Any) -> Any:
    """The order in which numbers rise, equal ones as they are: CuPy's sorting is stable."""
    return numbers.argsort() if numbers.size else cp.zeros(0, np.int64)


def pieces_of(begin: Any) -> tuple[Any, Lines] | None:
    """Where pieces of segments begin, none of them long, and which of them make up each segment.

    A segment of a million terms would keep one group of threads busy for longer than all the
    others together. None: there are no long ones.
    """
    lengths = cp.diff(begin)
    if not lengths.size or int(lengths.max()) <= LONGEST:
        return None
    counts = (lengths + (LONGEST - 1)) // LONGEST
    ends = cp.concatenate([cp.zeros(1, begin.dtype), cp.cumsum(counts)]).astype(begin.dtype)
    total = int(ends[-1])
    segment = major_of_each(ends, total)
    cuts = begin[segment] + (cp.arange(total) - ends[segment]) * LONGEST
    cuts = cp.concatenate([cuts, begin[-1:]]).astype(begin.dtype)
    return cuts, Lines(ends, cp.arange(total, dtype=begin.dtype), total)


def lanes_for(mean: float) -> int:
    """How many threads share a sum of so many terms.

    What bounds these kernels is how many reads are under way: a warp waits for `begin`, then for
    indices and entries, then for x, some 2 µs in all. To move 4.8 TB/s meanwhile, each of the 64
    warps of a multiprocessor has to have 1 KB under way: rows of 80 entries with 12 bytes each.
    So each thread takes about three terms, and a warp many short rows.
    """
    return 1 if mean <= 3 else 2 if mean <= 6 else 4 if mean <= 12 else 8 if mean <= 96 else 32
