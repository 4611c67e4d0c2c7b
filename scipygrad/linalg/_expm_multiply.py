"""The action of the exponential of a matrix: e^{tA} B, at one time or on a grid of times.

The value is SciPy's. Its derivatives are those of Taylor steps, x ↦ T_m(hA) x, that agree with it
to rounding (docs/derivations/linalg_matfuncs.md); on a GPU they are the value as well. SciPy's own
steps would not do: they end where the terms of this B have become small, and the derivative needs
terms that are still large then (A B = 0, say). Backward, the state at every step is kept; the terms
of a step are computed again.
"""

from __future__ import annotations

import math
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._backend import backend
from .._core.device import (
    call_on_host,
    contains_device,
    host,
    namespace,
    on_device,
    one_device,
)
from .._core.engine import cast, contains_traced, is_sparse, isbox, primitive, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.mirror import traced
from .._core.npmatrix import TracedNumpyMatrix, as_npmatrix
from .._core.pattern import Pattern
from .._core.tags import Gather, coalesced, gather, ones_like, pool
from .._core.traced import TracedBase, class_of_ours, entries_of, entries_to_keep, lift, make
from ..sparse._convert import as_format, to_dense
from ..sparse._matmul import sampled_outer, spmm
from ._expm import closure, differentiate_as

# ---- y = A x for a constant operator ----------------------------------------------------------


@primitive(wrt=("x",))
def apply_operator(x, operator):
    """A x for a LinearOperator and a block of columns."""
    return np.asarray(operator.matmat(x))


@apply_operator.vjp("x")  # x̄ = Aᵀ ȳ
def _(g, ans, x, operator):
    return apply_operator(g, operator.T)


apply_operator.linear("x")


# ---- y = T_m(hA) x ------------------------------------------------------------------------------

THETA = {
    10: 0.144, 15: 0.641, 20: 1.44, 25: 2.43, 30: 3.54, 35: 4.7, 40: 6.0, 45: 7.2, 50: 8.5, 55: 9.9,
}  # fmt: skip
"""Degrees m, and the norm up to which T_m is exact to rounding (Al-Mohy & Higham 2011, table 3.1).

No smaller ones: the derivative of order r of a T_m with m < r is zero, also where A or h is.
"""

SAFETY = 0.9
"""Factor of these norms: the derivatives of the remainder exceed it by powers of m."""

COLUMNS = 8
"""Number of outer products that are added up in one pass over the pattern."""


class Steps:
    """The steps by which one time interval is crossed: e^{hA} ≈ (e^{hμ/s} T_m(h(A - μI)/s))ˢ."""

    def __init__(self, A: Pattern | spla.LinearOperator, mu: complex, norm: float) -> None:
        self.A, self.mu = A, mu
        cost = {m: m * self._count(norm, m) for m in THETA}
        self.degree = min(cost, key=cost.__getitem__)
        self.count = self._count(norm, self.degree)

    @staticmethod
    def _count(norm: float, m: int) -> int:
        return max(1, math.ceil(norm / (SAFETY * THETA[m])))

    def cross(self, data: Any, x: Any, h: Any) -> Any:
        """e^{hA} x."""
        for _ in range(self.count):
            x = step(data, x, h / self.count, self)
        return x

    def multiply(self, data: Any, x: Any, transposed: bool = False) -> Any:
        """(A - μI) x, or its transpose."""
        if isinstance(self.A, Pattern):
            y = spmm(data, x, self.A.T if transposed else self.A)
        else:
            y = apply_operator(x, self.A.T if transposed else self.A)
        return y - self.mu * x if self.mu else y

    def growth(self, h: Any) -> Any:
        """e^{hμ}."""
        return anp.exp(h * self.mu) if isbox(h) else np.exp(h * self.mu).item()


def _length(h: Any) -> Any:
    """A plain number as Python's, so that single precision stays."""
    return h if isbox(h) else float(h)


@primitive(wrt=("data", "x", "h"))
def step(data, x, h, steps):
    """e^{hμ} T_m(h(A - μI)) x for a block of columns; terms that rounding swallows are left out."""
    h, y, before = float(h), x, np.inf
    for k in range(1, steps.degree + 1):
        x = steps.multiply(data, x) * (h / k)
        y = y + x
        if type(x) is not np.ndarray:  # on a GPU a product costs less than to wait for a size
            continue
        size = np.abs(x).max(initial=0)
        if before + size <= 2**-53 * np.abs(y).max(initial=0):
            break
        before = size
    return y * steps.growth(h)


