"""The traced sparse matrix: `TracedBase`, which autograd takes for a Box.

It is a pattern, the traced entries, and the class that it stands for. What autograd asks of a Box
(`_value`, `_trace`, `_node`: a node whose value is a sparse matrix) is made when it asks, by the
primitive `fill`; a matrix that autograd hands out (the argument of a differentiated function, an
element of a tuple, the result of a user's primitive) gets its entries by the primitive
`entries_primitive`. Between our own operations only entries travel.

A matrix is mutable: its state is replaced (`_become`) when it is written to. A lil or dok matrix
under assembly is, besides, a SciPy matrix of tags and the values that the tags stand for
(`scipygrad.sparse._assembly`).
"""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
from autograd.extend import Box, defvjp_argnums

from . import containers, errors, slices
from .capture import capture, lend
from .engine import VSpace, box_types, cast, getval, isbox, primitive
from .layout import DEVICE_ARRAYS, DEVICE_MATRICES, SPARSE_TYPES, TRACED_TYPES, SparseLayout
from .pattern import Pattern, entries

FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
_BOX = ("_value", "_trace", "_node")


class TracedBase(SparseLayout):
    """State of a traced sparse matrix; `scipygrad.sparse._traced` adds the operations."""

    _pattern: Pattern
    _data: Any
    _class: type

    def __getattr__(self, name: str) -> Any:
        d = self.__dict__
        if name in _BOX and "_class" in d:
            box = fill(self._data, self._pattern, self._class, True)
            if isinstance(box, TracedBase):
                d.update({k: box.__dict__[k] for k in _BOX}, _made=True)
            else:  # a constant, of whatever dtype
                d.update(_value=box, _trace=-1, _node=None, _made=True)
            return d[name]
        if name in ("_pattern", "_data") and "_class" in d:
            if "_tags" in d:
                self._read_tags()
            elif "_constant" in d and name == "_pattern":
                d["_pattern"] = Pattern.of(d["_constant"])
            elif "_constant" in d:
                d["_data"] = captured(d["_constant"])
            else:  # both at once: the value may be changed in between
                d["_pattern"] = Pattern.of(plain(d["_value"]))
                d["_data"] = entries_primitive(self, d["_pattern"])
            return d[name]
        return self._other_attribute(name)

    @staticmethod
    def _from_node(value: Any, trace: int, node: Any) -> TracedBase:
        """What autograd's `new_box` calls for a sparse value."""
        cls = class_of(value)
        if value.dtype.kind not in "fc":
            raise TypeError(
                f"Can't differentiate with respect to a sparse matrix of dtype {value.dtype}: its "
                "gradient would be cut to whole numbers. Convert it first: A.astype(float)."
            )
        box = _blank(cls)
        box.__dict__.update(_value=value, _trace=trace, _node=node, _class=cls)
        return box

    def _become(self, other: TracedBase) -> None:
        """Take over the state of `other`: the in-place form of an operation."""
        state = dict(other.__dict__)
        self.__dict__.clear()
        self.__dict__.update(state)

    def _plain(self) -> Any:
        """The numbers, without any trace, as a sparse matrix of the class it stands for."""
        return plain(self)


def _blank(cls: type) -> TracedBase:
    if issubclass(cls, dict):
        return dict.__new__(_concrete["dict"])
    return object.__new__(_concrete["object"])


_concrete: dict[str, type] = {}


def register(kind: str, cls: type) -> None:
    """Make `cls` the Box for sparse values (`kind`: "object", or "dict" for dok)."""
    _concrete[kind] = cls
    TRACED_TYPES.add(cls)
    SPARSE_TYPES.add(cls)
    box_types.add(cls)
    Box.type_mappings[cls] = TracedBase._from_node


def register_class(cls: type) -> None:
    """Let autograd differentiate with respect to values of the sparse class `cls`."""
    Box.type_mappings[cls] = TracedBase._from_node
    VSpace.mappings[cls] = SparseVSpace
    SPARSE_TYPES.add(cls)


# ---- making and taking apart -----------------------------------------------------------------


def make(pattern: Pattern, data: Any, cls: type) -> Any:
    """The sparse matrix with these entries: traced if they are, else plain."""
    if not isbox(data):
        return pattern.matrix(data, cls)
    box = _blank(cls)
    box.__dict__.update(_pattern=pattern, _data=data, _class=cls)
    return box


def entries_of(A: TracedBase) -> Any:
    """The (traced) entries, in the shape of `A.data` (lil, dok: one after the other)."""
    return A._data


def captured(A: Any) -> Any:
    """The entries of a plain matrix, for rules to keep."""
    d = A.__dict__
    return lend(d) if "_data" in d and type(A) in DEVICE_MATRICES else capture(entries(A))


def entries_to_keep(A: TracedBase) -> Any:
    """The same, copied: for a solve, which stays right if A is written to."""
    B = constant(A)
    return copied(entries_of(A)) if B is None else entries(B).copy()


