"""Direct solves."""

from .common import Benchmark, problem, vector

SIZES = {"small": 32, "large": 128}


def _spsolve(lib, A, b):
    return lib.spla.spsolve(A, b)


def _splu(lib, A, b):
    return lib.spla.splu(A).solve(b)


def _two_solves(lib, A, b):
    lu = lib.spla.splu(A)
    return lu.solve(lu.solve(b))


class Direct(Benchmark):
    """A⁻¹ b by a factorisation."""

    operations = {"spsolve": _spsolve, "splu": _splu, "splu, two solves": _two_solves}
    params = [list(operations), ["poisson_2d", "convection_diffusion"], list(SIZES)]
    param_names = ["operation", "problem", "size"]

    def problem(self, operation, name, size):
        """A is csc, b one right side."""
        A = problem(name, SIZES[size]).tocsc()
        return self.operations[operation], (A, vector(A.shape[0]))

    def peakmem_vjp(self, *params):
        """Memory of value and gradients."""
        self.vjp()


class Columns(Benchmark):
    """A⁻¹ B, 8 right sides."""

    params = list(SIZES)
    param_names = ["size"]

    def problem(self, size):
        """A is csc."""
        A = problem("convection_diffusion", SIZES[size]).tocsc()
        return _splu, (A, vector(A.shape[0], 8))
