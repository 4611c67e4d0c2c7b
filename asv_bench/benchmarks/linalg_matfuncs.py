"""Functions of a matrix."""

import scipy.linalg
import scipy.sparse as sps

from .common import Benchmark, convection_diffusion, poisson_2d, problem, vector

SIZES = {"small": 32, "large": 128}


class ExpmMultiply(Benchmark):
    """e^{tA} b at one time, for eight columns, and on a grid of times."""

    params = [["vector", "block", "11 times", "301 times"],
              ["poisson_2d", "convection_diffusion"], list(SIZES)]  # fmt: skip
    param_names = ["operation", "problem", "size"]

    def problem(self, operation, name, size):
        """A is csr, of a norm of 16 and less."""
        A = (problem(name, SIZES[size]) * -2.0).tocsr()
        times = (0.0, 1.0, int(operation.split()[0])) if "times" in operation else ()
        b = vector(A.shape[0], 8) if operation == "block" else vector(A.shape[0])
        return lambda lib, A, b: lib.spla.expm_multiply(A, b, *times), (A, b)

    def peakmem_vjp(self, *params):
        """Memory of value and gradients."""
        self.vjp()


class Expm(Benchmark):
    """e^A: full for a grid, sparse for many blocks."""

    params = [["grid, 64", "grid, 256", "50 blocks", "300 blocks"]]
    param_names = ["problem"]

    def problem(self, name):
        """A is csc."""
        count = int(name.split()[0]) if "blocks" in name else 0
        if count:
            A = sps.block_diag([convection_diffusion(3)] * count, format="csc")
        else:
            A = poisson_2d({"64": 8, "256": 16}[name.split()[1]]).tocsc()
        return lambda lib, A: lib.spla.expm(A * -1.0), (A,)


class Krylov(Benchmark):
    """f(A) b to 1e-8."""

    params = [["expm", "sqrtm"], list(SIZES)]
    param_names = ["function", "size"]

    def problem(self, name, size):
        """A is csr."""
        f, sign = getattr(scipy.linalg, name), -1.0 if name == "expm" else 1.0
        A = convection_diffusion(SIZES[size]) + 2.0 * sps.eye_array(SIZES[size] ** 2)

        def apply(lib, A, b):
            return lib.spla.funm_multiply_krylov(f, A, b, rtol=1e-8)

        return apply, ((A * sign).tocsr(), vector(A.shape[0]))


class Power(Benchmark):
    """A³."""

    params = list(SIZES)
    param_names = ["size"]

    def problem(self, size):
        """A is csr."""
        A = convection_diffusion(SIZES[size])
        return lambda lib, A: lib.spla.matrix_power(A, 3), (A,)
