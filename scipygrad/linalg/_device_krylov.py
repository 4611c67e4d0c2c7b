"""Iterative methods on a GPU: SciPy's own code, on CuPy's vectors.

CuPy 14.2 has cg, cgs, bicgstab, gmres and minres, but not as SciPy has them: b is cast to the dtype
of A (a complex b to a real one); cg and cgs give nan if x0 is the solution, gmres if the Krylov
space is used up before a restart; maxiter of gmres counts iterations where SciPy's counts restarts,
and callbacks get something else. SciPy's methods are written in Python, and need of their vectors
what CuPy's arrays can do. So they run here, with SciPy's options, warnings and errors; what their
code finds under the names `make_system`, `norm`, ... takes CuPy's arrays. A number that decides
something is read from the device: one in each step of cg, 3 of minres and cgs, 5 of bicgstab; in
lgmres and gcrotmk one for each two vectors of the basis.

gmres, for which SciPy's would do the same, is written anew: the same steps, but all coefficients of
a vector at once (Gram and Schmidt's classical method, twice), with one copy to the host in a step.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import cupy as cp
import numpy as np
import scipy.linalg
import scipy.sparse.linalg as spla

from .._backend import gpu
from .._core import errors
from .._core.device import on_device
from .._core.engine import is_sparse
from .._core.layout import DEVICE_ARRAYS
from .._core.tags import coalesced
from .._core.traced import entries_of, lift
from ..sparse._convert import as_format


def iterate(method: Any, A: Any, b: Any, **options: Any) -> tuple[Any, int]:
    """SciPy's iterative method, for vectors on a GPU."""
    x0 = options.get("x0")
    if type(x0) is np.ndarray:
        raise TypeError(errors.mixed(np.ndarray, type(b)))
    run = gmres if method.__name__ == "gmres" else _on_device(method)
    return run(as_operator(A), b, **options)


# ---- A and M ---------------------------------------------------------------------------------


class Operator:
    """A matrix by its products with plain vectors on a GPU, as SciPy's code asks for them."""

    ndim = 2

    def __init__(
        self, shape: tuple, matvec: Callable, rmatvec: Any = None, dtype: Any = None
    ) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype or float)
        self._matvec, self._rmatvec = matvec, rmatvec

    def matvec(self, v: Any) -> Any:
        """A v."""
        return self._checked(self._matvec(v))

    def rmatvec(self, v: Any) -> Any:
        """Aᴴ v."""
        return self._checked(self._rmatvec(v))

    __matmul__ = matvec

    def _checked(self, y: Any) -> Any:
        if type(y) not in DEVICE_ARRAYS:
            raise TypeError(errors.mixed(type(y), *DEVICE_ARRAYS))
        return y.reshape(-1)


def as_operator(A: Any) -> Operator:
    """A sparse or dense matrix on a GPU, or an operator of SciPy's whose code works there."""
    if isinstance(A, Operator):
        return A
    if type(A) is np.ndarray or (is_sparse(A) and not on_device(A)):
        raise TypeError(errors.mixed(type(A), *DEVICE_ARRAYS))
    if is_sparse(A):
        return _of_entries(coalesced(lift(A)))
    if type(A) in DEVICE_ARRAYS:
        return Operator(A.shape, A.__matmul__, lambda v: (v.conj() @ A).conj(), A.dtype)
    # (its public methods would make NumPy arrays of vectors)
    return Operator(A.shape, A._matvec, A._rmatvec, A.dtype)


def _of_entries(A: Any) -> Operator:
    if A.format not in ("csr", "csc"):
        A = as_format(A, "csr")
    pattern, data = A._pattern, entries_of(A)
    return Operator(
        A.shape,
        lambda v: gpu.spmm(data, v, pattern),
        lambda v: gpu.spmm(data, v.conj(), pattern.T).conj(),
        data.dtype,
    )


def _identity(shape: tuple, dtype: Any = None) -> Operator:
    return Operator(shape, lambda v: v, lambda v: v, dtype)


# ---- SciPy's code ----------------------------------------------------------------------------


def _read(x: Any) -> Any:
    """A number on the device, as one of NumPy's of the same dtype."""
    return x.get()[()] if type(x) in DEVICE_ARRAYS else x


