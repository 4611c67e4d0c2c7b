"""Sparse matrices on a GPU, and what autograd has to know about CuPy's values.

A matrix on the device is a pattern and its entries, a CuPy array. It derives
from CuPy's class of the same name, so that CuPy's functions take it; what it does is what the
traced matrix does, with plain entries: the same operations serve both.

It owns its structure. Index arrays that it is made from are copied, and reading `A.indices` gives a
copy: no write into an array can make a remembered structure a wrong one.
"""

from __future__ import annotations

import sys
from typing import Any

import cupy as cp
import cupyx.scipy.sparse as cps
import numpy as np
import scipy.sparse as sps
from autograd.extend import VSpace
from autograd.numpy.numpy_vspaces import ArrayVSpace, ComplexArrayVSpace

from .._backend import gpu
from .._backend.gpu.structure import settled
from .._core import device_numpy, engine, errors
from .._core.capture import expose
from .._core.device import outline, say_host, to_device, to_host
from .._core.engine import ArrayBox, Box, isbox
from .._core.layout import DEVICE_ARRAYS, DEVICE_MATRICES, SPARSE_TYPES
from .._core.pattern import Pattern, entries
from .._core.traced import SparseVSpace, TracedBase, class_of_ours, constant, lift
from . import _device_structures as _structures
from ._members import STRUCTURE, VALUES
from ._traced import NUMPY_PLAIN, TracedSparse

FORMATS = ("csr", "csc", "coo", "dia")


# ---- vector spaces ---------------------------------------------------------------------------


class DeviceVSpace(ArrayVSpace):
    """Arrays on the device, as autograd's vector space."""

    def __init__(self, value: Any) -> None:
        self.shape, self.dtype = value.shape, value.dtype

    def zeros(self) -> Any:
        """The origin."""
        return cp.zeros(self.shape, self.dtype)

    def ones(self) -> Any:
        """All elements one."""
        return cp.ones(self.shape, self.dtype)

    def standard_basis(self) -> Any:
        """The unit vectors, one by one."""
        return map(cp.asarray, super().standard_basis())

    def randn(self) -> Any:
        """A random vector."""
        return cp.asarray(super().randn())

    def _inner_prod(self, x: Any, y: Any) -> Any:
        return cp.vdot(x, y).real


class ComplexDeviceVSpace(DeviceVSpace, ComplexArrayVSpace):
    """The same for complex arrays."""

    def ones(self) -> Any:
        """All elements 1 + 1j, as autograd has it."""
        return cp.full(self.shape, 1 + 1j, self.dtype)

    def _covector(self, x: Any) -> Any:
        return x.conj()


