"""torch.sparse, coordinates and compressed rows, and torch-sla, for `peers.py`."""

from importlib.util import find_spec

import numpy as np
import scipy.sparse as sps
import torch
from peer_scipy import CG


class Torch:
    """A matrix is a leaf of entries, and a constant structure."""

    def plain(self, result):
        """Value and gradients as NumPy arrays."""
        value, gradients = result
        return float(value.detach()), [g.numpy() for g in gradients]

    def _call(self, function, *operands):
        leaves = [self._leaf(x).requires_grad_() for x in operands]

        def call():
            value = function(*map(self._use, leaves, operands))
            return value, torch.autograd.grad(value, leaves)

        return call

    def _leaf(self, x):
        return _tensor(x.tocsr().data if sps.issparse(x) else x)

    def _use(self, leaf, operand):
        return self._matrix(leaf, operand.tocsr()) if sps.issparse(operand) else leaf

    def matvec(self, A, x):
        """A x."""
        return self._call(lambda A, x: ((A @ x) ** 2).sum(), A, x)

    def matmat(self, A, X):
        """A X."""
        return self._call(lambda A, X: (torch.sparse.mm(A, X) ** 2).sum(), A, X)

    def square(self, A):
        """A A."""
        return self._call(lambda A: self._squares(A @ A), A)

    def product(self, A, B):
        """A B."""
        return self._call(lambda A, B: self._squares(A @ B), A, B)

    def add(self, A, B):
        """A + B."""
        return self._call(lambda A, B: self._squares(A + B), A, B)

    def jacobi(self, A, weights):
        """I − Ω D⁻¹ A."""
        return self.inverse(sps.diags_array(1 / A.diagonal()) @ A, sps.diags_array(weights))

    def inverse(self, A, M):
        """I − M A, differentiated in M."""
        identity, constant = self._identity(A, M), self._constant(-A)
        return self._call(lambda M: self._squares(identity + M @ constant), M)

    def _constant(self, A):
        return self._use(self._leaf(A), A)

    def _identity(self, A, M):
        return self._constant(sps.eye_array(A.shape[0]))


class Coo(Torch):
    """Coordinates."""

    name = "torch COO"
    missing = {
        "solve": "no direct solve on the CPU",
        "triangular": "no triangular solve",
        "cg": "no iterative solve",
    }

    def _matrix(self, a, A):
        places = _tensor(np.stack(A.tocoo().coords))
        return torch.sparse_coo_tensor(places, a, A.shape, is_coalesced=True)

    def _squares(self, A):
        return (A.coalesce().values() ** 2).sum()


class Csr(Torch):
    """Compressed rows. A matrix itself is the leaf: the derivative by its entries is dense."""

    name = "torch CSR"
    missing = {"solve": "no direct solve on the CPU", "cg": "no iterative solve"}

    def plain(self, result):
        """Entries of the gradient in the order of rows."""
        value, gradients = result
        return super().plain(
            (value, [g if g.layout == torch.strided else g.values() for g in gradients])
        )

    def _leaf(self, x):
        if not sps.issparse(x):
            return _tensor(x)
        x = x.tocsr()
        return torch.sparse_csr_tensor(*map(_tensor, (x.indptr, x.indices, x.data)), size=x.shape)

    def _use(self, leaf, operand):
        return leaf

    def _squares(self, A):
        return (A.to_sparse_coo().coalesce().values() ** 2).sum()

    def matvec(self, A, x):
        """A x, as a block of one column: the derivative of a product with a vector is dense."""
        return self._call(lambda A, x: (torch.sparse.mm(A, x[:, None]) ** 2).sum(), A, x)

    def triangular(self, L, b):
        """L⁻¹ b by substitution."""

        def loss(L, b):
            return (torch.triangular_solve(b[:, None], L, upper=False).solution ** 2).sum()

        return self._call(loss, L, b)


class Sla(Torch):
    """torch-sla: coordinates, a class of its own."""

    name = "torch-sla"
    missing = {"triangular": "no triangular solve"}

    def _matrix(self, a, A):
        from torch_sla import SparseTensor

        return SparseTensor(a, *map(_tensor, A.tocoo().coords), A.shape)

    def _squares(self, A):
        return (A.values**2).sum()

    def matmat(self, A, X):
        """A X."""
        return self.matvec(A, X)

    def _identity(self, A, M):
        # on the structure of M A, since a difference wants equal structures
        product = (abs(M.tocsr()) @ abs(A)).tocoo()
        product.sum_duplicates()
        product.data[:] = np.where(product.row == product.col, 1.0, 0.0)
        return self._constant(product)

    def solve(self, A, b):
        """A⁻¹ b by a factorisation."""
        return self._solve(A, b, backend="scipy", method="lu")

    def cg(self, A, b):
        """A⁻¹ b by conjugate gradients in torch, whose relative tolerance is 1e-10, always."""
        return self._solve(
            A, b, backend="pytorch", method="cg", preconditioner="none", atol=0.0,
            maxiter=CG["maxiter"],
        )  # fmt: skip

    def _solve(self, A, b, **options):
        from torch_sla import spsolve

        i, j = map(_tensor, A.tocoo().coords)

        def loss(A, b):
            return (spsolve(A.values, i, j, A.shape, b, **options) ** 2).sum()

        return self._call(loss, A, b)


def _tensor(x):
    """A copy; whole numbers as int64."""
    return torch.tensor(np.asarray(x, dtype=None if x.dtype.kind == "f" else np.int64))


def libraries():
    """In the order of the table's columns."""
    if not find_spec("torch_sla"):
        print("<!-- without torch_sla -->")
        return [Coo(), Csr()]
    return [Coo(), Csr(), Sla()]
