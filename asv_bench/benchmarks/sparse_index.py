"""Reading entries and parts."""

import numpy as np

from .common import Operations, convection_diffusion


def _some(A):
    return np.arange(0, A.shape[0], 7)


class Index(Operations):
    """Parts of a csr matrix."""

    operations = {
        "A[i, j]": lambda lib, A: A[3, 3],
        "A[i:k]": lambda lib, A: A[A.shape[0] // 4 : A.shape[0] // 2],
        "A[:, j:l]": lambda lib, A: A[:, A.shape[0] // 4 : A.shape[0] // 2],
        "A[::2, ::2]": lambda lib, A: A[::2, ::2],
        "A[rows]": lambda lib, A: A[_some(A)],
        "A[rows, columns]": lambda lib, A: A[_some(A), _some(A)],
        "A[rows][:, columns]": lambda lib, A: A[_some(A)][:, _some(A)],
    }

    def operands(self, n):
        """A."""
        return (convection_diffusion(n),)
