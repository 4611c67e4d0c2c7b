"""Kernels on the host, where SciPy and NumPy have none.

Numba, one thread, `nogil`. The functions without a leading underscore bring their operands to one
dtype and C order; the kernels behind them are compiled for each dtype on first use and cached on
disk.
"""

from __future__ import annotations

import os
import tempfile

import numba
import numpy as np

if not os.access(os.path.dirname(__file__), os.W_OK) and "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = os.path.join(tempfile.gettempdir(), "scipygrad-numba")

_kernel = numba.njit(nogil=True, cache=True, error_model="numpy")


def _common(*arrays: np.ndarray) -> list[np.ndarray]:
    dtype = np.result_type(*arrays)
    return [np.ascontiguousarray(a, dtype=dtype) for a in arrays]


# ---- scatter: out[index[k]] += values[k] -----------------------------------------------------


def scatter_add(values: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    """Sum of the values that go to each place; places below 0 are left out."""
    values = np.ascontiguousarray(values)
    out = np.zeros(size, values.dtype)
    _scatter_add(out, values, index)
    return out


@_kernel
def _scatter_add(out, values, index):
    for k in range(index.size):
        i = index[k]
        if i >= 0:
            out[i] += values[k]


# ---- sampled outer product: (G Xᵀ)[i, j] on the entries of a pattern --------------------------


def sampled_outer(G: np.ndarray, X: np.ndarray, indptr: np.ndarray, indices: np.ndarray):
    """Entries of ``G @ X.T`` on a CSR pattern; G and X are vectors or blocks of columns."""
    G, X = _common(G, X)
    out = np.empty(indices.size, G.dtype)
    if G.ndim == 1:
        _sampled_outer_vector(out, G, X, indptr, indices)
    else:
        _sampled_outer_block(out, G, X, indptr, indices)
    return out


@_kernel
def _sampled_outer_vector(out, g, x, indptr, indices):
    for i in range(indptr.size - 1):
        gi = g[i]
        for k in range(indptr[i], indptr[i + 1]):
            out[k] = gi * x[indices[k]]


@_kernel
def _sampled_outer_block(out, G, X, indptr, indices):
    for i in range(indptr.size - 1):
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            s = out.dtype.type(0)
            for c in range(G.shape[1]):
                s += G[i, c] * X[j, c]
            out[k] = s


# ---- C = A B on fixed patterns ---------------------------------------------------------------
# All three patterns are in CSR. The triples (A[i,k], B[k,j], C[i,j]) are visited row by row;
# `place` says where column j is stored in row i of C. Entries of A B that C does not store are left
# out.


def product(a: np.ndarray, b: np.ndarray, structure) -> np.ndarray:
    """c[i,j] = Σ_k a[i,k] b[k,j] on the pattern of C."""
    a, b = _common(a, b)
    out = np.zeros(structure.C[1].size, a.dtype)
    _product(out, a, b, *structure.A, *structure.B, *structure.C, structure.columns)
    return out


def product_left(c: np.ndarray, b: np.ndarray, structure) -> np.ndarray:
    """a[i,k] = Σ_j c[i,j] b[k,j] on the pattern of A."""
    c, b = _common(c, b)
    out = np.zeros(structure.A[1].size, c.dtype)
    _product_left(out, c, b, *structure.A, *structure.B, *structure.C, structure.columns)
    return out


def product_right(c: np.ndarray, a: np.ndarray, structure) -> np.ndarray:
    """b[k,j] = Σ_i a[i,k] c[i,j] on the pattern of B."""
    c, a = _common(c, a)
    out = np.zeros(structure.B[1].size, c.dtype)
    _product_right(out, c, a, *structure.A, *structure.B, *structure.C, structure.columns)
    return out


def product_both(c: np.ndarray, a: np.ndarray, b: np.ndarray, structure):
    """`product_left` and `product_right` in one sweep."""
    c, a, b = _common(c, a, b)
    left = np.zeros(structure.A[1].size, c.dtype)
    right = np.zeros(structure.B[1].size, c.dtype)
    _product_both(left, right, c, a, b, *structure.A, *structure.B, *structure.C, structure.columns)
    return left, right


@_kernel
def _product(c, a, b, a_ptr, a_ind, b_ptr, b_ind, c_ptr, c_ind, columns):
    place = np.full(columns, -1, np.int64)
    for i in range(c_ptr.size - 1):
        for p in range(c_ptr[i], c_ptr[i + 1]):
            place[c_ind[p]] = p
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            v = a[q]
            for r in range(b_ptr[k], b_ptr[k + 1]):
                p = place[b_ind[r]]
                if p >= 0:
                    c[p] += v * b[r]
        for p in range(c_ptr[i], c_ptr[i + 1]):
            place[c_ind[p]] = -1


@_kernel
def _product_left(a, c, b, a_ptr, a_ind, b_ptr, b_ind, c_ptr, c_ind, columns):
    row = np.zeros(columns, c.dtype)
    for i in range(c_ptr.size - 1):
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = c[p]
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            s = a.dtype.type(0)
            for r in range(b_ptr[k], b_ptr[k + 1]):
                s += row[b_ind[r]] * b[r]
            a[q] = s
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = 0


@_kernel
def _product_right(b, c, a, a_ptr, a_ind, b_ptr, b_ind, c_ptr, c_ind, columns):
    row = np.zeros(columns, c.dtype)
    for i in range(c_ptr.size - 1):
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = c[p]
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            v = a[q]
            for r in range(b_ptr[k], b_ptr[k + 1]):
                b[r] += v * row[b_ind[r]]
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = 0


@_kernel
def _product_both(left, right, c, a, b, a_ptr, a_ind, b_ptr, b_ind, c_ptr, c_ind, columns):
    row = np.zeros(columns, c.dtype)
    for i in range(c_ptr.size - 1):
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = c[p]
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            v = a[q]
            s = left.dtype.type(0)
            for r in range(b_ptr[k], b_ptr[k + 1]):
                w = row[b_ind[r]]
                s += w * b[r]
                right[r] += v * w
            left[q] = s
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = 0


# ---- substitution with a triangle of A -------------------------------------------------------


def solve_triangular(data, indptr, indices, b, *, lower: bool, unit: bool, by_rows: bool):
    """x with T x = b, T a triangle of A (CSR by rows, CSC by columns); x is inf or nan if singular.

    Entries outside the triangle are not read, with `unit` neither is the diagonal. b has two
    dimensions.
    """
    data, b = _common(data, b)
    x = b.copy()
    kernel = _substitute_rows if by_rows else _substitute_columns
    kernel(x, data, indptr, indices, lower, unit)
    return x


@_kernel
def _substitute_rows(x, data, indptr, indices, lower, unit):
    n = indptr.size - 1
    for step in range(n):
        i = step if lower else n - 1 - step
        diagonal = data.dtype.type(1 if unit else 0)
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if j == i:
                if not unit:
                    diagonal += data[k]
            elif (j < i) == lower:
                for c in range(x.shape[1]):
                    x[i, c] -= data[k] * x[j, c]
        for c in range(x.shape[1]):
            x[i, c] = x[i, c] / diagonal


@_kernel
def _substitute_columns(x, data, indptr, indices, lower, unit):
    n = indptr.size - 1
    for step in range(n):
        j = step if lower else n - 1 - step
        diagonal = data.dtype.type(1 if unit else 0)
        if not unit:
            for k in range(indptr[j], indptr[j + 1]):
                if indices[k] == j:
                    diagonal += data[k]
        for c in range(x.shape[1]):
            x[j, c] = x[j, c] / diagonal
        for k in range(indptr[j], indptr[j + 1]):
            i = indices[k]
            if i != j and (i > j) == lower:
                for c in range(x.shape[1]):
                    x[i, c] -= data[k] * x[j, c]


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
