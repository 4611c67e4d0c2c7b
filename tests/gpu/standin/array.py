"""`cupy.ndarray` as far as its rules go: the numbers lie in a NumPy array that nobody else sees.

As CuPy does, it refuses to become a NumPy array unasked, to be mixed with one, and what CuPy lacks.
Results of reductions and single elements are 0-d arrays, the latter views. What CuPy's operators
and protocols do (`cupy/_core/core.pyx`) is done here in the same order. Every copy between host and
device, and every number read, is counted.
"""

from __future__ import annotations

import operator
from collections import Counter
from types import SimpleNamespace
from weakref import WeakValueDictionary

import numpy as np

from . import cuda, names, rules

transfers: Counter = Counter()
"""How often "to host" and "to device" copies were made."""

elements: Counter = Counter()
"""How many numbers the copies "to host" were of: the largest, and all together."""

SCALARS = (np.generic, bool, int, float, complex)
"""What CuPy's elementwise functions take beside arrays."""


def host(x):
    """The numbers of stand-ins, at any depth of sequences; NumPy arrays are refused as in CuPy."""
    if isinstance(x, ndarray):
        return x._here()
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {np.ndarray}")
    if type(x) in (tuple, list):
        return type(x)(map(host, x))
    if type(x) is dict:
        return {k: host(v) for k, v in x.items()}
    return x


def device(x):
    """Results as stand-ins; structure (shapes, dtypes, truth values of functions) as it is.

    A named tuple of NumPy's is a plain one.
    """
    if isinstance(x, (np.ndarray, np.generic)):
        if x.dtype.char not in "?bhilqBHILQefdFD":
            raise ValueError(f"Unsupported dtype {x.dtype}")
        return ndarray._of(np.asarray(x))
    if isinstance(x, tuple):
        return tuple(map(device, x))
    return list(map(device, x)) if type(x) is list else x


SORTS = ("sort", "argsort")
"""CuPy's are stable."""


def is_array(x):
    """Whether x is one of these."""
    return isinstance(x, ndarray)


