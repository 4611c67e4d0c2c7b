"""Operators given by functions: their products, and solves with them."""

from .common import Benchmark, problem, vector

SIZES = {"small": 32, "large": 128}


def _operator(lib, A, d):
    """Of what SciPy's function is given as well: A + diag(d)."""
    return lib.spla.LinearOperator(A.shape, matvec=lambda v: A @ v + d * v, dtype=A.dtype)


def _product(lib, A, d, b):
    return _operator(lib, A, d) @ b


def _algebra(lib, A, d, b):
    M = lib.spla.aslinearoperator(A)
    return (2 * M + M @ M) @ b + d


def _solve(lib, A, d, b):
    return lib.spla.gmres(_operator(lib, A, d), b, rtol=1e-8, restart=50)[0]


class Operator(Benchmark):
    """With all that the operator depends on differentiated."""

    operations = {"product": _product, "algebra": _algebra, "gmres": _solve}
    params = [list(operations), list(SIZES)]
    param_names = ["operation", "size"]

    def problem(self, operation, size):
        """A sparse matrix, a diagonal, and a vector."""
        A = problem("convection_diffusion", SIZES[size])
        n = A.shape[0]
        return self.operations[operation], (A, 1 + abs(vector(n)), vector(n, seed=2))
