"""Norms, and the estimate of the 1-norm.

All are functions of the absolute values of the entries, sums and largest ones. Where they have a
corner, the derivative is that of one of their smooth pieces or a mean of several, never nan:

- at a zero entry |a| has derivative 0; where a Frobenius or p-norm is 0, so is its derivative,
- entries or sums that are largest (smallest) together share the derivative equally.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._backend import backend
from .._core.device import on_device, placed_as
from .._core.engine import contains_traced, is_sparse, isbox, primitive, strip
from .._core.mirror import traced
from .._core.npmatrix import as_npmatrix
from .._core.tags import Gather, coalesced, gather, scatter
from .._core.traced import TracedBase, entries_of, lift
from ..sparse._convert import as_family, as_format, positions
from ..sparse._elementwise import _as_float
from ..sparse._reduce import sum_over

_SINCE_1_18 = hasattr(sps.csr_array, "mT")
"""Since then sums of float32 are float64 here, and p-norms keep their shape."""

# ---- n = ‖a‖₂ of all entries ------------------------------------------------------------------


@primitive(wrt=("data",))
def frobenius(data):
    """√Σ|a|²."""
    return np.linalg.norm(data)


@frobenius.vjp("data")
def _(g, ans, data):
    return g * _reciprocal(ans) * _conj(data)


@frobenius.jvp("data")
def _(t, ans, data):
    return _reciprocal(ans) * anp.real(anp.sum(_conj(data) * t))


def _conj(x: Any) -> Any:
    """The complex conjugate, without a copy of real numbers."""
    return anp.conj(x) if anp.result_type(x).kind == "c" else x


def _reciprocal(x: Any) -> Any:
    """1 / x, and 0 where x is 0."""
    zero = strip(x) == 0
    return anp.where(zero, np.zeros_like(strip(x)), 1 / anp.where(zero, np.ones_like(strip(x)), x))


# ---- the largest or smallest entry of each row or column ---------------------------------------


class Lines:
    """The entries of rows or columns one after the other, without those that have no entry.

    Parameters
    ----------
    gather : Gather
        Of the entries, in order of their lines.
    starts : ndarray
        Where each line with entries starts.
    which : ndarray
        The number of each line with entries.
    full : ndarray
        Whether it has all its entries stored.
    number : int
        Of all lines.
    """

    def __init__(
        self, gather: Gather, starts: np.ndarray, which: np.ndarray, full: np.ndarray, number: int
    ) -> None:
        self.gather, self.starts, self.which, self.full = gather, starts, which, full
        self.number, self.size = number, gather.index_size

    @cached_property
    def lengths(self) -> np.ndarray:
        """Entries of each line that has some."""
        return np.diff(np.append(self.starts, self.size))

    @cached_property
    def line(self) -> Gather:
        """For each entry its line."""
        return Gather(np.repeat(self.which, self.lengths), (self.number,), (self.size,))

    @cached_property
    def whole(self) -> Gather:
        """The lines of which everything is stored; 0 for the others."""
        index = np.full(self.number, -1)
        index[self.which[self.full]] = self.which[self.full]
        return Gather(index, (self.number,), (self.number,))


def _lines(A: TracedBase, axis: int) -> Lines:
    """The lines along `axis` of a csr matrix without duplicates (a 1-D one is one line)."""

    def build():
        p = A._pattern
        if len(p.shape) == 1:
            line, count, length = np.zeros(len(p.coords[0]), np.intp), 1, p.shape[0]
        else:
            line, count, length = p.coords[1 - axis], p.shape[1 - axis], p.shape[axis]
        order = np.argsort(line, kind="stable")
        which, starts, stored = np.unique(line[order], return_index=True, return_counts=True)
        if p.inside is not None:
            order = p.inside[order]
        g = Gather(order, p.entries_shape, order.shape)
        return Lines(g, starts, which, stored == length, count)

    return A._pattern.plan(("lines", axis), build)


@primitive(wrt=("x",))
def extreme(x, lines, largest):
    """The largest (smallest) of the numbers x ≥ 0 of each line; what is not stored is 0.

    nan where there is one, as NumPy has it.
    """
    if on_device(x):
        return _extreme_on_device(x, lines, largest)
    out = np.zeros(lines.number, x.dtype)
    if lines.starts.size:
        found = (np.maximum if largest else np.minimum).reduceat(x, lines.starts)
        out[lines.which] = found if largest else np.where(lines.full | (found != found), found, 0)
    return out


def _extreme_on_device(x: Any, lines: Lines, largest: bool) -> Any:
    if lines.number == 1 and lines.size:
        found = (x.max() if largest else x.min()).reshape(1)
    else:
        found = backend(x).extreme(x, lines.line, largest)
    return found if largest else np.where(found != found, found, gather(found, lines.whole))


def _shares(x: Any, ans: Any, lines: Lines, largest: bool) -> Any:
    """The share of each number in the result: equal ones share equally."""
    equal = x == gather(ans, lines.line)
    if not largest:
        equal &= _in_full_lines(lines, x)
    if on_device(x):
        equal = equal.astype(x.dtype)
        return equal / gather(anp.maximum(scatter(equal, lines.line), 1), lines.line)
    line = lines.line.index
    together = np.bincount(line[equal], minlength=lines.number)
    return (equal / np.maximum(together, 1)[line]).astype(x.dtype)


def _in_full_lines(lines: Lines, x: Any) -> Any:
    """Which entries are of lines that have all of theirs stored, beside x."""

    def found():
        return np.repeat(lines.full, lines.lengths)

    if not on_device(x):
        return found()
    from .._backend.gpu.structure import kept

    return kept(lines, "in full lines", lambda: placed_as(found(), x))


@extreme.vjp("x")  # which numbers are extreme is a choice: constant
def _(g, ans, x, lines, largest):
    return gather(g, lines.line) * _shares(strip(x), strip(ans), lines, largest)


@extreme.jvp("x")
def _(t, ans, x, lines, largest):
    return scatter(t * _shares(strip(x), strip(ans), lines, largest), lines.line)


# ---- sums over lines --------------------------------------------------------------------------


def _sum_lines(A: TracedBase, values: Any, axis: int) -> Any:
    """Sums along an axis of values given for the entries."""
    if A.ndim == 1:
        return anp.reshape(anp.sum(values), (1,))

    def place(p):
        return p.coords[1 - axis]

    plan = positions(A, ("sum", (axis,)), (A.shape[1 - axis],), place)
    return scatter(values, plan)


def _where_positive(x: Any, f: Any) -> Any:
    """f(x), with derivative 0 where x is not positive (x ≥ 0)."""
    v = strip(x)
    out = v <= 0
    if not on_device(v) and not out.any():
        return f(x)
    return anp.where(out, f(np.where(out, v, 1)), f(anp.where(out, np.ones_like(v), x)))


def _vector_norms(A: TracedBase, ord: Any, axis: int) -> Any:
    """Norms of the rows or columns of a csr matrix without duplicates."""
    A = _widened(A)
    data = entries_of(A)
    if ord in (np.inf, -np.inf):
        if not A.shape[axis]:
            raise ValueError("zero-size array to reduction operation")
        lines = _lines(A, axis)
        return extreme(anp.abs(gather(data, lines.gather)), lines, bool(ord > 0))
    if ord == 0:  # a count
        if on_device(A):
            return _sum_lines(A, (strip(data) != 0).astype(float), axis).astype(int)
        return spla.norm(strip(A), 0, axis)
    if ord == 1:
        return _sum_lines(A, anp.abs(data), axis)
    if ord is None or ord == 2:  # as |a|² has a second derivative at 0, and |a| has not
        return _where_positive(_sum_lines(A, anp.real(data * _conj(data)), axis), anp.sqrt)
    try:
        ord + 1
    except TypeError as e:
        raise ValueError("Invalid norm order for vectors.") from e
    powers = _where_positive(anp.abs(data), lambda a: a**ord)
    return _where_positive(_sum_lines(A, powers, axis), lambda s: s ** (1 / ord))


def _matrix_norm(A: TracedBase, ord: Any, row_axis: int, col_axis: int) -> Any:
    if ord == 2:
        from ._svd import svds

        return svds(A, k=1, solver="arpack", rng=None)[1][0]
    if ord == -2:
        raise NotImplementedError(
            "norm: ord=-2 does not exist for sparse matrices, in SciPy either"
        )
    if ord in (None, "f", "fro"):
        return frobenius(entries_of(A))
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")
    sums = sum_over(lift(abs(_widened(A))), row_axis if ord in (1, -1) else col_axis)
    largest = bool(ord > 0)
    if not len(sums):
        np.max(strip(sums))  # its exception
    n = len(sums)
    lines = A._pattern.plan(("one line", n), lambda: _one_line(n))
    return extreme(sums, lines, largest)[0]


def _one_line(n: int) -> Lines:
    one = np.zeros(1, np.intp)
    return Lines(Gather(np.arange(n), (n,), (n,)), one, one, np.ones(1, bool), 1)


def _widened(A: TracedBase) -> TracedBase:
    return _as_float(A) if _SINCE_1_18 else A


def _in_scipys_shape(norms: Any, A: TracedBase, axis: int) -> Any:
    """p-norms of the rows or columns of A: raveled by SciPy before 1.18, and not since."""
    if not _SINCE_1_18:
        return norms
    if A.ndim == 1:
        return norms[0]
    return as_npmatrix(anp.expand_dims(norms, axis)) if A._is_matrix() else norms


def _axes(axis: Any, nd: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes as SciPy reads them, with its exceptions."""
    if axis is None:
        axis = tuple(range(nd))
    elif not isinstance(axis, tuple):
        message = "'axis' must be None, an integer or a tuple of integers"
        try:
            whole = int(axis)
        except TypeError as e:
            raise TypeError(message) from e
        if axis != whole:
            raise TypeError(message)
        axis = (whole,)
    if len(axis) not in (1, 2):
        raise ValueError("Improper number of dimensions to norm.")
    if not all(-nd <= a < nd for a in axis):
        raise ValueError(
            f"Invalid axis {axis if len(axis) == 2 else axis!r} for an array with shape {shape!r}"
        )
    return axis


