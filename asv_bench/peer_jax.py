"""JAX's sparse arrays, BCOO and BCSR, jitted and not, for `peers.py`."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO, BCSR
from jax.experimental.sparse.linalg import spsolve
from peer_scipy import CG

jax.config.update("jax_enable_x64", True)


class Jax:
    """One class of sparse arrays; a matrix is an array of entries and a constant structure."""

    def __init__(self, name, jitted):
        self.name, self.jitted = name, jitted
        self.missing = {
            "square": "no derivative of a product of two sparse matrices",
            "product": "no derivative of a product of two sparse matrices",
            "inverse": "no derivative of a product of two sparse matrices",
            "triangular": "no triangular solve",
        }

    def plain(self, result):
        """Value and gradients as NumPy arrays."""
        value, gradients = result
        return float(value), [np.asarray(g) for g in gradients]

    def _call(self, function, arrays, constants=()):
        """`function` of arrays and constants, differentiated in the arrays.

        Structure comes as a constant argument: closed over, XLA would fold it, for minutes.
        """
        arrays = tuple(map(jnp.asarray, arrays))
        run = jax.value_and_grad(function, argnums=tuple(range(len(arrays))))
        run = jax.jit(run) if self.jitted else run
        return lambda: jax.block_until_ready(run(*arrays, *constants))

    def matvec(self, A, x):
        """A x."""

        def loss(a, x, places):
            return ((self._sparse(a, places, A.shape) @ x) ** 2).sum()

        return self._call(loss, (A.data, x), (self._places(A),))

    matmat = matvec

    def cg(self, A, b):
        """A⁻¹ b by conjugate gradients."""

        def loss(a, b, places):
            sparse = self._sparse(a, places, A.shape)
            x = jax.scipy.sparse.linalg.cg(
                lambda x: sparse @ x, b, tol=CG["rtol"], maxiter=CG["maxiter"]
            )[0]
            return (x**2).sum()

        return self._call(loss, (A.data, b), (self._places(A),))


class Bcoo(Jax):
    """Coordinates."""

    def __init__(self, jitted):
        super().__init__("JAX BCOO" + jitted * ", jit", jitted)
        self.missing["solve"] = "spsolve takes the arrays of a csr matrix"

    def _places(self, A):
        return jnp.asarray(np.stack(A.tocoo().coords, axis=1).astype(np.int32))

    def _sparse(self, a, places, shape):
        return BCOO((a, places), shape=shape, indices_sorted=True, unique_indices=True)

    def add(self, A, B):
        """A + B."""
        size = (A + B).nnz

        def loss(a, b, left, right):
            C = self._sparse(a, left, A.shape) + self._sparse(b, right, B.shape)
            return (C.sum_duplicates(nse=size).data ** 2).sum()

        return self._call(loss, (A.data, B.data), (self._places(A), self._places(B)))

    def jacobi(self, A, weights):
        """I − Ω D⁻¹ A; Ω D⁻¹ as an array, which scales the rows."""
        i = np.arange(A.shape[0], dtype=np.int32)

        def loss(weights, a, Dinv, places, diagonal):
            identity = self._sparse(jnp.ones(len(i)), diagonal, A.shape)
            E = identity - self._sparse(a, places, A.shape) * (weights * Dinv)[:, None]
            return (E.sum_duplicates(nse=A.nnz).data ** 2).sum()

        constants = A.data, 1 / A.diagonal(), self._places(A), np.stack([i, i], axis=1)
        return self._call(loss, (weights,), tuple(map(jnp.asarray, constants)))


class Bcsr(Jax):
    """Compressed rows."""

    def __init__(self, jitted):
        super().__init__("JAX BCSR" + jitted * ", jit", jitted)
        for operation in ("add", "jacobi"):
            self.missing[operation] = "no sum of two BCSR matrices"

    def _places(self, A):
        return jnp.asarray(A.indices), jnp.asarray(A.indptr)

    def _sparse(self, a, places, shape):
        return BCSR((a, *places), shape=shape, indices_sorted=True, unique_indices=True)

    def solve(self, A, b):
        """A⁻¹ b."""

        def loss(a, b, places):
            return (spsolve(a, *places, b) ** 2).sum()

        return self._call(loss, (A.data, b), (self._places(A),))


def libraries():
    """In the order of the table's columns."""
    return [kind(jitted) for kind in (Bcoo, Bcsr) for jitted in (False, True)]
