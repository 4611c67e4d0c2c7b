"""scipygrad, and plain SciPy with adjoints written by hand, for `peers.py`.

A library has one method for each operation. It takes SciPy matrices and NumPy arrays and returns a
call without arguments that gives the sum of squares of the result and its gradients: entries of a
sparse matrix in the order of the csr operand.
"""

import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as theirs
from autograd.core import make_vjp
from benchmarks.common import ours

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

CG = {"rtol": 1e-10, "maxiter": 2000}


class Missing(Exception):
    """The library has no such operation, or no derivative of it."""


class Scipygrad:
    """Written as with SciPy."""

    name = "scipygrad"

    def plain(self, result):
        """Value and gradients as NumPy arrays."""
        value, gradients = result
        return value, [g.tocsr().data if sps.issparse(g) else g for g in gradients]

    def _call(self, function, *operands):
        operands = tuple(map(ours, operands))

        def call():
            vjp, value = make_vjp(lambda x: function(*x), operands)
            return value, vjp(1.0)

        return call

    def matvec(self, A, x):
        """A x."""
        return self._call(lambda A, x: ((A @ x) ** 2).sum(), A, x)

    matmat = matvec

    def square(self, A):
        """A A."""
        return self._call(lambda A: (A @ A).power(2).sum(), A)

    def product(self, A, B):
        """A B."""
        return self._call(lambda A, B: (A @ B).power(2).sum(), A, B)

    def add(self, A, B):
        """A + B."""
        return self._call(lambda A, B: (A + B).power(2).sum(), A, B)

    def solve(self, A, b):
        """A⁻¹ b."""
        return self._call(lambda A, b: (spla.spsolve(A, b) ** 2).sum(), A.tocsc(), b)

    def triangular(self, L, b):
        """L⁻¹ b by substitution."""
        return self._call(lambda L, b: (spla.spsolve_triangular(L, b) ** 2).sum(), L, b)

    def cg(self, A, b):
        """A⁻¹ b by conjugate gradients."""
        return self._call(lambda A, b: (spla.cg(A, b, **CG)[0] ** 2).sum(), A, b)

    def jacobi(self, A, weights):
        """I − Ω D⁻¹ A, Ω diagonal."""
        identity, Dinv, A = sp.eye(A.shape[0]), sp.diags(1 / A.diagonal()), ours(A)
        call = self._call(lambda M: (identity - M @ Dinv @ A).power(2).sum(), sps.diags(weights))

        def entries():
            value, (gradient,) = call()
            return value, (gradient.data[0],)

        return entries

    def inverse(self, A, M):
        """I − M A, differentiated in M."""
        identity, A = sp.eye(A.shape[0], format="csr"), ours(A)
        return self._call(lambda M: (identity - M @ A).power(2).sum(), M)


class ByHand:
    """The adjoints as one writes them around SciPy; what depends on structure alone is outside."""

    name = "SciPy, by hand"
    missing = {}

    def plain(self, result):
        """They are NumPy arrays."""
        return result

    def matvec(self, A, x):
        """Ā = g xᵀ on the entries, x̄ = Aᵀ g."""
        i, j = _places(A)

        def call():
            y = A @ x
            g = 2 * y
            return y @ y, (g[i] * x[j], A.T @ g)

        return call

    def matmat(self, A, X):
        """The same with columns."""
        i, j = _places(A)

        def call():
            Y = A @ X
            G = 2 * Y
            return np.vdot(Y, Y), (np.einsum("kc,kc->k", G[i], X[j]), A.T @ G)

        return call

    def square(self, A):
        """Both terms of the product rule."""
        call = self.product(A, A)

        def total():
            value, (left, right) = call()
            return value, (left + right,)

        return total

    def product(self, A, B):
        """Ā = G Bᵀ on A's entries, B̄ = Aᵀ G on B's."""

        def call():
            C = A @ B
            G = 2 * C
            return C.data @ C.data, (_sample(G @ B.T, A), _sample(A.T @ G, B))

        return call

    def add(self, A, B):
        """G on the entries of each."""

        def call():
            C = A + B
            G = 2 * C
            return C.data @ C.data, (_sample(G, A), _sample(G, B))

        return call

    def solve(self, A, b):
        """One factorisation, kept for the adjoint."""
        (i, j), A = _places(A), A.tocsc()

        def call():
            lu = theirs.splu(A)
            x = lu.solve(b)
            w = lu.solve(2 * x, "T")
            return x @ x, (-w[i] * x[j], w)

        return call

    def triangular(self, L, b):
        """Substitution with Lᵀ."""
        i, j = _places(L)

        def call():
            x = theirs.spsolve_triangular(L, b)
            w = theirs.spsolve_triangular(L.T.tocsr(), 2 * x, lower=False)
            return x @ x, (-w[i] * x[j], w)

        return call

    def cg(self, A, b):
        """A second iteration."""
        i, j = _places(A)

        def call():
            x = theirs.cg(A, b, **CG)[0]
            w = theirs.cg(A.T, 2 * x, **CG)[0]
            return x @ x, (-w[i] * x[j], w)

        return call

    def jacobi(self, A, weights):
        """Row sums of −2 E ∘ (D⁻¹ A)."""
        identity, Dinv = sps.eye(A.shape[0]), sps.diags(1 / A.diagonal())

        def call():
            E = identity - sps.diags(weights) @ Dinv @ A
            return (E.data**2).sum(), (-2 * np.asarray(E.multiply(Dinv @ A).sum(axis=1)).ravel(),)

        return call

    def inverse(self, A, M):
        """−2 E Aᵀ on the entries of M."""
        identity = sps.eye(A.shape[0], format="csr")

        def call():
            E = identity - M @ A
            return E.data @ E.data, (_sample(-2 * E @ A.T, M),)

        return call


def _places(A):
    return np.repeat(np.arange(A.shape[0]), np.diff(A.indptr)), A.indices


def _sample(G, A):
    """Entries of G at the places that A stores."""
    return np.asarray(G.tocsr()[_places(A)]).ravel()
