"""The edges of a graph as SciPy's functions find them, with traced weights."""

from __future__ import annotations

import sys
import warnings
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse.csgraph as csg

from .._backend import backend
from .._core import errors
from .._core.engine import cast, is_sparse, strip
from .._core.tags import Gather, gather
from .._core.traced import TracedBase, entries_to_keep, lift
from ._construct import _array
from ._convert import as_format

NO_NODE = -9999
"""SciPy's predecessor of a node that has none."""


class Edges(NamedTuple):
    """Edges row by row, in the order of the csr matrix that SciPy makes of the graph."""

    weights: Any  # float64, as SciPy has them for every graph
    rows: np.ndarray
    columns: np.ndarray
    nodes: int

    @property
    def keys(self) -> np.ndarray:
        """One number for each pair of nodes, in the order of rows."""
        return self.rows.astype(np.int64) * self.nodes + self.columns

    @property
    def indptr(self) -> np.ndarray:
        """Where each row begins."""
        return np.searchsorted(self.rows, np.arange(self.nodes + 1)).astype(np.int32)


def edges_of(csgraph: Any, zeros_matter: bool = True) -> Edges:
    """The edges of a graph, sparse (stored entries, zeros too) or dense (no zeros, inf, nan).

    It must have passed SciPy's checks. With `zeros_matter`, weights of 0 that tracing may have put
    there are reported.
    """
    if not is_sparse(csgraph):
        return _edges_of_dense(csgraph)
    A = as_format(lift(csgraph), "csr")
    rows, columns = A._pattern.coords
    weights, kept = entries_to_keep(A), A._pattern.inside
    if csgraph.format == "dia" and strip(csgraph).tocsr().nnz < len(rows):
        # SciPy leaves out the zeros on the diagonals.
        stored = strip(weights)
        kept = np.flatnonzero(stored)
        rows, columns = rows[kept], columns[kept]
    if kept is not None:
        weights = gather(weights, Gather(kept, anp.shape(weights), kept.shape))
    edges = Edges(double(weights), rows, columns, A.shape[0])
    if zeros_matter:
        _warn_of_zeros(csgraph, edges)
    return edges


def _edges_of_dense(csgraph: Any) -> Edges:
    X = _array(csgraph)
    masked = np.ma.getmaskarray(csg.csgraph_masked_from_dense(strip(X)))
    flat = np.flatnonzero(~masked)
    rows, columns = np.divmod(flat, X.shape[1])
    weights = gather(X, Gather(flat, X.shape, flat.shape))
    return Edges(double(weights), rows, columns, X.shape[0])


def double(weights: Any) -> Any:
    """The weights as SciPy converts them; of a complex graph, their real parts."""
    return weights if anp.result_type(weights) == np.float64 else cast(weights, np.float64)


def _warn_of_zeros(csgraph: Any, edges: Edges) -> None:
    """Warn of stored zeros which SciPy, with structure from values, might have left out.

    Those of a matrix that autograd handed out (an argument) are its owner's, and meant.
    """
    if not isinstance(csgraph, TracedBase) or "_value" in csgraph.__dict__:
        return
    zero = (strip(edges.weights) == 0) & (edges.rows != edges.columns)
    if zero.any():
        depth = 1
        while sys._getframe(depth).f_globals.get("__name__", "").startswith("scipygrad."):
            depth += 1
        warnings.warn(
            errors.zero_weights(int(zero.sum())), errors.ZeroWeightWarning, stacklevel=depth + 1
        )


def lightest(edges: Edges, directed: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The lightest edge between each two nodes that have one: indptr, indices, place among edges.

    Of equal ones the first that is stored; in an undirected graph, where both directions count, the
    one in the direction asked for.
    """
    rows, columns, weights = edges.rows, edges.columns, strip(edges.weights)
    if directed:
        return backend(weights).lightest_edges(rows, columns, weights, edges.nodes)
    indptr, indices, place = backend(weights).lightest_edges(
        np.concatenate([rows, columns]),
        np.concatenate([columns, rows]),
        np.concatenate([weights, weights]),
        edges.nodes,
    )
    return indptr, indices, place % max(len(rows), 1)


def with_null_value(value: Any, null: np.ndarray, null_value: Any) -> Any:
    """`value` with a traced number where `null` says so."""
    number = anp.reshape(double(null_value), (1,))
    spread = gather(number, Gather(np.where(null, 0, -1), (1,), null.shape))
    return spread + anp.where(null, 0.0, value)
