r"""
The optimised Schwarz preconditioner
====================================

A domain decomposition method solves on overlapping subdomains, again and again. Restricted additive
Schwarz takes the local matrices as they are cut out of :math:`A`; that is a Dirichlet condition at
the interfaces, and not the best one. *Optimised* Schwarz methods add a matrix on the interfaces,

.. math::
    M = \sum_i \tilde R_i^T \left(R_i A R_i^T + L_i(\theta)\right)^{-1} R_i ,

where :math:`R_i` restricts to subdomain :math:`i`, and :math:`\tilde R_i` to those of its nodes
that it owns. For a rectangle cut in two, good conditions are known in closed form. For any shape, a
graph neural network can learn them: it reads the local matrices and writes the entries of
:math:`L_i`. It is trained on small grids, and used on larger ones.

The loss is the largest :math:`\|(I - M A)^K x\|^{1/K}` over some random unit vectors. Its
derivative passes through the sparse products of the network, through the factorisation of all local
matrices, and through :math:`K` solves with it. One factorisation per step serves all of that.

After Taghibakhshi, Nytko, Zaman, MacLachlan, Olson and West, *Learning interface conditions in
domain decomposition solvers* (2022). Restricted additive Schwarz: Cai and Sarkis (1999); optimised
conditions: Gander, *Optimized Schwarz methods* (2006); from the matrix alone: St-Cyr, Gander and
Thomas, *Optimized multiplicative, additive, and restricted additive Schwarz preconditioning*
(2007).
"""

import autograd.numpy as np
import matplotlib.pyplot as plt
from _schwarz import (
    decompose,
    initial_weights,
    interface_matrix,
    loss,
    partition,
    poisson,
    preconditioner,
    several,
    unit_vectors,
)
from _study import Adam, Study
from autograd import value_and_grad
from autograd.misc import flatten
from matplotlib.collections import LineCollection

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)
size = study.size(64, 85)  # nodes of a subdomain, before they overlap
n = study.size(16, 30)  # points in each direction of the grids for training
larger = study.size(32, 78)
partitions = study.size(4, 8)
steps = study.size(40, 150)

# %%
# Training
# --------
# The 5-point matrix on a square, cut into subdomains by k-means, each then grown by a layer of
# nodes. Several random partitions of the same small grid are one problem with a block-diagonal
# :math:`A`, so that the worst of all their subdomains counts.
#
# The network is in ``_schwarz.py``: three layers of message passing between the nodes of a
# subdomain, ``H = np.tanh(H @ W1 + graph @ H @ W2)`` with a sparse matrix ``graph``; then one layer
# on the edges, which are pairs of interface nodes at most two steps apart: a sum of ``np.tanh`` of
# sparse matrices. It starts with zeros in the last weights, so with :math:`L = 0`: restricted
# additive Schwarz.

d = decompose(*several(n, size, seeds=range(partitions)))
weights, unflatten = flatten(initial_weights(np.random.default_rng(0)))


def learned(weights, d):
    """The preconditioner with these weights."""
    return preconditioner(interface_matrix(unflatten(weights), d), d)


# %%
# A random vector has little of what a Schwarz method is slow with. The vectors for the loss are
# random unit vectors after some steps of the iteration as it stands, as in the power method.


def slow_vectors(weights, d, rng, count=4, steps=15):
    """Unit vectors that the iteration is slow to reduce."""
    M = learned(weights, d)
    X = unit_vectors(rng, d.A.shape[0], count)
    for _ in range(steps):
        X = X - M(d.A @ X)
        X = X / np.linalg.norm(X, axis=0)
    return X


def objective(weights, X):
    """The loss at these weights: what is left of X after three steps."""
    return loss(unflatten(weights), d, X, power=3)


loss_and_gradient = value_and_grad(objective)
rate = study.size(0.03, 0.01)
training = study.training(steps, weights=weights, adam=Adam(rate), losses=[])
for step in training:
    training.adam.learning_rate = rate * (1 - step / steps)
    X = slow_vectors(training.weights, d, np.random.default_rng(step))
    value, gradient = loss_and_gradient(training.weights, X)
    training.weights = training.adam(training.weights, gradient)
    training.losses.append(float(value))

# %%
# A gradient can be wrong and still lead downhill, so here is one against differences.

rng = np.random.default_rng(1)
direction = rng.standard_normal(len(weights))
X = unit_vectors(rng, d.A.shape[0], 1)
slope = loss_and_gradient(training.weights, X)[1] @ direction
h = 1e-6 / np.linalg.norm(direction)
difference = (
    objective(training.weights + h * direction, X) - objective(training.weights - h * direction, X)
) / (2 * h)
print(f"loss: {training.losses[0]:.3f} -> {training.losses[-1]:.3f} in {steps} steps")
print(f"slope along a random direction: {slope:.8f}, by differences {difference:.8f}")

