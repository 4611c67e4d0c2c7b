"""Eigenvalues and eigenvectors as functions of the entries of A and M: the rules.

A V = M V Λ for the k pairs that SciPy computed. `eigenvalues`, `eigenvectors` and, in a file of its
own, `left` are primitives whose values are known already; a rule calls the other primitives for
what it needs of the values, so that every order follows. The derivation of all three rules, with
the gauge and with what happens to equal eigenvalues, is docs/derivations/linalg_eigen.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from .._core import errors
from .._core.device import host, namespace
from .._core.engine import primitive, strip
from ..sparse._matmul import sampled_outer
from ._bordered import DEGENERATE, Bordered, Pencil, bordered
from ._left_vectors import left


class Eigenpairs:
    """What SciPy computed, and how it is to be differentiated.

    Parameters
    ----------
    name : str
        Of the function that was called, for messages.
    pencil : Pencil
        A and M.
    w : ndarray
        The eigenvalues. On a GPU, so are the vectors; for what is decided by them, the host has a
        copy of these few numbers.
    vectors : callable
        Returns the eigenvectors; called when they are first needed.
    hermitian : bool
        A and M are Hermitian (the rules take Hermitian parts for granted) and w is real.
    unit : {"M", "I"}
        Whether vᴴ M v or vᴴ v is held fixed.
    norm : float
        At that value.
    further : ndarray, optional
        Constant vectors to which V is kept M-orthogonal, times M.
    """

    def __init__(
        self, name: str, pencil: Pencil, w: np.ndarray, vectors: Callable[[], np.ndarray], *,
        hermitian: bool, unit: str = "M", norm: float = 1.0, further: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        self.name, self.pencil, self.values, self.w = name, pencil, w, host(w)
        self.xp = namespace(w)
        self._vectors, self.norm, self.further = vectors, norm, further
        self.real, self.eps = hermitian, float(np.finfo(w.dtype).eps)
        self.unit = "I" if pencil.M is None else unit

    @cached_property
    def V(self) -> np.ndarray:
        """The eigenvectors, in columns."""
        return self._vectors()

    @cached_property
    def hermitian(self) -> bool:
        """Whether conj(V) are the left vectors.

        Arnoldi iterations, which serve complex problems, do not make the vectors of one eigenvalue
        orthogonal; then the left ones are others, as for a general matrix.
        """
        if not self.real or self.V.dtype.kind != "c" or self.pencil.operators:
            return self.real
        gram = self.V.conj().T @ self.pencil.times_M(self.pencil.m, self.V) / self.norm
        return bool(np.abs(gram - self.xp.eye(len(gram))).max() < np.sqrt(self.eps))

    @cached_property
    def gaps(self) -> np.ndarray:
        """Distances of the eigenvalues, in units of what rounding of A and M may change them by."""
        if not np.isfinite(self.w).all():
            raise np.linalg.LinAlgError(errors.infinite_eigenvalue(self.name))
        a, m = self.pencil.norms()
        size = (a + np.abs(self.w) * m) * host((np.abs(self.V) ** 2).sum(axis=0)) / self.norm
        unit = np.maximum.outer(size, size) * self.eps
        return np.abs(np.subtract.outer(self.w, self.w)) / np.where(unit > 0, unit, 1.0)

    @cached_property
    def same(self) -> np.ndarray:
        """Which pairs of eigenvalues count as equal, a matrix of 0 and 1."""
        near = (self.gaps <= DEGENERATE).astype(float)
        while ((wider := np.minimum(near @ near, 1.0)) != near).any():
            near = wider
        return near.astype(self.V.real.dtype)

    @cached_property
    def equal(self) -> Any:
        """The same, where the vectors lie."""
        return self.xp.asarray(self.same)

    @cached_property
    def near(self) -> np.ndarray:
        """Which pairs are so close that derivatives lose half of the digits, or more."""
        return (self.gaps < 1 / np.sqrt(self.eps)) & (self.same == 0)

    @cached_property
    def E(self) -> Any:
        """1 / (λ_j − λ_i), 0 between equal eigenvalues."""
        return self.xp.asarray((1 - self.same) / (self.w - self.w[:, None] + self.same))

    @cached_property
    def system(self) -> Bordered:
        """The bordered system of the known vectors."""
        if self.pencil.operators:
            raise NotImplementedError(
                errors.operator_not_factored(self.name, self.pencil.operators)
            )
        groups = np.argmax(self.same, axis=1)
        system = Bordered(self.name, self.pencil, self.w[groups], self.V, groups, self.further)
        system.take_left(self._conjugate(self.V) if self.hermitian else self._left(system))
        return system

    def _conjugate(self, V: Any) -> Any:
        """The left vectors of a Hermitian problem."""
        V = anp.conj(V) if self.V.dtype.kind == "c" else V
        return V if self.norm == 1.0 else V / self.norm

    def _left(self, system: Bordered) -> np.ndarray:
        U = system.left()
        # |u| |M v|, the condition number of the eigenvalue, where uᵀ M v = 1.
        condition = np.linalg.norm(U, axis=0) * np.linalg.norm(system.Y, axis=0)
        worst = int(np.argmax(np.where(np.isnan(condition), np.inf, condition)))
        if not condition[worst] * self.eps * DEGENERATE < 1:
            raise np.linalg.LinAlgError(errors.defective(self.name, self.w[worst]))
        if condition[worst] > 1e-2 / np.sqrt(self.eps):  # rounding parts a double one by √eps
            message = errors.nearly_defective(self.name, self.w[worst])
            warnings.warn(message, errors.NearlyDegenerateWarning, stacklevel=2)
        return U

    def left(self, a: Any, m: Any, V: Any) -> Any:
        """U, differentiable."""
        return self._conjugate(V) if self.hermitian else left(a, m, V, self)

    # ---- what has no derivative --------------------------------------------------------------

    def require_even(self, g: Any) -> None:
        """Cotangents of equal eigenvalues have to be equal: only their sum is differentiable."""
        g = host(strip(g))
        uneven = np.abs(np.subtract.outer(g, g)) * self.same
        if (uneven > np.sqrt(self.eps) * np.abs(g).max(initial=0)).any():
            raise np.linalg.LinAlgError(self._degenerate("eigenvalues", uneven))

    def require_invariant(self, T: Any, g: Any) -> None:
        """The parts of a cotangent g, along V, that turn V within the space of one eigenvalue."""
        T = np.abs(host(strip(T)))
        size = host(np.linalg.norm(strip(g), axis=0) * np.linalg.norm(self.V, axis=0))
        T = T / max(float(size.max(initial=0.0)), np.finfo(T.dtype).tiny)
        np.fill_diagonal(T, 0)
        if ((T > np.sqrt(self.eps)) & (self.same > 0)).any():
            raise np.linalg.LinAlgError(self._degenerate("eigenvectors", T * self.same))
        self.warn_near(T)

    def warn_split(self, S: Any) -> None:
        """A direction of forward mode that parts equal eigenvalues."""
        S = host(strip(S))
        mean = (self.same * np.diag(S)).sum(axis=1) / self.same.sum(axis=1)
        split = _relative(S - np.diag(mean), S) * self.same
        if (split > np.sqrt(self.eps)).any():
            message = errors.split_eigenvalues(self.name, self.w[_places(split)])
            warnings.warn(message, errors.NearlyDegenerateWarning, stacklevel=2)

    def warn_near(self, T: np.ndarray) -> None:
        """Derivatives that go with 1 / (λ_j − λ_i); T is what is divided by that, at most 1."""
        felt = self.near & ((T > DEGENERATE * self.eps) | (self.gaps < self.eps**-0.25))
        if felt.any():
            message = errors.nearly_degenerate(self.name, self.w[_places(felt)])
            warnings.warn(message, errors.NearlyDegenerateWarning, stacklevel=2)

    def warn_phase(self, tau: Any, g: Any) -> None:
        """Parts of a cotangent that turn the phase of a complex vector."""
        tau, g = strip(tau), strip(g)
        size = np.linalg.norm(g, axis=0) * np.linalg.norm(self.V, axis=0)
        if (np.abs(np.imag(tau)) > np.sqrt(self.eps) * size).any():
            warnings.warn(errors.phase(self.name), errors.PhaseWarning, stacklevel=2)

    def _degenerate(self, what: str, size: np.ndarray) -> str:
        return errors.degenerate(self.name, what, self.w[_places(size)])


def _relative(S: np.ndarray, whole: np.ndarray | None = None) -> np.ndarray:
    largest = float(np.abs(S if whole is None else whole).max(initial=0))
    return np.abs(S) / (largest or 1.0)


def _places(size: np.ndarray) -> list[int]:
    """The row and the column of the largest element."""
    return [int(i) for i in np.unravel_index(np.argmax(size), size.shape)]


class Terms(NamedTuple):
    """What the rules are made of, differentiable."""

    U: Any
    L: Any  # Uᵀ A V between equal eigenvalues, 0 elsewhere: Λ
    borders: tuple[Any, Any]


def _terms(a: Any, m: Any, V: Any, pairs: Eigenpairs) -> Terms:
    pencil = pairs.system.pencil
    U = pairs.left(a, m, V)
    L = (U.T @ pencil.times_A(a, V)) * pairs.equal
    Y, Z = pencil.times_M(m, V), pencil.times_M(m, U, True)
    if pairs.further is not None:
        Y = anp.concatenate([Y, pairs.further], axis=1)
        Z = anp.concatenate([Z, pairs.further.conj()], axis=1)
    return Terms(U, L, (Y, Z))


def _below(block: Any, pairs: Eigenpairs) -> Any:
    """A block of k rows, with rows of zeros for the further borders."""
    if pairs.further is None:
        return block
    zeros = np.zeros((pairs.further.shape[1], pairs.system.k), pairs.V.dtype)
    return anp.concatenate([block, zeros])


# ---- λ -----------------------------------------------------------------------------------------


@primitive(wrt=("a", "m"))
def eigenvalues(a, m, pairs):
    """The eigenvalues."""
    return pairs.values


# λ̇_j = u_jᵀ (Ȧ − λ_j Ṁ) v_j


@eigenvalues.joint_vjp
def _(names, g, ans, a, m, pairs):
    V = eigenvectors(a, m, pairs)
    U = pairs.left(a, m, V)
    pairs.require_even(g)
    rules = {
        "a": lambda: sampled_outer(U * g, V, pairs.pencil.A),
        "m": lambda: -sampled_outer(U * (g * ans), V, pairs.pencil.M),
    }
    return [rules[name]() for name in names]


@eigenvalues.joint_jvp
def _(names, tangents, ans, a, m, pairs):
    V = eigenvectors(a, m, pairs)
    U = pairs.left(a, m, V)
    S = U.T @ _moved(dict(zip(names, tangents)), V, V * ans, pairs)
    pairs.warn_split(S)
    diagonal = anp.sum(S * pairs.xp.eye(len(pairs.w), dtype=pairs.same.dtype), axis=0)
    return anp.real(diagonal) if pairs.real else diagonal


def _moved(t: dict[str, Any], V: Any, VL: Any, pairs: Eigenpairs) -> Any:
    """Ȧ V − Ṁ V L."""
    moved = 0.0
    if "a" in t:
        moved = moved + pairs.pencil.times_A(t["a"], V)
    if "m" in t:
        moved = moved - pairs.pencil.times_M(t["m"], VL)
    return moved


# ---- C with L C − C L = B ----------------------------------------------------------------------


@primitive(wrt=("L", "B"))
def apart(L, B, pairs):
    """C with L C − C L = B between different eigenvalues, and C = 0 between equal ones."""
    return -pairs.E * B


# With K = apart(Lᵀ, ·):  ⟨g, Ċ⟩ = ⟨K(g), Ḃ − L̇ C + C L̇⟩.


@apart.joint_vjp
def _(names, g, ans, L, B, pairs):
    K = apart(L.T, g, pairs)
    rules = {"B": lambda: K, "L": lambda: ans.T @ K - K @ ans.T}
    return [rules[name]() for name in names]


@apart.joint_jvp
def _(names, tangents, ans, L, B, pairs):
    t = dict(zip(names, tangents))
    moved = t["L"] @ ans - ans @ t["L"] if "L" in t else 0.0
    return apart(L, t.get("B", 0.0) - moved, pairs)


# ---- V -----------------------------------------------------------------------------------------


@primitive(wrt=("a", "m"))
def eigenvectors(a, m, pairs):
    """The eigenvectors, in columns."""
    return pairs.V


# V̇ = X + V C,  𝓕 (X, Ξ) = (−Ȧ V + Ṁ V L, 0),  L C − C L = Ξ between different eigenvalues. Of a
# Hermitian problem, the Hermitian part of C is −½ Uᵀ Ṁ V, which is all there is of it between equal
# ones. Else C_jj makes v_jᴴ K v̇_j + ½ v_jᴴ K̇ v_j = 0, K = M or I. Both fix the phase as well.


@eigenvectors.joint_vjp
def _(names, g, ans, a, m, pairs):
    V, pencil = ans, pairs.pencil
    U, L, borders = _terms(a, m, V, pairs)
    g, T, K_bar = (_cotangent_hermitian if pairs.hermitian else _cotangent)(g, m, V, U, pairs)
    rhs = anp.concatenate([g, _below(apart(L.T, T, pairs), pairs)])
    W = bordered(a, m, *borders, L, rhs, pairs.system, True)[: pairs.system.n]
    rules = {
        "a": lambda: -sampled_outer(W, V, pencil.A),
        "m": lambda: sampled_outer(W, V @ L, pencil.M) + K_bar(),
    }
    return [rules[name]() for name in names]


def _cotangent_hermitian(g: Any, m: Any, V: Any, U: Any, pairs: Eigenpairs) -> Any:
    """Cotangents of X, of the skew part of C, and of M by way of the Hermitian part."""
    T = V.T @ g
    skew = 0.5 * (T - anp.conj(T.T))
    pairs.warn_phase(anp.sum(V * g, axis=0), g)
    pairs.require_invariant(skew, g)
    return g, skew, lambda: -0.5 * sampled_outer(U @ T, V, pairs.pencil.M)


def _cotangent(g: Any, m: Any, V: Any, U: Any, pairs: Eigenpairs) -> Any:
    """Cotangents of X + V C without the diagonal of C, of C, and of M by way of the diagonal."""
    tau = anp.sum(V * g, axis=0)
    pairs.warn_phase(tau, g)
    in_M = pairs.unit == "M"
    g = g - (pairs.pencil.times_M(m, anp.conj(V), True) if in_M else anp.conj(V)) * tau
    T = V.T @ g
    pairs.require_invariant(T, g)
    scaled = -0.5 * anp.conj(V) * anp.real(tau)
    return g, T, lambda: sampled_outer(scaled, V, pairs.pencil.M) if in_M else 0.0


@eigenvectors.joint_jvp
def _(names, tangents, ans, a, m, pairs):
    V, t = ans, dict(zip(names, tangents))
    U, L, borders = _terms(a, m, V, pairs)
    n, k = pairs.system.n, pairs.system.k
    zeros = pairs.xp.zeros((k, k), pairs.V.dtype)
    rhs = anp.concatenate([-_moved(t, V, V @ L, pairs), _below(zeros, pairs)])
    solution = bordered(a, m, *borders, L, rhs, pairs.system)
    X, Xi = solution[:n], solution[n : n + k]
    pairs.warn_split(Xi)
    pairs.warn_near(_relative(host(strip(Xi))))
    C = apart(L, Xi, pairs)
    norm = pairs.pencil.times_M(t["m"], V) if "m" in t and pairs.unit == "M" else None
    if pairs.hermitian:
        return X + V @ (C if norm is None else C - 0.5 * pairs.equal * (U.T @ norm))
    X = X + V @ C
    KX = pairs.pencil.times_M(m, X) if pairs.unit == "M" else X
    c = anp.sum(anp.conj(V) * KX, axis=0)
    if norm is not None:
        c = c + 0.5 * anp.real(anp.sum(anp.conj(V) * norm, axis=0))
    return X - V * c
