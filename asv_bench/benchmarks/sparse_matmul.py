"""Products: A x, A X, X A, A B."""

from itertools import count

from .common import (
    PROBLEMS,
    SIZES,
    Benchmark,
    first_value_and_gradients,
    forward,
    interpolation_2d,
    problem,
    shifted,
    value,
    value_and_tangent,
    vector,
)


def matmul(lib, A, B):
    """A @ B."""
    return A @ B


def galerkin(lib, A, P):
    """Pᵀ A P."""
    return P.T @ A @ P


class _Product(Benchmark):
    params = [PROBLEMS, list(SIZES)]
    param_names = ["problem", "size"]

    def peakmem_vjp(self, *params):
        """Memory of value and gradients."""
        self.vjp()


class SparseVector(_Product):
    """A x."""

    def problem(self, name, size):
        """Both operands are differentiated."""
        A = problem(name, SIZES[size])
        return matmul, (A, vector(A.shape[1]))


class SparseDense(_Product):
    """A X with 32 columns."""

    def problem(self, name, size):
        """Both operands are differentiated."""
        A = problem(name, SIZES[size])
        return matmul, (A, vector(A.shape[1], 32))


class DenseSparse(_Product):
    """X A with 32 rows."""

    def problem(self, name, size):
        """Both operands are differentiated."""
        A = problem(name, SIZES[size])
        return matmul, (vector(32, A.shape[0]), A)


class SparseSparse(_Product):
    """A B, structure known from the call before."""

    def problem(self, name, size):
        """B has A's structure and other entries."""
        A = problem(name, SIZES[size])
        B = A.copy()
        B.data = vector(A.nnz)
        return matmul, (A, B)


class SparseSquared(_Product):
    """A A."""

    def problem(self, name, size):
        """One operand, met twice."""
        return lambda lib, A: A @ A, (problem(name, SIZES[size]),)


class Galerkin(_Product):
    """Pᵀ A P, P an interpolation in two dimensions."""

    params = [["poisson_2d", "convection_diffusion"], list(SIZES)]

    def problem(self, name, size):
        """Both operands are differentiated."""
        n = SIZES[size]
        return galerkin, (problem(name, n), interpolation_2d(n))


class SparseSparseFirst:
    """A B, a structure never seen before at each call."""

    params = list(SIZES)
    param_names = ["size"]
    timeout = 300
    number = 1
    warmup_time = 0
    repeat = (3, 10, 20.0)

    def setup(self, size):
        """Another A, made outside of the clock, each time."""
        A = problem("convection_diffusion", SIZES[size])
        operands = shifted(A, next(_shift)), A
        self.forward = forward(matmul, operands)
        self.value = value(matmul, operands)
        self.vjp = first_value_and_gradients(matmul, operands)
        self.jvp = value_and_tangent(matmul, operands)

    def time_scipy(self, size):
        """Plain SciPy."""
        self.forward()

    def time_value(self, size):
        """Ours, untraced."""
        self.value()

    def time_vjp(self, size):
        """Value and all gradients."""
        self.vjp()

    def time_jvp(self, size):
        """Value and one directional derivative."""
        self.jvp()


_shift = count(1)
