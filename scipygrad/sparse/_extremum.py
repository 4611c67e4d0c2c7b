"""Largest and smallest: `max`, `min`, `nanmax`, `nanmin` over axes, `maximum`, `minimum` of two.

The derivative is that of the chosen entry. Where several are equal they share it in equal parts,
zeros that are not stored included: the convention of autograd's `max` and `maximum`, so that a
sparse matrix has the derivative of the dense array with the same elements.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._core.device import beside, namespace, on_device, say_host, to_device, to_host
from .._core.engine import is_sparse, primitive, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.npmatrix import as_ndarray, as_npmatrix, is_npmatrix
from .._core.pattern import Pattern
from .._core.tags import Gather, coalesced, gather, scatter
from .._core.traced import TracedBase, class_of_ours, entries_of, lift, make
from ._convert import as_family, as_format, to_dense
from ._elementwise import union_maps
from ._matmul import _as_dense, _is_scalar
from ._reduce import _axes

# ---- over axes --------------------------------------------------------------------------------


@dataclass(eq=False)
class _Lines:
    """Which entries are compared with each other: those of one line (row, column, ...)."""

    order: np.ndarray | slice  # storage positions of the entries, line by line
    line: np.ndarray  # of each entry in that order
    start: np.ndarray  # where each line that stores an entry begins
    missing: np.ndarray  # number of zeros of each line that are not stored
    shape: tuple[int, ...]  # of the array of entries

    @cached_property
    def entries(self) -> Gather:
        """The entries, line by line."""
        index = np.arange(len(self.line)) if isinstance(self.order, slice) else self.order
        return Gather(index, self.shape, index.shape)

    @cached_property
    def of_each(self) -> Gather:
        """For each of them what its line has."""
        return Gather(self.line, self.start.shape, self.line.shape)


@primitive(wrt=("data",))
def extreme(data, lines, ufunc, explicit):
    """The largest (smallest: by `ufunc`) entry of each line; with zeros unless `explicit`."""
    if on_device(data):
        from . import _device_extremum

        return _device_extremum.extreme(data, lines, ufunc, explicit)
    found = ufunc.reduceat(data.reshape(-1)[lines.order], lines.start)
    if not explicit:
        some = lines.missing > 0
        found[some] = ufunc(found[some], 0)
    return found


class _Chosen(NamedTuple):
    """The entries that are the extremes of their lines."""

    entry: Gather  # entries -> chosen ones
    line: Gather  # lines -> chosen ones
    share: np.ndarray  # one over the number of equals


def _chosen(data: Any, found: Any, lines: _Lines, explicit: bool) -> _Chosen:
    data, found = strip(data), strip(found)
    level = found[lines.line] if found.size > 1 else found
    equal = data.reshape(-1)[lines.order] == level
    if np.isnan(found).any():  # then the derivative is nan, too
        equal |= np.isnan(level)
    position = np.flatnonzero(equal)
    line = lines.line[position]
    tied = np.bincount(line, minlength=found.size) + (
        0 if explicit else lines.missing * (found == 0)
    )
    share = np.where(np.isnan(found), np.nan, 1)[line] / tied[line]
    if isinstance(lines.order, np.ndarray):
        position = lines.order[position]
    return _Chosen(
        Gather(position, data.shape, position.shape), Gather(line, found.shape, line.shape),
        share.astype(data.real.dtype),
    )  # fmt: skip


def _shares(data: Any, found: Any, lines: _Lines, explicit: bool) -> Any:
    from . import _device_extremum

    return _device_extremum.shares(strip(data), strip(found), lines, explicit)


@extreme.vjp("data")
def _(g, ans, data, lines, ufunc, explicit):
    if on_device(ans):
        share = _shares(data, ans, lines, explicit)
        return scatter(gather(g, lines.of_each) * share, lines.entries)
    chosen = _chosen(data, ans, lines, explicit)
    return scatter(gather(g, chosen.line) * chosen.share, chosen.entry)


@extreme.jvp("data")
def _(t, ans, data, lines, ufunc, explicit):
    if on_device(ans):
        share = _shares(data, ans, lines, explicit)
        return scatter(gather(t, lines.entries) * share, lines.of_each)
    chosen = _chosen(data, ans, lines, explicit)
    return scatter(gather(t, chosen.entry) * chosen.share, chosen.line)


_METHODS = {np.maximum: "max", np.minimum: "min", np.fmax: "nanmax", np.fmin: "nanmin"}


def extreme_over(A: TracedBase, axis: Any, out: Any, ufunc: np.ufunc, explicit: bool) -> Any:
    """max or min of A over an axis: a sparse result, or a number for all axes."""
    if on_device(A) and A.dtype.char not in "fd":  # complex numbers have no order there
        say_host(_METHODS[ufunc])
        return to_device(extreme_over(lift(to_host(A)), axis, out, ufunc, explicit))
    if out is not None:
        raise ValueError("Sparse min/max does not support an 'out' parameter.")
    axes = _axes(axis, A.ndim)
    if 0 in (A.shape if axes is None else [A.shape[a] for a in axes]):
        raise ValueError("zero-size array to reduction operation")
    A = coalesced(A)
    lines, pattern, cls = A._pattern.plan(("lines", axes, A._class), lambda: _plan_lines(A, axes))
    if axes is None and not lines.start.size:
        return namespace(entries_of(A)).zeros((), A.dtype)[()]
    found = extreme(entries_of(A), lines, ufunc, bool(explicit))
    return found[0] if axes is None else make(pattern, found, cls)


def _plan_lines(A: TracedBase, axes: tuple[int, ...] | None) -> tuple[_Lines, Pattern, type]:
    p = A._pattern
    kept = [] if axes is None else [a for a in range(A.ndim) if a not in axes]
    shape = tuple(A.shape[a] for a in kept)
    size = p.coords[0].size
    number = np.zeros(size, np.intp)
    if kept and size:
        number = np.ravel_multi_index(tuple(p.coords[a] for a in kept), shape)
    used, line, count = np.unique(number, return_inverse=True, return_counts=True)
    order: Any = np.argsort(line, kind="stable")
    line = line[order]
    if p.inside is not None:
        order = p.inside[order]
    elif kept == [] or bool((order[:-1] <= order[1:]).all()):
        order = slice(None)
    missing = math.prod(A.shape[a] for a in range(A.ndim) if a not in kept) - count
    lines = _Lines(order, line, np.cumsum(count) - count, missing, p.entries_shape)
    coords = np.unravel_index(used, shape) if kept else (used,)
    if A._is_matrix() and kept:
        zeros = np.zeros_like(used)
        coords, shape = (
            ((zeros, used), (1, *shape)) if axes == (0,) else ((used, zeros), (*shape, 1))
        )
    cls = class_of_ours(getattr(sps, f"coo_{A._family()}"))
    values = np.ones(used.size)
    C = sps.coo_array((values, coords), shape=shape if kept else (1,))
    return lines, Pattern.of(C, own=True), cls


# ---- of two -----------------------------------------------------------------------------------


@primitive(wrt=("a", "b"))
def larger(a, b, ufunc):
    """The larger (smaller: by `ufunc`) of two, element by element and broadcast."""
    return ufunc(a, b)


def _part(x: Any, y: Any, ans: Any) -> Any:
    """What x has in the extreme of x and y: 1, 0, or one half where they are equal."""
    x, y, ans = strip(x), strip(y), strip(ans)
    is_x, is_y = x == ans, y == ans
    if type(ans) not in DEVICE_ARRAYS and np.logical_xor(is_x, is_y).all():
        return is_x  # to ask a device would be to wait for it
    # Where ans is nan, and so neither x nor y, the derivative is nan, too.
    part = np.where(is_x, np.where(is_y, 0.5, 1), np.where(is_y, 0, np.nan))
    return part.astype(np.zeros(0, ans.dtype).real.dtype)


def _broadcast_back(g: Any, x: Any) -> Any:
    """The transpose of broadcasting x to the shape of g."""
    shape = anp.shape(x)
    for _ in range(anp.ndim(g) - len(shape)):
        g = anp.sum(g, axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and anp.shape(g)[axis] != 1:
            g = anp.sum(g, axis=axis, keepdims=True)
    return g


@larger.joint_vjp
def _(names, g, ans, a, b, ufunc):
    if all(type(x) is np.ndarray and x.dtype == g.dtype and x.shape == g.shape
           and x.flags.c_contiguous and x.dtype.char in "fd" for x in (g, ans, a, b)):  # fmt: skip
        from .._backend.entrywise import share

        both = dict(zip("ab", share(g, a, b, ans)))
        return [both[name] for name in names]
    rules = {
        "a": lambda: _broadcast_back(g * _part(a, b, ans), a),
        "b": lambda: _broadcast_back(g * _part(b, a, ans), b),
    }
    return [rules[name]() for name in names]


@larger.jvp("a")
def _(t, ans, a, b, ufunc):
    return t * _part(a, b, ans)


@larger.jvp("b")
def _(t, ans, a, b, ufunc):
    return t * _part(b, a, ans)


def extreme_of_two(A: TracedBase, other: Any, ufunc: np.ufunc) -> Any:
    """maximum or minimum of A and a sparse, dense or scalar operand."""
    if _is_scalar(other):
        return _with_scalar(A, other, ufunc)
    if not is_sparse(other):
        D = _as_dense(other)
        as_matrix = A._is_matrix() or is_npmatrix(D)
        D = as_ndarray(D)
        found = larger(to_dense(A), D, ufunc)
        return as_npmatrix(found) if as_matrix else found
    B = lift(other)
    if A.shape != B.shape:
        raise ValueError(f"inconsistent shapes self.shape={A.shape} other.shape={B.shape}")
    flat_A, flat_B = _compressed(A), _compressed(B)
    flat_B = as_family(as_format(flat_B, flat_A.format), A._family())
    a, b, pattern, cls, left, right = union_maps(flat_A, flat_B, 1)
    if left.identity and right.identity:
        found = larger(gather(a, left), gather(b, right), ufunc)
    else:
        found = union_larger(a, b, left, right, ufunc)
    return _in_shape(make(pattern, found, cls), A.shape)


@primitive(wrt=("a", "b"))
def union_larger(a, b, left, right, ufunc):
    """`larger` on the union of their patterns, in one pass."""
    if _in_one_pass(a, b):
        from .._backend.entrywise import gather_extreme

        maps = left.index, right.index
        return gather_extreme(a, b, *maps, ufunc is np.maximum)
    return ufunc(gather(a, left), gather(b, right))


def _in_one_pass(*arrays: Any) -> bool:
    dtype = arrays[0].dtype
    return dtype.char in "fd" and all(
        type(x) is np.ndarray and x.dtype == dtype and x.ndim == 1 for x in arrays
    )


@union_larger.joint_vjp
def _(names, g, ans, a, b, left, right, ufunc):
    if _in_one_pass(g, a, b):
        from .._backend.entrywise import scatter_share

        both = dict(zip("ab", scatter_share(g, a, b, left.index, right.index, ans)))
        return [both[name] for name in names]
    x, y = gather(strip(a), left), gather(strip(b), right)
    rules = {
        "a": lambda: scatter(g * _part(x, y, ans), left),
        "b": lambda: scatter(g * _part(y, x, ans), right),
    }
    return [rules[name]() for name in names]


@union_larger.joint_jvp
def _(names, tangents, ans, a, b, left, right, ufunc):
    x, y = gather(strip(a), left), gather(strip(b), right)
    terms = {
        "a": lambda t: gather(t, left) * _part(x, y, ans),
        "b": lambda t: gather(t, right) * _part(y, x, ans),
    }
    first, *second = (terms[name](t) for name, t in zip(names, tangents))
    return first + second[0] if second else first


def _with_scalar(A: TracedBase, s: Any, ufunc: np.ufunc) -> Any:
    if ufunc(0, strip(s)):  # nan, too
        sign = "positive" if ufunc is np.maximum else "negative"
        warnings.warn(
            f"Taking {ufunc.__name__} with a {sign} number results in a dense matrix.",
            sps.SparseEfficiencyWarning,
            stacklevel=4,
        )
        return class_of_ours(A._class)(larger(to_dense(A), beside(s, A), ufunc))
    flat = coalesced(_compressed(A))
    data = larger(entries_of(flat), beside(s, A), ufunc)
    return _in_shape(make(flat._pattern, data, flat._class), A.shape)


def _compressed(A: TracedBase) -> TracedBase:
    """A in csr or csc, n-D ones as one row."""
    if A.ndim > 2:
        A = lift(A.reshape((1, -1)))
    return A if A.format in ("csr", "csc") else as_format(A, "csr")


def _in_shape(A: Any, shape: tuple[int, ...]) -> Any:
    return A if A.shape == shape else lift(A).tocoo().reshape(shape)


class Extremum:
    """`max`, `min`, `nanmax`, `nanmin`, `maximum`, `minimum`."""

    __slots__ = ()

    def max(self, axis: Any = None, out: Any = None, *, explicit: bool = False) -> Any:
        """Largest element, of all or over an axis."""
        return extreme_over(self, axis, out, np.maximum, explicit)

    def min(self, axis: Any = None, out: Any = None, *, explicit: bool = False) -> Any:
        """Smallest element, of all or over an axis."""
        return extreme_over(self, axis, out, np.minimum, explicit)

    def nanmax(self, axis: Any = None, out: Any = None, *, explicit: bool = False) -> Any:
        """Largest element that is not nan, of all or over an axis."""
        return extreme_over(self, axis, out, np.fmax, explicit)

    def nanmin(self, axis: Any = None, out: Any = None, *, explicit: bool = False) -> Any:
        """Smallest element that is not nan, of all or over an axis."""
        return extreme_over(self, axis, out, np.fmin, explicit)

    def maximum(self, other: Any) -> Any:
        """The larger of the elements of two."""
        return extreme_of_two(self, other, np.maximum)

    def minimum(self, other: Any) -> Any:
        """The smaller of the elements of two."""
        return extreme_of_two(self, other, np.minimum)
