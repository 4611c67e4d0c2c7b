"""LinearOperator, which takes and gives traced vectors, on the host and on a GPU.

What SciPy's algebra makes of operators (sums, products, adjoints, ...) is turned into the classes
of `_operator`, which enters them into `OURS`.
"""

from __future__ import annotations

import sys
import warnings
from abc import ABCMeta
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla
from scipy.sparse.linalg import _interface as theirs

from .._core.device import on_device
from .._core.engine import contains_traced, is_sparse, isbox, strip, tracing
from ._product import apply, dense, refuse_scipy

OURS: dict[type, type] = {}
"""Our class for each of SciPy's; under its LinearOperator that of operators made by others."""


def ours(op: Any) -> Any:
    """What SciPy's algebra has just made, as one of ours."""
    cls = OURS.get(type(op))
    if cls is None:
        return op
    new = object.__new__(cls)
    new.__dict__.update(op.__dict__)
    return new


def as_ours(op: Any) -> Any:
    """An operator of SciPy's, whoever made it, as one of ours."""
    return op if LinearOperator in type(op).__mro__ else OURS[spla.LinearOperator](op)


class _OperatorType(ABCMeta):
    """Makes SciPy's operators instances of our LinearOperator, as ours are of SciPy's."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if cls is LinearOperator:
            return isinstance(instance, spla.LinearOperator)
        return super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        if cls is LinearOperator:
            return issubclass(subclass, spla.LinearOperator)
        return super().__subclasscheck__(subclass)


class LinearOperator(spla.LinearOperator, metaclass=_OperatorType):
    _constant = False  # whether nothing in it is ever traced
    _gave_traced = False  # whether a product with a plain vector has been traced

    def __new__(cls, *args, **kwargs):
        if cls is LinearOperator:
            return object.__new__(OURS[theirs._CustomLinearOperator])
        base = spla.LinearOperator
        if cls._matvec is base._matvec and cls._matmat is base._matmat:
            message = (
                "LinearOperator subclass should implement at least one of _matvec and _matmat."
            )
            warnings.warn(message, category=RuntimeWarning, stacklevel=2)
        return object.__new__(cls)

    def _init_dtype(self):
        if self.dtype is None and "cupy" in sys.modules:
            self.dtype = self._dtype_on_either()
        if self.dtype is not None or not tracing():
            super()._init_dtype()
            return
        try:
            self.dtype = np.asarray(strip(self.matvec(np.zeros(self.shape[-1], np.int8)))).dtype
        except OverflowError:
            self.dtype = np.dtype(int)

    def _dtype_on_either(self):
        """That of a product with a vector on the host or, if the code takes none, on a GPU."""
        for xp in (np, sys.modules["cupy"]):
            try:
                return strip(self.matvec(xp.zeros(self.shape[-1], np.int8))).dtype
            except (TypeError, OverflowError):
                continue
        return None

    def matvec(self, x):
        return self._product("matvec", x)

    def rmatvec(self, x):
        return self._product("rmatvec", x)

    def matmat(self, X):
        return self._product("matmat", X)

    def rmatmat(self, X):
        return self._product("rmatmat", X)

    def _product(self, name, x):
        """SciPy's, unless something traced turns up on either side."""
        x = dense(x)
        if type(x) is not np.ndarray and (isbox(x) or on_device(x)) or self._gave_traced:
            return self._traced_product(name, x)
        try:
            y = getattr(super(), name)(x)
        except (NotImplementedError, TypeError, AttributeError) as error:
            y = self._traced_or_none(name, x)  # it may be that SciPy met a traced product
            if y is None:
                raise error
        if type(y) is np.ndarray and not y.dtype.hasobject or not contains_traced((y,)):
            return y
        self._gave_traced = True
        if not isbox(y):  # an array of traced numbers
            return self._traced_product(name, x)
        refuse_scipy()
        return y

    def _traced_product(self, name, x):
        M, N = self.shape[::-1] if name.startswith("r") else self.shape
        if is_sparse(x):
            return self._times_sparse(name, x)
        x = x if isbox(x) or on_device(x) else np.asarray(x)
        if name.endswith("matmat"):
            if x.ndim != 2:
                raise ValueError(f"expected 2-d ndarray or matrix, not {x.ndim}-d")
            if x.shape[0] != N:
                raise ValueError(f"dimension mismatch: {self.shape}, {x.shape}")
            return apply(self, f"_{name}", x)
        if x.shape != (N,) and x.shape != (N, 1):
            raise ValueError("dimension mismatch")
        y = apply(self, f"_{name}", x.reshape(N))
        return y.reshape((M,) if x.ndim == 1 else (M, 1))

    def _traced_or_none(self, name, x):
        try:
            y = self._traced_product(name, x)
        except Exception:
            return None
        return y if isbox(y) else None

    def _times_sparse(self, name, X):
        try:
            return getattr(self, f"_{name}")(X)
        except Exception as e:
            raise TypeError(
                "Unable to multiply a LinearOperator with a sparse matrix."
                " Wrap the matrix in aslinearoperator first."
            ) from e

    def dot(self, x):
        if type(x) is np.ndarray and not x.dtype.hasobject:
            return super().dot(x)
        if isinstance(x, spla.LinearOperator):
            return ours(super().dot(as_ours(x)))
        x = dense(x)
        if not (isbox(x) or on_device(x)):
            return self._scaled(x) if _is_scalar(x) else super().dot(x)
        if _is_scalar(x):
            return self._scaled(x)
        if x.ndim not in (1, 2):
            raise ValueError(f"expected 1-d or 2-d array or matrix, got {x!r}")
        vector = x.ndim == 1 or (x.shape[1] == 1 and not is_sparse(x))
        return self.matvec(x) if vector else self.matmat(x)

    def __rmul__(self, x):
        if isinstance(x, spla.LinearOperator):
            return as_ours(x).dot(self)
        x = dense(x)
        if _is_scalar(x):
            return self._scaled(x)
        return self.T.dot(x.T).T if isbox(x) or on_device(x) else super().__rmul__(x)

    def __matmul__(self, other):
        if isbox(other) or on_device(other):
            _refuse_scalar(other)
        return super().__matmul__(other)

    def __rmatmul__(self, other):
        if isbox(other) or on_device(other):
            _refuse_scalar(other)
        return super().__rmatmul__(other)

    def __truediv__(self, other):
        return self._scaled(1.0 / other) if _is_scalar(other) else super().__truediv__(other)

    def _scaled(self, alpha):
        op = self
        if isinstance(op, theirs._ScaledLinearOperator) and not np.isscalar(op.args[1]):
            op, alpha = op.args[0], alpha * op.args[1]
        if not (isbox(alpha) or on_device(alpha)):
            return ours(super().dot(alpha))
        scaled = object.__new__(OURS[theirs._ScaledLinearOperator])
        dtype = np.result_type(op.dtype, anp.result_type(alpha))
        spla.LinearOperator.__init__(scaled, dtype, op.shape)
        scaled.args = (op, alpha)
        return scaled

    def __neg__(self):
        return self._scaled(-1)

    def __pow__(self, p):
        return ours(super().__pow__(p))

    def __add__(self, x):
        return ours(super().__add__(as_ours(x) if _is_operator(x) else x))

    def adjoint(self):
        return ours(self._adjoint())

    def transpose(self):
        return ours(self._transpose())

    H = property(adjoint)
    T = property(transpose)


def _is_operator(x: Any) -> bool:
    return isinstance(x, spla.LinearOperator)


def _is_scalar(x: Any) -> bool:
    if isbox(x) or on_device(x):
        return not is_sparse(x) and anp.ndim(x) == 0
    return np.isscalar(x)


def _refuse_scalar(x: Any) -> None:
    if _is_scalar(x):
        raise ValueError("Scalar operands are not allowed, use '*' instead")


for _name in ("matvec", "rmatvec", "matmat", "rmatmat", "dot", "adjoint", "transpose"):
    getattr(LinearOperator, _name).__doc__ = getattr(spla.LinearOperator, _name).__doc__
