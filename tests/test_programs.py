"""Programs as users of scipy.sparse write them, one idiom each, by field.

Each is a function of the modules and of its parameters. With SciPy's modules it is the reference;
with ours it is differentiated, in both modes and to second order. Half of them are in `programs`.
"""

from __future__ import annotations

import functools

import numpy as onp
import pytest
from programs import OURS, PROGRAMS, THEIRS, D, X, n, program, rng, tridiagonal

import scipygrad as sg
from scipygrad.testing import check_op

# ---- inverse problems, control, statistics ---------------------------------------------------


@program("inverse")
def tikhonov(m, x):
    G, W = m.sp.csr_matrix(D[:6]), m.sp.diags(x[:6])
    R = m.sp.vstack(
        [0.1 * m.sp.identity(n), m.sp.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n)) * x[8]]
    )
    A = G.T * W.T * W * G + x[9] * R.T * R
    model = m.spla.spsolve(A.tocsc(), G.T * (W.T * (W * onp.ones(6))))
    return model, (R * model).dot(R * model)


@program("inverse")
def least_squares(m, x):
    G = m.sp.csr_matrix(D[:6]) @ m.sp.diags(x)
    options = {"atol": 1e-14, "btol": 1e-14}
    return (
        m.spla.lsqr(G, onp.arange(6.0), damp=0.3, **options)[0],
        m.spla.lsmr(m.sp.vstack([G, m.sp.eye(n)]), onp.ones(6 + n), **options)[0],
    )


@program("control")
def saddle_point(m, x):
    A = m.sp.csr_matrix(D[:4])
    K = m.sp.bmat([[m.sp.diags(x) + 1e-6 * m.sp.eye(n), A.T], [A, None]], format="csc")
    return m.spla.spsolve(K, m.np.hstack([-x, onp.ones(4)]))


@program("control", X[:5])
def horizon(m, x):
    A, B = m.sp.csc_matrix([[1.0, 0.1], [0, 1.0]]), m.sp.csc_matrix([[0.0], [0.1]])
    Q, R = m.sp.diags(x[:2]), x[4] * m.sp.eye(1)
    P = m.sp.block_diag([m.sp.kron(m.sp.eye(2), Q), m.sp.diags(x[2:4]), m.sp.kron(m.sp.eye(2), R)])
    Ax = m.sp.kron(m.sp.eye(3), -m.sp.eye(2)) + m.sp.kron(m.sp.eye(3, k=-1), A)
    Bu = m.sp.kron(m.sp.vstack([m.sp.csc_matrix((1, 2)), m.sp.eye(2)]), B)
    C = m.sp.hstack([Ax, Bu])
    K = m.sp.bmat([[P, C.T], [C, None]], format="csc")
    return m.spla.spsolve(K, m.np.hstack([onp.zeros(8), -1.0, 0.5, onp.zeros(4)]))


@program("assimilation", X[:6])
def kalman_filter(m, x):
    F, H = m.sp.csr_matrix(D[:6, :6] * 0.2), m.sp.eye(3, 6).tocsr()
    P = (F @ m.sp.diags(x) @ F.T + 0.1 * m.sp.identity(6)).tocsr()
    S = (H @ P @ H.T + 0.5 * m.sp.identity(3)).tocsc()
    gain = m.spla.spsolve(S, (H @ P).toarray()).T
    return gain @ onp.ones(3), m.sp.csr_matrix(P - gain @ (H @ P).toarray()).diagonal()


# ---- multigrid and iterative methods ---------------------------------------------------------


def prolongation(m):
    columns = onp.arange(3).repeat(3)
    rows = 2 * columns + onp.tile([0, 1, 2], 3)
    return m.sp.csr_matrix((onp.tile([0.5, 1, 0.5], 3), (rows, columns)), shape=(7, 3))


@program("multigrid", X[:7])
def two_grid(m, x):
    A, P = tridiagonal(m, x + 2), prolongation(m)
    R, b, u = 0.5 * P.T, onp.ones(7), onp.zeros(7)
    coarse, inverse = (R @ A @ P).tocsc(), 1 / A.diagonal()
    for _ in range(2):
        u = u + 0.6 * inverse * (b - A @ u)
        u = u + P @ m.spla.spsolve(coarse, R @ (b - A @ u))
    return m.np.linalg.norm(b - A @ u) / onp.linalg.norm(b)


