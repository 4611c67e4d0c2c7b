"""n-D arrays: products of stacks of matrices, tensordot, the order of axes."""

import numpy as np
import scipy.sparse as sps

from .common import Operations, poisson_1d, vector


class Tensor(Operations):
    """Stacks of n tridiagonal matrices with n rows."""

    operations = {
        "stack @ stack": lambda lib, A: A @ A,
        "stack @ block": lambda lib, A, X: A @ X,
        "tensordot": lambda lib, A, X: A.tensordot(X, axes=1),
        "transpose": lambda lib, A: A.transpose((2, 0, 1)),
        "sum": lambda lib, A: A.sum(axis=(0, 2)),
    }

    def operands(self, n):
        """A stack of sparse matrices, and a block of columns."""
        T = poisson_1d(n).tocoo()
        i = np.repeat(np.arange(n), T.nnz)
        coords = (i, np.tile(T.row, n), np.tile(T.col, n))
        return sps.coo_array((vector(n * T.nnz), coords), shape=(n, n, n)), vector(n, 4)