@step.joint_vjp
def _(names, g, ans, data, x, h, steps):
    grads, h = {}, _length(h)
    if "h" in names:
        grads["h"] = anp.real(anp.sum(g * (steps.multiply(data, ans) + steps.mu * ans)))
    if "data" in names or "x" in names:
        wrt_data = "data" in names
        grads["data"], grads["x"] = _adjoint(g * steps.growth(h), data, x, h, steps, wrt_data)
    return [grads[name] for name in names]


def _adjoint(g: Any, data: Any, x: Any, h: Any, steps: Steps, wrt_data: bool) -> tuple:
    """The terms xₖ = (h/k) N xₖ₋₁ forward, their cotangents wₖ₋₁ = g + (h/k) Nᵀ wₖ backward."""
    if wrt_data and all(type(v) is np.ndarray for v in (g, data, x)) and not isbox(h):
        return _adjoint_of_numbers(g, data, x, h, steps)
    m = steps.degree
    terms = [x]
    for k in range(1, m if wrt_data else 0):
        terms.append(steps.multiply(data, terms[-1]) * (h / k))
    w, total, left, right = g, 0.0, [], []
    for k in range(m, 0, -1):
        scaled = w * (h / k)
        if wrt_data:
            left.append(scaled)
            right.append(terms.pop())
            if k == 1 or len(left) == COLUMNS:
                total = total + sampled_outer(
                    anp.concatenate(left, axis=1), anp.concatenate(right, axis=1), steps.A
                )
                left, right = [], []
        w = g + steps.multiply(data, scaled, transposed=True)
    return total, w


def _adjoint_of_numbers(
    g: np.ndarray, data: np.ndarray, x: np.ndarray, h: float, steps: Steps
) -> tuple[np.ndarray, np.ndarray]:
    """The same in less memory: in place, and so many columns at a time that the terms take no more
    than what is stored. If that is not even one column, not all of its terms are there at once.
    """
    dtype, (n, columns) = np.result_type(g, data, x, steps.mu), x.shape
    g, x = g.astype(dtype, copy=False), x.astype(dtype, copy=False)
    stored = data.nbytes + sum(a.nbytes for a in steps.A.arrays) + 2 * x.nbytes
    at_once = stored // (n * steps.degree * dtype.itemsize)
    total, w = np.zeros(data.shape, dtype), np.empty_like(g)
    block = max(1, at_once)
    length = steps.degree if at_once else math.isqrt(steps.degree)
    for k in range(0, columns, block):
        some = (slice(None), slice(k, k + block))
        w[some] = _adjoint_of_columns(g[some], data, x[some], h, steps, length, total)
    return total, w


