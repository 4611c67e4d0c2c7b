"""The one door to autograd: primitives and their rules.

Nothing here knows a particular operation. `primitive` declares an operation with its value, VJPs
and JVPs, binds every call to its signature (autograd looks at positional arguments only) and
refuses, by name, what has no rule. What is traced is asked of `tracing`; `arraybox` lets autograd's
arrays meet sparse operands. `elements` and `collect`, besides, let them read numbers without
making a node for each; `slices` and `containers` spare passes over memory.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import tracer
from autograd.core import sparse_object_types, sum_outgrads
from autograd.extend import Box, VSpace, defjvp_argnums, defvjp_argnums, vspace
from autograd.extend import primitive as autograd_primitive
from autograd.tracer import getval, isbox

from . import errors
from .arraybox import ArrayBox, sparse_ufunc
from .layout import DEVICE_ARRAYS
from .tracing import (
    ARRAY_BOXES,
    NEVER_OVERRIDES,
    below,
    box_types,
    contains_traced,
    is_live,
    is_sparse,
    nested,
    strip,
    trace_of,
    tracing,
)

__all__ = [
    "ARRAY_BOXES", "ArrayBox", "Box", "NEVER_OVERRIDES", "PRIMITIVES", "VSpace", "below",
    "box_types", "cast", "contains_traced", "getval", "is_live", "is_sparse", "isbox", "nested",
    "primitive", "record", "sparse_ufunc", "strip", "trace_of", "tracing", "vspace",
]  # fmt: skip

PRIMITIVES: dict[str, Primitive] = {}
"""Every primitive by name; the tests go through this table."""


class Primitive:
    """An operation that autograd knows: its value and its rules, declared together.

    `wrt` names the differentiable arguments. Each has a VJP ``(g, ans, *args) -> cotangent`` and a
    JVP ``(t, ans, *args) -> tangent``; a joint rule serves several arguments that share work:
    ``joint_vjp(names, g, ans, *args) -> cotangents in that order``, and
    ``joint_jvp(names, tangents, ans, *args) -> tangent``. A cotangent is cast to its argument's
    dtype (its real part for a real argument), so float32 stays float32.
    """

    def __init__(self, value: Callable, wrt: tuple[str, ...]) -> None:
        self.name = value.__name__
        self.__doc__ = value.__doc__
        self.value = value
        self.signature = inspect.signature(value)
        self.params = tuple(self.signature.parameters)
        last = [*self.signature.parameters.values()][-1]
        self.variadic = last.kind is inspect.Parameter.VAR_POSITIONAL
        self.wrt = wrt
        self.vjps: dict[str, Callable] = {}
        self.jvps: dict[str, Callable] = {}
        self._joint_vjp: Callable | None = None
        self._joint_jvp: Callable | None = None
        self._linear: tuple[str, ...] = ()
        self._kept: tuple[str, ...] | None = None
        self._let_go: dict[tuple, list[int]] = {}
        self._wrapped = autograd_primitive(value)
        defvjp_argnums(self._wrapped, self._make_vjp)
        defjvp_argnums(self._wrapped, self._make_jvp)
        PRIMITIVES[self.name] = self

    def __call__(self, *args, **kwargs):
        if kwargs or (len(args) != len(self.params) and not self.variadic):
            bound = self.signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = tuple(bound.arguments[p] for p in self.params)
        if box_types.isdisjoint(map(type, args)):
            return self.value(*args)
        return self._traced(args)

    def _traced(self, args):
        """What autograd's wrapper does, without its questions about NumPy's functions."""
        top, argnums, parents = -1, [], []
        for i, x in enumerate(args):
            if type(x) in box_types:
                trace = x._trace
                if trace > top:
                    top, argnums, parents = trace, [i], [x._node]
                elif trace == top >= 0:  # (what has become constant belongs to no trace, -1)
                    argnums.append(i)
                    parents.append(x._node)
        if top < 0:
            return self.value(*args)
        values = list(args)
        for i in argnums:
            values[i] = args[i]._value
        ans = self(*values)
        constructor = type(parents[0])
        node = constructor(ans, self._wrapped, tuple(values), {}, tuple(argnums), tuple(parents))
        return tracer.new_box(ans, top, node)

    def vjp(self, *names: str) -> Callable:
        """Declare the VJP with respect to the named arguments."""
        return self._declare(self.vjps, names)

    def jvp(self, *names: str) -> Callable:
        """Declare the JVP with respect to the named arguments."""
        return self._declare(self.jvps, names)

    def joint_vjp(self, rule: Callable) -> Callable:
        """Declare one VJP for all differentiable arguments together."""
        self._joint_vjp = rule
        self.vjps = dict.fromkeys(self.wrt, rule)
        return rule

    def joint_jvp(self, rule: Callable) -> Callable:
        """Declare one JVP for all differentiable arguments together."""
        self._joint_jvp = rule
        self.jvps = dict.fromkeys(self.wrt, rule)
        return rule

    def linear(self, *names: str) -> None:
        """Declare that the value is linear in each of the named arguments: that is its JVP."""
        self._linear = names
        for name in names:
            i = self.params.index(name)
            self.jvps[name] = lambda t, ans, *args, i=i: self(*args[:i], t, *args[i + 1 :])

    def keeps(self, *names: str) -> None:
        """Declare which arguments, and whether the value ("ans"), the VJPs read.

        Of other arrays they know shape and dtype, and the tape does not hold them. Without a
        declaration they read everything. A VJP never reads the only argument that it is for if the
        value is linear in it.
        """
        self._kept = names

    def _declare(self, rules: dict[str, Callable], names: tuple[str, ...]) -> Callable:
        def register(rule):
            for name in names:
                rules[name] = rule
            return rule

        return register

    def _names(self, argnums: Iterable[int], rules: dict[str, Callable], kind: str) -> list:
        if self.variadic:  # joint rules of such get positions instead of names
            return list(argnums)
        names = [self.params[i] for i in argnums]
        for name in names:
            if name not in rules:
                raise NotImplementedError(errors.no_rule(self.name, name, kind, self.wrt))
        return names

    def _make_vjp(self, argnums, ans, args, kwargs):
        names = self._names(argnums, self.vjps, "VJP")
        if self._kept is not None:
            ans, args = self._for_vjp(names, ans, args)
        targets = [args[i] for i in argnums]
        if self._joint_vjp is not None:
            joint = self._joint_vjp
            return lambda g: tuple(map(like, joint(names, given(g, ans), ans, *args), targets))
        rules = [self.vjps[name] for name in names]

        def vjp(g):
            g = given(g, ans)
            return tuple(like(rule(g, ans, *args), x) for rule, x in zip(rules, targets))

        return vjp

    def _for_vjp(self, names, ans, args):
        """The value and the arguments as the VJPs with respect to `names` get them."""
        key = (*names, len(args))
        let_go = self._let_go.get(key)
        if let_go is None:
            let_go = self._let_go[key] = self._not_kept(names, len(args))
        args = list(args)
        for i in let_go:
            args[i] = form(args[i])
        return ans if "ans" in self._kept else form(ans), args

    def _not_kept(self, names, count):
        """The places of arguments of which VJPs with respect to `names` know the form alone."""
        kept = self._kept
        if len(names) == 1 and names[0] in self._linear:
            kept = [name for name in kept if name != names[0]]
        last = len(self.params) - 1
        every = [self.params[min(i, last)] for i in range(count)]
        return [i for i, name in enumerate(every) if name in self.wrt and name not in kept]

    def _make_jvp(self, argnums, tangents, ans, args, kwargs):
        names = self._names(argnums, self.jvps, "JVP")
        tangents = [given(t, args[i]) for i, t in zip(argnums, tangents)]
        if self._joint_jvp is not None:
            return self._joint_jvp(names, tangents, ans, *args)
        return sum_outgrads(self.jvps[n](t, ans, *args) for n, t in zip(names, tangents))


def primitive(wrt: tuple[str, ...]) -> Callable[[Callable], Primitive]:
    """Declare a primitive that is differentiable in the arguments `wrt`."""
    return lambda value: Primitive(value, wrt)


def record(operation: Primitive, ans: Any, box: Box, *rest: Any) -> Any:
    """Put ``ans = operation(box, *rest)`` onto the tape of the innermost trace of `box` only.

    For an `ans` that is known to be right, derivatives included, in all outer traces: calling the
    primitive would record it there too.
    """
    args = (box._value, *rest)
    node = type(box._node)(ans, operation._wrapped, args, {}, (0,), (box._node,))
    return tracer.new_box(ans, box._trace, node)


@primitive(wrt=("x",))
def cast(x, dtype):
    """`x` in another dtype; from complex to real its real part."""
    x = x if type(x) in DEVICE_ARRAYS else np.asarray(x)
    if x.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        x = x.real
    return x.astype(dtype, copy=False)


@cast.vjp("x")  # Re and the embedding of the reals are each other's transposes
def _(g, ans, x, dtype):
    return cast(g, anp.result_type(x))


cast.linear("x")
cast.keeps()


class Form:
    """Shape and dtype of an array whose numbers are not kept; using it as one raises."""

    __slots__ = ("dtype", "shape")

    def __init__(self, x: np.ndarray) -> None:
        self.dtype, self.shape = x.dtype, x.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)


class DeviceForm(Form):
    """The same of an array on a GPU."""

    __slots__ = ()


def form(x: Any) -> Any:
    """The `Form` of an array, traced or not; anything else as it is."""
    value = getval(x) if type(x) in box_types else x
    if type(value) is np.ndarray:
        return Form(value)
    return DeviceForm(value) if type(value) in DEVICE_ARRAYS else x


_HAVE_DTYPE = frozenset((np.ndarray, Form))


def given(g: Any, x: Any) -> Any:
    """A cotangent or tangent of `x`, in its dtype (autograd's rules may widen it) and shape.

    A kernel would read what is behind an array that is too short, and rules would multiply an
    `np.matrix` as matrices.
    """
    if type(g) is np.ndarray and type(x) in _HAVE_DTYPE and g.shape == x.shape:
        return g if g.dtype == x.dtype else like(g, x)
    if type(g) is type(x) and isinstance(g, np.generic):
        return g
    if type(g) in sparse_object_types or is_sparse(getval(x)):
        return g
    if type(x) in (tuple, list):
        for part, of in zip(g, x, strict=True):
            if not is_sparse(getval(of)):
                _require_shape(part, of)
        return g
    _require_shape(g, x)
    if isinstance(g, np.ndarray):  # of whatever class
        g = np.asarray(g)
    return like(g, x)


def _require_shape(g: Any, x: Any) -> None:
    if _shape(g) != _shape(x):
        raise ValueError(errors.other_shape(_shape(g), _shape(x), "an array"))


def _shape(x: Any) -> tuple[int, ...]:
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape


def like(g: Any, target: Any) -> Any:
    """Cotangent `g` in the dtype of the argument it belongs to."""
    if type(g) is np.ndarray and type(target) in _HAVE_DTYPE and g.dtype == target.dtype:
        return g
    if type(g) is type(target) and isinstance(g, np.generic):
        return g
    if type(g) in sparse_object_types:  # of the argument's dtype by construction
        return g
    if is_sparse(getval(target)) or type(target) in (tuple, list, dict):
        return g
    if DEVICE_ARRAYS and type(getval(g)) in DEVICE_ARRAYS:
        from .device import where_target_is

        g = where_target_is(g, target)
    dtype = anp.result_type(target)
    if dtype.kind not in "fc":  # whole numbers: the cotangent would be cut
        return g
    return g if anp.result_type(g) == dtype else cast(g, dtype)
