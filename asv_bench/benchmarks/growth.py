"""The same operation from a thousand to a million stored entries."""

import math

import numpy as np
import scipy.sparse as sps

from .common import Benchmark, convection_diffusion, vector


def spmv(entries):
    """A x, five points."""
    A = _five_points(entries)
    return (lambda lib, A, x: A @ x), (A, vector(A.shape[1]))


def add(entries):
    """A + B of different structures."""
    A = _five_points(entries)
    return (lambda lib, A, B: A + B), (A, A[::-1])


def slices(entries):
    """Every second row and column."""
    return (lambda lib, A: A[::2, ::2]), (_five_points(entries),)


def assembly(entries):
    """Coordinates with every place twice, to csr; the entries are differentiated."""
    k = np.arange(entries)
    n = entries // 4 + 1
    i, j = k // 4, (k // 2 * 7) % n

    def assemble(lib, v):
        return lib.sp.coo_array((v, (i, j)), shape=(n, n)).tocsr()

    return assemble, (vector(entries),)


def _five_points(entries):
    return sps.csr_array(convection_diffusion(math.isqrt(entries // 5) + 1))


OPERATIONS = {"A @ x": spmv, "A + B": add, "A[::2, ::2]": slices, "coo to csr": assembly}


class Growth(Benchmark):
    """Time of value and gradients should grow as the entries do; `growth.py` goes to 1e7."""

    params = [list(OPERATIONS), ["1e3, small", "1e4", "1e5", "1e6"]]
    param_names = ["operation", "entries"]

    def problem(self, operation, entries):
        """The operation with that many entries."""
        return OPERATIONS[operation](int(float(entries.split(",")[0])))
