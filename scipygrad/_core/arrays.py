"""What code on SciPy asks of an array, and autograd's traced arrays lack.

`np.asarray(A.sum(axis=1)).ravel()`, `x.dot(y)`, `z.conj()`, `np.bincount(i, v)`: autograd has no
rule for the function, or ArrayBox no such method. Here they are made of operations with rules.
Names of NumPy's that autograd leaves out of its namespace (`np.s_`, `np.mgrid`, `np.add.at`) are
there, and work on plain arrays.

Besides, what turns a traced array into whole numbers gives a plain array. autograd's `astype(int)`
has the derivative of the identity, where that of a staircase is 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import primitive_jvps
from autograd.extend import defjvp
from autograd.numpy import numpy_wrapper

from . import errors
from .collect import array_of
from .engine import ArrayBox, Box, cast, contains_traced, isbox, strip
from .npmatrix import as_ndarray
from .tags import Gather, scatter

__all__ = ["install"]

_SEQUENCES = (list, tuple, np.ndarray)


# ---- functions -------------------------------------------------------------------------------


def _is_whole(dtype: Any) -> bool:
    """Whether conversion to it makes plain numbers of traced ones."""
    return dtype is not None and np.dtype(dtype).kind in "iub"


def _converting(theirs: Callable, keeps_matrix: bool = False) -> Callable:
    """`asarray` and its relatives: a traced array itself, in another dtype if that is asked for."""

    @functools.wraps(theirs)
    def ours(a, dtype=None, *args, **kwargs):
        traced = isinstance(a, ArrayBox) or (type(a) in _SEQUENCES and contains_traced((a,)))
        if not traced or (dtype is not None and np.dtype(dtype).kind not in "fciub"):
            return theirs(a, dtype, *args, **kwargs)
        if _is_whole(dtype):
            return theirs(strip(a), dtype, *args, **kwargs)
        x = array_of(a)
        if dtype is not None and np.dtype(dtype) != anp.result_type(x):
            x = cast(x, np.dtype(dtype))
        return x if keeps_matrix else as_ndarray(x)

    return ours


def _of_whole_numbers(theirs: Callable) -> Callable:
    """`array(a, dtype)` and `a.astype(dtype)`, plain if dtype is one of whole numbers."""

    @functools.wraps(theirs)
    def ours(a, *args, **kwargs):
        dtype = args[0] if args else kwargs.get("dtype")
        return theirs(strip(a) if _is_whole(dtype) else a, *args, **kwargs)

    return ours


def _astype(self, dtype, *args, **kwargs):
    if _is_whole(dtype):
        return strip(self).astype(dtype, *args, **kwargs)
    if np.dtype(dtype).kind == "c" or self.dtype.kind == "f":
        return cast(self, np.dtype(dtype))  # autograd's rule warns of complex cotangents
    return _astype_by_autograd(self, dtype, *args, **kwargs)


def _copy(a, *args, **kwargs):
    return a if isinstance(a, ArrayBox) else _copy_by_numpy(a, *args, **kwargs)


def _vdot(a, b):
    if not (isbox(a) or isbox(b)):
        return np.vdot(a, b)
    return anp.sum(anp.conj(anp.ravel(a)) * anp.ravel(b))


def _repeat(a, repeats, axis=None):
    """``np.repeat(x, np.diff(A.indptr))`` too, for which autograd has no rule."""
    if not isbox(a) or np.ndim(strip(repeats)) == 0:
        return _repeat_by_autograd(a, repeats, axis)
    if axis is None:
        a, axis = anp.ravel(a), 0
    axis = range(anp.ndim(a))[axis]
    index = np.repeat(np.arange(anp.shape(a)[axis]), strip(repeats))
    return a[(slice(None),) * axis + (index,)]


def _moving(theirs: Callable) -> Callable:
    """A function that picks elements of its first argument: which, is seen at their numbers."""

    @functools.wraps(theirs)
    def ours(a, *args, **kwargs):
        if type(strip(a) if isbox(a) else None) is not np.ndarray:
            return theirs(a, *args, **kwargs)
        numbers = np.arange(a.size).reshape(a.shape)
        return anp.ravel(a)[theirs(numbers, *strip(args), **strip(kwargs))]

    return ours


def _full_like(a, fill_value, dtype=None, *args, **kwargs):
    """autograd takes the fill value for a constant."""
    if not isbox(fill_value):
        return _full_like_by_numpy(a, fill_value, dtype, *args, **kwargs)
    dtype = np.dtype(dtype or anp.result_type(a))
    if dtype.kind not in "fc":
        return _full_like_by_numpy(a, strip(fill_value), dtype, *args, **kwargs)
    return cast(anp.full(anp.shape(a), fill_value), dtype)


def _pad(array, pad_width, mode="constant", **kwargs):
    return _pad_by_autograd(array, pad_width, mode, **kwargs)  # whose rule has no default mode


def _bincount(x, weights=None, minlength=0):
    """The sums of the weights that go to each place."""
    x = strip(x)
    if not isbox(weights) or anp.result_type(weights).kind == "c":  # NumPy refuses complex ones
        return np.bincount(x, strip(weights), minlength)
    counts = np.bincount(x, minlength=minlength)  # with NumPy's errors
    if anp.shape(weights) != np.shape(x):
        raise ValueError("The weights and list don't have the same length.")
    plan = Gather(np.asarray(x), counts.shape, np.shape(x))
    return scatter(cast(weights, np.dtype(np.float64)), plan)


# ---- methods ---------------------------------------------------------------------------------


def _diagonal(self, offset=0, axis1=0, axis2=1):
    if self.ndim != 2 or (axis1, axis2) != (0, 1):  # autograd has a rule for the last two axes
        return anp.diagonal(self, offset, axis1, axis2)
    rows, cols = self.shape
    first, right = max(0, -offset), max(0, offset)
    i = np.arange(max(0, min(rows - first, cols - right)))
    return self[i + first, i + right]


def _item(self, *index):
    if not index and self.size != 1:
        raise ValueError("can only convert an array of size 1 to a Python scalar")
    if not self.ndim:
        return self
    if len(index) == 1 and isinstance(index[0], tuple):
        index = index[0]
    return self[index] if len(index) > 1 else anp.ravel(self)[index[0] if index else 0]


def _tolist(self):
    return [x.tolist() if anp.ndim(x) else x for x in self] if self.ndim else self


def _format(self, spec):
    """Of its value: a text has no derivative, and `f"{norm:.2e}"` is for the reader."""
    value = strip(self)
    return format(value[()] if isinstance(value, np.ndarray) else value, spec)


def _refuse(self, index, value):
    raise TypeError(errors.traced_array_assignment())


_METHODS: dict[str, Any] = {
    "dot": lambda self, other: anp.dot(self, other),
    "diagonal": _diagonal,
    "item": _item,
    "tolist": _tolist,
    "copy": lambda self, order="C": self,  # nobody can write to it
    "conj": lambda self: anp.conj(self),
    "conjugate": lambda self: anp.conj(self),
    "real": property(lambda self: anp.real(self)),
    "imag": property(lambda self: anp.imag(self)),
    "repeat": _repeat,
    "flat": property(lambda self: anp.ravel(self)),
    "nbytes": property(lambda self: self.size * self.dtype.itemsize),
    "astype": _astype,
    "__format__": _format,
    "__pos__": lambda self: self,
    "__setitem__": _refuse,
}


# ---- names, and forward mode of small dense systems --------------------------------------------

_NAMES = ("False_", "True_", "index_exp", "mgrid", "ogrid", "s_", "testing")
_UFUNC_METHODS = ("at", "reduce", "accumulate", "reduceat", "outer")


def _add_names() -> None:
    for name in _NAMES:
        setattr(anp, name, getattr(np, name))
    for name, theirs in vars(np).items():
        if isinstance(theirs, np.ufunc):
            for method in _UFUNC_METHODS:
                setattr(getattr(anp, name), method, getattr(theirs, method))


def _add_jvps() -> None:
    linalg = anp.linalg
    rules: dict[Callable, tuple[Callable, ...]] = {
        linalg.solve: (
            lambda t, ans, A, b: -linalg.solve(A, anp.matmul(t, ans)),
            lambda t, ans, A, b: linalg.solve(A, t),
        ),
        linalg.inv: (lambda t, ans, A: -anp.matmul(anp.matmul(ans, t), ans),),
        linalg.det: (
            lambda t, ans, A: ans * anp.sum(anp.swapaxes(linalg.inv(A), -2, -1) * t, axis=(-2, -1)),
        ),
    }  # fmt: skip
    for function, of_arguments in rules.items():
        if function not in primitive_jvps:
            defjvp(function, *of_arguments)


def _refuse_matrix(value, trace, node):
    raise TypeError(errors.npmatrix_function())


_astype_by_autograd = ArrayBox.astype
_copy_by_numpy = anp.copy
_full_like_by_numpy = anp.full_like
_repeat_by_autograd = anp.repeat
_pad_by_autograd = anp.pad


def install() -> None:
    """Make it so, for all of autograd."""
    functions = {
        name: _converting(getattr(anp, name), keeps_matrix=name == "asanyarray")
        for name in ("asarray", "asanyarray", "ascontiguousarray", "asfortranarray")
    }
    functions["array"] = _of_whole_numbers(anp.array)
    functions |= {"copy": _copy, "vdot": _vdot, "bincount": _bincount}
    functions |= {"repeat": _repeat, "pad": _pad, "full_like": _full_like}
    functions |= {name: _moving(getattr(anp, name)) for name in ("take", "flip", "delete")}
    ArrayBox.take = functions["take"]
    for name, function in functions.items():
        setattr(anp, name, function)
        setattr(numpy_wrapper, name, function)
    for name, method in _METHODS.items():
        setattr(ArrayBox, name, method)
    Box.type_mappings[np.matrix] = _refuse_matrix
    _add_names()
    _add_jvps()
