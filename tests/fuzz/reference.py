"""What the operations are on dense arrays, in autograd.numpy: the reference for derivatives.

No sparse matrix and nothing of scipygrad's occurs here. Every function is made of a few of
autograd's own rules (indexing, multiplication, dot, concatenate, solve).
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import numpy as onp
from autograd.tracer import getval, isbox

s_ = onp.s_


def fit(x: Any, shape: tuple[int, ...], dtype: onp.dtype) -> Any:
    """`x` in the shape that SciPy's result has (`*_matrix` keeps two dimensions), and complex if
    that is."""
    x = x * (1 + 0j) if dtype.kind == "c" and not np.iscomplexobj(x) else x
    return x if np.shape(x) == shape else np.reshape(x, shape)


def place(entries: Any, selection: onp.ndarray, shape: tuple[int, ...]) -> Any:
    """The dense matrix with these entries; `selection` has a column for each of them."""
    return np.reshape(np.dot(selection, np.reshape(entries, -1)), shape)


def concatenate(parts: Any, axis: int = 0) -> Any:
    """autograd's, which would hand a complex cotangent to a real part."""
    dtype = np.result_type(*map(np.result_type, parts))
    return np.concatenate(
        [p if np.result_type(p) == dtype else p * onp.ones((), dtype) for p in parts], axis
    )


def put(A: Any, index: Any, v: Any) -> Any:
    """`A` after ``A[index] = v``."""
    places = onp.arange(onp.prod(A.shape, dtype=int)).reshape(A.shape)[index]
    v = v if np.shape(v) == places.shape else _broadcast(v, places.shape)
    pool = concatenate([np.reshape(A, -1), np.reshape(v, -1)])
    source = onp.arange(onp.prod(A.shape, dtype=int))
    source[places.ravel()] = len(source) + onp.arange(places.size)
    return np.reshape(pool[source], A.shape)


def _broadcast(v: Any, shape: tuple[int, ...]) -> Any:
    if onp.prod(np.shape(v), dtype=int) == onp.prod(shape, dtype=int):
        return np.reshape(v, shape)
    return v * onp.ones(shape)


def setdiag(A: Any, v: Any, k: int = 0) -> Any:
    """`A` after ``A.setdiag(v, k)``: as much of the diagonal as there are values."""
    m, n = A.shape
    i = onp.arange(max(0, min(m, n - k) if k >= 0 else min(m + k, n)))
    if np.ndim(v):
        i = i[: len(v)]
        v = v[: len(i)]
    return put(A, (i - min(k, 0), i + max(k, 0)), v)


def kron(A: Any, B: Any) -> Any:
    """The Kronecker product."""
    (m, n), (p, q) = A.shape, B.shape
    return np.reshape(A[:, None, :, None] * B[None, :, None, :], (m * p, n * q))


def kronsum(A: Any, B: Any) -> Any:
    """The Kronecker sum."""
    return kron(onp.eye(len(B)), A) + kron(B, onp.eye(len(A)))


def block(rows: Any) -> Any:
    """A matrix of blocks, of which None is zero; vectors are rows."""
    rows = [[b if b is None or np.ndim(b) == 2 else np.reshape(b, (1, -1)) for b in r]
            for r in rows]  # fmt: skip
    heights = [next(len(b) for b in row if b is not None) for row in rows]
    widths = [next(r[j].shape[1] for r in rows if r[j] is not None) for j in range(len(rows[0]))]
    return concatenate([
        concatenate([onp.zeros((h, w)) if b is None else b for b, w in zip(row, widths)], 1)
        for row, h in zip(rows, heights)
    ])  # fmt: skip


def block_diag(*blocks: Any) -> Any:
    """Blocks along the diagonal."""
    k = range(len(blocks))
    return block([[blocks[i] if i == j else _zeros(blocks[i], blocks[j]) for j in k] for i in k])


def _zeros(A: Any, B: Any) -> Any:
    return onp.zeros((np.atleast_2d(A).shape[0], np.atleast_2d(B).shape[1]))


def hstack(*blocks: Any) -> Any:
    """Blocks side by side."""
    if np.ndim(blocks[0]) == 1:
        return concatenate(blocks)
    return concatenate(blocks, axis=1)


def tril(A: Any, k: int = 0) -> Any:
    """The lower triangle."""
    return A * onp.tril(onp.ones(A.shape), k)


def triu(A: Any, k: int = 0) -> Any:
    """The upper triangle."""
    return A * onp.triu(onp.ones(A.shape), k)