def operands(*xs):
    """What an elementwise function takes: arrays of this kind, and numbers."""
    for x in xs:
        if not isinstance(x, (ndarray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(x)}")
    return [x._here() if isinstance(x, ndarray) else x for x in xs]


def elementwise(ufunc, inputs, kwargs, name=None):
    """A call of an elementwise function of CuPy's."""
    unknown = kwargs.keys() - {"out", "dtype", "casting", "_where"}
    if unknown:
        raise TypeError(f"Wrong arguments {unknown}")
    out = kwargs.pop("out", None)
    out = out[0] if isinstance(out, tuple) else out
    if out is not None and not isinstance(out, ndarray):
        raise TypeError("Output arguments type must be cupy.ndarray")
    numbers = operands(*inputs)
    if (name or ufunc.__name__) in names.REAL_ONLY and any(map(np.iscomplexobj, numbers)):
        raise TypeError(f"Wrong type of arguments for cupy_{name or ufunc.__name__}")
    if out is not None:
        ufunc(*numbers, out=out._host, **kwargs)
        out._write()
        return out
    return device(ufunc(*numbers, **kwargs))


def call(name, function, args, kwargs):
    """A call of another function of CuPy's, by NumPy's of the same name."""
    if name == "einsum":  # which copies what is NumPy's
        args = [array(x) if isinstance(x, np.ndarray) else x for x in args]
    rules.check(name, args, kwargs, is_array)
    if rules.waits(name, args, kwargs, is_array):
        _count(1)
    if name in SORTS:
        kwargs = {**kwargs, "kind": "stable"}
    kwargs = {{"newshape": "shape"}.get(k, k): v for k, v in kwargs.items() if k != "blocking"}
    return device(function(*host(args), **host(kwargs)))


def index_of(index):
    """An index for NumPy. As in CuPy, NumPy's arrays and lists are copied to the device."""
    if type(index) is tuple:
        return tuple(map(index_of, index))
    if isinstance(index, np.ndarray):
        transfers["to device"] += 1
        return index
    if type(index) is list:
        if not any(map(is_array, index)):
            transfers["to device"] += 1
        return [int(i._host) if is_array(i) else i for i in index]
    if is_array(index) and index.dtype == bool:
        _count(1)  # how many are true
    return host(index)


def _count(size):
    """Take note of a copy to the host, which waits for the current stream."""
    cuda.get_current_stream().synchronize()
    transfers["to host"] += 1
    elements["largest"] = max(elements["largest"], size)
    elements["all"] += size


_owners: WeakValueDictionary = WeakValueDictionary()
"""The stand-in that owns the memory of a NumPy array, by its id."""


class ndarray:
    """Stand-in for `cupy.ndarray`."""

    __array_priority__ = 100

    def __init__(self, shape, dtype=float, memptr=None, strides=None, order="C"):
        self._hold(np.empty(shape, dtype, order))

    @staticmethod
    def _of(x):
        new = object.__new__(ndarray)
        new._hold(x)
        return new

    def _hold(self, x):
        """Views refer to the array that owns their memory, and to no other."""
        owner = x
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        self._host, self.base = x, _owners.get(id(owner))
        self._device = cuda.get_device_id() if self.base is None else self.base._device
        if self.base is None:
            _owners[id(owner)] = self
            self._write()

    def _write(self):
        """Take note of where in a stream it is written to."""
        (self if self.base is None else self.base)._written = cuda.written()

    def _read(self):
        """Refuse to be read in a stream that does not wait for what was written."""
        written = (self if self.base is None else self.base)._written
        if not cuda.get_current_stream().follows(written):
            raise RuntimeError("an array is read in another stream than it was written in")

    def _here(self):
        """The numbers, for a function of the current device. CuPy reads those of its peers, too."""
        self._read()
        if self._device != cuda.get_device_id():
            raise ValueError(f"The device where the array resides ({self._device}) is different")
        return self._host

    device = property(lambda self: cuda.Device(self._device))
    data = property(lambda self: SimpleNamespace(device_id=self._device))

    def copy(self, order="C"):
        """A copy on the current device."""
        self._read()
        return device(np.array(self._host, order=order))

    # ---- to the host, on demand only ----------------------------------------------------------

    def get(self, stream=None, order="C", out=None):
        self._read()
        _count(self.size)
        return np.array(self._host, order=order)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __bool__(self):
        if self.size > 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous.")
        return bool(self.get())

    def __int__(self):
        return int(self.get())

    def __float__(self):
        return float(self.get())

    def __complex__(self):
        return complex(self.get())

    def __repr__(self):
        return repr(self._host)

    def __format__(self, format_spec):
        return format(self.get(), format_spec)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return len(self._host)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return from_host, (self.get(order="A"),)

    # ---- NumPy's protocols --------------------------------------------------------------------

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = ufunc.__name__
        if method != "__call__" or name not in names.UFUNCS | names.SPECIAL | {"matmul"}:
            return NotImplemented
        known = (ndarray, np.ndarray, *SCALARS)
        if not all(isinstance(x, known) for x in inputs + kwargs.get("out", ())):
            return NotImplemented
        if name == "matmul":
            return call(name, ufunc, inputs, kwargs)
        if name in names.COMPARISONS:
            inputs = [x.item() if isinstance(x, np.ndarray) and not x.ndim else x for x in inputs]
        return elementwise(ufunc, inputs, kwargs)

    def __array_function__(self, func, types, args, kwargs):
        space = (func.__module__ or "").removeprefix("numpy").lstrip(".")
        known = {"": names.FUNCTIONS - names.NUMPYS_OWN, "linalg": names.LINALG, "fft": names.FFT}
        if func.__name__ not in known.get(space, ()):
            return NotImplemented
        if not all(issubclass(t, (ndarray, np.ndarray)) for t in types):
            return NotImplemented
        return call(f"{space}.{func.__name__}".lstrip("."), func, args, kwargs)

    @property
    def __cuda_array_interface__(self):
        return {"shape": self.shape, "typestr": self.dtype.str, "version": 3}

    # ---- as an array --------------------------------------------------------------------------

    def __getattr__(self, name):
        if name.startswith("_") or name not in names.METHODS:
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        if name == "real" and self.dtype.kind != "c":
            return self
        value = getattr(self._host, name)
        if not callable(value):
            return device(value) if name in ("T", "real", "imag", "mT") else value

        def method(*args, **kwargs):
            rules.check(f"ndarray.{name}", args, kwargs, is_array)
            if rules.waits(f"ndarray.{name}", args, kwargs, is_array):
                _count(1)
            if name in SORTS:
                kwargs["kind"] = "stable"
            self._read()
            if name in ("item", "tolist", "tobytes"):
                _count(self.size)
                return value(*args, **kwargs)
            result = value(*host(args), **host(kwargs))
            return self if result is self._host else device(result)

        return method

    def __getitem__(self, index):
        index = index_of(index)
        if not isinstance(index, (np.ndarray, list)):
            index = index if type(index) is tuple else (index,)
            if Ellipsis not in [i for i in index if i is Ellipsis]:
                index = (*index, Ellipsis)  # an element is a view, too
        return device(self._host[index])

    def __setitem__(self, index, value):
        (value,) = operands(value)
        self._host[index_of(index)] = value
        self._write()

    __hash__ = None


def _leaves_it_to(y, x):
    """`_should_use_rop`: whether the operand on the right is asked."""
    if hasattr(y, "__array_ufunc__"):
        return y.__array_ufunc__ is None
    return getattr(x, "__array_priority__", 0) < getattr(y, "__array_priority__", 0)


def _binary(ufunc):
    def method(self, other):
        if isinstance(other, ndarray):
            return ufunc(self, other)
        return NotImplemented if _leaves_it_to(other, self) else ufunc(self, other)

    def reflected(self, other):  # CuPy is the last chance, and takes what is a number
        operands(other)
        return ufunc(other, self)

    return method, reflected


def _comparison(ufunc):
    def method(self, other):
        if not isinstance(other, ndarray):
            if _leaves_it_to(other, self):
                return NotImplemented
            unknown = type(other).__eq__ is object.__eq__ or other is None
            if unknown and ufunc in (np.equal, np.not_equal):
                return device(np.full(self.shape, ufunc is np.not_equal))
        return ufunc(self, other)

    return method


for _name, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "matmul": np.matmul,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    _left, _right = _binary(_ufunc)
    setattr(ndarray, f"__{_name}__", _left)
    setattr(ndarray, f"__r{_name}__", _right)
for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _comparison(_ufunc))


