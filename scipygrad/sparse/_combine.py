"""Matrices made of matrices: stacking, blocks, Kronecker products, triangles."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._core.device import on_device
from .._core.engine import contains_traced, is_sparse, isbox
from .._core.layout import DEVICE_ARRAYS
from .._core.mirror import traced
from .._core.tags import paired, transform
from .._core.traced import TracedBase, lift, make
from ._convert import as_format
from ._natively import natively


class _Slot:
    """The place of an operand in a nested argument."""

    def __init__(self, number: int) -> None:
        self.number = number


def _take_out(x: Any, depth: int, operands: list[Any]) -> Any:
    """`x`, blocks in lists of the given depth, with slots for the blocks, which go on the list."""
    if depth:
        return [_take_out(v, depth - 1, operands) for v in x]
    if x is None:
        return None
    operands.append(_block(x))
    return _Slot(len(operands) - 1)


def _block(x: Any) -> Any:
    """A block as a traced matrix, a stand-in for a constant one, or a dense array that is traced.

    Dense arrays on a GPU are left as they are, too: which elements are zero is not asked.
    """
    if is_sparse(x):
        return lift(x)
    if isbox(x) or type(x) in DEVICE_ARRAYS:
        return x
    if contains_traced((x,)):
        return anp.array(x)
    return lift(sps.coo_matrix(np.atleast_2d(x)))  # a constant: SciPy drops its zeros


def _put_in(x: Any, operands: tuple[Any, ...]) -> Any:
    if isinstance(x, _Slot):
        return operands[x.number]
    return [_put_in(v, operands) for v in x] if isinstance(x, list) else x


def _shape_of(x: Any) -> Any:
    if isinstance(x, _Slot):
        return x.number
    return tuple(map(_shape_of, x)) if isinstance(x, list) else repr(x)


def _combined(name: str, blocks: Any, depth: int, format: Any, dtype: Any) -> Any:
    operands: list[Any] = []
    nested = _take_out(blocks, depth, operands)
    operation = getattr(sps, name)
    C = transform(
        lambda *tagged: operation(_put_in(nested, tagged), format=format),
        operands,
        (name, _shape_of(nested), format),
    )
    return C if dtype is None else C.astype(dtype)


@traced(sps.hstack, wrt=("blocks",), gpu=True, untraced=natively(sps.hstack))
def hstack(blocks, format=None, dtype=None):
    return _combined("hstack", blocks, 1, format, dtype)


@traced(sps.vstack, wrt=("blocks",), gpu=True, untraced=natively(sps.vstack))
def vstack(blocks, format=None, dtype=None):
    return _combined("vstack", blocks, 1, format, dtype)


@traced(sps.bmat, wrt=("blocks",), gpu=True, untraced=natively(sps.bmat))
def bmat(blocks, format=None, dtype=None):
    return _combined("bmat", blocks, 2, format, dtype)


@traced(sps.block_array, wrt=("blocks",), gpu=True, untraced=natively(sps.block_array))
def block_array(blocks, *, format=None, dtype=None):
    return _combined("block_array", blocks, 2, format, dtype)


@traced(sps.block_diag, wrt=("mats",), gpu=True, untraced=natively(sps.block_diag))
def block_diag(mats, format=None, dtype=None):
    return _combined("block_diag", mats, 1, format, dtype)


@traced(sps.kron, wrt=("A", "B"), gpu=True, untraced=natively(sps.kron))
def kron(A, B, format=None):
    A, B = _block(A), _block(B)
    if format in (None, "bsr") and on_device(A):
        format = "csr"  # (SciPy may choose bsr)
    C = paired(lambda M, N: sps.kron(M, N, format=format), A, B, ("kron", format))
    return C if C.nnz else C.astype(float)  # of nothing stored, SciPy makes zeros of float64


def _ones_there(identity: Any) -> Any:
    """An identity on the device; its ones are not copied there."""
    import cupy as cp

    A = lift(identity)
    return make(A._pattern, cp.ones(A._pattern.entries_shape, A.dtype), A._class)


@traced(sps.kronsum, wrt=("A", "B"), gpu=True, untraced=natively(sps.kronsum))
def kronsum(A, B, format=None):
    A, B = _block(A), _block(B)
    if (
        len(A.shape) != 2
        or A.shape[0] != A.shape[1]
        or len(B.shape) != 2
        or (B.shape[0] != B.shape[1])
    ):
        raise ValueError("A and B must be square 2-D matrices")
    from . import eye, eye_array

    is_array = any(isinstance(M, TracedBase) and M._family() == "array" for M in (A, B))
    identity = eye_array if is_array else eye
    dtype = np.result_type(*(M.dtype
                             for M in (A, B)))  # fmt: skip
    left, right = identity(B.shape[0], dtype=dtype), identity(A.shape[0], dtype=dtype)
    if on_device(A):
        left, right = _ones_there(left), _ones_there(right)
    L = kron(left, A, format="csr") + kron(B, right, format="csr")
    return L.asformat("csr" if format is None else format)


def _triangle(name: str, A: Any, k: int, format: Any) -> Any:
    operation = getattr(sps, name)
    return transform(lambda M: operation(M, k=k, format=format), [_block(A)], (name, k, format))


@traced(sps.tril, wrt=("A",), gpu=True, untraced=natively(sps.tril))
def tril(A, k=0, format=None):
    return _triangle("tril", A, k, format)


@traced(sps.triu, wrt=("A",), gpu=True, untraced=natively(sps.triu))
def triu(A, k=0, format=None):
    return _triangle("triu", A, k, format)


@traced(sps.find, wrt=("A",), note="explicit zeros are returned too: structure is not values")
def find(A):
    A = as_format(lift(A), "coo").copy()
    A.sum_duplicates()  # sorts them, too
    return A.row.copy(), A.col.copy(), A.data
