"""Left eigenvectors as functions of the entries of A and M: the rule.

Of a Hermitian problem they are the conjugates of the right ones; this is for all others. The
derivation is docs/derivations/linalg_eigen.md.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np

from .._core.engine import primitive
from ..sparse._matmul import sampled_outer
from ._bordered import bordered


@primitive(wrt=("a", "m", "V"))
def left(a, m, V, pairs):
    """U with Aᵀ U = Mᵀ U Λ and Uᵀ M V = I, of a problem that is not Hermitian."""
    return pairs.system.U


# U̇ = W + U D,  𝓕ᵀ (W, ·) = (−Ȧᵀ U + Ṁᵀ U Lᵀ, 0),  Dᵀ = −Uᵀ (Ṁ V + M V̇).


@left.joint_vjp
def _(names, g, ans, a, m, V, pairs):
    U, pencil = ans, pairs.pencil
    L, borders = _left_terms(a, m, V, U, pairs)
    T = U.T @ g
    rhs = anp.concatenate([g, np.zeros((pairs.system.k,) * 2, pairs.V.dtype)])
    X = bordered(a, m, *borders, L, rhs, pairs.system)[: pairs.system.n]
    UT = U @ T.T
    rules = {
        "a": lambda: -sampled_outer(U, X, pencil.A),
        "m": lambda: sampled_outer(U @ L.T, X, pencil.M) - sampled_outer(UT, V, pencil.M),
        "V": lambda: -pencil.times_M(m, UT, True),
    }
    return [rules[name]() for name in names]


@left.joint_jvp
def _(names, tangents, ans, a, m, V, pairs):
    U, t, pencil = ans, dict(zip(names, tangents)), pairs.pencil
    L, borders = _left_terms(a, m, V, U, pairs)
    n, k = pairs.system.n, pairs.system.k
    change, moved = np.zeros((n, k), pairs.V.dtype), np.zeros((n, k), pairs.V.dtype)
    if "a" in t:
        change = change - pencil.times_A(t["a"], U, True)
    if "m" in t:
        change = change + pencil.times_M(t["m"], U @ L.T, True)
        moved = moved + pencil.times_M(t["m"], V)
    if "V" in t:
        moved = moved + pencil.times_M(m, t["V"])
    rhs = anp.concatenate([change, np.zeros((k, k), pairs.V.dtype)])
    W = bordered(a, m, *borders, L, rhs, pairs.system, True)[:n]
    return W - U @ (U.T @ moved).T


def _left_terms(a: Any, m: Any, V: Any, U: Any, pairs: Any) -> tuple[Any, Any]:
    pencil = pairs.pencil
    L = (U.T @ pencil.times_A(a, V)) * pairs.equal
    return L, (pencil.times_M(m, V), pencil.times_M(m, U, True))
