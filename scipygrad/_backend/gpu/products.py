"""Products with sparse matrices, and their derivatives."""

from __future__ import annotations

from typing import Any

import cupy as cp
import cupyx.scipy.sparse as cps
import numpy as np

from .launch import common, launch
from .structure import as_index, as_one_dtype, begins, coordinates, index_arrays, moved


def matrix(pattern: Any, data: Any) -> Any:
    """A cupyx csr or csc matrix with these entries, for reading only."""
    indptr, indices = index_arrays(pattern)
    cls = cps.csr_matrix if pattern.format == "csr" else cps.csc_matrix
    return cls((data, indices, indptr), shape=pattern.shape)


def spmm(data: Any, x: Any, pattern: Any) -> Any:
    """A x for a vector or a block of columns x; A in csr or csc."""
    data, x = common(data, x)
    return matrix(pattern, data) @ x


def sampled_outer(G: Any, X: Any, pattern: Any) -> Any:
    """The entries of G Xᵀ on a pattern, for two vectors or two blocks of columns."""
    G, X = common(G, X)
    rows, columns = coordinates(pattern)
    out = cp.empty(rows.size, G.dtype)
    k = np.int64(G.shape[1] if G.ndim == 2 else 1)
    launch("products", "sampled_outer", G.dtype, rows.dtype, out.size, out, G, X, rows, columns, k)
    return _among_all(out, pattern)


def _among_all(values: Any, pattern: Any) -> Any:
    """Values of the entries inside a matrix in an array of all stored ones."""
    if pattern.inside is None:
        return values
    out = cp.zeros(pattern.size, values.dtype)
    out[moved(pattern, "inside", pattern.inside)] = values
    return out.reshape(pattern.entries_shape)


def spmm_cotangents(g: Any, data: Any, x: Any, pattern: Any) -> tuple[Any, Any]:
    """Both cotangents of `spmm`."""
    return sampled_outer(g, x, pattern), spmm(data, g, pattern.T).reshape(x.shape)


def spmv_tangent(data_dot: Any, x_dot: Any, data: Any, x: Any, pattern: Any) -> Any:
    """The tangent of `spmm` in both arguments."""
    return spmm(data_dot, x, pattern) + spmm(data, x_dot, pattern)


# ---- sparse times sparse: sums over the triples (A[i,k], B[k,j], C[i,j]) ----------------------


class _Triples:
    """Places in A, B and C of all triples, and the same sorted by each of the three."""

    def __init__(self, structure: Any) -> None:
        (a_ptr, a_ind), (b_ptr, b_ind), (c_ptr, c_ind) = (
            tuple(a.astype(np.int64) for a in arrays)
            for arrays in (structure.A, structure.B, structure.C)
        )
        self.sizes = {"a": a_ind.size, "b": b_ind.size, "c": c_ind.size}
        rows = np.repeat(np.arange(a_ptr.size - 1), np.diff(a_ptr))
        k = a_ind[: a_ptr[-1]]
        counts = np.diff(b_ptr)[k]
        ends = np.cumsum(counts)
        of_a = np.repeat(np.arange(k.size), counts)
        of_b = np.arange(of_a.size) + np.repeat(b_ptr[k] - (ends - counts), counts)
        keys = np.repeat(np.arange(c_ptr.size - 1), np.diff(c_ptr)) * structure.columns
        keys += c_ind[: c_ptr[-1]]
        order = np.argsort(keys, kind="stable")
        wanted = rows[of_a] * structure.columns + b_ind[of_b]
        place = np.minimum(np.searchsorted(keys, wanted, sorter=order), max(keys.size - 1, 0))
        of_c = order[place] if keys.size else place
        inside = keys[of_c] == wanted if keys.size else np.zeros(place.size, bool)
        self.of = {"a": of_a[inside], "b": of_b[inside], "c": of_c[inside]}
        self._sorted: dict[str, Any] = {}

    def by(self, out: str, x: str, y: str) -> tuple[Any, Any, Any]:
        """For each entry of `out`: the places in x and y of the factors of its terms."""
        if out not in self._sorted:
            order = np.argsort(self.of[out], kind="stable")
            begin = begins(np.bincount(self.of[out], minlength=self.sizes[out]))
            self._sorted[out] = (
                begin,
                {name: as_index(self.of[name][order]) for name in self.of if name != out},
            )
        begin, places = self._sorted[out]
        return places[x], places[y], begin


def _sum_of_products(x: Any, y: Any, structure: Any, out: str, of_x: str, of_y: str) -> Any:
    x, y = common(x, y)
    triples = structure.once("on device", lambda: _Triples(structure))
    left, right, begin = triples.by(out, of_x, of_y)
    left, right = as_one_dtype(left, right)
    total = cp.empty(triples.sizes[out], x.dtype)
    launch("products", "segment_products", x.dtype, left.dtype, total.size,
           total, x, y, left, right, begin)  # fmt: skip
    return total


def product(a: Any, b: Any, structure: Any) -> Any:
    """c[i,j] = Σ_k a[i,k] b[k,j] on the pattern of C."""
    return _sum_of_products(a, b, structure, "c", "a", "b")


def product_left(c: Any, b: Any, structure: Any) -> Any:
    """a[i,k] = Σ_j c[i,j] b[k,j] on the pattern of A."""
    return _sum_of_products(c, b, structure, "a", "c", "b")


def product_right(c: Any, a: Any, structure: Any) -> Any:
    """b[k,j] = Σ_i a[i,k] c[i,j] on the pattern of B."""
    return _sum_of_products(c, a, structure, "b", "c", "a")


def product_both(c: Any, a: Any, b: Any, structure: Any) -> tuple[Any, Any]:
    """`product_left` and `product_right`."""
    return product_left(c, b, structure), product_right(c, a, structure)
