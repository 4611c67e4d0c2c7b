"""Eigenpairs and singular triplets on a GPU: what `_eigen` and `_svd` call there, not SciPy.

CuPy's `eigsh` is a Lanczos iteration with restarts. It takes an absolute tolerance, says nothing
about convergence, and divides by zero where the vectors that it makes span an invariant space. So
it is asked for all the accuracy that the dtype has, and what it returns is checked. Where that
fails, and for what CuPy does not have, `Unable` is raised: SciPy has to do it, on the host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy as cp
import cupyx.scipy.sparse.linalg as cpl
import numpy as np

from .._backend import gpu
from .._core.device import host, one_device
from .._core.engine import is_sparse
from .._core.traced import entries_of, lift
from ..sparse._convert import as_format
from ._bordered import Pencil
from ._factor import default_factors

SMALL = 64  # rows; all eigenvalues of a dense matrix cost less than an iteration
ACCURATE = 1e3  # residuals, and what vectors lack to be orthonormal, in units of rounding
RESTARTS = 10_000  # unless a maxiter is given; what has not converged by then may be accurate
WHICH = ("LM", "LA", "SA")


class Unable(Exception):
    """It cannot be done here; the message says which call this is."""


OPTIONS, CONVERGENCE = "with these options", "that does not converge there"


def eigsh(A: Any, pencil: Pencil, call: dict[str, Any], with_vectors: bool) -> tuple[Any, Any]:
    """Eigenvalues and vectors of a Hermitian matrix, in SciPy's order."""
    which, sigma, n = call["which"], call["sigma"], A.shape[0]
    natively = (
        call["M"] is None and call["Minv"] is None and call["OPinv"] is None
        and call["mode"] == "normal" and which in WHICH
    )  # fmt: skip
    if not natively or (sigma is not None and (pencil.A is None or np.imag(sigma))):
        raise Unable(OPTIONS)
    if sigma is not None:
        op = _inverse(pencil, float(np.real(sigma)))
    elif pencil.A is None:
        op = _operator((n, n), A.dtype, A.matvec)
    else:  # as csr these arrays hold Aᵀ
        op = gpu.matrix(pencil.A.T, pencil.a.conj())
    w, V = eigenpairs(op, call["k"], which, call)
    values = host(w)
    rank = _wanted(values, which)
    if sigma is not None:
        values, w = sigma + 1 / values, sigma + 1 / w
    order = cp.asarray(_as_scipy(values, rank, w.dtype != V.dtype, with_vectors, sigma is not None))
    return w[order], V[:, order]


def _wanted(w: np.ndarray, which: str) -> np.ndarray:
    """Numbers that are the larger, the more an eigenvalue is asked for."""
    return {"LM": np.abs(w), "LA": w, "SA": -w}[which]


def _as_scipy(
    w: np.ndarray, rank: np.ndarray, is_complex: bool, with_vectors: bool, shifted: bool
) -> np.ndarray:
    """The order in which ARPACK returns eigenvalues."""
    if is_complex:
        order = np.argsort(-rank, kind="stable")
        return order if with_vectors else order[::-1].copy()
    return np.argsort(w if with_vectors or shifted else rank, kind="stable")


def _operator(shape: tuple[int, int], dtype: Any, product: Callable) -> Any:
    def vector(v):  # CuPy hands over a block of one column, too
        return product(v.reshape(-1))

    def columns(X):
        return cp.stack([product(X[:, j]) for j in range(X.shape[1])], axis=1)

    return cpl.LinearOperator(shape, vector, matmat=columns, dtype=dtype)


def _inverse(pencil: Pencil, sigma: float) -> Any:
    """(A − σ I)⁻¹."""
    from ._device_factors import LU

    factors = LU(default_factors(pencil.shifted(sigma)).lu)

    def solve(b):
        return factors.solve(b, False)

    n = pencil.A.shape[0]
    return cpl.LinearOperator((n, n), solve, matmat=solve, dtype=pencil.a.dtype)


