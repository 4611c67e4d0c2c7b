"""Numbers read from traced arrays, and linear combinations of them, without a node for each.

A finite-element loop, ``K[i, j] += E[e] * KE[a, b]``, makes three numbers per line. For autograd
each is a node of the graph, which costs several times what SciPy's assignment does. Here ``E[e]``
is an `Element`, which remembers array and place, and what sums, differences and constant factors
make of such numbers is a `Combination`, which remembers its terms. Both are ArrayBoxes; their node
is made, by autograd's own operations, when somebody asks for it. Who takes many of them at once (an
assembled matrix, a list of entries) asks for none, and makes one for all (`collect`).

Nothing but the cost differs from an ArrayBox with a node. Values are computed at once, terms do not
change, factors are plain numbers. An array whose value is itself traced, in a nested derivative, is
read as autograd reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import autograd.numpy as anp
import numpy as np

from .engine import ARRAY_BOXES, ArrayBox, Box, box_types, cast

TERMS = 64
"""The longest sum without a node. A bound, so that work stays linear when partial sums are used."""

_NUMBERS = frozenset((float, int, np.float64))
WHOLE = frozenset((int, np.int64, np.int32))
"""Types of an index of one number."""
SCALARS = frozenset((np.float64, np.float32, np.complex128, np.complex64))
_new = object.__new__
_node = Box._node  # the slot, which a property hides below


# ---- numbers whose node is made late ---------------------------------------------------------


class Deferred(ArrayBox):
    """An ArrayBox, of one number, whose node is made when it is asked for."""

    __slots__ = ()

    def _made_node(self) -> Any:
        try:
            return _node.__get__(self)
        except AttributeError:
            node = self._make_node()
            _node.__set__(self, node)
            return node

    _node = property(_made_node, _node.__set__)

    def _make_node(self) -> Any:
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        if type(other) in _NUMBERS:
            return _scaled(self, 1.0, self._value + other)
        total = _sum(self, other, 1.0)
        return _by_autograd("__add__", self, other) if total is None else total

    def __radd__(self, other: Any) -> Any:
        if type(other) in _NUMBERS:
            value = other + self._value
            if not other and self._value and type(value) is type(self._value):
                return self  # the first `+=` into a place of a matrix
            return _scaled(self, 1.0, value)
        total = _sum(self, other, 1.0)
        return _by_autograd("__radd__", self, other) if total is None else total

    def __sub__(self, other: Any) -> Any:
        if type(other) in _NUMBERS:
            return _scaled(self, 1.0, self._value - other)
        total = _sum(self, other, -1.0)
        return _by_autograd("__sub__", self, other) if total is None else total

    def __rsub__(self, other: Any) -> Any:
        if type(other) in _NUMBERS:
            return _scaled(self, -1.0, other - self._value)
        return _by_autograd("__rsub__", self, other)

    def __neg__(self) -> Any:
        return _scaled(self, -1.0, -self._value)

    def __mul__(self, other: Any) -> Any:
        if type(other) in _NUMBERS:
            product = _scaled(self, other, self._value * other)
            if product is not None:
                return product
        return _by_autograd("__mul__", self, other)

    def __rmul__(self, other: Any) -> Any:
        if type(other) in _NUMBERS:
            product = _scaled(self, other, other * self._value)
            if product is not None:
                return product
        return _by_autograd("__rmul__", self, other)

    def __truediv__(self, other: Any) -> Any:
        if type(other) in _NUMBERS and other:
            quotient = _scaled(self, 1.0 / other, self._value / other)
            if quotient is not None:
                return quotient
        return _by_autograd("__truediv__", self, other)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if len(inputs) == 2 and type(inputs[0]) is np.float64 and not kwargs:
            reflected = _REFLECTED.get(ufunc)
            if reflected is not None and method == "__call__":
                return reflected(self, inputs[0])
        return ArrayBox.__array_ufunc__(self, ufunc, method, *inputs, **kwargs)


_REFLECTED = {
    np.add: Deferred.__radd__, np.multiply: Deferred.__rmul__, np.subtract: Deferred.__rsub__,
}  # fmt: skip


class Element(Deferred):
    """One element of a traced array."""

    __slots__ = ("_index", "_source")

    def _make_node(self) -> Any:
        return _read(self._source, self._index)._node


class Combination(Deferred):
    """``scale * root + rest + a constant``; a root is an Element or an ArrayBox of one number."""

    __slots__ = ("_count", "_rest", "_root", "_scale")

    def _make_node(self) -> Any:
        total = None
        for x, scale in [*_terms(self)][::-1]:
            part = x if scale == 1.0 else anp.multiply(x, scale)
            total = part if total is None else anp.add(total, part)
        if type(total._value) is not type(self._value):  # see `as_deferred`
            total = cast(total, self._value.dtype)
        return total._node


DEFERRED = frozenset((Element, Combination))


def _terms(x: Any) -> Iterator[tuple[ArrayBox, float]]:
    """Roots and factors, from the last term to the first."""
    while type(x) is Combination:
        yield x._root, x._scale
        x = x._rest
    if x is not None:
        yield x, 1.0


def _count(x: ArrayBox) -> int:
    return x._count if type(x) is Combination else 1


def combination(value: Any, root: Any, scale: float, rest: Any, count: int) -> Combination:
    new = _new(Combination)
    new._value, new._trace = value, root._trace
    new._root, new._scale, new._rest, new._count = root, scale, rest, count
    return new


def _scaled(x: Deferred, factor: Any, value: Any) -> Combination | None:
    """`factor` times the terms of x, as a number of the given value.

    None if a product of factors comes near the ends of the range of floating-point numbers: one
    factor after the other, as autograd has it, may be right where their product is not.
    """
    factor = float(factor)
    if type(x) is Element:
        if 1e-100 < abs(factor) < 1e100 or factor == 0.0:
            return combination(value, x, factor, None, 1)
        return None
    rest = None
    for count, (root, scale) in enumerate([*_terms(x)][::-1], 1):
        product = scale * factor
        if not (1e-100 < abs(product) < 1e100 or factor == 0.0 or scale == 0.0):
            return None
        rest = combination(value, root, product, rest, count)
    return rest


def _sum(x: Deferred, y: Any, sign: float) -> Combination | None:
    """x + sign * y, or None if that is better left to autograd."""
    t = type(y)
    if not (t in DEFERRED or (t is ArrayBox and type(y._value) in SCALARS)):
        return None
    count = _count(x) + _count(y)
    if y._trace != x._trace or count > TERMS:
        return None
    value = x._value + y._value if sign > 0 else x._value - y._value
    if t is not Combination:
        return combination(value, y, sign, x, count)
    if y._rest is None:
        return combination(value, y._root, sign * y._scale, x, count)
    total: Any = x
    for root, scale in [*_terms(y)][::-1]:
        total = combination(value, root, sign * scale, total, _count(total) + 1)
    return total


def _by_autograd(name: str, x: Deferred, other: Any) -> Any:
    """ArrayBox's operator; other kinds of traced arrays answer first, as they do beside one."""
    t = type(other)
    others = t in box_types and t not in DEFERRED and t is not ArrayBox
    if others and issubclass(t, ArrayBox) and not name.startswith("__r"):
        return NotImplemented
    return getattr(ArrayBox, name)(x, other)