@program("multigrid", X[:7])
def gauss_seidel(m, x):
    A, u = tridiagonal(m, x + 2), onp.zeros(7)
    lower, upper = m.sp.tril(A).tocsr(), m.sp.triu(A, k=1)
    for _ in range(3):
        u = m.spla.spsolve_triangular(lower, onp.ones(7) - upper @ u, lower=True)
    return u


@program("multigrid", X[:4])
def gauss_seidel_by_rows(m, x):
    A, u = tridiagonal(m, x + 2), [0.0] * 4
    for i in range(A.shape[0]):
        rest, diagonal = 1.0, 0.0
        for k in range(A.indptr[i], A.indptr[i + 1]):
            j = A.indices[k]
            if i == j:
                diagonal = A.data[k]
            else:
                rest -= A.data[k] * u[j]
        u[i] = rest / diagonal
    return m.np.array(u)


@program("multigrid", X[:7])
def conjugate_gradients(m, x):
    A = tridiagonal(m, x + 2)
    A, u = A.T @ A, onp.zeros(7)
    r = onp.arange(7.0) - A.dot(u)
    p, rr = r.copy(), r.dot(r)
    for _ in range(3):
        Ap = A.dot(p)
        step = rr / p.dot(Ap)
        u, r = u + step * p, r - step * Ap
        p, rr = r + (r.dot(r) / rr) * p, r.dot(r)
    return u


@program("multigrid", X[:7])
def operator_class(m, x):
    class Shifted(m.spla.LinearOperator):
        def __init__(self, A, shift):
            self.A, self.shift = A, shift
            super().__init__(dtype=A.dtype, shape=A.shape)

        def _matvec(self, v):
            return self.A @ v + self.shift * v

        def _rmatvec(self, v):
            return self.A.T @ v + self.shift * v

    op = Shifted(tridiagonal(m, x), x[0])
    return m.spla.gmres(op, onp.ones(7), rtol=1e-13, restart=7)[0], op.H @ onp.ones(7)


@program("multigrid", X[:7])
def incomplete_factors(m, x):
    A = tridiagonal(m, x + 2).tocsc()
    ilu = m.spla.spilu(sg.detach(A))
    M = m.spla.LinearOperator(A.shape, ilu.solve, rmatvec=lambda v: ilu.solve(v, "T"))
    return m.spla.bicgstab(A, onp.ones(7), M=M, rtol=1e-13)[0]


# ---- graphs ----------------------------------------------------------------------------------

W = 0.2 + rng.random(12)
TAIL, HEAD = onp.r_[0:6, 0, 1, 2, 3, 0, 4], onp.r_[1:6, 0, 3, 4, 5, 1, 2, 1]


@program("graphs", W)
def incidence_laplacian(m, w):
    signs, edges = onp.r_[onp.ones(12), -onp.ones(12)], onp.r_[range(12), range(12)]
    B = m.sp.csr_matrix((signs, (onp.r_[TAIL, HEAD], edges)), shape=(6, 12))
    L = B @ m.sp.diags(w) @ B.T
    return L, m.np.diag(m.spla.spsolve(L[1:, 1:].tocsc(), onp.eye(5)))


@program("graphs", W)
def normalised_adjacency(m, w):
    adjacency = m.sp.coo_matrix((w, (TAIL, HEAD)), shape=(6, 6))
    degrees = m.np.array(adjacency.sum(1))
    D = m.sp.diags(m.np.power(degrees, -0.5).flatten())
    return adjacency.dot(D).transpose().dot(D).tocoo()


@program("graphs", W)
def rows_scaled_to_one(m, w):
    A = m.sp.csr_matrix((w, (TAIL, HEAD)), shape=(6, 6))
    out = m.sp.diags(1 / m.np.asarray(A.sum(axis=1)).ravel()) @ A
    return out, A.multiply(1 / A.sum(axis=1).A1[:, None]), m.np.squeeze(m.np.asarray(out.sum(0)))


