"""Kernels on the host, where SciPy and NumPy have none.

Numba, `nogil`. The functions without a leading underscore bring their operands to one dtype and C
order; the kernels behind them are compiled for each dtype on first use and cached on disk.
"""

from __future__ import annotations

import numpy as np

from .jit import kernel as _kernel
from .products import (
    add_outer,
    product,
    product_both,
    product_left,
    product_right,
    sampled_outer,
    spmm_cotangents,
    spmv_tangent,
)

__all__ = [
    "add_outer", "forest_edges", "forest_order", "lightest_edges", "matrix", "path_sums",
    "path_sums_transposed", "product", "product_both", "product_left", "product_right",
    "sampled_outer", "scatter_add", "scatter_add_to", "spmm_cotangents", "spmv_tangent",
]  # fmt: skip


def matrix(pattern, data):
    """The matrix with these entries, for reading only."""
    return pattern.view(data)


# ---- scatter: out[index[k]] += values[k] -----------------------------------------------------


def scatter_add(values: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    """Sum of the values that go to each place; places below 0 are left out."""
    out = np.zeros(size, values.dtype)
    scatter_add_to(out, values, index)
    return out


def scatter_add_to(out: np.ndarray, values: np.ndarray, index: np.ndarray) -> None:
    """The same, added to what is there."""
    _scatter_add(out, np.ascontiguousarray(values), index)


@_kernel
def _scatter_add(out, values, index):
    for k in range(index.size):
        i = index[k]
        if i >= 0:
            out[i] += values[k]


# ---- the lightest edge from each node to each other ------------------------------------------


def lightest_edges(rows, columns, weights, nodes: int):
    """In CSR, with sorted indices: where the smallest of the weights at each place is.

    Of equal ones the first; nan only where there is nothing else.
    """
    indptr = np.empty(nodes + 1, np.intp)
    indices, place = np.empty(len(rows), np.intp), np.empty(len(rows), np.intp)
    by_column = _stable_order(np.arange(len(rows)), columns, nodes)
    order = _stable_order(by_column, rows, nodes)
    count = _lightest_edges(indptr, indices, place, order, rows, columns, weights)
    return indptr, indices[:count], place[:count]


@_kernel
def _stable_order(order, keys, nodes):
    begin = np.zeros(nodes + 1, np.intp)
    for key in keys:
        begin[key + 1] += 1
    for i in range(nodes):
        begin[i + 1] += begin[i]
    out = np.empty_like(order)
    for k in order:
        out[begin[keys[k]]] = k
        begin[keys[k]] += 1
    return out


@_kernel
def _lightest_edges(indptr, indices, place, order, rows, columns, weights):
    count = 0
    i = -1
    for k in order:
        new_row = rows[k] > i
        while i < rows[k]:
            i += 1
            indptr[i] = count
        if new_row or indices[count - 1] != columns[k]:
            indices[count] = columns[k]
            place[count] = k
            count += 1
        elif weights[k] < weights[place[count - 1]] or (
            np.isnan(weights[place[count - 1]]) and not np.isnan(weights[k])
        ):
            place[count - 1] = k
    indptr[i + 1 :] = count
    return count


# ---- paths in forests ------------------------------------------------------------------------
# Row s of `pred` is a forest: pred[s, j] is the node before j on the path from a root to j, -1 at
# roots. `edge[s, j]` is the place of the weight of the edge pred[s, j] → j. `order[s]` lists the
# nodes that are no roots, each after the node before it, and then -1.


def forest_edges(pred, indptr, indices, place):
    """`edge`: the place of the weight of each edge; -1 at roots and where the graph has none.

    The graph is given in CSR, with sorted indices and no duplicates.
    """
    edge = np.full(pred.shape, -1, np.intp)
    _forest_edges(edge, pred, indptr, indices, place)
    return edge


@_kernel
def _forest_edges(edge, pred, indptr, indices, place):
    for s in range(pred.shape[0]):
        for j in range(pred.shape[1]):
            i = pred[s, j]
            if i < 0:
                continue
            low, high = indptr[i], indptr[i + 1]
            while low < high:
                middle = (low + high) // 2
                if indices[middle] < j:
                    low = middle + 1
                else:
                    high = middle
            if low < indptr[i + 1] and indices[low] == j:
                edge[s, j] = place[low]


def forest_order(pred):
    """`order`, and whether every path ends at a root (no cycles)."""
    order = np.full(pred.shape, -1, np.int32)
    return order, _forest_order(order, pred)


@_kernel
def _forest_order(order, pred):
    n = pred.shape[1]
    stack = np.empty(n, np.int32)
    for s in range(pred.shape[0]):
        climb = np.full(n, -1, np.int32)  # the climb on which a node was met
        count = 0
        for j in range(n):
            k, height = np.int32(j), 0
            while pred[s, k] >= 0 and climb[k] < 0:
                climb[k] = j
                stack[height] = k
                height += 1
                k = pred[s, k]
            if height > 0 and pred[s, k] >= 0 and climb[k] == j:
                return False
            while height > 0:
                height -= 1
                order[s, count] = stack[height]
                count += 1
    return True


def path_sums(weights, pred, edge, order):
    """d[s, j] = Σ of the weights on the path from a root to j in forest s."""
    weights = np.ascontiguousarray(weights)
    out = np.zeros(pred.shape, weights.dtype)
    _path_sums(out, weights, pred, edge, order)
    return out


@_kernel
def _path_sums(d, weights, pred, edge, order):
    for s in range(pred.shape[0]):
        for step in range(pred.shape[1]):
            j = order[s, step]
            if j < 0:
                break
            d[s, j] = d[s, pred[s, j]]
            if edge[s, j] >= 0:
                d[s, j] += weights[edge[s, j]]


def path_sums_transposed(g, pred, edge, order, size):
    """w[e] = Σ of g[s, j] over the paths that edge e is on."""
    below = np.array(g, order="C")
    out = np.zeros(size, below.dtype)
    _path_sums_transposed(out, below, pred, edge, order)
    return out


@_kernel
def _path_sums_transposed(w, below, pred, edge, order):
    n = pred.shape[1]
    for s in range(pred.shape[0]):
        for step in range(n - 1, -1, -1):
            j = order[s, step]
            if j < 0:
                continue
            if edge[s, j] >= 0:
                w[edge[s, j]] += below[s, j]
            below[s, pred[s, j]] += below[s, j]
