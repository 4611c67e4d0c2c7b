"""svds: singular values and vectors, as eigenpairs of a Hermitian matrix of twice the order.

A v = s u and Aᴴ u = s v say that [[0, A], [Aᴴ, 0]] has the eigenvector [u; v], of norm √2, at s.
The derivatives are those of `_eigenpairs`, with that matrix made from A by traced operations.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.linalg as spla

from .._core import errors
from .._core.device import call_on_host, host, on_device
from .._core.engine import contains_traced, is_sparse, isbox, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.mirror import traced
from .._core.traced import lift
from ..sparse._combine import block_array
from ._bordered import DEGENERATE, Pencil
from ._eigen import NO_ENTRIES, operand
from ._eigenpairs import Eigenpairs, eigenvalues, eigenvectors


class SingularTriplets(Eigenpairs):
    """Eigenpairs (s, [u; v]) of [[0, A], [Aᴴ, 0]]. Others are (−s, [u; −v]), the same for s = 0."""

    def require_even(self, g: Any) -> None:
        """As for eigenvalues; besides, s has a kink at 0."""
        super().require_even(g)
        self._require_none_at_zero(np.abs(host(strip(g))))

    def require_invariant(self, T: Any, g: Any) -> None:
        """As for eigenvectors; besides, u and v are independent of each other for s = 0."""
        self._require_none_at_zero(host(np.linalg.norm(strip(g), axis=0)))
        super().require_invariant(T, g)

    def warn_split(self, S: Any) -> None:
        """As for eigenvalues; besides, tangents are wrong where s = 0."""
        super().warn_split(S)
        if self._zero.any():
            warnings.warn(errors.zero_singular_value(), errors.NearlyDegenerateWarning, 2)

    def _require_none_at_zero(self, g: np.ndarray) -> None:
        if (g * self._zero).any():
            raise np.linalg.LinAlgError(errors.zero_singular_value())

    @cached_property
    def _zero(self) -> np.ndarray:
        """Which singular values count as 0."""
        a, _ = self.pencil.norms()
        return self.w <= DEGENERATE * self.eps * a


@traced(
    spla.svds,
    wrt=("A",),
    note="no derivative in v0, ncv, tol, which do not change the result; on a GPU for which LM and "
    "the solver arpack; with others it runs on the host",
    gpu=True,
)
def svds(A, k=6, ncv=None, tol=0, which="LM", v0=None, maxiter=None,
         return_singular_vectors=True, solver="arpack", rng=None, options=None,
         *, random_state=None):  # fmt: skip
    if not (is_sparse(A) or isbox(A) or isinstance(A, np.ndarray)) and contains_traced((A,)):
        raise NotImplementedError(errors.traced_operator("svds", "A"))
    call = {
        "k": k, "ncv": strip(ncv), "tol": strip(tol), "which": which, "v0": strip(v0),
        "maxiter": maxiter, "return_singular_vectors": return_singular_vectors, "solver": solver,
        "options": strip(options),
    }  # fmt: skip
    if random_state is not None:
        call["random_state"] = random_state
    if rng is not None or random_state is None:
        call["rng"] = rng
    if DEVICE_ARRAYS and (on_device(A) or on_device(v0)):
        from . import _device_eigen

        try:
            found = _device_eigen.svds(_matrix(strip(A)), call)
        except _device_eigen.Unable as which:
            return call_on_host(svds, which, A, **call)
    else:
        # Both kinds of vectors are needed for a derivative, whatever is returned.
        known = return_singular_vectors in (True, False, "u", "vh")
        found = spla.svds(strip(A), **(call | {"return_singular_vectors": True} if known else call))
    u, s, vh = found
    A = _matrix(A)
    if not is_sparse(A):  # a constant operator
        vectors = (None if return_singular_vectors == "vh" else u, s,
                   None if return_singular_vectors == "u" else vh)  # fmt: skip
        return vectors if return_singular_vectors else s
    A = lift(A)
    H = operand(block_array([[None, A], [A.conj().T, None]], format="csc"), "A", "svds", False)
    V = np.vstack([u, vh.conj().T])
    pencil = Pencil(H.pattern, None, strip(H.entries), NO_ENTRIES)
    triplets = SingularTriplets("svds", pencil, s, lambda: V, hermitian=True, norm=2.0)
    s = eigenvalues(H.entries, NO_ENTRIES, triplets)
    if not return_singular_vectors:
        return s
    V, rows = eigenvectors(H.entries, NO_ENTRIES, triplets), A.shape[0]
    u = None if return_singular_vectors == "vh" else V[:rows]
    vh = None if return_singular_vectors == "u" else anp.conj(V[rows:]).T
    return u, s, vh


def _matrix(A: Any) -> Any:
    """The matrix, which may be dense, as a sparse one; an operator as it is."""
    from ..sparse import csr_array

    given = is_sparse(A) or not (isbox(A) or isinstance(A, np.ndarray) or type(A) in DEVICE_ARRAYS)
    return A if given else csr_array(A)
