"""One step of an application: value and gradient, beside its arithmetic alone.

    python steps.py [--seconds 5] [--only TEXT]

Prints a Markdown table, measured in turns, medians. A case has three calls that compute the same:

- the step, as `value_and_grad` of code written as for SciPy;
- SciPy's forward: the same code with SciPy's imports, the value only;
- the arithmetic of the step alone: forward and adjoint by hand, on raw arrays, with the structure
  worked out before, and with the same kernels and factorisations as in the step.

What the step takes beyond the third is tracing, objects, checks and structure found again.
"""

import argparse
from statistics import median
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as theirs
from autograd import value_and_grad
from benchmarks.common import OURS, SCIPY, convection_diffusion, poisson_2d, vector
from ratios import seconds

from scipygrad._backend import cpu, entrywise
from scipygrad._core.pattern import Pattern
from scipygrad.linalg._factor import SYMMETRIC
from scipygrad.sparse._matmul import Triples


class Case(NamedTuple):
    """Three calls without arguments; each returns what it computed."""

    step: Any
    scipy: Any
    arithmetic: Any


def rows():
    """Name and case; cases are made when they are needed."""
    for nx, ny in ((60, 20), (120, 40), (300, 100)):
        yield f"topology optimisation, {nx} × {ny} elements", lambda n=(nx, ny): topology(*n)
    for n in (32, 128):
        for columns, shape in (("one vector", ()), ("4 vectors", (4,))):
            name = f"multigrid, 3-level V-cycle, {n}², {columns}"
            yield name, lambda n=n, shape=shape: multigrid(n, shape)
    for n in (64, 128, 512):
        yield f"sparse approximate inverse, {n}² grid", lambda n=n: approximate_inverse(n)


# ---- topology optimisation: compliance of an MBB beam ------------------------------------------


