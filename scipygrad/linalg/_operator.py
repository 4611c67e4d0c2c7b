"""LinearOperator and aslinearoperator, whose pieces may be traced.

The classes are SciPy's, with ours (`_operator_base`) in front: the public methods take and give
traced vectors, and what SciPy's algebra (sums, products, adjoints, ...) makes is turned into ours.
A traced vector goes through the operator's own code, which may depend on traced values; where that
code is made for plain numbers only, the operator is a constant linear map, and its adjoint the
derivative (docs/derivations/linalg_operator.md).
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla
from scipy.sparse.linalg import _interface as theirs

from .._core.device import on_device
from .._core.engine import is_sparse, isbox, tracing
from .._core.mirror import own, traced
from .._core.npmatrix import TracedNumpyMatrix
from .._core.table import enter
from .._core.traced import lift
from ._operator_base import OURS, LinearOperator, as_ours, ours

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
        if not (isbox(x) or on_device(x)):
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
        return self._by("matvec", x)

    def _rmatvec(self, x):
        return self._by("rmatvec", x)

    def _matmat(self, X):
        return self._by("matmat", X)

    def _rmatmat(self, X):
        return self._by("rmatmat", X)

    def _by(self, name, x):
        """The public methods make NumPy arrays of vectors; the operator's own code need not."""
        if not on_device(x):
            return getattr(self.original, name)(x)
        if name.endswith("vec"):
            return getattr(self.original, f"_{name}")(x)
        product = getattr(self.original, f"_{name[:-3]}vec")
        return np.stack([product(x[:, j]) for j in range(x.shape[1])], axis=1)

    def _adjoint(self):
        return _Foreign(self.original.H)

    def __getattr__(self, name: str) -> Any:
        if name == "original" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.original, name)


OURS |= {
    base: cls
    for cls in (
        _CustomLinearOperator, _AdjointLinearOperator, _TransposedLinearOperator,
        _SumLinearOperator, _ProductLinearOperator, _ScaledLinearOperator, _PowerLinearOperator,
        MatrixLinearOperator, _AdjointMatrixOperator, IdentityOperator,
    )
    for base in [getattr(theirs, cls.__name__)]
}  # fmt: skip
for _theirs, _cls in (*OURS.items(), (spla.LaplacianNd, LaplacianNd)):
    # Before one that LinearOperator is given, as in SciPy's tests:
    _cls.__init__ = _theirs.__init__  # type: ignore[misc]
OURS[spla.LinearOperator] = _Foreign


# ---- aslinearoperator -------------------------------------------------------------------------


def _aslinearoperator(A):
    if isinstance(A, spla.LinearOperator):
        return as_ours(A)
    if type(A) is TracedNumpyMatrix:
        A = A.A
    if (isbox(A) or on_device(A)) and not is_sparse(A):
        if anp.ndim(A) > 2:
            raise ValueError("array must have ndim <= 2")
        A = anp.atleast_2d(A)
    if isbox(A) or on_device(A):
        return MatrixLinearOperator(A)
    if hasattr(A, "matvec") and hasattr(A, "shape") and not isinstance(A, np.ndarray):
        kwargs = {k: getattr(A, k) for k in ("rmatvec", "rmatmat", "dtype") if hasattr(A, k)}
        return LinearOperator(A.shape, A.matvec, **kwargs)
    return ours(spla.aslinearoperator(A))


@traced(
    spla.aslinearoperator,
    wrt=("A",),
    note="an operator of SciPy's own becomes one of ours, a constant",
    untraced=_aslinearoperator,
    gpu=True,
)
def aslinearoperator(A):
    return _aslinearoperator(A)


_entry = enter(
    spla.LinearOperator,
    "traced",
    note="in the vector, and in all that matvec depends on, also through the solvers",
    gpu=True,
)
LinearOperator.__doc__ = f"{_entry.line()}\n\n{spla.LinearOperator.__doc__}"
enter(spla.LaplacianNd, "traced", note="in the vector that it is applied to", gpu=True)
