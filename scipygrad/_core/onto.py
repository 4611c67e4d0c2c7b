"""Cotangents and tangents that have another structure than the matrix they belong to.

What the rules of this library give is on the pattern of its matrix. What a user gives (``vjp(G)``,
``jvp(V)``, the rules of a primitive of their own) may be of another format, be stored in another
order, have more or fewer entries, or be a dense array. Its entries are taken by their places, not
in the order in which they are stored.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.sparse as sps

from . import errors
from .engine import ArrayBox, is_sparse, strip
from .gathers import Gather, gather
from .layout import DEVICE_ARRAYS
from .pattern import Pattern
from .tags import coalesced
from .traced import entries_of, entries_on, lift


def onto(G: Any, pattern: Pattern, tangent: bool = False) -> Any:
    """The entries on `pattern` of a cotangent, which may have others, or of a tangent."""
    if is_sparse(G):
        G = coalesced(lift(G))
        data, p = entries_of(G), G._pattern
        _require(p.shape, pattern)
        plan, elsewhere = p.plan(("onto", pattern), lambda: _found(p, pattern))
    elif isinstance(G, (np.ndarray, ArrayBox)) or type(G) in DEVICE_ARRAYS:
        _require(np.shape(strip(G)), pattern)
        data = np.asarray(G) if isinstance(G, np.matrix) else G
        inside = slice(None) if pattern.inside is None else pattern.inside
        index = np.full(pattern.size, -1)
        index[inside] = pattern.flat
        plan = Gather(index, pattern.shape, pattern.entries_shape)
        elsewhere = np.ones(math.prod(pattern.shape), bool)
        elsewhere[pattern.flat] = False
    else:
        raise TypeError(errors.no_cotangent(type(G), pattern))
    if tangent and (pattern.duplicated or strip(data).ravel()[elsewhere].any()):
        raise ValueError(errors.other_tangent(pattern))
    return gather(data, plan)


def _require(shape: tuple[int, ...], pattern: Pattern) -> None:
    if tuple(shape) != pattern.shape:
        raise ValueError(errors.other_shape(shape, pattern.shape))


def _found(p: Pattern, q: Pattern) -> tuple[Gather, np.ndarray]:
    """Which entry of `p` is at the place of each entry of `q`; those of `p` that are at none."""
    index, elsewhere = np.full(q.size, -1), np.ones(p.size, bool)
    stored = np.arange(p.size) if p.inside is None else p.inside
    if stored.size:
        order = np.argsort(p.flat)
        flat = p.flat[order]
        k = np.minimum(np.searchsorted(flat, q.flat), stored.size - 1)
        found = np.where(flat[k] == q.flat, stored[order[k]], -1)
        index[slice(None) if q.inside is None else q.inside] = found
    elsewhere[index[index >= 0]] = False
    if p.inside is not None:  # what lies outside the matrix is nothing
        within = np.zeros(p.size, bool)
        within[p.inside] = True
        elsewhere &= within
    return Gather(index, p.entries_shape, q.entries_shape), elsewhere


def added(x: Any, y: Any, known: Any) -> Any:
    """x + y, on the structure of `known`, or on what they have together."""
    if known is not None:
        p = Pattern.of(known)
        return p.matrix(entries_on(x, p) + entries_on(y, p), type(known))
    parts = [sps.coo_array(x), sps.coo_array(y)]
    coords = tuple(map(np.concatenate, zip(*(part.coords for part in parts))))
    both = sps.coo_array((np.concatenate([part.data for part in parts]), coords), parts[0].shape)
    both.sum_duplicates()
    return type(y if is_sparse(y) else x)(both)
