"""Lengths of shortest paths: the sums of weights along the paths that SciPy found.

With the paths fixed, the distances are linear in the weights of the edges. `path_sums` is that
linear map, `path_sums_transposed` its transpose; each is the VJP of the other, so all orders
follow. The derivation, and what is said about ties, is in docs/derivations/csgraph.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.csgraph as csg

from .._backend import backend
from .._core.engine import contains_traced, isbox, primitive, strip
from .._core.mirror import traced
from ._csgraph_edges import NO_NODE, Edges, edges_of, lightest, with_null_value

_NOTE = (
    "a weight's derivative is 1 for the paths it is on, else 0; of paths of equal length, the one "
    "that SciPy's predecessors name"
)


class Forest:
    """The paths to all nodes: one forest for each source, and where the weights of its edges are.

    What only derivatives need is made when they need it, from copies.
    """

    def __init__(
        self, edges: Edges, distances: np.ndarray, predecessors: np.ndarray, directed: bool
    ):
        self.distances = distances.reshape(-1, edges.nodes)
        before = predecessors.reshape(-1, edges.nodes)
        # Behind an infinite weight no path has a length that could vary.
        self.pred = np.where(np.isfinite(self.distances), before, NO_NODE)
        self.size = len(edges.rows)
        self._edges = edges._replace(weights=strip(edges.weights).copy())
        self._directed = directed

    @cached_property
    def edge(self) -> np.ndarray:
        """Place of the weight of the edge before each node."""
        return backend(self.pred).forest_edges(self.pred, *lightest(self._edges, self._directed))

    @cached_property
    def order(self) -> np.ndarray:
        """The nodes of each forest, each after the node before it."""
        order, ends = backend(self.pred).forest_order(self.pred)
        if not ends:
            raise ValueError(
                "The predecessors of shortest paths contain a cycle, so the distances have no "
                "derivative. SciPy gives such predecessors if the weights along a cycle add up to "
                "zero; change one of them by more than its rounding."
            )
        return order


@primitive(wrt=("weights",))
def distances(weights, forest):
    """Lengths of the paths of a forest, as SciPy computed them for these weights."""
    return forest.distances


@primitive(wrt=("weights",))
def path_sums(weights, forest):
    """d[s, j] = sum of the weights on the path to j in forest s."""
    return backend(weights).path_sums(weights, forest.pred, forest.edge, forest.order)


@primitive(wrt=("g",))
def path_sums_transposed(g, forest):
    """w[e] = sum of g[s, j] over the paths that edge e is on: from the leaves to the roots."""
    return backend(g).path_sums_transposed(g, forest.pred, forest.edge, forest.order, forest.size)


@distances.vjp("weights")
def _(g, ans, weights, forest):
    return path_sums_transposed(g, forest)


@distances.jvp("weights")
def _(t, ans, weights, forest):
    return path_sums(t, forest)


@path_sums.vjp("weights")
def _(g, ans, weights, forest):
    return path_sums_transposed(g, forest)


@path_sums_transposed.vjp("g")
def _(g, ans, _, forest):
    return path_sums(g, forest)


path_sums.linear("weights")
path_sums_transposed.linear("g")


def _along(edges: Edges, value: np.ndarray, predecessors: np.ndarray, directed: bool) -> Any:
    """`value`, SciPy's lengths of the paths that the predecessors name, traced."""
    d = distances(edges.weights, Forest(edges, value, predecessors, directed))
    return d if anp.shape(d) == value.shape else anp.reshape(d, value.shape)


def _shortest(
    function: Callable,
    csgraph: Any,
    directed: bool,
    return_predecessors: bool,
    unweighted: bool,
    **options: Any,
) -> Any:
    """SciPy's function on the values, which checks them and warns; its distances traced."""
    value, predecessors, *sources = function(
        strip(csgraph),
        directed=directed,
        return_predecessors=True,
        unweighted=unweighted,
        **strip(options),
    )
    if not unweighted and contains_traced((csgraph,)):
        value = _along(edges_of(csgraph), value, predecessors, directed)
    return (value, predecessors, *sources) if return_predecessors else value


