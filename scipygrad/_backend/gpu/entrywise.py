"""Entries, one by one, and sums of segments of them."""

from __future__ import annotations

from typing import Any

import cupy as cp
import numpy as np

from .launch import common, launch
from .structure import as_one_dtype, as_places, index_of, kept, read, sorting

LONGEST = 64  # terms that one thread adds up


def gather(x: Any, plan: Any) -> Any:
    """``x[plan.index]`` of a vector, zero where the index is negative."""
    index, (x,) = index_of(plan), common(x)
    out = cp.empty(index.size, x.dtype)
    launch("entrywise", "gather", x.dtype, index.dtype, out.size, out, x, index)
    return out


def scatter(x: Any, plan: Any) -> Any:
    """``out[plan.index[k]] += x[k]`` of a vector."""
    (x,) = common(x)
    return kept(plan, "segments", lambda: Segments(index_of(plan), plan.size)).add(x)


def gather_sum(a: Any, b: Any, left: Any, right: Any, sign: int) -> Any:
    """``a[left] + sign * b[right]`` for vectors, zero where an index is negative."""
    a, b = common(a, b)
    left, right = as_one_dtype(index_of(left), index_of(right))
    out = cp.empty(left.size, a.dtype)
    launch("entrywise", "gather_sum", a.dtype, left.dtype, out.size, out, a, b, left, right,
            np.int32(sign))  # fmt: skip
    return out


def equal_indices(pairs: Any) -> bool:
    """Whether the arrays of each pair have equal elements; the one number read is the answer."""
    found = cp.zeros(1, np.int32)
    for a, b in pairs:
        if a.shape != b.shape:
            return False
        a, b = (cp.ascontiguousarray(x) for x in as_one_dtype(a, b))
        launch("entrywise", "differ", np.float64, a.dtype, a.size, found, a, b)
    return not int(found[0])


# ---- sums ------------------------------------------------------------------------------------


class Segments:
    """Which places of a vector are added up to each place of another.

    Sums of many terms are taken in stages, of at most LONGEST terms by one thread each.
    """

    def __init__(self, index: Any, size: int) -> None:
        order, keys = sorting(cp.asarray(index))
        begin = cp.searchsorted(keys, cp.arange(size + 1))  # from 0 on: negative ones are left out
        order = as_places(cp.arange(keys.size) if order is None else order, keys.size)
        self.stages = []
        while True:
            counts = begin[1:] - begin[:-1]
            longest, terms = read(counts.max(), begin[-1]) if size else (0, 0)
            if longest <= LONGEST:
                self.stages.append((order, begin))
                return
            ends = cp.cumsum((counts + (LONGEST - 1)) // LONGEST)  # of the chunks of each segment
            starts = cp.concatenate([cp.zeros(1, np.int64), ends])
            chunks = int(ends[-1])
            number = cp.arange(chunks)
            segment = cp.searchsorted(ends, number, side="right")
            first = begin[segment] + LONGEST * (number - starts[segment])
            last = cp.full(1, terms, np.int64)
            self.stages.append((order, cp.concatenate([first, last])))
            order, begin = as_places(number, chunks), starts

    def add(self, x: Any) -> Any:
        """The sums."""
        for order, begin in self.stages:
            out = cp.empty(begin.size - 1, x.dtype)
            launch("entrywise", "segment_sum", x.dtype, order.dtype, out.size, out, x, order, begin)
            x = out
        return x
