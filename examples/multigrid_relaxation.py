r"""
Learn the relaxation of a multigrid cycle
=========================================

Algebraic multigrid has a hierarchy of matrices :math:`A^{(\ell)}`, and on each level a
relaxation, :math:`x \leftarrow x + M^{(\ell)} (b - A^{(\ell)} x)`. Damped Jacobi takes
:math:`\omega D^{-1}` for :math:`M`. Here :math:`M^{(\ell)}` has all entries that
:math:`A^{(\ell)}` has, and they are learned: minimise :math:`\| G z \|` over random unit vectors
:math:`z`, where :math:`G` is what one V-cycle does to the error. The gradient goes through the
whole cycle, to the entries of the matrices of all levels at once.

The problem is one that multigrid finds hard, a recirculating flow: heat from the right wall of a
closed box is carried round by

.. math:: -\varepsilon \nabla^2 u + w \cdot \nabla u = 0, \qquad
          w = \bigl( 2y (1 - x^2),\ -2x (1 - y^2) \bigr), \qquad \varepsilon = 0.005,

with :math:`u = 1` on the right wall and 0 on the others. See how much faster the cycle becomes,
alone and as a preconditioner of GMRES, and that what was learned looks against the wind.

Sparse relaxations are learned after Nytko et al., "Optimized Sparse Matrix Operations for
Reverse Mode Automatic Differentiation" (2022); the flow from Elman, Silvester and Wathen, "Finite
Elements and Fast Iterative Solvers" (2014). The hierarchies are those of PyAMG: approximate ideal
restriction (Manteuffel, Ruge and Southworth, 2018, "Nonsymmetric algebraic multigrid based on
local approximate ideal restriction"), made for such flows, and smoothed aggregation (Vaněk,
Mandel and Brezina, 1996), which is not.
"""

from functools import partial

import autograd.numpy as np
import matplotlib.pyplot as plt
import pyamg
from _multigrid import history, history_of_gmres, relaxed_by
from _study import Adam, Study
from autograd import grad, value_and_grad

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)

# %%
# The flow
# --------
# Upwind differences at the inner points of an n × n grid: heat comes from where the wind comes
# from.

n = study.size(24, 64)
epsilon, h = 0.005, 2 / (n + 1)
t = np.linspace(-1, 1, n + 2)[1:-1]
x, y = (c.ravel() for c in np.meshgrid(t, t))
wind = np.array([2 * y * (1 - x**2), -2 * x * (1 - y**2)])

west, south = -np.maximum(wind, 0) / h - epsilon / h**2
east, north = np.minimum(wind, 0) / h - epsilon / h**2
centre = -(west + east + south + north)
at_left, at_right = np.isclose(x, t[0]), np.isclose(x, t[-1])
b = -east * at_right  # the right wall is warm
A = sp.diags_array(
    [south[n:], (west * ~at_left)[1:], centre, (east * ~at_right)[:-1], north[:-n]],
    offsets=[-n, -1, 0, 1, n],
    format="csr",
)
A.eliminate_zeros()
u = spla.spsolve(A, b)

# %%
# A V-cycle
# ---------
# The levels are PyAMG's, its matrices used as they are. The cycle is recursive: one relaxation
# before it asks the coarser grids and one after that; on the coarsest grid it solves.


def hierarchy(solver):
    """A, P and R of each level of a solver of PyAMG's, and the factors of the coarsest matrix."""
    *fine, coarsest = solver.levels
    return [(level.A, level.P, level.R) for level in fine], spla.splu(sp.csc_array(coarsest.A))


def v_cycle(levels, coarsest, M, b, level=0):
    """What the cycle makes of the residual b: nearly the solution of A x = b."""
    if level == len(levels):
        return coarsest.solve(b)
    A, P, R = levels[level]
    x = M[level] @ b
    x = x + P @ v_cycle(levels, coarsest, M, R @ (b - A @ x), level + 1)
    return x + M[level] @ (b - A @ x)


def jacobi(A, omega):
    """ω D⁻¹ with all the stored entries of A, most of them zero."""
    M = sp.csr_array(A, copy=True)
    M.data[:] = 0
    M.setdiag(omega / A.diagonal())
    return M


