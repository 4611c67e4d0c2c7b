"""autograd.numpy on CuPy's arrays: where autograd's rules make arrays of NumPy's, CuPy's instead.

Most rules are written in functions that CuPy takes over by NumPy's protocols. These are the others.
They are put in place when the first array of CuPy's is met; arrays of NumPy's keep autograd's own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import core
from autograd.numpy import numpy_vjps
from autograd.tracer import trace_primitives_map

from .device import on_device, where_target_is
from .engine import getval
from .layout import DEVICE_ARRAYS

# ---- functions that rules call ----------------------------------------------------------------

_repeat_to_match_shape = numpy_vjps.repeat_to_match_shape
_unbroadcast_f = numpy_vjps.unbroadcast_f
_parse_einsum_input = anp.parse_einsum_input


def repeat_to_match_shape(g: Any, shape: Any, dtype: Any, axis: Any, keepdims: Any) -> Any:
    """autograd's transpose of a sum over axes, without an array of zeros."""
    if type(getval(g)) not in DEVICE_ARRAYS:
        return _repeat_to_match_shape(g, shape, dtype, axis, keepdims)
    if not shape:
        return g, 1
    kept = np.array(shape)
    axes = list(axis) if isinstance(axis, tuple) else axis
    kept[axes] = 1
    repeats = np.prod(np.array(shape)[axes])
    return anp.broadcast_to(anp.reshape(g, tuple(kept.tolist())), shape), repeats


def unbroadcast_f(target: Any, f: Callable) -> Callable:
    """autograd's sum over the axes of a broadcast; a number of the host gets one of the host."""
    vjp = _unbroadcast_f(target, f)
    return lambda g: _where_target_is(vjp(g), target)


def _where_target_is(g: Any, target: Any) -> Any:
    return where_target_is(g, target) if type(getval(g)) in DEVICE_ARRAYS else g


def parse_einsum_input(*operands: Any) -> Any:
    """The subscripts of einsum, which NumPy finds by looking at shapes."""
    shapes = (np.broadcast_to(np.float64(0), anp.shape(x)) if on_device(x) else x for x in operands)
    return _parse_einsum_input(*shapes)


# ---- rules -----------------------------------------------------------------------------------


def _dot_left(g: Any, ans: Any, A: Any, B: Any) -> Any:
    """Ā of the product of A and B: ⟨g, Ȧ B⟩, without conjugates."""
    if not anp.ndim(A) or not anp.ndim(B):
        return anp.sum(g * B) if not anp.ndim(A) else g * B
    if anp.ndim(B) == 1:
        return anp.expand_dims(g, -1) * B
    if anp.ndim(B) > 2:
        raise NotImplementedError("numpy.dot of arrays on a GPU with more than two dimensions")
    return anp.matmul(g, B.T) if anp.ndim(A) > 1 else anp.matmul(B, g)


def _dot_right(g: Any, ans: Any, A: Any, B: Any) -> Any:
    """B̄ of the same."""
    if not anp.ndim(A) or not anp.ndim(B):
        return anp.sum(g * A) if not anp.ndim(B) else g * A
    if max(anp.ndim(A), anp.ndim(B)) > 2:
        raise NotImplementedError("numpy.dot of arrays on a GPU with more than two dimensions")
    if anp.ndim(A) == 1:
        return A * g if anp.ndim(B) == 1 else anp.expand_dims(A, -1) * g
    return anp.matmul(A.T, g)


def _inner_left(g: Any, ans: Any, A: Any, B: Any) -> Any:
    """inner(A, B) = A Bᵀ."""
    return _dot_left(g, ans, A, B.T)


def _inner_right(g: Any, ans: Any, A: Any, B: Any) -> Any:
    return _dot_right(g, ans, A, B.T).T


def _axes_of_tensordot(A: Any, B: Any, axes: Any) -> tuple[list[int], list[int]]:
    """The axes that are summed over, of each."""
    if np.ndim(axes) == 0:
        n = int(axes)
        return [*range(anp.ndim(A) - n, anp.ndim(A))], [*range(n)]
    left, right = ([int(i) for i in np.atleast_1d(a)] for a in axes)
    return [i % anp.ndim(A) for i in left], [i % anp.ndim(B) for i in right]