def eigenpairs(op: Any, k: int, which: str, call: dict[str, Any]) -> tuple[Any, Any]:
    """k eigenvalues, ascending, and orthonormal vectors of a Hermitian operator.

    `call` has SciPy's v0, ncv, maxiter, rng.
    """
    n, v0, ncv = op.shape[0], call["v0"], call["ncv"]
    if v0 is not None:
        one_device(v0, cp.empty(0))
    right = (
        0 < k < n and (v0 is None or v0.shape == (n,)) and (ncv is None or k < ncv <= n)
        and np.dtype(op.dtype).char in "fdFD"
    )  # fmt: skip
    if not right or (k > n - 3 and n > SMALL):  # an error of SciPy's; restarts without room
        raise Unable(OPTIONS)
    if n <= SMALL:
        return _dense(op, k, which)
    start = _start(op, v0, call["rng"])
    size = _size(op, start)
    steps = min(max(2 * k, k + 32) if ncv is None else max(ncv, k + 2), n - 1)
    if n * steps >= 2**31:  # CuPy counts the elements of its vectors in 32 bits
        raise Unable("of this size")
    restarts = min(10 * n, RESTARTS) if call["maxiter"] is None else call["maxiter"]
    tol = 4 * _eps(op) * np.sqrt(k) * size  # for k residuals together
    try:
        w, V = cpl.eigsh(
            op, k, which=which, v0=start.copy(),  # which is overwritten
            ncv=steps, maxiter=steps + restarts * (steps - k), tol=float(tol),
        )  # fmt: skip
    except np.linalg.LinAlgError:  # NumPy's, which gets nan
        raise Unable(CONVERGENCE) from None
    if not _accurate(op, w, V, size):
        raise Unable(CONVERGENCE)
    return w, V


def _eps(op: Any) -> float:
    return float(np.finfo(op.dtype).eps)


def _start(op: Any, v0: Any, rng: Any) -> Any:
    """A starting vector, drawn as SciPy draws it."""
    if v0 is None:
        if not isinstance(rng, np.random.RandomState):
            rng = np.random.default_rng(rng)
        v0 = rng.uniform(-1, 1, op.shape[0])
        if np.dtype(op.dtype).kind == "c":
            v0 = v0 + 1j * rng.uniform(-1, 1, op.shape[0])
        v0 = cp.asarray(v0)
    if np.dtype(op.dtype).kind != "c":
        v0 = v0.real
    return cp.ascontiguousarray(v0.astype(op.dtype))


def _size(op: Any, v: Any) -> float:
    """The norm of the operator, by a few products with a vector; not more than it is."""
    size = 0.0
    for _ in range(3):
        length = float(cp.linalg.norm(v))
        if not 0 < length < np.inf:
            return size
        v = op @ (v / length)
        size = float(cp.linalg.norm(v))
    return size


def _accurate(op: Any, w: Any, V: Any, size: float) -> bool:
    """Whether these are eigenpairs, with orthonormal vectors."""
    allowed = ACCURATE * _eps(op)
    residual = cp.linalg.norm(op @ V - V * w, axis=0).max()
    gram = V.conj().T @ V - cp.eye(V.shape[1], dtype=V.dtype)
    # (False for nan)
    return float(residual) <= allowed * max(size, float(abs(w).max())) and bool(
        abs(gram).max() <= allowed
    )


def _dense(op: Any, k: int, which: str) -> tuple[Any, Any]:
    full = op @ cp.eye(op.shape[0], dtype=op.dtype)
    w, V = cp.linalg.eigh((full + full.conj().T) * 0.5)
    chosen = np.sort(np.argsort(_wanted(host(w), which), kind="stable")[-k:])
    chosen = cp.asarray(chosen)
    return w[chosen], V[:, chosen]


# ---- singular triplets -----------------------------------------------------------------------


def svds(A: Any, call: dict[str, Any]) -> tuple[Any, Any, Any]:
    """u, s, vh of a sparse matrix, in SciPy's order and by its way, from Aᴴ A or A Aᴴ."""
    if (
        call["which"] != "LM" or call["solver"] not in ("arpack", None) or call["options"]
        or call["return_singular_vectors"] not in (True, False, "u", "vh")
    ):  # fmt: skip
        raise Unable(OPTIONS)
    call = call | {"rng": call.get("rng", call.get("random_state"))}
    m, n = A.shape
    A, AH = _factors(A)
    inner, outer = (A, AH) if m >= n else (AH, A)

    def product(v):
        return outer @ (inner @ v)

    gram = cpl.LinearOperator((min(m, n),) * 2, product, matmat=product, dtype=A.dtype)
    _, X = eigenpairs(gram, call["k"], "LM", call)
    X = cp.linalg.qr(X)[0]
    u, s, vh = cp.linalg.svd(inner @ X, full_matrices=False)
    left, s, right = u[:, ::-1], s[::-1].copy(), X @ vh[::-1].conj().T
    if m < n:
        left, right = right, left
    return left, s, right.conj().T


def _factors(A: Any) -> tuple[Any, Any]:
    """A and Aᴴ, as CuPy's csr, or by the products of an operator."""
    if is_sparse(A):
        return _csr(A), _csr(lift(A).conj().T)
    m, n = A.shape
    return _operator((m, n), A.dtype, A.matvec), _operator((n, m), A.dtype, A.rmatvec)


def _csr(A: Any) -> Any:
    """A matrix on the device as CuPy's csr."""
    B = as_format(lift(A), "csr")
    return gpu.matrix(B._pattern, entries_of(B))
