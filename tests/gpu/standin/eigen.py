"""Eigenvalues as `cupyx.scipy.sparse.linalg` finds them: the same algorithm, on the host.

Copied is what the algorithm does, with its limits: an absolute tolerance, no word on convergence,
the starting vector overwritten, nan where the iteration breaks down.
"""

from __future__ import annotations

import numpy as np

from .array import device, host, ndarray
from .sparse import _Base


class LinearOperator:
    """An operator by functions of vectors and blocks."""

    ndim = 2

    def __init__(self, shape, matvec, rmatvec=None, matmat=None, dtype=None, rmatmat=None):
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._matvec, self._matmat = matvec, matmat

    def __matmul__(self, x):
        if not isinstance(x, ndarray):
            raise TypeError(f"Unsupported type {type(x)}")
        if x.shape[0] != self.shape[1]:
            raise ValueError("dimension mismatch")
        if x.ndim == 1 or x.shape[1] == 1:
            return self._matvec(x).reshape(self.shape[0], *x.shape[1:])
        assert self._matmat is not None, "CuPy would call matvec with columns of shape (n, 1)"
        return self._matmat(x)


def eigsh(a, k=6, *, which="LM", v0=None, ncv=None, maxiter=None, tol=0,
          return_eigenvectors=True):  # fmt: skip
    """Lanczos with thick restarts."""
    n = a.shape[0]
    assert isinstance(a, (_Base, ndarray)) or type(a).__name__ == "LinearOperator", type(a)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(f"expected square matrix (shape: {a.shape})")
    if a.dtype.char not in "fdFD":
        raise TypeError(f"unsupprted dtype (actual: {a.dtype})")
    if k <= 0 or k >= n or which not in ("LM", "LA", "SA"):
        raise ValueError("k, or which")
    ncv = min(max(2 * k, k + 32), n - 1) if ncv is None else min(max(ncv, k + 2), n - 1)
    maxiter = 10 * n if maxiter is None else maxiter
    tol = np.finfo(a.dtype).eps if tol == 0 else tol
    alpha, beta = np.zeros(ncv, a.dtype), np.zeros(ncv, a.dtype.char.lower())
    V = np.zeros((ncv, n), a.dtype)
    if v0 is None:
        u = np.random.default_rng(0).random(n).astype(a.dtype)
    else:  # cuBLAS reads the memory
        assert v0.dtype == a.dtype and v0.ndim == 1 and v0._host.flags.c_contiguous
        u = v0._host
    V[0] = u / np.linalg.norm(u)

    @np.errstate(all="ignore")  # a GPU does not warn
    def lanczos(start):
        for i in range(start, ncv):
            u[...] = host(a @ device(V[i].copy()))
            alpha[i] = np.vdot(V[i], u)
            u[...] -= alpha[i] * V[i] + beta[i - 1] * V[i - 1]
            uu = V[: i + 1].conj() @ u
            u[...] -= V[: i + 1].T @ uu
            alpha[i] += uu[i]
            beta[i] = np.linalg.norm(u)
            if i < ncv - 1:
                V[i + 1] = u / beta[i]

    def solve(beta_k):
        t = np.diag(alpha) + np.diag(beta[:-1], k=1) + np.diag(beta[:-1], k=-1)
        if beta_k is not None:
            t[k, :k] = t[:k, k] = beta_k
        w, s = np.linalg.eigh(t)
        chosen = {"LA": np.argsort(w)[-k:], "LM": np.argsort(abs(w))[-k:], "SA": np.argsort(w)[:k]}
        return w[chosen[which]], s[:, chosen[which]]

    lanczos(0)
    done = ncv
    w, s = solve(None)
    x, beta_k = V.T @ s, beta[-1] * s[-1, :]
    while np.linalg.norm(beta_k) > tol and done < maxiter:
        beta[:k], alpha[:k], V[:k] = 0, w, x.T
        u -= V[:k].T @ (V[:k].conj() @ u)
        V[k] = u / np.linalg.norm(u)
        u[...] = host(a @ device(V[k].copy()))
        alpha[k] = np.vdot(V[k], u)
        u -= alpha[k] * V[k]
        u -= V[:k].T @ beta_k
        beta[k] = np.linalg.norm(u)
        V[k + 1] = u / beta[k]
        lanczos(k + 1)
        done += ncv - k
        w, s = solve(beta_k)
        x, beta_k = V.T @ s, beta[-1] * s[-1, :]
    order = np.argsort(w)
    return (device(w[order]), device(x[:, order])) if return_eigenvectors else device(np.sort(w))


def add(module):
    """Put these names into the module."""
    module.eigsh = eigsh
    if not hasattr(module, "LinearOperator"):
        module.LinearOperator = LinearOperator
