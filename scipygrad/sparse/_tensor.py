"""More than two dimensions: products of n-D COO arrays, `tensordot`, and the order of axes.

Every product is brought to one of two-dimensional matrices by moves of entries. A @ B of stacks of
matrices is the product of two block diagonal matrices; `dot` and `tensordot` are products of
matrices whose rows and columns are groups of axes.
"""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._core.engine import is_sparse
from .._core.mirror import traced
from .._core.tags import transform
from .._core.traced import TracedBase, lift
from ._natively import natively

# ---- A @ B of stacks --------------------------------------------------------------------------


def matmul_nd(A: Any, B: Any) -> Any:
    """A @ B, one of more than two dimensions, B sparse (traced or lifted) or dense."""
    _try_empty(lambda M, N: M @ N, A, B)
    a, b = A.shape, anp.shape(B)
    if not isinstance(B, TracedBase) and len(b) < 3:
        return anp.reshape(lift(A.reshape((math.prod(a[:-1]), a[-1]))) @ B, (*a[:-1], *b[1:]))
    row, column = len(a) == 1, len(b) == 1
    A = lift(A.reshape((1, -1))) if row else A
    B = lift(B.reshape((-1, 1))) if column else B
    n, m = A.shape[-2], anp.shape(B)[-1]
    stack = np.broadcast_shapes(A.shape[:-2], anp.shape(B)[:-2])
    kept = (*stack, *(() if row else (n,)), *(() if column else (m,)))
    product = _block_diagonal(A, stack) @ _block_diagonal(B, stack)
    if not isinstance(B, TracedBase):
        return anp.reshape(product, kept)
    C = _from_block_diagonal(lift(product), stack, n, m)
    return C if C.shape == kept else C.reshape(kept)


def _try_empty(operation: Any, A: Any, B: Any) -> None:
    """Let SciPy raise what it raises for these shapes: its own operation, without entries."""
    classes = (x._class if isinstance(x, TracedBase) else sps.coo_array for x in (A, B))
    operation(*(cls(anp.shape(x)) for cls, x in zip(classes, (A, B))))


def _block_diagonal(A: Any, stack: tuple[int, ...]) -> Any:
    """A, as a stack of that shape, with its matrices along the diagonal; dense ones one below
    the other.
    """
    *own, n, k = anp.shape(A)
    if not isinstance(A, TracedBase):
        A = anp.reshape(A, (1,) * (len(stack) - len(own)) + anp.shape(A))
        return anp.reshape(anp.broadcast_to(A, (*stack, n, k)), (-1, k))
    own = [1] * (len(stack) - len(own)) + own
    repeated = [d for d, size in enumerate(own) if size != stack[d]]
    kept = [d for d in range(len(stack)) if d not in repeated]
    # Row s of `places`: where the s-th matrix of A's own stack comes to lie in the whole stack.
    places = np.arange(math.prod(stack)).reshape(stack).transpose(kept + repeated)
    places = places.reshape(math.prod(own), -1)

    def arrange(M):
        flat = M.reshape((math.prod(own), n * k))
        place = places[flat.row]
        rows, columns = place * n + flat.col[:, None] // k, place * k + flat.col[:, None] % k
        data = np.repeat(flat.data, places.shape[1])
        shape = places.size * n, places.size * k
        return sps.coo_array((data, (rows.ravel(), columns.ravel())), shape=shape)

    return lift(transform(arrange, [A], ("block diagonal", stack), duplicates=True))