def _tensordot_left(g: Any, ans: Any, A: Any, B: Any, axes: Any = 2) -> Any:
    """Ā: g and B summed over the axes that only B has; then its axes in A's order."""
    left, right = _axes_of_tensordot(A, B, axes)
    free_A = [i for i in range(anp.ndim(A)) if i not in left]
    free_B = [i for i in range(anp.ndim(B)) if i not in right]
    places = [*range(len(free_A), anp.ndim(g))]
    made = anp.tensordot(g, B, (places, free_B))  # axes of A: free_A, then those of `right`, sorted
    order = free_A + [left[right.index(i)] for i in sorted(right)]
    return anp.transpose(made, tuple(int(i) for i in np.argsort(order)))


def _tensordot_right(g: Any, ans: Any, A: Any, B: Any, axes: Any = 2) -> Any:
    left, right = _axes_of_tensordot(A, B, axes)
    free_A = [i for i in range(anp.ndim(A)) if i not in left]
    free_B = [i for i in range(anp.ndim(B)) if i not in right]
    made = anp.tensordot(A, g, (free_A, [*range(len(free_A))]))
    order = [right[left.index(i)] for i in sorted(left)] + free_B
    return anp.transpose(made, tuple(int(i) for i in np.argsort(order)))


def _transpose(g: Any, ans: Any, x: Any, axes: Any = None) -> Any:
    return anp.transpose(g, axes and tuple(int(i) for i in np.argsort(axes)))


def _sort(g: Any, ans: Any, x: Any, axis: int = -1) -> Any:
    if anp.ndim(x) != 1:
        raise NotImplementedError("numpy.sort of arrays on a GPU with several dimensions")
    return g[anp.argsort(anp.argsort(getval(x)))]


def _where_first(g: Any, ans: Any, c: Any, x: Any = None, y: Any = None) -> Any:
    return _where_target_is(numpy_vjps.unbroadcast(anp.where(c, g, 0.0), anp.metadata(x)), x)


def _where_second(g: Any, ans: Any, c: Any, x: Any = None, y: Any = None) -> Any:
    return _where_target_is(numpy_vjps.unbroadcast(anp.where(c, 0.0, g), anp.metadata(y)), y)


def _trace(g: Any, ans: Any, x: Any, offset: int = 0) -> Any:
    return g * sys.modules["cupy"].eye(*anp.shape(x), k=offset)


_where = trace_primitives_map[np.where]  # anp.where is a function around it
_VJPS: dict[Callable, dict[int, Callable]] = {
    anp.dot: {0: _dot_left, 1: _dot_right},
    anp.inner: {0: _inner_left, 1: _inner_right},
    anp.tensordot: {0: _tensordot_left, 1: _tensordot_right},
    anp.transpose: {0: _transpose},
    anp.sort: {0: _sort},
    _where: {1: _where_first, 2: _where_second},
    anp.trace: {0: _trace},
}
"""Rules ``(g, ans, *args) -> cotangent`` that stand for autograd's on a GPU."""

_JVPS: dict[Callable, dict[int, Callable]] = {
    _where: {
        1: lambda t, ans, c, x=None, y=None: anp.where(c, t, 0.0),
        2: lambda t, ans, c, x=None, y=None: anp.where(c, 0.0, t),
    },
}


def _vjp_maker(theirs: Callable, rules: dict[int, Callable]) -> Callable:
    def make(argnums, ans, args, kwargs):
        if not (on_device(ans) and all(i in rules for i in argnums)):
            return theirs(argnums, ans, args, kwargs)
        return lambda g: tuple(
            _where_target_is(rules[i](g, ans, *args, **kwargs), args[i]) for i in argnums
        )

    return make


def _jvp_maker(theirs: Callable, rules: dict[int, Callable]) -> Callable:
    def make(argnums, tangents, ans, args, kwargs):
        if not (on_device(ans) and all(i in rules for i in argnums)):
            return theirs(argnums, tangents, ans, args, kwargs)
        parts = (rules[i](t, ans, *args, **kwargs) for i, t in zip(argnums, tangents))
        return core.sum_outgrads(parts)

    return make


def install() -> None:
    """Make it so; done when the first array of CuPy's is met."""
    numpy_vjps.unbroadcast_f = unbroadcast_f
    numpy_vjps.repeat_to_match_shape = repeat_to_match_shape
    numpy_vjps.anp.parse_einsum_input = parse_einsum_input
    for fun, rules in _VJPS.items():
        core.primitive_vjps[fun] = _vjp_maker(core.primitive_vjps[fun], rules)
    for fun, rules in _JVPS.items():
        core.primitive_jvps[fun] = _jvp_maker(core.primitive_jvps[fun], rules)
