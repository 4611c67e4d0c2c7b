"""Graphs between dense and sparse, and why masked arrays are not traced."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.csgraph as csg

from .._core.engine import contains_traced, isbox, strip
from .._core.mirror import plain, traced
from .._core.pattern import Pattern
from .._core.tags import Gather, gather
from .._core.traced import class_of_ours, make
from ._construct import _array
from ._csgraph_edges import Edges, double, edges_of, lightest, with_null_value


@traced(csg.csgraph_from_dense, wrt=("graph",), note="which entries are edges depends on values")
def csgraph_from_dense(graph, null_value=0, nan_null=True, infinity_null=True):
    options = strip((null_value, nan_null, infinity_null))
    A = csg.csgraph_from_dense(strip(graph), *options)
    X = _array(graph)
    rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    place = rows * A.shape[1] + A.indices
    weights = double(gather(X, Gather(place, anp.shape(X), place.shape)))
    return make(Pattern.of(A, own=True), weights, class_of_ours(type(A)))


@traced(
    csg.csgraph_to_dense,
    wrt=("csgraph", "null_value"),
    note="of several entries for one edge, the smallest",
)
def csgraph_to_dense(csgraph, null_value=0):
    value = csg.csgraph_to_dense(strip(csgraph), strip(null_value))
    if contains_traced((csgraph,)):
        value = _filled(edges_of(csgraph, zeros_matter=False), value)
    if isbox(null_value):
        null = np.isnan(csg.csgraph_to_dense(strip(csgraph), np.nan))
        value = with_null_value(value, null, null_value)
    return value


def _filled(edges: Edges, value: np.ndarray) -> Any:
    """`value` with the traced weights in it; the rest, and SciPy's inf for nan, is constant."""
    indptr, columns, place = lightest(edges, directed=True)
    rows = np.repeat(np.arange(edges.nodes), np.diff(indptr))
    index = np.full(value.shape, -1, np.intp)
    index[rows, columns] = np.where(np.isnan(strip(edges.weights)[place]), -1, place)
    X = gather(edges.weights, Gather(index, anp.shape(edges.weights), value.shape))
    return X + np.where(index < 0, value, 0.0)


_REASON = "autograd knows no masked arrays, so that a traced argument raises: use {}"


def _masked(theirs: Any, instead: str) -> Any:
    return plain(theirs, _REASON.format(instead), refuses=f"use {instead}")


csgraph_from_masked = _masked(
    csg.csgraph_from_masked, "csgraph_from_dense, with non-edges 0, inf or nan"
)
csgraph_masked_from_dense = _masked(
    csg.csgraph_masked_from_dense, "csgraph_from_dense, or the dense graph itself"
)
csgraph_to_masked = _masked(
    csg.csgraph_to_masked, "csgraph_to_dense, with null_value for non-edges"
)
