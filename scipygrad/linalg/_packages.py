"""Direct solvers of other packages, and the choice of one: `use_solver`.

UMFPACK follows SciPy's convention: it is taken for `spsolve` and `factorized` when scikit-umfpack
can be imported, unless `use_solver(useUmfpack=False)`. CHOLMOD (scikit-sparse) and PARDISO
(pypardiso) are taken when `use_solver(solver="cholmod")` or `"pardiso"` asks for them, and for
matrices that they can take; others go to SuperLU as before. The choice belongs to the thread that
made it, as SciPy's does.

An adapter is made from a matrix in csc of sorted entries. It solves with it and its transpose. It
raises `Unsuitable` for a matrix that it cannot take.
"""

from __future__ import annotations

import threading
import weakref
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla


class Unsuitable(Exception):
    """This package cannot factorise this matrix."""


def by_columns(solve: Any, b: np.ndarray) -> np.ndarray:
    """The solutions for one right side, or for each of several."""
    return solve(b) if b.ndim == 1 else np.stack([solve(c) for c in b.T], axis=1)


class Umfpack:
    """LU factors of a real or complex matrix in double precision."""

    def __init__(self, A: Any) -> None:
        if A.dtype.char not in "dD":
            raise Unsuitable
        self._umfpack = import_module("scikits.umfpack")
        # Kept, since UMFPACK wants to see the same object again.
        self._A = sps.csc_matrix(A, copy=True)
        self._A.indptr, self._A.indices = A.indptr.astype(np.int64), A.indices.astype(np.int64)
        self._factors = self._umfpack.UmfpackContext("dl" if A.dtype.char == "d" else "zl")
        self._factors.numeric(self._A)
        self._lock = threading.Lock()

    def solve(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, or Aᵀ x = b (UMFPACK's `Aat`; its `At` is the conjugate transpose)."""
        system = self._umfpack.UMFPACK_Aat if transposed else self._umfpack.UMFPACK_A
        with self._lock:
            return by_columns(lambda c: self._factors.solve(system, self._A, c), b)


class Cholmod:
    """Cholesky factors of a real symmetric or complex Hermitian positive definite matrix."""

    def __init__(self, A: Any) -> None:
        if A.dtype.char not in "dD" or (A.diagonal().real <= 0).any():
            raise Unsuitable
        if (A - A.conj().T).count_nonzero():
            raise Unsuitable
        cholmod = import_module("sksparse.cholmod")
        try:
            self._factors = cholmod.cholesky(sps.csc_matrix(A))
        except cholmod.CholmodError as error:  # not positive definite
            raise Unsuitable from error

    def solve(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, or Aᵀ x = b, which is A x* = b* for a Hermitian A."""
        return self._factors(b.conj()).conj() if transposed else self._factors(b)


class Pardiso:
    """LU factors of a real matrix in double precision, by Intel's MKL."""

    def __init__(self, A: Any) -> None:
        if A.dtype.char != "d" or not np.diff(A.indptr).all() or not np.isfinite(A.data).all():
            raise Unsuitable  # (it crashes on an empty column)
        pypardiso = import_module("pypardiso.pardiso_wrapper")
        self._A, self._lock = A.copy(), threading.Lock()
        self._factors = pypardiso.PyPardisoSolver()
        weakref.finalize(self, self._factors.free_memory, everything=True)
        try:
            self._factors.factorize(self._A)
        except pypardiso.PyPardisoError as error:
            raise Unsuitable from error
        if self._factors.get_iparm(14):  # it has changed pivots that were zero or nearly so
            raise Unsuitable

    def solve(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, or Aᵀ x = b."""
        # The transpose in csr has the same arrays, by which it is known to be factorised.
        with self._lock:
            return self._factors.solve(self._A.T if transposed else self._A, b)


# ---- the choice ------------------------------------------------------------------------------

PACKAGES: dict[str, tuple[type, str]] = {
    "cholmod": (Cholmod, "sksparse"),
    "pardiso": (Pardiso, "pypardiso"),
}
_choice = threading.local()


def use_solver(**kwargs: Any) -> None:
    """SciPy's `use_solver`, with the keyword `solver` besides."""
    name = kwargs.pop("solver", "")
    if name not in ("", None, "superlu", "umfpack", *PACKAGES):
        raise ValueError(
            f"use_solver: solver={name!r} is not known. Possible: 'superlu', 'umfpack', 'cholmod', "
            "'pardiso', and None for SciPy's default."
        )
    if name in PACKAGES:
        module = PACKAGES[name][1]
        if find_spec(module) is None:
            raise ImportError(
                f"use_solver: solver={name!r} needs the module {module}, which is not installed "
                "(pip install pypardiso, or scikit-sparse)."
            )
    if name in (None, "superlu", "umfpack"):
        kwargs["useUmfpack"] = name == "umfpack" or (name is None and _has_umfpack())
    if name != "":
        _choice.package = PACKAGES[name][0] if name in PACKAGES else None
    if kwargs:
        spla.use_solver(**kwargs)


def asked() -> type | None:
    """The package that this thread has asked for, beyond SciPy's own."""
    return getattr(_choice, "package", None)


def chosen(use_umfpack: bool = True) -> type | None:
    """The package for `spsolve` and `factorized`; None for SuperLU."""
    return asked() or (Umfpack if use_umfpack and scipy_takes_umfpack() else None)


def scipy_takes_umfpack() -> bool:
    """Whether SciPy's `spsolve` would go to UMFPACK."""
    from scipy.sparse.linalg._dsolve import linsolve  # SciPy has no public way to ask

    return bool(getattr(linsolve.useUmfpack, "u", not linsolve.noScikit))


def _has_umfpack() -> bool:
    from scipy.sparse.linalg._dsolve import linsolve

    return not linsolve.noScikit
