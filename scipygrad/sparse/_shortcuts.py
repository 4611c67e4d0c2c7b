"""Past SciPy's constructor, for arguments that it would take over as they are.

SciPy makes a matrix in nearly every operation; this more than makes up for what tracing adds.
Whatever is not plainly in order is left to SciPy.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sps

from .._core.layout import SparseLayout


class Coordinates(SparseLayout):
    """For coo."""

    _parts = 2
    _DIMENSIONS: tuple[int, ...] = (1, 2)

    @classmethod
    def _from_arrays(cls, arg1, shape=None, dtype=None, copy=False, maxprint=None, **unknown):
        """``cls((data, coords), ...)``, or None."""
        if copy or maxprint is not None or unknown or type(shape) is not tuple:
            return None
        data, coords = arg1
        if not (
            type(coords) is tuple
            and len(shape) == len(coords) in cls._DIMENSIONS
            and data.ndim == 1
            and data.dtype.char in "fdFDilqbB?"
            and data.dtype.isnative
            and (dtype is None or dtype == data.dtype)
        ):
            return None
        for i, n in zip(coords, shape):
            if not (
                type(i) is np.ndarray
                and i.dtype == np.int32
                and i.shape == data.shape
                and i.flags.c_contiguous
                and type(n) is int
                and 0 < n < 2**31
                and (not i.size or i.view(np.uint32).max() < n)  # as unsigned: not negative
            ):
                return None
        new = object.__new__(cls)
        new.__dict__.update(
            _shape=shape, maxprint=_MAXPRINT, coords=coords, data=data, has_canonical_format=False
        )
        return new

    def _shared(self):
        """What the constructor makes of a matrix of the same class: another that shares arrays."""
        new = self._from_arrays((self.data, self.coords), shape=self._shape)
        return type.__call__(type(self), self) if new is None else new


class Compressed(SparseLayout):
    """For csr and csc."""

    _parts = 3

    @classmethod
    def _from_arrays(cls, arg1, shape=None, dtype=None, copy=False, maxprint=None, **unknown):
        """``cls((data, indices, indptr), ...)``, or None."""
        if copy or maxprint is not None or unknown:
            return None
        data, indices, indptr = arg1
        if not (
            type(indices) is type(indptr) is np.ndarray
            and indices.dtype == indptr.dtype == np.int32
            and data.ndim == indices.ndim == indptr.ndim == 1
            and data.dtype.kind in "fciub"
            and (dtype is None or dtype == data.dtype)
            and indices.size == data.size
            and indptr.size > 0
        ):
            return None
        n = int(indptr[-1])
        if shape is None and n:
            shape = indptr.size - 1, int(indices.max()) + 1
            shape = shape if cls._format == "csr" else shape[::-1]
        if type(shape) is not tuple or len(shape) != 2:
            return None
        M, N = shape if cls._format == "csr" else shape[::-1]
        if not (
            type(M) is type(N) is int
            and 0 <= N < 2**31
            and indptr.size == M + 1
            and indptr[0] == 0
            and 0 <= n <= indices.size
        ):
            return None
        new = object.__new__(cls)
        new.__dict__.update(
            _shape=shape, maxprint=_MAXPRINT, indices=_pruned(indices, n), indptr=indptr,
            data=_pruned(data, n),
        )  # fmt: skip
        return new

    def _with_data(self, data, copy=True):
        indices, indptr = self.indices, self.indptr
        if copy:
            indices, indptr = indices.copy(), indptr.copy()
        return type(self)((data, indices, indptr), shape=self._shape, dtype=data.dtype)

    def _shared(self):
        """What the constructor makes of a matrix of the same class: another that shares arrays."""
        arrays = (self.data, self.indices, self.indptr)
        new = self._from_arrays(arrays, shape=self._shape)
        return type.__call__(type(self), self) if new is None else new


_MAXPRINT = sps.csr_array((1, 1)).maxprint


def _pruned(a: np.ndarray, n: int) -> np.ndarray:
    """The first n elements; a copy if that lets a much larger array go (as SciPy does)."""
    if a.size != n:
        a = a[:n]
    return a.copy() if a.base is not None and a.size < getattr(a.base, "size", 0) // 2 else a
