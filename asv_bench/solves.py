"""Direct solves, second derivatives, start-up: rows that have a reference of their own.

    python solves.py [--seconds 5] [--only TEXT]

Prints a Markdown table of ratios to the reference that each row names, measured in turns, medians.
"""

import argparse
import subprocess
import sys
from importlib.util import find_spec
from statistics import median
from time import perf_counter

import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as theirs
from autograd import grad, hessian_vector_product
from autograd.core import make_vjp
from autograd.extend import defvjp_argnums, primitive
from benchmarks.common import OURS, ours, poisson_1d, poisson_2d, value_and_gradients, vector
from benchmarks.examples import JacobiWeights, SparseApproximateInverse
from ratios import seconds

import scipygrad.linalg
import scipygrad.sparse.linalg as spla


def rows():
    """Name, call, name of the reference, reference; made when they are needed."""
    yield "spsolve, 512², value + gradients", _solve, "its value alone", _solve_value
    yield "spsolve, 512², value + gradients", _solve, "a primitive that factorises twice", _twice
    yield "spsolve, 32³, value", _poisson_3d, "SciPy's", _poisson_3d_scipy
    if find_spec("pypardiso"):
        yield "spsolve, 32³, value, pardiso", _pardiso, "SciPy's", _poisson_3d_scipy
    for N in ("16", "16384"):
        product, gradient = _second_order(*JacobiWeights().problem(N))
        name = f"Hessian-vector product, Jacobi loss, N = {N}"
        yield name, lambda f=product: f, "its gradient", lambda f=gradient: f
    product, gradient = _second_order(*SparseApproximateInverse().problem("64"))
    name = "Hessian-vector product, approximate inverse, 64²"
    yield name, lambda: product, "its gradient", lambda: gradient


def _system():
    return poisson_2d(512).tocsc(), vector(512**2)


def _spsolve(lib, A, b):
    return lib.spla.spsolve(A, b)


def _solve():
    return value_and_gradients(_spsolve, _system())


def _solve_value():
    A, b = _system()
    A = ours(A)
    return lambda: spla.spsolve(A, b)


def _twice():
    """As people write it: spsolve forward, spsolve with the transpose backward."""
    A, b = _system()
    i, j = A.tocoo().coords

    def matrix(a):
        return sps.csc_array((a, A.indices, A.indptr), shape=A.shape)

    @primitive
    def solve(a, b):
        return theirs.spsolve(matrix(a), b)

    def vjp(argnums, x, args, kwargs):
        def pull(g):
            w = theirs.spsolve(matrix(args[0]).T.tocsc(), g)
            both = -w[i] * x[j], w
            return tuple(both[k] for k in argnums)

        return pull

    defvjp_argnums(solve, vjp)
    g = np.ones(len(b))

    def run():
        pull, x = make_vjp(lambda operands: solve(*operands), (A.data, b))
        return x, pull(g)

    return run


def _cube():
    T = poisson_1d(32)
    A = sps.kronsum(sps.kronsum(T, T), T, format="csc")
    return A, vector(A.shape[0])


def _poisson_3d():
    A, b = _cube()
    A = ours(A)
    return lambda: spla.spsolve(A, b)


def _poisson_3d_scipy():
    A, b = _cube()
    return lambda: theirs.spsolve(A, b)


def _pardiso():
    run = _poisson_3d()

    def call():
        scipygrad.linalg.use_solver(solver="pardiso")
        try:
            return run()
        finally:
            scipygrad.linalg.use_solver(solver="superlu")

    return call


def _second_order(step, operands):
    """The product of the Hessian with a direction, and the gradient, of a loss of one matrix."""
    (M,) = map(ours, operands)

    def loss(M):
        return step(OURS, M)

    direction, gradient, product = M * 0.5, grad(loss), hessian_vector_product(loss)
    return lambda: product(M, direction), lambda: gradient(M)


# ---- start-up --------------------------------------------------------------------------------

SCIPY = "import scipy.sparse, scipy.sparse.linalg, scipy.sparse.csgraph, autograd.numpy"
OURS_TOO = "import scipygrad.sparse"
FIRST = """
from time import perf_counter
import numpy as np
from autograd import grad
import scipygrad.sparse as sp
A = sp.csr_array(sp.diags_array([-1.0, 2.0, -1.5], offsets=[-1, 0, 1], shape=(1000, 1000)))
f = grad(lambda A: ((A @ A @ np.ones(1000)) ** 2).sum())
times = []
for _ in range(2):
    start = perf_counter()
    f(A)
    times.append(perf_counter() - start)
print(times[0] - times[1])
"""


def startup(turns=7):
    """Seconds that the import takes beyond SciPy's and autograd's; that the first gradient does."""
    python = [sys.executable, "-c"]
    imports = {SCIPY: [], OURS_TOO: []}
    first = []
    for _ in range(turns):
        for code, times in imports.items():
            start = perf_counter()
            subprocess.run([*python, code], check=True)
            times.append(perf_counter() - start)
        first.append(
            float(subprocess.run([*python, FIRST], check=True, capture_output=True).stdout)
        )
    return median(imports[OURS_TOO]) - median(imports[SCIPY]), median(first[1:])


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=5, help="for each row, at least 5 turns")
    parser.add_argument("--only", default="", metavar="TEXT", help="rows whose name has it")
    args = parser.parse_args()

    print("| operation | in units of | ratio |")
    print("|---|---|---:|")
    for name, call, reference_name, reference in rows():
        if args.only not in name:
            continue
        calls = call(), reference()
        times = []
        for run in calls:
            run()
        end = perf_counter() + args.seconds
        while len(times) < 5 or perf_counter() < end:
            times.append([seconds(run) for run in calls])
        mine, other = (median(column) for column in zip(*times, strict=True))
        print(f"| {name} | {reference_name} | {mine / other:.2f} |", flush=True)
    if args.only in "start-up":
        imports, first = startup()
        print(f"\n`import scipygrad.sparse`: {imports:.2f} s beyond SciPy and autograd. First "
              f"gradient in a fresh process, kernels cached on disk: {first:.2f} s beyond the "
              f"second.")  # fmt: skip


if __name__ == "__main__":
    main()
