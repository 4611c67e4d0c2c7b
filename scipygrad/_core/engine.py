"""The one door to autograd: tracing, primitives and their rules.

Nothing here knows a particular operation. Four things are done:

1. `primitive` declares an operation with its value, VJPs and JVPs, binds every call to its
   signature (autograd looks at positional arguments only) and refuses, by name, what has no rule.
2. Traces get ids that are never used twice (`TraceStack`). autograd counts nested traces on one
   counter for all threads, so concurrent gradients disturb each other, and a value that outlived
   its trace can be taken for a member of a new one.
3. A NumPy function of a traced sparse matrix is handed back to NumPy, whose protocols ask the
   matrix (`find_top_boxed_args`); autograd's own rule would see a sparse value as an array.
4. ArrayBox lets a sparse operand answer (`_guard_arraybox`).

`elements` and `collect`, besides, let ArrayBox read numbers without making a node for each;
`slices` and `containers` spare passes over memory.
"""

from __future__ import annotations

import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import tracer
from autograd.core import sparse_object_types, sum_outgrads
from autograd.extend import Box, VSpace, defjvp_argnums, defvjp_argnums, vspace
from autograd.extend import primitive as autograd_primitive
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import getval, isbox
from scipy.sparse import issparse as scipy_issparse

from . import errors
from .layout import DEVICE_ARRAYS, DEVICE_MATRICES, SPARSE_TYPES, TRACED_TYPES

__all__ = [
    "ArrayBox", "Box", "VSpace", "below", "box_types", "cast", "contains_traced", "getval",
    "is_live", "isbox", "is_sparse", "nested", "primitive", "PRIMITIVES", "record", "strip",
    "trace_of", "tracing", "vspace",
]  # fmt: skip

box_types = Box.types


# ---- what is traced --------------------------------------------------------------------------


def contains_traced(args: Iterable[Any], kwargs: Mapping[str, Any] | None = None) -> bool:
    """Whether a traced value stands among the arguments, at any depth of containers."""
    for x in args:
        t = type(x)
        if t in box_types:
            return True
        if t in _CONTAINERS:
            if t is np.ndarray:
                if x.dtype.hasobject and contains_traced(x.ravel().tolist()):
                    return True
            elif contains_traced(x.values() if t is dict else x):
                return True
    return bool(kwargs) and contains_traced(kwargs.values())


_CONTAINERS = frozenset((tuple, list, dict, np.ndarray))


def strip(x: Any) -> Any:
    """`x` with every traced value, at any depth of containers, replaced by its plain value."""
    t = type(x)
    if t in TRACED_TYPES:
        return x._plain()
    if t in box_types:
        return strip(getval(x))
    if t is tuple or t is list:
        return t(strip(v) for v in x)
    if t is dict:
        return {k: strip(v) for k, v in x.items()}
    if t is np.ndarray and x.dtype.hasobject:
        return np.array([strip(v) for v in x.ravel().tolist()] + [None], object)[:-1].reshape(
            x.shape
        )
    return x


def nested(f: Callable[[Any], Any], x: Any) -> Any:
    """`f` of `x`, or of each of its elements at any depth of tuples, lists and dicts."""
    t = type(x)
    if t is tuple or t is list:
        return t(nested(f, v) for v in x)
    if t is dict:
        return {k: nested(f, v) for k, v in x.items()}
    return f(x)


_sparse_by_type: dict[type, bool] = {}


def is_sparse(x: Any) -> bool:
    """Whether `x` is a sparse matrix or array: SciPy's, ours, or a traced one."""
    t = type(x)
    try:
        return _sparse_by_type[t]
    except KeyError:
        if t.__module__.startswith("cupyx."):
            from . import device

            device.known(t)
        answer = t in TRACED_TYPES or t in DEVICE_MATRICES or scipy_issparse(x)
        _sparse_by_type[t] = answer
        return answer


# ---- traces ----------------------------------------------------------------------------------


