"""np.matrix where SciPy returns one (`A.todense()`, `A.sum(axis=0)` of a `*_matrix`), traced.

The value in the graph is an ndarray, since autograd's rules are written for those; only the
operators are those of np.matrix: `*` is the matrix product, results stay two-dimensional.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np

from .arraybox import REFLECTED
from .engine import ArrayBox, Box, getval, is_sparse, isbox
from .layout import DEVICE_ARRAYS
from .traced import lift


class TracedNumpyMatrix(ArrayBox):
    """A traced two-dimensional array with the operators of np.matrix."""

    __slots__ = ()

    @property
    def A(self) -> Any:
        """The same as an ordinary traced array."""
        return _as_array(self)

    A1 = property(lambda self: anp.reshape(_as_array(self), -1))
    real = property(lambda self: as_npmatrix(anp.real(_as_array(self))))
    imag = property(lambda self: as_npmatrix(anp.imag(_as_array(self))))
    T = property(lambda self: as_npmatrix(anp.transpose(_as_array(self))))
    H = property(lambda self: as_npmatrix(anp.conj(anp.transpose(_as_array(self)))))

    def __getitem__(self, index: Any) -> Any:
        picked = _as_array(self)[index]
        if not anp.ndim(picked):
            return picked
        shape = np.empty(self.shape).view(np.matrix)[index].shape
        return as_npmatrix(anp.reshape(picked, shape))

    def __mul__(self, other: Any) -> Any:
        if is_sparse(other):  # as np.matrix does, which lets a sparse operand decide
            return lift(other).__rmul__(self)
        if anp.ndim(other) == 0:
            return as_npmatrix(_as_array(self) * other)
        return self @ _two_dimensional(other)

    def __rmul__(self, other: Any) -> Any:
        if is_sparse(other):
            return lift(other) * self
        if anp.ndim(other) == 0:
            return as_npmatrix(other * _as_array(self))
        return self.__rmatmul__(other)

    def __matmul__(self, other: Any) -> Any:
        if is_sparse(other):
            return lift(other).__rmatmul__(self)
        return as_npmatrix(_two_dimensional(anp.matmul(_as_array(self), as_ndarray(other))))

    def __rmatmul__(self, other: Any) -> Any:
        if is_sparse(other):
            return lift(other) @ self
        return as_npmatrix(anp.matmul(_two_dimensional(as_ndarray(other)), _as_array(self)))

    def dot(self, other: Any) -> Any:
        """The matrix product, `*`."""
        return self * other

    def __pow__(self, other: Any) -> Any:
        raise NotImplementedError(
            "** of a traced np.matrix is not differentiable. Write M.A ** n for the powers of its "
            "elements, or a product M * M for the matrix power."
        )

    def ravel(self) -> Any:
        """One row."""
        return as_npmatrix(anp.reshape(_as_array(self), (1, -1)))

    flatten = ravel


def _elementwise(name: str) -> Any:
    def method(self, other=None):
        if is_sparse(other):
            return getattr(lift(other), REFLECTED[name])(self)
        args = () if other is None else (_as_array(other) if isbox(other) else other,)
        result = getattr(ArrayBox, name)(_as_array(self), *args)
        return as_npmatrix(result) if isbox(result) and anp.ndim(result) == 2 else result

    method.__name__ = name
    return method


def _reduction(name: str) -> Any:
    def method(self, axis=None, *args, **kwargs):
        """As of an array; over one axis, which stays as an axis of length 1."""
        y = getattr(ArrayBox, name)(_as_array(self), axis, *args, **kwargs)
        return y if axis is None else as_npmatrix(anp.expand_dims(y, axis))

    return method


def _kept(name: str) -> Any:
    def method(self, *args, **kwargs):
        """As of an array; what has two dimensions then is an np.matrix, what has one is a row."""
        y = getattr(ArrayBox, name)(_as_array(self), *args, **kwargs)
        return as_npmatrix(_two_dimensional(y)) if isbox(y) and anp.ndim(y) in (1, 2) else y

    return method


for _name in ("add", "radd", "sub", "rsub", "truediv", "rtruediv", "neg", "abs"):
    setattr(TracedNumpyMatrix, f"__{_name}__", _elementwise(f"__{_name}__"))
for _name in ("sum", "mean", "max", "min", "prod", "std", "var"):
    setattr(TracedNumpyMatrix, _name, _reduction(_name))
for _name in (
    "astype", "clip", "conj", "conjugate", "cumsum", "diagonal", "repeat", "reshape", "squeeze",
    "swapaxes", "transpose",
):  # fmt: skip
    setattr(TracedNumpyMatrix, _name, _kept(_name))
Box.types.add(TracedNumpyMatrix)
Box.type_mappings[TracedNumpyMatrix] = ArrayBox


def _two_dimensional(x: Any) -> Any:
    return x if anp.ndim(x) == 2 else anp.reshape(x, (1, -1))


def beside_npmatrix(name: str, x: ArrayBox, M: np.matrix) -> Any:
    """What the operator `name` of a traced array gives beside a constant np.matrix."""
    if name in ("__mul__", "__rmul__") and anp.ndim(x):
        name, x = name.replace("mul", "matmul"), _two_dimensional(x)
    return of_npmatrices(lambda M: getattr(ArrayBox, name)(_as_array(x), M), (M,))


def of_npmatrices(f: Callable, inputs: Sequence[Any]) -> Any:
    """f of `inputs`, with arrays in place of np.matrix there, as an np.matrix if it is traced."""
    y = f(*(np.asarray(x) if type(x) is np.matrix else x for x in inputs))
    return as_npmatrix(_two_dimensional(y)) if isbox(y) and anp.ndim(y) else y


def _as_array(x: Any) -> Any:
    return ArrayBox(x._value, x._trace, x._node) if type(x) is TracedNumpyMatrix else x


def as_npmatrix(x: Any) -> Any:
    """A two-dimensional array, traced or not, as np.matrix has it; CuPy has no such class."""
    if DEVICE_ARRAYS and type(getval(x)) in DEVICE_ARRAYS:
        return x
    return TracedNumpyMatrix(x._value, x._trace, x._node) if isbox(x) else np.asmatrix(x)


def is_npmatrix(x: Any) -> bool:
    """Whether x is an np.matrix, traced or not."""
    return isinstance(x, TracedNumpyMatrix | np.matrix)


def as_ndarray(x: Any) -> Any:
    """x, an array or an np.matrix, traced or not, with the operators of an array."""
    return np.asarray(x) if isinstance(x, np.matrix) else _as_array(x)
