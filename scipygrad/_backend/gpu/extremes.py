"""Largest and smallest numbers of segments."""

from __future__ import annotations

from typing import Any

import cupy as cp
import numpy as np

from .entrywise import Segments
from .launch import common, launch
from .structure import index_of, kept


def extreme(x: Any, plan: Any, largest: bool) -> Any:
    """The largest (smallest) x[k] with ``plan.index[k] == s``, for each s; 0 where there is none.

    CuPy has `reduceat` for sums only.
    """
    (x,) = common(x)
    stages = kept(plan, "segments", lambda: Segments(index_of(plan), plan.size)).stages
    for order, begin in stages:
        out = cp.empty(begin.size - 1, x.dtype)
        launch("extremes", "segment_extreme", x.dtype, order.dtype, out.size, out, x, order, begin,
               np.int32(largest))  # fmt: skip
        x = out
    return x
