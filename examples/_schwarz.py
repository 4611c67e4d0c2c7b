"""The optimised Schwarz preconditioner: subdomains, the graph network, M, the loss.

Everything is written once, in matrix products, for sparse arrays and for dense ones: that is how
``asv_bench/schwarz_table.py`` compares the two. What depends on the kind is `Decomposition.dense`
and `factorized`, nothing else.

The nodes of all subdomains are numbered one subdomain after the other, a node as often as there are
subdomains that it is in. So R = [R₁; R₂; ...] stacks the restrictions, and the local matrices
Rᵢ A Rᵢᵀ are the blocks of one block-diagonal matrix K, for which one factorisation is enough.
"""

from typing import Any, NamedTuple

import autograd.numpy as np
from sklearn.cluster import KMeans

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


def poisson(n):
    """The 5-point matrix on a grid of n × n points, and the points."""
    T = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    y, x = np.divmod(np.arange(n**2), n)
    return sp.kronsum(T, T, format="csr"), np.stack([x, y], axis=1)


class Decomposition(NamedTuple):
    """A matrix A on overlapping subdomains."""

    A: Any
    R: Any  # restrictions to the subdomains, one below the other
    R_own: Any  # the same, with zeros for nodes that belong to another subdomain
    K: Any  # blocks Rᵢ A Rᵢᵀ
    graph: Any  # averages over neighbours in a subdomain
    edges: tuple  # on pairs of interface nodes: 1, and entries of the scaled K and K²
    limit: Any  # on the same pairs: bounds of the entries of L
    features: np.ndarray  # of K's nodes, see `decompose`
    owner: np.ndarray  # the subdomain that each of A's nodes belongs to
    domain: np.ndarray  # the subdomain that each of K's nodes is in

    @property
    def parts(self):
        """How many subdomains there are."""
        return int(self.owner.max()) + 1

    def dense(self):
        """The same in dense arrays."""
        matrices = (M.toarray() for M in self[:5])
        edges = tuple(E.toarray() for E in self.edges)
        return Decomposition(*matrices, edges, self.limit.toarray(), *self[7:])


def partition(points, size, seed=0):
    """k-means: for each point, the number of its part; parts have about `size` points."""
    parts = max(2, round(len(points) / size))
    return KMeans(parts, n_init=1, random_state=seed).fit_predict(points)


def several(n, size, seeds):
    """A grid with several partitions as one problem: the matrix, and the parts."""
    A, points = poisson(n)
    owners = [partition(points, size, seed) for seed in seeds]
    before = np.cumsum([0] + [owner.max() + 1 for owner in owners[:-1]])
    A = sp.block_diag([A] * len(seeds), format="csr")
    return A, np.concatenate([owner + k for owner, k in zip(owners, before)])


def decompose(A, owner, overlap=1):
    """The parts of a partition, each grown by `overlap` layers.

    Two interface nodes of a subdomain make an edge if they are at most two steps apart. The entries
    of L in a row are together less than what the subdomain's boundary cuts off that row of A. So
    K + L is diagonally dominant as A is, whatever the network says.
    """
    N = A.shape[0]
    member = sp.csr_array((np.ones(N), (owner, np.arange(N))))
    for _ in range(overlap):
        member = (member @ abs(A)).sorted_indices()
    domain, nodes = member.nonzero()  # (i, j): subdomain i has node j
    domains = [nodes[domain == i] for i in range(member.shape[0])]

    R = sp.eye_array(N, format="csr")[nodes]
    own = 1.0 * (owner[nodes] == domain)
    R_own = sp.diags_array(own) @ R
    K = sp.block_diag([A[d][:, d] for d in domains], format="csr")

    inside, everywhere = abs(K).sum(axis=1), abs(A).sum(axis=1)[nodes]
    outside = everywhere - inside  # cut off
    interface = sp.diags_array(1.0 * (outside > 0))
    scaled = sp.diags_array(1 / K.diagonal()) @ K
    squared = interface @ scaled @ scaled @ interface
    one = squared.astype(bool).astype(float)
    edges = one, one * scaled, squared
    share = outside / np.maximum(one.sum(axis=1), 1)
    limit = (one * share).minimum(one * share[:, None])
    subdomains = R @ R.sum(axis=0)  # that a node is in
    features = np.stack([0 * own + 1, 1.0 * (outside > 0), outside, own, subdomains], axis=1)
    graph = sp.diags_array(1 / inside) @ abs(K)
    return Decomposition(A, R, R_own, K, graph, edges, limit, features, owner, domain)


# ---- the graph network -----------------------------------------------------------------------


def initial_weights(rng, width=8, layers=3, features=5):
    """Random ones, with zeros in the last layer: L = 0 is restricted additive Schwarz."""
    sizes = [features] + [width] * layers

    def random(*shape):
        return rng.standard_normal(shape) / np.sqrt(shape[0])

    return {
        "nodes": [(random(m, n), random(m, n)) for m, n in zip(sizes, sizes[1:])],
        "ends": random(width, width),
        "edges": random(3, width),
        "out": np.zeros(width),
    }


def interface_matrix(weights, d):
    """L(θ): a message passing network on the nodes, then one layer on the edges."""
    H = d.features
    for W_own, W_neighbours in weights["nodes"]:
        H = np.tanh(H @ W_own + d.graph @ H @ W_neighbours)
    L = 0
    for h, (a, b, c), out in zip((H @ weights["ends"]).T, weights["edges"].T, weights["out"]):
        one, neighbours, squared = d.edges
        both_ends = one * h[:, None] + one * h
        L = L + out * np.tanh(both_ends + a * one + b * neighbours + c * squared)
    return d.limit * np.tanh(L)


# ---- the preconditioner and the loss ---------------------------------------------------------


def factorized(K):
    """The function b -> K⁻¹ b."""
    if sp.issparse(K):
        return spla.splu(K.tocsc()).solve
    return lambda b: np.linalg.solve(K, b)


def preconditioner(L, d):
    """The function r -> M r = Σ R̃ᵢᵀ (Rᵢ A Rᵢᵀ + Lᵢ)⁻¹ Rᵢ r."""
    solve = factorized(d.K + L)
    return lambda r: d.R_own.T @ solve(d.R @ r)


def loss(weights, d, X, power=1):
    """max ‖(I - M A)ᵏ x‖^(1/k) over the columns x of X, k the power."""
    M = preconditioner(interface_matrix(weights, d), d)
    for _ in range(power):
        X = X - M(d.A @ X)
    return np.max(np.sum(X**2, axis=0)) ** (0.5 / power)


def unit_vectors(rng, N, count):
    """Random unit vectors, as columns."""
    X = rng.standard_normal((N, count))
    return X / np.linalg.norm(X, axis=0)
