"""Products with sparse matrices, and their derivatives.

Bytes that go through memory for each entry of a 5-point matrix (float64, 32-bit indices; a vector
and an array of row starts cost 8/5 and 4/5), which is what these kernels take their time for:

- y = A x reads an entry and its index: 12, and with vectors 16. CuPy's forward is the same.
- Ā = g[i] x[j] goes along the rows: index and result, 12. x̄ = Aᵀ g goes along the columns: row
  index, place of the entry, entry, 16. In one launch, row s and column s by the same threads: 34
  with the vectors; 30 if the structure is symmetric, as of most discretised equations, since then
  row s and column s have the same indices, which are read once. Value and gradients are 46 to 50,
  2.9 to 3.1 times the forward. All reads but `data[places[p]]` and the vectors' are of
  neighbouring numbers, and for banded matrices these are, too, in the cache.
- One sweep over the columns for both would read index, place and entry and write Ā to scattered
  places: 24, but each of those writes is a part of a sector of 32 bytes. On a matrix without order
  that is 64 bytes more for an entry, read and written, where two loops write 8.
- On such a matrix x̄ reads a sector for each entry: value with gradients is 12 + 52 bytes, five
  times the forward. Only atomics would avoid it; then results would differ from run to run.

cuSPARSE does not promise that they do not. CuPy's operator, besides, reads numbers from the device:
the constructor the ends of `indptr`, the product whether the indices are sorted; if not, it sorts.
These kernels take indices in any order.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import cupy as cp
import cupyx.scipy.sparse as cps
import numpy as np

from ..._core.pattern import noted
from .compressed import Lines, columns, lanes_for, lines, pieces_of, rows
from .launch import NULL, common, launch, refuse_other_devices
from .structure import coordinates, index_arrays, kept, moved, settled

# ---- y = A x ----------------------------------------------------------------------------------


def matrix(pattern: Any, data: Any) -> Any:
    """A cupyx csr or csc matrix with these entries, for reading only."""
    refuse_other_devices((data,))  # cuSPARSE does not
    indptr, indices = index_arrays(pattern)
    cls = cps.csr_matrix if pattern.format == "csr" else cps.csc_matrix
    return cls((data, indices, indptr), shape=pattern.shape)


def spmm(data: Any, x: Any, pattern: Any) -> Any:
    """A x for a vector or a block of columns x."""
    data, x = common(data, x)
    return _sum(rows(pattern), data, x)


def spmv_tangent(data_dot: Any, x_dot: Any, data: Any, x: Any, pattern: Any) -> Any:
    """The tangent of `spmm` in both arguments: Ȧ x + A ẋ, indices read once."""
    data_dot, x_dot, data, x = common(data_dot, x_dot, data, x)
    return _sum(rows(pattern), data_dot, x, data, x_dot)


def _sum(along: Lines, data: Any, x: Any, data2: Any = NULL, x2: Any = NULL) -> Any:
    """The sums over lines of data times x, and data2 times x2."""
    if along.pieces is not None:
        pieces, of_lines = along.pieces
        partial = _sum_in_lines(pieces, pieces.indices, data, x, data2, x2)
        return _sum_in_lines(of_lines, NULL, NULL, partial, NULL, NULL)
    return _sum_in_lines(along, along.indices, data, x, data2, x2)


def _sum_in_lines(along: Lines, indices: Any, data: Any, x: Any, data2: Any, x2: Any) -> Any:
    y = cp.empty((along.count, *x.shape[1:]), x.dtype)
    places = NULL if along.places is None else along.places
    if x.ndim == 1 or x.shape[1] == 1:
        launch("products", "sum_lines", x.dtype, along.dtype, along.count, y, data, x, data2, x2,
               along.begin, indices, places, lanes=along.lanes)  # fmt: skip
        return y
    if data2 is not NULL:
        return _sum_in_lines(along, indices, data, x, NULL, NULL) + _sum_in_lines(
            along, indices, data2, x2, NULL, NULL
        )
    launch("products", "sum_lines_of_block", x.dtype, along.dtype, y.size, y, data, x,
           along.begin, indices, places, np.int64(x.shape[1]))  # fmt: skip
    return y


# ---- its cotangents ---------------------------------------------------------------------------


def spmm_cotangents(g: Any, data: Any, x: Any, pattern: Any) -> tuple[Any, Any]:
    """Both cotangents of `spmm`: g xᵀ on the pattern, and Aᵀ g."""
    g, data, x = common(g, data, x)
    down = columns(pattern)
    vector = x.ndim == 1 or x.shape[1] == 1
    if not (vector and pattern.format in ("csr", "csc")) or lines(pattern).pieces or down.pieces:
        return sampled_outer(g, x, pattern), _sum(down, data, g)
    x_bar = cp.empty(x.shape, x.dtype)
    return _both(g, x, pattern, x_bar, data, down), x_bar


def sampled_outer(G: Any, X: Any, pattern: Any) -> Any:
    """The entries of G Xᵀ on a pattern, for two vectors or two blocks of columns."""
    G, X = common(G, X)
    k = G.shape[1] if G.ndim == 2 else 1
    if k == 1 and pattern.format in ("csr", "csc") and not lines(pattern).pieces:
        return _both(G, X, pattern)
    row, column = coordinates(pattern)
    out = cp.empty(row.size, G.dtype)
    launch("products", "sampled_outer", G.dtype, row.dtype, out.size, out, G, X, row, column,
           np.int64(k), lanes=lanes_for(k))  # fmt: skip
    return _among_all(out, pattern)


def _among_all(values: Any, pattern: Any) -> Any:
    """Values of the entries inside a matrix in an array of all stored ones."""
    if pattern.inside is None:
        return values
    out = cp.zeros(pattern.size, values.dtype)
    out[moved(pattern, "inside", pattern.inside)] = values
    return out.reshape(pattern.entries_shape)


def _both(g: Any, x: Any, pattern: Any, x_bar: Any = NULL, data: Any = NULL, down: Any = None):
    """The entries of g xᵀ on a csr or csc pattern; with `down`, its columns, also Aᵀ g in x_bar."""
    own = lines(pattern)
    along, across = (g, x) if pattern.format == "csr" else (x, g)
    crossing, count, lanes = (NULL, NULL, NULL), 0, own.lanes
    if down is not None:
        crossing = down.begin, down.indices, NULL if down.places is None else down.places
        count, lanes = down.count, max(own.lanes, down.lanes)
    entries_bar = _for_entries(own, g.dtype)
    launch("products", "both_cotangents", g.dtype, own.dtype, max(own.count, count),
           entries_bar, x_bar, along, across, g, data, own.begin, own.indices, *crossing,
           np.int64(own.count), np.int64(count), lanes=lanes)  # fmt: skip
    return entries_bar


def _for_entries(own: Lines, dtype: Any) -> Any:
    """An array for the entries of these lines, which are all that is written to."""
    return (cp.empty if own.size == own.stored else cp.zeros)(own.stored, dtype)


# ---- sparse times sparse ----------------------------------------------------------------------
# Sums over the triples (A[i,k], B[k,j], C[i,j]) on three patterns in csr. What structure says is
# written down once, if it is not large: for an entry of C, the pairs of entries of A and B that it
# sums up (8 bytes for a triple); for a triple, in the order of A, the place in C (4 bytes), which
# serves both cotangents. The product of two 5-point matrices has 25 triples in a row, 0.3 KB, where
# A, B and C have as much; a value with gradients reads about 1.2 KB for a row. Else it is found
# again in each run: C by the common numbers of a row of A and a column of B, both sorted; the
# cotangents by a search in a sorted row of C. Of equal indices in C, the last stands for all.

MOST = 2
"""Bytes of a list for each byte of A, B and C, and a quarter of the free memory: no more."""


class _Pairs(NamedTuple):
    """Lists of places in A and B, where the segment of each entry of C begins, and how to sum."""

    of_a: Any
    of_b: Any
    begin: Any
    lanes: int
    pieces: tuple[Any, Lines] | None


class _Triples:
    """What is known of a product's structure on one device."""

    def __init__(self, A: Any, B: Any, C: Any) -> None:
        self.A, self.B, self.C = own = [lines(p) for p in (A, B, C)]
        self.bytes = sum(x.stored * (8 + x.dtype.itemsize) for x in own)
        self.dtype = np.result_type(*(x.dtype for x in own))
        # as the kernels take them: begin, indices, places, line of each
        self.a, self.b, self.c = map(self._arrays, own)
        self.sorted_a, self.sorted_c = self._arrays(self.A.sorted), self._arrays(self.C.sorted)

    def _arrays(self, x: Lines) -> tuple[Any, Any, Any, Any]:
        places = NULL if x.places is None else x.places.astype(self.dtype, copy=False)
        begin, indices, of_each = (
            a.astype(self.dtype, copy=False) for a in (x.begin, x.indices, x.of_each)
        )
        return begin, indices, places, of_each

    @cached_property
    def columns_of_a(self) -> tuple[Any, Any, Any, Any]:
        """The columns of A."""
        return settled(self._arrays(self.A.transposed))

    @cached_property
    def columns_of_b(self) -> tuple[Any, Any, Any, Any]:
        """The columns of B."""
        return settled(self._arrays(self.B.transposed))

    @property
    def lanes_of_masked(self) -> int:
        """How many threads share an entry of C that is looked up: many only for long rows."""
        shorter = min(x.size / max(x.count, 1) for x in (self.A, self.B.transposed))
        return 32 if shorter > 96 else 1

    def _fits(self, triples: int, lists: int) -> bool:
        """Whether so many lists of all triples may be kept."""
        needed = triples * lists * self.dtype.itemsize
        return needed <= MOST * self.bytes and needed <= _free_bytes() // 4

    @cached_property
    def pairs(self) -> _Pairs | None:
        """For each entry of C: the places in A and B of its terms' factors. None: too many."""
        arrays = *self.sorted_a[:3], *self.columns_of_b[:3], *self.sorted_c
        counts = cp.zeros(self.C.stored, np.int64)
        self._launch("pairs_of_product", self.C.size, counts, NULL, NULL, NULL, *arrays)
        begin = _begins(counts)
        triples = int(begin[-1])
        if not self._fits(triples, 2):
            return None
        of_a, of_b = cp.empty(triples, self.dtype), cp.empty(triples, self.dtype)
        self._launch("pairs_of_product", self.C.size, counts, of_a, of_b, begin, *arrays)
        lanes = lanes_for(triples / max(self.C.size, 1))
        pairs = settled(_Pairs(of_a, of_b, begin, lanes, pieces_of(begin)))
        noted(pairs)
        return pairs

    @cached_property
    def slots(self) -> tuple[Any, Any]:
        """For each entry of A: the places in C of its products with a row of B, and where these
        begin. Null pointers: they are too many."""
        lengths = cp.diff(self.b[0])[self.a[1][: self.A.size]]
        begin = _begins(lengths)
        triples = int(begin[-1])
        if not self._fits(triples, 1):
            return NULL, NULL
        slots = cp.empty(triples, self.dtype)
        self._launch("find_slots", self.A.size, slots, begin, self.a[3], self.a[1], *self.b[:2],
                     *self.sorted_c[:3], lanes=self.B.lanes)  # fmt: skip
        noted((slots, begin))
        return settled((slots, begin))

    def _launch(self, name: str, n: int, *args: Any, lanes: int = 0) -> None:
        launch("products", name, np.float64, self.dtype, n, *args, lanes=lanes)


