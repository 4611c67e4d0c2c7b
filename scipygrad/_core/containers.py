"""The gradient of a tuple, list or dict of arrays, with fewer passes over memory.

autograd starts such a gradient with zeros and adds to each element what comes for it. For large
arrays, what comes first takes the place of the zeros, if nothing else holds it.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakValueDictionary

import autograd.numpy as anp
import numpy as np
from autograd import builtins, core
from autograd.core import SparseObject
from autograd.extend import defjvp, defvjp
from autograd.extend import primitive as autograd_primitive

__all__ = ["install"]

LARGE = 2**16
"""Bytes from which on an array is worth the question."""

_zeros: WeakValueDictionary[int, np.ndarray] = WeakValueDictionary()
_untake = builtins.container_untake.fun
_references_if_alone = 0  # as `add_to` counts them


def _zeros_of_container(self) -> Any:
    """autograd's `ContainerVSpace.zeros`, with a note of the large arrays among them."""
    zeros = self._map(lambda vs: vs.zeros())
    for x in self._values(zeros):
        if type(x) is np.ndarray and x.nbytes >= LARGE:
            _zeros[id(x)] = x
    return zeros


@autograd_primitive
def _container_untake(x, idx, vs):
    """autograd's transpose of `A[idx]`."""
    if type(x) is not np.ndarray or type(idx) is slice:
        return _untake(x, idx, vs)

    def add_to(A):
        element = A[idx]
        untouched = _zeros.pop(id(element), None) is element
        # Counted here, since a call in between would count as well.
        if untouched and sys.getrefcount(x) <= _references_if_alone and _can_replace(x, element):
            return vs._subval(A, idx, x)
        return vs._subval(A, idx, vs.shape[idx]._mut_add(element, x))

    return SparseObject(vs, add_to)


def _can_replace(x: np.ndarray, zeros: np.ndarray) -> bool:
    return (
        x.dtype == zeros.dtype and x.shape == zeros.shape and x.flags.owndata and x.flags.writeable
    )


def _count_references() -> int:
    """How many references `add_to` counts to an array that nothing but autograd holds."""
    counted = []

    @autograd_primitive
    def counting(x, idx, vs):
        def add_to(A):
            element = A[idx]
            counted.append(sys.getrefcount(x))
            return vs._subval(A, idx, vs.shape[idx]._mut_add(element, x))

        return SparseObject(vs, add_to)

    builtins.container_untake = counting
    try:
        core.make_vjp(lambda t: anp.sin(t[0]), (np.zeros(2),))[0](np.ones(2))
    finally:
        builtins.container_untake = _container_untake
    return counted[0]


defvjp(
    _container_untake,
    lambda ans, x, idx, vs: lambda g: builtins.container_take(g, idx),
    argnums=(0,),
)
defjvp(_container_untake, "same")


def install() -> None:
    """Make it so, for all of autograd."""
    global _references_if_alone
    _references_if_alone = _count_references()
    builtins.ContainerVSpace.zeros = _zeros_of_container
