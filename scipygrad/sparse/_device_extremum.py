"""Largest and smallest entries of rows and columns on a GPU: what `_extremum` does there.

How many entries are the extremes of their line is not asked, which would be to wait for the device:
every entry has a share in the result, and most of them 0.
"""

from __future__ import annotations

from typing import Any

import cupy as cp
import numpy as np

from .._backend import gpu
from .._backend.gpu.structure import kept
from .._core.tags import gather, scatter


def extreme(data: Any, lines: Any, ufunc: np.ufunc, explicit: bool) -> Any:
    """The largest (smallest) entry of each line; with zeros unless `explicit`."""
    x, largest = gather(data, lines.entries), ufunc in (np.maximum, np.fmax)
    if ufunc in (np.fmax, np.fmin):
        found = _without_nan(x, lines, largest)
    else:
        found = _extreme(x, lines, largest)
    if explicit:
        return found
    return cp.where(_missing(lines) > 0, ufunc(found, 0), found)


def _extreme(x: Any, lines: Any, largest: bool) -> Any:
    if len(lines.start) == 1:
        return (x.max() if largest else x.min()).reshape(1)
    return gpu.extreme(x, lines.of_each, largest)


def _without_nan(x: Any, lines: Any, largest: bool) -> Any:
    """Of those that are not nan; nan where all are."""
    undefined = x != x
    found = _extreme(cp.where(undefined, -np.inf if largest else np.inf, x), lines, largest)
    some = scatter((~undefined).astype(x.dtype), lines.of_each) > 0
    return cp.where(some, found, np.nan).astype(x.dtype, copy=False)


def shares(data: Any, found: Any, lines: Any, explicit: bool) -> Any:
    """What each entry has in the extreme of its line; nan where that is nan."""
    level = gather(found, lines.of_each)
    undefined = level != level
    equal = ((gather(data, lines.entries) == level) | undefined).astype(data.dtype)
    count = scatter(equal, lines.of_each)
    if not explicit:
        count = count + _missing(lines) * (found == 0)
    share = equal / gather(count, lines.of_each)
    return cp.where(undefined, np.nan, share).astype(data.dtype, copy=False)


def _missing(lines: Any) -> Any:
    return kept(lines, "missing", lambda: cp.asarray(lines.missing))
