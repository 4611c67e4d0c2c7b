"""Maps of entries: ``x[index]``, its transpose, and several parts in one vector.

They are what a structural operation does to entries (`tags` finds the maps), and all reductions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.core import SparseObject
from autograd.extend import defjvp, defvjp
from autograd.extend import primitive as autograd_primitive
from autograd.numpy.numpy_vspaces import ArrayVSpace, ComplexArrayVSpace

from .._backend import backend
from .capture import private
from .device import namespace
from .engine import getval, primitive
from .layout import DEVICE_ARRAYS

FEW = 4
"""A map is small if it takes one entry of so many, or fewer."""


class Gather:
    """A map ``out[k] = x[index[k]]``; index -1 gives 0."""

    born: Any = None
    """The index of a map that was found on a GPU."""

    def __init__(self, index: np.ndarray, in_shape: tuple[int, ...], out_shape: tuple[int, ...]):
        self.in_shape, self.out_shape = in_shape, out_shape
        self.size = math.prod(in_shape)
        if type(index) in DEVICE_ARRAYS:
            self._born_there(index)
        else:
            index = np.ascontiguousarray(index, dtype=self.integers).reshape(-1)
            self.index_size = index.size
            self.slice = _as_slice(index)
            if self.slice is None:
                self.index = index  # else made when asked for
        self.identity = self.index_size == self.size and self.slice == slice(0, self.size, 1)
        self._scatters = 0

    @classmethod
    def of_all(cls, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> Gather:
        """The map that leaves all as it is, but for the shape."""
        plan = object.__new__(cls)
        plan.in_shape, plan.out_shape = in_shape, out_shape
        plan.size = plan.index_size = math.prod(in_shape)
        plan.slice, plan.identity, plan._scatters = slice(0, plan.size, 1), True, 0
        return plan

    def _born_there(self, index: Any) -> None:
        """Take over an index that was found on a GPU; the host's is made when asked for."""
        from .._backend.gpu import structure

        index = namespace(index).ascontiguousarray(index.astype(self.integers, copy=False).ravel())
        self.index_size = index.size
        self.slice = structure.slice_of(index)
        if self.slice is None:
            self.born = structure.settled(index)

    @property
    def few(self) -> bool:
        """Whether it takes a small part of the vector."""
        return self.index_size * FEW <= self.size

    @property
    def integers(self) -> type:
        """The dtype of the index."""
        return np.int32 if self.size < 2**31 else np.int64

    @cached_property
    def index(self) -> np.ndarray:
        """Where each entry of the result comes from."""
        if self.born is not None:
            return self.born.get()
        return np.ascontiguousarray(np.arange(self.size, dtype=self.integers)[self.slice])

    def scatter(self, x: np.ndarray) -> np.ndarray:
        """``out[index[k]] += x[k]`` of a vector."""
        if self.slice is not None:
            out = namespace(x).zeros(self.size, x.dtype)
            out[self.slice] = x
            return out
        if type(x) is not np.ndarray:
            return backend(x).scatter(x, self)
        self._scatters += 1
        if self._scatters > 1 and self.inverse is not None:  # a map that is used again
            return take(x, self.inverse)
        return backend(x).scatter_add(x, self.index, self.size)

    @cached_property
    def inverse(self) -> np.ndarray | None:
        """Which k goes to each place, -1 for none; None if several go to one, or to few any."""
        n = self.index.size
        if 2 * n < self.size or n >= 2**31:
            return None
        kept = np.flatnonzero(self.index >= 0).astype(np.int32)
        inverse = np.full(self.size, -1, np.int32)
        inverse[self.index[kept]] = kept
        return inverse if np.array_equal(inverse[self.index[kept]], kept) else None


def _as_slice(index: np.ndarray) -> slice | None:
    """The slice that selects the same as an index of places, if there is one."""
    if not index.size or index[0] < 0:
        return None
    first, step = int(index[0]), int(index[1]) - int(index[0]) if index.size > 1 else 1
    last = first + step * (index.size - 1)
    if step == 0 or last < 0 or int(index[-1]) != last or not (np.diff(index) == step).all():
        return None
    end = last + (1 if step > 0 else -1)
    return slice(first, end if end >= 0 else None, step)


