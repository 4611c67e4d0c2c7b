"""`cupyx.scipy.sparse.linalg`, by SciPy's functions on the host."""

from __future__ import annotations

import types

import numpy as np
import scipy.sparse.linalg as spla

from . import eigen
from .array import device, ndarray, transfers
from .sparse import _CLASSES, _Base


def _numbers(b):
    if not isinstance(b, ndarray):
        raise TypeError(f"Unsupported type {type(b)}")
    return b._host


class SuperLU:
    """Factors that were made on the host."""

    def __init__(self, obj):
        assert isinstance(obj, spla.SuperLU)
        self._lu, self.shape = obj, obj.shape
        self.L, self.U = (_CLASSES["csr_matrix"](m.tocsr()) for m in (obj.L, obj.U))
        transfers["to device"] += 8  # three arrays of each, and two permutations

    def solve(self, rhs, trans="N"):
        b = _numbers(rhs).astype(self.L.dtype)
        return device(self._lu.solve(np.asfortranarray(b), trans))


def spsolve_triangular(
    A, b, lower=True, overwrite_A=False, overwrite_b=False, unit_diagonal=False
):  # fmt: skip
    if not isinstance(A, _Base):
        raise TypeError("A must be cupyx.scipy.sparse.spmatrix")
    if A.dtype != _numbers(b).dtype:
        raise TypeError("dtype mismatch")
    assert A.format in ("csr", "csc", "coo")
    x = spla.spsolve_triangular(A._scipy(), b._host, lower, unit_diagonal=unit_diagonal)
    return device(x.astype(np.promote_types(x.dtype, np.float64)))


def cg(A, b, x0=None, *, rtol=1e-5, atol=0.0, maxiter=None, M=None, callback=None):
    return _iterative(spla.cg, A, b, x0, M, callback, rtol=rtol, atol=atol, maxiter=maxiter)


def minres(
    A, b, x0=None, shift=0.0, tol=1e-5, maxiter=None, M=None, callback=None, check=False
):  # fmt: skip
    options = {"rtol": tol, "shift": shift, "maxiter": maxiter, "check": check}
    return _iterative(spla.minres, A, b, x0, M, callback, **options)


def _iterative(theirs, A, b, x0, M, callback, **options):
    """CuPy's iterations take b and x0 in the dtype of A; the library does not use them."""
    assert isinstance(A, _Base), type(A)
    if callback is not None:
        options["callback"] = lambda x: callback(device(x))
    M = None if M is None else M._scipy()
    b, x0 = (None if x is None else _numbers(x).astype(A.dtype) for x in (b, x0))
    x, info = theirs(A._scipy(), b, x0, M=M, **options)
    return device(x), info


def module():
    """The module."""
    m = types.ModuleType("cupyx.scipy.sparse.linalg")
    m.SuperLU, m.spsolve_triangular = SuperLU, spsolve_triangular
    m.cg, m.minres = cg, minres
    eigen.add(m)
    return m
