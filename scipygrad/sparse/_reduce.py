"""Sums over axes, means, the trace and diagonals."""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as anp
import numpy as np

from .._core.device import namespace
from .._core.engine import primitive
from .._core.npmatrix import as_npmatrix
from .._core.tags import scatter, transform
from .._core.traced import TracedBase, entries_of, lift
from ._convert import _refuse_out, in_dtype, positions


@primitive(wrt=("x",))
def sum_all(x):
    """Sum of all elements."""
    return x.sum()


@primitive(wrt=("s",))
def spread(s, shape):
    """The transpose of `sum_all`: an array of equal elements."""
    return namespace(s).full(shape, s)


@sum_all.vjp("x")
def _(g, ans, x):
    return spread(g, x.shape)


@spread.vjp("s")
def _(g, ans, s, shape):
    return sum_all(g)


sum_all.linear("x")
spread.linear("s")
sum_all.keeps()
spread.keeps()


def _axes(axis: Any, ndim: int) -> tuple[int, ...] | None:
    """The axes to reduce, sorted; None for all."""
    if axis is None:
        return None
    given = axis if isinstance(axis, tuple) else (axis,)
    if not all(isinstance(a, (int, np.integer)) for a in given):
        raise TypeError(f"axis must be an integer or a tuple of integers, not {axis!r}")
    if any(not -ndim <= a < ndim for a in given):
        raise ValueError(f"axis out of range: {axis!r} for {ndim} dimensions")
    normal = tuple(sorted({int(a) % ndim for a in given}))
    if len(normal) < len(given):
        raise ValueError(f"duplicate value in axis: {axis!r}")
    return None if len(normal) == ndim else normal


def sum_over(A: TracedBase, axis: Any) -> Any:
    """Sum of the entries over an axis; duplicates count one by one."""
    axes = _axes(axis, A.ndim)
    if axes is None:
        if A._pattern.inside is None:
            return sum_all(entries_of(A))
        return sum_all(scatter(entries_of(A), positions(A, "sum", (1,), lambda p: 0)))
    kept = [a for a in range(A.ndim) if a not in axes]
    shape = tuple(A.shape[a] for a in kept)

    def place(p):
        return np.ravel_multi_index(tuple(p.coords[a] for a in kept), shape)

    total = scatter(entries_of(A), positions(A, ("sum", axes), shape, place, kept))
    if not A._is_matrix():
        return total
    return as_npmatrix(anp.reshape(total, (1, -1) if axes == (0,) else (-1, 1)))


class Reduce:
    """`sum`, `mean`, `trace`, `diagonal`."""

    __slots__ = ()

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """Sum over an axis, or of all entries."""
        _refuse_out("sum", out)
        if dtype is None:
            return sum_over(self, axis)
        if axis is None:  # as NumPy, which adds in that dtype
            return sum_over(self.astype(dtype), axis)
        total = in_dtype(sum_over(self, axis), dtype, "sum")
        return as_npmatrix(total) if self._is_matrix() and anp.ndim(total) else total

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        """Mean over an axis, or of all entries, zeros included."""
        _refuse_out("mean", out)
        axes = _axes(axis, self.ndim)
        count = math.prod(self.shape if axes is None else (self.shape[a] for a in axes))
        total = sum_over(lift(self * (1.0 / count)), axis)
        if dtype is None:
            return total
        total = in_dtype(total, dtype, "mean")
        return as_npmatrix(total) if self._is_matrix() and axes is not None else total

    def diagonal(self, k: int = 0) -> Any:
        """The k-th diagonal."""
        return transform(lambda M: M.diagonal(k=k), [self], ("diagonal", k))

    def trace(self, offset: int = 0) -> Any:
        """Sum of a diagonal."""
        return anp.sum(self.diagonal(k=offset))