# %%
# Learning
# --------
# The loss is what is left of random unit vectors, new ones in each step, after k cycles: the mean
# of :math:`\|G^k z\|^{1/k}`. With k = 1 it is the error after one cycle. All errors count alike in
# that, so that it says little about a few that go away slowly. If these are what is wrong with the
# cycle, as with smoothed aggregation here, k = 3 shows more of them.


def loss(M, levels, coarsest, z, k):
    """Mean over the columns of z of what is left of each after k cycles, per cycle."""
    for _ in range(k):
        z = z - v_cycle(levels, coarsest, M, A @ z)
    return np.mean(np.sum(z**2, axis=0) ** (0.5 / k))


def learn(name, levels, coarsest, k, steps, columns=4):
    """Relaxations for all levels but the coarsest, by Adam from damped Jacobi; the losses."""
    M = [jacobi(A, 0.7) for A, P, R in levels]
    adams = [Adam(0.01 * abs(m).max()) for m in M]
    training = study.training(steps, name, M=M, adams=adams, losses=[])
    for step in training:
        z = np.random.default_rng(step).standard_normal((A.shape[0], columns))
        z = z / np.linalg.norm(z, axis=0)
        value, gradient = value_and_grad(loss)(training.M, levels, coarsest, z, k)
        for m, g, adam in zip(training.M, gradient, training.adams, strict=True):
            m.data = adam(m.data, g.data)  # g has the entries of m
            adam.learning_rate *= 0.02 ** (1 / steps)
        training.losses.append(value)
    return training.M, training.losses


def check(levels, coarsest, k, t=1e-8):
    """The derivative of the loss in the direction of its gradient, against differences."""
    D = [jacobi(A, 0.7) for A, P, R in levels]
    z = np.random.default_rng(0).standard_normal((A.shape[0], 1))
    G = grad(loss)(D, levels, coarsest, z, k)
    plus, minus = ([d + s * g for d, g in zip(D, G, strict=True)] for s in (t, -t))
    difference = loss(plus, levels, coarsest, z, k) - loss(minus, levels, coarsest, z, k)
    assert np.isclose(difference / (2 * t), sum(np.sum(g.data**2) for g in G), rtol=1e-6)


# %%
# Two hierarchies
# ---------------
# Three levels each. All relaxations use the same cycle, one sweep before and one after. A sweep
# with M costs a product with M besides the one with A: as much as two sweeps of Jacobi or
# Gauss–Seidel, or as a symmetric one of Gauss–Seidel, to and fro.

common = {"max_levels": 3, "coarse_solver": "splu"}
aggregation = {"symmetry": "nonsymmetric", "smooth": ("jacobi", {"weighting": "local"})}
cases = {  # the solver, and k of the loss
    "approximate ideal restriction": (pyamg.air_solver(A, **common), 1),
    "smoothed aggregation": (pyamg.smoothed_aggregation_solver(A, **aggregation, **common), 3),
}

learned, alone, accelerated = {}, {}, {}
for name, (solver, k) in cases.items():
    levels, coarsest = hierarchy(solver)
    check(levels, coarsest, k)
    M, losses = learn(name, levels, coarsest, k, study.size(200, 2000))
    cycles = {
        "Jacobi": relaxed_by(solver, "jacobi", omega=0.7, withrho=False),
        "Gauss–Seidel": relaxed_by(solver, "gauss_seidel"),
        "symmetric Gauss–Seidel": relaxed_by(solver, "gauss_seidel", sweep="symmetric"),
        "learned": partial(v_cycle, levels, coarsest, M),
    }
    begin = v_cycle(levels, coarsest, [jacobi(A, 0.7) for A, P, R in levels], b)
    assert np.allclose(begin, cycles["Jacobi"](b))  # learning begins with PyAMG's cycle
    learned[name] = M, losses
    alone[name] = {relaxation: history(A, b, cycle) for relaxation, cycle in cycles.items()}
    accelerated[name] = {key: history_of_gmres(A, b, cycle) for key, cycle in cycles.items()}

    print(f"{name}, levels with {[level.A.shape[0] for level in solver.levels]} rows")
    print(f"  loss {np.mean(losses[:20]):.3f} -> {np.mean(losses[-20:]):.3f}")
    for relaxation, residuals in alone[name].items():
        factor = (residuals[-1] / residuals[-6]) ** (1 / 5)
        print(f"  {relaxation:22s}: {len(residuals) - 1:3d} cycles, the last by {factor:.3f} each; "
              f"with GMRES {len(accelerated[name][relaxation]) - 1}")  # fmt: skip

