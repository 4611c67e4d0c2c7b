"""Iterative solves."""

import scipy.sparse as sps

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