# %%
# What was learned
# ----------------
# On a larger grid, not seen in training: the sums of the rows of :math:`L`, and its entries on the
# interface of one subdomain. They are negative: the condition at the interface is less stiff
# than a Dirichlet condition, something between that and a Neumann condition. The network's output
# is bounded such that the local matrices remain diagonally dominant. How much of the bound it takes
# is what matters most here: more is faster, until the iteration diverges at one of the points where
# several subdomains meet. That is why the worst of many partitions has to count in training.

A, points = poisson(larger)
unseen = decompose(A, partition(points, size, seed=100))
L = sp.csr_array(interface_matrix(unflatten(training.weights), unseen))
bound = unseen.limit.tocoo()
share = -L[bound.row, bound.col] / bound.data
print(f"entries of -L: {share.min():.0%} to {share.max():.0%} of their bounds")

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
on_interface = unseen.features[:, 1] > 0
places = unseen.R @ points
left.imshow(unseen.owner.reshape(larger, larger) % 12, cmap="Set3", alpha=0.5, origin="lower")
dots = left.scatter(
    *places[on_interface].T, c=L.sum(axis=1)[on_interface], s=8000 / larger**2, cmap="viridis"
)
left.set(title="subdomains and their interfaces", xticks=[], yticks=[])
fig.colorbar(dots, ax=left, label="sum of a row of $L_i$")

central = unseen.owner[np.argmin(np.sum((points - larger / 2) ** 2, axis=1))]
pairs = L.tocoo()
shown = (unseen.domain[pairs.row] == central) & (pairs.row < pairs.col)
ends = np.stack([places[pairs.row[shown]], places[pairs.col[shown]]], axis=1)
lines = LineCollection(ends, array=pairs.data[shown], cmap="viridis", linewidths=2.5)
right.add_collection(lines)
right.scatter(*places[unseen.domain == central].T, s=10, color="0.4", zorder=3)
right.set(title="one subdomain, overlap included", xticks=[], yticks=[], aspect="equal")
fig.colorbar(lines, ax=right, label="entry of $L_i$ between two nodes")
study.show()

# %%
# Iterations
# ----------
# :math:`A x = b` by the stationary iteration :math:`x \leftarrow x + M (b - A x)`, and by GMRES for
# :math:`A M y = b`, on the grid size of the training and on a larger one, both with partitions
# that were not seen.


def stationary(A, M, b, rtol=1e-6, limit=2000):
    """Relative residuals of x ← x + M (b - A x)."""
    x, residuals = 0 * b, [1.0]
    while residuals[-1] > rtol and len(residuals) <= limit:
        x = x + M(b - A @ x)
        residuals.append(np.linalg.norm(b - A @ x) / np.linalg.norm(b))
    return residuals


def gmres(A, M, b, rtol=1e-6):
    """Relative residuals of right preconditioned GMRES."""
    residuals = [1.0]
    _, info = spla.gmres(
        spla.aslinearoperator(A) @ spla.LinearOperator(A.shape, M, dtype=A.dtype), b, rtol=rtol,
        restart=300, callback=residuals.append, callback_type="pr_norm",
    )  # fmt: skip
    assert info == 0
    return residuals


iterations = {}
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, points_per_side in zip(axes, (n, larger)):
    A, points = poisson(points_per_side)
    grid = decompose(A, partition(points, size, seed=100))
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    for name, M, colour in (
        ("restricted additive Schwarz", preconditioner(0 * grid.K, grid), "C7"),
        ("learned", learned(training.weights, grid), "C0"),
    ):
        for method, style in ((stationary, "-"), (gmres, "--")):
            residuals = method(A, M, b)
            iterations[points_per_side, method.__name__, name] = len(residuals) - 1
            label = f"{name}, {method.__name__}: {len(residuals) - 1}"
            ax.semilogy(residuals, style, color=colour, label=label)
    ax.set(xlabel="iteration", title=f"{points_per_side}² points, {grid.parts} subdomains")
    ax.legend(fontsize="small")
axes[0].set_ylabel("relative residual")
study.show()

for key, count in iterations.items():
    print("{}², {}, {}: {} iterations".format(*key, count))

# %%
# The conditions hold on the larger grid, too: the stationary iteration takes a fraction of the
# steps, and GMRES, which finds its own way around a few slow vectors, still takes fewer.

assert abs(slope - difference) < 1e-5 * abs(slope)
assert training.losses[-1] < 0.9 * training.losses[0]
for points_per_side in (n, larger):
    stationary_plain, stationary_learned, gmres_plain, gmres_learned = (
        iterations[points_per_side, method, name]
        for method in ("stationary", "gmres")
        for name in ("restricted additive Schwarz", "learned")
    )
    assert stationary_learned < 0.75 * stationary_plain
    assert gmres_learned <= gmres_plain
assert gmres_learned < gmres_plain
