"""Iterative solves."""

import scipy.sparse as sps
import scipy.sparse.linalg

from .common import Benchmark, problem, vector

SIZES = {"small": 32, "large": 128}


class ConjugateGradients(Benchmark):
    """A⁻¹ b to 1e-8."""

    params = [["no", "Jacobi"], list(SIZES)]
    param_names = ["preconditioner", "size"]

    def problem(self, preconditioner, size):
        """M is constant."""
        A = problem("poisson_2d", SIZES[size])
        M = sps.diags_array(1 / A.diagonal()) if preconditioner == "Jacobi" else None

        def solve(lib, A, b):
            return lib.spla.cg(A, b, rtol=1e-8, M=M)[0]

        return solve, (A, vector(A.shape[0]))


class General(Benchmark):
    """The methods for matrices that are not symmetric, with incomplete factors as M, to 1e-8."""

    params = [["bicg", "bicgstab", "gmres", "lgmres", "gcrotmk"], list(SIZES)]
    param_names = ["method", "size"]

    def problem(self, method, size):
        """M is constant, and has an adjoint."""
        A = problem("convection_diffusion", SIZES[size])
        lu = scipy.sparse.linalg.spilu(A.tocsc(), fill_factor=2)
        M = scipy.sparse.linalg.LinearOperator(
            A.shape, lu.solve, lambda v: lu.solve(v, "H"), dtype=A.dtype
        )

        def solve(lib, A, b):
            return getattr(lib.spla, method)(A, b, rtol=1e-8, M=M)[0]

        return solve, (A, vector(A.shape[0]))
