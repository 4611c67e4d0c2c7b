"""Matrices assembled from entries."""

import numpy as np

from .common import Benchmark, vector

COUNTS = {"small": 300, "large": 10000}


def _lil(lib, values):
    A = lib.sp.lil_array((len(values), len(values)))
    for k in range(len(values)):
        A[k, (7 * k) % len(values)] = values[k]
    return A.tocsr()


def _lil_rows(lib, values):
    A = lib.sp.lil_array((len(values) // 4, 4))
    for k in range(len(values) // 4):
        A[k, :] = values[4 * k : 4 * k + 4]
    return A.tocsr()


def _lil_added(lib, values):
    A = lib.sp.lil_array((len(values) // 3 + 1, 3))
    for k in range(len(values)):
        A[k // 3, 0] += values[k]
    return A.tocsr()


def _coo(lib, values):
    n = len(values)
    i, j = np.arange(n) // 2, np.arange(n) // 4  # every place twice
    return lib.sp.coo_array((values, (i, j)), shape=(n, n)).tocsr()


def _setdiag(lib, values):
    A = lib.sp.csr_array(lib.sp.eye_array(len(values)))
    A.setdiag(values)
    return A


class Assembly(Benchmark):
    """n traced entries, next to SciPy's n plain ones."""

    operations = {
        "lil A[i, j] = v": _lil,
        "lil A[i, :] = v": _lil_rows,
        "lil A[i, j] += v": _lil_added,
        "coo with duplicates": _coo,
        "csr setdiag": _setdiag,
    }
    params = [list(operations), list(COUNTS)]
    param_names = ["operation", "size"]

    def problem(self, operation, size):
        """The values are differentiated."""
        return self.operations[operation], (vector(COUNTS[size]),)
