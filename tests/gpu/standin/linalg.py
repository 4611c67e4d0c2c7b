"""`cupyx.scipy.sparse.linalg`, by SciPy's functions on the host."""

from __future__ import annotations

import types

import numpy as np
import scipy.sparse.linalg as spla

from .array import device, ndarray
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

    def solve(self, rhs, trans="N"):
        b = _numbers(rhs).astype(self.L.dtype)
        return device(self._lu.solve(np.asfortranarray(b), trans))


def spsolve_triangular(
    A, b, lower=True, overwrite_A=False, overwrite_b=False, unit_diagonal=False
):  # fmt: skip
    assert isinstance(A, _Base) and A.format in ("csr", "csc", "coo")
    x = spla.spsolve_triangular(A._scipy(), _numbers(b), lower, unit_diagonal=unit_diagonal)
    return device(x.astype(np.promote_types(x.dtype, np.float64)))


def _iterative(theirs, **renamed):
    def method(A, b, x0=None, **options):
        assert isinstance(A, _Base), type(A)
        options = {renamed.get(k, k): v for k, v in options.items()}
        if "M" in options:
            options["M"] = options["M"]._scipy()
        x0 = None if x0 is None else _numbers(x0)
        x, info = theirs(A._scipy(), _numbers(b), x0, **options)
        return device(x), info

    return method


def module():
    """The module."""
    m = types.ModuleType("cupyx.scipy.sparse.linalg")
    m.SuperLU, m.spsolve_triangular = SuperLU, spsolve_triangular
    for name in ("cg", "cgs", "gmres", "bicgstab"):
        setattr(m, name, _iterative(getattr(spla, name)))
    m.minres = _iterative(spla.minres, tol="rtol")
    return m
