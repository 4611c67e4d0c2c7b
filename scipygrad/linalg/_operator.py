"""LinearOperator and aslinearoperator, whose pieces may be traced.

The classes are SciPy's, with ours in front: the public methods take and give traced vectors, and
what SciPy's algebra (sums, products, adjoints, ...) makes is turned into ours. A traced vector
goes through the operator's own code, which may depend on traced values; where that code is made
for plain numbers only, the operator is a constant linear map, and its adjoint the derivative
(docs/derivations/linalg_operator.md).
"""

from __future__ import annotations

import warnings
from abc import ABCMeta
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla
from scipy.sparse.linalg import _interface as theirs

from .._core.engine import contains_traced, is_sparse, isbox, strip, tracing
from .._core.mirror import own, traced
from .._core.npmatrix import TracedNumpyMatrix
from .._core.table import enter
from .._core.traced import lift
from ._product import apply, dense, refuse_scipy

# ---- the class --------------------------------------------------------------------------------


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


def _is_ours(x: Any) -> bool:
    return LinearOperator in type(x).__mro__


class LinearOperator(spla.LinearOperator, metaclass=_OperatorType):
    _constant = False  # whether nothing in it is ever traced
    _gave_traced = False  # whether a product with a plain vector has been traced

    def __new__(cls, *args, **kwargs):
        if cls is LinearOperator:
            return object.__new__(_CustomLinearOperator)
        base = spla.LinearOperator
        if cls._matvec is base._matvec and cls._matmat is base._matmat:
            message = (
                "LinearOperator subclass should implement at least one of _matvec and _matmat."
            )
            warnings.warn(message, category=RuntimeWarning, stacklevel=2)
        return object.__new__(cls)

    def _init_dtype(self):
        if self.dtype is not None or not tracing():
            super()._init_dtype()
            return
        try:
            self.dtype = np.asarray(strip(self.matvec(np.zeros(self.shape[-1], np.int8)))).dtype
        except OverflowError:
            self.dtype = np.dtype(int)

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
        if isbox(x) or self._gave_traced:
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
        x = x if isbox(x) else np.asarray(x)
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
            return _ours(super().dot(aslinearoperator(x)))
        x = dense(x)
        if not isbox(x):
            return self._scaled(x) if _is_scalar(x) else super().dot(x)
        if _is_scalar(x):
            return self._scaled(x)
        if x.ndim not in (1, 2):
            raise ValueError(f"expected 1-d or 2-d array or matrix, got {x!r}")
        vector = x.ndim == 1 or (x.shape[1] == 1 and not is_sparse(x))
        return self.matvec(x) if vector else self.matmat(x)

    def __rmul__(self, x):
        if isinstance(x, spla.LinearOperator):
            return aslinearoperator(x).dot(self)
        x = dense(x)
        if _is_scalar(x):
            return self._scaled(x)
        return self.T.dot(x.T).T if isbox(x) else super().__rmul__(x)

    def __matmul__(self, other):
        if isbox(other):
            _refuse_scalar(other)
        return super().__matmul__(other)

    def __rmatmul__(self, other):
        if isbox(other):
            _refuse_scalar(other)
        return super().__rmatmul__(other)

    def __truediv__(self, other):
        return self._scaled(1.0 / other) if _is_scalar(other) else super().__truediv__(other)

    def _scaled(self, alpha):
        op = self
        if isinstance(op, theirs._ScaledLinearOperator) and isbox(op.args[1]):
            op, alpha = op.args[0], alpha * op.args[1]
        if not isbox(alpha):
            return _ours(super().dot(alpha))
        scaled = object.__new__(_ScaledLinearOperator)
        dtype = np.result_type(op.dtype, anp.result_type(alpha))
        spla.LinearOperator.__init__(scaled, dtype, op.shape)
        scaled.args = (op, alpha)
        return scaled

    def __neg__(self):
        return self._scaled(-1)

    def __pow__(self, p):
        return _ours(super().__pow__(p))

    def __add__(self, x):
        return _ours(super().__add__(aslinearoperator(x) if _is_operator(x) else x))

    def adjoint(self):
        return _ours(self._adjoint())

    def transpose(self):
        return _ours(self._transpose())

    H = property(adjoint)
    T = property(transpose)


def _is_operator(x: Any) -> bool:
    return isinstance(x, spla.LinearOperator)


def _is_scalar(x: Any) -> bool:
    return np.isscalar(x) or (isbox(x) and not is_sparse(x) and anp.ndim(x) == 0)


def _refuse_scalar(x: Any) -> None:
    if _is_scalar(x):
        raise ValueError("Scalar operands are not allowed, use '*' instead")


for _name in ("matvec", "rmatvec", "matmat", "rmatmat", "dot", "adjoint", "transpose"):
    getattr(LinearOperator, _name).__doc__ = getattr(spla.LinearOperator, _name).__doc__


# ---- SciPy's classes of operators -------------------------------------------------------------


class _CustomLinearOperator(LinearOperator, theirs._CustomLinearOperator):
    pass


class _AdjointLinearOperator(LinearOperator, theirs._AdjointLinearOperator):
    def _matmat(self, X):
        return self.A.rmatmat(X) if isbox(X) or tracing() else super()._matmat(X)

    def _rmatmat(self, X):
        return self.A.matmat(X) if isbox(X) or tracing() else super()._rmatmat(X)