class DeviceSparseVSpace(SparseVSpace):
    """Entries on the device over a pattern."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.cls = host_class(type(value))

    def zeros(self) -> Any:
        """The origin."""
        return self._with(cp.zeros(self.pattern.entries_shape, self.dtype))

    def ones(self) -> Any:
        """All entries one (1 + 1j in a complex space, as autograd has it)."""
        one = 1 + 1j if self.iscomplex else 1
        return self._with(cp.full(self.pattern.entries_shape, one))

    def standard_basis(self) -> Any:
        """The unit vectors, one by one."""
        return (to_device_matrix(e) for e in super().standard_basis())

    def randn(self) -> Any:
        """A random vector."""
        return to_device_matrix(super().randn())

    def _mut_add(self, x: Any, y: Any) -> Any:
        return self._add(x, y)

    def _inner_prod(self, x: Any, y: Any) -> Any:
        return cp.vdot(entries(x), entries(y)).real

    def _covector(self, x: Any) -> Any:
        return self._with(entries(x).conj()) if self.iscomplex else x


def to_device_matrix(A: Any) -> Any:
    """A constant matrix of the host on the device."""
    B = lift(A)
    return device_matrix(B._pattern, cp.asarray(B._data), B._class)


# ---- the classes -----------------------------------------------------------------------------


class DeviceMatrix:
    """State and attributes of a sparse matrix on the device; operations are the traced one's."""

    __array_priority__ = 110.0
    __array_ufunc__ = TracedSparse.__array_ufunc__
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("make it by the class of scipygrad.sparse, from CuPy arrays")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.shape or func is np.ndim or func is np.size:
            return getattr(self, func.__name__)
        if func in NUMPY_PLAIN:
            return func(*to_host(args), **to_host(kwargs))
        return lift(self).__array_function__(func, types, args, kwargs)

    @property
    def data(self) -> Any:
        """The entries, which are shared."""
        data = expose(self.__dict__)
        return _own_copy(self, "data", data) if _may_sort(sys._getframe(1), self) else data

    @data.setter
    def data(self, value: Any) -> None:
        if type(value) not in DEVICE_ARRAYS or value.shape != self._pattern.entries_shape:
            raise TypeError(
                "A.data = v on a GPU: v has to be a CuPy array of the same shape that is not "
                "traced. Make a new matrix of a traced one: csr_matrix((v, A.indices, A.indptr))."
            )
        self.__dict__["_data"] = value

    shape = property(lambda self: self._pattern.shape)
    format = property(lambda self: self._pattern.format)
    ndim = property(lambda self: len(self._pattern.shape))
    dtype = property(lambda self: self.__dict__["_data"].dtype)
    nnz = property(lambda self: self._pattern.nnz)
    size = nnz
    device = property(lambda self: self.__dict__["_data"].device)
    maxprint = 50
    _shape = shape

    def _become(self, box: TracedBase, method: str) -> None:
        """Take over what an in-place method has made of this matrix."""
        if isbox(box._data):
            raise NotImplementedError(
                f"{method} of a constant matrix on a GPU, with a traced argument: make the matrix "
                "from traced entries instead, or assemble it on the host and move it."
            )
        self.__dict__.update(_pattern=box._pattern, _data=box._data)

    @property
    def _descr(self) -> Any:
        """What CuPy's own functions hand to cuSPARSE; it has to live as long as the matrix."""
        from cupyx import cusparse

        d = self.__dict__
        return d.get("_descriptor") or d.setdefault("_descriptor", cusparse.MatDescriptor.create())

    def get(self, stream: Any = None) -> Any:
        """The same matrix on the host."""
        host_class = DEVICE_MATRICES[type(self)]
        return self._pattern.matrix(self.__dict__["_data"].get(stream=stream), host_class).copy()

    def __repr__(self) -> str:
        return f"{repr(self.get())[:-1]} on a GPU>"

    def __str__(self) -> str:
        return str(self.get())

    def __len__(self) -> int:
        raise TypeError("sparse array length is ambiguous; use getnnz() or shape[0]")

    def __bool__(self) -> bool:
        return bool(self.get())

    def __setitem__(self, index: Any, value: Any) -> None:
        raise NotImplementedError(
            "A[...] = v on a GPU: assemble the matrix on the host, and move it: "
            "scipygrad.to_device(A)."
        )

    def __copy__(self) -> Any:
        return device_matrix(self._pattern, entries(self).copy(), DEVICE_MATRICES[type(self)])

    copy = __copy__

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return to_device_matrix, (self.get(),)

    def __iter__(self) -> Any:
        return iter(lift(self))


def _copies(A: Any) -> dict[Any, Any]:
    """Copies kept with a matrix: CuPy's functions hand on addresses, but not the arrays."""
    if A.__dict__.get("_copied", (None,))[0] is not A._pattern:
        A.__dict__["_copied"] = A._pattern, {}
    return A.__dict__["_copied"][1]


