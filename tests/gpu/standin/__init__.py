"""A strict stand-in for CuPy: the rules of `cupy` and `cupyx.scipy.sparse` without a GPU.

It checks logic: that nothing is converted or mixed unasked, that only what CuPy has is called, that
numbers and structure are right. It says nothing about the GPU: neither that a kernel is right
there, nor how fast it is. Kernels run as what `kernels` has under their names.
"""

from __future__ import annotations

import functools
import sys
import types

import numpy as np

from . import array, cuda, linalg, names, sparse
from .array import elements, ndarray, transfers
from .kernels import RawModule

__all__ = ["elements", "install", "transfers"]


def _function(name, function, full_name):
    def call(*args, **kwargs):
        if name in names.UFUNCS and isinstance(function, np.ufunc):
            return array.elementwise(function, args, kwargs, name)
        return array.call(full_name, function, args, kwargs)

    call.__name__ = name
    return call


class _Module(types.ModuleType):
    """Gives NumPy's functions, as far as CuPy has them."""

    def __init__(self, name, known, source):
        super().__init__(name)
        self._known, self._source = known, source

    def __getattr__(self, name):
        if name in self._known:
            space = self.__name__.removeprefix("cupy").lstrip(".")
            full_name = f"{space}.{name}".lstrip(".")
            function = _function(name, getattr(self._source, name), full_name)
            setattr(self, name, function)
            return function
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def install():
    """Put the stand-in into the place of CuPy in this process."""
    cupy = _Module("cupy", names.FUNCTIONS, np)
    cupy.__version__ = "14.2.0"
    cupy.ndarray, cupy.RawModule = ndarray, RawModule
    cupy.array = array.array
    cupy.asarray = cupy.asanyarray = functools.partial(array.array, copy=None)
    cupy.asnumpy = lambda x, **kwargs: x.get() if isinstance(x, ndarray) else np.asarray(x)
    cupy.linalg = _Module("cupy.linalg", names.LINALG, np.linalg)
    cupy.fft = _Module("cupy.fft", names.FFT, np.fft)
    for name in ("float32", "float64", "complex64", "complex128", "int32", "int64", "pi", "inf",
                 "newaxis", "nan"):  # fmt: skip
        setattr(cupy, name, getattr(np, name))
    cupy.cuda = cuda.module()
    cupy.get_default_memory_pool = lambda: types.SimpleNamespace(free_bytes=lambda: 0)
    cupy.get_default_memory_pool = cuda.MemoryPool
    cupyx = types.ModuleType("cupyx")
    cupyx.scipy = types.ModuleType("cupyx.scipy")
    cupyx.scipy.sparse = sparse.module()
    cupyx.scipy.sparse.linalg = linalg.module()
    for module in (cupy, cupy.cuda, cupy.linalg, cupy.fft, cupyx, cupyx.scipy, cupyx.scipy.sparse,
                   cupyx.scipy.sparse.linalg):  # fmt: skip
        sys.modules[module.__name__] = module
    return cupy


array.ndarray.__module__ = "cupy"
