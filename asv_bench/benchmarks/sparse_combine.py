"""Matrices made of matrices and diagonals."""

import scipy.sparse as sps

from .common import Operations, convection_diffusion, poisson_1d, vector


class Combine(Operations):
    """Stacks and blocks of two matrices; triangles."""

    operations = {
        "hstack": lambda lib, A, B: lib.sp.hstack([A, B], format="csr"),
        "vstack": lambda lib, A, B: lib.sp.vstack([A, B], format="csr"),
        "block_array": lambda lib, A, B: lib.sp.block_array([[A, B], [None, A]], format="csr"),
        "block_diag": lambda lib, A, B: lib.sp.block_diag([A, B], format="csr"),
        "tril": lambda lib, A: lib.sp.tril(A, format="csr"),
    }

    def operands(self, n):
        """A and B."""
        A = convection_diffusion(n)
        return A, A.T.tocsr()


class Kron(Operations):
    """Grid operators from 1-D ones."""

    operations = {
        "kron": lambda lib, T, U: lib.sp.kron(T, U, format="csr"),
        "kronsum": lambda lib, T, U: lib.sp.kronsum(T, U, format="csr"),
    }

    def operands(self, n):
        """Two matrices of n rows."""
        return poisson_1d(n), sps.csr_array(poisson_1d(n) * 2)


class Diagonals(Operations):
    """Matrices from diagonals."""

    operations = {
        "diags": lambda lib, d: lib.sp.diags([d[1:], d, d[1:]], [-1, 0, 1], format="csr"),
        "diags_array": lambda lib, d: lib.sp.diags_array(d),
    }

    def operands(self, n):
        """One diagonal of n² entries."""
        return (vector(n * n),)
