"""Entry by entry: sums, products, powers, functions."""

from .common import Operations, convection_diffusion, random, vector


class Elementwise(Operations):
    """A has five entries in a row; B another, random structure."""

    operations = {
        "A + B": lambda lib, A, B: A + B,
        "A - B": lambda lib, A, B: A - B,
        "A.multiply(B)": lambda lib, A, B: A.multiply(B),
        "A.multiply(A)": lambda lib, A: A.multiply(A),
        "A * 2": lambda lib, A: A * 2,
        "A / 2": lambda lib, A: A / 2,
        "A.power(2)": lambda lib, A: A.power(2),
        "abs(A)": lambda lib, A: abs(A),
        "A.sin()": lambda lib, A: A.sin(),
        "A.multiply(d)": lambda lib, A, B, d: A.multiply(d),
    }

    def operands(self, n):
        """A, B, and a dense column d."""
        A = convection_diffusion(n)
        return A, random([5] * n**2), vector(n * n, 1)
