"""The gradient of a slice of an array, in one pass.

autograd adds it with `np.add.at`, which is needed only where an index may meet a place twice.
"""

from __future__ import annotations

import numpy as np
from autograd.core import SparseObject
from autograd.extend import defjvp, defvjp
from autograd.extend import primitive as autograd_primitive
from autograd.numpy import numpy_vjps

from .layout import DEVICE_ARRAYS

__all__ = ["install"]

_BASIC = frozenset((int, slice, type(None), type(Ellipsis), np.int64, np.int32))
_untake_any = numpy_vjps.untake


@autograd_primitive
def _untake(x, index, vs):
    """autograd's transpose of `A[index]`."""
    parts = index if type(index) is tuple else (index,)
    if not all(type(part) in _BASIC for part in parts):
        if type(x) in DEVICE_ARRAYS:
            return SparseObject(vs, lambda A: _scattered(A, index, x))
        return _untake_any.fun(x, index, vs)

    def add_to(A):
        part = A[index]
        if isinstance(part, np.ndarray):
            part += x
        elif type(A) in DEVICE_ARRAYS:
            A[index] += x
        else:
            np.add.at(A, index, x)
        return A

    return SparseObject(vs, add_to)


def _scattered(A, index, x):
    from .device_numpy import add_at

    return add_at(A, index, x)


defvjp(_untake, lambda ans, x, index, vs: lambda g: g[index], argnums=(0,))
defjvp(_untake, "same", argnums=(0,))


def install() -> None:
    """Make it so, for all of autograd."""
    numpy_vjps.untake = _untake
