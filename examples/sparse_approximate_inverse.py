"""Learn a sparse approximate inverse and use it as a preconditioner.

Minimise ‖I − M A‖²_F over matrices M that have A's pattern, A the 2-D Poisson matrix. The gradient
with respect to M is a sparse matrix with M's pattern: no dense matrix is ever formed.

    python sparse_approximate_inverse.py [--n 64] [--plot sparse_approximate_inverse.png]
"""

import argparse

import numpy as np
from autograd import value_and_grad
from scipy.optimize import minimize

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


def poisson(n):
    """2-D 5-point Poisson matrix on an n × n grid."""
    T = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n))
    return sp.kronsum(T, T, format="csr")


def approximate_inverse(A, steps=100):
    """M with A's pattern that makes ‖I − M A‖²_F small, and the loss after each step."""
    identity = sp.eye(A.shape[0], format="csr")

    def loss(M):
        return (identity - M @ A).power(2).sum()

    M = A.copy()
    M.data = np.where(A.tocoo().row == A.tocoo().col, 1 / A.diagonal().mean(), 0.0)
    losses = [loss(M)]

    def value_and_entries(data):
        M.data = data
        value, gradient = value_and_grad(loss)(M)
        return value, gradient.data

    found = minimize(
        value_and_entries,
        M.data,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": steps},
        callback=lambda intermediate_result: losses.append(intermediate_result.fun),
    )
    M.data = found.x
    return M, losses


def residuals_of_cg(A, b, M=None):
    """Relative residual before each iteration of cg."""
    history = [1.0]
    x, info = spla.cg(
        A, b, rtol=1e-8, M=M,
        callback=lambda xk: history.append(np.linalg.norm(b - A @ xk) / np.linalg.norm(b)),
    )  # fmt: skip
    assert info == 0
    return history


def main():
    """Learn M, compare cg with and without it, draw the histories."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=64, help="points in each direction")
    parser.add_argument("--plot", metavar="FILE", help="write the picture there")
    args = parser.parse_args()

    A = poisson(args.n)
    M, losses = approximate_inverse(A)
    symmetric = (M + M.T) / 2  # cg wants a symmetric preconditioner
    b = np.random.default_rng(0).standard_normal(A.shape[0])
    plain, preconditioned = residuals_of_cg(A, b), residuals_of_cg(A, b, symmetric)
    before, after = len(plain) - 1, len(preconditioned) - 1
    print(f"{args.n}² grid, {A.nnz} stored entries in A and in M")
    print(f"‖I − M A‖²: {losses[0]:.2f} -> {losses[-1]:.2f} in {len(losses) - 1} steps")
    print(f"cg iterations to 1e-8: {before} without, {after} with M")

    if args.plot:
        draw(losses, plain, preconditioned, args.plot)
        print(f"picture: {args.plot}")

    assert np.array_equal(M.indices, A.indices) and np.array_equal(M.indptr, A.indptr)
    assert losses[-1] < 0.75 * losses[0]
    assert after < 0.75 * before, (before, after)


def draw(losses, plain, preconditioned, file):
    """The loss, and the residual histories of cg."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    left.plot(losses)
    left.set(xlabel="L-BFGS step", ylabel="‖I − M A‖²", title="loss")
    right.semilogy(plain, label="cg")
    right.semilogy(preconditioned, label="cg with the learned M")
    right.set(xlabel="iteration", ylabel="relative residual", title="2-D Poisson")
    right.legend()
    fig.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