def _norm(x: Any) -> Any:
    return _read(cp.linalg.norm(x)) if type(x) in DEVICE_ARRAYS else np.linalg.norm(x)


class _Numpy:
    """NumPy, whose functions CuPy's arrays take over, with a norm that is read."""

    empty = staticmethod(cp.empty)

    class linalg:
        norm = staticmethod(_norm)
        LinAlgError = np.linalg.LinAlgError

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def _axpy(x: Any, y: Any, n: int, a: Any) -> Any:
    """y + a x, in place as BLAS has it: gcrotmk counts on that."""
    y += a * x
    return y


def _scal(a: Any, x: Any) -> Any:
    x *= a
    return x


_BLAS: dict[str, Callable] = {
    "axpy": _axpy,
    "scal": _scal,
    "dot": lambda x, y: cp.vdot(x, y).item(),
    "nrm2": lambda x: cp.linalg.norm(x).item(),
}


def _qr(C: Any, **options: Any) -> tuple[Any, Any, Any]:
    Q, R, P = scipy.linalg.qr(C.get(), **options)  # a few columns, once
    return cp.asarray(Q), R, P


def _blas(names: Any, arrays: Any = ()) -> Any:
    return _BLAS[names] if isinstance(names, str) else [_BLAS[name] for name in names]


_NAMES: dict[str, dict[str, Any]] = {
    "utils": {
        "aslinearoperator": as_operator, "LinearOperator": Operator, "IdentityOperator": _identity,
        "asanyarray": cp.asarray, "asarray": cp.asarray, "array": cp.array, "zeros": cp.zeros,
    },
    "minres": {
        "zeros": cp.zeros, "norm": _norm,
        "inner": lambda x, y: _read(cp.inner(x, y)), "vdot": lambda x, y: _read(cp.vdot(x, y)),
    },
    "": {"np": _Numpy(), "LinearOperator": Operator, "get_blas_funcs": _blas, "qr": _qr},
}  # fmt: skip
"""What the code of SciPy's modules finds under names that are not its own functions."""

_OF_MODULES = ("make_system", "_fgmres")


@cache
def _on_device(theirs: Any) -> Any:
    """A function of SciPy's, for arrays on a GPU."""
    while hasattr(theirs, "__wrapped__"):
        theirs = theirs.__wrapped__
    module = theirs.__globals__
    name = module["__name__"].rpartition(".")[2]
    others = {f: _on_device(module[f]) for f in _OF_MODULES if module.get(f, theirs) is not theirs}
    known = {k: v for k, v in _NAMES.get(name, _NAMES[""]).items() if k in module}
    f = FunctionType(theirs.__code__, module | known | others, theirs.__name__, theirs.__defaults__)
    f.__kwdefaults__ = theirs.__kwdefaults__
    return f


_iterative: Any = sys.modules[spla.gmres.__module__]
make_system = _on_device(_iterative.make_system)
_get_atol_rtol = _iterative._get_atol_rtol


# ---- gmres -----------------------------------------------------------------------------------


def gmres(
    A: Any, b: Any, x0: Any = None, *, rtol: float = 1e-5, atol: float = 0.0, restart: Any = None,
    maxiter: Any = None, M: Any = None, callback: Any = None, callback_type: Any = None,
) -> tuple[Any, int]:  # fmt: skip
    """SciPy's `gmres`: the same steps, tests, and results."""
    kind = _callback_type(callback, callback_type)
    A, M, x, b = make_system(A, M, x0, b)[:4]
    size = _norm(b)
    atol, _ = _get_atol_rtol("gmres", size, atol, rtol)
    if size == 0:
        return b, 0
    maxiter = 10 * b.size if maxiter is None else maxiter
    krylov = _Krylov(A, M, b.size, min(20 if restart is None else restart, b.size), x.dtype)
    factor = 1.0
    goal = _norm(M.matvec(b)) * min(factor, atol / size)
    steps, left = 0, 0.0
    r = b - A.matvec(x) if x.any() else b.copy()
    if maxiter > 0 and _norm(r) < atol:
        return x, 0
    for _ in range(maxiter):
        krylov.start(r)
        for _ in range(krylov.longest):
            left = krylov.step()
            steps += 1
            if kind in ("legacy", "pr_norm"):
                callback(left / size)
            if kind == "legacy" and steps == maxiter:
                break
            if left <= goal or krylov.used_up:
                break
        x += krylov.correction()
        r = b - A.matvec(x)
        rest = _norm(r)
        if kind == "legacy" and steps == maxiter:
            return x, 0 if rest <= atol else maxiter
        if kind == "x":
            callback(x)
        if rest <= atol or krylov.used_up:
            break
        # How far the preconditioned residual is to go so that the true one gets there.
        if left <= goal:
            factor = max(krylov.eps, 0.25 * factor)
        else:
            factor = min(1.0, 1.5 * factor)
        goal = left * min(factor, atol / rest)
    return x, 0 if rest <= atol else maxiter


