"""Direct solvers of other packages, and the choice of one: `use_solver`.

UMFPACK follows SciPy's convention: it is taken for `spsolve` and `factorized` when scikit-umfpack
can be imported, unless `use_solver(useUmfpack=False)`. CHOLMOD (scikit-sparse) and PARDISO
(pypardiso) are taken when `use_solver(solver="cholmod")` or `"pardiso"` asks for them, and for
matrices that they can take; others go to SuperLU as before. The choice belongs to the thread that
made it, as SciPy's does.

For operands on a GPU there are cuDSS, which is taken when nvmath-python can be imported, and
SuperLU, for which `use_solver(solver="superlu")` asks; the other choices do not concern them.

An adapter is made from a matrix in csc of sorted entries, and may keep what depends on the
structure alone with the pattern. It solves with the matrix and its transpose. It raises
`Unsuitable` for a matrix that it cannot take.
"""

from __future__ import annotations

import threading
import weakref
from copy import copy
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

    def __init__(self, A: Any, pattern: Any = None) -> None:
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

    def __init__(self, A: Any, pattern: Any = None) -> None:
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
    """Factors of a real matrix in double precision, by Intel's MKL; LDLᵀ of a symmetric one.

    The analysis of a structure is kept with its pattern, and serves the next matrix that has it.
    """

    def __init__(self, A: Any, pattern: Any = None) -> None:
        if A.dtype.char != "d" or not np.diff(A.indptr).all() or not np.isfinite(A.data).all():
            raise Unsuitable  # (it crashes on an empty column)
        self._lock = threading.Lock()
        triangle = _triangle(A)
        self.symmetric = triangle is not None
        if not (self.symmetric and self._factorise(triangle, -2, pattern)):
            self.symmetric = False
            if not self._factorise(A.copy(), 11, pattern):
                raise Unsuitable

    def _factorise(self, A: Any, kind: int, pattern: Any) -> bool:
        """Whether it could, without a change to pivots that are zero or nearly so."""
        self._A = A  # in csc, read as Aᵀ in csr
        idle = [] if pattern is None else pattern.plan(("pardiso", kind), list)
        for analysed in (True, False):
            try:
                handle = idle.pop() if analysed else _Handle(kind)
            except IndexError:
                continue
            if handle.run(A, PHASE_FACTORS if analysed else PHASE_ANALYSIS_AND_FACTORS):
                self._handle = handle
                weakref.finalize(self, handle.lay_down, idle).atexit = False
                return True
        return False

    def solve(self, b: np.ndarray, transposed: bool) -> np.ndarray:
        """x with A x = b, or Aᵀ x = b."""
        with self._lock:
            return self._handle.solve(self._A, b, not (transposed or self.symmetric))


PHASE_ANALYSIS_AND_FACTORS, PHASE_FACTORS, PHASE_SOLVE = 12, 22, 33
_solver: Any = None


class _Handle:
    """PARDISO's memory for one structure."""

    def __init__(self, kind: int) -> None:
        global _solver
        if _solver is None:  # it searches the file system for MKL each time that one is made
            _solver = import_module("pypardiso.pardiso_wrapper").PyPardisoSolver()
        self._solver = copy(_solver)
        for name in ("pt", "iparm", "perm"):
            setattr(self._solver, name, np.zeros_like(getattr(_solver, name)))
        self._solver.set_matrix_type(kind)
        weakref.finalize(self, self._solver.free_memory, everything=True)

    def run(self, A: Any, phase: int) -> bool:
        """Whether a phase of the factorisation of A went well."""
        self._solver.set_phase(phase)
        try:
            self._solver._call_pardiso(A, np.zeros((A.shape[0], 1)))
        except import_module("pypardiso.pardiso_wrapper").PyPardisoError:
            return False
        return not self._solver.get_iparm(14)  # pivots that it has changed

    def solve(self, A: Any, b: np.ndarray, transposed: bool) -> np.ndarray:
        """The solution with the matrix, in csr, that has the arrays of A."""
        self._solver.set_phase(PHASE_SOLVE)
        self._solver.set_iparm(12, int(transposed))
        return self._solver._call_pardiso(A, np.asfortranarray(b))

    def lay_down(self, idle: list) -> None:
        """Let the factors go and keep the analysis, of one matrix of a structure."""
        self._solver.free_memory(everything=False)
        if not idle:
            idle.append(self)


def _triangle(A: Any) -> Any:
    """The lower triangle of a symmetric matrix (csc) with all of its diagonal stored, or None."""
    T = A.tocsr()
    if not all(np.array_equal(getattr(A, x), getattr(T, x)) for x in ("indptr", "indices", "data")):
        return None
    L = sps.tril(A, format="csc")
    n = L.shape[0]
    has_diagonal = np.diff(L.indptr).all() and (L.indices[L.indptr[:-1]] == np.arange(n)).all()
    return L if has_diagonal else None


# ---- the choice ------------------------------------------------------------------------------

PACKAGES: dict[str, tuple[type | None, str]] = {  # None: for operands on a GPU only
    "cudss": (None, "nvmath"),
    "cholmod": (Cholmod, "sksparse"),
    "pardiso": (Pardiso, "pypardiso"),
}
_INSTALL = {
    "cudss": "pip install nvmath-python[cu12], or [cu13]",
    "cholmod": "pip install scikit-sparse",
    "pardiso": "pip install pypardiso",
}
_choice = threading.local()


def use_solver(**kwargs: Any) -> None:
    """SciPy's `use_solver`, with the keyword `solver` besides."""
    name = kwargs.pop("solver", "")
    if name not in ("", None, "superlu", "umfpack", *PACKAGES):
        raise ValueError(
            f"use_solver: solver={name!r} is not known. Possible: 'superlu', 'umfpack', 'cholmod', "
            "'pardiso', 'cudss', and None for SciPy's default."
        )
    if name in PACKAGES:
        module = PACKAGES[name][1]
        if find_spec(module) is None:
            raise ImportError(
                f"use_solver: solver={name!r} needs the module {module}, which is not installed "
                f"({_INSTALL[name]})."
            )
    if name in (None, "superlu", "umfpack"):
        kwargs["useUmfpack"] = name == "umfpack" or (name is None and _has_umfpack())
    if name != "":
        _choice.package = PACKAGES[name][0] if name in PACKAGES else None
        _choice.cudss = name != "superlu"
    if kwargs:
        spla.use_solver(**kwargs)


def asked() -> type | None:
    """The package that this thread has asked for, beyond SciPy's own."""
    return getattr(_choice, "package", None)


def chosen(use_umfpack: bool = True) -> type | None:
    """The package for `spsolve` and `factorized`; None for SuperLU."""
    return asked() or (Umfpack if use_umfpack and scipy_takes_umfpack() else None)


def takes_cudss() -> bool:
    """Whether systems on a GPU go to cuDSS if it is there: unless SuperLU was asked for."""
    return getattr(_choice, "cudss", True)


def scipy_takes_umfpack() -> bool:
    """Whether SciPy's `spsolve` would go to UMFPACK."""
    from scipy.sparse.linalg._dsolve import linsolve  # SciPy has no public way to ask

    return bool(getattr(linsolve.useUmfpack, "u", not linsolve.noScikit))


def _has_umfpack() -> bool:
    from scipy.sparse.linalg._dsolve import linsolve

    return not linsolve.noScikit
