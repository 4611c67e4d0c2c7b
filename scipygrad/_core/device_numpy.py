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
from autograd.extend import defjvp_argnum, defvjp_argnum
from autograd.extend import primitive as autograd_primitive
from autograd.numpy import fft, numpy_jvps, numpy_vjps, numpy_wrapper
from autograd.tracer import trace_primitives_map

from .device import array_to_device, contains_device, on_device, refuse_mixed, where_target_is
from .engine import cast, form, getval, like
from .layout import DEVICE_ARRAYS

Rules = dict[Callable, dict[int, Callable]]
"""By the function, and the place of the argument: ``(g, ans, *args) -> cotangent or tangent``."""

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
    vjp, shape = _unbroadcast_f(target, f), form(target)  # the numbers are not needed
    return lambda g: _where_target_is(vjp(g), shape)


def _where_target_is(g: Any, target: Any) -> Any:
    return where_target_is(g, target) if type(getval(g)) in DEVICE_ARRAYS else g


def parse_einsum_input(*operands: Any) -> Any:
    """The subscripts of einsum, which NumPy finds by looking at shapes."""
    shapes = (np.broadcast_to(np.float64(0), anp.shape(x)) if on_device(x) else x for x in operands)
    return _parse_einsum_input(*shapes)


# ---- lists of arrays --------------------------------------------------------------------------

_concatenate_args = numpy_wrapper.concatenate_args


@autograd_primitive
def _concatenated(axis: int, *parts: Any) -> Any:
    refuse_mixed(parts)
    return sys.modules["cupy"].concatenate(parts, axis)


def _part(argnum: int, ans: Any, args: tuple, kwargs: dict) -> Callable:
    vjp = numpy_vjps.grad_concatenate_args(argnum, ans, args, kwargs)
    return lambda g: like(vjp(g), args[argnum])


def concatenate_args(axis: int, *parts: Any) -> Any:
    """autograd's concatenate, which takes a view of NumPy's class of the result."""
    return (_concatenated if contains_device(parts) else _concatenate_args)(axis, *parts)


# ---- shapes, orders, places -------------------------------------------------------------------


def _reshape(g: Any, ans: Any, x: Any, shape: Any = None, order: Any = None) -> Any:
    order = order or "C"
    if order not in ("C", "F"):
        raise NotImplementedError(
            f"the derivative of reshape and ravel of an array on a GPU with order={order!r}, which "
            "depends on how the array lies in memory. Use order='C' or 'F'."
        )
    return anp.reshape(g, anp.shape(x), order)


def _ravel(g: Any, ans: Any, x: Any, order: Any = None) -> Any:
    return _reshape(g, ans, x, None, order)


def inverse(order: Any) -> tuple[int, ...]:
    """The permutation that takes axes in this order back to theirs."""
    return tuple(int(i) for i in np.argsort([i % len(order) for i in order]))


def _transpose(g: Any, ans: Any, x: Any, axes: Any = None) -> Any:
    return anp.transpose(g, axes and inverse(axes))


def _astype(g: Any, ans: Any, x: Any, dtype: Any, *args: Any, **kwargs: Any) -> Any:
    return cast(g, anp.result_type(x))


def _along(g: Any, places: Any, axis: int) -> Any:
    """g at these places along an axis."""
    cupy = sys.modules["cupy"]
    index = []
    for i, n in enumerate(places.shape):
        shape = [1] * places.ndim
        shape[i] = n
        index.append(cupy.arange(n).reshape(tuple(shape)))
    index[axis] = places
    return g[tuple(index)]


def _rank(x: Any, axis: int) -> tuple[Any, Any]:
    """Places in the order of size, and the place in this order of each."""
    order = anp.argsort(getval(x), axis)
    return order, anp.argsort(order, axis)


def add_at(A: Any, index: Any, x: Any) -> Any:
    """``A[index] += x``, where places may be met more than once; the same in every run."""
    from .._backend.gpu import common
    from .._backend.gpu.launch import launch

    cupy = sys.modules["cupy"]
    places = cupy.arange(A.size).reshape(A.shape)[index]
    if not places.size:
        return A
    (x,) = common(cupy.broadcast_to(x, places.shape).ravel())
    order = cupy.argsort(places.ravel())
    begin = cupy.searchsorted(places.ravel()[order], cupy.arange(A.size + 1))
    sums = cupy.empty(A.size, x.dtype)
    launch("entrywise", "segment_sum", x.dtype, order.dtype, sums.size, sums, x, order, begin)
    A += sums.reshape(A.shape)
    return A


def _sort(g: Any, ans: Any, x: Any, *args: Any, axis: Any = -1, **kwargs: Any) -> Any:
    """As for partition, where the axis is the next argument but one."""
    return _partition(g, ans, x, None, args[0] if args else axis)


def _partition(g: Any, ans: Any, x: Any, kth: Any, axis: Any = -1, **kwargs: Any) -> Any:
    """What is k-th in x is k-th in the result, wherever that has it."""
    if axis is None:
        return anp.reshape(_partition(g, ans, anp.ravel(x), kth), anp.shape(x))
    order, _ = _rank(ans, axis)
    _, rank = _rank(x, axis)
    return _along(g, _along(order, rank, axis), axis)


