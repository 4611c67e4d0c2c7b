r"""
Tuning a drum: eigenvalue design
================================

A square drum skin is made of a light and a heavy material. Its tones are the eigenvalues of

.. math:: -\nabla^2 u = \lambda\, \varrho\, u, \qquad u = 0 \text{ on the rim}, \qquad
          1 \le \varrho(x) \le 5 .

Where must the heavy material be for a wide silence between tone :math:`m` and the next one, that
is for the largest :math:`\lambda_{m+1}/\lambda_m`? Krein (1955, "On certain problems on the
maximum and minimum of characteristic values and on the Lyapunov zones of stability") found for
the string that optimal densities take the two extreme values only. Osher and Santosa (2001,
"Level set methods for optimization problems involving geometry and constraints I. Frequencies of
a two-density inhomogeneous drum") computed such drums. What comes out here has :math:`m` heavy
spots, one for each tone below the gap, and nothing in the code says so.

The derivative goes through ``eigsh`` with a mass matrix and shift-invert, as SciPy has it.
"""

import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Study
from autograd import value_and_grad

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)
n = study.size(16, 60)  # grid points in a row
gaps = study.size([1, 2, 3], [1, 2, 3, 4, 5, 6])
steps = study.size(40, 300)
heaviest, p = 5.0, 20
rng = np.random.default_rng(1)

# %%
# The drum
# --------
# Five-point differences on the unit square. The density is a diagonal mass matrix, and the only
# thing that changes.

second_difference = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
K = sp.kronsum(second_difference, second_difference, format="csc") * (n + 1) ** 2
v0 = rng.uniform(size=n * n)  # where ARPACK starts: the same every time


def tones(density, count):
    M = sp.diags_array(density, format="csc")
    return spla.eigsh(K, k=count, M=M, sigma=0, v0=v0)[0]


# %%
# The gap, in a form that has a derivative
# ----------------------------------------
# Eigenvalues cross. An even drum has :math:`\lambda_2 = \lambda_3`, and designs push others onto
# each other. A single one has a kink there. But a function that treats equal eigenvalues alike is
# smooth, and scipygrad differentiates it also where they are equal; for one that tells them apart,
# it raises. Power means of those below and of those above the gap are smooth as long as there is a
# gap:
#
# .. math:: \log \Bigl(\sum_{j \le m} \lambda_j^p\Bigr)^{1/p}
#           - \log \Bigl(\sum_{j > m} \lambda_j^{-p}\Bigr)^{-1/p}
#           \ \ge\ -\log \frac{\lambda_{m+1}}{\lambda_m}
#
# is what is minimised, times the number of grid points: so the derivative with respect to one of
# them does not shrink on a fine grid, and the optimiser's tolerances fit.


def closeness(density, m):
    values = tones(density, m + 5)
    low, high = values[:m], values[m:]
    return n**2 / p * (np.log(np.sum(low**p)) + np.log(np.sum(high**-p)))


# %%
# Where the heavy material belongs
# --------------------------------
# L-BFGS-B with the density between its bounds, from an even drum with 5 % noise, so that it may
# leave the symmetry. There are many local optima; this finds one of them.

start = 1.5 * rng.uniform(0.95, 1.05, size=n * n)
designs, histories = {}, {}
for m in gaps:
    designs[m], histories[m] = study.minimize(
        lambda density, m=m: value_and_grad(closeness)(density, m), start, steps, f"gap {m}",
        bounds=[(1.0, heaviest)] * n**2,
    )  # fmt: skip

# %%
# The adjoint by hand
# -------------------
# From :math:`K u = \lambda M u` and :math:`u^T M u = 1` one finds
# :math:`\partial \lambda / \partial \varrho_i = -\lambda\, u_i^2`. The power means have to be
# differentiated as well. The adjoint by hand takes 6 lines, for those who know that formula: it
# is the shortest one of these applications.


