"""eigsh, eigs, lobpcg: what SciPy computes, as differentiable functions of A and M.

The derivatives are those of `_eigenpairs`. A Hermitian A or M is replaced by its Hermitian part
before, which it is equal to: so a gradient is Hermitian too, and a step along it stays among the
Hermitian matrices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse.linalg as spla

from .._backend import backend
from .._core import errors
from .._core.device import call_on_host, contains_device, on_device
from .._core.engine import contains_traced, is_sparse, isbox, primitive, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.mirror import traced
from .._core.pattern import Pattern
from .._core.tags import Gather
from .._core.traced import constant, entries_of, entries_to_keep, lift, make
from ..sparse._convert import as_format
from ._bordered import Pencil
from ._eigenpairs import Eigenpairs, eigenvalues, eigenvectors
from ._factor import canonical

NO_ENTRIES = np.zeros(0)


class Operand(NamedTuple):
    """A matrix by pattern and entries; pattern None for no matrix (`given`: an operator)."""

    pattern: Pattern | None
    entries: Any
    given: bool


def operand(A: Any, name: str, function: str, hermitian: bool) -> Operand:
    """The entries of A, or of its Hermitian part, in csc."""
    if A is None:
        return Operand(None, NO_ENTRIES, False)
    if not is_sparse(A):
        if isinstance(A, np.ndarray) or isbox(A) or type(A) in DEVICE_ARRAYS:
            from ..sparse import csc_array

            A = csc_array(A)
        elif contains_traced((A,)):
            raise NotImplementedError(errors.traced_operator(function, name))
        else:
            return Operand(None, NO_ENTRIES, True)
    B = canonical(as_format(lift(A), "csc"))
    if hermitian and constant(lift(A)) is None:
        p = B._pattern
        mirrored = p.plan("mirrored", lambda: _mirrored(p))
        if mirrored is None:
            B = canonical(as_format(lift((B + B.conj().T) * 0.5), "csc"))
        else:
            B = lift(make(p, hermitian_part(entries_of(B), mirrored), B._class))
    return Operand(B._pattern, entries_to_keep(B), True)


def _mirrored(p: Pattern) -> Gather | None:
    """Where (j, i) is stored for each entry (i, j) of a csc; None if that is not so for all."""
    T = p.view(p.tags).tocsr()
    if not all(map(np.array_equal, p.arrays, (T.indptr, T.indices))):
        return None
    return Gather(T.data - 1, (p.size,), (p.size,))


@primitive(wrt=("data",))
def hermitian_part(data, mirrored):
    """Entries of (A + Aᴴ) / 2, on a symmetric pattern."""
    if on_device(data):
        return (backend(data).gather(data, mirrored).conj() + data) * 0.5
    part = data.take(mirrored.index)
    if part.dtype.kind == "c":
        np.conj(part, out=part)
    part += data
    part *= 0.5
    return part


hermitian_part.keeps()


@hermitian_part.vjp("data")  # its own transpose, `mirrored` being its own inverse
def _(g, ans, data, mirrored):
    return hermitian_part(g, mirrored)


hermitian_part.linear("data")


def pencil_of(A: Operand, M: Operand, names: str = "AM") -> Pencil:
    """The numbers of two operands."""
    operators = tuple(n for n, x in zip(names, (A, M)) if x.given and x.pattern is None)
    return Pencil(A.pattern, M.pattern, strip(A.entries), strip(M.entries), operators)


# ---- what SciPy returned ------------------------------------------------------------------------


def _vectors_of(
    name: str, w: np.ndarray, again: Callable[[], Any], real: bool
) -> Callable[[], np.ndarray]:
    """Vectors of eigenvalues that SciPy returned without them: from a second call, in order."""

    def vectors():
        u, V = again()
        if real:  # an eigenvalue in one call, its conjugate in the other
            u, V = np.concatenate([u, u.conj()]), np.hstack([V, V.conj()])
        left, columns = list(range(len(u))), []
        for x in w:
            best = min(left, key=lambda i: abs(u[i] - x), default=None)
            tol = 1e3 * np.sqrt(np.finfo(w.dtype).eps) * np.abs(w).max(initial=0)
            if best is None or not abs(u[best] - x) <= tol:
                raise np.linalg.LinAlgError(errors.other_eigenvalues(name))
            left.remove(best)
            columns.append(best)
        return V[:, columns]

    return vectors


def _solve(
    function: Any, A: Any, M: Any, call: dict[str, Any], return_eigenvectors: bool, *,
    hermitian: bool, unit: str, flipped: bool = False,
) -> Any:  # fmt: skip
    """The traced result of `eigsh` or `eigs`."""
    name = function.__name__
    first = operand(A, "A", name, hermitian)
    second = operand(M, "M", name, True)
    if call["rng"] is None:  # which older versions of SciPy do not have
        del call["rng"]
    plain_A, call = strip(A), strip(call)
    found = function(plain_A, return_eigenvectors=return_eigenvectors, **call)
    w, V = found if return_eigenvectors else (found, None)
    pencil = pencil_of(first, second)

    def again():
        return function(plain_A, return_eigenvectors=True, **call)

    is_real = not hermitian and pencil.a.dtype.kind != "c" and pencil.m.dtype.kind != "c"
    vectors = (lambda: V) if return_eigenvectors else _vectors_of(name, w, again, is_real)
    if flipped:  # M v = (1/λ) A v, with vᴴ A v = 1
        first, second = second, first
        pencil = pencil_of(first, second, "MA")
    pairs = Eigenpairs(name, pencil, 1 / w if flipped else w, vectors,
                       hermitian=hermitian, unit=unit)  # fmt: skip
    w = eigenvalues(first.entries, second.entries, pairs)
    w = 1 / w if flipped else w
    if not return_eigenvectors:
        return w
    return w, eigenvectors(first.entries, second.entries, pairs)


# ---- on a GPU -----------------------------------------------------------------------------------


def _eigsh_on_device(A: Any, call: dict[str, Any], return_eigenvectors: bool) -> Any:
    from . import _device_eigen

    first, M = operand(A, "A", "eigsh", True), Operand(None, NO_ENTRIES, False)
    pencil, plain = pencil_of(first, M), strip(call)
    try:
        w, V = _device_eigen.eigsh(strip(A), pencil, plain, return_eigenvectors)
    except _device_eigen.Unable as which:
        if call["rng"] is None:  # which older versions of SciPy do not have
            call = {name: x for name, x in call.items() if name != "rng"}
        return call_on_host(eigsh, which, A, return_eigenvectors=return_eigenvectors, **call)
    pairs = Eigenpairs("eigsh", pencil, w, lambda: V, hermitian=True)
    w = eigenvalues(first.entries, NO_ENTRIES, pairs)
    return (w, eigenvectors(first.entries, NO_ENTRIES, pairs)) if return_eigenvectors else w


# ---- the functions ------------------------------------------------------------------------------

_NOTE = "no derivative in sigma, v0, ncv, tol, Minv, OPinv, which do not change the result"


@traced(
    spla.eigsh,
    wrt=("A", "M"),
    note=f"{_NOTE}; on a GPU for which LM, LA, SA, also with sigma; with M, Minv, OPinv, another "
    "which or mode it runs on the host",
    gpu=True,
)
def eigsh(A, k=6, M=None, sigma=None, which="LM", v0=None, ncv=None, maxiter=None, tol=0,
          return_eigenvectors=True, Minv=None, OPinv=None, mode="normal", rng=None):  # fmt: skip
    call = {
        "k": k, "M": M, "sigma": sigma, "which": which, "v0": v0, "ncv": ncv, "maxiter": maxiter,
        "tol": tol, "Minv": Minv, "OPinv": OPinv, "mode": mode, "rng": rng,
    }  # fmt: skip
    if DEVICE_ARRAYS and contains_device((A, M, v0, Minv, OPinv)):
        return _eigsh_on_device(A, call, return_eigenvectors)
    flipped = mode == "buckling" and sigma is not None and k < A.shape[0]
    return _solve(spla.eigsh, A, M, call, return_eigenvectors, hermitian=True, unit="M",
                  flipped=flipped)  # fmt: skip


@traced(spla.eigs, wrt=("A", "M"), note=_NOTE)
def eigs(A, k=6, M=None, sigma=None, which="LM", v0=None, ncv=None, maxiter=None, tol=0,
         return_eigenvectors=True, Minv=None, OPinv=None, OPpart=None, rng=None):  # fmt: skip
    call = {
        "k": k, "M": M, "sigma": sigma, "which": which, "v0": v0, "ncv": ncv, "maxiter": maxiter,
        "tol": tol, "Minv": Minv, "OPinv": OPinv, "OPpart": OPpart, "rng": rng,
    }  # fmt: skip
    dense = k >= A.shape[0] - 1  # scipy.linalg.eig, whose vectors are of length 1 for any M
    return _solve(spla.eigs, A, M, call, return_eigenvectors, hermitian=False,
                  unit="I" if dense else "M")  # fmt: skip


@traced(
    spla.lobpcg,
    wrt=("A", "B"),
    note="no derivative in X and M, which do not change the result",
)
def lobpcg(A, X, B=None, M=None, Y=None, tol=None, maxiter=None, largest=True, verbosityLevel=0,
           retLambdaHistory=False, retResidualNormsHistory=False, restartControl=20):  # fmt: skip
    if contains_traced((Y,)):
        raise NotImplementedError(errors.traced_constraints())
    first, second = operand(A, "A", "lobpcg", True), operand(B, "B", "lobpcg", True)
    if Y is not None and isbox(second.entries):
        raise NotImplementedError(errors.traced_constraints())
    w, V, *histories = spla.lobpcg(
        strip(A), strip(X), strip(B), strip(M), Y, tol, maxiter, largest, verbosityLevel,
        retLambdaHistory, retResidualNormsHistory, restartControl,
    )  # fmt: skip
    pencil = pencil_of(first, second, "AB")
    further = None if Y is None else pencil.times_M(pencil.m, np.array(Y))
    pairs = Eigenpairs("lobpcg", pencil, w, lambda: V, hermitian=True, further=further)
    w = eigenvalues(first.entries, second.entries, pairs)
    return w, eigenvectors(first.entries, second.entries, pairs), *histories