def _sort_jvp(t: Any, ans: Any, x: Any, *args: Any, axis: Any = -1, **kwargs: Any) -> Any:
    return _partition_jvp(t, ans, x, None, args[0] if args else axis)


def _partition_jvp(t: Any, ans: Any, x: Any, kth: Any, axis: Any = -1, **kwargs: Any) -> Any:
    if axis is None:
        return _partition_jvp(anp.ravel(t), ans, anp.ravel(x), kth)
    order, _ = _rank(x, axis)
    _, rank = _rank(ans, axis)
    return _along(t, _along(order, rank, axis), axis)


def _diagonal(g: Any, ans: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The matrices of zeros with this diagonal, in the last axes; then where they were."""
    rows, columns = anp.shape(x)[axis1], anp.shape(x)[axis2]
    shift = sys.modules["cupy"].eye(rows, columns, offset, anp.result_type(g))
    begin = max(-offset, 0)
    chosen = shift[begin : begin + anp.shape(g)[-1]]  # a row for each number of g
    identity = sys.modules["cupy"].eye(rows, chosen.shape[0], -begin, anp.result_type(g))
    made = anp.matmul(identity * anp.expand_dims(g, -2), chosen)
    return anp.moveaxis(made, (-2, -1), (axis1, axis2))


def _trace(g: Any, ans: Any, x: Any, offset: int = 0) -> Any:
    rows, columns, *rest = anp.shape(x)
    ones = sys.modules["cupy"].eye(rows, columns, offset, anp.result_type(g))
    return g * ones.reshape((rows, columns, *(1 for _ in rest)))


# ---- functions of numbers ---------------------------------------------------------------------


def _power_left(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if anp.ndim(y) or on_device(y):
        less = anp.where(y, y - 1, 1.0)
    else:  # NumPy would make an array of it
        less = y - 1 if getval(y) else 1.0
    return numpy_vjps.unbroadcast(g * y * x**less, anp.metadata(x))


def _power_jvp(t: Any, ans: Any, x: Any, y: Any) -> Any:
    if anp.ndim(y) or on_device(y):
        return t * y * x ** anp.where(y, y - 1, 1.0)
    return t * y * x ** (y - 1 if getval(y) else 1.0)


def _where_first(g: Any, ans: Any, c: Any, x: Any = None, y: Any = None) -> Any:
    return numpy_vjps.unbroadcast(anp.where(c, g, 0.0), anp.metadata(x))


def _where_second(g: Any, ans: Any, c: Any, x: Any = None, y: Any = None) -> Any:
    return numpy_vjps.unbroadcast(anp.where(c, 0.0, g), anp.metadata(y))


def _linspace_left(g: Any, ans: Any, start: Any, stop: Any, num: int = 50) -> Any:
    return anp.tensordot(sys.modules["cupy"].linspace(1.0, 0.0, num), g, ([0], [0]))


def _linspace_right(g: Any, ans: Any, start: Any, stop: Any, num: int = 50) -> Any:
    return anp.tensordot(sys.modules["cupy"].linspace(0.0, 1.0, num), g, ([0], [0]))


def _gradient(g: Any, ans: Any, x: Any, *spacing: Any, axis: Any = None) -> Any:
    """out[i] = c[i] (x[i + 1] - x[i - 1]), where the ends take x[i] for what is beyond them."""
    if spacing:
        raise NotImplementedError("the derivative of numpy.gradient with spacing")
    axes = range(anp.ndim(x)) if axis is None else np.atleast_1d(axis)
    parts = g if isinstance(getval(g), (tuple, list)) else [g]
    total = None
    for part, i in zip(parts, axes):
        w = anp.moveaxis(part, int(i), 0)
        w = anp.concatenate([w[:1], w[1:-1] * 0.5, w[-1:]])
        made = anp.concatenate([-w[:1] - w[1:2], w[:-2] - w[2:], w[-2:-1] + w[-1:]])
        made = anp.moveaxis(made, 0, int(i))
        total = made if total is None else total + made
    return total


def _beside(t: Any, ans: Any) -> Any:
    """The tangent of a term, in the shape of the sum."""
    t = t if on_device(t) else like(array_to_device(t), ans)
    return numpy_jvps.broadcast(t, ans)


# ---- real Fourier transforms -------------------------------------------------------------------
# Each is the complex one, and the real part or the other half of the spectrum.


def _axes_of_fft(fun: Callable, x: Any, args: tuple, kwargs: dict) -> tuple[Any, Any, Any]:
    """The axes of a transform, its lengths where they are given, and how it is scaled."""
    given = dict(zip(("s", "axes", "norm"), args)) | kwargs
    if fun in (fft.rfft, fft.irfft):
        n, axis = given.get("n", given.get("s")), given.get("axis", given.get("axes", -1))
        return None if n is None else [n], [axis], given.get("norm")
    s, axes = given.get("s"), given.get("axes", (-2, -1) if fun in _PLANES else None)
    if axes is None:
        axes = range(anp.ndim(x))[-len(x.shape if s is None else s) :]
    fft.check_no_repeated_axes([i % anp.ndim(x) for i in axes])
    return s, [*axes], given.get("norm")


_PLANES = (fft.rfft2, fft.irfft2)


def _rfft(fun: Callable) -> Callable:
    def rule(g, ans, x, *args, **kwargs):
        s, axes, norm = _axes_of_fft(fun, x, args, kwargs)
        s = [anp.shape(x)[i] for i in axes] if s is None else s
        return fft.truncate_pad(anp.real(fft.fftn(g, s, axes, norm)), anp.shape(x))

    return rule


def _irfft(fun: Callable) -> Callable:
    def rule(g, ans, x, *args, **kwargs):
        _, axes, norm = _axes_of_fft(fun, x, args, kwargs)
        n = anp.shape(ans)[axes[-1]]
        h = anp.moveaxis(fft.ifftn(g, None, axes, norm), axes[-1], 0)[: n // 2 + 1]
        ends = n // 2 + n % 2  # the last of an even length is alone in the spectrum, as the first
        h = anp.concatenate([h[:1], 2 * h[1:ends], h[ends:]])
        return fft.truncate_pad(anp.moveaxis(h, 0, axes[-1]), anp.shape(x))

    return rule


# ---- tables -----------------------------------------------------------------------------------

_where = trace_primitives_map[np.where]  # anp.where is a function around it
_VJPS: Rules = {
    anp.reshape: {0: _reshape},
    anp.ravel: {0: _ravel},
    anp.transpose: {0: _transpose},
    numpy_wrapper._astype: {0: _astype},
    anp.sort: {0: _sort},
    anp.partition: {0: _partition},
    anp.diagonal: {0: _diagonal},
    anp.trace: {0: _trace},
    anp.power: {0: _power_left},
    _where: {1: _where_first, 2: _where_second},
    anp.linspace: {0: _linspace_left, 1: _linspace_right},
    anp.gradient: {0: _gradient},
    **{fun: {0: _rfft(fun)} for fun in (fft.rfft, fft.rfft2, fft.rfftn)},
    **{fun: {0: _irfft(fun)} for fun in (fft.irfft, fft.irfft2, fft.irfftn)},
}
"""Rules that stand for autograd's on a GPU."""

_JVPS: Rules = {
    anp.add: {0: lambda t, ans, x, y: _beside(t, ans), 1: lambda t, ans, x, y: _beside(t, ans)},
    anp.subtract: {
        0: lambda t, ans, x, y: _beside(t, ans),
        1: lambda t, ans, x, y: _beside(-t, ans),
    },
    anp.mod: {0: lambda t, ans, x, y: _beside(t, ans)},
    anp.power: {0: _power_jvp},
    anp.sort: {0: _sort_jvp},
    anp.partition: {0: _partition_jvp},
    _where: {
        1: lambda t, ans, c, x=None, y=None: anp.where(c, t, 0.0),
        2: lambda t, ans, c, x=None, y=None: anp.where(c, 0.0, t),
    },
}


def _vjp_maker(theirs: Callable, rules: dict[int, Callable]) -> Callable:
    def make(argnums, ans, args, kwargs):
        if not contains_device((getval(ans),)):
            return theirs(argnums, ans, args, kwargs)
        return lambda g: tuple(
            like(rules[i](g, ans, *args, **kwargs), args[i])
            if i in rules
            else theirs((i,), ans, args, kwargs)(g)[0]
            for i in argnums
        )

    return make


def _jvp_maker(theirs: Callable, rules: dict[int, Callable]) -> Callable:
    def make(argnums, tangents, ans, args, kwargs):
        if not contains_device((getval(ans),)):
            return theirs(argnums, tangents, ans, args, kwargs)
        return core.sum_outgrads(
            rules[i](t, ans, *args, **kwargs)
            if i in rules
            else theirs((i,), (t,), ans, args, kwargs)
            for i, t in zip(argnums, tangents)
        )

    return make


def install() -> None:
    """Make it so; done when the first array of CuPy's is met."""
    from .device_numpy_linalg import VJPS, einsum_maker

    numpy_vjps.unbroadcast_f = unbroadcast_f
    numpy_vjps.repeat_to_match_shape = repeat_to_match_shape
    numpy_vjps.anp.parse_einsum_input = parse_einsum_input
    defvjp_argnum(_concatenated, _part)
    defjvp_argnum(_concatenated, numpy_jvps.fwd_grad_concatenate_args)
    anp.concatenate_args = numpy_wrapper.concatenate_args = concatenate_args
    core.primitive_vjps[anp.einsum] = einsum_maker(core.primitive_vjps[anp.einsum])
    for fun, rules in (_VJPS | VJPS).items():
        core.primitive_vjps[fun] = _vjp_maker(core.primitive_vjps[fun], rules)
    for fun, rules in _JVPS.items():
        core.primitive_jvps[fun] = _jvp_maker(core.primitive_jvps[fun], rules)
