"""Direct solves."""

import scipy.sparse as sps

from .common import Benchmark, poisson_1d, problem, vector

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


class Poisson3D(Benchmark):
    """A⁻¹ b, 7 points: where the choice of an ordering counts most."""

    params = [["csc", "csr"], [8, 20, 32]]
    param_names = ["format", "n"]

    def problem(self, format, n):
        """One right side."""
        T = poisson_1d(n)
        A = sps.kronsum(sps.kronsum(T, T), T, format=format)
        return _spsolve, (A, vector(A.shape[0]))


class SparseRightSide(Benchmark):
    """A⁻¹ B and A⁻¹, sparse."""

    params = [["one part", "100 parts"], ["spsolve", "inv"]]
    param_names = ["structure", "operation"]

    def problem(self, structure, operation):
        """900 rows; 32 columns of B, with one entry each."""
        if structure == "one part":
            A = problem("convection_diffusion", 30).tocsc()
        else:
            A = sps.block_diag([problem("convection_diffusion", 3)] * 100, format="csc")
        if operation == "inv":
            return (lambda lib, A: lib.spla.inv(A)), (A,)
        B = sps.eye_array(A.shape[0], format="csc")[:, ::28][:, :32]
        return _spsolve, (A, B)
