"""Trees of a graph: SciPy chooses their edges, the weights are the graph's."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.csgraph as csg

from .._core.engine import contains_traced, strip
from .._core.mirror import own, traced
from .._core.pattern import Pattern
from .._core.tags import Gather, gather, scatter
from .._core.traced import class_of_ours, make
from ._csgraph_edges import edges_of

_NOTE = "the weights of the tree's edges; which edges these are is chosen by "


def _as_traced(tree: Any, weights: Any) -> Any:
    """A tree of SciPy's with traced weights."""
    return make(Pattern.of(tree, own=True), weights, class_of_ours(type(tree)))


@traced(csg.minimum_spanning_tree, wrt=("csgraph",), note=_NOTE + "the weights at hand")
def minimum_spanning_tree(csgraph, overwrite=False):
    if not contains_traced((csgraph,)):
        return own(csg.minimum_spanning_tree(csgraph, strip(overwrite)))
    cls = type(csg.minimum_spanning_tree(strip(csgraph)))  # checks the graph, too
    edges = edges_of(csgraph)
    # SciPy drops edges of weight 0 from its tree, and their derivatives with them. The ranks of the
    # weights in their place give the same tree, with every edge, and say which ones they are.
    order = np.argsort(strip(edges.weights), kind="stable")
    ranks = np.empty(len(order))
    ranks[order] = np.arange(1, len(order) + 1)
    shape = (edges.nodes, edges.nodes)
    tree = csg.minimum_spanning_tree(
        cls((ranks, edges.columns.astype(np.int32), edges.indptr), shape)
    )
    picked = order[tree.data.astype(np.intp) - 1]
    return _as_traced(tree, gather(edges.weights, Gather(picked, order.shape, picked.shape)))


@traced(csg.reconstruct_path, wrt=("csgraph",), note=_NOTE + "the predecessors")
def reconstruct_path(csgraph, predecessors, directed=True):
    tree = csg.reconstruct_path(strip(csgraph), strip(predecessors), directed)
    return _copied(tree, csgraph, directed)


@traced(csg.breadth_first_tree, wrt=("csgraph",), note=_NOTE + "the structure")
def breadth_first_tree(csgraph, i_start, directed=True):
    return _copied(
        csg.breadth_first_tree(strip(csgraph), strip(i_start), directed), csgraph, directed
    )


@traced(csg.depth_first_tree, wrt=("csgraph",), note=_NOTE + "the structure")
def depth_first_tree(csgraph, i_start, directed=True):
    return _copied(
        csg.depth_first_tree(strip(csgraph), strip(i_start), directed), csgraph, directed
    )


def _copied(tree: Any, csgraph: Any, directed: bool) -> Any:
    """A tree whose weights SciPy copied from the graph, with traced ones.

    The weight of i → j is A[i, j] (duplicates summed), in an undirected graph the smaller one of
    A[i, j] and A[j, i] that is not zero, A[i, j] if they are equal.
    """
    if not contains_traced((csgraph,)):
        return own(tree)
    edges = edges_of(csgraph)
    # Every node has one parent at most: the tree's entry is found by the child.
    children = tree.indices
    parent, place = np.full((2, edges.nodes), -1, np.intp)
    parent[children] = np.repeat(np.arange(edges.nodes), np.diff(tree.indptr))
    place[children] = np.arange(len(children))

    def at_tree(rows, columns):
        index = np.where(parent[columns] == rows, place[columns], -1)
        return scatter(edges.weights, Gather(index, children.shape, rows.shape))

    weights = at_tree(edges.rows, edges.columns)
    if not directed:
        back = at_tree(edges.columns, edges.rows)
        there, again = (np.where(w == 0, np.inf, w) for w in (strip(weights), strip(back)))
        weights = anp.where((again < there) | np.isnan(again), back, weights)
        weights = anp.where(np.isinf(there) & np.isinf(again), np.inf, weights)
    return _as_traced(tree, weights)
