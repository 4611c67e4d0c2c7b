"""`cupyx.scipy.sparse`: its classes, as far as the library takes them apart or multiplies."""

from __future__ import annotations

import types

import numpy as np
import scipy.sparse as sps

from . import names
from .array import SCALARS, device, host, ndarray, transfers


class spmatrix:
    """Stand-in for the base class."""


class sparray:
    """Stand-in for the base class of arrays."""


class _Base:
    __array_priority__ = 101

    def __init__(self, arg1, shape=None, dtype=None, copy=False):
        if isinstance(arg1, _Base):
            self._shape = arg1.shape if shape is None else shape
            for name, x in _arrays_of(arg1.asformat(self.format), ("data", *self._indices)).items():
                setattr(self, name, x.copy() if copy else x)
            return
        if isinstance(arg1, (sps.spmatrix, sps.sparray)):
            theirs = arg1.asformat(self.format)
        else:
            for x in arg1 if isinstance(arg1, tuple) else (arg1,):
                if not isinstance(x, (ndarray, tuple)):
                    raise TypeError(f"Unsupported type {type(x)}")
            if isinstance(arg1, tuple):  # CuPy looks at bounds, or for duplicates
                transfers["to host"] += 1
            theirs = self._scipy_class()(host(arg1), shape=shape, dtype=dtype, copy=copy)
        if theirs.dtype.char not in "?fdFD":
            raise ValueError("Only bool, float32, float64, complex64 and complex128 are supported")
        self._shape, self.data = theirs.shape, device(theirs.data)
        for name in self._indices:
            setattr(self, name, device(getattr(theirs, name)))
        if isinstance(arg1, tuple) and self.format != "dia":  # the arrays given, where they fit
            parts = arg1[1] if isinstance(arg1[1], tuple) else arg1[1:]
            for name, x in zip(("data", *self._indices), (arg1[0], *parts)):
                made = getattr(self, name)
                if x.dtype == made.dtype and np.array_equal(x._host, made._host):
                    setattr(self, name, x)

    @classmethod
    def _scipy_class(cls):
        return getattr(sps, next(c.__name__ for c in cls.__mro__ if hasattr(sps, c.__name__)))

    def _scipy(self):
        parts = [getattr(self, name)._host for name in self._indices]
        data = self.data._host
        if self.format == "coo":
            return self._scipy_class()((data, tuple(parts)), shape=self.shape)
        if self.format == "dia":
            return self._scipy_class()((data, parts[0]), shape=self.shape)
        return self._scipy_class()((data, *parts), shape=self.shape)

    shape = property(lambda self: self._shape)
    dtype = property(lambda self: self.data.dtype)
    nnz = property(lambda self: self._scipy().nnz)
    T = property(lambda self: self._made(self._scipy().T, isinstance(self, sparray)))
    ndim = 2

    @staticmethod
    def _made(A, array=False):
        return _CLASSES[f"{A.format}_{'array' if array else 'matrix'}"](A)

    def asformat(self, format):
        return self if format == self.format else self._made(self._scipy().asformat(format))

    def _sort_indices(self):
        """In place, in arrays that may be somebody else's, too."""
        A = self._scipy().copy()
        A.sort_indices()
        self.indices[...], self.data[...] = device(A.indices), device(A.data)

    def multiply(self, other):
        if not isinstance(other, (ndarray, _Base, *SCALARS)):
            raise TypeError("expected scalar, dense matrix/vector or csr matrix")
        theirs = other if isinstance(other, SCALARS) else host(getattr(other, "_scipy", other))
        return self._made(self._scipy().multiply(theirs() if callable(theirs) else theirs))

    def diagonal(self, k=0):
        return device(self._scipy().diagonal(k))

    def get(self, stream=None):
        return self._scipy().copy()

    def toarray(self):
        return device(self._scipy().toarray())

    def __add__(self, other):
        if not isinstance(other, _Base):
            return NotImplemented
        return self._made(self._scipy() + other._scipy())

    def __matmul__(self, other):
        if isinstance(other, _Base):
            return self._made(self._scipy() @ other._scipy())
        if not isinstance(other, ndarray):
            return NotImplemented
        if other.dtype != self.dtype:
            other = other.astype(np.result_type(other.dtype, self.dtype))
        return device(np.asarray(self._scipy() @ other._host))

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")


def _arrays_of(x, names):
    return {name: getattr(x, name) for name in names}


_arrays_of = types.FunctionType(
    _arrays_of.__code__,
    {"__builtins__": __builtins__, "__name__": "cupyx.scipy.sparse._compressed"},
)
"""As CuPy's code asks: in a frame of one of its modules."""


def _classes():
    made = {}
    for format in ("csr", "csc", "coo", "dia"):
        indices = {"coo": ("row", "col"), "dia": ("offsets",)}.get(format, ("indices", "indptr"))
        known = getattr(names, format.upper())
        for family, base in (("array", sparray), ("matrix", spmatrix)):
            own = {} if base is spmatrix else {"__mul__": _Base.multiply}
            if "sort_indices" in known:
                own["sort_indices"] = _Base._sort_indices
            body = own | {"format": format, "_indices": indices, "__module__": "cupyx.scipy.sparse"}
            made[f"{format}_{family}"] = type(f"{format}_{family}", (_Base, base), body)
        extra = {n for n in vars(_Base) if not n.startswith("_")} - known - {"ndim"}
        assert not extra, extra
    return made


def module():
    """The module."""
    m = types.ModuleType("cupyx.scipy.sparse")
    m.spmatrix, m.sparray = spmatrix, sparray
    vars(m).update(_CLASSES)
    m.issparse = lambda x: isinstance(x, _Base)
    return m


_CLASSES = _classes()
