"""`cupy.ndarray` as far as its rules go: the numbers lie in a NumPy array that nobody else sees.

As CuPy does, it refuses to become a NumPy array unasked, to be mixed with one, and what CuPy lacks.
Results of reductions and single elements are 0-d arrays. Every copy between host and device, and
every number read, is counted.
"""

from __future__ import annotations

import operator
from collections import Counter

import numpy as np

from . import names

transfers: Counter = Counter()
"""How often "to host" and "to device" copies were made."""

_FOR_DISPATCH = (np.shape, np.ndim, np.size)


def host(x):
    """The numbers of stand-ins, at any depth of sequences; NumPy arrays are refused as in CuPy."""
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}")
    if type(x) in (tuple, list):
        return type(x)(map(host, x))
    if type(x) is dict:
        return {k: host(v) for k, v in x.items()}
    return x


def device(x):
    """Results as stand-ins; structure (shapes, dtypes, truth values of functions) as it is."""
    if isinstance(x, (np.ndarray, np.generic)):
        return ndarray._of(np.asarray(x))
    if type(x) in (tuple, list):
        return type(x)(map(device, x))
    return x


class ndarray:
    """Stand-in for `cupy.ndarray`."""

    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        self._host = np.empty(shape, dtype, order)

    @staticmethod
    def _of(x):
        new = object.__new__(ndarray)
        new._host = x
        return new

    # ---- to the host, on demand only ----------------------------------------------------------

    def get(self, stream=None, order="C", out=None):
        transfers["to host"] += 1
        return np.array(self._host, order=order)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __bool__(self):
        return bool(self.get())

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    def __complex__(self):
        return complex(self.get())

    def __repr__(self):
        return repr(self._host)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __len__(self):
        return len(self._host)

    # ---- NumPy's protocols --------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__" or ufunc.__name__ not in names.FUNCTIONS:
            return NotImplemented
        for x in inputs:
            if not isinstance(x, (ndarray, np.ndarray, np.generic, bool, int, float, complex)):
                return NotImplemented
        out = kwargs.pop("out", None)
        result = device(ufunc(*host(inputs), **kwargs))
        if out is not None:
            out[0]._host[...] = result._host
            return out[0]
        return result

    def __array_function__(self, func, types, args, kwargs):
        linalg = (func.__module__ or "").startswith("numpy.linalg")
        if func.__name__ not in (names.LINALG if linalg else names.FUNCTIONS):
            return NotImplemented
        if any(t not in (ndarray, np.ndarray) for t in types):
            return NotImplemented
        return device(func(*host(args), **host(kwargs)))

    @property
    def __cuda_array_interface__(self):
        return {"shape": self.shape, "typestr": self.dtype.str, "version": 3}

    # ---- as an array --------------------------------------------------------------------------

    def __getattr__(self, name):
        if name.startswith("_") or name not in names.METHODS:
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        value = getattr(self._host, name)
        if not callable(value):
            return device(value) if name in ("T", "real", "imag", "mT", "base") else value

        def method(*args, **kwargs):
            if name in ("item", "tolist", "tobytes"):
                transfers["to host"] += 1
                return value(*args, **kwargs)
            return device(value(*host(args), **host(kwargs)))

        return method

    def __getitem__(self, index):
        return device(self._host[host(index)])

    def __setitem__(self, index, value):
        self._host[host(index)] = host(value)

    def scatter_add(self, slices, value):
        np.add.at(self._host, host(slices), host(value))

    __hash__ = None


def _binary(name, reflected=False):
    function = getattr(operator, name)

    def method(self, other):
        if not isinstance(other, (ndarray, np.ndarray, np.generic, bool, int, float, complex)):
            return NotImplemented
        a, b = self._host, host(other)
        return device(np.asarray(function(b, a) if reflected else function(a, b)))

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_",
              "xor", "lshift", "rshift"):  # fmt: skip
    _plain = _name.rstrip("_")
    setattr(ndarray, f"__{_plain}__", _binary(_name))
    setattr(ndarray, f"__r{_plain}__", _binary(_name, reflected=True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(ndarray, f"__{_name}__", _binary(_name))


def _unary(name):
    function = getattr(operator, name)
    return lambda self: device(np.asarray(function(self._host)))


for _name in ("neg", "pos", "abs", "invert"):
    setattr(ndarray, f"__{_name}__", _unary(_name))


def _in_place(name):
    function = getattr(operator, name)

    def method(self, other):
        function(self._host, host(other))
        return self

    return method


for _name in ("iadd", "isub", "imul", "itruediv", "ipow"):
    setattr(ndarray, f"__{_name}__", _in_place(_name))

ndarray.__module__, ndarray.__qualname__ = "cupy", "ndarray"
