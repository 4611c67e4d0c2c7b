"""Eigenvalues, eigenvectors, singular values."""

import autograd.numpy as np

from .common import Benchmark, convection_diffusion, poisson_2d, vector

SIZES = {"small": 32, "large": 128}
NUMBER = 6


def _start(A):
    return vector(A.shape[0])


def _eigsh_values(lib, A):
    return lib.spla.eigsh(A, NUMBER, sigma=0, v0=_start(A))[0]


def _eigsh_vectors(lib, A):
    return lib.spla.eigsh(A, NUMBER, sigma=0, v0=_start(A))[1]


def _eigsh_one_vector(lib, A):
    return lib.spla.eigsh(A, NUMBER, sigma=0, v0=_start(A))[1][:, 0]


def _eigs_values(lib, A):
    return lib.spla.eigs(A, NUMBER, sigma=0, v0=_start(A))[0]


def _eigs_vectors(lib, A):
    return np.abs(lib.spla.eigs(A, NUMBER, sigma=0, v0=_start(A))[1])


def _svds_values(lib, A):
    return lib.spla.svds(A, NUMBER, v0=_start(A))[1]


def _svds_truncated(lib, A):
    u, s, vh = lib.spla.svds(A, NUMBER, v0=_start(A))
    return u @ (s * (vh @ _start(A)))


class Eigen(Benchmark):
    """A few pairs at the end of the spectrum; the matrix has no equal eigenvalues there."""

    operations = {
        "eigsh, values": _eigsh_values, "eigsh, vectors": _eigsh_vectors,
        "eigsh, one vector": _eigsh_one_vector, "eigs, values": _eigs_values,
        "eigs, vectors": _eigs_vectors, "svds, values": _svds_values,
        "svds, truncated": _svds_truncated,
    }  # fmt: skip
    params = [list(operations), list(SIZES)]
    param_names = ["operation", "size"]

    def problem(self, operation, size):
        """Diffusion with a rough diagonal; for `eigs`, a drift too weak to make A defective."""
        n = SIZES[size]
        general = operation.startswith("eigs,")
        A = (convection_diffusion(n, wind=(7 / n, 3 / n)) if general else poisson_2d(n)).tolil()
        A.setdiag(A.diagonal() + 0.01 * vector(n * n, seed=2) ** 2)
        return self.operations[operation], (A.tocsr(),)

    def peakmem_vjp(self, *params):
        """Memory of value and gradient."""
        self.vjp()
