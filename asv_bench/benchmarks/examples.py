"""A step of each example: the loss and its gradient."""

import numpy as np
import scipy.sparse as sps

from .common import OURS, SCIPY, Benchmark, poisson_1d, poisson_2d


class JacobiWeights(Benchmark):
    """‖I − Ω D⁻¹ A‖² of examples/jacobi_weights.py."""

    params = ["16, small", "4096, small", "16384"]
    param_names = ["N"]

    def problem(self, N):
        """Ω is differentiated."""
        N = int(N.split(",")[0])
        A = {lib.sp: lib.sp.csr_matrix(poisson_1d(N)) for lib in (SCIPY, OURS)}
        Dinv = {lib.sp: lib.sp.diags(1 / A[lib.sp].diagonal()) for lib in (SCIPY, OURS)}
        identity = {lib.sp: lib.sp.eye(N) for lib in (SCIPY, OURS)}

        def loss(lib, Omega):
            return (identity[lib.sp] - Omega @ Dinv[lib.sp] @ A[lib.sp]).power(2).sum()

        return loss, (sps.diags(np.full(N, 0.9)),)


class SparseApproximateInverse(Benchmark):
    """‖I − M A‖² of examples/sparse_approximate_inverse.py, on an n × n grid."""

    params = ["64, small", "128"]
    param_names = ["n"]

    def problem(self, n):
        """M, with A's structure, is differentiated."""
        A = sps.csr_matrix(poisson_2d(int(n.split(",")[0])))
        identity = {lib.sp: lib.sp.eye(A.shape[0], format="csr") for lib in (SCIPY, OURS)}

        def loss(lib, M):
            return (identity[lib.sp] - M @ A).power(2).sum()

        return loss, (A * 0.2,)
