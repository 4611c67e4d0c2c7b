"""Solutions beside known eigenvectors: the bordered system of an eigenproblem.

Let A V = M V Λ with k known pairs. A − λ_j M is singular; bordered by the known vectors it is not,
unless λ_j is an eigenvalue of further, unknown vectors. `bordered` solves for all columns at once

    A X − M X L + Y Ξ = R,   Zᵀ X = P,        Y = M V,  Z = Mᵀ U,

with the left vectors U and a block L that is Λ in value and stands for Λ in derivatives. X is
beside the known vectors (if P = 0), and Ξ is the part of R that they take. The map from (X, Ξ) to
(R, P) is 𝓕, and `transposed` solves with 𝓕ᵀ; A, M, Y, Z and L are all variables, so the rules are
closed (docs/derivations/linalg_eigen.md).
"""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._backend import backend
from .._core import errors
from .._core.device import host, namespace, on_device
from .._core.engine import primitive
from .._core.pattern import Pattern
from ..sparse._matmul import sampled_outer, spmm
from ._factor import default_factors, symmetric_factors

DEGENERATE = 100.0
"""Eigenvalues are the same if they are closer than this many units of rounding of A."""
ACCURATE, GOOD = 4.0, 64.0  # backward errors of a solution, in units of the machine precision
ROUNDS = 12
INVERSE_ITERATIONS = 3


