r"""
Weights of the Jacobi iteration
===============================

Weighted Jacobi, :math:`x \leftarrow x + \Omega D^{-1} (b - A x)` with a diagonal :math:`\Omega`,
multiplies the error by :math:`I - \Omega D^{-1} A` in each step. We learn :math:`\Omega` by
minimising

.. math:: \| I - \Omega D^{-1} A \|_F^2

for the Poisson matrix on a line and on a square. The loss is one line of SciPy code. Its gradient
with respect to :math:`\Omega` is a diagonal sparse matrix, as :math:`\Omega` is. What comes out is
known by hand: 2/3 inside the line and 4/5 at its ends, and more at the boundary of the square, too.

The problem is the first example of Nytko, Taghibakhshi, Zaman, MacLachlan, Olson and West,
*Optimized Sparse Matrix Operations for Reverse Mode Automatic Differentiation* (2022).
"""

# %%
# The loss as SciPy code
# ----------------------
# Where :math:`\Omega = I`, the whole diagonal of :math:`I - \Omega D^{-1} A` cancels. SciPy drops
# such entries; while a gradient is computed they are kept, because their derivative is not zero.
import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Adam, Study
from autograd import value_and_grad

import scipygrad.sparse as sp

study = Study(__file__)
n = study.size(24, 512)


def frobenius_loss(A):
    N = A.shape[0]
    Dinv = sp.diags(1 / A.diagonal())
    return lambda Omega: (sp.eye(N) - Omega @ Dinv @ A).power(2).sum()


def poisson(n):
    return sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n), format="csr")


# %%
# Learning
# --------
# Adam from :math:`\Omega = I`. After 50 steps the weights of the line are near the optimum, after
# 500 they are there.
def learn(A, steps, name):
    value_and_gradient = value_and_grad(frobenius_loss(A))
    training = study.training(
        steps, name, Omega=sp.diags(np.ones(A.shape[0])), adam=Adam(0.01), losses=[]
    )
    for _ in training:
        loss, gradient = value_and_gradient(training.Omega)  # a number, a diagonal matrix
        training.Omega = sp.diags(training.adam(training.Omega.diagonal(), gradient.diagonal()))
        training.losses.append(loss)
    return training.Omega, training.losses


line = poisson(16)
square = sp.kronsum(poisson(n), poisson(n), format="csr")

early = learn(line, 50, "line, 50 steps")[0].diagonal()
weights = {}
for A, name in (line, "line"), (square, "square"):
    Omega, losses = learn(A, 500, name)
    weights[name] = Omega.diagonal()
    print(f"{name}, {A.shape[0]} points: loss {losses[0]:.4f} -> {losses[-1]:.4f}")
print(f"line, 50 steps:  inside {early[8]:.6f}  ends {early[0]:.6f}")
print(f"line, 500 steps: inside {weights['line'][8]:.6f}  ends {weights['line'][0]:.6f}")


# %%
# By hand
# -------
# Each row :math:`a_i` of :math:`D^{-1} A` has its own weight, and :math:`\|e_i - \omega_i a_i\|^2`
# is smallest at :math:`\omega_i = a_{ii} / \|a_i\|^2`. On the line that is
# :math:`1 / (1 + 2/4) = 2/3`, and :math:`1 / (1 + 1/4) = 4/5` at the ends. On the square, with
# entries :math:`-1/4` beside the diagonal, it is :math:`1 / (1 + 4/16) = 4/5` inside,
# :math:`1 / (1 + 3/16) = 16/19` at the sides and :math:`1 / (1 + 2/16) = 8/9` in the corners:
# where neighbours are missing, the weight is larger.
def known_weights(A):
    scaled = sp.diags(1 / A.diagonal()) @ A
    return scaled.diagonal() / np.asarray(scaled.power(2).sum(axis=1)).ravel()


over_square = weights["square"].reshape(n, n)
print(f"square: inside {over_square[n // 2, n // 2]:.6f}  sides {over_square[0, n // 2]:.6f}  "
      f"corners {over_square[0, 0]:.6f}")  # fmt: skip

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
shown = over_square[:8, :8]
image = left.imshow(shown, cmap="cividis", origin="lower", extent=(0.5, 8.5, 0.5, 8.5))
fig.colorbar(image, ax=left, label="weight ω")
for i, j in (0, 0), (0, 4), (4, 0), (4, 4):
    left.text(j + 1, i + 1, f"{shown[i, j]:.3f}", ha="center", va="center", size=8,
              color="black" if shown[i, j] > 0.84 else "white")  # fmt: skip
left.set(xlabel="grid point", ylabel="grid point",
         title=f"A corner of the square of {n} × {n} points")  # fmt: skip
points = np.arange(1, 17)
right.plot(points, np.ones(16), ":", color="gray", label="start")
right.plot(points, early, "s--", color="C1", label="after 50 steps")
right.plot(points, weights["line"], "o-", color="C0", label="after 500 steps")
right.plot(points, known_weights(line), "kx", label="by hand: 2/3, ends 4/5")
right.set(xlabel="grid point", ylabel="weight ω", title="Line of 16 points")
right.legend()

# %%
# What the weights are good for
# -----------------------------
# Jacobi is used to smooth errors: what is left of them is then removed on a coarser grid. With
# :math:`\Omega = I` the error that alternates from point to point hardly decays; with the
# learned weights, three steps leave a smooth error.
Dinv = sp.diags(1 / square.diagonal())
noise = np.random.default_rng(0).standard_normal(n * n)
errors = {"random error": noise}
for name, omega in ("3 steps, Ω = I", np.ones(n * n)), ("3 steps, learned Ω", weights["square"]):
    error = noise
    for _ in range(3):
        error = error - sp.diags(omega) @ Dinv @ square @ error
    errors[name] = error


def roughness(e):
    return (e @ (square @ e)) / (e @ e)  # the Rayleigh quotient: 0 smooth, 8 alternating


fig, axes = plt.subplots(1, 3, figsize=(10, 3.7), layout="constrained")
for ax, (name, error) in zip(axes, errors.items(), strict=True):
    image = ax.imshow(error.reshape(n, n)[:24, :24], cmap="RdBu", vmin=-2, vmax=2, origin="lower")
    ax.set(title=f"{name}\nroughness {roughness(error):.2f}", xticks=[], yticks=[])
fig.colorbar(image, ax=axes, label="error")
study.show()
# sphinx_gallery_thumbnail_number = 2

# %%
# The numbers
# -----------
assert abs(early[8] - 0.658677) < 1e-6 and abs(early[0] - 0.792424) < 1e-6
assert np.allclose(weights["line"][1:-1], 2 / 3, rtol=1e-5)
assert np.allclose(weights["line"][[0, -1]], 4 / 5, rtol=1e-5)
assert np.allclose(over_square[1:-1, 1:-1], 4 / 5, rtol=1e-5)
assert np.allclose(over_square[0, 1:-1], 16 / 19, rtol=1e-5)
assert np.allclose(over_square[[0, 0, -1, -1], [0, -1, 0, -1]], 8 / 9, rtol=1e-5)
assert np.allclose(weights["square"], known_weights(square), rtol=1e-5)
start, plain, learned = map(roughness, errors.values())
assert learned < 0.5 * plain
