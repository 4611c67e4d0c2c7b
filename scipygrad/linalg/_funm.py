"""The action of a function of a matrix: f(A) b by Krylov spaces.

f is the user's, and seen only on small matrices. Its derivatives come from two identities
(docs/derivations/linalg_matfuncs.md):

- f([[A, E], [0, A]]) has the Fréchet derivative L(A, E) as its upper right block,
- L(Aᵀ, g bᵀ) = V X Wᵀ with bases V, W of the Krylov spaces of (Aᵀ, g) and (A, b), where
  X is the upper right block of f([[G, e₁e₁ᵀ], [0, Hᵀ]]), times ‖g‖‖b‖.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._core.engine import cast, contains_traced, is_sparse, isbox, primitive, strip
from .._core.errors import AdjointConvergenceWarning
from .._core.mirror import traced
from .._core.pattern import Pattern
from .._core.tags import Gather, coalesced, gather, pool, scatter
from .._core.traced import entries_to_keep, lift
from ..sparse._convert import as_format
from ..sparse._matmul import sampled_outer
from ._expm_multiply import _floating, _full

# ---- [[A, E], [0, A]] ---------------------------------------------------------------------------

COUPLING = 0.01
"""Size of E beside A. Not larger, as the Ritz values would leave the domain of f; rounding errors
grow by its reciprocal."""


class Doubled(NamedTuple):
    """The pattern of [[A, E], [0, A]], and where its entries come from: those of A, then of E."""

    pattern: Pattern
    origin: Gather


def doubled(p: Pattern) -> Doubled:
    """For A and E on the same csr or csc pattern without duplicates."""

    def build():
        tags = p.tags if p.inside is None else p.tags[p.inside]
        A, E = (sps.coo_array((tags + k, p.coords), shape=p.shape) for k in (0, p.size))
        M = sps.block_array([[A, E], [None, A]], format="csr")
        origin = Gather(M.data - 1, (2 * p.size,), M.data.shape)
        return Doubled(Pattern.of(M, own=True), origin)

    return p.plan("doubled", build)


def _coupling(data: Any, e: Any) -> float:
    """The factor of E, of which f([[A, cE], [0, A]]) / c is independent: a constant."""
    size, norm = np.linalg.norm(strip(e)), np.linalg.norm(strip(data))
    return COUPLING * float((norm or 1) / size) if size else 1.0


def _double(data: Any, e: Any, p: Pattern) -> Any:
    return gather(pool(data, e), doubled(p).origin)


def _sum_over_a(c: Any, p: Pattern) -> Any:
    """What entries of the doubled pattern contribute to those of A."""
    return scatter(c, doubled(p).origin)[: p.size]


# ---- Krylov spaces ------------------------------------------------------------------------------


class Krylov:
    """An orthonormal basis V of the Krylov space of A and b, and H with A V = V H + h v eₘᵀ."""

    def __init__(self, multiply: Callable, b: np.ndarray, dtype: Any) -> None:
        self.multiply, self.norm = multiply, float(np.linalg.norm(b))
        self._vectors = np.empty((len(b), 8), dtype, order="F")
        self._vectors[:, 0] = b / self.norm
        self.columns: list[np.ndarray] = []
        self.exhausted = False

    def grow(self, m: int) -> None:
        """Up to m vectors, or until the space is invariant."""
        while len(self.columns) < m and not self.exhausted:
            k = len(self.columns) + 1
            if k == self._vectors.shape[1]:
                self._vectors = np.append(self._vectors, np.empty_like(self._vectors), axis=1)
                self._vectors = np.asfortranarray(self._vectors)
            V = self._vectors[:, :k]
            v = self.multiply(V[:, -1])
            size, h = np.linalg.norm(v), np.zeros(k + 1, V.dtype)
            for _ in range(2):  # twice is enough
                c = (v.conj() @ V).conj()
                v = v - V @ c
                h[:-1] += c
            h[-1] = rest = np.linalg.norm(v)
            self.columns.append(h)
            self.exhausted = bool(rest <= 10 * np.finfo(V.dtype).eps * size)
            if not self.exhausted:
                self._vectors[:, k] = v / rest

    @property
    def V(self) -> np.ndarray:
        """The basis."""
        return self._vectors[:, : len(self.columns)]

    @property
    def H(self) -> np.ndarray:
        """The matrix in this basis."""
        m = len(self.columns)
        H = np.zeros((m, m), np.result_type(*self.columns))
        for k, h in enumerate(self.columns):
            H[: k + 2, k] = h[: min(m, k + 2)]
        return H


class _Breakdown(Exception):
    """SciPy's iteration has met an invariant space: its result is wrong, or an IndexError."""