class TraceStack:
    """Numbers traces; a later trace, hence every nested one, has the larger number."""

    def __init__(self) -> None:
        self._ids = itertools.count()
        self.live: set[int] = set()

    @contextmanager
    def new_trace(self):
        trace = next(self._ids)  # atomic in CPython
        self.live.add(trace)
        try:
            yield trace
        finally:
            self.live.discard(trace)


_traces = TraceStack()


def is_live(box: Box) -> bool:
    """Whether the trace that `box` belongs to is still being recorded."""
    return box._trace in _traces.live


def tracing() -> bool:
    """Whether a trace is being recorded."""
    return bool(_traces.live)


def trace_of(x: Any) -> int:
    """The trace that `x` belongs to, -1 for a plain value."""
    return x._trace if isbox(x) else -1


def below(x: Any, trace: int) -> Any:
    """`x` as it is without the trace `trace`, if that is its innermost one."""
    return x._value if isbox(x) and x._trace == trace else x


ARRAY_BOXES: set[type] = {ArrayBox}
"""ArrayBox, and what stands for it (`scipygrad._core.elements`)."""

NEVER_OVERRIDES = {np.ndarray, float, int, complex, np.float64, tuple, dict, list, str}


def find_top_boxed_args(args):
    """autograd's search for the innermost trace, with sparse operands of NumPy functions kept.

    A NumPy function met by a traced sparse matrix is called as it is, so that NumPy's protocols
    (`__array_ufunc__`, `__array_function__`) ask the matrix. The same goes for a constant sparse
    matrix beside a traced array, where ArrayBox is asked. What cannot be asked that way raises.
    """
    if not SPARSE_TYPES.isdisjoint(map(type, args)) and _left_to_numpy(args, sys._getframe(1)):
        return [], -1, None, False
    top, boxes, arraybox, overrider = -1, [], False, False
    for i, x in enumerate(args):
        t = type(x)
        if t in box_types:
            trace = x._trace
            if trace > top:
                boxes, top = [(i, x)], trace
            elif trace == top >= 0:  # (what has become constant belongs to no trace, -1)
                boxes.append((i, x))
            arraybox = arraybox or t in ARRAY_BOXES
        elif t not in NEVER_OVERRIDES:
            override = getattr(t, "__array_ufunc__", None)
            overrider = overrider or override not in (None, np.ndarray.__array_ufunc__)
    kind = type(boxes[0][1]._node) if boxes else None
    return boxes, top, kind, arraybox and overrider


def _left_to_numpy(args, calling):
    """Whether the function called with a sparse operand is NumPy's, to be asked of the operand."""
    calling = calling.f_locals
    function = calling.get("f_raw")
    by_numpy = isinstance(function, np.ufunc) or getattr(function, "__module__", "").startswith(
        ("numpy", "scipy.", "autograd.numpy", "autograd.scipy")
    )
    if not by_numpy or not any(type(arg) in box_types for arg in args):
        return False
    if calling.get("called_by_autograd_dispatcher"):
        raise NotImplementedError  # ArrayBox steps back, the sparse operand is asked
    traced_matrix = any(type(arg) in TRACED_TYPES for arg in args)
    if not isinstance(function, np.ufunc) and not (
        traced_matrix and function.__module__.startswith("numpy")
    ):
        raise NotImplementedError(errors.not_yet(f"numpy.{function.__name__}", ()))
    return True


# ---- ArrayBox meets sparse -------------------------------------------------------------------

_REFLECTED = {
    "__add__": "__radd__", "__sub__": "__rsub__", "__mul__": "__rmul__",
    "__truediv__": "__rtruediv__", "__matmul__": "__rmatmul__", "__pow__": "__rpow__",
    "__eq__": "__eq__", "__ne__": "__ne__",
    "__lt__": "__gt__", "__gt__": "__lt__", "__le__": "__ge__", "__ge__": "__le__",
}  # fmt: skip
_REFLECTED |= {r: n for n, r in _REFLECTED.items() if r.startswith("__r")}

