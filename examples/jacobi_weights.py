"""Learn the weights of the Jacobi iteration.

The error of weighted Jacobi, x ← x + Ω D⁻¹ (b − A x), is multiplied by I − Ω D⁻¹ A in every step.
Minimise its Frobenius norm over the diagonal matrix Ω, for the 1-D Poisson matrix A. By hand:
2/3 at the inner points, 4/5 at the two ends.

    python jacobi_weights.py [--plot jacobi_weights.png]
"""

import argparse

import numpy as np
from autograd import value_and_grad

import scipygrad.sparse as sp


def poisson(N):
    """1-D Poisson matrix, Dirichlet conditions."""
    return sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(N, N), format="csr")


def frobenius_loss(N):
    """‖I − Ω D⁻¹ A‖²_F as a function of Ω, written as SciPy code is."""
    A = poisson(N)
    Dinv = sp.diags(1 / A.diagonal())
    identity = sp.eye(N)

    def loss(Omega):
        return (identity - Omega @ Dinv @ A).power(2).sum()

    return loss


def adam(loss, Omega, steps, learning_rate=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    """Adam on the stored entries of a sparse matrix (Kingma and Ba, 2015)."""
    value_and_gradient = value_and_grad(loss)
    m, v = np.zeros_like(Omega.data), np.zeros_like(Omega.data)
    losses = []
    for t in range(1, steps + 1):
        value, gradient = value_and_gradient(Omega)  # a sparse matrix, as Omega is
        m = beta1 * m + (1 - beta1) * gradient.data
        v = beta2 * v + (1 - beta2) * gradient.data**2
        step = (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        Omega = Omega.copy()
        Omega.data = Omega.data - learning_rate * step
        losses.append(value)
    return Omega, losses


def main():
    """Learn the weights for two sizes, check them, draw them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--plot", metavar="FILE", help="write the picture there")
    args = parser.parse_args()

    learned = {}
    for N in (16, 4096):
        loss = frobenius_loss(N)
        Omega, losses = adam(loss, sp.diags(np.ones(N)), steps=50)
        weights = Omega.diagonal()
        print(f"N = {N:5d}, 50 steps:  inside {weights[N // 2]:.6f}  ends {weights[0]:.6f}"
              f"  loss {losses[0]:.4f} -> {loss(Omega):.4f}")  # fmt: skip
        if N == 16:
            assert abs(weights[N // 2] - 0.658677) < 1e-6 and abs(weights[0] - 0.792424) < 1e-6
        Omega, more = adam(loss, Omega, steps=450)
        weights = Omega.diagonal()
        print(f"N = {N:5d}, converged: inside {weights[N // 2]:.6f}  ends {weights[0]:.6f}"
              f"  loss {loss(Omega):.4f}")  # fmt: skip
        learned[N] = weights, losses + more

    if args.plot:
        draw(learned[16], args.plot)
        print(f"picture: {args.plot}")

    for weights, _ in learned.values():
        assert np.allclose(weights[1:-1], 2 / 3, atol=1e-5), weights
        assert np.allclose(weights[[0, -1]], 4 / 5, atol=1e-5), weights


def draw(result, file):
    """The weights along the line, and the loss."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    weights, losses = result
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.plot(np.arange(1, len(weights) + 1), weights, "o-", label="learned")
    left.axhline(2 / 3, color="gray", ls="--", label="2/3")
    left.axhline(4 / 5, color="gray", ls=":", label="4/5")
    left.set(xlabel="grid point", ylabel="weight", title="Jacobi weights, 1-D Poisson")
    left.legend()
    right.plot(losses)
    right.set(xlabel="Adam step", ylabel="‖I − Ω D⁻¹ A‖²", title="loss")
    fig.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