def _may_sort(frame: Any, A: Any) -> bool:
    """Whether CuPy's code asks for arrays that are not sorted, which it may sort in place.

    ``cupyx.scipy.sparse.csr_matrix(A)`` takes over the arrays of A; its `sort_indices` moves the
    entries, and A would not know. So it gets copies of its own, each time.
    """
    asks, p = frame.f_globals.get("__name__", ""), A._pattern
    if p.format not in ("csr", "csc") or not asks.startswith("cupyx."):
        return False
    return not gpu.lines(p).are_sorted


def _own_copy(A: Any, name: str, array: Any) -> Any:
    copies = _copies(A)
    copies["CuPy's", name] = array.copy()
    return copies["CuPy's", name]


def _index_array(A: Any, which: int) -> Any:
    """A copy, kept with the matrix."""
    p, copies = A._pattern, _copies(A)
    if which not in copies:
        if p.format == "dia":
            copy = cp.array(p.arrays[which])
        else:
            copy = gpu.index_arrays(p)[which].astype(p.index_dtype)
        copies[which] = settled(copy)
    return copies[which]


def _indices(name: str, which: int) -> property:
    def get(self):
        array = _index_array(self, which)
        return _own_copy(self, name, array) if _may_sort(sys._getframe(1), self) else array

    return property(get, doc=f"A copy of the index array `{name}`.")


_INDEX_ATTRIBUTES = {
    "csr": {"indptr": 0, "indices": 1}, "csc": {"indptr": 0, "indices": 1},
    "coo": {"row": 0, "col": 1}, "dia": {"offsets": 0},
}  # fmt: skip


def _plain(x: Any) -> Any:
    """The matrix itself, of a stand-in for it."""
    if not isinstance(x, TracedBase):
        return x
    known = constant(x)
    return x if known is None else known


def _forwarded(name: str) -> Any:
    def method(self, *args, **kwargs):
        box = lift(self)
        result = getattr(box, name)(*args, **kwargs)
        if constant(box) is not self:  # it was changed in place
            self._become(box, name)
            return self if result is box else result
        return _plain(result)

    method.__name__ = name
    method.__doc__ = getattr(TracedSparse, name).__doc__
    return method


def _by_host(name: str) -> Any:
    """A method that is SciPy's, on the values; what it does in place is done to this matrix."""

    def method(self, *args, **kwargs):
        say_host(name)
        A = self.get()
        result = getattr(A, name)(*to_host(args), **to_host(kwargs))
        if name in _IN_PLACE:
            self._become(lift(to_device(A)), name)
        return to_device(result)

    method.__name__ = name
    return method


def _member(name: str, host_class: type) -> Any:
    """An attribute or method of the class of the host, on the device."""
    theirs, traced = getattr(host_class, name), getattr(TracedSparse, name, None)
    if name in STRUCTURE:
        return property(lambda self: getattr(outline(self), name))
    if traced is None or name in VALUES or name in _VALUES_AND_SIGNS:
        return _by_host(name) if callable(theirs) else property(lambda A: getattr(A.get(), name))
    if callable(traced):
        return _forwarded(name)
    return property(lambda self: _plain(getattr(lift(self), name)))


def _make_class(format: str, family: str) -> type:
    name = f"{format}_{family}"
    namespace: dict[str, Any] = {"__module__": "scipygrad.sparse", "__doc__": DeviceMatrix.__doc__}
    for attribute, which in _INDEX_ATTRIBUTES[format].items():
        namespace[attribute] = _indices(attribute, which)
    if format == "coo":
        namespace["coords"] = property(lambda self: (self.row, self.col))
    host_class = class_of_ours(getattr(sps, name))
    for member in dir(host_class):
        known = member in DeviceMatrix.__dict__ or member in namespace
        if not known and (member in _OPERATORS or not member.startswith("_")):
            namespace[member] = _member(member, host_class)
    cls = type(name, (DeviceMatrix, getattr(cps, name)), namespace)
    DEVICE_MATRICES[cls] = host_class
    return cls