class _TransposedLinearOperator(LinearOperator, theirs._TransposedLinearOperator):
    def _matvec(self, x):
        return anp.conj(self.A._rmatvec(anp.conj(x))) if isbox(x) else super()._matvec(x)

    def _rmatvec(self, x):
        return anp.conj(self.A._matvec(anp.conj(x))) if isbox(x) else super()._rmatvec(x)

    def _matmat(self, X):
        if isbox(X) or tracing():
            return anp.conj(self.A.rmatmat(anp.conj(X)))
        return super()._matmat(X)

    def _rmatmat(self, X):
        if isbox(X) or tracing():
            return anp.conj(self.A.matmat(anp.conj(X)))
        return super()._rmatmat(X)


class _SumLinearOperator(LinearOperator, theirs._SumLinearOperator):
    pass


class _ProductLinearOperator(LinearOperator, theirs._ProductLinearOperator):
    pass


class _ScaledLinearOperator(LinearOperator, theirs._ScaledLinearOperator):
    def _rmatvec(self, x):
        A, alpha = self.args
        return anp.conj(alpha) * A.rmatvec(x) if isbox(alpha) else super()._rmatvec(x)

    def _rmatmat(self, X):
        A, alpha = self.args
        return anp.conj(alpha) * A.rmatmat(X) if isbox(alpha) else super()._rmatmat(X)

    def _adjoint(self):
        A, alpha = self.args
        return A.H * anp.conj(alpha) if isbox(alpha) else super()._adjoint()


class _PowerLinearOperator(LinearOperator, theirs._PowerLinearOperator):
    def _power(self, fun, x):
        if not isbox(x):
            return super()._power(fun, x)
        for _ in range(self.args[1]):
            x = fun(x)
        return x


class MatrixLinearOperator(LinearOperator, theirs.MatrixLinearOperator):
    def _matmat(self, X):
        if not (isbox(self.A) or isbox(X)):
            return super()._matmat(X)
        return lift(self.A).dot(X) if is_sparse(self.A) else anp.dot(self.A, X)

    def _adjoint(self):
        if not isbox(self.A):
            return super()._adjoint()
        A = self.A.T
        return MatrixLinearOperator(A.conj() if is_sparse(A) else anp.conj(A))


class _AdjointMatrixOperator(MatrixLinearOperator, theirs._AdjointMatrixOperator):
    pass


class IdentityOperator(LinearOperator, theirs.IdentityOperator):
    pass


class LaplacianNd(LinearOperator, spla.LaplacianNd):
    __doc__ = spla.LaplacianNd.__doc__
    _constant = True

    def tosparse(self):
        return own(super().tosparse())

    tosparse.__doc__ = spla.LaplacianNd.tosparse.__doc__


class _Foreign(LinearOperator):
    """An operator of SciPy's own, as one of ours; its attributes are those of the original."""

    _constant = True

    def __init__(self, op: Any) -> None:
        super().__init__(op.dtype, op.shape)
        self.original = op

    def _matvec(self, x):
        return self.original.matvec(x)

    def _rmatvec(self, x):
        return self.original.rmatvec(x)

    def _matmat(self, X):
        return self.original.matmat(X)

    def _rmatmat(self, X):
        return self.original.rmatmat(X)

    def _adjoint(self):
        return _Foreign(self.original.H)

    def __getattr__(self, name: str) -> Any:
        if name == "original" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.original, name)


_OURS = {
    base: cls
    for cls in (
        _CustomLinearOperator, _AdjointLinearOperator, _TransposedLinearOperator,
        _SumLinearOperator, _ProductLinearOperator, _ScaledLinearOperator, _PowerLinearOperator,
        MatrixLinearOperator, _AdjointMatrixOperator, IdentityOperator,
    )
    for base in [getattr(theirs, cls.__name__)]
}  # fmt: skip


def _ours(op: Any) -> Any:
    """What SciPy's algebra has just made, as one of ours."""
    cls = _OURS.get(type(op))
    if cls is None:
        return op
    new = object.__new__(cls)
    new.__dict__.update(op.__dict__)
    return new


# ---- aslinearoperator -------------------------------------------------------------------------


def _aslinearoperator(A):
    if isinstance(A, spla.LinearOperator):
        return A if _is_ours(A) else _Foreign(A)
    if type(A) is TracedNumpyMatrix:
        A = A.A
    if isbox(A) and not is_sparse(A):
        if anp.ndim(A) > 2:
            raise ValueError("array must have ndim <= 2")
        A = anp.atleast_2d(A)
    if isbox(A):
        return MatrixLinearOperator(A)
    if hasattr(A, "matvec") and hasattr(A, "shape") and not isinstance(A, np.ndarray):
        kwargs = {k: getattr(A, k) for k in ("rmatvec", "rmatmat", "dtype") if hasattr(A, k)}
        return LinearOperator(A.shape, A.matvec, **kwargs)
    return _ours(spla.aslinearoperator(A))


@traced(
    spla.aslinearoperator,
    wrt=("A",),
    note="an operator of SciPy's own becomes one of ours, a constant",
    untraced=_aslinearoperator,
)
def aslinearoperator(A):
    return _aslinearoperator(A)


_entry = enter(
    spla.LinearOperator,
    "traced",
    note="in the vector, and in all that matvec depends on, also through the solvers",
)
LinearOperator.__doc__ = f"{_entry.line()}\n\n{spla.LinearOperator.__doc__}"
enter(spla.LaplacianNd, "traced", note="in the vector that it is applied to")
