"""Structural operations as gathers, found by position tags.

Where every entry of a result is a copy of an entry of an operand, SciPy's own operation is run
once on operands whose entries are 1, 2, 3, ...: the tags in the result say where each entry came
from (0: from nowhere). The map is the rule: forward ``x[index]``, reverse scatter-add. So the
value's structure, format, class, warnings and errors are SciPy's, and one pair of primitives
(`gathers`) serves indexing, stacking, conversion, transposition, construction and assignment alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .device import one_device, there
from .engine import cast
from .gathers import Gather, Places, gather, place, pool, scatter, split, take
from .pattern import Pattern, entries
from .traced import TracedBase, class_of_ours, entries_of, lift, make

__all__ = [
    "Gather", "arranged", "coalesced", "gather", "ones_like", "paired", "pool", "scatter", "split",
    "take", "transform",
]  # fmt: skip


class Structure(NamedTuple):
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


def _read(result: Any, in_shape: tuple[int, ...]) -> Structure:
    """The structure that a result of tags shows."""
    if hasattr(result, "format"):
        tags = entries(result)
        pattern = Pattern.of(result)  # its index arrays may be those that a user gave
        return Structure(
            Gather(tags - 1, in_shape, tags.shape), pattern, class_of_ours(type(result))
        )
    cls = np.matrix if isinstance(result, np.matrix) else np.ndarray
    tags = np.asarray(result)
    return Structure(Gather(tags.ravel() - 1, in_shape, tags.shape), None, cls)


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
        if there(operands[0]):
            from ..sparse import _device_plans

            structure = _device_plans.found(key, operands)
            if structure is not None:
                return structure
        first, tagged = 0, []
        for x in operands:
            tagged.append(_tagged(x, first))
            first += _size(x)
        if len(operands) == 1:
            return _read(operation(*tagged), _data(operands[0]).shape)
        structure = _read(operation(*tagged), (first,))
        if key is None:  # used once, so that looking for places costs more than it saves
            return structure
        shapes = [anp.shape(_data(x)) for x in operands]
        places = Places.of(structure.map, shapes)
        return structure if places is None else structure._replace(map=None, places=places)

    if key is None:
        structure = build()
    else:
        whole_key = (key, there(operands[0]), *map(_operand_key, operands))
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
        if there(A):
            from ..sparse import _device_plans

            maps = _device_plans.found_of_two(key, A, B)
            if maps is not None:
                return maps
        left = _read(operation(_tagged(A, 0), ones_like(B)), _data(A).shape)
        right = _read(operation(ones_like(A), _tagged(B, 0)), _data(B).shape)
        return left, right.map

    whole_key = (key, there(A), _operand_key(A), _operand_key(B))
    structure, right = _plans((A, B)).plan(whole_key, build)
    one_device(_data(A), _data(B))
    return finish(gather(_data(A), structure.map) * gather(_data(B), right), structure)


def finish(data: Any, structure: Structure) -> Any:
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
        if there(A):
            from ..sparse import _device_plans

            maps = _device_plans.coalescing(p)
            if maps is not None:
                return maps
        B = p.view(np.ones(p.entries_shape)).copy()
        B.sum_duplicates()
        q = Pattern.of(B, own=True)
        order = np.argsort(q.flat, kind="stable")
        index = np.full(p.size, -1, np.intp)
        inside = slice(None) if p.inside is None else p.inside
        positions = order[np.searchsorted(q.flat, p.flat, sorter=order)]
        index[inside] = positions if q.inside is None else q.inside[positions]
        return q, Gather(index, q.entries_shape, p.entries_shape)

    q, plan = p.plan(("coalesced", there(A)), build)
    return lift(make(q, scatter(entries_of(A), plan), A._class))


_NO_OPERAND = Pattern(sps.coo_array((0, 0)), (), (0,))
"""Keeps the plans of operations that have no sparse operand (`diags`, constructors)."""