def lift(A: Any) -> TracedBase:
    """`A` itself if traced, else a stand-in with the operations of a traced matrix."""
    if isinstance(A, TracedBase):
        return A
    cls = class_of(A)
    box = _blank(cls)
    box.__dict__.update(_constant=A, _class=cls)
    return box


def constant(A: TracedBase) -> Any:
    """The plain matrix that a stand-in made by `lift` stands for, or None."""
    return A.__dict__.get("_constant")


def become_traced(A: Any, state: TracedBase) -> None:
    """Turn a constant matrix of ours, in place, into the traced one that `state` is."""
    kind = "dict" if isinstance(A, dict) else "object"
    A.__dict__.clear()
    A.__class__ = _concrete[kind]
    A.__dict__.update(state.__dict__)


def plain(x: Any) -> Any:
    """The sparse matrix of numbers behind `x`, at any depth of traces."""
    while isinstance(x, TracedBase):
        d = x.__dict__
        if "_constant" in d:
            return d["_constant"]
        if "_value" not in d or "_made" in d:
            return protected(x._pattern.matrix(getval(x._data), x._class))
        x = d["_value"]
    return x


def protected(A: Any) -> Any:
    """`A`, whose entries are the tape's, so that nobody can write to them: sort them, say."""
    data, scipys = A.__dict__.get("data"), type(A).__module__.startswith("scipy.")
    if type(data) is np.ndarray and A.format != "lil" and not scipys:  # those have a copy
        A.__dict__["data"] = data = data.view()  # our in-place methods copy what is read-only
        data.flags.writeable = False
    return A


def class_of_ours(cls: type) -> type:
    """Our class for SciPy's; any other class is left alone."""
    if cls.__module__.startswith("scipy.sparse"):
        from .. import sparse

        return getattr(sparse, cls.__name__)
    return cls


def class_of(A: Any) -> type:
    """The class that a sparse matrix is of or stands for: on a GPU, its namesake on the host."""
    t = type(A)
    if t in TRACED_TYPES:
        return A._class
    if t in DEVICE_MATRICES:
        from ..sparse._device import host_class

        return host_class(t)
    return t


class Structure(NamedTuple):
    """What a cotangent of a sparse matrix has from it, besides the pattern."""

    dtype: np.dtype
    cls: type


# ---- the two primitives between a sparse matrix and its entries -------------------------------


@primitive(wrt=("A",))
def entries_primitive(A, pattern):
    """The stored entries of a sparse matrix, whose pattern is given; read-only while in use."""
    return captured(A)


def _only_what_it_needs(argnums, ans, args, kwargs):
    """The VJP of `entries_primitive`, that does not keep the entries: they may be written to."""
    (A, pattern), rule = args, entries_primitive.vjps["A"]
    like_A = Structure(A.dtype, class_of(A))
    return lambda g: (rule(g, None, like_A, pattern),)


@primitive(wrt=("data",))
def copied(data):
    """The same entries, in memory of their own."""
    return data.copy() if type(data) in DEVICE_ARRAYS else np.array(data)


@copied.vjp("data")
def _(g, ans, data):
    return g


copied.linear("data")
defvjp_argnums(copied._wrapped, lambda argnums, ans, args, kwargs: lambda g: (g,))  # nor this one


@primitive(wrt=("data",))
def fill(data, pattern, cls, own):
    """The sparse matrix of class `cls` with the entries `data` on a pattern; `own`: with a copy.

    What becomes a result of the differentiated function, or an argument of a user's primitive, is
    theirs to write to. The entries on the tape, and those of an argument, are not.
    """
    return pattern.matrix(copied.value(data) if own else data, cls)


@entries_primitive.vjp("A")
def _(g, ans, A, pattern):
    if getattr(g, "shape", ()) != pattern.entries_shape:  # SciPy's code would read behind it
        raise ValueError(errors.other_shape(anp.shape(g), pattern.entries_shape, "an array"))
    B = fill(g if anp.result_type(g) == A.dtype else cast(g, A.dtype), pattern, A.cls, False)
    return B if isinstance(B, TracedBase) else _noted(B)


defvjp_argnums(entries_primitive._wrapped, _only_what_it_needs)


@entries_primitive.jvp("A")
def _(t, ans, A, pattern):
    return entries_on(t, pattern, tangent=True)


@fill.vjp("data")
def _(g, ans, data, pattern, cls, own):
    return entries_on(g, pattern)


@fill.jvp("data")
def _(t, ans, data, pattern, cls, own):
    return fill(t, pattern, cls, False)


def entries_on(A: Any, pattern: Pattern, tangent: bool = False) -> Any:
    """The entries of a cotangent (or tangent) on a pattern: its own, if nobody made another one."""
    if isinstance(A, TracedBase):
        if pattern.equals(A._pattern):
            return entries_of(A)
    elif _is_on(A, pattern):
        return entries(A)
    from .onto import onto

    return onto(A, pattern, tangent)


# ---- vector space ----------------------------------------------------------------------------