# ---- reading ---------------------------------------------------------------------------------

_read = ArrayBox.__getitem__


def _getitem(A: ArrayBox, index: Any) -> Any:
    """``A[index]``: an Element where that is one number."""
    value = A._value
    if type(value) is np.ndarray:
        if type(index) is tuple:
            for i in index:
                if type(i) not in WHOLE:
                    return _read(A, index)
        elif type(index) not in WHOLE:
            return _read(A, index)
        number = value[index]
        if type(number) in SCALARS:
            new = _new(Element)
            new._value, new._trace = number, A._trace
            new._source, new._index = A, index
            return new
    return _read(A, index)


def is_number(x: Any) -> bool:
    """Whether x is a traced number, with a value that is not traced itself."""
    t = type(x)
    return t in DEFERRED or (t is ArrayBox and type(x._value) in SCALARS)


def as_deferred(x: Any, value: Any = None) -> Deferred:
    """The number x, with the same derivative, so that sums with it need no node.

    `value`: its value in another dtype.
    """
    if type(x) is ArrayBox:
        return combination(x._value if value is None else value, x, 1.0, None, 1)
    return x if value is None else _scaled(x, 1.0, value)  # type: ignore[return-value]


ArrayBox.__getitem__ = _getitem
for _cls in DEFERRED:
    box_types.add(_cls)
    ARRAY_BOXES.add(_cls)
    Box.type_mappings[_cls] = ArrayBox
