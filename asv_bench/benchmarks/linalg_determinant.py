"""Logarithms of determinants, beside SciPy's factorisation, which has the diagonal of U."""

import numpy as np
import scipy.sparse as sps

from .common import OURS, Benchmark, poisson_1d, problem

SIZES = {"small": 32, "large": 200}


def _logdet(lib, A):
    if lib is OURS:
        import scipygrad.linalg

        return scipygrad.linalg.logdet(A)
    return np.log(np.abs(lib.spla.splu(A).U.diagonal())).sum()


class Grid(Benchmark):
    """log det A of a matrix on a grid; `large` has 40,000 rows."""

    params = [["poisson_2d", "convection_diffusion"], list(SIZES)]
    param_names = ["problem", "size"]

    def problem(self, name, size):
        """A is csc."""
        return _logdet, (problem(name, SIZES[size]).tocsc(),)

    def peakmem_vjp(self, *params):
        """Memory of value and gradient."""
        self.vjp()

    def peakmem_scipy(self, *params):
        """Memory of the factorisation alone."""
        self.forward()


class Grid3D(Benchmark):
    """log det A, 7 points."""

    params = [8, 20]
    param_names = ["n"]

    def problem(self, n):
        """A is csc."""
        T = poisson_1d(n)
        return _logdet, (sps.kronsum(sps.kronsum(T, T), T, format="csc"),)