@program("graphs", W)
def page_rank(m, w):
    A = m.sp.csr_array((w, (TAIL, HEAD)), shape=(6, 6))
    Q = m.sp.csr_array(m.sp.spdiags((1.0 / A.sum(axis=1)).T, 0, 6, 6)) @ A
    rank = m.np.repeat(1 / 6, 6)
    for _ in range(8):
        rank = 0.85 * (rank @ Q) + 0.15 / 6
    return rank


@program("graphs", W)
def chebyshev_filters(m, w):
    A = m.sp.coo_matrix((w, (TAIL, HEAD)), shape=(6, 6)).tocsr()
    L = m.graphs.laplacian(A + A.T, normed=True)
    T = [m.sp.eye(6).tocsr(), L]
    T.append(2 * L @ T[-1] - T[-2])
    return m.np.tanh(sum((0.5 + k) * t for k, t in enumerate(T)) @ onp.cos(onp.arange(6.0)))


@program("graphs", W, order=1)
def shortest_paths(m, w):
    A = m.sp.csr_matrix((w, (TAIL, HEAD)), shape=(6, 6))
    return m.graphs.dijkstra(A, indices=[0, 3]), m.graphs.minimum_spanning_tree(A).sum()


@program("graphs")
def markov_chain(m, x):
    Q = m.sp.diags([x[:-1], x[1:]], [1, -1]).tolil()
    Q[0, n - 1] = 0.3 * x[3]
    Q = Q.tocsr()
    A = (Q - m.sp.diags(m.np.asarray(Q.sum(1)).ravel())).T.tolil()
    A[-1, :] = 1
    return m.spla.spsolve(A.tocsc(), onp.eye(n)[-1])


# ---- single idioms ---------------------------------------------------------------------------


@program("idiom")
def elements_one_by_one(m, x):
    A = tridiagonal(m, x).tocoo()
    return sum(v * onp.sin(i + 2 * j) for i, j, v in zip(A.row, A.col, A.data))


@program("idiom")
def entries_in_place(m, x):
    A = tridiagonal(m, x)
    A.data[:] = A.data**2
    A.data[A.data > 3] = 3.0
    A.data *= 2
    A.data -= 1
    return A


@program("idiom")
def operators_in_place(m, x):
    A, B = m.sp.csr_matrix(D), tridiagonal(m, x)
    A += B
    A -= 0.5 * B.T
    A *= x[0]
    A /= 3
    return A @ B


@program("idiom")
def masks(m, x):
    A = tridiagonal(m, x)
    return A.multiply(A > 0.5), A[A.getnnz(1) > 2], A[:, onp.arange(n) % 3 == 0], abs(A), A**2


@program("idiom")
def dense_functions(m, x):
    A = tridiagonal(m, x)
    return m.np.exp(-A.toarray()).ravel(), A.toarray().reshape(-1)[3], A.todense().A1, A.max()


@program("idiom")
def found(m, x):
    A = tridiagonal(m, x)
    i, j, v = m.sp.find(A)
    again = m.sp.coo_matrix((m.np.exp(-v), (i, j)), shape=(n, n)).tocsr()
    return again, m.np.asarray(A[A.nonzero()]).ravel(), A.diagonal(-1), A.trace()


@program("idiom")
def norms(m, x):
    A = tridiagonal(m, x)
    return (
        m.spla.norm(A), m.spla.norm(A, 1), m.np.sqrt((A.data**2).sum()), A.multiply(A).sum(),
        m.np.sqrt(A.power(2).sum(axis=1)),
    )  # fmt: skip


@program("idiom")
def np_matrix_of_a_constant(m, x):
    H = abs(m.sp.csr_matrix(D))
    sums, dense = H.sum(axis=1), H.todense()
    return m.np.asarray(H * x[:, None] / sums), m.np.asarray(sums.T * x[:, None] + dense @ x)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_differentiable(name):
    f, x, order = PROGRAMS[name]
    check_op(functools.partial(f, OURS), x, order=order, reference=functools.partial(f, THEIRS))


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_untraced_results_are_of_scipys_kinds(name):
    f, x, _ = PROGRAMS[name]
    kinds = [_kinds(f(m, x)) for m in (OURS, THEIRS)]
    assert kinds[0] == kinds[1]


def _kinds(y):
    if isinstance(y, tuple | list):
        return [_kinds(v) for v in y]
    return type(y).__name__, onp.shape(y), y.dtype
