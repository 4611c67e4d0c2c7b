"""Entries, one by one, and sums of segments of them."""

from __future__ import annotations

from typing import Any

import cupy as cp
import numpy as np

from .launch import common, launch
from .structure import as_index, as_one_dtype, begins, index_of

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
    if "_segments" not in plan.__dict__:
        plan._segments = Segments(plan.index, plan.size)
    return plan._segments.add(x)


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
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        a, b = (cp.ascontiguousarray(x) for x in (a, b))
        launch("entrywise", "differ", np.float64, a.dtype, a.size, found, a, b)
    return not int(found[0])


# ---- sums ------------------------------------------------------------------------------------


class Segments:
    """Which places of a vector are added up to each place of another."""

    def __init__(self, index: np.ndarray, size: int) -> None:
        kept = np.flatnonzero(index >= 0)
        order = kept[np.argsort(index[kept], kind="stable")]
        counts = np.bincount(index[kept], minlength=size)
        self.stages = []
        while True:
            chunks = -(-counts // LONGEST)  # of at most so many terms
            if counts.max(initial=0) <= LONGEST:
                self.stages.append((as_index(order), begins(counts)))
                return
            lengths = np.full(int(chunks.sum()), LONGEST)
            last = np.cumsum(chunks)[counts > 0] - 1
            lengths[last] = (counts - LONGEST * (chunks - 1))[counts > 0]
            self.stages.append((as_index(order), begins(lengths)))
            order, counts = np.arange(len(lengths)), chunks

    def add(self, x: Any) -> Any:
        """The sums."""
        for order, begin in self.stages:
            out = cp.empty(begin.size - 1, x.dtype)
            launch("entrywise", "segment_sum", x.dtype, order.dtype, out.size, out, x, order, begin)
            x = out
        return x
