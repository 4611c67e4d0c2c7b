r"""
Heavy ball: learn an iteration by differentiating it
====================================================

The heavy-ball iteration for :math:`A x = b`,

.. math:: x_{k+1} = x_k + \alpha (b - A x_k) + \beta (x_k - x_{k-1}),

is three lines of code. Differentiated through all its steps, it learns its own parameters: those
that make the error after :math:`K` steps smallest. For :math:`K \to \infty` the best pair is known,

.. math:: \alpha^* = \frac{4}{(\sqrt{\lambda_{\max}} + \sqrt{\lambda_{\min}})^2}, \qquad
          \beta^* = \Bigl(\frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}\Bigr)^2, \qquad
          \kappa = \lambda_{\max} / \lambda_{\min},

from the eigenvalues of :math:`A`, which the learned pair never sees. With a pair
:math:`(\alpha_k, \beta_k)` for each step, the best that can be learned for one right side is also
known: the conjugate gradient method. Learning finds it, to ten digits.

Polyak, *Some Methods of Speeding up the Convergence of Iteration Methods* (1964); Hestenes and
Stiefel, *Methods of Conjugate Gradients for Solving Linear Systems* (1952); Gutknecht and Röllin,
*The Chebyshev Iteration Revisited* (2002).
"""

# %%
# The iteration
# -------------
# It is a function like any other: ``A @ x`` with a sparse matrix inside a loop.
import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Study
from autograd import value_and_grad

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)
n, steps = study.size((16, 80), (48, 200))
T = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n))
A = sp.kronsum(T, T, format="csr")
solutions = np.random.default_rng(0).standard_normal((n * n, 4))
solution = solutions[:, 0]


def heavy_ball(alpha, beta, b):
    """The iterates, with a pair of parameters for each step."""
    x = previous = np.zeros_like(b)
    for a, m in zip(alpha, beta, strict=True):
        x, previous = x + a * (b - A @ x) + m * (x - previous), x
        yield x


def error(x, solution):
    """Relative, in the norm of A."""
    e = x - solution
    return np.sqrt(np.sum(e * (A @ e)) / np.sum(solution * (A @ solution)))