@traced(csg.shortest_path, wrt=("csgraph",), note=_NOTE)
def shortest_path(
    csgraph,
    method="auto",
    directed=True,
    return_predecessors=False,
    unweighted=False,
    overwrite=False,
    indices=None,
):
    options = {"method": method, "indices": indices}
    return _shortest(
        csg.shortest_path, csgraph, directed, return_predecessors, unweighted, **options
    )


@traced(csg.dijkstra, wrt=("csgraph",), note=_NOTE)
def dijkstra(
    csgraph,
    directed=True,
    indices=None,
    return_predecessors=False,
    unweighted=False,
    limit=np.inf,
    min_only=False,
):
    options = {"indices": indices, "limit": limit, "min_only": min_only}
    return _shortest(csg.dijkstra, csgraph, directed, return_predecessors, unweighted, **options)


@traced(csg.floyd_warshall, wrt=("csgraph",), note=_NOTE)
def floyd_warshall(
    csgraph, directed=True, return_predecessors=False, unweighted=False, overwrite=False
):
    return _shortest(csg.floyd_warshall, csgraph, directed, return_predecessors, unweighted)


@traced(csg.bellman_ford, wrt=("csgraph",), note=_NOTE)
def bellman_ford(csgraph, directed=True, indices=None, return_predecessors=False, unweighted=False):
    return _shortest(
        csg.bellman_ford, csgraph, directed, return_predecessors, unweighted, indices=indices
    )


@traced(csg.johnson, wrt=("csgraph",), note=_NOTE)
def johnson(csgraph, directed=True, indices=None, return_predecessors=False, unweighted=False):
    return _shortest(
        csg.johnson, csgraph, directed, return_predecessors, unweighted, indices=indices
    )


if hasattr(csg, "yen"):

    @traced(csg.yen, wrt=("csgraph",), note=_NOTE)
    def yen(
        csgraph, source, sink, K, *, directed=True, return_predecessors=False, unweighted=False
    ):
        source, sink, K = strip((source, sink, K))
        value, predecessors = csg.yen(
            strip(csgraph), source, sink, K,
            directed=directed, return_predecessors=True, unweighted=unweighted,
        )  # fmt: skip
        if not unweighted and contains_traced((csgraph,)):
            edges = edges_of(csgraph)
            _refuse_parallel(edges)
            # Every path is a forest of its own, with a length at its end only.
            ends = np.zeros(predecessors.shape)
            ends[:, sink] = value
            value = _along(edges, ends, predecessors, directed)[:, sink]
        return (value, predecessors) if return_predecessors else value


def _refuse_parallel(edges: Edges) -> None:
    if len(np.unique(edges.keys)) < len(edges.keys):
        raise NotImplementedError(
            "yen: 'csgraph' is traced and has several entries for the same edge. SciPy's lengths "
            "mix up their weights then, and have no derivative. Sum them up, "
            "csgraph.sum_duplicates(), or keep the smallest of each."
        )


@traced(
    csg.construct_dist_matrix,
    wrt=("graph", "null_value"),
    note="the derivative of the sums along the given paths",
)
def construct_dist_matrix(graph, predecessors, directed=True, null_value=np.inf):
    before = np.asarray(strip(predecessors))
    value = csg.construct_dist_matrix(strip(graph), before, directed, strip(null_value))
    before = before.copy()
    np.fill_diagonal(before, NO_NODE)  # where paths end, whatever the predecessor there
    none = before == NO_NODE
    np.fill_diagonal(none, False)
    if contains_traced((graph,)):
        edges = edges_of(graph)
        value = _along(edges if directed else _without_zeros(edges), value, before, directed)
    return with_null_value(value, none, null_value) if isbox(null_value) else value


def _without_zeros(edges: Edges) -> Edges:
    """The edges that `construct_dist_matrix` finds in an undirected graph."""
    kept = np.flatnonzero(strip(edges.weights))
    return Edges(edges.weights[kept], edges.rows[kept], edges.columns[kept], edges.nodes)
