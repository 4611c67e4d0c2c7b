"""Check the derivatives of your own functions: `check_op`.

For tests of code that is differentiated with autograd and scipygrad, and of rules that are defined
with `autograd.extend`. It is what scipygrad's own operations are tested with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sps
from autograd import make_jvp, make_vjp
from autograd import tuple as autograd_tuple
from autograd.builtins import DictBox, SequenceBox

from ._core.engine import getval, is_sparse
from ._core.pattern import Pattern, _index_arrays, entries

__all__ = ["check_op"]

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
    """Check the derivatives of `fun` at `args`, with respect to all of them jointly.

    Parameters
    ----------
    fun : callable
        ``fun(*args, **kwargs)`` returns a scalar, an array, a sparse matrix, or a tuple, list or
        dict of these. Whole numbers and other constants among the results are not differentiated.
    *args
        Scalars, arrays and sparse matrices of a floating or complex dtype, and tuples, lists and
        dicts of them. What is not to be differentiated goes into `kwargs` or into `fun`.
    order : {1, 2}
        With 2, the gradient (tangent, for forward mode alone) is checked as a function as well.
    modes : sequence of {"reverse", "forward"}
        The modes of differentiation to be checked.
    rtol : float, optional
        For the comparison with differences: relative to the norm of the derivative, for each
        argument and each result. By default 1e-6, and 1e-4 if anything is of single precision.
        Raise it if `fun` itself is not computed to rounding.
    reference : callable, optional
        A function of the same arguments in plain SciPy and NumPy that `fun` must agree with.
    seed : int
        For the random directions.
    **kwargs
        Passed on to `fun` (and `reference`), not differentiated.

    Raises
    ------
    AssertionError
        If a check fails. The message starts with its name:

        - ``value``: finite, and the same with and without differentiation.
        - ``reference``: `fun` and `reference` agree to rounding, in shapes and dtypes too.
        - ``JVP``: the forward derivative is that of (extrapolated central) differences, and has
          class, pattern, shape and dtype of the result.
        - ``VJP``: the gradient is that of differences.
        - ``adjoint``: both modes agree to rounding:
          ``real(sum(gradient * v)) == real(sum(g * jvp(v)))``, autograd's convention.
        - ``gradient structure``: the gradient of a sparse matrix has its class, format, shape,
          index arrays and dtype, that of an array has its shape and dtype.
        - ``zero cotangent``: it gives a zero gradient, of the same structure.
        - ``mutation``: the arguments and the cotangent are left as they were.

        It starts with ``second order`` if the function checked is the gradient.

    Notes
    -----
    There is no absolute tolerance: a function with values around 1e-8 is checked as strictly as
    any other. Differences cannot show what is below the rounding of the values, though: errors
    below about ``1e-11 * norm(value)``, for directions as large as the argument, pass.

    Single precision arguments are widened for the differences. Directions are taken in each
    argument alone and in all together; those of a sparse matrix keep its pattern.

    Examples
    --------
    >>> import autograd.numpy as np
    >>> import scipygrad.sparse as sp
    >>> from scipygrad.testing import check_op
    >>> A = sp.csr_array(np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]))
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> check_op(lambda A, x: np.sin(A @ x), A, x)

    A derivative that gets lost is found:

    >>> import scipygrad as sg
    >>> check_op(lambda A, x: A @ x + sg.detach(x)[:2], A, x)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: JVP: wrong derivative of the result in the direction of args[1]: ...
    """
    modes = tuple(modes)
    if not modes or set(modes) - {"reverse", "forward"}:
        raise ValueError(f'modes must be some of "reverse" and "forward", not {modes}')
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, not {order}")
    for name, x in _leaves(args, "args"):
        if _dtype(x).kind not in "fc":
            raise TypeError(
                f"{name} is of dtype {_dtype(x)} and can't be differentiated; convert it "
                "to floating point, or pass it as a keyword."
            )
    if reference is not None:
        _check_reference(fun, reference, args, kwargs)

    def f(t: Any, wide: bool) -> list[tuple[str, Any]]:
        results = list(_leaves(fun(*t, **kwargs), "result"))
        return [(name, y) for name, y in results if _dtype(y).kind in "fc"]

    _Check(f, args, modes, rtol, seed, "").run(order)


class _Check:
    """The checks of `f(args, wide)`, a list of named results; `wide`: in double precision."""

    def __init__(
        self,
        f: Callable[[Any, bool], list[tuple[str, Any]]],
        args: tuple[Any, ...],
        modes: tuple[str, ...],
        rtol: float | None,
        seed: int,
        label: str,
    ) -> None:
        self.f, self.args, self.modes, self.rtol = f, args, modes, rtol
        self.seed, self.label = seed, label
        self.names = [name for name, _ in _leaves(args, "args")]
        self.leaves = [x for _, x in _leaves(args, "args")]

    def traced(self, t: Any) -> Any:
        return autograd_tuple([y for _, y in self.f(t, False)])

    def require(self, ok: Any, check: str, message: str) -> None:
        if not ok:
            raise AssertionError(f"{self.label}{check}: {message}")

    def unmodified(self, while_: str) -> None:
        for name, x, before in zip(self.names, self.leaves, self.before):
            self.require(
                _snapshot(x) == before, "mutation", f"{name} was modified while {while_}"
            )

    def same_structure(self, check: str, name: str, got: Any, want: Any) -> None:
        for what, a, b in zip(_ASPECTS, _structure(got), _structure(want)):
            same = all(map(np.array_equal, a, b)) if what == "index arrays" else a == b
            self.require(same, check, f"that of {name} has {what} {a}, not {b}")

    def run(self, order: int) -> None:
        rng = np.random.default_rng(self.seed)
        self.before = [_snapshot(x) for x in self.leaves]
        values = self.f(self.args, False)
        self.unmodified("the function was called")
        self.require(values, "value", "no result is of a floating or complex dtype")
        self.results = [name for name, _ in values]
        self.value = [_dense(y) for _, y in values]
        for name, y in zip(self.results, self.value):
            self.require(np.isfinite(y).all(), "value", f"{name} is not finite: {y}")
        dtypes = [_dtype(x) for x in self.leaves] + [y.dtype for y in self.value]
        self.eps = max(float(np.finfo(t).eps) for t in dtypes)
        self.exact = 1e-10 if self.eps < 1e-10 else 2e-4
        rtol = self.rtol if self.rtol is not None else 1e-6 if self.eps < 1e-10 else 1e-4

        v = [_random(x, rng, _size(x) or 1.0) for x in self.leaves]
        directions = [(name, [_scaled(u, float(i == k)) for i, u in enumerate(v)])
                      for k, name in enumerate(self.names)]
        if len(v) > 1:
            directions.append(("all arguments", v))
        reverse = self.reverse(rng) if "reverse" in self.modes else None
        for name, u in directions:
            tangent = self.forward(u) if "forward" in self.modes else None
            self.compare(name, u, tangent, reverse, rtol)
        if order == 2:
            self.second(v, None if reverse is None else reverse[0])

    def traced_value(self, y: Any, mode: str) -> None:
        self.require(len(y) == len(self.value), "value",
                     f"{len(y)} results in {mode} mode, {len(self.value)} without")
        for name, a, b in zip(self.results, map(_dense, y), self.value):
            self.require(a.shape == b.shape and a.dtype == b.dtype, "value",
                         f"{name} is {a.dtype} {a.shape} in {mode} mode, {b.dtype} {b.shape} "
                         "without")
            self.require(_norm(a - b) <= self.exact * _norm(b), "value",
                         f"{name} is different in {mode} mode: {a}, {b} without")

    # ---- the two modes -----------------------------------------------------------------------

    def forward(self, u: list[Any]) -> tuple[Any, ...]:
        """The tangents of the results in the direction `u`."""
        y, tangent = make_jvp(self.traced)(self.args)(_like(self.args, u))
        self.unmodified("in forward mode")
        self.traced_value(y, "forward")
        for name, a, t in zip(self.results, y, tangent):
            self.same_structure("JVP", f"the tangent of {name}", t, a)
        return tangent

    def reverse(self, rng: np.random.Generator) -> tuple[Any, list[list[Any]]]:
        """A cotangent, and the gradients for it: all at once, and one argument at a time."""
        alone = []
        g: Any = None
        for k, (name, x) in enumerate(zip(self.names, self.leaves)):
            vjp, y = make_vjp(lambda x, k=k: self.traced(self.replaced(k, x)), 0)(x)
            if g is None:
                self.traced_value(y, "reverse")
                g = tuple(_random(a, rng, 1 / (_norm(_dense(a)) or 1.0)) for a in y)
                zero = tuple(_scaled(a, 0.0) for a in g)
                g_before = [_snapshot(a) for a in g]
            alone.append(vjp(g))
            self.same_structure("gradient structure", name, alone[-1], x)
            none = vjp(zero)
            self.same_structure("zero cotangent", name, none, x)
            self.require(not np.any(_flat(none)), "zero cotangent",
                         f"the gradient of {name} is not zero: {_flat(none)}")
        together = [x for _, x in _leaves(make_vjp(self.traced, 0)(self.args)[0](g), "args")]
        for name, a, x in zip(self.names, together, self.leaves):
            self.same_structure("gradient structure", name, a, x)
        self.unmodified("in reverse mode")
        self.require([_snapshot(a) for a in g] == g_before, "mutation",
                     "the cotangent was modified in reverse mode")
        return g, [together, alone]

    def replaced(self, k: int, x: Any) -> Any:
        return _like(self.args, [x if i == k else a for i, a in enumerate(self.leaves)])

    # ---- comparisons -------------------------------------------------------------------------

    def compare(self, direction: str, u: list[Any], tangent: Any, reverse: Any,
                rtol: float) -> None:
        """Tangents and gradients with differences, then with each other."""
        messages: list[tuple[str, str]] = []
        for h in STEPS:
            d = self.differences(u, h)
            noise = NOISE * (np.finfo(float).eps / h + (self.eps if self.eps > 1e-10 else 0))
            found = self.against_differences(direction, u, tangent, reverse, d, rtol, noise)
            if not found:
                break
            messages = messages or found
        else:
            self.require(False, *messages[0])
        if tangent is None or reverse is None:
            return
        g, gradients = reverse
        rhs = sum(_dot(a, t) for a, t in zip(g, tangent))
        size = sum(
            _norm(_flat(a)) * (_norm(_flat(t)) * self.exact + _norm(y) * self.eps * NOISE)
            for a, t, y in zip(g, tangent, self.value)
        )
        for gradient in gradients:
            lhs = sum(map(_dot, gradient, u))
            self.require(abs(lhs - rhs) <= size, "adjoint",
                         f"the modes disagree in the direction of {direction}: gradient * v is "
                         f"{lhs}, g * jvp(v) is {rhs}, difference {abs(lhs - rhs):.3g}, "
                         f"tolerance {size:.3g}")

    def against_differences(self, direction: str, u: list[Any], tangent: Any, reverse: Any,
                            d: list[Any], rtol: float, noise: float) -> list[tuple[str, str]]:
        sizes = [rtol * _norm(b) + noise * _norm(y) for b, y in zip(d, self.value)]
        for name, t, b, tol in zip(self.results, tangent or (), d, sizes):
            error = _norm(_dense(t) - b)
            if not error <= tol:
                return [("JVP", f"wrong derivative of the {name} in the direction of {direction}: "
                                f"error {error:.3g}, tolerance {tol:.3g}; JVP {_dense(t)}, "
                                f"differences {b}")]
        if reverse is None or tangent is not None:  # the adjoint identity is sharper
            return []
        g, gradients = reverse
        want = sum(float(np.sum(_dense(a) * b).real) for a, b in zip(g, d))
        tol = sum(_norm(_dense(a)) * s for a, s in zip(g, sizes))
        for gradient in gradients:
            got = sum(map(_dot, gradient, u))
            if not abs(got - want) <= tol:
                return [("VJP", f"wrong derivative in the direction of {direction}: gradient * v "
                                f"is {got}, by differences {want}, difference "
                                f"{abs(got - want):.3g}, tolerance {tol:.3g}")]
        return []

    def differences(self, u: list[Any], h: float) -> list[np.ndarray]:
        """The derivatives in the direction `u` by central differences, extrapolated twice."""
        x, u = list(map(_wide, self.leaves)), list(map(_wide, u))

        def at(h: float) -> list[np.ndarray]:
            t = _like(self.args, [_plus(a, h, b) for a, b in zip(x, u)])
            return [_dense(y) for _, y in self.f(t, True)]

        d0, d1, d2 = (
            [(a - b) / (2 * k) for a, b in zip(at(k), at(-k))] for k in (h, h / 2, h / 4)
        )
        return [(64 * c - 20 * b + a) / 45 for a, b, c in zip(d0, d1, d2)]

    def second(self, v: list[Any], g: Any) -> None:
        """The same checks of the gradient (of the tangent, in forward mode alone)."""

        def derivative(t: Any, wide: bool) -> list[tuple[str, Any]]:
            if g is not None:
                fixed = tuple(map(_wide, g)) if wide else g
                out = make_vjp(self.traced, 0)(t)[0](fixed)
                return list(_leaves(out, "gradient of args"))
            u = list(map(_wide, v)) if wide else v
            return list(_leaves(make_jvp(self.traced)(t)(_like(self.args, u))[1], "tangent"))

        _Check(derivative, self.args, self.modes, self.rtol, self.seed + 1, "second order: ").run(1)


def _check_reference(fun: Any, reference: Any, args: Any, kwargs: Any) -> None:
    plain = _like(args, [_scipy(x) for _, x in _leaves(args, "args")])
    got = list(_leaves(fun(*args, **kwargs), "result"))
    want = list(_leaves(reference(*plain, **kwargs), "result"))
    if [name for name, _ in got] != [name for name, _ in want]:
        raise AssertionError(f"reference: {len(got)} results, not {len(want)}")
    for (name, a), (_, b) in zip(got, want):
        a, b = _dense(a), _dense(b)
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            raise AssertionError(
                f"reference: {name} is {a.dtype} {a.shape}, not {b.dtype} {b.shape}"
            )
        if a.dtype.kind in "fc":
            single = np.finfo(a.dtype).eps > 1e-10
            same = _norm(a - b) <= (2e-4 if single else 1e-10) * _norm(b)
        else:
            same = np.array_equal(a, b)
        if not same:
            raise AssertionError(f"reference: {name} is {a}, not {b}")


# ---- nested arguments and results --------------------------------------------------------------


def _leaves(x: Any, name: str) -> Iterator[tuple[str, Any]]:
    if is_sparse(x):
        yield name, x
    elif isinstance(x, (tuple, list, SequenceBox)):
        for i in range(len(x)):
            yield from _leaves(x[i], f"{name}[{i}]")
    elif isinstance(x, (dict, DictBox)):
        for k in x:
            yield from _leaves(x[k], f"{name}[{k!r}]")
    else:
        yield name, x


def _like(x: Any, leaves: Any) -> Any:
    """`x` with other leaves."""
    leaves = iter(leaves)

    def build(x: Any) -> Any:
        if is_sparse(x) or not isinstance(x, (tuple, list, dict)):
            return next(leaves)
        if isinstance(x, dict):
            return {k: build(y) for k, y in x.items()}
        parts = [build(y) for y in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)

    return build(x)


# ---- scalars, arrays and sparse matrices alike -------------------------------------------------

_ASPECTS = ("class", "format", "shape", "dtype", "index arrays")


def _structure(x: Any) -> tuple[Any, ...]:
    if is_sparse(x):
        return type(x), x.format, x.shape, x.dtype, _index_arrays(x)
    a = np.asarray(x)
    return np.ndarray, "dense", a.shape, a.dtype, ()


def _snapshot(x: Any) -> Any:
    if not is_sparse(x):
        return np.asarray(x).tobytes()
    return type(x), x.shape, entries(x).tobytes(), [a.tobytes() for a in _index_arrays(x)]


def _dtype(x: Any) -> np.dtype:
    x = getval(x)
    return np.dtype(x.dtype) if is_sparse(x) else np.asarray(x).dtype


def _flat(x: Any) -> np.ndarray:
    return np.ravel(entries(x) if is_sparse(x) else np.asarray(x))


def _dense(x: Any) -> np.ndarray:
    return np.asarray(x.toarray() if is_sparse(x) else x)


def _norm(x: Any) -> float:
    return float(np.linalg.norm(np.ravel(x).astype(np.result_type(x, np.float64))))


def _size(x: Any) -> float:
    return float(np.max(np.abs(_flat(x)), initial=0.0))


def _dot(a: Any, b: Any) -> float:
    a, b = _flat(a), _flat(b)
    return float(np.sum(a.astype(np.result_type(a, np.float64)) * b).real)


def _with(x: Any, data: Any) -> Any:
    """`x` with other entries."""
    return Pattern.of(x).matrix(np.asarray(data), type(x)) if is_sparse(x) else data


def _entries(x: Any) -> Any:
    return entries(x) if is_sparse(x) else np.asarray(x)


def _random(x: Any, rng: np.random.Generator, size: float) -> Any:
    a = _entries(x)
    v = rng.standard_normal(a.shape)
    if a.dtype.kind == "c":
        v = v + 1j * rng.standard_normal(a.shape)
    return _with(x, (np.asarray(v) * size).astype(a.dtype)[()])


def _scaled(x: Any, c: float) -> Any:
    a = _entries(x)
    return _with(x, (a * a.dtype.type(c))[()])


def _wide(x: Any) -> Any:
    a = _entries(x)
    return _with(x, a.astype(np.result_type(a, np.float64))[()])


def _plus(x: Any, h: float, v: Any) -> Any:
    return _with(x, (_entries(x) + h * _entries(v))[()])


def _scipy(x: Any) -> Any:
    """A copy, in SciPy's own class."""
    if not is_sparse(x):
        return np.array(x)[()]
    return Pattern.of(x).matrix(entries(x).copy(), getattr(sps, type(x).__name__, type(x)))
