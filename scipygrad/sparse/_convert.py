"""From one format to another, to dense, and the transpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sps

from .._core.device import namespace, on_device
from .._core.engine import cast, primitive
from .._core.layout import DEVICE_ARRAYS
from .._core.npmatrix import as_npmatrix
from .._core.tags import Gather, scatter, transform
from .._core.traced import TracedBase, class_of_ours, entries_of, lift, make

_LEAVES_DUPLICATES = {("csr", "csc"), ("csc", "csr"), ("csr", "coo"), ("csc", "coo")}


def as_format(A: TracedBase, format: str, blocksize: tuple[int, int] | None = None) -> TracedBase:
    """`A` in another format (of the same family); a stand-in for a constant stays one."""
    if A.format == format and blocksize is None:
        return A
    args = {"blocksize": blocksize} if blocksize is not None else {}
    if "_tags" in A.__dict__:
        return A._finished(format)
    B = transform(
        lambda M: getattr(M, f"to{format}")(**args),
        [A],
        ("as_format", format, blocksize),
        duplicates=(A.format, format) in _LEAVES_DUPLICATES,
    )
    return lift(B)


def as_family(A: TracedBase, family: str) -> TracedBase:
    """`A` as an array or as a matrix, in the same format."""
    cls = getattr(sps, f"{A.format}_{family}")
    return lift(make(A._pattern, entries_of(A), class_of_ours(cls)))


def transposed(A: Any) -> Any:
    """The transpose of a plain sparse matrix, for reading only."""
    if A.format not in ("csr", "csc"):
        return A.T
    T = object.__new__(sps.csc_array if A.format == "csr" else sps.csr_array)
    T.__dict__.update(
        _shape=A.shape[::-1], maxprint=A.maxprint, data=A.data, indices=A.indices, indptr=A.indptr
    )
    return T


def to_dense(A: TracedBase) -> Any:
    """The dense array; duplicates are summed."""
    return scatter(entries_of(A), _positions(A, "dense", A.shape, lambda p: p.flat, (0, 1)))


@primitive(wrt=("x",))
def in_order(x, order):
    """`x` in C or Fortran order in memory."""
    return namespace(x).asarray(x, order=order)


@in_order.vjp("x")
def _(g, ans, x, order):
    return g


in_order.linear("x")


def _positions(
    A: TracedBase, key: Any, shape: tuple[int, ...], of_entries: Any, axes: Any = None
) -> Gather:
    """The map from places in an array of that shape to the entries that are added up there.

    `axes`: those that the array has of the matrix, if it is an array over some of these.
    """

    def build():
        p = A._pattern
        if DEVICE_ARRAYS and axes and on_device(A):
            from . import _device_plans

            plan = _device_plans.positions(p, axes, shape)
            if plan is not None:
                return plan
        index = np.full(p.size, -1, np.intp)
        index[slice(None) if p.inside is None else p.inside] = of_entries(p)
        return Gather(index, shape, p.entries_shape)

    return A._pattern.plan(("positions", key), build)


positions = _positions


class Convert:
    """`toXXX`, `asformat`, `astype`, `copy`, `transpose`."""

    __slots__ = ()

    def tocsr(self, copy: bool = False) -> Any:
        """To Compressed Sparse Row."""
        return self._converted("csr", copy)

    def tocsc(self, copy: bool = False) -> Any:
        """To Compressed Sparse Column."""
        return self._converted("csc", copy)

    def tocoo(self, copy: bool = False) -> Any:
        """To COOrdinate."""
        return self._converted("coo", copy)

    def tobsr(self, blocksize: tuple[int, int] | None = None, copy: bool = False) -> Any:
        """To Block Sparse Row."""
        return self._converted("bsr", copy, blocksize)

    def todia(self, copy: bool = False) -> Any:
        """To DIAgonal."""
        return self._converted("dia", copy)

    def tolil(self, copy: bool = False) -> Any:
        """To List of Lists."""
        return self._converted("lil", copy)

    def todok(self, copy: bool = False) -> Any:
        """To Dictionary Of Keys."""
        return self._converted("dok", copy)

    def _converted(self, format: str, copy: bool, blocksize: Any = None) -> Any:
        if copy and format == self.format and blocksize is None:
            return self.copy()
        return as_format(self, format, blocksize)

    def asformat(self, format: str | None, copy: bool = False) -> Any:
        """To the named format."""
        if format is None or format == self.format:
            return self.copy() if copy else self
        method = getattr(type(self), "to" + format, None)
        if method is None:
            raise ValueError(f"Format {format} is unknown.")
        return method(self)

    def toarray(self, order: str | None = None, out: Any = None) -> Any:
        """To a dense array."""
        _refuse_out("toarray", out)
        dense = to_dense(self)
        return dense if order is None else in_order(dense, order)

    def todense(self, order: str | None = None, out: Any = None) -> Any:
        """To a dense array, or np.matrix from a `*_matrix`."""
        _refuse_out("todense", out)
        dense = self.toarray(order)
        return as_npmatrix(dense) if self._is_matrix() else dense

    def transpose(self, axes: Any = None, copy: bool = False) -> Any:
        """The transpose."""
        axes = tuple(axes) if isinstance(axes, (list, np.ndarray, range)) else axes
        if self.format in ("csr", "csc", "coo") and self.ndim == 2 and axes in (None, (1, 0)):
            flipped = {"csr": "csc", "csc": "csr", "coo": "coo"}[self.format]
            cls = getattr(sps, f"{flipped}_{self._family()}")
            return make(self._pattern.T, entries_of(self), class_of_ours(cls))
        return transform(
            lambda M: M.transpose(axes=axes), [self], ("transpose", axes), duplicates=True
        )

    T = property(transpose)

    if hasattr(sps.csr_array, "mT"):  # SciPy 1.18

        @property
        def mT(self) -> Any:
            """The last two axes interchanged."""
            n = self.ndim
            if n < 2:
                raise ValueError(f"Array must be at least 2-dimensional, but it is {n}-D")
            return self.transpose() if n == 2 else self.transpose((*range(n - 2), n - 1, n - 2))

    def astype(self, dtype: Any, casting: str = "unsafe", copy: bool = True) -> Any:
        """In another dtype; a whole-number dtype would cut the derivative off, and raises."""
        dtype = np.dtype(dtype)
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"Cannot cast from {self.dtype} to {dtype} with casting={casting!r}")
        if dtype == self.dtype and not copy:
            return self
        data = entries_of(self)
        if type(data) in DEVICE_ARRAYS:  # a constant: no derivative is lost
            return make(self._pattern, data.astype(dtype), self._class)
        return make(self._pattern, in_dtype(data, dtype, "astype"), self._class)

    def asfptype(self) -> Any:
        """Itself: a traced matrix is of floating point."""
        return self

    def copy(self) -> Any:
        """A copy that can be changed without changing this one."""
        return make(self._pattern, entries_of(self), self._class)


def in_dtype(x: Any, dtype: Any, name: str) -> Any:
    """`x` in a dtype that a user asked for."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "fc":
        raise TypeError(
            f"{name}: dtype {dtype} of a traced sparse matrix would lose its derivative. "
            "Convert a plain copy (scipygrad.detach(A)) if that is what you want."
        )
    return cast(x, dtype)


def _refuse_out(name: str, out: Any) -> None:
    if out is not None:
        raise TypeError(
            f"{name}: 'out' cannot receive a traced result; use the returned array instead."
        )