_IN_PLACE = frozenset(("eliminate_zeros", "check_format"))
_VALUES_AND_SIGNS = frozenset(
    """eliminate_zeros sign ceil floor rint trunc __round__ __eq__ __ne__ __lt__ __le__ __gt__
    __ge__""".split()
)
"""What depends on values in jumps: traced, it is a constant, or leaves them alone."""

_OPERATORS = frozenset(
    """__add__ __radd__ __sub__ __rsub__ __mul__ __rmul__ __matmul__ __rmatmul__ __truediv__
    __rtruediv__ __pow__ __neg__ __pos__ __abs__ __getitem__ __eq__ __ne__ __lt__ __le__ __gt__
    __ge__ __round__""".split()
)
_classes: dict[type, type] = {}


def device_matrix(pattern: Pattern, data: Any, cls: type) -> Any:
    """The matrix on the device that stands for the class `cls` of ours."""
    made = _classes.get(cls)
    if made is None or len(pattern.shape) > 2:
        raise TypeError(errors.no_device_format(pattern.format))
    if data.dtype.char not in "?fdFD":
        raise TypeError(
            f"entries of dtype {data.dtype} on a GPU: CuPy has sparse matrices of float32, "
            "float64, complex64, complex128 and bool. Convert them: x.astype(float)."
        )
    A: Any = object.__new__(made)
    A.__dict__.update(_pattern=pattern, _data=data)
    return A


# ---- CuPy's own matrices ---------------------------------------------------------------------


def host_class(t: type) -> type:
    """Our class on the host that a class on the device stands for."""
    return DEVICE_MATRICES[t] or class_of_ours(_namesake(t))


def _namesake(cls: type) -> type:
    """SciPy's class of the same name as a class of CuPy's."""
    return getattr(sps, next(t.__name__ for t in cls.__mro__ if hasattr(sps, t.__name__)))


def pattern_of(A: Any) -> Pattern:
    """The pattern of a matrix on the device."""
    if type(A) in _classes.values():
        return A.__dict__["_pattern"]
    cls = _namesake(type(A))
    if A.format == "dia" or len(A.shape) != 2:
        return Pattern.of(_on_host(A, cls), own=True)
    arrays = (A.row, A.col) if A.format == "coo" else (A.indptr, A.indices)
    pattern = _structures.pattern_from(cls, arrays, A.shape)
    if pattern is None or pattern.entries_shape != A.data.shape:
        return Pattern.of(_on_host(A, cls), own=True)
    return pattern


def _on_host(A: Any, cls: type) -> Any:
    """A matrix of the host with the structure of one of CuPy's."""
    ones = np.ones(A.data.shape)
    if A.format in ("csr", "csc"):
        return cls((ones, A.indices.get(), A.indptr.get()), shape=A.shape)
    arrays = (A.row.get(), A.col.get()) if A.format == "coo" else A.offsets.get()
    return cls((ones, arrays), shape=A.shape)


# ---- registration ----------------------------------------------------------------------------


def register() -> None:
    """Let autograd and the library know CuPy's arrays and sparse matrices."""
    device_numpy.install()
    ArrayBox.register(cp.ndarray)
    VSpace.register(
        cp.ndarray, lambda x: (ComplexDeviceVSpace if x.dtype.kind == "c" else DeviceVSpace)(x)
    )
    DEVICE_ARRAYS.add(cp.ndarray)
    engine.NEVER_OVERRIDES.add(cp.ndarray)
    for format in FORMATS:
        for family in ("array", "matrix"):
            cls = _make_class(format, family)
            _classes[DEVICE_MATRICES[cls]] = cls
            theirs = getattr(cps, f"{format}_{family}", None)
            for t in (cls, theirs):
                if t is None:
                    continue
                DEVICE_MATRICES.setdefault(t, None)
                SPARSE_TYPES.add(t)
                Box.type_mappings[t] = TracedBase._from_node
                VSpace.register(t, DeviceSparseVSpace)
    _classes.update({getattr(sps, c.__name__): d for c, d in list(_classes.items())})
