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
from itertools import accumulate
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._backend import backend
from .engine import cast, primitive
from .pattern import Pattern, entries
from .traced import TracedBase, class_of_ours, entries_of, lift, make

__all__ = [
    "Gather", "coalesced", "gather", "ones_like", "paired", "pool", "scatter", "split",
    "transform",
]  # fmt: skip


class Gather:
    """A map ``out[k] = x[index[k]]``; index -1 gives 0."""

    def __init__(self, index: np.ndarray, in_shape: tuple[int, ...], out_shape: tuple[int, ...]):
        self.index = np.ascontiguousarray(index, dtype=np.intp).reshape(-1)
        self.in_shape, self.out_shape = in_shape, out_shape
        self.size = int(np.prod(in_shape, dtype=np.intp))
        n = self.index.size
        self.identity = n == self.size and bool((self.index == np.arange(n)).all())
        self.padding = np.flatnonzero(self.index < 0)


@primitive(wrt=("x",))
def gather(x, plan):
    """``x[plan.index]`` of the flattened `x`, zero where the index is -1."""
    if plan.identity:
        return x.reshape(plan.out_shape)
    if plan.size == 0:
        return np.zeros(plan.out_shape, x.dtype)
    out = x.reshape(-1).take(plan.index)
    out[plan.padding] = 0
    return out.reshape(plan.out_shape)


@primitive(wrt=("x",))
def scatter(x, plan):
    """The transpose of `gather`: ``out[plan.index[k]] += x[k]``. All reductions come here."""
    if plan.identity:
        return x.reshape(plan.in_shape)
    out = backend(x).scatter_add(x.reshape(-1), plan.index, plan.size)
    return out.reshape(plan.in_shape)


@gather.vjp("x")
def _(g, ans, x, plan):
    return scatter(g, plan)


@scatter.vjp("x")
def _(g, ans, x, plan):
    return gather(g, plan)


gather.linear("x")
scatter.linear("x")


@primitive(wrt=("parts",))
def pool(*parts):
    """All parts, flattened, one after the other."""
    return np.concatenate([np.ravel(p) for p in parts])


@pool.joint_vjp
def _(positions, g, ans, *parts):
    return split(g, [anp.shape(p) for p in parts], positions)


def split(x: Any, shapes: Sequence[tuple[int, ...]], wanted: Sequence[int]) -> list[Any]:
    """Those parts, by number, of a vector that is made of parts of these shapes."""
    ends = list(accumulate(map(math.prod, shapes)))
    if type(x) is np.ndarray:
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
    given = dict(zip(positions, tangents))
    zeros = (np.zeros(anp.shape(p), anp.result_type(p)) for p in parts)
    return pool(*(given.get(i, zero) for i, zero in enumerate(zeros)))


# ---- transformations -------------------------------------------------------------------------


class _Structure(NamedTuple):
    """A result of tags: the gather map and what the entries are put into."""

    map: Gather
    pattern: Pattern | None  # of a sparse result
    cls: type  # a sparse class, np.ndarray, or np.matrix


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
        pattern = Pattern.of(result, own=True)
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
        shape = _data(operands[0]).shape if len(operands) == 1 else (first,)
        return _read(operation(*tagged), shape)

    if key is None:
        structure = build()
    else:
        whole_key = (key, *map(_operand_key, operands))
        structure = _plans(operands).plan(whole_key, build)
    if len(operands) == 1:
        data = _data(operands[0])
    else:
        parts = [_data(x) for x in operands]
        dtype = np.result_type(*map(anp.result_type, parts))
        data = pool(*(p if anp.result_type(p) == dtype else cast(p, dtype) for p in parts))
    return finish(gather(data, structure.map), structure)


def paired(operation: Callable, A: Any, B: Any, key: Hashable) -> Any:
    """The result of ``operation(A, B)``, whose entries are products of one entry of each."""
    A, B = (coalesced(x) if isinstance(x, TracedBase) else x for x in (A, B))

    def build():
        left = _read(operation(_tagged(A, 0), ones_like(B)), _data(A).shape)
        right = _read(operation(ones_like(A), _tagged(B, 0)), _data(B).shape)
        return left, right.map

    whole_key = (key, _operand_key(A), _operand_key(B))
    structure, right = _plans((A, B)).plan(whole_key, build)
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
