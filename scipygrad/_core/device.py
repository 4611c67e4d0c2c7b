"""Operands on a GPU: how they are recognised, and moved.

Which device an operation runs on is decided by its operands. What belongs to CuPy is registered
when the first value of its types is met, by autograd or by us; until then nothing of CuPy is
imported. Entries lie on the device; structure (patterns, maps) is found there or on the host, once.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from autograd import tracer
from autograd.extend import Box, VSpace

from . import errors
from .capture import private
from .engine import DeviceForm, box_types, cast, getval, nested, primitive
from .layout import DEVICE_ARRAYS, DEVICE_MATRICES, TRACED_TYPES

__all__ = ["contains_device", "host", "namespace", "on_device", "to_device", "to_host"]


# ---- recognition -----------------------------------------------------------------------------


def known(t: type) -> bool:
    """Whether `t` is a class of CuPy's; the first one makes us load what belongs to it."""
    if t in DEVICE_ARRAYS or t in DEVICE_MATRICES:
        return True
    root = t.__module__.partition(".")[0]
    if root not in ("cupy", "cupyx") or root not in sys.modules:
        return False
    if not DEVICE_ARRAYS:
        from ..sparse import _device

        _device.register()
    return t in DEVICE_ARRAYS or t in DEVICE_MATRICES


def on_device(x: Any) -> bool:
    """Whether `x`, traced or not, is an array or a sparse matrix on a GPU."""
    t = type(x)
    if t is np.ndarray:
        return False
    if t in TRACED_TYPES:
        d = x.__dict__
        inner = d["_constant"] if "_constant" in d else d.get("_value", d.get("_data"))
        return inner is not None and on_device(inner)
    if t in box_types:
        return bool(DEVICE_ARRAYS) and known(type(getval(x)))
    return t is DeviceForm or known(t)


def there(x: Any) -> bool:
    """The same for the key of a plan: the order of entries may be SciPy's, or that of a device."""
    return bool(DEVICE_ARRAYS) and on_device(x)


def contains_device(args: Iterable[Any]) -> bool:
    """Whether something on a GPU stands among the arguments, at any depth of containers."""
    for x in args:
        t = type(x)
        if t is tuple or t is list:
            if contains_device(x):
                return True
        elif t is dict:
            if contains_device(x.values()):
                return True
        elif on_device(x):
            return True
    return False


class _Mappings(dict):
    """autograd's table of types, which asks whether an unknown one is CuPy's."""

    def __missing__(self, t: type) -> Any:
        if known(t) and t in self:
            return self[t]
        raise KeyError(t)


tracer.box_type_mappings = Box.type_mappings = _Mappings(Box.type_mappings)
VSpace.mappings = _Mappings(VSpace.mappings)


def namespace(*operands: Any) -> Any:
    """NumPy, or CuPy if an operand is an array of it."""
    if DEVICE_ARRAYS and any(type(x) in DEVICE_ARRAYS for x in operands):
        refuse_mixed(operands)
        return sys.modules["cupy"]
    return np


def one_device(*operands: Any) -> None:
    """Raise if arrays, traced or not, lie on host and device."""
    if DEVICE_ARRAYS:
        namespace(*map(getval, operands))


def refuse_mixed(operands: Iterable[Any]) -> None:
    """Raise if arrays of host and device stand side by side."""
    for x in operands:
        if type(x) is tuple or type(x) is list:
            refuse_mixed(x)
        elif type(x) is np.ndarray and x.ndim:
            raise TypeError(errors.mixed(np.ndarray, *DEVICE_ARRAYS))


# ---- between host and device -----------------------------------------------------------------


def host(x: Any) -> Any:
    """`x` with the arrays on a GPU, at any depth of containers, copied to the host."""
    return nested(lambda v: v.get() if type(v) in DEVICE_ARRAYS else v, x)


@primitive(wrt=("x",))
def array_to_host(x):
    """An array on the GPU as one of NumPy's."""
    return x.get()[()] if type(x) in DEVICE_ARRAYS else x


@primitive(wrt=("x",))
def array_to_device(x):
    """An array of NumPy's on the GPU."""
    import cupy

    return cupy.asarray(x)


@array_to_host.vjp("x")
def _(g, ans, x):
    return array_to_device(g)


@array_to_device.vjp("x")
def _(g, ans, x):
    return array_to_host(g)


array_to_host.linear("x")
array_to_device.linear("x")


@primitive(wrt=("x",))
def outside(x):
    """Entries on a GPU that get out of the library: a copy of what a rule needs unchanged."""
    return private(x)


@outside.vjp("x")
def _(g, ans, x):
    return g


outside.linear("x")
outside.keeps()


