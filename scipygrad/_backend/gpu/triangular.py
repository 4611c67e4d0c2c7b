"""Substitution with triangular matrices: the order of the rows is found once for each pattern.

cuSPARSE has an analysis, too, which belongs to the values that it was made with; CuPy 14.2 has no
binding for the function that gives it others (`cusparseSpSM_updateMatrix`). So the order is our
own. Row i is in level 1 + the largest level of the rows that it needs: rows of one level do not
need each other. A level of many rows is one launch; levels of few rows that follow each other are
one launch of a single block, which waits between them. A chain of n rows is so one launch, not n.
No thread waits for another block, and each sum is taken in the same order in every run.
"""

from __future__ import annotations

from typing import Any

import cupy as cp
import numpy as np

from ..elimination import OUTSIDE, SINGULAR
from ..jit import kernel as _kernel
from .launch import THREADS, common, launch
from .structure import as_index, as_one_dtype, settled

FEW = 8 * THREADS  # threads that a level wants for which a launch of its own does not pay
MOST = 2**20  # threads of a launch
WARP = 32


def substitute(
    pattern: Any, data: Any, b: Any, lower: bool, unit: bool, flip: bool, known: bool
) -> tuple[Any, int]:
    """x with A x = b, or (`flip`) Aᵀ x = b, A triangular, and what was met, as on the host.

    `known`: that nothing is to be met, with these values of A. Else one number is read.
    """
    key = cp.cuda.get_device_id(), lower, unit
    if not known:
        triangle = pattern.plan((Triangle, *key), lambda: settled(Triangle(pattern, lower, unit)))
        met = triangle.met(data)
        if met:
            return None, met
    levels = pattern.plan((Levels, *key, flip), lambda: settled(Levels(pattern, lower, unit, flip)))
    return levels.solve(data, b), 0


class Triangle:
    """Where the entries are that values can be wrong of."""

    def __init__(self, pattern: Any, lower: bool, unit: bool) -> None:
        rows, columns = pattern.coords
        outside = np.flatnonzero(rows < columns if lower else rows > columns)
        diagonal = np.flatnonzero(rows == columns)
        without = np.ones(pattern.shape[0], bool)
        without[rows[diagonal]] = False
        self._no_pivot = not unit and bool(without.any())
        self._not_zero = as_index(diagonal) if diagonal.size and not unit else None
        self._zero = as_index(outside) if outside.size else None

    def met(self, data: Any) -> int:
        """SINGULAR, a diagonal entry is zero; OUTSIDE, there are others outside the triangle."""
        if self._no_pivot:
            return SINGULAR
        bits = []
        if self._not_zero is not None:
            bits.append((data[self._not_zero] == 0).any() * SINGULAR)
        if self._zero is not None:
            bits.append((data[self._zero] != 0).any() * OUTSIDE)
        met = int(sum(bits[1:], bits[0])) if bits else 0
        return SINGULAR if met & SINGULAR else met


class Levels:
    """The order of the rows of op(A) for substitution, op(A) = A or (`flip`) its transpose.

    Entries outside the triangle are not used, with `unit` neither is the diagonal.
    """

    def __init__(self, pattern: Any, lower: bool, unit: bool, flip: bool) -> None:
        n = pattern.shape[0]
        rows, columns = pattern.coords[::-1] if flip else pattern.coords
        low = lower != flip
        place = np.flatnonzero(rows > columns if low else rows < columns)
        place = place[np.argsort(rows[place], kind="stable")]
        ptr = _begins(np.bincount(rows[place], minlength=n))
        level = _levels(ptr, columns[place].astype(np.int64), low)
        row = np.argsort(level, kind="stable")
        lengths = np.diff(ptr)[row]
        begin = _begins(lengths)
        place = place[np.repeat(ptr[row] - begin[:-1], lengths) + np.arange(place.size)]
        diagonal = np.full(n, -1)
        if not unit:
            on_it = np.flatnonzero(rows == columns)
            diagonal[rows[on_it]] = on_it
        self.level = _begins(np.bincount(level))  # on the host: launches are made from it
        counts = np.diff(self.level)
        mean = np.diff(begin[self.level]) // np.maximum(counts, 1)
        self.lanes = np.minimum(WARP, 2 ** np.log2(np.maximum(mean // 2, 1)).astype(int))
        self._on_device = (
            *as_one_dtype(*map(as_index, (place, columns[place], row, diagonal[row]))),
            *map(cp.asarray, (begin, self.level, self.lanes.astype(np.int32))),
        )
        self._launches: dict[int, list[tuple[int, int, int]]] = {}

    def solve(self, data: Any, b: Any) -> Any:
        """x with op(A) x = b, for a vector b or a block of columns."""
        data, b = common(data, b)
        x = cp.empty(b.shape, b.dtype)
        k = b.shape[1] if b.ndim == 2 else 1
        place, column, row, diagonal, begin, level, lanes = self._on_device
        for first, last, threads in self._launches_for(k):
            launch("triangular", "substitute", b.dtype, row.dtype, threads,
                   x, b, data, place, column, begin, row, diagonal, level, lanes,
                   np.int64(first), np.int64(last), np.int64(k))  # fmt: skip
        return x

    def _launches_for(self, k: int) -> list[tuple[int, int, int]]:
        """First and last level of each launch, and how many threads it has."""
        if k not in self._launches:
            wanted = np.diff(self.level) * self.lanes * k
            many = wanted > FEW
            starts = many.copy()
            starts[1:] |= many[:-1]
            starts[:1] = True
            first = np.flatnonzero(starts)
            last = np.append(first[1:], wanted.size)[: first.size]
            blocks = np.minimum(-(-wanted[first] // THREADS), MOST // THREADS)
            threads = THREADS * np.where(many[first], blocks, 1)
            self._launches[k] = list(zip(first.tolist(), last.tolist(), threads.tolist()))
        return self._launches[k] if k else []


def _begins(counts: np.ndarray) -> np.ndarray:
    begin = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=begin[1:])
    return begin


@_kernel
def _levels(ptr, columns, low):
    """The level of each row; row i needs the rows columns[ptr[i]], ..., columns[ptr[i + 1] - 1]."""
    n = ptr.size - 1
    level = np.zeros(n, np.int64)
    for step in range(n):
        i = step if low else n - 1 - step
        highest = -1
        for t in range(ptr[i], ptr[i + 1]):
            highest = max(highest, level[columns[t]])
        level[i] = highest + 1
    return level