_UFUNC_OPERATORS: dict[Any, str] = {
    np.add: "__add__", np.subtract: "__sub__", np.multiply: "__mul__",
    np.true_divide: "__truediv__", np.matmul: "__matmul__", np.power: "__pow__",
    np.negative: "__neg__", np.absolute: "__abs__", np.equal: "__eq__", np.not_equal: "__ne__",
    np.less: "__lt__", np.less_equal: "__le__", np.greater: "__gt__",
    np.greater_equal: "__ge__",
}  # fmt: skip


def sparse_ufunc(ufunc: np.ufunc, inputs: tuple) -> Any:
    """A NumPy function that is an operator, of sparse operands: what the operator does."""
    from .traced import lift

    name = _UFUNC_OPERATORS.get(ufunc)
    if name is None:
        return NotImplemented
    first, *rest = inputs
    if is_sparse(first):
        return getattr(lift(first), name)(*rest)
    return getattr(lift(rest[0]), _REFLECTED[name])(first)


def _guard_arraybox() -> None:
    """Let a sparse operand answer ArrayBox's operators, in whichever class it comes."""
    for name, reflected in _REFLECTED.items():
        setattr(ArrayBox, name, _guarded(name, reflected, getattr(ArrayBox, name)))
    ArrayBox.__array_ufunc__ = _guarded_ufunc(ArrayBox.__array_ufunc__)
    ArrayBox.__array__ = _as_plain_array


def _guarded(name: str, reflected: str, original: Callable) -> Callable:
    def method(self, other):
        if is_sparse(other):
            from .traced import lift

            return getattr(lift(other), reflected)(self)
        if getattr(type(other), "__array_ufunc__", 0) is None:  # NumPy's sign for: ask me instead
            return NotImplemented
        return original(self, other)

    method.__name__ = name
    return method


def _guarded_ufunc(original: Callable) -> Callable:
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if kwargs.get("out") is not None and method == "__call__":
            raise TypeError(errors.in_place_on_constant(ufunc.__name__))
        if method == "__call__" and any(map(is_sparse, inputs)):
            return NotImplemented if kwargs else sparse_ufunc(ufunc, inputs)
        return original(self, ufunc, method, *inputs, **kwargs)

    return __array_ufunc__


def _as_plain_array(self, dtype=None, copy=None):
    """What NumPy's `asarray` makes of a traced array.

    SciPy's sparse operators ask this way whether their other operand is an array. They are told
    no (a 0-d object array), and then give our reflected operator its turn. Everybody else gets
    what NumPy makes without this method: an object array of traced elements.
    """
    asking = sys._getframe(1)
    module = asking.f_globals.get("__name__", "")
    if module.startswith(("scipy.sparse.linalg.", "scipy.sparse.csgraph.")):
        raise NotImplementedError(errors.not_yet(f"{module}: {asking.f_code.co_name}", ()))
    if module.startswith("scipy.sparse."):
        whole = np.empty((), object)
        whole[()] = self
        return whole
    elements = np.empty(self.shape, object)
    for i in np.ndindex(self.shape):
        elements[i] = self[i] if i else self
    return elements


# ---- primitives ------------------------------------------------------------------------------

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
            return lambda g: tuple(map(like, joint(names, like(g, ans), ans, *args), targets))
        rules = [self.vjps[name] for name in names]

        def vjp(g):
            g = like(g, ans)  # autograd's rules may widen it
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
        tangents = [like(t, args[i]) for i, t in zip(argnums, tangents)]  # as for cotangents
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


def form(x: Any) -> Any:
    """The `Form` of an array on the host, traced or not; anything else as it is."""
    value = getval(x) if type(x) in box_types else x
    return Form(value) if type(value) is np.ndarray else x


_HAVE_DTYPE = frozenset((np.ndarray, Form))


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


tracer.trace_stack = _traces
tracer.find_top_boxed_args = find_top_boxed_args
_guard_arraybox()