def where_target_is(g: Any, target: Any) -> Any:
    """A cotangent on the device of the argument that it belongs to: numbers may be the host's."""
    if on_device(target) or np.ndim(getval(target)):
        return g
    return array_to_host(g)


def placed_as(x: np.ndarray, other: Any) -> Any:
    """A constant array of the library's own, on the device of another one."""
    return array_to_device(x) if on_device(other) else x


def beside(x: Any, *others: Any) -> Any:
    """A number or array to be combined with arrays of a GPU: traced numbers are moved there."""
    if type(getval(x)) in DEVICE_ARRAYS or not any(map(on_device, others)):
        return x
    if np.isscalar(x):  # it takes part in the choice of the dtype as NumPy has it
        return x
    number = getval(x)
    if np.ndim(number):
        refuse_mixed((number, *DEVICE_ARRAYS))
    moved = array_to_device(x)
    if type(number) in (int, float, complex):  # here, too, though an array takes part on its own
        moved = cast(moved, np.result_type(number, *(other.dtype for other in others)))
    return moved


def _moved(x: Any, move: Any, wanted: bool) -> Any:
    from .engine import is_sparse
    from .traced import entries_of, lift, make

    t = type(x)
    if is_sparse(x):
        if on_device(x) is wanted:
            return x
        A = lift(x)
        return make(A._pattern, move(entries_of(A)), A._class)
    if on_device(x) is wanted or not (t in box_types or t is np.ndarray or known(t)):
        return x
    return move(x)


def outline(x: Any) -> Any:
    """`x` with matrices on a GPU replaced by ones of the host of the same structure, of zeros."""
    return nested(lambda v: _outline(v) if type(v) in DEVICE_MATRICES else v, x)


def _outline(x: Any) -> Any:
    from .traced import lift

    A = lift(x)
    return A._pattern.matrix(np.broadcast_to(x.dtype.type(0), A._pattern.entries_shape), A._class)


def device_call(
    entry: Any, function: Callable, args: tuple, kwargs: dict, on_gpu: Callable | None = None
) -> Any:
    """A function of operands on a GPU: there, or else on the host, which is said."""
    if entry.gpu:
        from .traced import TracedBase, constant

        def plain(x):  # the matrix itself, of a stand-in for it
            known = constant(x) if isinstance(x, TracedBase) else None
            return x if known is None else known

        return nested(plain, (on_gpu or function)(*args, **kwargs))
    say_host(entry.name)
    return to_device(function(*to_host(args), **to_host(kwargs)))


def say_host(name: str) -> None:
    """Warn that a function runs on the host."""
    warnings.warn(
        f"{name} of an operand on a GPU runs on the host: its operands are copied there and its "
        "result back. Move them yourself (scipygrad.to_host) to have this said in your code.",
        errors.HostWarning,
        stacklevel=4,
    )


def call_on_host(function: Callable, which: object, /, *args: Any, **kwargs: Any) -> Any:
    """A call on operands on a GPU by the host, which is said; `which` call this is."""
    say_host(f"{function.__name__} {which}")
    return to_device(function(*to_host(args), **to_host(kwargs)))


def on_host(method: Callable) -> Callable:
    """A method of a traced matrix that CuPy lacks: it runs on the host."""

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        if DEVICE_ARRAYS and on_device(self):
            from .traced import lift

            say_host(method.__name__)
            args, kwargs = to_host(args), to_host(kwargs)
            return to_device(method(lift(to_host(self)), *args, **kwargs))
        return method(self, *args, **kwargs)

    return wrapper


def to_host(x: Any) -> Any:
    """`x` with what lies on a GPU moved to the host.

    Parameters
    ----------
    x : array, sparse array or matrix, or anything else
        Traced or not. Tuples, lists and dicts are searched at any depth.

    Returns
    -------
    object
        The same with NumPy arrays and sparse matrices of `scipygrad.sparse`; differentiable.
    """
    return nested(lambda v: _moved(v, array_to_host, False), x)


def to_device(x: Any) -> Any:
    """`x` with its arrays and sparse matrices moved to the current GPU.

    This is how a matrix that is assembled in lil, dok or bsr, which CuPy does not have, gets to
    the GPU: ``to_device(K.tocsr())``.

    Parameters
    ----------
    x : array, sparse array or matrix in csr, csc, coo or dia, or anything else
        Traced or not. Tuples, lists and dicts are searched at any depth.

    Returns
    -------
    object
        The same with CuPy arrays and sparse matrices on the GPU; differentiable.

    Raises
    ------
    TypeError
        For a sparse matrix in a format that there is not on the GPU.
    """
    import cupy

    known(cupy.ndarray)
    return nested(lambda v: _moved(v, array_to_device, True), x)
