"""Programs as users of scipy.sparse write them: the first half, and what declares them.

The others, and the tests, are in `test_programs`.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import autograd.numpy as anp
import numpy as onp
import scipy.sparse as sps

import scipygrad.sparse as sp


class Modules(NamedTuple):
    """What a program imports."""

    np: object
    sp: object
    spla: object
    graphs: object


OURS = Modules(anp, sp, sp.linalg, sp.csgraph)
THEIRS = Modules(onp, sps, sps.linalg, sps.csgraph)
PROGRAMS = {}
n = 10
rng = onp.random.default_rng(7)
X = 1 + rng.random(n)
D = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.35) + onp.diag(onp.arange(4.0, 4 + n))


def program(field, x=X, order=2):
    """Declare a program of the parameters x."""

    def declare(f):
        PROGRAMS[f"{field}: {f.__name__}"] = f, x, order
        return f

    return declare


def tridiagonal(m, x):
    return m.sp.diags([x, -x[:-1] / 3, x[1:] ** 2 / 5], [0, -1, 1], format="csr")


# ---- power systems ---------------------------------------------------------------------------

FROM = onp.array([0, 1, 2, 3, 4, 5, 0, 2])
TO = onp.array([1, 2, 3, 4, 5, 0, 3, 5])
LINES = onp.r_[0.02 + 0.01 * rng.random(8), 0.1 + 0.05 * rng.random(8)]


def admittances(m, x):
    """As in MATPOWER and its descendants: tap changers make it non-symmetric."""
    series, ends = 1 / (x[:8] + 1j * x[8:]), onp.r_[range(8), range(8)]
    tap = (1 + 0.01 * onp.arange(8)) * onp.exp(0.02j * onp.arange(8))
    own, shunt = series + 0.01j, 0.01 + 0.05j * onp.ones(6)
    Yf = m.np.concatenate([own / (tap * onp.conj(tap)), -series / onp.conj(tap)])
    Yt = m.np.concatenate([-series / tap, own])
    Yf = m.sp.csr_matrix((Yf, (ends, onp.r_[FROM, TO])))
    Yt = m.sp.csr_matrix((Yt, (ends, onp.r_[FROM, TO])))
    Cf = m.sp.csr_matrix((onp.ones(8), (range(8), FROM)), (8, 6))
    Ct = m.sp.csr_matrix((onp.ones(8), (range(8), TO)), (8, 6))
    return Cf.T * Yf + Ct.T * Yt + m.sp.csr_matrix((shunt, (range(6), range(6))), shape=(6, 6))


def jacobian(m, Ybus, V):
    i = range(len(V))
    diagV, diagI = m.sp.csr_matrix((V, (i, i))), m.sp.csr_matrix((Ybus * V, (i, i)))
    unit = m.sp.csr_matrix((V / abs(V), (i, i)))
    dVm = diagV * m.np.conj(Ybus * unit) + m.np.conj(diagI) * unit
    return dVm, 1j * diagV * m.np.conj(diagI - Ybus * diagV)


@program("power", LINES)
def admittance_matrix(m, x):
    Y = admittances(m, x)
    return Y, abs(Y), Y.real, Y.imag, Y.conj().T


@program("power", LINES)
def newton_step(m, x):
    np, pq, pvpq = m.np, onp.arange(2, 6), onp.arange(1, 6)
    V = (1 + 0.01 * onp.arange(6)) * onp.exp(0.1j * onp.arange(6))
    Y = admittances(m, x)
    miss = V * np.conj(Y * V) - 0.1
    dVm, dVa = jacobian(m, Y, V)
    J = m.sp.vstack(
        [
            m.sp.hstack([dVa[onp.array([pvpq]).T, pvpq].real, dVm[onp.array([pvpq]).T, pq].real]),
            m.sp.hstack([dVa[onp.array([pq]).T, pvpq].imag, dVm[onp.array([pq]).T, pq].imag]),
        ],
        format="csr",
    )
    return m.spla.spsolve(J, np.concatenate([miss[pvpq].real, miss[pq].imag]))


@program("power", LINES)
def kron_reduction(m, x):
    Y, kept, out = admittances(m, x), [0, 1], [2, 3, 4, 5]
    inner = m.spla.spsolve(Y[out, :][:, out].tocsc(), Y[out, :][:, kept].toarray())
    return Y[kept, :][:, kept].toarray() - Y[kept, :][:, out] @ inner


# ---- photonics and quantum mechanics ---------------------------------------------------------


@program("photonics", 1 + rng.random(13))
def frequency_domain(m, x):
    stretch = m.sp.diags(1 / (1 + 1j * onp.linspace(0, 1, 4) * x[12]))
    Dx = m.sp.kron(m.sp.eye(3), stretch @ m.sp.diags([-1.0, 1.0, 1.0], [0, 1, -3], shape=(4, 4)))
    Dy = m.sp.kron(m.sp.diags([-1.0, 1.0, 1.0], [0, 1, -2], shape=(3, 3)), m.sp.eye(4))
    A = -Dx @ Dx.conj().T - Dy @ Dy.conj().T + 1.69 * m.sp.diags(x[:12])
    field = m.spla.spsolve(A.tocsc(), 1j * onp.eye(12)[5])
    return m.np.sum(m.np.abs(field[8:]) ** 2), (-Dx.T).dot(field) / 1.3j


@program("quantum")
def crank_nicolson(m, x):
    np, H = m.np, m.sp.diags(x) - 0.5 * m.sp.diags([1.0, -2, 1], [-1, 0, 1], shape=(n, n))
    lu = m.spla.splu((m.sp.eye(n) + 0.05j * H).tocsc())
    psi = onp.exp(-((onp.arange(n) - 5.0) ** 2) / 4 + 0.5j * onp.arange(n))
    for _ in range(3):
        psi = lu.solve((m.sp.eye(n) - 0.05j * H).dot(psi))
    return (psi.conj() * psi).real, abs(np.vdot(onp.exp(0.1j * onp.arange(n)), psi)) ** 2


@program("quantum", X[:8])
def spin_chain(m, x):
    pauli = {
        "x": m.sp.csr_matrix([[0, 1.0], [1, 0]]),
        "y": m.sp.csr_matrix([[0, -1j], [1j, 0]]),
        "z": m.sp.csr_matrix([[1.0, 0], [0, -1]]),
    }

    def at(kind, k):
        sites = [pauli[kind] if q == k else m.sp.identity(2, format="csr") for q in range(3)]
        return functools.reduce(functools.partial(m.sp.kron, format="csr"), sites)

    H = sum(x[k] * at("z", k) @ at("z", k + 1) for k in range(2))
    return H + sum(x[2 + k] * at("x", k) + 0.3 * x[5 + k] * at("y", k) for k in range(3))


@program("quantum", X[:4])
def pulses(m, x):
    psi = onp.array([1, 0, 0], dtype=complex)
    for k in range(2):
        H = m.sp.diags([x[k : k + 2], onp.arange(3.0), x[k : k + 2] * 1j], [1, 0, -1])
        psi = m.spla.expm_multiply(-0.2j * H, psi)
    return abs(psi) ** 2


# ---- topology optimisation and finite elements -----------------------------------------------

ELEMENT = onp.array([[4.0, -1, -2, -1], [-1, 4, -1, -2], [-2, -1, 4, -1], [-1, -2, -1, 4]]) / 6
ELEMENT += 0.1 * onp.triu(ELEMENT)
NODES = onp.array([[a, a + 1, a + 5, a + 4] for j in range(2) for a in range(4 * j, 4 * j + 3)])
E = 0.3 + 0.5 * rng.random(6)
FIXED, FREE = onp.array([0, 4, 8]), onp.setdiff1d(onp.arange(12), [0, 4, 8])


@program("topology", E)
def assembled_at_once(m, x):
    np = m.np
    H = m.sp.coo_matrix(onp.eye(6) + onp.eye(6, k=1)).tocsc()
    x = np.asarray(H * x[np.newaxis].T / H.sum(1))[:, 0]  # the filter of the 88-line code
    i, j = onp.kron(NODES, onp.ones((4, 1), int)).ravel(), onp.kron(NODES, onp.ones((1, 4), int))
    values = (ELEMENT.flatten()[np.newaxis].T * (1e-3 + x**3)).flatten(order="F")
    K = m.sp.coo_matrix((values, (i, j.ravel())), shape=(12, 12)).tocsc()
    u = m.spla.spsolve(K[FREE, :][:, FREE], np.ones(9))
    return u @ np.ones(9)


@program("topology", E)
def assembled_by_element(m, x):
    K = m.sp.lil_matrix((12, 12))
    for e, nodes in enumerate(NODES):
        K[onp.ix_(nodes, nodes)] += x[e] * ELEMENT
    K = K.tocsr()
    for i in FIXED:
        K[i, :] = 0
        K[i, i] = 1
    return m.spla.spsolve(K, onp.ones(12))


@program("finite elements", E)
def assembled_by_entry(m, x):
    K, F = m.sp.dok_matrix((12, 12)), onp.zeros(12)
    for e, nodes in enumerate(NODES):
        for a in range(4):
            F[nodes[a]] += 0.25
            for b in range(4):
                K[nodes[a], nodes[b]] += x[e] * ELEMENT[a, b]
    K = K.tocsc()
    return m.spla.factorized(K[onp.ix_(FREE, FREE)].tocsc())(F[FREE])


@program("finite elements", E)
def rows_cleared_in_the_data(m, x):
    i, j = onp.repeat(NODES, 4, axis=1).ravel(), onp.tile(NODES, (1, 4)).ravel()
    K = m.sp.csr_matrix(((x[:, None, None] * ELEMENT).ravel(), (i, j)), shape=(12, 12))
    for d in FIXED:
        K.data[K.indptr[d] : K.indptr[d + 1]] = 0.0
    K.setdiag(m.np.where(onp.isin(onp.arange(12), FIXED), 1.0, K.diagonal()))
    return m.spla.spsolve(K, onp.ones(12))


@program("finite elements", E)
def dirichlet_by_projection(m, x):
    i, j = onp.repeat(NODES, 4, axis=1).ravel(), onp.tile(NODES, (1, 4)).ravel()
    K = m.sp.coo_matrix(((x[:, None, None] * ELEMENT).ravel(), (i, j)), shape=(12, 12)).tocsr()
    load = m.np.bincount(NODES.ravel(), weights=m.np.repeat(x / 4, 4), minlength=12)
    inner = onp.isin(onp.arange(12), FREE) * 1.0
    A = m.sp.diags(inner) @ K @ m.sp.diags(inner) + m.sp.diags(1 - inner)
    return m.spla.spsolve(A.tocsc(), inner * load)


@program("finite elements", E)
def generalised_eigenvalues(m, x):
    i, j = onp.repeat(NODES, 4, axis=1).ravel(), onp.tile(NODES, (1, 4)).ravel()
    K = m.sp.csc_matrix(((x[:, None, None] * ELEMENT).ravel(), (i, j)), shape=(12, 12))
    K = (K + K.T) / 2 + 0.1 * m.sp.eye(12)
    M = m.sp.diags(m.np.bincount(NODES.ravel(), m.np.repeat(x, 4)) + 0.1, format="csc")
    return m.spla.eigsh(K.tocsc(), k=2, M=M, sigma=0, v0=onp.ones(12))[0]


# ---- partial differential equations ----------------------------------------------------------


@program("equations")
def theta_method(m, x):
    face = (x[:-1] + x[1:]) / 2
    padded = m.np.concatenate([x[:1], face, x[-1:]])
    L = m.sp.diags([-face, padded[1:] + padded[:-1], -face], [-1, 0, 1], format="csc")
    identity = m.sp.identity(n, format="csc")
    solve, u, history = m.spla.factorized(identity + 0.02 * L), onp.sin(onp.arange(n)), []
    for _ in range(3):
        u = solve((identity - 0.02 * L) @ u)
        history.append(u)
    return m.np.array(history)


@program("equations")
def implicit_newton(m, x):
    D1 = m.sp.diags([-0.5, 0.5], [-1, 1], shape=(n, n), format="csr")
    v = x
    for _ in range(3):
        J = m.sp.eye(n) + 0.1 * (m.sp.diags(D1 @ v) + m.sp.diags(v) @ D1)
        v = v - m.spla.spsolve(J.tocsc(), v - x + 0.1 * v * (D1 @ v))
        if m.np.linalg.norm(v) > 1e9:
            raise FloatingPointError(f"{m.np.linalg.norm(v):.2e}")
    return v


@program("equations", X[:9])
def alternating_directions(m, x):
    L = m.sp.diags([1.0, -2.0, 0.8], [-1, 0, 1], shape=(3, 3))
    Lx, Ly, K = m.sp.kron(L, m.sp.eye(3)), m.sp.kron(m.sp.eye(3), L), m.sp.diags(x)
    u = m.spla.spsolve((m.sp.eye(9) - 0.1 * K @ Lx).tocsc(), (m.sp.eye(9) + 0.1 * K @ Ly) @ x)
    return m.spla.spsolve((m.sp.eye(9) - 0.1 * K @ Ly).tocsc(), u).reshape((3, 3), order="F")


@program("equations")
def upwind(m, x):
    v = x - 1.5
    forward, backward = m.np.where(v > 0, v, 0), m.np.where(v < 0, v, 0)
    A = m.sp.diags([forward - backward, -forward[1:], backward[:-1]], [0, -1, 1])
    return m.spla.spsolve((m.sp.eye(n) + A).tocsc(), onp.ones(n))
