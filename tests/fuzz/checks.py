"""What is compared: our run of a program with SciPy's and with the same on dense arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
from autograd import grad, make_jvp, make_vjp
from autograd.extend import vspace
from autograd.tracer import isbox

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad import detach
from scipygrad._core.npmatrix import TracedNumpyMatrix
from scipygrad._core.pattern import Pattern, _index_arrays, entries

from . import reference
from .operands import dense, dtype_of
from .programs import SCIPY, Program, Statement, run_on_scipy, weigh

OURS = {"np": anp, "onp": np, "sp": sp, "spla": spla}
DENSE = {"np": anp, "onp": np, "D": reference}

RTOL = {False: 1e-9, True: 3e-4}
"""Relative to the largest value or derivative of the program, in double and in single precision.

Values are bounded by 1000 (50) and systems have a condition number below 100, so that a few
operations lose at most five (two) of the 16 (7) digits; a wrong rule is wrong in the first."""


class Failure(AssertionError):
    """A check failed."""


class Undefined(Exception):
    """The program has no derivative to compare, for the reason given."""


def check(program: Program, thorough: bool) -> str:
    """Run all checks of a program; `thorough`: those with differences and of second order, too.

    Returns how it went. A `Failure` has the program in its text, as Python that runs by itself.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return _Check(program).run(thorough)
        except Undefined as e:
            return f"discarded: {e}"
        except Failure as e:
            raise Failure(f"{e}\n\n{program.script()}") from e
        except Exception as e:
            raise Failure(f"{type(e).__name__}: {e}\n\n{program.script()}") from e


