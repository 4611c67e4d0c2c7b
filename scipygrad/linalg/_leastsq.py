"""Least squares: lsqr, lsmr; x minimises |A x - b|² + damp² |x - x0|², or is the x nearest x0.

With the residual s = b - A x (m >= n), or with x = x0 + Aᴴ z (m < n, the smallest correction),

    [ I    A     ] [s]   [  b       ]         [ damp² I  A  ] [z]   [  b ]
    [ Aᴴ  -damp² ] [x] = [ -damp² x0],        [  Aᴴ     -I  ] [x] = [ -x0],

a linear system K y = c with a Hermitian K, differentiated as any other. It holds the residual,
so Ā has the term with it, and Aᴴ, so Ā is right though x is no holomorphic function of a complex A.
Systems with K are solved by two calls of the same method (docs/derivations/linalg_leastsq.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla

from .._core.device import (
    array_to_host,
    contains_device,
    namespace,
    on_device,
    one_device,
    say_host,
    to_device,
    to_host,
)
from .._core.engine import below, contains_traced, is_sparse, isbox, strip, trace_of
from .._core.errors import AdjointConvergenceWarning
from .._core.layout import DEVICE_ARRAYS
from .._core.tags import pool
from .._core.traced import copied, entries_of, entries_to_keep, lift, make
from ..sparse._convert import as_format
from ._action import Action, MatrixAction, OperatorAction, numbers_only
from ._implicit import Solver, solve_action, traced_solver
from ._operator import MatrixLinearOperator, aslinearoperator

# ---- the augmented matrix ---------------------------------------------------------------------


class Augmented(Action):
    """K, or its transpose, which is its conjugate."""

    def __init__(self, A: Action, damp: Any, conjugated: bool = False) -> None:
        self.A, self.damp, self.conjugated = A, damp, conjugated
        m, n = A.shape
        self.tall = m >= n
        self.shape = (m + n, m + n)
        self.dtype = np.result_type(A.dtype, np.float64)

    def apply(self, v: Any) -> Any:
        if self.conjugated:
            return anp.conj(self.T.apply(anp.conj(v)))
        m = self.A.shape[0]
        first, x = v[:m], v[m:]
        damped = self.damp**2
        p, q = (1.0, damped) if self.tall else (damped, 1.0)
        return pool(p * first + self.A.apply(x), _adjoint(self.A, first) - q * x)

    @property
    def T(self) -> Action:
        return Augmented(self.A, self.damp, not self.conjugated)

    def trace(self) -> int:
        return max(self.A.trace(), trace_of(self.damp))

    def below(self, trace: int) -> Action:
        A = self.A.below(trace) if self.A.trace() == trace else self.A
        return Augmented(A, below(self.damp, trace), self.conjugated)


def _adjoint(A: Action, v: Any) -> Any:
    """Aᴴ v."""
    return anp.conj(A.T.apply(anp.conj(v)))


class LeastSquares(Solver):
    """One call of lsqr or lsmr, and the further solves that its derivatives need."""

    def __init__(self, method: Callable, first: Callable, b: Any, x0: Any, options: dict) -> None:
        self.method, self.options = method, options
        self._first: Any = (first, b, x0)
        self.result: tuple | None = None

    def run(self, action: Action, b: np.ndarray, transposed: bool) -> np.ndarray:
        assert isinstance(action, Augmented)
        if self.result is None:
            return self._begin(action)
        if action.conjugated:
            return np.conj(self._solve(action, np.conj(b)))
        return self._solve(action, b)

    def _begin(self, K: Augmented) -> np.ndarray:
        first, b, x0 = self._first
        self._first = None
        self.result = first()
        x = self.result[0]
        if K.tall:
            return np.concatenate([b - K.A.apply(x), x])
        A = _products(K.A, x)
        z = self._least_squares(A.H, x if x0 is None else x - x0)
        return np.concatenate([z, x])

    def _solve(self, K: Augmented, c: np.ndarray) -> np.ndarray:
        """y with K y = c."""
        A, damp, m = _products(K.A, c), K.damp, K.A.shape[0]
        f, h = c[:m], c[m:]
        if K.tall:
            x = self._normal(A, damp, f, h)
            return np.concatenate([f - A.matvec(x), x])
        z = self._normal(A.H, damp, h, -f)
        return np.concatenate([z, A.rmatvec(z) - h])

    def _normal(self, B: Any, damp: float, f: np.ndarray, h: np.ndarray) -> np.ndarray:
        """x with (Bᴴ B + damp² I) x = Bᴴ f - h, without forming the product.

        With C = [B; damp I] and the smallest q with Cᴴ q = h, it is the least-squares solution of
        C x = [f; 0] - q.
        """
        C = _stacked(B, damp, f) if damp else B
        rhs = np.concatenate([f, namespace(f).zeros(len(h))]) if damp else f
        if h.any():
            rhs = rhs - self._least_squares(C.H, h, consistent=True)
        return self._least_squares(C, rhs)

    def _least_squares(self, A: Any, b: np.ndarray, consistent: bool = False) -> np.ndarray:
        x, istop, _, residual, *_ = self.method(A, b, **self.options)
        left = residual / float(np.linalg.norm(b)) if consistent else 0.0
        deficient = istop in (2, 5) and left > max(np.sqrt(self.options["btol"]), 1e-7)
        if istop in (3, 6, 7) or deficient:
            why = "A is not of full rank" if deficient else "Raise the limits, or scale A"
            warnings.warn(
                f"{self.method.__name__}: a least-squares problem of a derivative was not solved "
                f"(istop={istop}, relative residual {left:.1g}); the derivative is inexact. {why}.",
                AdjointConvergenceWarning,
                stacklevel=2,
            )
        return x


def _products(action: Action, v: Any) -> Any:
    """The action as an operator for plain vectors where v lies."""
    if type(v) is np.ndarray:
        return numbers_only(action)
    from ._device_leastsq import Products

    return Products(action)


def _stacked(B: Any, damp: float, v: Any) -> Any:
    """[B; damp I], for vectors where v lies."""
    if type(v) is not np.ndarray:
        from ._device_leastsq import Stacked

        return Stacked(B, damp)
    m, n = B.shape
    return spla.LinearOperator(
        (m + n, n),
        lambda x: np.concatenate([B.matvec(x), damp * x]),
        lambda y: B.rmatvec(y[:m]) + damp * y[m:],
        dtype=B.dtype,
    )


def _printing(function: Callable, *args: Any) -> tuple:
    """With show=True: SciPy's code prints numbers, which CuPy's arrays do not give."""
    say_host(f"{function.__name__} with show=True")
    return tuple(to_device(x) if anp.ndim(x) else x for x in function(*to_host(args)))


# ---- what lsqr and lsmr share -----------------------------------------------------------------


def _action(A: Any, xp: Any) -> Action:
    if is_sparse(A):  # what is written into A later is not seen
        if isbox(A):
            A = make(A._pattern, entries_to_keep(A), A._class)
        else:
            A = (lift(A) if on_device(A) else A).copy()
        return MatrixAction(A if A.format in ("csr", "csc", "coo") else as_format(lift(A), "csr"))
    if isinstance(A, np.ndarray) or isbox(A) or type(A) in DEVICE_ARRAYS:
        return MatrixAction(copied(A) if isbox(A) else A.copy())
    return OperatorAction(aslinearoperator(A), xp=xp)


def _right_side(b: Any) -> Any:
    if isbox(b) or (type(b) in DEVICE_ARRAYS and b.ndim):
        return b
    return anp.array(b) if contains_traced((b,)) else np.atleast_1d(b)


class _Problem:
    """A traced call: its solution, and the quantities that are functions of it."""

    def __init__(self, method, A, b, damp, x0, options, further):
        b = _right_side(b)
        x0 = x0 if isbox(x0) or x0 is None or type(x0) in DEVICE_ARRAYS else anp.array(x0)
        if type(A) is MatrixLinearOperator:
            A = A.A
        action = _action(A, namespace(strip(b)))
        m, n = action.shape
        plain_b, plain_x0 = strip(b), strip(x0)
        if DEVICE_ARRAYS and isinstance(action, MatrixAction):
            entries = entries_of(lift(action.A)) if is_sparse(action.A) else action.A
            one_device(entries, plain_b, plain_x0)
        if on_device(plain_b):
            from ._device_leastsq import on_device as natively

            method, given = natively(method), _products(action, plain_b)
        else:
            given = numbers_only(action) if isinstance(action, OperatorAction) else strip(A)

        def first():
            return method(given, plain_b, strip(damp), x0=plain_x0, **options, **further)

        K = Augmented(action, damp)
        solver = LeastSquares(method, first, np.ravel(plain_b), plain_x0, options)
        start = namespace(plain_b).zeros(n) if x0 is None else x0
        if anp.size(b) != m or anp.shape(start) != (n,):
            first()  # SciPy's error
        y = solve_action(K, pool(b, -(damp**2) * start if K.tall else -start), solver)
        self.x, self.plain = y[m:], solver.result
        self.step = self.x - start
        self.damp = damp
        self.residual = y[:m] if K.tall else damp**2 * y[:m]

    def norm(self, *parts: Any, value: Any) -> Any:
        """The root of the sum of squares, with the value that SciPy gives."""
        total = sum(anp.sum(anp.real(p) ** 2 + anp.imag(p) ** 2) for p in parts)
        if not isbox(total) or not strip(total):
            return value
        size = array_to_host(anp.sqrt(total)) if on_device(total) else anp.sqrt(total)
        return size + (value - strip(size))


@traced_solver(
    spla.lsqr,
    wrt=("A", "b", "damp", "x0"),
    note="x, r1norm, r2norm and xnorm; the other results are counts and estimates made on the way, "
    "and plain values. A of full rank, or damp > 0; also a LinearOperator with traced products",
    gpu=True,
)
def lsqr(A, b, damp=0.0, atol=1e-6, btol=1e-6, conlim=1e8, iter_lim=None, show=False,
         calc_var=False, x0=None):  # fmt: skip
    if show and contains_device((A, b, x0)):
        return _printing(lsqr, A, b, damp, atol, btol, conlim, iter_lim, show, calc_var, x0)
    options = strip({"atol": atol, "btol": btol, "conlim": conlim, "iter_lim": iter_lim})
    damp = damp if strip(damp) > 0 else 0.0  # as lsqr takes it
    p = _Problem(spla.lsqr, A, b, damp, x0, options, {"show": show, "calc_var": calc_var})
    _, istop, itn, r1norm, r2norm, anorm, acond, arnorm, xnorm, var = p.plain
    r1norm = p.norm(p.residual, value=r1norm)
    r2norm = p.norm(p.residual, p.damp * p.step, value=r2norm)
    xnorm = p.norm(p.step, value=xnorm)
    return p.x, istop, itn, r1norm, r2norm, anorm, acond, arnorm, xnorm, var


@traced_solver(
    spla.lsmr,
    wrt=("A", "b", "damp", "x0"),
    note="x, normr and normx; the other results are counts and estimates made on the way, and "
    "plain values. A of full rank, or damp > 0; also a LinearOperator with traced products",
    gpu=True,
)
def lsmr(A, b, damp=0.0, atol=1e-6, btol=1e-6, conlim=1e8, maxiter=None, show=False, x0=None):
    if show and contains_device((A, b, x0)):
        return _printing(lsmr, A, b, damp, atol, btol, conlim, maxiter, show, x0)
    options = strip({"atol": atol, "btol": btol, "conlim": conlim, "maxiter": maxiter})
    p = _Problem(spla.lsmr, A, b, damp, x0, options, {"show": show})
    _, istop, itn, normr, normar, norma, conda, normx = p.plain
    normr = p.norm(p.residual, p.damp * p.step, value=normr)
    normx = p.norm(p.x, value=normx)
    return p.x, istop, itn, normr, normar, norma, conda, normx