def take(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """``x[index]`` of a vector, zero where the index is negative."""
    if x.dtype.char in "fdFD" and index.size:
        from .._backend.entrywise import gather

        return gather(x, index)
    if not x.size:
        return np.zeros(index.size, x.dtype)
    out = x.take(index, mode="clip")
    out[index < 0] = 0
    return out


def _in_shape(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`x.reshape`, but `x` itself if that is all: an array of its own, not a view of one."""
    return x if x.shape == shape else x.reshape(shape)


@primitive(wrt=("x",))
def gather(x, plan):
    """``x[plan.index]`` of the flattened `x`, zero where the index is -1."""
    if plan.identity:
        return _in_shape(x if type(x) is np.ndarray else private(x), plan.out_shape)
    x = _in_shape(x, (plan.size,))
    if plan.slice is not None:
        out = x[plan.slice].copy()
    else:
        out = take(x, plan.index) if type(x) is np.ndarray else backend(x).gather(x, plan)
    return _in_shape(out, plan.out_shape)


@primitive(wrt=("x",))
def scatter(x, plan):
    """The transpose of `gather`: ``out[plan.index[k]] += x[k]``. All reductions come here."""
    if plan.identity:
        return _in_shape(x if type(x) is np.ndarray else private(x), plan.in_shape)
    return _in_shape(plan.scatter(x.reshape(-1)), plan.in_shape)


@gather.vjp("x")
def _(g, ans, x, plan):
    return scattered(g, plan) if plan.few and type(getval(g)) is np.ndarray else scatter(g, plan)


@scatter.vjp("x")
def _(g, ans, x, plan):
    return gather(g, plan)


@autograd_primitive
def scattered(g, plan):
    """The same as `scatter`, to be added to the cotangent that is there already.

    Many small slices of one large matrix then cost what they have, and not each a large array.
    """

    def add_to(out):
        flat = out.reshape(-1)  # a view of what autograd made, unless it has another order
        if plan.slice is not None:
            flat[plan.slice] += g.reshape(-1)
        else:
            backend(g).scatter_add_to(flat, g.reshape(-1), plan.index)
        return flat.reshape(out.shape)

    space = ComplexArrayVSpace if g.dtype.kind == "c" else ArrayVSpace
    return SparseObject(space(np.broadcast_to(g.dtype.type(0), plan.in_shape)), add_to)


defvjp(scattered, lambda ans, g, plan: lambda t: gather(t, plan))
defjvp(scattered, lambda t, ans, g, plan: scattered(t, plan))


gather.linear("x")
scatter.linear("x")
gather.keeps()
scatter.keeps()


@primitive(wrt=("parts",))
def pool(*parts):
    """All parts, flattened, one after the other."""
    xp = namespace(*parts)
    if xp is not np:
        parts = tuple(xp.asarray(p) if np.ndim(p) == 0 else p for p in parts)
    return xp.concatenate([xp.ravel(p) for p in parts])


pool.keeps()


@pool.joint_vjp
def _(positions, g, ans, *parts):
    return split(g, [anp.shape(p) for p in parts], positions)


def split(x: Any, shapes: Sequence[tuple[int, ...]], wanted: Sequence[int]) -> list[Any]:
    """Those parts, by number, of a vector that is made of parts of these shapes."""
    ends = list(accumulate(map(math.prod, shapes)))
    if type(x) is np.ndarray or type(x) in DEVICE_ARRAYS:
        return [
            x[ends[i] - math.prod(shape) : ends[i]].reshape(shape) if shape else x[ends[i] - 1]
            for i, shape in zip(wanted, map(shapes.__getitem__, wanted))
        ]
    return [
        anp.reshape(x[ends[i] - math.prod(shape) : ends[i]], shape) if shape else x[ends[i] - 1]
        for i, shape in zip(wanted, map(shapes.__getitem__, wanted))
    ]


@pool.joint_jvp
def _(positions, tangents, ans, *parts):
    return pool(*_with_zeros(positions, tangents, parts))


def _with_zeros(positions: Sequence[int], tangents: Sequence[Any], parts: Sequence[Any]) -> list:
    """Tangents of all parts, zero for those that have none."""
    given = dict(zip(positions, tangents))
    xp = namespace(*map(getval, parts))
    return [
        given[i] if i in given else xp.zeros(anp.shape(p), anp.result_type(p))
        for i, p in enumerate(parts)
    ]


class Places(NamedTuple):
    """Where several parts, each at places in regular steps, go in a result."""

    maps: list[Gather]  # result -> part
    shape: tuple[int, ...]
    full: bool  # no place of the result is left out

    @staticmethod
    def of(plan: Gather, shapes: Sequence[tuple[int, ...]]) -> Places | None:
        """Those of a map from the pool of the parts, if all steps are regular."""
        inverse = plan.inverse
        if inverse is None:
            return None
        ends = list(accumulate(map(math.prod, shapes)))
        parts = np.split(inverse, ends[:-1])
        if any(part.size and _as_slice(part) is None for part in parts):
            return None
        maps = [Gather(part, plan.out_shape, shape) for part, shape in zip(parts, shapes)]
        return Places(maps, plan.out_shape, plan.size == plan.index.size)


@primitive(wrt=("parts",))
def place(places, *parts):
    """Each part at its places, zero elsewhere."""
    dtype = np.result_type(*parts)
    xp = namespace(*parts)
    out = (xp.empty if places.full else xp.zeros)(math.prod(places.shape), dtype)
    for part, plan in zip(parts, places.maps):
        if plan.slice is not None:
            out[plan.slice] = xp.ravel(part) if np.ndim(part) else part
    return _in_shape(out, places.shape)


place.keeps()


@place.joint_vjp
def _(positions, g, ans, places, *parts):
    return [gather(g, places.maps[i - 1]) for i in positions]  # 0 is `places`


@place.joint_jvp
def _(positions, tangents, ans, places, *parts):
    return place(places, *_with_zeros([i - 1 for i in positions], tangents, parts))
