"""The structure of sums, products and conversions, found on the device.

Entries are named by one number each, their place in the dense matrix, row by row or column by
column; what follows is sorting of such numbers and searching among them. It is done once for a
structure, waits for the device, and reads single numbers from it. Patterns are csr, csc or coo,
with all their entries inside the matrix, or dia.
"""

from __future__ import annotations

from typing import Any

import cupy as cp
import cupyx.scipy.sparse as cps
import numpy as np

from .structure import coordinates, index_arrays, major_of_each, read, sorting, stored_at

MOST_PLACES = 2**63
MOST_PRODUCTS = 2**28
"""So many products of entries are formed at once."""


def places(pattern: Any, by: str) -> Any:
    """For each entry its place in the dense matrix, row by row; column by column if `by` is csc."""
    rows, columns = coordinates(pattern)
    if by == "csc":
        return columns.astype(np.int64) * pattern.shape[0] + rows
    return rows.astype(np.int64) * pattern.shape[1] + columns


def arrays_of(numbers: Any, shape: tuple[int, int], format: str) -> tuple[Any, Any]:
    """The index arrays of the entries at these places, which rise."""
    major, length = shape[::-1] if format == "csc" else shape
    first = numbers // length if length else numbers
    if format == "coo":
        return first, numbers - first * length
    return cp.searchsorted(numbers, cp.arange(major + 1) * length), numbers - first * length


def has_duplicates(pattern: Any) -> bool:
    """Whether some place is stored more than once."""
    _, numbers = sorting(places(pattern, pattern.format))
    return bool((numbers[1:] == numbers[:-1]).any())


def converted(pattern: Any, format: str) -> tuple[tuple[Any, Any], Any]:
    """The index arrays in another format, and where each entry comes from; None for its place."""
    if format == "coo":
        return tuple(coordinates(pattern)), stored_at(pattern)
    order, numbers = sorting(places(pattern, format))
    return arrays_of(numbers, pattern.shape, format), _stored(pattern, order)


def _stored(pattern: Any, which: Any) -> Any:
    """The places in storage of entries inside the matrix, of all if `which` is None."""
    stored = stored_at(pattern)
    return which if stored is None else stored if which is None else stored[which]


def without_duplicates(pattern: Any) -> tuple[tuple[Any, Any], Any]:
    """The index arrays with each place once, in order, and to which of them each entry goes."""
    order, numbers = sorting(places(pattern, pattern.format))
    first, target = _distinct(numbers)
    if order is not None:
        target = _inverse(order, target)
    return arrays_of(numbers[first], pattern.shape, pattern.format), target


def union(p: Any, q: Any, format: str) -> tuple[tuple[Any, Any], Any, Any]:
    """The index arrays of all entries of either, and which of each is there; -1 where none is."""
    both = [places(p, format), places(q, format)]
    order, numbers = sorting(cp.concatenate(both))
    first, target = _distinct(numbers)
    if order is not None:
        target = _inverse(order, target)
    numbers, cut = numbers[first], both[0].size
    maps = (_source(x, part, numbers.size) for x, part in ((p, target[:cut]), (q, target[cut:])))
    return arrays_of(numbers, p.shape, format), *maps


def intersection(p: Any, q: Any, format: str) -> tuple[tuple[Any, Any], Any, Any]:
    """The index arrays of the entries that both have, and which of each these are."""
    (of_p, left), (of_q, right) = (sorting(places(x, format)) for x in (p, q))
    if not right.size:
        left = right
    place = cp.minimum(cp.searchsorted(right, left), max(right.size - 1, 0))
    common = cp.flatnonzero(right[place] == left)
    place = place[common]
    return (
        arrays_of(left[common], p.shape, format),
        _stored(p, common if of_p is None else of_p[common]),
        _stored(q, place if of_q is None else of_q[place]),
    )


def product(p: Any, q: Any) -> tuple[Any, Any]:
    """The index arrays of A B, sorted, for A and B in csr.

    cuSPARSE multiplies matrices of ones, in blocks of rows, whose buffers fit.
    """
    (m, n), (indptr, indices) = (p.shape[0], q.shape[1]), index_arrays(p)
    cuts = _blocks_of_rows(indptr, indices, index_arrays(q)[0]) if indices.size else [0]
    columns, ends, last = [], [cp.zeros(1, np.int64)], 0
    B = _of_ones(*index_arrays(q), q.shape) if len(cuts) > 1 else None
    for first, end in zip(cuts, cuts[1:]):
        rows, (low, high) = indptr[first : end + 1], read(indptr[first], indptr[end])
        A = _of_ones(rows - rows[0], indices[low:high], (end - first, p.shape[1]))
        C = A @ B
        order, _ = sorting(major_of_each(C.indptr, C.indices.size) * n + C.indices)
        columns.append(C.indices if order is None else C.indices[order])
        ends.append(C.indptr[1:].astype(np.int64) + last)
        last += C.indices.size
    if not columns:
        return cp.zeros(m + 1, np.int64), cp.zeros(0, np.int64)
    return cp.concatenate(ends), cp.concatenate(columns)


def _blocks_of_rows(indptr: Any, indices: Any, of_b: Any) -> list[int]:
    """Where blocks of rows of A begin and end that have not too many products with rows of B."""
    products = cp.cumsum((of_b[1:] - of_b[:-1])[indices], dtype=np.int64)
    before = cp.concatenate([cp.zeros(1, np.int64), products])[indptr]
    blocks = -(-int(before[-1]) // MOST_PRODUCTS)
    if not blocks:
        return [0]
    cuts = cp.searchsorted(before, cp.arange(1, blocks) * MOST_PRODUCTS).get()
    return np.unique([0, *cuts, indptr.size - 1]).tolist()


def _of_ones(indptr: Any, indices: Any, shape: tuple[int, int]) -> Any:
    """A matrix of CuPy's, with index arrays of its own: it may sort them in place."""
    ones = cp.ones(indices.size, np.float32)
    return cps.csr_matrix((ones, indices.copy(), indptr.copy()), shape=shape)


def _distinct(numbers: Any) -> tuple[Any, Any]:
    """Which of rising numbers differ from the one before, and which of those each equals."""
    if not numbers.size:
        return cp.zeros(0, bool), cp.zeros(0, np.int64)
    first = cp.concatenate([cp.ones(1, bool), numbers[1:] != numbers[:-1]])
    return first, cp.cumsum(first) - 1


def _inverse(order: Any, values: Any) -> Any:
    """The array that in this order is `values`."""
    out = cp.empty_like(values)
    out[order] = values
    return out


def _source(pattern: Any, target: Any, size: int) -> Any:
    """For each of so many places, which entry of a pattern goes there; -1 for none."""
    out = cp.full(size, -1, np.int32 if pattern.size < 2**31 else np.int64)
    every = cp.arange(target.size, dtype=out.dtype)
    out[target] = _stored(pattern, every).astype(out.dtype, copy=False)
    return out
