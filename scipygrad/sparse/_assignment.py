"""Assigning to a matrix as a whole: one run of SciPy's assignment on tags.

The entries of A have the tags 1...n, the assigned values those that follow.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np

from .._core.collect import array_of
from .._core.device import on_device
from .._core.elements import as_deferred, is_number
from .._core.engine import cast, is_sparse, isbox
from .._core.tags import transform
from .._core.traced import TracedBase, entries_of, lift, make, plain


def cast_values(A: TracedBase, v: Any, what: str) -> Any:
    """Assigned values in the matrix's dtype, which SciPy keeps too."""
    if is_sparse(v):
        v = lift(v)
        return v if v.dtype == A.dtype else lift(make(v._pattern, _to(A, entries_of(v)), v._class))
    return _to(A, array_of(v), what)


def _to(A: TracedBase, v: Any, what: str = "A[...] = v") -> Any:
    dtype = anp.result_type(v)
    if dtype == A.dtype:
        return v
    if isbox(v) and not np.can_cast(dtype, A.dtype, "same_kind"):
        raise TypeError(
            f"{what}: the values are traced and of dtype {dtype}, the matrix is of dtype {A.dtype} "
            f"and would cut their derivative off. Make the matrix with dtype={dtype}."
        )
    if is_number(v):
        return as_deferred(v, A.dtype.type(v._value))
    return cast(v, A.dtype) if isbox(v) else v.astype(A.dtype)


def require_assignment(A: TracedBase) -> None:
    """SciPy's exceptions where it has no item assignment, with what to do."""
    if A.format in ("bsr", "dia") or A._class.__name__ == "coo_matrix":
        kind = NotImplementedError if A.format == "bsr" else TypeError
        raise kind(
            f"{A._class.__name__!r} object does not support item assignment. Convert it before: to "
            "csr for a few entries, to lil or dok for many."
        )


def with_entries(A: TracedBase, data: Any) -> TracedBase:
    """A traced matrix, or a stand-in for a constant one, with other entries."""
    if isbox(data):
        return make(A._pattern, data, A._class)
    return lift(make(A._pattern, data, A._class))


def tidied(A: TracedBase, method: str, *args: Any) -> TracedBase:
    """A after one of SciPy's in-place methods, which only move entries."""

    def operation(T):
        T = T.copy()
        getattr(T, method)(*args)
        return T

    return lift(transform(operation, [A], (method, repr(args)), duplicates=True))


def assigned(A: TracedBase, assign: Any, v: Any) -> Any:
    """A after ``assign(A, v)``, one of SciPy's assignments."""

    def operation(T, tags):
        T = T.copy()
        assign(T, tags)
        return T

    operands = [A, v]
    constants = not isinstance(v, TracedBase) and not isbox(v) and not isbox(entries_of(A))
    if constants and not on_device(A):
        B = plain(A).copy()
        assign(B, v)
        return B
    return transform(operation, operands, None)


def for_diagonal(A: TracedBase, values: Any, k: int) -> TracedBase:
    """A in the dtype that it has after `setdiag`: SciPy may promote it where entries are added."""
    v, p = array_of(values), A._pattern
    B = p.matrix(np.ones(p.entries_shape, np.int8), A._class).copy()
    B.setdiag(np.ones(anp.shape(v), np.int64), k)
    dtype = A.dtype if B.dtype == np.int8 else np.promote_types(A.dtype, anp.result_type(v))
    return A if dtype == A.dtype else with_entries(A, cast(entries_of(A), dtype))
