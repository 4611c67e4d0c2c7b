"""Check the derivatives of functions, and of rules defined with `autograd.extend`: `check_op`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sps
from autograd import builtins
from autograd.core import JVPNode, VJPNode, add_outgrads
from autograd.extend import vspace
from autograd.tracer import getval, isbox, new_box, toposort, trace_stack

from ._core.engine import is_sparse
from ._core.pattern import Pattern, _index_arrays, entries

__all__ = ["check_op"]
Named = list[tuple[str, Any]]
_ASPECTS = ("class", "format", "shape", "dtype", "index arrays")
STEPS = (1e-3, 1e-4, 1e-2)  # of the differences, relative to the arguments; the best one counts
NOISE = 50  # what a result of norm 1 may be wrong by, in units of the machine precision


def check_op(
    fun: Callable[..., Any],
    *args: Any,
    order: int = 2,
    modes: Sequence[str] = ("reverse", "forward"),
    rtol: float | None = None,
    reference: Callable[..., Any] | None = None,
    seed: int = 0,
    **kwargs: Any,
) -> None:
    """Check the derivatives of `fun` at `args`, in all of them jointly and in each one alone.

    Parameters
    ----------
    fun : callable
        Returns a scalar, an array, a sparse matrix, or a tuple, list or dict of these. Integers
        and other constants among the results are not differentiated.
    *args, **kwargs
        `args` are scalars, arrays and sparse matrices of a floating or complex dtype, and tuples,
        lists and dicts of them; `kwargs` is whatever should not be differentiated.
    order : {1, 2}
        With 2, the gradient (tangent, for forward mode alone) is checked as a function as well.
    modes : sequence of {"reverse", "forward"}
        The modes of differentiation to be checked.
    rtol : float, optional
        Error allowed against differences, relative to the norm of the derivative, for each
        argument and result. By default 1e-6, and 1e-4 if anything is of single precision.
    reference : callable, optional
        A function of the same arguments in plain SciPy and NumPy that `fun` must agree with.
    seed : int
        For the random directions.

    Raises
    ------
    AssertionError
        If a check fails. The message starts with its name (after ``second order:``, possibly):

        - ``value``: finite, and the same with and without differentiation.
        - ``reference``: `fun` and `reference` agree to rounding, in shapes and dtypes too.
        - ``JVP``: the forward derivative is that of (extrapolated central) differences.
        - ``VJP``: the gradient is that of differences (where forward mode is not checked).
        - ``adjoint``: both modes agree to rounding, in autograd's convention (no conjugates):
          ``real(sum(gradient * v)) == real(sum(g * jvp(v)))``.
        - ``gradient structure``: the gradient of a sparse matrix has its class, format, shape,
          index arrays and dtype, that of an array has its shape and dtype.
        - ``zero cotangent``: it gives a zero gradient, of the same structure.
        - ``mutation``: the arguments and the cotangent are left as they were.

    Notes
    -----
    There is no absolute tolerance: a function with values around 1e-8 is checked as strictly as
    any other. But differences cannot show what is below the rounding of the values: errors below
    about ``1e-11 * norm(value)`` pass, for a direction as large as the argument. (Single precision
    is widened for them.) Arguments that can't be differentiated alone can be put in one tuple.

    Examples
    --------
    >>> import autograd.numpy as np
    >>> import scipygrad as sg
    >>> A, x = sg.sparse.csr_array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]), np.array([1.0, 2.0, 3.0])
    >>> sg.testing.check_op(lambda A, x: np.sin(A @ x), A, x)
    >>> sg.testing.check_op(lambda A, x: A @ sg.detach(x), A, x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: JVP: wrong derivative of the result in the direction of args[1]: ...
    """
    if not modes or not set(modes) <= {"reverse", "forward"} or order not in (1, 2):
        raise ValueError(f'not an order (1, 2) and modes ("reverse", "forward"): {order}, {modes}')
    names, leaves = zip(*_leaves(args, "args"))
    for name, x in zip(names, leaves):
        if not _eps(x):
            kind = f"{name} is of dtype {_entries(x).dtype}, can't be differentiated"
            raise TypeError(f"{kind}: convert it to floating point, or pass it as a keyword.")
    if reference is not None:
        plain = _like(args, iter([_change(x, np.copy, scipy=True) for x in leaves]))
        got, want = fun(*args, **kwargs), reference(*plain, **kwargs)
        _require_equal("reference:", _leaves(got, "result"), _leaves(want, "result"))

    def f(leaves: Any, wide: bool) -> Named:
        results = _leaves(fun(*_like(args, iter(leaves)), **kwargs), "result")
        return [(name, y) for name, y in results if _eps(getval(y))]

    _Check(f, names, leaves, tuple(modes), rtol, seed).run(order)


@dataclass
class _Check:
    """The checks of `f(leaves, wide)`, a list of named results; `wide`: in double precision."""

    f: Callable[[Any, bool], Named]
    names: Sequence[str]
    leaves: Sequence[Any]
    modes: Sequence[str]
    rtol: float | None
    seed: int
    label: str = ""

    def require(self, ok: Any, message: str) -> None:
        if not ok:
            raise AssertionError(self.label + message)

    def require_unmodified(self, when: str) -> None:
        for name, x, before in zip(self.names, self.leaves, self.before):
            self.require(_snapshot(x) == before, f"mutation: {name} was modified {when}")

    def require_structures(self, check: str, names: Any, got: Any, want: Any) -> None:
        for name, x, y in zip(names, got, want):
            for aspect, a, b in zip(_ASPECTS, _structure(x), _structure(y)):
                same = all(map(np.array_equal, a, b)) if aspect == "index arrays" else a == b
                same = same or (aspect == "dtype" and check.startswith("JVP"))  # autograd's own
                self.require(same, f"{check} that of {name} has {aspect} {a}, not {b}")

    def run(self, order: int) -> None:
        rng = np.random.default_rng(self.seed)
        self.before = list(map(_snapshot, self.leaves))
        self.value = self.f(self.leaves, False)
        self.require_unmodified("when the function was called")
        self.require(self.value, "value: no result is of a floating or complex dtype")
        for name, y in self.value:
            self.require(np.isfinite(_entries(y)).all(), f"value: {name} is not finite: {y}")
        self.eps = max(map(_eps, (*self.leaves, *(y for _, y in self.value))))
        # As large as the arguments, and cotangents inverse to the results: nothing is hidden.
        v = [_random(x, rng, np.abs(_entries(x)).max(initial=0) or 1) for x in self.leaves]
        zero = [_change(x, np.zeros_like) for x in v]
        directions = [[*zero[:k], v[k], *zero[k + 1 :]] for k in range(len(v))]
        g, gradients = self.reverse(rng) if "reverse" in self.modes else (None, [])
        for name, u in zip((*self.names, "all arguments"), directions + [v] * (len(v) > 1)):
            tangent = self.forward(u) if "forward" in self.modes else None
            self.compare(f"in the direction of {name}: ", u, tangent, g, gradients)
        if order == 2:
            self.second(v, g)

    def forward(self, u: Sequence[Any]) -> list[Any]:
        y, tangents = _pushforward(self.f, self.leaves, u)
        self.require_unmodified("in forward mode")
        _require_equal(f"{self.label}value: in forward mode", y, self.value)
        self.require_structures("JVP:", dict(y), tangents, dict(y).values())
        return tangents

    def reverse(self, rng: np.random.Generator) -> tuple[Any, list[list[Any]]]:
        """A cotangent and the gradients for it: of all arguments, and of one at a time."""
        every = range(len(self.leaves))
        y, vjp = _pullback(self.f, self.leaves, every)
        _require_equal(f"{self.label}value: in reverse mode", y, self.value)
        g = tuple(_random(a, rng, 1 / (_norm(_dense(a)) or 1)) for _, a in y)
        before = list(map(_snapshot, g))
        gradients = [vjp(g)]
        groups = [name.partition("]")[0] for name in self.names]  # args[0, args[1, ...
        for group in dict.fromkeys(groups) if groups[0] != groups[-1] else ():
            wrt = [k for k in every if groups[k] == group]
            alone = dict(zip(wrt, _pullback(self.f, self.leaves, wrt)[1](g)))
            gradients.append([alone.get(k, gradients[0][k]) for k in every])
        for gradient in gradients:
            self.require_structures("gradient structure:", self.names, gradient, self.leaves)
        zero = vjp([_change(a, np.zeros_like) for a in g])
        self.require_structures("zero cotangent:", self.names, zero, self.leaves)
        self.require(not any(_entries(a).any() for a in zero), f"zero cotangent: it gives {zero}")
        self.require_unmodified("in reverse mode")
        self.require(list(map(_snapshot, g)) == before, "mutation: the cotangent was modified")
        return g, gradients

    def compare(self, where: str, u: Any, tangent: Any, g: Any, gradients: Any) -> None:
        """Tangents with differences and gradients with tangents, or gradients with differences."""
        sizes = [_norm(_dense(y)) for _, y in self.value]
        single = self.eps > 1e-10
        rtol = self.rtol or (1e-4 if single else 1e-6)
        wrong, rows = "", list[Any]()
        for h in STEPS:
            d = self.differences(u, h)
            noise = NOISE * float(np.finfo(float).eps / h + single * self.eps)
            tols = [rtol * _norm(b) + noise * size for b, size in zip(d, sizes)]
            if tangent is None:
                tol = sum(_norm(_dense(a)) * t for a, t in zip(g, tols))
                right = _dot(map(_dense, g), d)
                rows = [("VJP: wrong derivative", _dot(a, u), right, tol) for a in gradients]
            else:
                heads = [f"JVP: wrong derivative of the {name}" for name, _ in self.value]
                rows = [*zip(heads, map(_dense, tangent), d, tols)]
            found = "".join(_difference(f"{head} {where}", *row) for head, *row in rows)
            wrong = wrong or found
            if not found:
                break
        self.require(not found, wrong)
        if tangent is not None and g is not None:
            exact, noise = 2e-4 if single else 1e-10, NOISE * self.eps
            tols = [exact * _norm(_entries(t)) + noise * size for t, size in zip(tangent, sizes)]
            tol = sum(_norm(_entries(a)) * t for a, t in zip(g, tols))
            head = f"adjoint: gradient * v is not g * jvp(v) {where}"
            for gradient in gradients:
                found = _difference(head, _dot(gradient, u), _dot(g, tangent), tol)
                self.require(not found, found)

    def differences(self, u: Sequence[Any], h: float) -> list[np.ndarray]:
        """The derivatives in the direction `u` by central differences, extrapolated twice."""

        def at(h: float) -> list[np.ndarray]:
            x = [_change(a, lambda x, v: _double(x) + h * v, b) for a, b in zip(self.leaves, u)]
            return [_dense(y) for _, y in self.f(x, True)]

        a, b, c = ([(p - m) / (2 * k) for p, m in zip(at(k), at(-k))] for k in (h, h / 2, h / 4))
        return [(x - 20 * y + 64 * z) / 45 for x, y, z in zip(a, b, c)]

    def second(self, v: Any, g: Any) -> None:
        """The same checks of the derivatives, as functions of the arguments and of what they
        are applied to: of a gradient and its cotangent, of a tangent and its direction.
        """
        n = len(self.leaves)

        def gradient(leaves: Any, wide: bool) -> Named:
            found = _pullback(self.f, leaves[:n], range(n))[1](leaves[n:])
            return [(f"gradient of {name}", a) for name, a in zip(self.names, found)]

        def tangent(leaves: Any, wide: bool) -> Named:
            y, found = _pushforward(self.f, leaves[:n], leaves[n:])
            return [(f"tangent of {name}", a) for (name, _), a in zip(y, found)]

        label, seed = "second order: ", self.seed + 1
        if g is not None:
            names = [*self.names, *(f"cotangent of {name}" for name, _ in self.value)]
            replace(self, f=gradient, names=names, leaves=[*self.leaves, *g], seed=seed,
                    label=label).run(1)  # fmt: skip
        if "forward" in self.modes:
            names = [*self.names, *(f"direction in {name}" for name in self.names)]
            replace(self, f=tangent, names=names, leaves=[*self.leaves, *v], seed=seed,
                    label=label).run(1)  # fmt: skip


def _pushforward(f: Any, leaves: Any, tangents: Any) -> tuple[Named, list[Any]]:
    """The results of `f` and their tangents. (autograd's containers would cast the tangents.)"""
    with trace_stack.new_trace() as t:
        boxes = [new_box(x, t, JVPNode.new_root(v)) for x, v in zip(leaves, tangents)]
        results = [(name, y, isbox(y) and y._trace == t) for name, y in f(boxes, False)]
    values = [(name, y._value if traced else y) for name, y, traced in results]
    return values, [y._node.g if traced else vspace(y).zeros() for _, y, traced in results]


def _pullback(f: Any, leaves: Any, wrt: Sequence[int]) -> tuple[Named, Callable[[Any], list[Any]]]:
    """The results of `f` and the function from their cotangents to gradients."""
    with trace_stack.new_trace() as t:
        roots = {k: VJPNode.new_root() for k in wrt}
        boxes = [new_box(x, t, roots[k]) if k in roots else x for k, x in enumerate(leaves)]
        results = f(boxes, False)
        end = builtins.tuple([y for _, y in results])
    traced = isbox(end) and end._trace == t

    def vjp(g: Any) -> list[Any]:
        found: dict[Any, Any] = {end._node: (tuple(g), False)} if traced else {}
        for node in toposort(end._node) if traced else ():
            if node.parents:
                for parent, x in zip(node.parents, node.vjp(found.pop(node)[0])):
                    found[parent] = add_outgrads(found.get(parent), x)
        return [found[n][0] if n in found else vspace(leaves[k]).zeros() for k, n in roots.items()]

    return list(zip([name for name, _ in results], end._value if traced else end)), vjp


def _require_equal(head: str, got: Any, want: Any) -> None:
    got, want = dict(got), dict(want)
    if list(got) != list(want):
        raise AssertionError(f"{head} the results are {list(got)}, not {list(want)}")
    for name, a, b in zip(got, map(_dense, got.values()), map(_dense, want.values())):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            raise AssertionError(f"{head} {name} is {a.dtype} {a.shape}, not {b.dtype} {b.shape}")
        tol = (1e-10 if _eps(a) < 1e-10 else 2e-4) * _norm(b) if _eps(a) else 0
        if not (_norm(a - b) <= tol if _eps(a) else np.array_equal(a, b)):
            raise AssertionError(f"{head} {name} is {a}, not {b} (tolerance {tol:.3g})")


def _difference(head: str, a: Any, b: Any, tol: float) -> str:
    error = _norm(a - b)
    return "" if error <= tol else f"{head}error {error:.3g}, tolerance {tol:.3g}; {a}, not {b}"


def _norm(a: Any) -> float:
    return float(np.linalg.norm(np.ravel(_double(np.asarray(a)))))


def _dot(a: Any, b: Any) -> float:
    return float(sum((_double(_entries(x)) * _entries(y)).sum().real for x, y in zip(a, b)))


def _leaves(x: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not is_sparse(x) and isinstance(
        x, (tuple, list, dict, builtins.SequenceBox, builtins.DictBox)
    ):
        for k in x if isinstance(x, (dict, builtins.DictBox)) else range(len(x)):
            yield from _leaves(x[k], f"{name}[{k!r}]")
    else:
        yield name, x


def _like(x: Any, leaves: Iterator[Any]) -> Any:
    if is_sparse(x) or not isinstance(x, (tuple, list, dict)):
        return next(leaves)
    if isinstance(x, dict):
        return {k: _like(y, leaves) for k, y in x.items()}
    return type(x)([_like(y, leaves) for y in x])


def _structure(x: Any) -> tuple[Any, ...]:
    kind = (type(x), x.format) if is_sparse(x) else (np.ndarray, "dense")
    return *kind, np.shape(x), _entries(x).dtype, _index_arrays(x) if is_sparse(x) else ()


def _snapshot(x: Any) -> Any:
    return _structure(x)[:3], [a.tobytes() for a in (_entries(x), *_structure(x)[4])]


def _entries(x: Any) -> np.ndarray:
    return entries(x) if is_sparse(x) else np.asarray(x)


def _dense(x: Any) -> np.ndarray:
    return np.asarray(x.toarray() if is_sparse(x) else x)


def _eps(x: Any) -> float:
    dtype = _entries(x).dtype
    return float(np.finfo(dtype).eps) if dtype.kind in "fc" else 0.0  # without derivative


def _double(a: np.ndarray) -> np.ndarray:
    return a.astype(np.result_type(a, np.float64))


def _change(x: Any, f: Callable[..., Any], *others: Any, scipy: bool = False) -> Any:
    """`x` with the entries ``f(x, *others)``, in SciPy's own class if wanted."""
    data = np.asarray(f(*map(_entries, (x, *others))))
    cls = getattr(sps, type(x).__name__, type(x)) if scipy else type(x)
    return Pattern.of(x).matrix(data, cls) if is_sparse(x) else data[()]


def _random(x: Any, rng: np.random.Generator, size: float) -> Any:
    v = rng.standard_normal((2, *_entries(x).shape)) * size
    z = v[0] + 1j * v[1] if _entries(x).dtype.kind == "c" else v[0]
    return _change(x, lambda a: z.astype(a.dtype))