# %%
# What was learned looks against the wind
# ---------------------------------------
# Row i of M says how the residuals around point i change the value there. Its entries off the
# diagonal have a direction, the sum of the steps to the neighbours with the entries as weights.
# Jacobi's have none. The learned ones look to where the wind comes from, as one would by hand.

M = learned["approximate ideal restriction"][0][0]
weights = M.sum(axis=1)
look = np.array([M @ x - weights * x, M @ y - weights * y])
cosine = -np.sum(look * wind) / np.sqrt(np.sum(look**2) * np.sum(wind**2))
print(f"cosine between the direction of M and that against the wind: {cosine:.2f}")

fig, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
walls = np.linspace(-1, 1, n + 2)
temperature = np.zeros((n + 2, n + 2))
temperature[1:-1, 1:-1], temperature[:, -1] = u.reshape(n, n), 1
shade = axes[0].pcolormesh(walls, walls, temperature, cmap="inferno", shading="gouraud")
fig.colorbar(shade, label="temperature u")
speed = np.sqrt(np.sum(wind**2, axis=0)).reshape(n, n)
axes[0].streamplot(t, t, *wind.reshape(2, n, n), color="w", linewidth=speed, density=0.9)
axes[0].set(title=f"Recirculating flow, {n}² points")
blocks = study.size(12, 16)  # one arrow for the points of each
arrows = [
    np.mean(c.reshape(blocks, n // blocks, blocks, n // blocks), axis=(1, 3)) for c in (x, y, *look)
]
axes[1].pcolormesh(walls, walls, temperature, cmap="Greys", shading="gouraud", vmax=3)
axes[1].quiver(*arrows, color="tab:blue")
axes[1].set(title="Where the learned relaxation looks")
for ax in axes:
    ax.set(xlabel="x", ylabel="y", aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])

fig, axes = plt.subplots(2, 2, figsize=(10, 7), layout="constrained", sharey=True)
styles = {
    "Jacobi": ("tab:orange", "o-"), "Gauss–Seidel": ("0.35", "s-"),
    "symmetric Gauss–Seidel": ("0.7", "^-"), "learned": ("tab:blue", "D-"),
}  # fmt: skip
for row, name in zip(axes, cases, strict=True):
    for ax, histories, way in zip(row, (alone, accelerated), ("alone", "with GMRES"), strict=True):
        for relaxation, residuals in histories[name].items():
            color, style = styles[relaxation]
            ax.semilogy(residuals, style, color=color, label=relaxation, markersize=4)
        ax.set(title=f"{name}, {way}", xlabel="cycles", ylabel="relative residual")
        ax.set(ylim=(1e-10, 1e2))
        ax.grid(alpha=0.3)
axes[0, 0].legend()
study.show()

# %%
# What was learned beats Jacobi and Gauss–Seidel on both hierarchies, by about what pays for the
# second product in its sweep, or more. Where Gauss–Seidel sweeps to and fro, which costs as much,
# it is as good as what was learned, or better: it carries values along whole lines, M only to
# neighbours. But it goes through the unknowns one after the other, and M is a product, which can be
# done for all at once. On the first hierarchy, what was learned is also about as good as what its
# theory prescribes, fine points before coarse ones (PyAMG's default there: 6 or 7 cycles), without
# being told which points are fine.

for histories in (alone, accelerated):
    for name in cases:
        cycles = {key: len(residuals) - 1 for key, residuals in histories[name].items()}
        assert cycles["learned"] < 0.6 * min(cycles["Jacobi"], cycles["Gauss–Seidel"]), cycles
assert cosine > 0.5
