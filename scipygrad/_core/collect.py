"""Many traced numbers as one array, with one node.

`Numbers` are numbers taken apart; `collect` makes the array. A number is what `is_number` says, or
plain. `autograd.numpy.array` of a list of such numbers makes its array this way, too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd.numpy import numpy_wrapper

from .device import contains_device, on_device
from .elements import DEFERRED, Combination, Element, combination, is_number
from .engine import ARRAY_BOXES, ArrayBox, cast, contains_traced, isbox, primitive
from .layout import DEVICE_ARRAYS
from .tags import Gather, gather, pool, scatter, split

_PLAIN_NUMBER = (int, float, complex, np.number)


class Numbers:
    """Numbers taken apart: of which elements of which arrays each is the sum, with what factors.

    Unlike as many Combinations this is no work for Python's garbage collector.
    """

    def __init__(self, numbers: Sequence[Any], dtype: Any = None) -> None:
        self.sources: list[Any] = []
        known: dict[int, int] = {}  # which source, by its node
        rows: list[int] = []
        which: list[int] = []
        flat: list[int] = []
        scales: list[float] = []
        latest, k, shape = None, 0, ()
        for row, x in enumerate(numbers):
            while type(x) in ARRAY_BOXES:
                if type(x) is Combination:
                    root, scale, x = x._root, x._scale, x._rest
                else:
                    root, scale, x = x, 1.0, None
                source = root._source if type(root) is Element else root
                if source is not latest:
                    latest, shape = source, np.shape(source._value)
                    k = known.setdefault(id(source._node), len(known))
                    if k == len(self.sources):
                        self.sources.append(source)
                rows.append(row)
                which.append(k)
                flat.append(0 if source is root else _flat(root._index, shape))
                scales.append(scale)
        self.rows, self.which = np.array(rows, np.intp), np.array(which, np.intp)
        self.flat, self.scales = np.array(flat, np.intp), np.array(scales)
        self.values = np.array([x._value if type(x) in ARRAY_BOXES else x for x in numbers], dtype)

    def __getitem__(self, row: int) -> Any:
        """One of the numbers, put together again."""
        value = self.values[row]
        x, count = None, 0
        for t in range(*np.searchsorted(self.rows, (row, row + 1)).tolist()):
            source = self.sources[self.which[t]]
            root, count = source, count + 1
            if np.shape(source._value):
                index = np.unravel_index(self.flat[t], source._value.shape)
                root = source[tuple(map(int, index))]
            x = combination(value, root, float(self.scales[t]), x, count)
        return value if x is None else x


class _Terms(NamedTuple):
    """``out[rows[k]] += scales[k] * x[places[k]]``; x: all elements of all sources in a row."""

    rows: Gather
    places: Gather
    scales: np.ndarray
    shapes: list[tuple[int, ...]]  # of the sources


def collect(groups: Sequence[Numbers]) -> Any:
    """The vector of all these numbers, with one node."""
    known: dict[int, int] = {}
    sources: list[Any] = []
    shapes: list[tuple[int, ...]] = []
    starts: list[int] = []
    size = 0
    which = []
    for numbers in groups:
        here = []
        for source in numbers.sources:
            k = known.setdefault(id(source._node), len(known))
            if k == len(sources):
                sources.append(source)
                shapes.append(np.shape(source._value))
                starts.append(size)
                size += math.prod(shapes[-1])
            here.append(starts[k])
        which.append(np.array(here, np.intp)[numbers.which])
    lengths = [len(numbers.values) for numbers in groups]
    begins = np.cumsum(lengths) - lengths
    rows = np.concatenate([numbers.rows + b for numbers, b in zip(groups, begins)])
    places = np.concatenate([numbers.flat + w for numbers, w in zip(groups, which)])
    scales = np.concatenate([numbers.scales for numbers in groups])
    n, m = sum(lengths), len(rows)
    terms = _Terms(Gather(rows, (n,), (m,)), Gather(places, (size,), (m,)), scales, shapes)
    return combine(np.concatenate([numbers.values for numbers in groups]), terms, *sources)


def _flat(index: Any, shape: tuple[int, ...]) -> int:
    """Row-major position of the element at `index`."""
    if type(index) is not tuple:
        return index if index >= 0 else index + shape[0]
    place = 0
    for i, n in zip(index, shape):
        place = place * n + (i if i >= 0 else i + n)
    return place


def array_of(x: Any) -> Any:
    """x as an array, or a traced number; traced if x is, or has traced numbers in it."""
    t = type(x)
    if t is list or t is tuple:
        return _stacked(x) if contains_traced(x) else np.asarray(x)
    if isbox(x):
        return x if isinstance(x, ArrayBox) else anp.array(x)
    if t in DEVICE_ARRAYS:
        return x
    x = np.asarray(x)
    if x.dtype.hasobject and contains_traced((x,)):
        return anp.reshape(_stacked(x.ravel().tolist()), x.shape)
    return x


def _stacked(x: Sequence[Any]) -> Any:
    kinds = set(map(type, x))
    if kinds <= DEFERRED or all(is_number(v) or isinstance(v, _PLAIN_NUMBER) for v in x):
        return collect([Numbers(x)])
    return _joined(x) if DEVICE_ARRAYS and contains_device(x) else _array(x)


@primitive(wrt=("sources",))
def combine(values, terms, *sources):
    """The `values` that linear combinations of elements of the sources have."""
    return values


@combine.joint_vjp
def _(positions, g, ans, values, terms, *sources):
    pooled = scatter(gather(g, terms.rows) * terms.scales, terms.places)
    return split(pooled, terms.shapes, [i - 2 for i in positions])


@combine.joint_jvp
def _(positions, tangents, ans, values, terms, *sources):
    given = dict(zip(positions, tangents))
    parts = (given[i] if i in given else np.zeros(s) for i, s in enumerate(terms.shapes, 2))
    t = scatter(gather(pool(*parts), terms.places) * terms.scales, terms.rows)
    return t if anp.result_type(t) == ans.dtype else cast(t, ans.dtype)


# ---- autograd.numpy.array --------------------------------------------------------------------

_array = anp.array


@functools.wraps(_array)
def array(A, *args, **kwargs):
    """autograd.numpy.array, of numbers read from traced arrays with one node."""
    if type(A) is list and not args and not kwargs and not DEFERRED.isdisjoint(map(type, A)):
        return _stacked(A)
    if DEVICE_ARRAYS and contains_device((A,)):
        made = _joined(A)
        missing = kwargs.pop("ndmin", 0) - anp.ndim(made)
        if missing > 0:
            made = anp.reshape(made, (1,) * missing + anp.shape(made))
        kwargs.pop("copy", None)
        dtype = args[0] if args else kwargs.get("dtype")
        return made if dtype is None else cast(made, dtype)
    return _array(A, *args, **kwargs)


def _joined(A: Any) -> Any:
    """Arrays on a GPU, in lists of any depth, as one array there; numbers may be the host's."""
    if not isinstance(A, (list, tuple)):
        return A * 1 if on_device(A) else A
    parts = [_joined(x) if contains_device((x,)) else array(x) for x in A]
    shape = next(anp.shape(x) for x in parts if on_device(x))
    if any(anp.shape(x) != shape for x in parts):
        raise ValueError(f"array: {[anp.shape(x) for x in parts]} are not shapes of one array")
    dtype = np.result_type(*map(anp.result_type, parts))
    parts = [x if anp.result_type(x) == dtype else cast(x, dtype) for x in parts]
    return anp.reshape(pool(*parts), (len(parts), *shape))


anp.array = numpy_wrapper.array = array