_cotangents: WeakValueDictionary[int, Any] = WeakValueDictionary()
"""What the rule of `entries_primitive` made, and sums with it: nobody else's, until autograd hands
it out, and of the structure of the matrix that was differentiated."""


def _noted(B: Any, *parts: Any) -> Any:
    """`B`, among the `_cotangents` if one of the parts is (or there are none)."""
    if not parts or any(map(_is_noted, parts)):
        _cotangents[id(B)] = B
    return B


def _is_noted(x: Any) -> bool:
    return _cotangents.get(id(x)) is x


def _is_on(x: Any, pattern: Pattern) -> bool:
    return type(x) in SPARSE_TYPES and pattern.equals(Pattern.of(x))


def _taken_from(y: Any, dtype: np.dtype) -> np.ndarray:
    """The entries of the cotangent `y`, as an array that is not used elsewhere."""
    data = entries(y)
    if _cotangents.pop(id(y), None) is y and data.dtype == dtype and data.flags.owndata:
        if sys.getrefcount(data) <= _REFERENCES_IF_NOBODY_ELSES:
            return data
    return np.array(data, dtype)


def _references_if_nobody_elses() -> int:
    holder = {"data": np.zeros(1)}
    data = holder["data"]
    return sys.getrefcount(data)


_REFERENCES_IF_NOBODY_ELSES = _references_if_nobody_elses()


class SparseVSpace(VSpace):
    """Entries over a pattern, as autograd's vector space.

    Its `shape` is empty, so that autograd's `jacobian` with respect to a sparse matrix is an array
    of sparse gradients, one for each element of the result.
    """

    shape = ()

    def __init__(self, value: Any) -> None:
        self._value = value
        self.dtype = value.dtype
        self.cls = type(value)
        self.iscomplex = value.dtype.kind == "c"

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern of the value, found when first needed: not every space needs it."""
        return Pattern.of(self._value)

    @property
    def size(self) -> int:
        """Real dimension."""
        return self.pattern.size * (2 if self.iscomplex else 1)

    def _with(self, data: np.ndarray) -> Any:
        return self.pattern.matrix(data.astype(self.dtype, copy=False), self.cls)

    def zeros(self) -> Any:
        """The origin."""
        A = self._with(np.zeros(self.pattern.entries_shape, self.dtype))
        A._has_only_zeros = True
        return A

    def ones(self) -> Any:
        """All entries one (1 + 1j in a complex space, as autograd has it)."""
        return self._with(np.full(self.pattern.entries_shape, 1 + 1j if self.iscomplex else 1))

    def standard_basis(self) -> Any:
        """The unit vectors, one by one."""
        for k in range(self.pattern.size):
            for v in (1, 1j) if self.iscomplex else (1,):
                e = np.zeros(self.pattern.size, self.dtype)
                e[k] = v
                yield self._with(e.reshape(self.pattern.entries_shape))

    def randn(self) -> Any:
        """A random vector."""
        x = np.random.standard_normal((2, *self.pattern.entries_shape))  # noqa: NPY002 (as autograd)
        return self._with(x[0] + 1j * x[1] if self.iscomplex else x[0])

    def _add(self, x: Any, y: Any) -> Any:
        if not (_is_on(x, self.pattern) and _is_on(y, self.pattern)):
            return self._add_any(x, y)
        return _noted(self._with(entries(x) + entries(y)), x, y)

    def _mut_add(self, x: Any, y: Any) -> Any:
        if type(x) not in SPARSE_TYPES or x.format in ("lil", "dok"):
            return self._add(x, y)
        # autograd made x itself: zeros, or an earlier sum
        if x.__dict__.pop("_has_only_zeros", False):
            if _is_noted(y):
                # The structure is that of y, met when the value was: it may have changed since.
                return Pattern.of(y).matrix(_taken_from(y, self.dtype), type(y))
            return self._with(np.array(entries_on(y, self.pattern)))
        if not _is_on(y, Pattern.of(x)):
            return self._add_any(x, y)
        data = x.data
        data += entries(y)
        return x

    def _add_any(self, x: Any, y: Any) -> Any:
        """The sum of cotangents of different structure, one of them from a user's own rule."""
        from .onto import added

        known = x if _is_noted(x) else y if _is_noted(y) else None
        return _noted(added(x, y, known), x, y)

    def _scalar_mul(self, x: Any, a: Any) -> Any:
        return self._with(entries(x) * a)

    def _inner_prod(self, x: Any, y: Any) -> Any:
        return np.real(np.vdot(entries(x), entries(y)))

    def _covector(self, x: Any) -> Any:
        return self._with(np.conj(entries(x))) if self.iscomplex else x

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SparseVSpace)
            and (self.cls, self.dtype) == (other.cls, other.dtype)
            and self.pattern.equals(other.pattern)
        )

    __hash__ = None  # type: ignore[assignment]


containers.install()
slices.install()
for _format in FORMATS:
    for _family in ("array", "matrix"):
        register_class(getattr(sps, f"{_format}_{_family}"))
