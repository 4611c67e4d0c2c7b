r"""
Learning a graph from heat that spreads on it
=============================================

Heat spreads along the links of a network, :math:`\dot u = -L(w)\, u`, with the graph Laplacian
:math:`L` of the links' weights :math:`w`. The temperatures of the nodes are known to start with,
and are measured at a few later times :math:`t_k`, with noise :math:`\varepsilon`. Which links are
there, and how strong are they?

.. math:: \min_{w \ge 0}\ \frac{1}{2 \varepsilon^2} \sum_k \bigl\| e^{-t_k L(w)} U_0 - U_k \bigr\|^2
          + \mu \sum_e w_e

The problem is that of Thanou, Dong, Kressner and Frossard (2017, "Learning heat diffusion
graphs"); Dong, Thanou, Rabbat and Frossard (2019, "Learning graphs from data: a signal
representation perspective") review it and others. Candidates for links are all pairs of
neighbours in the plane. The derivative goes through ``csgraph.laplacian`` and
``expm_multiply``, and stays sparse.
"""

import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Study
from autograd import value_and_grad
from matplotlib.collections import LineCollection
from scipy.spatial import Delaunay

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.sparse import csgraph

study = Study(__file__)
n = study.size(40, 500)  # nodes
experiments = study.size(10, 20)
rng = np.random.default_rng(3)

# %%
# A network of roads
# ------------------
# Points in the plane, the candidates (Delaunay's triangulation without its longest edges), and
# the true links among them: a tree that connects all, and every fourth of the others.

points = rng.uniform(size=(n, 2))
corners = Delaunay(points).simplices
edges = np.unique(np.sort(corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)), axis=0)
lengths = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
edges, lengths = edges[lengths < 3 / np.sqrt(n)], lengths[lengths < 3 / np.sqrt(n)]
i, j = edges.T
tree = csgraph.minimum_spanning_tree(sp.coo_array((lengths, (i, j)), shape=(n, n))).toarray()
there = (tree[i, j] > 0) | (rng.uniform(size=len(edges)) < 0.25)
truth = np.where(there, rng.uniform(0.5, 2.0, size=len(edges)), 0.0)

# %%
# Heat on the network
# -------------------
# Several experiments are the columns of one block, and ``expm_multiply`` gives them at equidistant
# times.


def spread(w):
    W = sp.coo_array((w, (i, j)), shape=(n, n)).tocsr()
    L = csgraph.laplacian(W + W.T)
    return spla.expm_multiply(-L, initial, start=0.25, stop=1.0, num=4)


initial = rng.normal(size=(n, experiments))
noise, mu = 0.02, 10.0
data = spread(truth) + noise * rng.normal(size=(4, n, experiments))


def loss(w):
    return 0.5 * np.sum((spread(w) - data) ** 2) / noise**2 + mu * np.sum(w)


start = np.full(len(edges), 0.5)
learned, losses = study.minimize(
    value_and_grad(loss), start, study.size(40, 200), bounds=[(0.0, None)] * len(edges)
)

# %%
# The adjoint by hand
# -------------------
# The derivative of :math:`e^{-tL}` is Daleckii and Krein's: with :math:`L = V \Lambda V^T`, the
# cotangent is multiplied by the divided differences of :math:`e^{-t \lambda}`.
# The adjoint by hand takes 14 lines, and :math:`n^3` operations on dense matrices. The gradient
# above does without either: it needs products of :math:`L` with blocks of vectors only.


def adjoint_by_hand(w):
    L = np.zeros((n, n))
    L[i, j] = L[j, i] = -w
    L[np.diag_indices(n)] = -L.sum(axis=1)
    values, V = np.linalg.eigh(L)
    gap = values[:, None] - values
    equal = np.abs(gap) < 1e-7
    L_bar = np.zeros((n, n))
    for t, observed in zip(np.linspace(0.25, 1.0, 4), data, strict=True):
        decay = np.exp(-t * values)
        g = (V * decay @ (V.T @ initial) - observed) / noise**2
        slopes = (decay[:, None] - decay) / np.where(equal, 1.0, gap)
        slopes = np.where(equal, -t * np.sqrt(decay[:, None] * decay), slopes)
        L_bar += V @ (slopes * ((V.T @ g) @ (initial.T @ V))) @ V.T
    return L_bar[i, i] + L_bar[j, j] - L_bar[i, j] - L_bar[j, i] + mu


# %%
# True and learned
# ----------------

fig, axes = plt.subplots(1, 3, figsize=(13, 4.3), layout="constrained")
for axis, w, title in zip(
    axes, (start, learned, truth), ("candidates", "learned links", "true links"), strict=True
):
    lines = LineCollection(points[edges], linewidths=2.2 * w, cmap="cividis_r", clim=(0, 2))
    lines.set_array(w)
    axis.add_collection(lines)
    axis.plot(*points.T, "k.", markersize=study.size(5, 2))
    axis.set(title=title, xticks=[], yticks=[], aspect="equal")
fig.colorbar(lines, ax=axes, label="weight", shrink=0.8)

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot([0, 2], [0, 2], color="gray", lw=1)
left.plot(truth, learned, ".", markersize=4)
left.set(xlabel="true weight", ylabel="learned weight", title="every candidate")
right.semilogy(np.array(losses[:-1]) - losses[-1])
right.set(xlabel="L-BFGS-B iteration", ylabel="loss above the last one", title="convergence")
study.show()

# %%
# The numbers
# -----------

found = learned > 0.25
wrong = np.sum(found != there)
distance = np.linalg.norm(learned - truth) / np.linalg.norm(truth)
gradient, by_hand = value_and_grad(loss)(start)[1], adjoint_by_hand(start)
error = np.linalg.norm(gradient - by_hand) / np.linalg.norm(by_hand)
print(f"{n} nodes, {len(edges)} candidates, {np.sum(there)} links: {wrong} taken wrongly, "
      f"{np.sum(learned == 0)} weights exactly 0, error of the weights {distance:.1%}")  # fmt: skip
print(f"loss {losses[0]:.0f} -> {losses[-1]:.1f} in {len(losses) - 1} iterations "
      f"(at the truth {loss(truth):.1f}); adjoint by hand differs by {error:.0e}")  # fmt: skip
assert error < 1e-8
assert wrong <= 0.01 * len(edges) and distance < 0.1
assert losses[-1] < loss(truth) < losses[0]
