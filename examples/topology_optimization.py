"""
Topology optimisation of a beam
===============================

Where should material be, if only half of the space may be filled? The MBB beam rests on its two
lower corners and carries a load in the middle. Each of its :math:`n` square elements has a density
:math:`\\rho_e` between 0 and 1 and Young's modulus :math:`E_{min} + \\rho_e^3 (1 - E_{min})` (SIMP:
grey material is weak for its weight). Minimise the compliance

.. math:: c(x) = f^T u, \\qquad K(\\rho)\\, u = f, \\qquad \\rho = H x, \\qquad \\bar\\rho = 1/2,

over designs :math:`x`; the sparse matrix :math:`H` averages neighbours, so that no detail is finer
than its radius. The code is what one writes with SciPy. Its gradient comes from ``value_and_grad``:
through the filter, the assembly of :math:`K` from element matrices, the removal of fixed
displacements, and ``spsolve``. Nothing is derived by hand.

Set-up and update are those of E. Andreassen, A. Clausen, M. Schevenels, B. S. Lazarov, O. Sigmund
(2011), *Efficient topology optimization in MATLAB using 88 lines of code*, with the density filter;
the optimality criteria update is from O. Sigmund (2001), *A 99 line topology optimization code
written in Matlab*.
"""

from itertools import product

import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Study
from autograd import grad, value_and_grad
from scipy.spatial import KDTree

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)
nx, ny = study.size((60, 20), (150, 50))  # elements of the right half of the beam
radius = 0.04 * nx  # of the filter, in elements
steps = study.size(100, 2000)  # at most

# %%
# The mesh
# --------
# Nodes are numbered down the columns; node :math:`k` has the displacements :math:`2k` (to the
# right) and :math:`2k + 1` (up). An element has eight of them.


def element_stiffness(nu=0.3):
    """Stiffness of a bilinear square element, plane stress, E = 1, by 2 × 2 Gauss points."""
    C = np.array([[1, nu, 0], [nu, 1, 0], [0, 0, (1 - nu) / 2]]) / (1 - nu**2)
    KE = np.zeros((8, 8))
    for s, t in product((-(3**-0.5), 3**-0.5), repeat=2):
        B = np.zeros((3, 8))
        B[0, 0::2] = B[2, 1::2] = np.array([t - 1, 1 - t, 1 + t, -1 - t]) / 2
        B[1, 1::2] = B[2, 0::2] = np.array([s - 1, -1 - s, 1 + s, 1 - s]) / 2
        KE += B.T @ C @ B / 4
    return KE


