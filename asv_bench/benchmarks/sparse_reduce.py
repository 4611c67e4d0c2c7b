"""Sums, means, diagonals."""

from .common import Operations, convection_diffusion


class Reduce(Operations):
    """From a matrix to a number or a vector."""

    operations = {
        "A.sum()": lambda lib, A: A.sum(),
        "A.sum(axis=0)": lambda lib, A: A.sum(axis=0),
        "A.sum(axis=1)": lambda lib, A: A.sum(axis=1),
        "A.mean(axis=0)": lambda lib, A: A.mean(axis=0),
        "A.diagonal()": lambda lib, A: A.diagonal(),
        "A.trace()": lambda lib, A: A.trace(),
    }

    def operands(self, n):
        """A."""
        return (convection_diffusion(n),)