@traced(
    spla.norm,
    wrt=("x",),
    note="ord and axis are constants; ord=0 along an axis counts, and has no derivative; where the "
    "norm has a corner: derivative 0 at zeros, equal shares of what is largest together",
    gpu=True,
)
def norm(x, ord=None, axis=None):
    if contains_traced((ord, axis)):
        raise NotImplementedError(
            "norm: 'ord' and 'axis' have no derivative. Pass plain numbers, scipygrad.detach(ord)."
        )
    if not is_sparse(x):
        raise TypeError("input is not sparse. use numpy.linalg.norm")
    A = coalesced(lift(x))
    if axis is None and ord in (None, "fro", "f"):
        return frobenius(entries_of(A))
    given, A = A, as_family(as_format(A, "csr"), "array")
    axes = _axes(axis, A.ndim, A.shape)
    if len(axes) == 1:
        norms = _vector_norms(A, ord, axes[0] % A.ndim)
        raveled = ord in (None, 0, 1, 2, np.inf, -np.inf)
        return norms if raveled else _in_scipys_shape(norms, given, axes[0] % A.ndim)
    if axes[0] % A.ndim == axes[1] % A.ndim:
        raise ValueError("Duplicate axes given.")
    return _matrix_norm(A, ord, *axes)


# ---- the estimate of ‖A‖₁ -----------------------------------------------------------------------


@traced(
    spla.onenormest,
    wrt=("A",),
    note="the derivative is that of the 1-norm of the column that the search has found, and of "
    "that column (w); v is constant",
)
def onenormest(A, t=2, itmax=5, compute_v=False, compute_w=False):
    if not (is_sparse(A) or isbox(A)):
        A = anp.array(A)
    t, itmax = strip((t, itmax))
    _, v = spla.onenormest(strip(A), t, itmax, compute_v=True)
    w = A @ v if is_sparse(A) else anp.dot(A, v)  # est = ‖w‖₁, with the unit vector v
    est = anp.sum(anp.abs(w))
    if not (compute_v or compute_w):
        return est
    return (est, *((v,) if compute_v else ()), *((w,) if compute_w else ()))
