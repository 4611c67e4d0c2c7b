"""Value + gradients in units of SciPy's forward: one process, measured in turns, medians.

    python ratios.py [--seconds 4] [--only TEXT]

Prints a Markdown table. All operands are differentiated unless the row says otherwise. The
structure stays the same from call to call, but for rows that say "first call".
"""

import argparse
from itertools import count
from statistics import median
from time import perf_counter

import scipy.sparse as sps
from benchmarks.common import (
    convection_diffusion,
    first_value_and_gradients,
    forward,
    interpolation_2d,
    ours,
    poisson_1d,
    poisson_2d,
    shifted,
    value,
    value_and_gradients,
    vector,
)
from benchmarks.examples import JacobiWeights
from benchmarks.sparse_assembly import StiffnessMatrix
from benchmarks.sparse_matmul import galerkin, matmul


def rows():
    """Name, function, and what makes the operands of the k-th call."""
    A = poisson_2d(1024)
    x, X = vector(A.shape[1]), vector(A.shape[1], 32)
    yield "A @ x, 2-D Poisson 1024²", matmul, lambda k: (A, x)
    yield "A @ X, 32 columns, 1024²", matmul, lambda k: (A, X)
    mine = {"scipygrad.sparse": ours(A), "scipy.sparse": A}
    yield "A @ x, A constant, 1024²", lambda lib, x: mine[lib.sp.__name__] @ x, lambda k: (x,)

    B = convection_diffusion(1024)
    C = B.copy()
    C.data = vector(B.nnz)
    yield "A @ B, 1024², same structure again", matmul, lambda k: (B, C)
    yield "A @ B, 1024², first call", matmul, lambda k: (shifted(B, k), C)
    yield "A @ A, 1024²", lambda lib, A: A @ A, lambda k: (B,)
    P = interpolation_2d(1024)
    yield "P.T @ A @ P, 1024²", galerkin, lambda k: (B, P)
    yield "P.T @ A @ P, 1024², first call", galerkin, lambda k: (shifted(B, k), P)
    U = B.T.tocsr()[::-1]
    yield "A + B, 1024², other structure", lambda lib, A, B: A + B, lambda k: (B, U)
    yield "A + B, 1024², same structure", lambda lib, A, B: A + B, lambda k: (B, C)
    yield "A.multiply(B), 1024²", lambda lib, A, B: A.multiply(B), lambda k: (B, C)
    yield "A.maximum(B), 1024²", lambda lib, A, B: A.maximum(B), lambda k: (B, C)

    quarter, half = B.shape[0] // 4, B.shape[0] // 2
    yield "A[i:k], 1024²", lambda lib, A: A[quarter:half], lambda k: (B,)
    yield "A[:, j:l], 1024²", lambda lib, A: A[:, quarter:half], lambda k: (B,)
    yield "A[::2, ::2], 1024²", lambda lib, A: A[::2, ::2], lambda k: (B,)
    T = poisson_1d(512)
    yield "kron, 512 ⊗ 512", lambda lib, A, B: lib.sp.kron(A, B, format="csr"), lambda k: (T, T)
    yield "hstack, 1024²", lambda lib, A, B: lib.sp.hstack([A, B], format="csr"), lambda k: (B, C)
    yield "vstack, 1024²", lambda lib, A, B: lib.sp.vstack([A, B], format="csr"), lambda k: (B, C)
    d = vector(1024**2)
    yield "diags, 3 × 1024²", _diags, lambda k: (d,)

    S, b = poisson_2d(512).tocsc(), vector(512**2)
    yield (
        "spsolve, 512², one right side",
        lambda lib, A, b: lib.spla.spsolve(A, b),
        lambda k: (S, b),
    )
    L = sps.tril(B, format="csr")
    yield "spsolve_triangular, 1024²", _triangular, lambda k: (L, d)
    for n in (32768, 262144):
        T = sps.tril(poisson_1d(n), format="csr")
        yield (
            f"spsolve_triangular, tridiagonal, {n}",
            _triangular,
            lambda k, T=T, n=n: (T, b[:n]),
        )

    for way in StiffnessMatrix.WAYS:
        assemble, operands = StiffnessMatrix().problem(way, "large")
        yield f"stiffness matrix: {way}", assemble, lambda k, operands=operands: operands

    for N in ("16", "16384"):
        step, operands = JacobiWeights().problem(N)
        yield f"Jacobi loss, N = {N}", step, lambda k, operands=operands: operands


def _diags(lib, d):
    return lib.sp.diags([d[1:], d, d[1:]], [-1, 0, 1], format="csr")


def _triangular(lib, A, b):
    return lib.spla.spsolve_triangular(A, b, lower=True)


def seconds(call):
    """Time of one call."""
    start = perf_counter()
    call()
    return perf_counter() - start


def measure(function, operands, fresh, budget):
    """Medians of SciPy's forward, ours untraced, and ours with gradients, measured in turns.

    `fresh`: new operands for each turn. The first turn, which compiles and plans, is not counted.
    """
    times, end = [], 0.0
    for k in count(1):
        if k == 1 or fresh:
            given = operands(k)
            gradients = first_value_and_gradients if fresh else value_and_gradients
            calls = [make(function, given) for make in (forward, value, gradients)]
        turn = [seconds(call) for call in calls]
        if k == 1:
            end = perf_counter() + budget
            continue
        times.append(turn)
        if len(times) >= 5 and perf_counter() > end or len(times) >= 2000:
            return [median(column) for column in zip(*times, strict=True)], len(times)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=4, help="for each row, at least 5 turns")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has it")
    args = parser.parse_args()

    print("| operation | SciPy forward, ms | ours untraced | value + gradients | turns |")
    print("|---|---:|---:|---:|---:|")
    for name, function, operands in rows():
        if args.only in name:
            (theirs, mine, both), turns = measure(
                function, operands, "first call" in name, args.seconds
            )
            print(f"| {name} | {theirs * 1e3:.3g} | {mine / theirs:.2f} | {both / theirs:.2f} "
                  f"| {turns} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