def _from_block_diagonal(C: TracedBase, stack: tuple[int, ...], n: int, m: int) -> Any:
    def arrange(M):
        coords = (*np.unravel_index(M.row // n, stack), M.row % n, M.col % m)
        return sps.coo_array((M.data, coords), shape=(*stack, n, m))

    return lift(transform(arrange, [lift(C.tocoo())], ("stack", stack, n, m)))


# ---- tensordot, dot ---------------------------------------------------------------------------


def tensordot(A: TracedBase, B: Any, axes: Any) -> Any:
    """Sum of products over axes of A and of B, which is sparse (traced or lifted) or dense."""
    _try_empty(lambda M, N: M.tensordot(N, axes), A, B)
    b = anp.shape(B)
    of_A, of_B = _summed(A.ndim, len(b), axes)
    free_A = [d for d in range(A.ndim) if d not in of_A]
    free_B = [d for d in range(len(b)) if d not in of_B]
    shape = (*(A.shape[d] for d in free_A), *(b[d] for d in free_B))
    summed = math.prod(b[d] for d in of_B)
    rows, columns = math.prod(shape[: len(free_A)]), math.prod(shape[len(free_A) :])
    left = _permuted(A, free_A + of_A).reshape((rows, summed))
    right = _permuted(B, of_B + free_B).reshape((summed, columns))
    product = lift(left) @ right
    if not shape:
        return anp.sum(product) if not isinstance(B, TracedBase) else product.sum()
    if isinstance(B, TracedBase):
        return lift(lift(product).tocoo()).reshape(shape)
    return anp.reshape(product, shape)


def _permuted(x: Any, order: list[int]) -> Any:
    if order == list(range(len(anp.shape(x)))):
        return x
    return lift(x.transpose(tuple(order))) if isinstance(x, TracedBase) else anp.transpose(x, order)


def _summed(a: int, b: int, axes: Any) -> tuple[list[int], list[int]]:
    """The axes to sum over, of an a-dimensional and a b-dimensional array, counted from 0."""
    if isinstance(axes, (int, np.integer)):
        return list(range(a - axes, a)), list(range(axes))
    left, right = ([int(d) for d in np.atleast_1d(given)] for given in axes)
    return [d % a for d in left], [d % b for d in right]


def dot_nd(A: TracedBase, B: Any) -> Any:
    """Sum of products over the last axis of A and the last but one of B."""
    _try_empty(lambda M, N: M.dot(N), A, B)
    return tensordot(A, B, ([A.ndim - 1], [max(0, len(anp.shape(B)) - 2)]))


# ---- the order of axes ------------------------------------------------------------------------


def _moved(function: Any, A: Any, key: Any) -> Any:
    return transform(function, [lift(A)], key, duplicates=True)


if hasattr(sps, "expand_dims"):

    @traced(sps.expand_dims, wrt=("A",), untraced=natively(sps.expand_dims))
    def expand_dims(A, /, *, axis=0):
        return _moved(lambda M: sps.expand_dims(M, axis=axis), A, ("expand_dims", axis))


if hasattr(sps, "permute_dims"):
    _natively_permuted = natively(sps.permute_dims)

    def _apart(A, axes=None, copy=False):
        """SciPy's function, which reorders the axes of a coo array in place: of another one."""
        if not is_sparse(A) or A.format != "coo":
            return _natively_permuted(A, axes, copy)
        other = object.__new__(type(A))
        other.__dict__.update(A.__dict__)
        B = _natively_permuted(other, axes, copy)
        return A if B is other and B.coords is A.coords else B

    @traced(sps.permute_dims, wrt=("A",), untraced=_apart, gpu=True)
    def permute_dims(A, axes=None, copy=False):
        key = None if axes is None else tuple(np.ravel(axes).tolist())
        return _moved(lambda M: sps.permute_dims(M, axes=axes), A, ("permute_dims", key))


if hasattr(sps, "swapaxes"):

    @traced(sps.swapaxes, wrt=("A",), untraced=natively(sps.swapaxes), gpu=True)
    def swapaxes(A, axis1, axis2):
        return _moved(lambda M: sps.swapaxes(M, axis1, axis2), A, ("swapaxes", axis1, axis2))


if hasattr(sps, "matrix_transpose"):

    @traced(sps.matrix_transpose, wrt=("A",), gpu=True)
    def matrix_transpose(A):
        return _moved(sps.matrix_transpose, A, "matrix_transpose")