def adjoint_by_hand(density, m):
    M = sp.diags_array(density, format="csc")
    values, U = spla.eigsh(K, k=m + 5, M=M, sigma=0, v0=v0)
    low, high = values[:m], values[m:]
    d_low = low ** (p - 1) / np.sum(low**p)
    d_high = -(high ** (-p - 1)) / np.sum(high**-p)
    return -(n**2) * U**2 @ (np.concatenate([d_low, d_high]) * values)


# %%
# The drums
# ---------

rows = len(gaps) // 3
fig, axes = plt.subplots(rows, 3, figsize=(9, 3.3 * rows + 0.3), layout="constrained")
ratios = {}
for m, axis in zip(gaps, axes.flat, strict=True):
    before, after = tones(start, m + 1), tones(designs[m], m + 1)
    ratios[m] = before[m] / before[m - 1], after[m] / after[m - 1]
    picture = axis.imshow(
        designs[m].reshape(n, n), cmap="cividis_r", vmin=1, vmax=heaviest, origin="lower"
    )
    axis.set(xticks=[], yticks=[])
    axis.set_title(rf"$\lambda_{m + 1}/\lambda_{m}$: {ratios[m][0]:.2f} $\to$ {ratios[m][1]:.2f}")
fig.colorbar(picture, ax=axes, label=r"density $\varrho$", shrink=0.8)
fig.suptitle("Drums designed for a gap above tone m have m heavy spots")

# %%
# Below the gap the skin swings where it is heavy. Above it, it has to swing between the spots, and
# lines on which it rests go through them.

m = gaps[-1] if len(gaps) < 4 else 4
fig, axes = plt.subplots(
    1, 5, figsize=(13, 2.9), width_ratios=[1.1, 1, 1, 1, 1], layout="constrained"
)
for x, density, name in ((0, start, "even"), (1, designs[m], "designed")):
    values, U = spla.eigsh(K, k=m + 5, M=sp.diags_array(density, format="csc"), sigma=0, v0=v0)
    values, span = values / values[0], [x - 0.35, x + 0.35]
    axes[0].hlines(values, *span, color="black", lw=1.2)
    axes[0].fill_between(span, *values[m - 1 : m + 1], color="orange", alpha=0.5)
    for j in (m - 1, m):
        axis = axes[1 + 2 * x + j - m + 1]
        mode = U[:, j].reshape(n, n) / np.max(np.abs(U[:, j]))
        axis.imshow(mode, cmap="PuOr", vmin=-1, vmax=1, origin="lower")
        if x:
            axis.contour(density.reshape(n, n), levels=[3.0], colors="black", linewidths=0.8)
        axis.set(xticks=[], yticks=[], title=f"{name}: mode {j + 1}")
axes[0].set_xticks([0, 1], ["even", "designed"])
axes[0].set(ylabel=r"$\lambda_j / \lambda_1$", title=f"tones; gap above tone {m}")
study.show()

# %%
# The numbers
# -----------
# As Krein says, the density is light or heavy and hardly ever between; and it is heavy where more
# weight would help, light where it would harm, which is the condition for an optimum.

for m in gaps:
    density, gradient = designs[m], value_and_grad(closeness)(designs[m], m)[1]
    by_hand = adjoint_by_hand(density, m)
    error = np.linalg.norm(gradient - by_hand) / np.linalg.norm(by_hand)
    light, heavy = density < 1.05, density > heaviest - 0.05
    extreme = np.mean(light | heavy)
    slope = gradient / np.max(np.abs(gradient))
    wrong = np.mean((light & (slope < -0.05)) | (heavy & (slope > 0.05)))
    print(f"gap {m}: ratio {ratios[m][0]:.3f} -> {ratios[m][1]:.3f}, light or heavy {extreme:.1%}"
          f", against the condition {wrong:.1%}, from the adjoint by hand {error:.0e}")  # fmt: skip
    assert error < 1e-8
    assert ratios[m][1] > 2 and ratios[m][1] > 1.5 * ratios[m][0]
    assert extreme > 0.8 and wrong < 0.02
    assert np.all(np.diff(histories[m]) <= 0)