def diagonal(A: Any, k: int = 0) -> Any:
    """The k-th diagonal."""
    i = onp.arange(len(onp.zeros(A.shape).diagonal(k)))
    return A[i - min(k, 0), i + max(k, 0)]


def diags(diagonals: Any, offsets: Any, shape: tuple[int, int]) -> Any:
    """The matrix with these diagonals, a number standing for a constant diagonal."""
    total: Any = onp.zeros(shape)
    for d, k in zip(diagonals, offsets):
        empty = onp.zeros(shape)
        total = total + setdiag(empty, d if np.ndim(d) == 0 or len(d) > 1 else d[0], k)
    return total


def spdiags(data: Any, offsets: Any, shape: tuple[int, int]) -> Any:
    """The matrix whose element (i, j) on the diagonal of row r of `data` is ``data[r, j]``."""
    total: Any = onp.zeros(shape)
    for r, k in enumerate(offsets):
        i = onp.arange(len(onp.zeros(shape).diagonal(k)))
        j = i + max(k, 0)
        i, j = i[j < data.shape[1]] - min(k, 0), j[j < data.shape[1]]
        total = total + put(onp.zeros(shape), (i, j), data[r, j])
    return total


def power(A: Any, n: int) -> Any:
    """A @ A @ ... @ A."""
    P: Any = onp.eye(len(A))
    for _ in range(n):
        P = np.dot(P, A)
    return P


def unit_triangle(A: Any, lower: bool) -> Any:
    """A triangle with ones on the diagonal."""
    return (tril(A, -1) if lower else triu(A, 1)) + onp.eye(len(A))


def resize(A: Any, shape: tuple[int, int]) -> Any:
    """What is inside the new shape, and zeros."""
    m, n = min(A.shape[0], shape[0]), min(A.shape[1], shape[1])
    return put(onp.zeros(shape), (slice(m), slice(n)), A[:m, :n])


def at_nonzero(f: Any, A: Any) -> Any:
    """`f` of what is not zero, as SciPy applies it to stored entries only."""
    value = A
    while isbox(value):
        value = getval(value)
    where = onp.nonzero(value)
    return put(onp.zeros(A.shape), where, f(A[where]))


def coordinates(x: Any, shape: tuple[int, int], at: Any) -> Any:
    """The matrix with entries `x` at these places; duplicates add up."""
    total: Any = onp.zeros(shape)
    for k, (i, j) in enumerate(zip(*at)):
        total = total + put(onp.zeros(shape), (onp.array([i]), onp.array([j])), x[k : k + 1])
    return total


def compressed(x: Any, format: str) -> Any:
    """The matrix with indices [2, 0, 1, 1] and indptr [0, 1, 2, 2, 4]: with a duplicate."""
    rows, columns = [0, 1, 3, 3], [2, 0, 1, 1]
    if format == "csr":
        return coordinates(x, (4, 3), (rows, columns))
    return coordinates(x, (3, 4), (columns, rows))


def assemble(x: Any, s: Any) -> Any:
    """What the operation "assemble" makes."""
    A: Any = onp.zeros((3, 4))
    for i in range(3):
        A = put(A, onp.s_[i, i], A[i, i] + x[i])
        A = put(A, onp.s_[i, i + 1], x[i] * s)
    A = put(A, onp.s_[0, 1], A[0, 1] + s)
    A = put(A, onp.s_[2, :2], x[:2])
    return put(A, ([0, 1], [3, 0]), x[1:])


def trans(A: Any, which: str) -> Any:
    """A, its transpose or its conjugate transpose."""
    return {"N": lambda: A, "T": lambda: np.transpose(A), "H": lambda: np.conj(np.transpose(A))}[
        which
    ]()


def solve(A: Any, b: Any) -> Any:
    """A⁻¹ b, of operands of one dtype (autograd's rule takes no real parts)."""
    dtype = np.result_type(np.result_type(A), np.result_type(b), 0.0)
    A, b = (x * onp.ones((), dtype) for x in (A, b))
    return np.linalg.solve(A, b) if np.ndim(b) == 2 else np.linalg.solve(A, b[:, None])[:, 0]


def quotient(A: Any, B: Any) -> Any:
    """A / B of sparse matrices: SciPy keeps the dtype of a real A, whatever B is."""
    q = A / B
    return np.real(q) if np.iscomplexobj(q) and not np.iscomplexobj(A) else q