def _begins(counts: Any) -> Any:
    """Where segments of these lengths begin, and the end, in 64 bits."""
    return cp.concatenate([cp.zeros(1, np.int64), cp.cumsum(counts, dtype=np.int64)])


def _free_bytes() -> int:
    """Memory of the device that nobody uses."""
    return cp.cuda.Device().mem_info[0] + cp.get_default_memory_pool().free_bytes()


def _triples(structure: Any) -> _Triples:
    return kept(structure, "triples", lambda: _Triples(*structure.patterns))


def product(a: Any, b: Any, structure: Any) -> Any:
    """c[i,j] = Σ_k a[i,k] b[k,j] on the pattern of C."""
    a, b = common(a, b)
    known = _triples(structure)
    pairs = known.pairs
    if pairs is None:
        c = _for_entries(known.C, a.dtype)
        launch("products", "masked_product", a.dtype, known.dtype, known.C.size, c, a, b,
               *known.sorted_a[:3], *known.columns_of_b[:3], *known.sorted_c,
               lanes=known.lanes_of_masked)  # fmt: skip
        return c
    begin = pairs.begin if pairs.pieces is None else pairs.pieces[0]
    c = cp.empty(begin.size - 1, a.dtype)
    launch("products", "segment_products", a.dtype, known.dtype, c.size, c, a, b,
           pairs.of_a, pairs.of_b, begin, lanes=pairs.lanes)  # fmt: skip
    return c if pairs.pieces is None else _sum_in_lines(pairs.pieces[1], NULL, NULL, c, NULL, NULL)