def _callback_type(callback: Any, given: Any) -> Any:
    if callback is not None and given is None:
        warnings.warn(
            "gmres called without specifying `callback_type`: its default will change in SciPy. "
            "callback_type='legacy' keeps this one.",
            DeprecationWarning,
            stacklevel=2,
        )
    if given not in ("x", "pr_norm", "legacy", None):
        raise ValueError(f"Unknown callback_type: {given!r}")
    return None if callback is None else given or "legacy"


class _Krylov:
    """An orthonormal basis V on the device, and on the host M A V = V H with H = Q R."""

    def __init__(self, A: Operator, M: Operator, n: int, longest: int, dtype: np.dtype) -> None:
        self.A, self.M, self.longest = A, M, longest
        self.eps = np.finfo(dtype).eps
        self.V = cp.empty((longest + 1, n), dtype)
        self.R = np.zeros((longest, longest + 1), dtype)  # by columns
        self._rotations: list[tuple[Any, Any]] = []
        (self._rotation,) = scipy.linalg.get_lapack_funcs(("lartg",), dtype=dtype)

    def start(self, r: Any) -> None:
        """Begin with the residual r."""
        v = self.M.matvec(r)
        size = _norm(v)
        self.V[0] = v * (1 / size)
        self.S = np.zeros(self.longest + 1, self.R.dtype)  # Qᴴ (M r in the basis)
        self.S[0], self._rotations, self.used_up = size, [], False

    def step(self) -> float:
        """One more vector; how large the preconditioned residual is then."""
        col = len(self._rotations)
        h, before, after, w = _orthogonal_part(
            self.M.matvec(self.A.matvec(self.V[col])), self.V[: col + 1]
        )
        self.used_up = bool(after <= self.eps * before)
        if not self.used_up:
            self.V[col + 1] = w * (1 / after)
        R, S = self.R[col], self.S
        R[: col + 1], R[col + 1] = h, 0 if self.used_up else after
        for k, (c, s) in enumerate(self._rotations):
            R[k], R[k + 1] = c * R[k] + s * R[k + 1], -np.conj(s) * R[k] + c * R[k + 1]
        c, s, R[col] = self._rotation(R[col], R[col + 1])
        self._rotations.append((c, s))
        S[col], S[col + 1] = c * S[col], -np.conj(s) * S[col]
        return np.abs(S[col + 1])

    def correction(self) -> Any:
        """The vector of the basis' span with the smallest residual."""
        col = len(self._rotations) - 1
        y = self.S[: col + 1].copy()
        if self.R[col, col] == 0:
            y[col] = 0
        for k in range(col, 0, -1):
            if y[k] != 0:
                y[k] /= self.R[k, k]
                y[:k] -= y[k] * self.R[k, :k]
        if y[0] != 0:
            y[0] /= self.R[0, 0]
        return cp.asarray(y) @ self.V[: col + 1]


def _orthogonal_part(w: Any, V: Any) -> tuple[Any, Any, Any, Any]:
    """Coefficients of w in V, the norms of w and its part orthogonal to V, and that part."""
    before = cp.linalg.norm(w)
    h = (V @ w.conj()).conj()
    w = w - h @ V
    again = (V @ w.conj()).conj()
    w = w - again @ V
    norms = cp.stack([before, cp.linalg.norm(w)])
    read = cp.concatenate([h + again, norms.astype(h.dtype)]).get()
    return read[:-2], read[-2].real, read[-1].real, w