@dataclass(frozen=True)
class Function:
    """f(A) of an A given by its pattern, or a constant operator."""

    f: Callable
    A: Pattern | spla.LinearOperator
    options: dict[str, Any]
    by_scipy: bool = True

    @property
    def inner(self) -> Function:
        """For derivatives: with iterations of our own, which end well when SciPy's break down."""
        return replace(self, by_scipy=False)

    @property
    def T(self) -> Function:
        """f(Aᵀ)."""
        return replace(self.inner, A=self.A.T)

    @property
    def doubled(self) -> Function:
        """f([[A, E], [0, A]])."""
        return replace(self.inner, A=doubled(self.A).pattern)

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """f of a small matrix."""
        fX = self.f(X)
        if contains_traced((fX,)):
            raise NotImplementedError(
                "funm_multiply_krylov: f depends on traced values, which have no derivative here. "
                "Let it use plain ones: scipygrad.detach(value)."
            )
        return np.asarray(fX)

    def operator(self, data: np.ndarray) -> Any:
        """A, plain."""
        return self.A.view(data) if isinstance(self.A, Pattern) else self.A

    def _sizes(self, n: int) -> tuple[int, int]:
        """How many vectors are added at a time, and how many there may be."""
        m = self.options["restart_every_m"]
        m = min(20, n) if m is None else int(m)
        return m, min(n, m * int(self.options["max_restarts"]))

    def tolerance(self, scale: float, result: Any) -> float:
        """The change of the result that is small enough."""
        o = self.options
        return max(o["rtol"] * max(scale, float(np.linalg.norm(result))), o["atol"])

    def value(self, data: np.ndarray, b: np.ndarray) -> np.ndarray:
        """f(A) b."""
        A = self.operator(data)
        if self.by_scipy:
            try:
                return spla.funm_multiply_krylov(self._watched(len(b)), A, b, **self.options)
            except _Breakdown:
                pass
        if not b.any():
            return np.array(b)
        A, dtype = self.operator(_in_double(data)), np.result_type(A.dtype, b)
        basis = Krylov(A.dot, b, np.result_type(dtype, np.float64))
        y = self._converged(
            (basis,), basis.norm, lambda: basis.norm * (basis.V @ self.evaluate(basis.H)[:, 0])
        )
        return _rounded(y, dtype)

    def _watched(self, n: int) -> Callable:
        m, calls = self._sizes(n)[0], 0

        def f(X):
            nonlocal calls
            calls += 1
            if len(X) != calls * m:
                raise _Breakdown
            return self.evaluate(X)

        return f

    def _converged(self, bases: tuple, scale: float, result: Callable) -> np.ndarray:
        """Results for growing bases until they change no more."""
        n = len(bases[0].V)
        step, limit = self._sizes(n)
        before, m = None, 0
        while True:
            m = min(m + step, limit)
            for basis in bases:
                basis.grow(m)
            now = result()
            if all(basis.exhausted for basis in bases) or m == n:
                return now
            if before is not None:
                change = now.copy()
                change[tuple(map(slice, before.shape))] -= before
                if np.linalg.norm(change) <= self.tolerance(scale, now):
                    return now
            if m == limit:
                break
            before = now
        warnings.warn(
            f"funm_multiply_krylov: a derivative did not converge with {limit} vectors "
            f"(rtol={self.options['rtol']:g}); it is inexact. Raise max_restarts, or rtol.",
            AdjointConvergenceWarning,
            stacklevel=2,
        )
        return now

    def gradient(self, data: np.ndarray, b: np.ndarray, g: np.ndarray) -> np.ndarray:
        """L(Aᵀ, g bᵀ) on the pattern of A."""
        A, dtype = self.operator(_in_double(data)), np.result_type(data, b, g)
        if not (b.any() and g.any()):
            return np.zeros(self.A.entries_shape, dtype)
        wide = np.result_type(dtype, np.float64)
        left, right = Krylov(A.T.dot, g, wide), Krylov(A.dot, b, wide)
        scale = left.norm * right.norm

        def middle():
            G, H = left.H, right.H
            k = len(G)
            M = np.zeros((k + len(H), k + len(H)), wide)
            M[:k, :k], M[k:, k:] = G, H.T
            M[0, k] = np.linalg.norm(G) or 1.0
            return self.evaluate(M)[:k, k:] * (scale / M[0, k])

        X = self._converged((left, right), scale, middle)
        return _rounded(sampled_outer(left.V @ X, np.ascontiguousarray(right.V), self.A), dtype)


def _in_double(x: np.ndarray) -> np.ndarray:
    """For derivatives in single precision too: they are divided by the coupling."""
    return x.astype(np.result_type(x, np.float64), copy=False)


