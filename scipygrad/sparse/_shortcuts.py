"""Past SciPy's constructor, for arguments that it would take over as they are.

SciPy makes a matrix in nearly every operation; this more than makes up for what tracing adds.
Whatever is not plainly in order is left to SciPy.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sps

from .._core.layout import SparseLayout

_DTYPES = frozenset("fdFDilqbB?")
"""Characters of the dtypes that SciPy takes over as they are."""


class Coordinates(SparseLayout):
    """For coo."""

    _DIMENSIONS: tuple[int, ...] = (1, 2)

    @classmethod
    def _from_arrays(cls, arg1, shape=None, dtype=None, copy=False, maxprint=None, **unknown):
        """``cls((data, coords), ...)``, or None."""
        if maxprint is not None or unknown or type(shape) is not tuple or len(arg1) != 2:
            return None
        data, coords = arg1
        if not (
            type(coords) is tuple
            and len(shape) == len(coords) in cls._DIMENSIONS
            and data.ndim == 1
            and data.dtype.char in _DTYPES
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
        if copy:
            data, coords = data.copy(), tuple(i.copy() for i in coords)
        new = object.__new__(cls)
        new.__dict__.update(
            _shape=shape, maxprint=_MAXPRINT, coords=coords, data=data, has_canonical_format=False
        )
        return new

    @classmethod
    def _from_dense(cls, M):
        """``cls(M)`` of an array, or None."""
        if not (
            M.ndim == 2
            and 0 < min(M.shape)
            and max(M.shape) < 2**31
            and M.dtype.char in _DTYPES
            and M.dtype.isnative
        ):
            return None
        i, j = M.nonzero()
        new = object.__new__(cls)
        integer = new._get_index_dtype(maxval=max(M.shape))
        new.__dict__.update(
            _shape=M.shape, maxprint=_MAXPRINT, coords=(i.astype(integer), j.astype(integer)),
            data=M[i, j], has_canonical_format=True,
        )  # fmt: skip
        return new

    def _arrays(self):
        return self.data, self.coords


class ByCoordinates(SparseLayout):
    """For lil and dok, and below the rest: SciPy makes them of a dense array by way of coo."""

    _coordinates: type[Coordinates]
    """The coo class of the same family."""

    @classmethod
    def _from_arrays(cls, *args, **kwargs):
        """Never."""
        return None

    @classmethod
    def _from_dense(cls, M):
        """``cls(M)`` of an array, or None."""
        new = cls._coordinates._from_dense(M)
        return None if new is None else new.asformat(cls._format)

    @classmethod
    def _from_coordinates(cls, arg1, shape, dtype):
        """``cls((data, (i, j)), ...)``, or None."""
        if type(shape) is not tuple or len(shape) != 2:
            return None
        new = cls._coordinates._from_arrays(arg1, shape, dtype)
        return None if new is None else new.asformat(cls._format)


class Compressed(ByCoordinates):
    """For csr and csc."""

    @classmethod
    def _from_arrays(cls, arg1, shape=None, dtype=None, copy=False, maxprint=None, **unknown):
        """``cls((data, indices, indptr), ...)``, ``cls((data, (i, j)), ...)``, or None."""
        if maxprint is not None or unknown:
            return None
        if len(arg1) == 2:
            return cls._from_coordinates(arg1, shape, dtype)
        if len(arg1) != 3:
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
        if copy:
            data, indices, indptr = data.copy(), indices.copy(), indptr.copy()
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

    def _arrays(self):
        return self.data, self.indices, self.indptr


class Blocks(ByCoordinates):
    """For bsr."""

    @classmethod
    def _from_arrays(
        cls, arg1, shape=None, dtype=None, copy=False, blocksize=None, maxprint=None, **unknown
    ):
        """``cls((data, indices, indptr), ...)``, ``cls((data, (i, j)), ...)``, or None."""
        if maxprint is not None or blocksize is not None or unknown:
            return None
        if len(arg1) == 2:
            return cls._from_coordinates(arg1, shape, dtype)
        if len(arg1) != 3 or type(shape) is not tuple or len(shape) != 2:
            return None
        data, indices, indptr = arg1
        if not (
            type(indices) is type(indptr) is np.ndarray
            and indices.dtype == indptr.dtype == np.int32
            and data.ndim == 3
            and indices.ndim == indptr.ndim == 1
            and data.size
            and data.dtype.char in _DTYPES
            and data.dtype.isnative
            and (dtype is None or dtype == data.dtype)
            and indices.size == len(data)
        ):
            return None
        M, N = shape
        _, R, C = data.shape
        if not (
            type(M) is type(N) is int
            and 0 < M < 2**31
            and 0 < N < 2**31
            and M % R == N % C == 0
            and indptr.size == M // R + 1
            and indptr[0] == 0
            and indptr[-1] == indices.size
        ):
            return None
        if copy:
            data, indices, indptr = data.copy("K"), indices.copy(), indptr.copy()
        new = object.__new__(cls)
        new.__dict__.update(
            _shape=shape, maxprint=_MAXPRINT, indices=_pruned(indices, indices.size),
            indptr=indptr, data=_pruned(data, data.size),
        )  # fmt: skip
        return new

    def _arrays(self):
        return self.data, self.indices, self.indptr


class Diagonals(ByCoordinates):
    """For dia."""

    @classmethod
    def _from_arrays(cls, arg1, shape=None, dtype=None, copy=False, maxprint=None, **unknown):
        """``cls((data, offsets), ...)``, or None."""
        if maxprint is not None or unknown or len(arg1) != 2:
            return None
        data, offsets = arg1
        if type(offsets) is list and all(type(k) is int and -(2**31) <= k < 2**31 for k in offsets):
            offsets = np.array(offsets, np.int32)
        if not (
            type(shape) is tuple
            and len(shape) == 2
            and type(shape[0]) is type(shape[1]) is int
            and 0 < shape[0] < 2**31
            and 0 < shape[1] < 2**31
            and type(offsets) is np.ndarray
            and offsets.dtype.char in "il"
            and offsets.dtype.isnative
            and offsets.ndim == 1
            and data.ndim == 2
            and data.shape[0] == offsets.size
            and data.dtype.char in _DTYPES
            and data.dtype.isnative
            and (dtype is None or dtype == data.dtype)
            and len(set(offsets.tolist())) == offsets.size
        ):
            return None
        if copy:
            data = data.copy("K")
        new = object.__new__(cls)
        if copy or offsets.dtype != np.int32:
            offsets = offsets.astype(new._get_index_dtype(maxval=max(shape)))
        new.__dict__.update(_shape=shape, maxprint=_MAXPRINT, data=data, offsets=offsets)
        return new

    def _arrays(self):
        return self.data, self.offsets


_MAXPRINT = sps.csr_array((1, 1)).maxprint


def _pruned(a: np.ndarray, n: int) -> np.ndarray:
    """The first n elements; a copy if that lets a much larger array go (as SciPy does)."""
    if a.size != n:
        a = a[:n]
    return a.copy() if a.base is not None and a.size < getattr(a.base, "size", 0) // 2 else a
