"""lsqr and lsmr on a GPU: SciPy's own code, on CuPy's vectors.

CuPy's `lsqr` is a QR of a square matrix, and its `lsmr` takes x for real. SciPy's are written in
Python, and need of their vectors what CuPy's arrays can do; where the code asks NumPy for zeros or
norms, it gets those of CuPy's. Norms are numbers of the host, read once in each use.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

import cupy as cp
import numpy as np

from .._core.engine import strip
from ._action import Action


def _norm(x: Any) -> Any:
    return cp.linalg.norm(x).get()[()]


def _itself(x: Any) -> Any:
    return x


def _result_type(*given: Any) -> np.dtype:
    return np.result_type(*(getattr(x, "dtype", x) for x in given))


class _Namespace:
    """CuPy, but for norms."""

    linalg = SimpleNamespace(norm=_norm)

    def __getattr__(self, name: str) -> Any:
        return getattr(cp, name)


_NAMES: dict[str, Any] = {
    "np": _Namespace(),
    "zeros": cp.zeros,
    "atleast_1d": cp.atleast_1d,
    "result_type": _result_type,
    "norm": _norm,
    "aslinearoperator": _itself,
    "convert_pydata_sparse_to_scipy": _itself,
}
"""What SciPy's code finds under these names."""


def on_device(theirs: Callable) -> Callable:
    """`lsqr` or `lsmr`, for vectors on a GPU and a `Products` for A."""
    f: Any = theirs
    while hasattr(f, "__wrapped__"):
        f = f.__wrapped__
    return FunctionType(f.__code__, f.__globals__ | _NAMES, f.__name__, f.__defaults__)


class Products:
    """A, or Aᴴ, by products with plain vectors on a GPU, as SciPy's code asks for them."""

    ndim = 2

    def __init__(self, action: Action, transpose: Action | None = None, adjoint: bool = False):
        self.action, self.transpose = action, transpose or action.T
        self.adjoint, self.dtype = adjoint, action.dtype
        self.shape = action.shape[::-1] if adjoint else action.shape

    def matvec(self, v: Any) -> Any:
        """The product with a vector."""
        if self.adjoint:
            return strip(self.transpose.apply(v.conj())).conj()
        return strip(self.action.apply(v))

    def rmatvec(self, v: Any) -> Any:
        """The product of the adjoint with a vector."""
        return self.H.matvec(v)

    @property
    def H(self) -> Products:
        """The adjoint."""
        return Products(self.action, self.transpose, not self.adjoint)


class Stacked:
    """[B; damp I]."""

    ndim = 2

    def __init__(self, B: Any, damp: float, adjoint: bool = False) -> None:
        self.B, self.damp, self.adjoint = B, damp, adjoint
        m, n = B.shape
        self.shape = (n, m + n) if adjoint else (m + n, n)
        self.dtype = B.dtype

    def matvec(self, v: Any) -> Any:
        """The product with a vector."""
        if self.adjoint:
            m = self.B.shape[0]
            return self.B.rmatvec(v[:m]) + self.damp * v[m:]
        return cp.concatenate([self.B.matvec(v), self.damp * v])

    def rmatvec(self, v: Any) -> Any:
        """The product of the adjoint with a vector."""
        return self.H.matvec(v)

    @property
    def H(self) -> Stacked:
        """The adjoint."""
        return Stacked(self.B, self.damp, not self.adjoint)