class Pencil:
    """The numbers of A and M, and how to multiply with them, traced or not.

    M is None for the identity. `operators` are the names of those that are not given by entries.
    Entries may lie on a GPU; what is to be factored is a matrix of the host all the same.
    """

    def __init__(
        self, A: Pattern | None, M: Pattern | None, a: np.ndarray, m: np.ndarray,
        operators: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.A, self.M, self.a, self.m = A, M, a, m
        self.operators = operators

    def times_A(self, a: Any, X: Any, transposed: bool = False) -> Any:
        """A X, or Aᵀ X."""
        assert self.A is not None
        return spmm(a, X, self.A.T if transposed else self.A)

    def times_M(self, m: Any, X: Any, transposed: bool = False) -> Any:
        """M X, or Mᵀ X."""
        if self.M is None:
            return X
        return spmm(m, X, self.M.T if transposed else self.M)

    def norms(self) -> tuple[float, float]:
        """Of A and of M: the largest sum of absolute values in a column."""
        return _norm(self.A, self.a), 1.0 if self.M is None else _norm(self.M, self.m)

    def shifted(self, shift: Any) -> Any:
        """A − shift · M, plain."""
        assert self.A is not None
        place = None if self.M is not None else self.A.plan("places of the diagonal", self._places)
        if place is not None:
            data = self._on_host[0].astype(np.result_type(self.a.dtype, shift))
            data[place] -= shift
            return self.A.view(data)
        a, m = self._on_host
        A = self.A.view(a)
        M = sps.eye_array(A.shape[0], format="csc", dtype=self.a.dtype)
        return A - shift * (M if self.M is None else self.M.view(m))

    @cached_property
    def _on_host(self) -> tuple[np.ndarray, np.ndarray]:
        return host(self.a), host(self.m)

    def _places(self) -> np.ndarray | None:
        """Where A stores its diagonal, if it stores all of it."""
        assert self.A is not None
        place = np.flatnonzero(np.equal(*self.A.coords))
        return place if self.A.inside is None and place.size == self.A.shape[0] else None


def _norm(pattern: Pattern | None, data: Any) -> float:
    if pattern is None or not data.size:
        return 0.0
    if on_device(data):
        ones = namespace(data).ones(pattern.shape[0], data.real.dtype)
        return float(backend(data).spmm(abs(data), ones, pattern.T).max())
    return float(spla.norm(pattern.view(data), 1))


class Bordered:
    """Solves with 𝓕 and 𝓕ᵀ: one factorisation for each distinct eigenvalue, made when needed.

    Factored are A − σ_j M with σ_j = λ_j + δ_j, δ_j so small that the known vectors stand out in
    the inverse; they are projected away. What δ_j changes beside them is taken back by iteration.
    `further` are constant columns F, which Y has besides, and Z their conjugates; they border the
    matrix that is factored.
    """

    def __init__(
        self, name: str, pencil: Pencil, w: np.ndarray, V: np.ndarray, groups: np.ndarray,
        further: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.name, self.pencil, self.w, self.V, self.groups = name, pencil, w, V, groups
        self.n, self.k = V.shape
        self.xp = namespace(V)
        self.further = further
        self.Y = pencil.times_M(pencil.m, V)
        self.real = all(x.dtype.kind != "c" for x in (pencil.a, pencil.m, further)
                        if x is not None)  # fmt: skip
        self.eps = float(np.finfo(V.dtype).eps)
        a, m = pencil.norms()
        self.sizes = a + np.abs(w) * m
        self.values = self.xp.asarray(w)  # beside the vectors
        rest = pencil.times_A(pencil.a, V) - self.Y * self.values
        if further is not None:
            rest = rest - further @ np.linalg.lstsq(further, rest)[0]
        # As far as the pairs are inexact, the known vectors must not stand out more than they do.
        inexact = host(np.linalg.norm(rest, axis=0) / np.linalg.norm(V, axis=0))
        distance = np.maximum(self.eps**0.75 * self.sizes, 10 * inexact)
        self.shifts = (w + distance / (m or 1.0)).astype(w.dtype)
        self.factorisations = 0
        self._factors: dict[Any, Any] = {}
        self._safe: set[Any] = set()  # those with partial pivoting

    def take_left(self, U: np.ndarray) -> None:
        """The left vectors U, Uᵀ M V = I."""
        self.U = U
        self.Z = self.pencil.times_M(self.pencil.m, U, True)

    def left(self) -> np.ndarray:
        """Left vectors by inverse iteration with the transposed factors."""
        U = self.V.conj().astype(np.result_type(self.V, self.w))
        for _ in range(INVERSE_ITERATIONS):
            U = self.pencil.times_M(self.pencil.m, U, True)
            for columns in self._each_group(np.ones(self.k, bool)):
                U[:, columns] = np.linalg.qr(self._apply(columns[0], U[:, columns], True))[0]
        try:
            return U @ np.linalg.inv(self.Y.T @ U)
        except np.linalg.LinAlgError:  # orthogonal to the right ones
            return np.full_like(U, np.inf)

    def solve(self, R: np.ndarray, transposed: bool) -> np.ndarray:
        """The solution (X, Ξ), one above the other, for a right side (R, P)."""
        # Uᵀ 𝓕 says what the borders take: Ξ = Uᵀ R − (Λ P − P Λ). It is taken off the right side;
        # the solution for the rest is moved along V until Zᵀ X = P. With 𝓕ᵀ in the same way. (P is
        # zero in the rows of `further`.)
        k, n, known = self.k, self.n, (self.V, self.U, self.Y, self.Z)
        V, U, Y, Z = (known[i] for i in ((1, 0, 3, 2) if transposed else (0, 1, 2, 3)))
        # In the precision of the factors, whatever a cotangent or a tangent comes in.
        R = R.astype(
            np.result_type(V, np.complex64) if R.dtype.kind == "c" else V.dtype, copy=False
        )
        R, P = R[:n], R[n : n + k]
        Xi = U.T @ R
        R = R - Y @ Xi
        below = 0 if self.further is None else self.further.shape[1]
        X = self.xp.zeros((n + below, k), R.dtype)
        for columns in self._each_group(host(R.any(axis=0))):
            place = self.xp.asarray(columns)
            X[:, place] = self._beside(columns, R[:, place], transposed, (V, U, Y, Z))
        X, eta = X[:n], X[n:]
        X = X + V @ (P - Z.T @ X)
        return np.vstack([X, Xi - (self.values[:, None] * P - P * self.values), eta])

    def _each_group(self, asked: np.ndarray) -> list[np.ndarray]:
        """The columns asked for, those of equal eigenvalues together."""
        return [np.flatnonzero((self.groups == j) & asked) for j in np.unique(self.groups[asked])]

    def _beside(self, columns: Any, R: np.ndarray, transposed: bool, known: Any) -> np.ndarray:
        """X beside V with A X − λ M X = R, R beside Y; below it what the further borders take."""
        X, error, grown = self._iterated(columns, R, transposed, known)
        if not np.isfinite(R).all():  # a cotangent with nan: nan in, nan out
            return np.full_like(X, np.nan)
        if error > GOOD * self.eps and self._make_safe(columns[0]):
            X, error, grown = self._iterated(columns, R, transposed, known)
        # A solution out of all proportion: there are further vectors, which are not known. If they
        # belong to another eigenvalue, the iteration converges all the same.
        large = grown > self.eps**-0.5
        if not error < (GOOD * self.eps if large else np.sqrt(self.eps)):
            raise np.linalg.LinAlgError(errors.more_vectors(self.name, self.w[columns[0]]))
        if large:
            message = errors.nearly_more_vectors(self.name, self.w[columns[0]])
            warnings.warn(message, errors.NearlyDegenerateWarning, stacklevel=2)
        return X

    def _iterated(self, columns: Any, R: np.ndarray, transposed: bool, known: Any) -> Any:
        """The same, its backward error, and its size by that of R."""
        V, U, Y, Z = known
        j, n, pencil = columns[0], self.n, self.pencil
        F = self.further if self.further is None or not transposed else self.further.conj()
        size = np.linalg.norm(R, axis=0)
        X = self.xp.zeros((n if F is None else n + F.shape[1], len(columns)), R.dtype)
        r, error = R, np.inf
        for _ in range(ROUNDS):
            X = X + self._apply(j, r, transposed)
            X[:n] -= V @ (Z.T @ X[:n])
            r = R - pencil.times_A(pencil.a, X[:n], transposed)
            r = r + self.w[j] * pencil.times_M(pencil.m, X[:n], transposed)
            if F is not None:
                r = r - F @ X[n:]
            r = r - Y @ (U.T @ r)
            grown = self.sizes[j] * np.linalg.norm(X[:n], axis=0)
            before, error = error, float(np.max(np.linalg.norm(r, axis=0) / (grown + size)))
            if error < ACCURATE * self.eps or not error < 0.4 * before:
                break
        return X, error, float(np.max(grown / size))

    def _apply(self, j: int, b: np.ndarray, transposed: bool) -> np.ndarray:
        """Solve with the factors for λ_j; for λ_j* with their conjugate, if A and M are real."""
        shift, conjugate = self._shift(j)
        if shift not in self._factors:
            self._factor(shift, False)
        if self.further is not None:
            b = np.vstack([b, np.zeros((self.further.shape[1], b.shape[1]), b.dtype)])
        solve = self._factors[shift].solve
        return solve(b.conj(), transposed).conj() if conjugate else solve(b, transposed)

    def _shift(self, j: int) -> tuple[Any, bool]:
        conjugate = self.real and self.w[j].imag < 0
        return self.shifts[j].conj() if conjugate else self.shifts[j], conjugate

    def _make_safe(self, j: int) -> bool:
        """Factors with partial pivoting in place of others; False if they are that already."""
        shift, _ = self._shift(j)
        if shift in self._safe:
            return False
        self._factor(shift, True)
        return True

    def _factor(self, shift: Any, safe: bool) -> None:
        A = self.pencil.shifted(shift if shift.imag else shift.real)
        if self.further is not None:
            F = sps.csc_array(self.further)
            A = sps.block_array([[A, F], [F.conj().T, None]], format="csc")
        pattern = self.pencil.A
        if pattern is None or getattr(A, "indices", None) is not pattern.views[1]:
            pattern = None  # A has another structure
        self.factorisations += 1
        self._factors.pop(shift, None)
        try:
            checked = None if safe else symmetric_factors(A, pattern)
            if checked is None:
                self._safe.add(shift)
            # (without A, which `Checked` would keep: the iteration checks the solution)
            factors = default_factors(A) if checked is None else checked.factors
            self._factors[shift] = self._placed(factors)
        except RuntimeError as error:
            if "singular" not in str(error):
                raise
            raise np.linalg.LinAlgError(errors.more_vectors(self.name, shift)) from None

    def _placed(self, factors: Any) -> Any:
        """Factors of the host, where the vectors lie."""
        if type(self.V) is np.ndarray:
            return factors
        from ._device_factors import LU

        return LU(factors.lu)


# ---- the primitive ------------------------------------------------------------------------------


@primitive(wrt=("a", "m", "Y", "Z", "L", "R"))
def bordered(a, m, Y, Z, L, R, system, transposed=False):
    """(X, Ξ) with 𝓕 (X, Ξ) = R, or with 𝓕ᵀ (X, Ξ) = R, for the 𝓕 of A, M, Y, Z, L."""
    return system.solve(R, transposed)


# With 𝓕 x = r and 𝓕ᵀ w = g:  ⟨g, ẋ⟩ = ⟨w, ṙ⟩ − ⟨w, 𝓕̇ x⟩; with 𝓕ᵀ w = r and 𝓕 x = g:
# ⟨g, ẇ⟩ = ⟨x, ṙ⟩ − ⟨w, 𝓕̇ x⟩.  Here 𝓕̇ x = (Ȧ X − Ṁ X L − M X L̇ + Ẏ Ξ, Żᵀ X), w = (W, Ω).


@bordered.joint_vjp
def _(names, g, ans, a, m, Y, Z, L, R, system, transposed):
    adjoint = bordered(a, m, Y, Z, L, g, system, not transposed)
    x, w = (adjoint, ans) if transposed else (ans, adjoint)
    n, pencil = system.n, system.pencil
    X, Xi, W, Omega = x[:n], x[n:], w[:n], w[n:]
    rules = {
        "a": lambda: -sampled_outer(W, X, pencil.A),
        "m": lambda: sampled_outer(W, X @ L, pencil.M),
        "Y": lambda: -W @ Xi.T,
        "Z": lambda: -X @ Omega.T,
        "L": lambda: pencil.times_M(m, X).T @ W,
        "R": lambda: adjoint,
    }
    return [rules[name]() for name in names]


@bordered.joint_jvp
def _(names, tangents, ans, a, m, Y, Z, L, R, system, transposed):
    t = dict(zip(names, tangents))
    n, times_M = system.n, system.pencil.times_M
    X, Xi = ans[:n], ans[n:]
    right, (column, row) = (L.T, "ZY") if transposed else (L, "YZ")
    top, bottom = 0.0 * X, 0.0 * Xi
    if "a" in t:
        top = top - system.pencil.times_A(t["a"], X, transposed)
    if "m" in t:
        top = top + times_M(t["m"], X @ right, transposed)
    if "L" in t:
        top = top + times_M(m, X, transposed) @ (t["L"].T if transposed else t["L"])
    if column in t:
        top = top - t[column] @ Xi
    if row in t:
        bottom = bottom - t[row].T @ X
    rhs = anp.concatenate([top, bottom]) + t.get("R", 0.0)
    return bordered(a, m, Y, Z, L, rhs, system, transposed)
