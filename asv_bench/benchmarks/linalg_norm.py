"""Norms."""

import numpy as np

from .common import Operations, convection_diffusion, random


class Norm(Operations):
    """A has nine entries in a row and less."""

    operations = {
        "Frobenius": lambda lib, A: lib.spla.norm(A),
        "1": lambda lib, A: lib.spla.norm(A, 1),
        "inf": lambda lib, A: lib.spla.norm(A, np.inf),
        "rows": lambda lib, A: lib.spla.norm(A, axis=1),
        "columns, inf": lambda lib, A: lib.spla.norm(A, np.inf, axis=0),
        "onenormest": lambda lib, A: lib.spla.onenormest(A),
    }

    def operands(self, n):
        """A."""
        return (random(np.arange(n * n) % 9 + 1),)


class SpectralNorm(Operations):
    """The largest singular value."""

    operations = {"2": lambda lib, A: lib.spla.norm(A, 2)}

    def operands(self, n):
        """A."""
        return (convection_diffusion(n // 8),)
