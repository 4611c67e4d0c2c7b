"""Structural operations as gathers, found by position tags.

Where every entry of a result is a copy of an entry of an operand, SciPy's own operation is run
once on operands whose entries are 1, 2, 3, ...: the tags in the result say where each entry came
from (0: from nowhere). The map is the rule: forward ``x[index]``, reverse scatter-add. So the
value's structure, format, class, warnings and errors are SciPy's, and one pair of primitives
serves indexing, stacking, conversion, transposition, construction and assignment alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
from autograd.core import SparseObject
from autograd.extend import defjvp, defvjp
from autograd.extend import primitive as autograd_primitive
from autograd.numpy.numpy_vspaces import ArrayVSpace, ComplexArrayVSpace

from .._backend import backend
from .device import namespace, one_device
from .engine import cast, getval, primitive
from .layout import DEVICE_ARRAYS
from .pattern import Pattern, entries
from .traced import TracedBase, class_of_ours, entries_of, lift, make

__all__ = [
    "Gather", "arranged", "coalesced", "gather", "ones_like", "paired", "pool", "scatter", "split",
    "transform",
]  # fmt: skip


FEW = 4
"""A map is small if it takes one entry of so many, or fewer."""


class Gather:
    """A map ``out[k] = x[index[k]]``; index -1 gives 0."""

    def __init__(self, index: np.ndarray, in_shape: tuple[int, ...], out_shape: tuple[int, ...]):
        self.in_shape, self.out_shape = in_shape, out_shape
        self.size = math.prod(in_shape)
        index = np.ascontiguousarray(index, dtype=self._integers).reshape(-1)
        self.index_size = index.size
        self.slice = _as_slice(index)
        self.identity = index.size == self.size and self.slice == slice(0, self.size, 1)
        if self.slice is None:
            self.index = index  # else made when asked for
        self._scatters = 0

    @property
    def few(self) -> bool:
        """Whether it takes a small part of the vector."""
        return self.index_size * FEW <= self.size

    @property
    def _integers(self) -> type:
        return np.int32 if self.size < 2**31 else np.int64

    @cached_property
    def index(self) -> np.ndarray:
        """Where each entry of the result comes from."""
        return np.ascontiguousarray(np.arange(self.size, dtype=self._integers)[self.slice])

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
        return _in_shape(x, plan.out_shape)
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
        return _in_shape(x, plan.in_shape)
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


# ---- transformations -------------------------------------------------------------------------


class _Structure(NamedTuple):
    """A result of tags: the gather map and what the entries are put into."""

    map: Gather | None  # None if there are places
    pattern: Pattern | None  # of a sparse result
    cls: type  # a sparse class, np.ndarray, or np.matrix
    places: Places | None = None  # of several operands, if these are regular


def _operand_key(x: Any) -> Hashable:
    if isinstance(x, TracedBase):
        return x._pattern, x._class
    return anp.shape(x)


def _tagged(x: Any, first: int) -> Any:
    """The operand with its entries replaced by first + 1, first + 2, ..."""
    if isinstance(x, TracedBase):
        return x._pattern.matrix(x._pattern.tags + first, x._class)
    shape = anp.shape(x)
    return np.arange(first + 1, first + 1 + int(np.prod(shape)), dtype=np.int64).reshape(shape)


def ones_like(x: Any) -> Any:
    """The operand with all its entries 1: products of such show structure, and cancel nothing."""
    if isinstance(x, TracedBase):
        return x._pattern.matrix(np.ones(x._pattern.entries_shape, np.int64), x._class)
    return np.ones(anp.shape(x), np.int64)


def _size(x: Any) -> int:
    return x._pattern.size if isinstance(x, TracedBase) else int(np.prod(anp.shape(x)))


def _read(result: Any, in_shape: tuple[int, ...]) -> _Structure:
    """The structure that a result of tags shows."""
    if hasattr(result, "format"):
        tags = entries(result)
        pattern = Pattern.of(result)  # its index arrays may be those that a user gave
        return _Structure(
            Gather(tags - 1, in_shape, tags.shape), pattern, class_of_ours(type(result))
        )
    cls = np.matrix if isinstance(result, np.matrix) else np.ndarray
    tags = np.asarray(result)
    return _Structure(Gather(tags.ravel() - 1, in_shape, tags.shape), None, cls)


def _plans(operands: Sequence[Any]) -> Pattern:
    """The pattern on which a plan for these operands is kept."""
    return next((x._pattern for x in operands if isinstance(x, TracedBase)), _NO_OPERAND)


def transform(
    operation: Callable, operands: Sequence[Any], key: Hashable, *, duplicates: bool = False
) -> Any:
    """The result of ``operation(*operands)``, which only moves entries.

    `operands` are traced sparse matrices and dense arrays; `key` names the operation together with
    everything but the operands that it depends on (None: not to be remembered). Duplicate entries
    are summed before, unless `duplicates` says that the operation leaves them alone.
    """
    if not duplicates:
        operands = [coalesced(x) if isinstance(x, TracedBase) else x for x in operands]

    def build():
        first, tagged = 0, []
        for x in operands:
            tagged.append(_tagged(x, first))
            first += _size(x)
        if len(operands) == 1:
            return _read(operation(*tagged), _data(operands[0]).shape)
        structure = _read(operation(*tagged), (first,))
        shapes = [anp.shape(_data(x)) for x in operands]
        places = Places.of(structure.map, shapes)
        return structure if places is None else structure._replace(map=None, places=places)

    if key is None:
        structure = build()
    else:
        whole_key = (key, *map(_operand_key, operands))
        structure = _plans(operands).plan(whole_key, build)
    if len(operands) == 1:
        return finish(gather(_data(operands[0]), structure.map), structure)
    parts = [_data(x) for x in operands]
    dtype = np.result_type(*map(anp.result_type, parts))
    parts = [p if anp.result_type(p) == dtype else cast(p, dtype) for p in parts]
    if structure.places is not None:
        return finish(place(structure.places, *parts), structure)
    return finish(gather(pool(*parts), structure.map), structure)


def arranged(operation: Callable, x: Any) -> Any:
    """``operation(x)`` of a constructor, which mostly takes the array x over as its entries.

    Where it does, no tags are needed, and the entries are x itself.
    """
    probe = np.empty(anp.shape(x), np.int64)  # which nobody reads or writes
    result = operation(probe)
    taken = entries(result)
    if not (
        taken is probe
        or (taken.shape == probe.shape and taken.__array_interface__ == probe.__array_interface__)
    ):
        return transform(operation, [x], None, duplicates=True)
    return make(Pattern.of(result), x, class_of_ours(type(result)))


def paired(operation: Callable, A: Any, B: Any, key: Hashable) -> Any:
    """The result of ``operation(A, B)``, whose entries are products of one entry of each."""
    A, B = (coalesced(x) if isinstance(x, TracedBase) else x for x in (A, B))

    def build():
        left = _read(operation(_tagged(A, 0), ones_like(B)), _data(A).shape)
        right = _read(operation(ones_like(A), _tagged(B, 0)), _data(B).shape)
        return left, right.map

    whole_key = (key, _operand_key(A), _operand_key(B))
    structure, right = _plans((A, B)).plan(whole_key, build)
    one_device(_data(A), _data(B))
    return finish(gather(_data(A), structure.map) * gather(_data(B), right), structure)


def finish(data: Any, structure: _Structure) -> Any:
    """Put the entries of a result into what the structure says."""
    if structure.pattern is not None:
        return make(structure.pattern, data, structure.cls)
    if structure.cls is np.matrix:
        from .npmatrix import as_npmatrix

        return as_npmatrix(data)
    return data


def _data(x: Any) -> Any:
    return entries_of(x) if isinstance(x, TracedBase) else x


def coalesced(A: TracedBase) -> TracedBase:
    """`A` with duplicate entries summed, as SciPy's `sum_duplicates` leaves it."""
    p = A._pattern
    if not p.duplicated:
        return A

    def build():
        B = p.view(np.ones(p.entries_shape)).copy()
        B.sum_duplicates()
        q = Pattern.of(B, own=True)
        order = np.argsort(q.flat, kind="stable")
        index = np.full(p.size, -1, np.intp)
        inside = slice(None) if p.inside is None else p.inside
        positions = order[np.searchsorted(q.flat, p.flat, sorter=order)]
        index[inside] = positions if q.inside is None else q.inside[positions]
        return q, Gather(index, q.entries_shape, p.entries_shape)

    q, plan = p.plan("coalesced", build)
    return lift(make(q, scatter(entries_of(A), plan), A._class))


_NO_OPERAND = Pattern(sps.coo_array((0, 0)), (), (0,))
"""Keeps the plans of operations that have no sparse operand (`diags`, constructors)."""
