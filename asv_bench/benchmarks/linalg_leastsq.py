"""Least squares."""

import scipy.sparse as sps

from .common import Benchmark, problem, vector

SIZES = {"small": 32, "large": 128}


class LeastSquares(Benchmark):
    """The solution of a tall or wide system, or a damped one, to 1e-8."""

    params = [["lsqr", "lsmr"], ["tall", "wide", "damped"], list(SIZES)]
    param_names = ["method", "shape", "size"]

    def problem(self, method, shape, size):
        """Two blocks, of condition 20 or so."""
        K = problem("convection_diffusion", SIZES[size])
        n = K.shape[0]
        A = sps.vstack([K, 2 * sps.eye_array(n)], format="csr")
        A = A.T.tocsr() if shape == "wide" else A
        options = {"atol": 1e-8, "btol": 1e-8, "damp": 0.5 if shape == "damped" else 0.0}
        options["iter_lim" if method == "lsqr" else "maxiter"] = 1000

        def solve(lib, A, b):
            return getattr(lib.spla, method)(A, b, **options)[0]

        return solve, (A, vector(A.shape[0]))