x_of, y_of = (a.ravel() for a in np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij"))
corner = (ny + 1) * x_of + y_of  # upper left; then counterclockwise from the lower left
nodes = corner[:, None] + np.array([1, ny + 2, ny + 1, 0])
dofs = np.stack([2 * nodes, 2 * nodes + 1], axis=-1).reshape(nx * ny, 8)

KE = element_stiffness()
iK, jK = np.repeat(dofs, 8, axis=1).ravel(), np.tile(dofs, (1, 8)).ravel()
n = 2 * (nx + 1) * (ny + 1)
fixed = np.append(np.arange(0, 2 * (ny + 1), 2), n - 1)  # plane of symmetry, support on the right
free = np.setdiff1d(np.arange(n), fixed)
f = np.zeros(n)
f[1] = -1.0  # the load, in the plane of symmetry

# %%
# The filter takes a weighted mean over all elements whose centres are nearer than the radius.

centres = KDTree(np.column_stack([x_of, y_of]))
near = centres.sparse_distance_matrix(centres, radius, output_type="ndarray")
H = sp.csr_array((radius - near["v"], (near["i"], near["j"])), shape=(nx * ny, nx * ny))
H = sp.diags_array(1 / H.sum(axis=1)) @ H

# %%
# The compliance
# --------------

E_min, p = 1e-9, 3


def stiffness(rho):
    """The stiffness matrix of the free displacements."""
    E = E_min + rho**p * (1 - E_min)
    data = (E[:, None] * KE.ravel()).ravel()
    K = sp.coo_array((data, (iK, jK)), shape=(n, n)).tocsc()
    return K[free][:, free]


def compliance(x):
    """Work of the load on the beam with design x."""
    u = spla.spsolve(stiffness(H @ x), f[free])
    return f[free] @ u


def volume(x):
    """The fraction of the space that is filled."""
    return np.mean(H @ x)


# %%
# Let it grow
# -----------
# An optimality criteria step scales each design variable with the square root of what it brings
# per volume; bisection finds the multiplier of the constraint. It stops when no variable changes
# by more than 0.01.


def optimality_criteria(x, dc, dv, move=0.2):
    """The next design."""
    low, high = 0.0, 1e9
    while high - low > 1e-3 * (high + low):
        multiplier = (low + high) / 2
        scaled = x * np.sqrt(-dc / dv / multiplier)
        new = np.clip(scaled, np.maximum(0, x - move), np.minimum(1, x + move))
        low, high = (multiplier, high) if volume(new) > 0.5 else (low, multiplier)
    return new


training = study.training(steps, "beam", x=np.full(nx * ny, 0.5), change=1.0, history=[], stages={})
for step in training:
    if training.change <= 0.01:
        break
    x = training.x
    c, dc = value_and_grad(compliance)(x)
    training.x = optimality_criteria(x, dc, grad(volume)(x))
    training.change = np.max(np.abs(training.x - x))
    training.history.append(c)
    if step in (1, 5, 10, 20, 40):
        training.stages[step] = H @ x

x = training.x
history = [*training.history, compliance(x)]
stages = training.stages | {len(history) - 1: H @ x}
print(f"{nx} x {ny} elements, {len(free)} unknowns, {len(history) - 1} steps")
print(f"compliance {history[0]:.2f} -> {history[-1]:.2f}, filled {volume(x):.4f}")

# %%
# The beam
# --------
# The whole beam; the half that was computed is on the right.

fig, axes = plt.subplots(3, 2, figsize=(10, 4.9), layout="constrained")
for ax, (step, rho) in zip(axes.ravel(), stages.items()):
    half = rho.reshape(nx, ny).T
    ax.imshow(np.hstack([half[:, ::-1], half]), cmap="gray_r", vmin=0, vmax=1,
              extent=(-nx, nx, ny, 0), interpolation="nearest")  # fmt: skip
    ax.plot([-nx, nx], [1.06 * ny] * 2, "^", color="#0072b2", ms=8, clip_on=False)
    ax.plot(0, -0.06 * ny, "v", color="#d55e00", ms=8, clip_on=False)
    ax.set(xlim=(-1.03 * nx, 1.03 * nx), ylim=(1.16 * ny, -0.16 * ny))
    ax.set_title(f"step {step}: compliance {history[step]:.1f}")
    ax.axis("off")
fig.suptitle("An MBB beam grows (orange: load, blue: supports)")

# %%
# The gradient, by hand
# ---------------------
# Without scipygrad, one has to know that the compliance is its own adjoint, and take the element
# matrices, the fixed displacements and the filter apart again:
# :math:`\partial c / \partial \rho_e = -p \rho_e^{p-1} (1 - E_{min})\, u_e^T K_e u_e`.
# The adjoint by hand takes 6 lines. It holds for the compliance only: another objective,
# like the displacement of a chosen point, has another adjoint, with a second solve. In `compliance`
# it would be another last line.


def adjoint_by_hand(x):
    """The gradient of the compliance, as one writes it with NumPy and SciPy."""
    rho, u = H @ x, np.zeros(n)
    u[free] = spla.spsolve(stiffness(rho), f[free])
    u_of = u[dofs]
    energy = np.sum(u_of @ KE * u_of, axis=1)
    d_rho = -p * rho ** (p - 1) * (1 - E_min) * energy
    return H.T @ d_rho


by_hand, by_grad = adjoint_by_hand(x), grad(compliance)(x)
difference = np.linalg.norm(by_grad - by_hand) / np.linalg.norm(by_hand)
print(f"gradient against the adjoint by hand: {difference:.1e}")

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(np.arange(len(history)), history, color="#0072b2")
ax.axhline(converged := study.size(233.71, 235.73), color="#d55e00", ls="--", lw=1,
           label=f"converged: {converged}")  # fmt: skip
ax.set(xlabel="step", ylabel="compliance", ylim=(200, 620), title="MBB beam")
ax.legend()
study.show()

# %%
# Until changes are at most 0.01, the compliance goes to 233.71 for 60 × 20 elements, and to 235.73
# for 150 × 50.

assert abs(history[-1] / converged - 1) < 0.005
assert abs(volume(x) - 0.5) < 1e-3 and difference < 1e-8
