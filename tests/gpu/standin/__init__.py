"""A strict stand-in for CuPy: the rules of `cupy` and `cupyx.scipy.sparse` without a GPU.

It checks logic: that nothing is converted or mixed unasked, that only what CuPy has is called, that
numbers and structure are right. It says nothing about the GPU: neither that a kernel is right
there, nor how fast it is. Kernels run as what `kernels` has under their names.
"""

from __future__ import annotations

import sys
import types

import numpy as np

from . import array, linalg, names, sparse
from .array import device, host, ndarray, transfers
from .kernels import RawModule

__all__ = ["install", "transfers"]


def _function(name, function):
    def call(*args, **kwargs):
        return device(function(*host(args), **host(kwargs)))

    call.__name__ = name
    return call


def _asarray(x, dtype=None, order=None, **kwargs):
    """To the device: the one way for NumPy arrays."""
    if isinstance(x, ndarray):
        return x if dtype is None else x.astype(dtype, copy=False)
    if isinstance(x, (list, tuple)) and any(isinstance(v, ndarray) for v in x):
        return device(np.stack(host(list(x))))
    if isinstance(x, np.ndarray):
        transfers["to device"] += 1
    return ndarray._of(np.array(x, dtype=dtype, order=order))


class _Module(types.ModuleType):
    """Gives NumPy's functions, as far as CuPy has them."""

    def __init__(self, name, known, source):
        super().__init__(name)
        self._known, self._source = known, source

    def __getattr__(self, name):
        if name in self._known:
            function = _function(name, getattr(self._source, name))
            setattr(self, name, function)
            return function
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


def install():
    """Put the stand-in into the place of CuPy in this process."""
    cupy = _Module("cupy", names.FUNCTIONS, np)
    cupy.__version__ = "14.2.0"
    cupy.ndarray, cupy.RawModule = ndarray, RawModule
    cupy.asarray = cupy.array = cupy.asanyarray = _asarray
    cupy.asnumpy = lambda x, **kwargs: x.get() if isinstance(x, ndarray) else np.asarray(x)
    cupy.linalg = _Module("cupy.linalg", names.LINALG, np.linalg)
    for name in ("float32", "float64", "complex64", "complex128", "int32", "int64", "pi", "inf",
                 "newaxis", "nan"):  # fmt: skip
        setattr(cupy, name, getattr(np, name))
    cupyx = types.ModuleType("cupyx")
    cupyx.scipy = types.ModuleType("cupyx.scipy")
    cupyx.scipy.sparse = sparse.module()
    cupyx.scipy.sparse.linalg = linalg.module()
    cupyx.scatter_add = lambda a, i, v: a.scatter_add(i, v)
    for module in (cupy, cupy.linalg, cupyx, cupyx.scipy, cupyx.scipy.sparse,
                   cupyx.scipy.sparse.linalg):  # fmt: skip
        sys.modules[module.__name__] = module
    return cupy


array.ndarray.__module__ = "cupy"
