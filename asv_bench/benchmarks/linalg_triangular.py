"""Triangular solves."""

import scipy.sparse as sps

from .common import SIZES, Benchmark, problem, vector


class Triangular(Benchmark):
    """A⁻¹ b by substitution, A one triangle."""

    params = [["lower", "upper"], ["csr", "csc"], list(SIZES)]
    param_names = ["triangle", "format", "size"]

    def problem(self, triangle, format, size):
        """The triangle of a problem whose diagonal dominates."""
        take = sps.tril if triangle == "lower" else sps.triu
        A = take(problem("convection_diffusion", SIZES[size]), format=format)

        def solve(lib, A, b):
            return lib.spla.spsolve_triangular(A, b, lower=triangle == "lower")

        return solve, (A, vector(A.shape[0]))


class Columns(Benchmark):
    """A⁻¹ B by substitution, 8 right sides, a unit diagonal."""

    params = [["csr", "csc"], list(SIZES)]
    param_names = ["format", "size"]

    def problem(self, format, size):
        """The lower triangle of convection and diffusion."""
        A = sps.tril(problem("convection_diffusion", SIZES[size]), format=format)

        def solve(lib, A, B):
            return lib.spla.spsolve_triangular(A, B, unit_diagonal=True)

        A.data /= 10
        return solve, (A, vector(A.shape[0], 8))
