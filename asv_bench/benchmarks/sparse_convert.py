"""From one format to another, to dense, the transpose."""

from .common import SIZES, Benchmark, Operations, convection_diffusion


class Convert(Operations):
    """From csr."""

    operations = {
        "A.tocsc()": lambda lib, A: A.tocsc(),
        "A.tocoo()": lambda lib, A: A.tocoo(),
        "A.tobsr()": lambda lib, A: A.tobsr((2, 2)),
        "A.todia()": lambda lib, A: A.todia(),
        "A.T": lambda lib, A: A.T,
        "A.T.tocsr()": lambda lib, A: A.T.tocsr(),
        "A.copy()": lambda lib, A: A.copy(),
        "csr_array(A)": lambda lib, A: lib.sp.csr_array(A),
    }

    def operands(self, n):
        """A."""
        return (convection_diffusion(n),)


class Dense(Benchmark):
    """To a dense array, of a matrix that has as many rows as a grid has points in a direction."""

    params = list(SIZES)
    param_names = ["size"]

    def problem(self, size):
        """A has 256 or 2304 rows."""
        return lambda lib, A: A.toarray(), (convection_diffusion(SIZES[size] // 12 + 11),)
