"""Largest and smallest: over axes, and of two operands."""

from .common import Operations, convection_diffusion, vector


class Extremum(Operations):
    """Reductions and elementwise extremes of sparse matrices."""

    operations = {
        "max": lambda lib, A: A.max(),
        "max, axis 0": lambda lib, A: A.max(axis=0),
        "min, axis 1": lambda lib, A: A.min(axis=1),
        "maximum": lambda lib, A, B: A.maximum(B),
    }

    def operands(self, n):
        """Two matrices of one structure."""
        A = convection_diffusion(n)
        B = A.copy()
        B.data = vector(A.nnz)
        return A, B