# %%
# One pair for all steps
# ----------------------
# The loss is the mean of the logarithm of the error over the last third of the steps, for four
# random solutions together, so that no step is good by chance. The eigenvalues of :math:`A` are
# below 8, and so the iteration diverges for sure outside of :math:`0 < \alpha < 1/2`,
# :math:`0 < \beta < 1`: L-BFGS is kept inside.
def loss(pair):
    alpha, beta = pair[0] * np.ones(steps), pair[1] * np.ones(steps)
    late = list(heavy_ball(alpha, beta, A @ solutions))[-(steps // 3) :]
    return sum(np.log10(error(X, solutions)) for X in late) / len(late)


pair, losses = study.minimize(
    value_and_grad(loss), np.array([0.2, 0.5]), 100, "pair", bounds=[(0, 0.5), (0, 1)]
)

(smallest,), (largest,) = (
    spla.eigsh(A, k=1, which=end, return_eigenvectors=False) for end in ("SA", "LA")
)
root = np.sqrt(largest / smallest)
known = np.array([4 / (np.sqrt(largest) + np.sqrt(smallest)) ** 2, ((root - 1) / (root + 1)) ** 2])
print(f"{n} × {n} points, {steps} steps")
print(f"learned: α = {pair[0]:.4f}, β = {pair[1]:.4f}, error {10 ** losses[-1]:.2e}")
print(f"known:   α = {known[0]:.4f}, β = {known[1]:.4f}, error {10 ** loss(known):.2e}")

# %%
# The same error over the plane of the two parameters. The known pair is the best for infinitely
# many steps and the worst right side; the learned one is for this number of steps and these right
# sides. It keeps away from the edge, beyond which the iteration diverges.
alphas, betas = np.linspace(0.02, 0.5, 31), np.linspace(0.02, 0.98, 31)
plane = np.array([[loss(np.array([a, m])) for a in alphas] for m in betas])

fig, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
levels = np.arange(np.floor(plane.min() * 2), 1) / 2
colors = plt.get_cmap("viridis").with_extremes(over="0.85")
image = ax.contourf(alphas, betas, plane, levels=levels, cmap=colors, extend="max")
fig.colorbar(image, ax=ax, label="log10 of the error")
ax.text(0.4, 0.25, "diverges", ha="center", color="0.4")
ax.plot(*known, "w*", ms=16, mec="k", label="known, for infinitely many steps")
ax.plot(*pair, "o", color="C1", mec="k", ms=9, label="learned")
ax.set(
    xlabel="α",
    ylabel="β",
    title=f"Poisson matrix on {n} × {n} points, the last third of {steps} steps",
)
ax.legend(loc="lower left")
study.show()


# %%
# A pair for each step
# --------------------
# Twice as many parameters as steps, for one right side. After :math:`K` steps the error is a
# polynomial of degree :math:`K` in :math:`A` times the first error, and ``cg`` finds the best of
# all; with the right :math:`(\alpha_k, \beta_k)`, heavy ball is ``cg``. Chebyshev's iteration, from
# which learning starts, is heavy ball with the pairs that are best for the worst right side.
few = study.size(12, 24)
b = A @ solution


def loss_of_pairs(pairs):
    *_, x = heavy_ball(pairs[:few], pairs[few:], b)
    return np.log10(error(x, solution))


def chebyshev(steps):
    middle, radius = (largest + smallest) / 2, (largest - smallest) / 2
    omega = [1.0, 2 / (2 - (radius / middle) ** 2)]
    while len(omega) < steps:
        omega.append(1 / (1 - (radius / middle) ** 2 * omega[-1] / 4))
    return np.array(omega) / middle, np.array(omega) - 1


pairs, _ = study.minimize(
    value_and_grad(loss_of_pairs), np.concatenate(chebyshev(few)), 1000, "pairs", tol=1e-15
)
by_cg = []
spla.cg(A, b, rtol=0, maxiter=few, callback=lambda x: by_cg.append(error(x, solution)))
histories = {
    "heavy ball, known pair": heavy_ball(known[0] * np.ones(few), known[1] * np.ones(few), b),
    "Chebyshev": heavy_ball(*chebyshev(few), b),
    "heavy ball, learned pairs": heavy_ball(pairs[:few], pairs[few:], b),
}
histories = {name: [error(x, solution) for x in iterates] for name, iterates in histories.items()}
histories["cg"] = by_cg
for name, errors in histories.items():
    print(f"error after {few} steps, {name}: {errors[-1]:.10e}")

fig, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
for (name, errors), style in zip(histories.items(), ("s:", "^-.", "o-", "x--"), strict=True):
    ax.semilogy(range(few + 1), [1, *errors], style, label=name)
ax.set(xlabel="step", ylabel="relative error in the norm of A",
       title=f"Learned for the error after {few} steps")  # fmt: skip
ax.legend()
study.show()

# %%
# The numbers
# -----------
# That the learned pair is a minimum is checked without any gradient, by differences: a step of
# Newton's method that is made of them would not move it.
for k in range(2):
    h = 1e-4 * np.eye(2)[k]
    below, here, above = loss(pair - h), loss(pair), loss(pair + h)
    curvature = above - 2 * here + below
    assert curvature > 0
    assert abs(1e-4 * (above - below) / 2 / curvature) < 1e-4 * pair[k]
assert losses[-1] < loss(known)
assert abs(pair[0] / known[0] - 1) < 0.05 and abs(pair[1] / known[1] - 1) < 0.05
assert abs(histories["heavy ball, learned pairs"][-1] / by_cg[-1] - 1) < 1e-6
assert by_cg[-1] < 0.5 * histories["Chebyshev"][-1]