class _Check:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.smooth = True
        self.scale = 1 + max(
            (float(np.abs(dense(x)).max(initial=0)) for x in program.expected.values()), default=0
        )

    # ---- runs ----------------------------------------------------------------------------------

    def ours(self, *operands: Any, watch: Callable | None = None) -> Any:
        """The program on scipygrad; `watch` is told of every statement and its result."""
        names = {**OURS, **{x.name: v for x, v in zip(self.program.operands, operands)}}
        for s in self.program.statements:
            if self.program.raises and s is self.program.statements[-1]:
                if watch is not None:
                    self.require_raises(s, names)
                break
            try:
                exec(s.sparse, names)
            except Exception as e:
                raise Failure(f"{s.text}\nraises {type(e).__name__}: {e}") from e
            if watch is not None:
                watch(s, names)
        return self.total(names)

    def on_scipy(self, operands: Any) -> dict[str, Any]:
        """All values of the program on SciPy."""
        names = {x.name: v for x, v in zip(self.program.operands, operands)}
        for s in self.program.statements[: len(self.program.expected)]:
            names[s.out] = run_on_scipy(s, names)
        return names

    def total(self, names: dict[str, Any]) -> Any:
        """The number that is differentiated."""
        return sum((weigh(names[x]) for x in self.program.leaves), 0.0)

    def require_raises(self, s: Statement, names: dict[str, Any]) -> None:
        wanted = self.program.raises
        try:
            exec(s.sparse, names)
        except Exception as e:
            if type(e) is not wanted:
                raise Failure(
                    f"{s.text}\nraises {type(e).__name__}, SciPy {wanted.__name__}: {e}"
                ) from e
        else:
            raise Failure(f"{s.text}\ndoes not raise, SciPy raises {wanted.__name__}")

    def dense(self, *operands: Any) -> Any:
        """The program on dense arrays; sparse operands come as their entries."""
        names = dict(DENSE)
        for x, v, plain in zip(self.program.operands, operands, self.plain):
            if sps.issparse(plain):
                v = reference.place(v, self.selection(plain), plain.shape)
            names[x.name] = 1.0 * v  # multiplication takes the real part of a cotangent if need be
        for s in self.program.statements[: len(self.program.expected)]:
            exec(s.dense, names)
            expected = self.program.expected[s.out]
            names[s.out] = reference.fit(names[s.out], np.shape(expected), dtype_of(expected))
            if not isbox(names[s.out]):
                self.require_close(
                    f"reference of {s.text}", names[s.out], dense(expected), self.scale
                )
        return self.total(names)

    def selection(self, A: Any) -> np.ndarray:
        """For every entry of A a column that says where in the dense matrix it is."""
        p = Pattern.of(A)
        S = np.zeros((int(np.prod(A.shape)), p.size))
        S[p.flat, np.arange(p.size) if p.inside is None else p.inside] = 1
        return S

    # ---- comparisons ---------------------------------------------------------------------------

    def run(self, thorough: bool) -> str:
        program = self.program
        if not program.traced:
            raise Undefined("nothing traced")
        self.argnum = tuple(i for i, x in enumerate(program.operands) if x.traced)
        self.plain = [x.evaluate(sps) for x in program.operands]
        operands = [x.evaluate(sp) for x in program.operands]
        before = [_snapshot(x) for x in operands]
        wide = [_wide(x) for x in self.plain]
        value = self.dense(*wide)
        expected = make_vjp(self.dense, self.argnum)(*wide)[0](1.0)
        if not all(np.isfinite(g).all() for g in expected):
            raise Undefined("the reference is not finite")

        vjp, ours = make_vjp(lambda *x: self.ours(*x, watch=self.watch), self.argnum)(*operands)
        self.require_close("value", ours, value, self.scale**2)
        gradients = vjp(vspace(ours).ones())
        self.require_gradients("gradient", gradients, expected, operands)
        v = self.directions(operands)
        tangent = make_jvp(self.ours, self.argnum)(*operands)(tuple(v))[1]
        size = 1 + sum(float(np.sum(np.abs(g))) for g in expected)
        self.require_close("VJP against JVP", _dot(gradients, v), tangent, self.scale + size)
        if thorough:
            self.second_order(operands, wide, v)
            if self.smooth and not program.single:
                self.differences(gradients, v, size)
        self.require_unmodified(operands, before)
        return "raises as SciPy does" if program.raises else "compared"

    def watch(self, s: Statement, names: dict[str, Any]) -> None:
        """Compare the result of a statement with SciPy's."""
        ours, theirs = names[s.out], self.program.expected[s.out]
        if s.operation.smoothness is not None:
            found = s.operation.smoothness(*(detach(names[n]) for n in s.inputs))
            if found == "undefined":
                raise Undefined("not differentiable there")
            self.smooth = self.smooth and found == "smooth"
        if not s.operation.final and _kind(ours) != _kind(theirs):
            raise Failure(f"{s.text}\nis a {_kind(ours)}, SciPy's a {_kind(theirs)}")
        plain = detach(ours)
        for what, a, b in (("shape", np.shape(plain), np.shape(theirs)),
                           ("dtype", dtype_of(plain), dtype_of(theirs))):  # fmt: skip
            if a != b:
                raise Failure(f"{s.text}\nhas {what} {a}, SciPy's {b}")
        self.require_close(s.text, dense(plain), dense(theirs), self.scale)

    def require_gradients(self, what: str, got: Any, expected: Any, operands: Any) -> None:
        scale = self.scale + max(float(np.abs(e).max(initial=0)) for e in expected)
        for i, g, e in zip(self.argnum, got, expected):
            name, x = self.program.operands[i].name, operands[i]
            if _structure(g) != _structure(x):
                raise Failure(f"{what}: that of {name} is {_structure(g)}, not {_structure(x)}")
            self.require_close(
                f"{what} of {name}", _entries(g), np.reshape(e, np.shape(_entries(x))), scale
            )

    def require_close(self, what: str, got: Any, expected: Any, scale: float) -> None:
        got, expected = np.asarray(got), np.asarray(expected)
        if got.shape != expected.shape:
            raise Failure(f"{what}: shape {got.shape}, not {expected.shape}")
        error = np.abs(got - expected).max(initial=0)
        if not error <= RTOL[self.program.single] * scale:
            raise Failure(f"{what}: error {error:.2g} beside {scale:.2g}\n{got}\nnot\n{expected}")

    def directions(self, operands: Any) -> list[Any]:
        """Random vectors of the spaces of the traced operands."""
        rng = np.random.default_rng(len(self.program.statements))
        return [_like(operands[i], rng.standard_normal((2, *np.shape(_entries(operands[i])))))
                for i in self.argnum]  # fmt: skip

    def require_unmodified(self, operands: Any, before: Any) -> None:
        """Operands are as they were, but for constants that SciPy's methods tidy up as well."""
        if list(map(_snapshot, operands)) == before:
            return
        plain = {x.name: x.evaluate(sps) for x in self.program.operands}
        names = {**SCIPY, **plain}
        for s in self.program.statements[: len(self.program.expected)]:
            exec(s.sparse, names)
        for x, ours, then in zip(self.program.operands, operands, before):
            tidied = not x.traced and _snapshot(plain[x.name]) != then
            if _snapshot(ours) != then and not tidied:
                raise Failure(f"operand {x.name} was modified")

    def second_order(self, operands: Any, wide: Any, v: Any) -> None:
        """Hessian times `v`: reverse and forward over reverse, and on dense arrays."""
        gradient = grad(self.dense, self.argnum)
        wide_v = tuple(_wide(x) for x in v)
        expected = make_vjp(gradient, self.argnum)(*wide)[0](wide_v)
        if not all(np.isfinite(g).all() for g in expected):
            raise Undefined("the reference is not finite")
        gradient = grad(self.ours, self.argnum)
        reverse = make_vjp(gradient, self.argnum)(*operands)[0](tuple(v))
        self.require_gradients("Hessian times vector", reverse, expected, operands)
        forward = make_jvp(gradient, self.argnum)(*operands)(tuple(v))[1]
        self.require_gradients("Hessian times vector, forward", forward, expected, operands)

    def differences(self, gradients: Any, v: Any, size: float) -> None:
        """The directional derivative against differences of SciPy's own run."""

        def at(h: float) -> Any:
            moved = list(self.plain)
            for i, t in zip(self.argnum, v):
                moved[i] = _moved(moved[i], h * _entries(t))
            return self.total(self.on_scipy(moved))

        h = 1e-4
        d = (8 * (at(h / 2) - at(-h / 2)) - (at(h) - at(-h))) / (6 * h)
        error = abs(_dot(gradients, v) - d)
        if not error <= 1e-5 * (self.scale**2 + size):
            raise Failure(f"differences: {d}, gradient {_dot(gradients, v)}, beside {size:.2g}")


