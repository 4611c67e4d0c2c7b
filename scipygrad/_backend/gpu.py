"""Kernels on the GPU, by the names that `cpu` has them under.

Entries and results are CuPy arrays. Structure (patterns, maps) is found on the host, once; what the
kernels read of it is copied to the device when first needed and kept with it. No kernel adds with
atomics: results are the same in every run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp
import cupyx.scipy.sparse as cps
import numpy as np

KERNELS = Path(__file__).parent / "kernels"
THREADS = 256
LONGEST = 64  # terms that one thread adds up
_C_TYPES = {"f": "float", "d": "double", "F": "complex<float>", "D": "complex<double>",
            "i": "int", "l": "long long", "q": "long long"}  # fmt: skip
_VALUES, _INDICES = "fdFD", "iq"


# ---- launching -------------------------------------------------------------------------------


@cache
def _module(stem: str, names: tuple[str, ...]) -> Any:
    """The kernels of a file, for all types of entries and indices."""
    code = "#include <cupy/complex.cuh>\n" + (KERNELS / f"{stem}.cu").read_text(encoding="utf-8")
    expressions = [
        f"{name}<{_C_TYPES[t]}, {_C_TYPES[i]}>" for name in names for t in _VALUES for i in _INDICES
    ]
    return cp.RawModule(code=code, options=("--std=c++17",), name_expressions=expressions)


NAMES = {
    "entrywise": ("gather", "gather_sum", "segment_sum", "differ"),
    "products": ("sampled_outer", "segment_products"),
}


def _launch(stem: str, name: str, value: Any, index: Any, n: int, *args: Any) -> None:
    """Run a kernel with one thread for each of n results."""
    if not n:
        return
    types = f"{_C_TYPES[np.dtype(value).char]}, {_C_TYPES[np.dtype(index).char]}"
    kernel = _module(stem, NAMES[stem]).get_function(f"{name}<{types}>")
    kernel(((n + THREADS - 1) // THREADS,), (THREADS,), (*args, np.int64(n)))


def common(*arrays: Any) -> list[Any]:
    """The arrays in one dtype that the kernels know, and in C order."""
    dtype = np.result_type(*(a.dtype for a in arrays))
    if dtype.char not in _VALUES:
        dtype = np.result_type(dtype, np.float64)
    return [cp.ascontiguousarray(a.astype(dtype, copy=False)) for a in arrays]


# ---- what the device holds of the host's structure -------------------------------------------


def moved(owner: Any, name: str, array: np.ndarray) -> Any:
    """An index array on the device, kept with its owner (which never changes it)."""
    kept = owner.__dict__.setdefault("_on_device", {})
    if name not in kept:
        small = array.size == 0 or (array.dtype.itemsize == 8 and abs(array).max() < 2**31)
        dtype = np.int32 if small or array.dtype.itemsize < 8 else np.int64
        kept[name] = cp.asarray(np.ascontiguousarray(array, dtype=dtype))
    return kept[name]


def index_of(plan: Any) -> Any:
    """The index of a `Gather`, on the device."""
    return moved(plan, "index", plan.index)


class Segments:
    """Which places of a vector are added up to each place of another."""

    def __init__(self, index: np.ndarray, size: int) -> None:
        kept = np.flatnonzero(index >= 0)
        order = kept[np.argsort(index[kept], kind="stable")]
        counts = np.bincount(index[kept], minlength=size)
        self.stages = []
        while True:
            chunks = -(-counts // LONGEST)  # of at most so many terms
            if counts.max(initial=0) <= LONGEST:
                self.stages.append((_as_index(order), _begins(counts)))
                return
            lengths = np.full(int(chunks.sum()), LONGEST)
            last = np.cumsum(chunks)[counts > 0] - 1
            lengths[last] = (counts - LONGEST * (chunks - 1))[counts > 0]
            self.stages.append((_as_index(order), _begins(lengths)))
            order, counts = np.arange(len(lengths)), chunks

    def add(self, x: Any) -> Any:
        """The sums."""
        for order, begin in self.stages:
            out = cp.empty(begin.size - 1, x.dtype)
            _launch(
                "entrywise", "segment_sum", x.dtype, order.dtype, out.size, out, x, order, begin
            )
            x = out
        return x


def _begins(counts: np.ndarray) -> Any:
    begin = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=begin[1:])
    return cp.asarray(begin)


def _as_index(order: np.ndarray) -> Any:
    large = order.size and order.max() >= 2**31
    return cp.asarray(order.astype(np.int64 if large else np.int32))


# ---- entries, one by one ---------------------------------------------------------------------


def gather(x: Any, plan: Any) -> Any:
    """``x[plan.index]`` of a vector, zero where the index is negative."""
    index, (x,) = index_of(plan), common(x)
    out = cp.empty(index.size, x.dtype)
    _launch("entrywise", "gather", x.dtype, index.dtype, out.size, out, x, index)
    return out


def scatter(x: Any, plan: Any) -> Any:
    """``out[plan.index[k]] += x[k]`` of a vector."""
    (x,) = common(x)
    if "_segments" not in plan.__dict__:
        plan._segments = Segments(plan.index, plan.size)
    return plan._segments.add(x)


def gather_sum(a: Any, b: Any, left: Any, right: Any, sign: int) -> Any:
    """``a[left] + sign * b[right]`` for vectors, zero where an index is negative."""
    a, b = common(a, b)
    left, right = index_of(left), index_of(right)
    dtype = np.result_type(left.dtype, right.dtype)
    left, right = left.astype(dtype, copy=False), right.astype(dtype, copy=False)
    out = cp.empty(left.size, a.dtype)
    _launch("entrywise", "gather_sum", a.dtype, dtype, out.size, out, a, b, left, right,
            np.int32(sign))  # fmt: skip
    return out


def equal_indices(pairs: Any) -> bool:
    """Whether the arrays of each pair have equal elements; the one number read is the answer."""
    found = cp.zeros(1, np.int32)
    for a, b in pairs:
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        a, b = (cp.ascontiguousarray(x) for x in (a, b))
        _launch("entrywise", "differ", np.float64, a.dtype, a.size, found, a, b)
    return not int(found[0])


# ---- products --------------------------------------------------------------------------------


def matrix(pattern: Any, data: Any) -> Any:
    """A cupyx csr or csc matrix with these entries, for reading only."""
    indptr, indices = (
        moved(pattern, name, a) for name, a in zip(("indptr", "indices"), pattern.arrays)
    )
    cls = cps.csr_matrix if pattern.format == "csr" else cps.csc_matrix
    return cls((data, indices, indptr), shape=pattern.shape)


def spmm(data: Any, x: Any, pattern: Any) -> Any:
    """A x for a vector or a block of columns x; A in csr or csc."""
    data, x = common(data, x)
    return matrix(pattern, data) @ x


def sampled_outer(G: Any, X: Any, pattern: Any) -> Any:
    """The entries of G Xᵀ on a pattern, for two vectors or two blocks of columns."""
    G, X = common(G, X)
    rows, columns = (
        moved(pattern, name, a) for name, a in zip(("rows", "columns"), pattern.coords)
    )
    dtype = np.result_type(rows.dtype, columns.dtype)
    rows, columns = rows.astype(dtype, copy=False), columns.astype(dtype, copy=False)
    out = cp.empty(rows.size, G.dtype)
    k = np.int64(G.shape[1] if G.ndim == 2 else 1)
    _launch("products", "sampled_outer", G.dtype, dtype, out.size, out, G, X, rows, columns, k)
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
            begin = _begins(np.bincount(self.of[out], minlength=self.sizes[out]))
            self._sorted[out] = (
                begin,
                {name: _as_index(self.of[name][order]) for name in self.of if name != out},
            )
        begin, places = self._sorted[out]
        return places[x], places[y], begin


def _sum_of_products(x: Any, y: Any, structure: Any, out: str, of_x: str, of_y: str) -> Any:
    x, y = common(x, y)
    triples = structure.once("on device", lambda: _Triples(structure))
    left, right, begin = triples.by(out, of_x, of_y)
    dtype = np.result_type(left.dtype, right.dtype)
    left, right = left.astype(dtype, copy=False), right.astype(dtype, copy=False)
    total = cp.empty(triples.sizes[out], x.dtype)
    _launch("products", "segment_products", x.dtype, dtype, total.size, total, x, y, left, right,
            begin)  # fmt: skip
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