def _rounded(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """`x` in the precision of `dtype`, real or complex as it is."""
    single = np.dtype(dtype).char in "fF"
    return x.astype("F" if x.dtype.kind == "c" else "f") if single else x


# ---- y = f(A) b ---------------------------------------------------------------------------------


@primitive(wrt=("data", "b"))
def apply_function(data, b, function):
    """f(A) b."""
    return function.value(data, b)


@apply_function.joint_vjp
def _(names, g, ans, data, b, function):
    rules = {
        "data": lambda: function_gradient(data, b, g, function),
        "b": lambda: apply_function(data, g, function.T),  # f(A)ᵀ = f(Aᵀ)
    }
    return [rules[name]() for name in names]


@apply_function.joint_jvp
def _(names, tangents, ans, data, b, function):
    given = dict(zip(names, tangents))
    total = 0.0
    if "b" in given:
        total = apply_function(data, given["b"], function.inner)
    if "data" in given:
        total = total + _frechet(data, given["data"], b, function)
    return total


def _frechet(data: Any, e: Any, b: Any, function: Function, transposed: bool = False) -> Any:
    """L(A, E) b, or its transpose applied to b."""
    n, c = anp.shape(b)[0], _coupling(data, e)
    both = _double(data, e * c, function.A)
    zero = np.zeros(n, anp.result_type(b))
    if transposed:
        x = anp.concatenate((b, zero))
        return apply_function(both, x, function.doubled.T)[n:] / c
    x = anp.concatenate((zero, b))
    return apply_function(both, x, function.doubled)[:n] / c


# ---- Ā = L(Aᵀ, g bᵀ) on the pattern of A --------------------------------------------------------
# Paired with S: ⟨S, Ā⟩ = gᵀ L(A, S) b, the product of [g; 0] and f([[A, S], [0, A]]) [0; b].


@primitive(wrt=("data", "b", "g"))
def function_gradient(data, b, g, function):
    """The gradient of gᵀ f(A) b with respect to the entries of A."""
    return function.gradient(data, b, g)


@function_gradient.vjp("data")
def _(s, ans, data, b, g, function):
    return _second(data, s, b, g, function)


@function_gradient.vjp("b")
def _(s, ans, data, b, g, function):
    return _frechet(data, s, g, function, transposed=True)


@function_gradient.vjp("g")
def _(s, ans, data, b, g, function):
    return _frechet(data, s, b, function)


@function_gradient.jvp("data")  # the second derivative is symmetric
def _(t, ans, data, b, g, function):
    return _second(data, t, b, g, function)


def _second(data: Any, e: Any, b: Any, g: Any, function: Function) -> Any:
    """The gradient of gᵀ L(A, E) b with respect to the entries of A."""
    n, c = anp.shape(b)[0], _coupling(data, e)
    both = _double(data, e * c, function.A)
    x = anp.concatenate((np.zeros(n, anp.result_type(b)), b))
    y = anp.concatenate((g, np.zeros(n, anp.result_type(g))))
    return _sum_over_a(function_gradient(both, x, y, function.doubled), function.A) / c


function_gradient.linear("b", "g")


def _scaled(data: Any, t: Any) -> Any:
    """t A, in the dtype that SciPy's result has."""
    dtype = np.result_type(anp.result_type(data), np.asarray(strip(t)).item())
    kind = dtype if anp.result_type(t).kind == "c" else np.empty(0, dtype).real.dtype
    return data * cast(t, kind)


if hasattr(spla, "funm_multiply_krylov"):  # since SciPy 1.17

    @traced(
        spla.funm_multiply_krylov,
        wrt=("A", "b", "t"),
        note="for an analytic f that takes any matrix, also a defective one; A a matrix, or (with "
        "derivatives in b only) a constant operator; derivatives converge to the same rtol",
    )
    def funm_multiply_krylov(f, A, b, *, assume_a="general", t=1.0, atol=0.0, rtol=1e-6,
                             restart_every_m=None, max_restarts=20):  # fmt: skip
        options = {
            "assume_a": assume_a, "atol": atol, "rtol": rtol,
            "restart_every_m": restart_every_m, "max_restarts": max_restarts,
        }  # fmt: skip
        options = strip(options)
        b = b if isbox(b) else _floating(anp.array(b) if contains_traced((b,)) else np.array(b))
        if isinstance(A, spla.LinearOperator):
            if isbox(t):
                raise NotImplementedError(
                    "funm_multiply_krylov: no derivative in t where A is a LinearOperator. Pass A "
                    "as a matrix, or a plain t: scipygrad.detach(t)."
                )
            of, data = A, np.empty(0)
        else:
            A = coalesced(lift(A) if is_sparse(A) else lift(_full(A)))
            if A.format not in ("csr", "csc"):
                A = as_format(A, "csr")
            of, data = A._pattern, _floating(entries_to_keep(A))
        if isbox(t):
            data = _scaled(data, t)
        elif t != 1.0:
            f = _at(f, t)
        return apply_function(data, b, Function(f, of, options))


def _at(f: Callable, t: Any) -> Callable:
    """X ↦ f(tX)."""
    return lambda X: f(t * X)