def _unary(name):
    function = getattr(operator, name)
    return lambda self: device(np.asarray(function(self._here())))


for _name in ("neg", "pos", "abs", "invert"):
    setattr(ndarray, f"__{_name}__", _unary(_name))


def _in_place(name):
    function = getattr(operator, name)

    def method(self, other):
        function(self._here(), *operands(other))
        self._write()
        return self

    return method


for _name in ("iadd", "isub", "imul", "itruediv", "ipow"):
    setattr(ndarray, f"__{_name}__", _in_place(_name))

ndarray.__module__, ndarray.__qualname__ = "cupy", "ndarray"


# ---- arrays made ------------------------------------------------------------------------------


def from_host(x, dtype=None, order="K"):
    """Numbers of the host on the device."""
    x = np.array(x, dtype=dtype, order=order)
    if x.dtype.char not in "?bhilqBHILQefdFDV" or x.dtype.hasobject:
        raise ValueError(f"Unsupported dtype {x.dtype}")
    return ndarray._of(x)


def array(x, dtype=None, copy=True, order="K", ndmin=0, *, blocking=False):
    """`cupy.array`: the one way for NumPy arrays. Sequences are of arrays only, or of numbers."""
    order = order or "K"
    if isinstance(x, ndarray):
        made = x.astype(dtype or x.dtype, order=order, copy=bool(copy))
    elif isinstance(x, (list, tuple)) and _arrays_in(x):
        made = device(np.array(host(x), dtype=dtype, order="F" if order == "F" else "C"))
    else:
        if isinstance(x, np.ndarray):
            transfers["to device"] += 1
        made = from_host(x, dtype, order)
    return made.reshape((1,) * (ndmin - made.ndim) + made.shape) if ndmin > made.ndim else made


def _arrays_in(x):
    """The shape of a nested sequence of arrays of one shape; None if numbers are among them."""
    if isinstance(x, ndarray):
        return x.shape
    if not isinstance(x, (list, tuple)) or not x:
        return None
    shapes = set(map(_arrays_in, x))
    return (len(x), *shapes.pop()) if len(shapes) == 1 and None not in shapes else None
