"""Kernels of products with sparse matrices and of their derivatives.

Indices are unsigned in here. An operand that is None is not wanted: Numba compiles a kernel for
each combination, without the branches. Ranges of rows: `threads`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .jit import common, kernel, kernel_over_columns, unsigned
from .threads import independent, run, scattering

# ---- y = A x: both cotangents -----------------------------------------------------------------


def spmm_cotangents(g, data, x, pattern):
    """The entries of ``g xᵀ`` on the pattern, and ``Aᵀ g``; vectors or blocks of columns."""
    g, data, x = common(g, data, x)
    return _outer_and_product(g, data, x, pattern)


def sampled_outer(G, X, pattern):
    """Entries of ``G Xᵀ`` on a pattern; G and X are vectors or blocks of columns."""
    G, X = common(G, X)
    return _outer_and_product(G, None, X, pattern)[0]


def add_outer(total, g, data, x, pattern):
    """Adds the entries of ``g xᵀ`` to those in `total`, in place; returns ``Aᵀ g``; csr or csc."""
    g, data, x = common(g, data, x)
    return _outer_and_product(g, data, x, pattern, total)[1]


def _outer_and_product(g, data, x, pattern, total=None):
    given = x
    if x.ndim == 2 and x.shape[1] == 1:
        g, x = g[:, 0], x[:, 0]
    entries_bar = np.empty(pattern.entries_shape, x.dtype) if total is None else total
    if pattern.format == "coo":
        x_bar = None if data is None else np.zeros_like(x)
        g2, x2 = (v if v.ndim == 2 else v[:, None] for v in (g, x))
        _coordinates(
            entries_bar, None if data is None else x_bar.reshape(x2.shape), data, g2, x2,
            *unsigned(*pattern.arrays),
        )  # fmt: skip
        return entries_bar, _shaped_as(given, x_bar)
    indptr, indices = pattern.arrays
    if total is None:
        entries_bar[indptr[-1] :] = 0  # arrays longer than indptr says
    by_rows = pattern.format == "csr"
    if data is not None and by_rows:
        phases = pattern.plan("scattering", lambda: scattering(indptr, indices))
    else:
        phases = pattern.plan("independent", lambda: independent(indptr))
    x_bar = None if data is None else np.zeros_like(x) if by_rows else np.empty_like(x)
    run(
        _compressed_vector if x.ndim == 1 else _compressed_block, phases,
        entries_bar, *((None, x_bar, data, g, x) if by_rows else (x_bar, None, data, x, g)),
        *unsigned(indptr, indices), None if total is None else True,
    )  # fmt: skip
    return entries_bar, _shaped_as(given, x_bar)


def _shaped_as(x, x_bar):
    """In the shape of x; not a view without need, so that it can be handed on without a copy."""
    return x_bar if x_bar is None or x_bar.shape == x.shape else x_bar.reshape(x.shape)


@kernel
def _compressed_vector(
    first, last, entries_bar, major_bar, minor_bar, data, major, minor, indptr, indices, add
):
    for i in range(first, last):
        v = major[i]
        s = entries_bar.dtype.type(0)
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            if add is None:
                entries_bar[k] = v * minor[j]
            else:
                entries_bar[k] += v * minor[j]
            if major_bar is not None:
                s += data[k] * minor[j]
            if minor_bar is not None:
                minor_bar[j] += data[k] * v
        if major_bar is not None:
            major_bar[i] = s


@kernel_over_columns
def _compressed_block(
    first, last, entries_bar, major_bar, minor_bar, data, major, minor, indptr, indices, add
):
    columns = major.shape[1]
    for i in range(first, last):
        v = major[i]
        if major_bar is not None:
            major_bar[i] = 0
        for k in range(indptr[i], indptr[i + 1]):
            w = minor[indices[k]]
            s = entries_bar.dtype.type(0)
            for c in range(columns):
                s += v[c] * w[c]
            if add is None:
                entries_bar[k] = s
            else:
                entries_bar[k] += s
            if major_bar is not None:
                out = major_bar[i]
                for c in range(columns):
                    out[c] += data[k] * w[c]
            if minor_bar is not None:
                out = minor_bar[indices[k]]
                for c in range(columns):
                    out[c] += data[k] * v[c]


@kernel_over_columns
def _coordinates(entries_bar, x_bar, data, g, x, rows, cols):
    for k in range(rows.size):
        i, j = rows[k], cols[k]
        s = entries_bar.dtype.type(0)
        for c in range(x.shape[1]):
            s += g[i, c] * x[j, c]
        entries_bar[k] = s
        if x_bar is not None:
            for c in range(x.shape[1]):
                x_bar[j, c] += data[k] * g[i, c]


# ---- y = A x: the tangent ---------------------------------------------------------------------


def spmv_tangent(data_dot, x_dot, data, x, pattern):
    """``Ȧ x + A ẋ`` of a vector, A in csr."""
    data_dot, x_dot, data, x = common(data_dot, x_dot, data, x)
    out = np.empty(pattern.shape[0], x.dtype)
    indptr, indices = pattern.arrays
    phases = pattern.plan("independent", lambda: independent(indptr))
    run(_spmv_tangent, phases, out, data_dot, x_dot, data, x, *unsigned(indptr, indices))
    return out


@kernel
def _spmv_tangent(first, last, out, data_dot, x_dot, data, x, indptr, indices):
    for i in range(first, last):
        s = out.dtype.type(0)
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            s += data_dot[k] * x[j] + data[k] * x_dot[j]
        out[i] = s


# ---- C = A B on fixed patterns ----------------------------------------------------------------
# All three patterns are in CSR. The triples (A[i,k], B[k,j], C[i,j]) are visited row by row. Where
# in row i of C column j is stored is written down for each triple (`slots`, the largest number of
# its type: nowhere, the entry of A B is left out), unless that takes more memory than the numbers
# of A, B and C; then it is found again for each row (`place`).


def product(a, b, structure):
    """c[i,j] = Σ_k a[i,k] b[k,j] on the pattern of C."""
    a, b = common(a, b)
    c = _unset(structure.C, a.dtype)
    A, B, C = _index_arrays(structure)
    begin, slots = _slots_of(structure)
    phases = structure.once("independent", lambda: independent(structure.A[0]))
    if slots is None:
        run(_product_by_place, phases, c, a, b, *A, *B, *C, structure.columns)
    else:
        run(_product_by_slots, phases, c, a, b, *A, B[0], C[0], begin, slots)
    return c


def product_left(c, b, structure):
    """a[i,k] = Σ_j c[i,j] b[k,j] on the pattern of A."""
    c, b = common(c, b)
    left = _unset(structure.A, c.dtype)
    _cotangents(left, None, c, None, b, structure)
    return left


def product_right(c, a, structure):
    """b[k,j] = Σ_i a[i,k] c[i,j] on the pattern of B."""
    c, a = common(c, a)
    right = np.zeros(structure.B[1].size, c.dtype)
    _cotangents(None, right, c, a, None, structure)
    return right


def product_both(c, a, b, structure):
    """`product_left` and `product_right` in one sweep."""
    c, a, b = common(c, a, b)
    left = _unset(structure.A, c.dtype)
    right = np.zeros(structure.B[1].size, c.dtype)
    _cotangents(left, right, c, a, b, structure)
    return left, right


def _unset(arrays, dtype):
    out = np.empty(arrays[1].size, dtype)
    out[arrays[0][-1] :] = 0  # arrays longer than indptr says
    return out


def _cotangents(left, right, c, a, b, structure):
    A, B, C = _index_arrays(structure)
    begin, slots = _slots_of(structure)
    if right is None:
        phases = structure.once("independent", lambda: independent(structure.A[0]))
    else:
        phases = structure.once("scattering", lambda: scattering(*structure.A))
    if slots is None:
        run(_cotangents_by_place, phases, left, right, c, a, b, *A, *B, *C, structure.columns)
    else:
        run(_cotangents_by_slots, phases, left, right, c, a, b, *A, B[0], C[0], begin, slots)


def _index_arrays(structure):
    return structure.once(
        "indices", lambda: tuple(unsigned(*x) for x in (structure.A, structure.B, structure.C))
    )


def _slots_of(structure) -> Any:
    return structure.once("slots", lambda: _make_slots(structure))


def _make_slots(structure):
    A, B, C = _index_arrays(structure)
    begin = np.empty(A[0].size, np.uint64)
    longest, triples = _count(begin, *A, B[0], C[0])
    dtype = next(t for t in (np.uint8, np.uint16, np.uint32) if longest < np.iinfo(t).max)
    if triples * np.dtype(dtype).itemsize > 8 * (A[1].size + B[1].size + C[1].size):
        return begin, None
    slots = np.empty(triples, dtype)
    phases = structure.once("independent", lambda: independent(structure.A[0]))
    run(_fill_slots, phases, slots, begin, *A, *B, *C, structure.columns)
    return begin, slots


@kernel
def _count(begin, a_ptr, a_ind, b_ptr, c_ptr):
    longest, triples = np.uint64(0), np.uint64(0)
    for i in range(a_ptr.size - 1):
        begin[i] = triples
        longest = max(longest, np.uint64(c_ptr[i + 1] - c_ptr[i]))
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            triples += np.uint64(b_ptr[k + 1] - b_ptr[k])
    begin[-1] = triples
    return longest, triples


@kernel
def _fill_slots(
    first, last, slots, begin, a_ptr, a_ind, b_ptr, b_ind, c_ptr, c_ind, columns
):  # fmt: skip
    nowhere = slots.dtype.type(-1)
    place = np.full(columns, nowhere, slots.dtype)
    for i in range(first, last):
        t = begin[i]
        for p in range(c_ptr[i], c_ptr[i + 1]):
            place[c_ind[p]] = p - c_ptr[i]
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            for r in range(b_ptr[k], b_ptr[k + 1]):
                slots[t] = place[b_ind[r]]
                t += np.uint64(1)
        for p in range(c_ptr[i], c_ptr[i + 1]):
            place[c_ind[p]] = nowhere


@kernel
def _product_by_slots(first, last, c, a, b, a_ptr, a_ind, b_ptr, c_ptr, begin, slots):
    nowhere = slots.dtype.type(-1)
    for i in range(first, last):
        t = begin[i]
        row = c_ptr[i]
        for p in range(row, c_ptr[i + 1]):
            c[p] = 0
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            v = a[q]
            for r in range(b_ptr[k], b_ptr[k + 1]):
                slot = slots[t]
                t += np.uint64(1)
                if slot != nowhere:
                    c[row + slot] += v * b[r]


@kernel
def _cotangents_by_slots(
    first, last, left, right, c, a, b, a_ptr, a_ind, b_ptr, c_ptr, begin, slots
):
    nowhere = slots.dtype.type(-1)
    for i in range(first, last):
        t = begin[i]
        row = c_ptr[i]
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            s = c.dtype.type(0)
            for r in range(b_ptr[k], b_ptr[k + 1]):
                slot = slots[t]
                t += np.uint64(1)
                if slot != nowhere:
                    w = c[row + slot]
                    if left is not None:
                        s += w * b[r]
                    if right is not None:
                        right[r] += a[q] * w
            if left is not None:
                left[q] = s


@kernel
def _product_by_place(
    first, last, c, a, b, a_ptr, a_ind, b_ptr, b_ind, c_ptr, c_ind, columns
):  # fmt: skip
    place = np.full(columns, -1, np.int64)
    for i in range(first, last):
        for p in range(c_ptr[i], c_ptr[i + 1]):
            c[p] = 0
            place[c_ind[p]] = p
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            v = a[q]
            for r in range(b_ptr[k], b_ptr[k + 1]):
                p = place[b_ind[r]]
                if p >= 0:
                    c[np.uint64(p)] += v * b[r]
        for p in range(c_ptr[i], c_ptr[i + 1]):
            place[c_ind[p]] = -1


@kernel
def _cotangents_by_place(
    first, last, left, right, c, a, b, a_ptr, a_ind, b_ptr, b_ind, c_ptr, c_ind, columns
):
    row = np.zeros(columns, c.dtype)
    for i in range(first, last):
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = c[p]
        for q in range(a_ptr[i], a_ptr[i + 1]):
            k = a_ind[q]
            s = c.dtype.type(0)
            for r in range(b_ptr[k], b_ptr[k + 1]):
                w = row[b_ind[r]]
                if left is not None:
                    s += w * b[r]
                if right is not None:
                    right[r] += a[q] * w
            if left is not None:
                left[q] = s
        for p in range(c_ptr[i], c_ptr[i + 1]):
            row[c_ind[p]] = 0