def topology(nx, ny, p=3, E_min=1e-9):
    """Filter, assembly from element matrices, free displacements, spsolve, compliance."""
    x_of, y_of = (a.ravel() for a in np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij"))
    nodes = ((ny + 1) * x_of + y_of)[:, None] + np.array([1, ny + 2, ny + 1, 0])
    dofs = np.stack([2 * nodes, 2 * nodes + 1], axis=-1).reshape(nx * ny, 8)
    i, j = np.repeat(dofs, 8, axis=1).ravel(), np.tile(dofs, (1, 8)).ravel()
    n = 2 * (nx + 1) * (ny + 1)
    free = np.setdiff1d(np.arange(n), np.append(np.arange(0, 2 * (ny + 1), 2), n - 1))
    f = np.zeros(n)
    f[1] = -1.0
    f = f[free]
    KE = _element()
    filters = {lib.sp: lib.sp.csr_array(_filter(nx, ny, 0.04 * nx)) for lib in (SCIPY, OURS)}

    def compliance(lib, x):
        numpy = anp if lib is OURS else np
        rho = filters[lib.sp] @ x
        E = E_min + rho**p * (1 - E_min)
        data = numpy.ravel(numpy.reshape(E, (-1, 1)) * KE.ravel())
        K = lib.sp.coo_array((data, (i, j)), shape=(n, n)).tocsc()
        u = lib.spla.spsolve(K[free][:, free], f)
        return numpy.dot(f, u)

    # Where the contributions go in the matrix of the free displacements, once.
    K = sps.coo_array((np.ones(len(i)), (i, j)), shape=(n, n)).tocsc()
    K.data = np.arange(1.0, K.nnz + 1)
    A = K[free][:, free]
    place = np.full(K.nnz, -1, np.int32)
    place[A.data.astype(int) - 1] = np.arange(A.nnz)
    entry = sps.csc_array((np.arange(K.nnz), K.indices, K.indptr), shape=K.shape)
    place = place[np.asarray(entry.tocsr()[i, j]).ravel()].astype(np.int32)
    rows_of, columns_of = A.indices, np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    H = filters[SCIPY.sp]
    HT = H.T

    def by_hand(x):
        rho = H @ x
        E = E_min + rho**p * (1 - E_min)
        data = np.ravel(E[:, None] * KE.ravel())
        A.data = cpu.scatter_add(data, place, A.nnz)
        lu = theirs.splu(A, **SYMMETRIC)
        u = lu.solve(f)
        w = lu.solve(f, trans="T")
        d_K = -w[rows_of] * u[columns_of]
        d_data = entrywise.gather(d_K, place)
        d_E = d_data.reshape(-1, 64) @ KE.ravel()
        return f @ u, HT @ (d_E * p * rho ** (p - 1) * (1 - E_min))

    x = np.random.default_rng(0).uniform(0.2, 0.8, nx * ny)
    gradient = value_and_grad(lambda x: compliance(OURS, x))
    return Case(lambda: gradient(x), lambda: compliance(SCIPY, x), lambda: by_hand(x))


def _element(nu=0.3):
    """Stiffness of a bilinear square element, plane stress."""
    C = np.array([[1, nu, 0], [nu, 1, 0], [0, 0, (1 - nu) / 2]]) / (1 - nu**2)
    KE = np.zeros((8, 8))
    for s in (-(3**-0.5), 3**-0.5):
        for t in (-(3**-0.5), 3**-0.5):
            B = np.zeros((3, 8))
            B[0, 0::2] = B[2, 1::2] = np.array([t - 1, 1 - t, 1 + t, -1 - t]) / 2
            B[1, 1::2] = B[2, 0::2] = np.array([s - 1, -1 - s, 1 + s, 1 - s]) / 2
            KE += B.T @ C @ B / 4
    return KE


def _filter(nx, ny, radius):
    """Weighted means over the neighbours of each element."""
    r = int(np.ceil(radius)) - 1
    x, y = (a.ravel() for a in np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij"))
    i, j, w = [], [], []
    for dx in range(-r, r + 1):
        for dy in range(-r, r + 1):
            weight = radius - np.hypot(dx, dy)
            inside = (0 <= x + dx) & (x + dx < nx) & (0 <= y + dy) & (y + dy < ny)
            if weight > 0:
                e = np.flatnonzero(inside)
                i.append(e)
                j.append(e + dx * ny + dy)
                w.append(np.full(len(e), weight))
    coords = np.concatenate(i), np.concatenate(j)
    H = sps.csr_array((np.concatenate(w), coords), shape=(nx * ny, nx * ny))
    return sps.diags_array(1 / H.sum(axis=1)) @ H


# ---- algebraic multigrid: what is left of an error after a V-cycle ------------------------------


def multigrid(n, shape, levels=3):
    """Relaxations with the structure of the matrices of smoothed aggregation are differentiated."""
    import pyamg

    solver = pyamg.smoothed_aggregation_solver(
        convection_diffusion(n, (8.0, 3.0)), max_levels=levels, symmetry="nonsymmetric",
        smooth=("jacobi", {"weighting": "local"}),
    )  # fmt: skip
    *fine, coarsest = solver.levels
    factors = {lib.sp: lib.spla.splu(lib.sp.csc_array(coarsest.A)) for lib in (SCIPY, OURS)}

    def v_cycle(lib, M, b, level=0):
        if level == len(fine):
            return factors[lib.sp].solve(b)
        A, P, R = fine[level].A, fine[level].P, fine[level].R
        x = M[level] @ b
        x = x + P @ v_cycle(lib, M, R @ (b - A @ x), level + 1)
        return x + M[level] @ (b - A @ x)

    def loss(lib, M, z):
        numpy = anp if lib is OURS else np
        return numpy.sqrt(numpy.sum((z - v_cycle(lib, M, fine[0].A @ z)) ** 2))

    given = {lib.sp: [_relaxation(lib, level.A) for level in fine] for lib in (SCIPY, OURS)}
    M = given[SCIPY.sp]
    patterns = [Pattern.of(m) for m in M]
    AT, PT, RT = ([getattr(level, name).T for level in fine] for name in "APR")

    def forward(b, kept, level=0):
        if level == len(fine):
            return factors[SCIPY.sp].solve(b)
        A, P, R = fine[level].A, fine[level].P, fine[level].R
        x = M[level] @ b
        x += P @ forward(R @ (b - A @ x), kept, level + 1)
        r = b - A @ x
        kept[level] = b, r
        return x + M[level] @ r

    def backward(g, kept, M_bar, level=0):
        """Cotangents of the relaxations into `M_bar`; that of b, which the finest has not."""
        if level == len(fine):
            return factors[SCIPY.sp].solve(g, "T")
        (b, r), data, pattern = kept[level], M[level].data, patterns[level]
        M_bar[level], r_bar = cpu.spmm_cotangents(g, data, r, pattern)
        x_bar = g - AT[level] @ r_bar
        first_bar = RT[level] @ backward(PT[level] @ x_bar, kept, M_bar, level + 1)
        x_bar -= AT[level] @ first_bar
        if level == 0:
            M_bar[level] += cpu.sampled_outer(x_bar, b, pattern)
            return None
        more, b_bar = cpu.spmm_cotangents(x_bar, data, b, pattern)
        M_bar[level] += more
        b_bar += r_bar
        b_bar += first_bar
        return b_bar

    def by_hand(z):
        kept, M_bar = [None] * len(fine), [None] * len(fine)
        e = z - forward(fine[0].A @ z, kept)
        value = np.sqrt(np.sum(e**2))
        backward(e / -value, kept, M_bar)
        return value, M_bar

    z = vector(n * n, *shape)
    gradient = value_and_grad(lambda M: loss(OURS, M, z))
    return Case(lambda: gradient(given[OURS.sp]), lambda: loss(SCIPY, M, z), lambda: by_hand(z))


def _relaxation(lib, A, omega=0.7):
    """Damped Jacobi with all the stored entries of A."""
    M = lib.sp.csr_array(A, copy=True)
    M.data[:] = 0
    M.setdiag(omega / A.diagonal())
    return M


# ---- sparse approximate inverse: ‖I − M A‖² ---------------------------------------------------


def approximate_inverse(n):
    """The loss of examples/sparse_approximate_inverse.py; M has A's structure."""
    A = {lib.sp: lib.sp.csr_matrix(poisson_2d(n)) for lib in (SCIPY, OURS)}
    identity = {lib.sp: lib.sp.eye(n * n, format="csr") for lib in (SCIPY, OURS)}

    def loss(lib, M):
        return (identity[lib.sp] - M @ A[lib.sp]).power(2).sum()

    P = A[SCIPY.sp]
    ones = sps.csr_matrix((np.ones(P.nnz), P.indices, P.indptr), shape=P.shape)
    C = ones @ ones
    triples = Triples(*((X.indptr, X.indices) for X in (P, P, C)), n * n)
    diagonal = np.flatnonzero(C.indices == np.repeat(np.arange(n * n), np.diff(C.indptr)))

    def by_hand(m):
        c = cpu.product(m, P.data, triples)
        np.negative(c, out=c)
        c[diagonal] += 1
        value = np.square(c).sum()
        c *= -2
        return value, cpu.product_left(c, P.data, triples)

    M = {lib.sp: A[lib.sp].copy() for lib in (SCIPY, OURS)}
    for of_lib in M.values():
        of_lib.data = 0.2 * P.data + 0.1 * np.random.default_rng(0).standard_normal(P.nnz)
    mine, plain = M[OURS.sp], M[SCIPY.sp]
    gradient = value_and_grad(lambda M: loss(OURS, M))
    return Case(lambda: gradient(mine), lambda: loss(SCIPY, plain), lambda: by_hand(plain.data))


# ---- measuring ---------------------------------------------------------------------------------


def checked(case):
    """The case, run once, and its three values and two gradients compared."""
    value, gradient = case.step()
    by_hand, by_hand_gradient = case.arithmetic()
    np.testing.assert_allclose([by_hand, value], case.scipy(), rtol=1e-6)
    for g, h in zip(_arrays(gradient), _arrays(by_hand_gradient), strict=True):
        np.testing.assert_allclose(g, h, rtol=1e-6, atol=1e-6 * abs(h).max())
    return case


def _arrays(gradient):
    parts = gradient if isinstance(gradient, (tuple, list)) else [gradient]
    return [part.data if sps.issparse(part) else np.asarray(part) for part in parts]


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5, help="for each row, at least 5 turns")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has it")
    args = parser.parse_args()

    print("| step | value + gradient, ms | SciPy forward, ms | ratio | arithmetic, ms | the rest |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, make in rows():
        if args.only not in name:
            continue
        case, times, spent = checked(make()), [], 0.0
        while len(times) < 5 or spent < args.seconds:
            times.append([seconds(call) for call in case])
            spent += sum(times[-1])
        step, scipy, arithmetic = (1e3 * median(column) for column in zip(*times, strict=True))
        rest = median(1 - turn[2] / turn[0] for turn in times)
        print(f"| {name} | {step:.3g} | {scipy:.3g} | {step / scipy:.2f} | {arithmetic:.3g} "
              f"| {rest:.0%} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