def _adjoint_of_columns(
    g: np.ndarray, data: np.ndarray, x: np.ndarray, h: float, steps: Steps, length: int,
    total: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The cotangent of x; that of A's entries is added to `total`. Terms: `length` at a time."""
    first = range(0, steps.degree, length)
    starts = [x]  # x₀ and every term after `length` others
    for k in range(1, first[-1] + 1):
        x = steps.multiply(data, x)
        x *= h / k
        if k % length == 0:
            starts.append(x)
    w: Any = g
    for start in reversed(first):
        terms = [starts.pop()]
        stop = min(start + length, steps.degree)
        for k in range(start + 1, stop):
            terms.append(steps.multiply(data, terms[-1]))
            terms[-1] *= h / k
        for k in range(stop, start, -1):
            w = w * (h / k)
            moved = backend(data).add_outer(total, w, data, terms.pop(), steps.A)
            if steps.mu:
                w *= steps.mu
                moved -= w
            moved += g
            w = moved
    return w


@step.joint_jvp
def _(names, tangents, ans, data, x, h, steps):
    given, h = dict(zip(names, tangents)), _length(h)
    total = given.get("x")
    if total is None:
        total = namespace(strip(x)).zeros(anp.shape(x), anp.result_type(x))
    t = total
    for k in range(1, steps.degree + 1 if "data" in given or "x" in given else 0):
        t = steps.multiply(data, t)
        if "data" in given:
            t = t + spmm(given["data"], x, steps.A)
            x = steps.multiply(data, x) * (h / k)
        t = t * (h / k)
        total = total + t
    total = total * steps.growth(h)
    if "h" in given:
        total = total + given["h"] * (steps.multiply(data, ans) + steps.mu * ans)
    return total


# ---- X_k = e^{t_k A} B --------------------------------------------------------------------------


class Evolution:
    """What SciPy is asked for: A by its pattern or as a constant operator, and the times."""

    def __init__(self, A: Pattern | spla.LinearOperator, times: dict[str, Any], traceA: Any):
        self.A, self.times, self.traceA = A, times, traceA

    def value(self, data: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
        """SciPy's result, with the times along the first axis."""
        length = t[-1] - t[0]
        if length < 0:
            raise NotImplementedError(
                f"expm_multiply: the times decrease, from {t[0]} to {t[-1]}, where SciPy's result "
                "is not e^{tA} B (it takes no steps). Exchange start and stop, and turn the result "
                "round: X[::-1]."
            )
        if on_device(b):
            return _approximation(data, b, t, self)
        A = self.A.view(data) if isinstance(self.A, Pattern) else self.A
        if not self.times:
            return spla.expm_multiply(A, b, traceA=self.traceA)[None]
        if abs(t[0]) <= length:
            return spla.expm_multiply(A, b, **self.times, traceA=self.traceA)
        # SciPy goes to the first time with steps made for the interval: too few here.
        traceA = A.trace() if isinstance(self.A, Pattern) and self.traceA is None else self.traceA
        b = spla.expm_multiply(A * t[0], b, traceA=None if traceA is None else traceA * t[0])
        return spla.expm_multiply(A, b, 0.0, length, len(t), True, traceA=traceA)

    def steps(self, data: Any, longest: float) -> Steps:
        """Steps for intervals up to this length."""
        n = self.A.shape[0]
        if isinstance(self.A, Pattern):
            diagonal, columns = _sizes(data, self.A)
            trace = host(diagonal.sum()) if self.traceA is None else self.traceA
            mu = np.asarray(trace / n).item()
            columns = columns - abs(diagonal) + abs(diagonal - mu)
            norm = float(columns.max()) if n else 0.0
        else:
            mu = 0.0 if self.traceA is None else np.asarray(self.traceA / n).item()
            norm = spla.onenormest(self.A - mu * spla.aslinearoperator(sps.eye_array(n)))
        return Steps(self.A, mu, float(norm * longest))


def _sizes(data: Any, p: Pattern) -> tuple[Any, Any]:
    """The diagonal of A, and the sums of the absolute values in each column."""
    if type(data) is np.ndarray:
        return p.view(data).diagonal(), p.view(np.abs(data)).T @ np.ones(p.shape[0])
    cls = class_of_ours(getattr(sps, f"{p.format}_array"))
    ones = namespace(data).ones(p.shape[0], data.real.dtype)
    return make(p, data, cls).diagonal(), spmm(abs(data), ones, p.T)


@primitive(wrt=("data", "b", "t"))
def evolve(data, b, t, evolution):
    """e^{tA} b at the times t."""
    return evolution.value(data, b, t)


def _approximation(data: Any, b: Any, t: Any, evolution: Evolution) -> Any:
    times, shape = strip(t), anp.shape(b)
    if evolution.times:  # SciPy's result is of double precision here
        data, b = _double(data), _double(b)
    x = anp.reshape(b, (shape[0], -1))
    if isbox(t) or times[0]:
        x = evolution.steps(strip(data), abs(times[0])).cross(data, x, t[0])
    states = [x]
    if len(times) > 1:
        intervals = t[1:] - t[:-1]
        steps = evolution.steps(strip(data), np.abs(np.diff(times)).max())
        for k in range(len(times) - 1):
            states.append(steps.cross(data, states[-1], intervals[k]))
    return anp.reshape(pool(*states), (len(times), *shape))


def _double(x: Any) -> Any:
    return cast(x, np.result_type(anp.result_type(x), np.float64))


differentiate_as(evolve, _approximation)


def _times(start: Any, stop: Any, num: Any, endpoint: Any) -> Any:
    """What `linspace` makes of them, traced if start or stop is."""
    options = {k: v for k, v in (("num", num), ("endpoint", endpoint)) if v is not None}
    samples = np.linspace(strip(start), strip(stop), **options)
    if not contains_traced((start, stop)):
        return samples
    n = len(samples)
    part = np.arange(n) / max(1, n - 1 if options.get("endpoint", True) else n)
    start, stop = (_double(v) if isbox(v) else v for v in (start, stop))
    return start + (stop - start) * part


def _onto_structure(X: Any, A: TracedBase, B: TracedBase) -> Any:
    """A dense result as the sparse one that SciPy makes of a sparse B."""
    theirs = ones_like(B) + ones_like(A) @ ones_like(B)
    p = A._pattern
    paths = closure(p).view(np.ones(closure(p).size, bool))
    reached = sps.csr_array(paths @ sps.csr_array(ones_like(B).astype(bool)))
    reached.sort_indices()
    pattern = Pattern.of(reached, own=True)
    family = "matrix" if isinstance(theirs, sps.spmatrix) else "array"
    data = gather(X, Gather(pattern.flat, anp.shape(X), pattern.flat.shape))
    csr = class_of_ours(getattr(sps, f"csr_{family}"))
    return as_format(lift(make(pattern, data, csr)), theirs.format)


@traced(
    spla.expm_multiply,
    wrt=("A", "B", "start", "stop"),
    note="A a matrix, or a constant operator; traceA only shifts, and has no derivative; times "
    "that decrease raise",
    gpu=True,
)
def expm_multiply(A, B, start=None, stop=None, num=None, endpoint=None, traceA=None):
    num, endpoint, traceA = strip((num, endpoint, traceA))
    times = {"start": start, "stop": stop, "num": num, "endpoint": endpoint}
    single = all(v is None for v in times.values())
    t = np.ones(1) if single else _times(**times)
    sparse_B = lift(B) if is_sparse(B) else None
    as_matrix = isinstance(B, (np.matrix, TracedNumpyMatrix))
    b = to_dense(sparse_B) if sparse_B is not None else _as_array(B)
    if DEVICE_ARRAYS and contains_device((A, b)):
        one_device(entries_of(lift(A)) if is_sparse(A) else A, b)
        operator = isinstance(A, spla.LinearOperator)
        square = anp.shape(A) == (anp.shape(b)[0],) * 2
        if operator or sparse_B is not None or not square:
            given = (A, B, start, stop, num, endpoint, traceA)
            return call_on_host(expm_multiply, "of an operator, or with a sparse B,", *given)
    if isinstance(A, spla.LinearOperator):
        of, data = A, np.empty(0)
    else:
        A = coalesced(lift(A) if is_sparse(A) else lift(_full(A)))
        if A.format not in ("csr", "csc"):
            A = as_format(A, "csr")
        of, data = A._pattern, _floating(entries_to_keep(A))
    X = evolve(data, b, t, Evolution(of, {} if single else strip(times), traceA))
    if not single:
        return X
    if sparse_B is not None:
        if not isinstance(of, Pattern) or sparse_B.ndim != 2:
            raise NotImplementedError(
                "expm_multiply: a sparse B needs a matrix A, and two dimensions, while traced. "
                "Here: expm_multiply(A, B.toarray())."
            )
        return _onto_structure(X[0], as_format(A, "csr"), coalesced(sparse_B))
    return as_npmatrix(X[0]) if as_matrix else X[0]


def _as_array(B: Any) -> Any:
    if type(B) is TracedNumpyMatrix:
        return B.A
    if isbox(B):
        return B
    if type(B) in DEVICE_ARRAYS:
        return _floating(B.copy(), np.float32)
    return _floating(anp.array(B) if contains_traced((B,)) else np.array(B), np.float32)


def _floating(x: Any, least: type = np.float64) -> Any:
    return x if isbox(x) or x.dtype.kind in "fc" else x.astype(np.result_type(x, least))


def _full(A: Any) -> Any:
    """A dense A as a matrix with all its entries stored."""
    from ..sparse import csr_array

    return csr_array(A if isbox(A) or type(A) in DEVICE_ARRAYS else anp.array(A))