def _kind(x: Any) -> str:
    if isinstance(x, TracedNumpyMatrix | np.matrix):
        return "matrix"
    cls = getattr(x, "_class", type(x))
    return cls.__name__ if hasattr(x, "toarray") else f"{np.ndim(detach(x))}-dimensional array"


def _entries(x: Any) -> Any:
    return entries(x) if sps.issparse(x) else np.asarray(x)


def _wide(x: Any) -> Any:
    """Entries or numbers in double precision."""
    x = _entries(x)
    return x.astype(np.result_type(x, np.float64))[()]


def _like(x: Any, noise: np.ndarray) -> Any:
    dtype = dtype_of(x)
    t = (noise[0] + 1j * noise[1] if dtype.kind == "c" else noise[0]).astype(dtype)
    return Pattern.of(x).matrix(t, type(x)) if sps.issparse(x) else t[()]


def _moved(x: Any, step: Any) -> Any:
    return Pattern.of(x).matrix(entries(x) + step, type(x)) if sps.issparse(x) else x + step


def _structure(x: Any) -> Any:
    arrays = [(a.tolist(), str(a.dtype)) for a in _index_arrays(x)] if sps.issparse(x) else []
    cls = type(x).__name__ if sps.issparse(x) else "dense"
    return cls, np.shape(x), str(dtype_of(x)), arrays


def _snapshot(x: Any) -> Any:
    return _structure(x), _entries(x).tolist()


def _dot(gradients: Any, v: Any) -> float:
    """The derivative in direction v, in autograd's convention: without conjugates."""
    return float(sum(np.sum(_wide(g) * _wide(t)).real for g, t in zip(gradients, v)))