def product_left(c: Any, b: Any, structure: Any) -> Any:
    """a[i,k] = Σ_j c[i,j] b[k,j] on the pattern of A."""
    c, b = common(c, b)
    known = _triples(structure)
    a = _for_entries(known.A, c.dtype)
    launch("products", "product_left", c.dtype, known.dtype, known.A.size, a, c, b,
           *known.slots, known.a[3], known.a[1], *known.b[:2], *known.sorted_c[:3],
           lanes=known.B.lanes)  # fmt: skip
    return a


def product_right(c: Any, a: Any, structure: Any) -> Any:
    """b[k,j] = Σ_i a[i,k] c[i,j] on the pattern of B."""
    c, a = common(c, a)
    known = _triples(structure)
    b = _for_entries(known.B, c.dtype)
    begin, indices, _, line = known.b
    launch("products", "product_right", c.dtype, known.dtype, known.B.size, b, c, a,
           *known.slots, *known.columns_of_a[:3], line, begin, indices, *known.sorted_c[:3],
           lanes=known.A.transposed.lanes)  # fmt: skip
    return b


def product_both(c: Any, a: Any, b: Any, structure: Any) -> tuple[Any, Any]:
    """`product_left` and `product_right`: one launch each, since they sum over different lines."""
    return product_left(c, b, structure), product_right(c, a, structure)
