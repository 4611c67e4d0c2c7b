"""Operations on a GPU: value, and value with gradients, beside CuPy's own value.

The operations are written once, for any device: ``asv_bench/gpu.py`` makes its tables of them, and
the classes below record their times with asv, where there is a GPU; elsewhere asv leaves them out.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from autograd import make_vjp
from autograd.extend import vspace

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


class Sizes(NamedTuple):
    """n of the n × n grids."""

    large: int  # products and sums: a 5-point matrix has 5 n² entries
    middle: int  # substitution, iterations
    small: int  # factorised on the host
    schwarz: int  # decomposed


SIZES = Sizes(large=1500, middle=700, small=200, schwarz=54)


class Operation(NamedTuple):
    """A function of operands on the host or the device, and what it is compared with."""

    function: Any
    operands: tuple
    theirs: Any = None  # of cupyx.scipy.sparse.linalg and the operands, as CuPy's
    moved: Any = None  # bytes that have to be moved at least: for the value, with the gradients
    argnums: Any = None  # all, if not said


# ---- operands --------------------------------------------------------------------------------


def difference(n):
    """Second differences on a line."""
    return sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))


def flow(n):
    """5-point matrix of a convection-diffusion problem on an n × n grid, clearly not symmetric."""
    T, upwind = difference(n), sp.diags_array([-0.5, 0.5], offsets=[-1, 0], shape=(n, n))
    return sp.csr_array(sp.kronsum(T + upwind, T + 0.3 * upwind))


def definite(n):
    """5-point matrix, symmetric and positive definite."""
    T = difference(n) + 0.05 * sp.eye_array(n)
    return sp.csr_array(sp.kronsum(T, T))


def nine_point(n):
    """9-point matrix on the same grid."""
    T = difference(n)
    return sp.csr_array(sp.kron(T, T + 0.1 * sp.eye_array(n)))


def numbers(*shape):
    """Standard normal numbers."""
    return np.random.default_rng(0).standard_normal(shape)


def as_float32(*operands):
    """The same operands in single precision."""
    return tuple(x.astype(np.float32) for x in operands)


# ---- operations ------------------------------------------------------------------------------


def moved_by_product(A, columns=1):
    """Bytes of A @ x: A with 32-bit indices and x are read once, the result is written.

    With gradients: A and its indices are read again, with x and the cotangent of the result; the
    cotangents of A's entries and of x are written.
    """
    size, rows = A.dtype.itemsize, A.shape[0]
    value = A.nnz * (size + 4) + rows * (4 + 2 * columns * size)
    return value, value + A.nnz * (2 * size + 4) + rows * (4 + 3 * columns * size)


def moved_by_sum(A, B):
    """Bytes of A + B and its gradients, with an index for each entry of an operand."""
    operands, result = A.nnz + B.nnz, (abs(A) + abs(B)).nnz
    value = 12 * operands + 8 * result
    return value, value + 12 * operands + 8 * result


def moved_by_substitution(L):
    """Bytes of L⁻¹ b; the gradients are a second substitution and a product on L's pattern."""
    rows = L.shape[0]
    value = 12 * L.nnz + 20 * rows
    return value, 2 * value + 12 * L.nnz + 16 * rows


def spmv(sizes):
    A = flow(sizes.large)
    return Operation(lambda A, x: A @ x, (A, numbers(A.shape[1])),
                     lambda cpl, A, x: A @ x, moved_by_product(A))  # fmt: skip


def spmv32(sizes):
    operation = spmv(sizes)
    A, x = as_float32(*operation.operands)
    return operation._replace(operands=(A, x), moved=moved_by_product(A))


def spmm(sizes):
    A = flow(sizes.large)
    return Operation(lambda A, X: A @ X, (A, numbers(A.shape[1], 32)),
                     lambda cpl, A, X: A @ X, moved_by_product(A, 32))  # fmt: skip


def spgemm(sizes):
    A = flow(sizes.large)
    return Operation(lambda A, B: A @ B, (A, 0.5 * A), lambda cpl, A, B: A @ B)


def add(sizes):
    A, B = flow(sizes.large), nine_point(sizes.large)
    return Operation(lambda A, B: A + B, (A, B), lambda cpl, A, B: A + B, moved_by_sum(A, B))


def triangular(sizes):
    L = sp.csr_array(sp.tril(flow(sizes.middle)))
    return Operation(lambda L, b: spla.spsolve_triangular(L, b), (L, numbers(L.shape[0])),
                     lambda cpl, L, b: cpl.spsolve_triangular(L, b),
                     moved_by_substitution(L))  # fmt: skip


def direct(sizes):
    A = flow(sizes.small)
    return Operation(lambda A, b: spla.spsolve(A, b), (A, numbers(A.shape[0])),
                     lambda cpl, A, b: cpl.spsolve(A, b))  # fmt: skip


def conjugate_gradients(sizes):
    A = definite(sizes.middle)
    return Operation(lambda A, b: spla.cg(A, b, rtol=1e-8)[0], (A, numbers(A.shape[0])),
                     lambda cpl, A, b: cpl.cg(A, b, rtol=1e-8))  # fmt: skip


def minimal_residuals(sizes):
    A = definite(sizes.middle)
    return Operation(lambda A, b: spla.minres(A, b, rtol=1e-8)[0], (A, numbers(A.shape[0])),
                     lambda cpl, A, b: cpl.minres(A, b, tol=1e-8))  # fmt: skip


def eigenvalues(sizes):
    """Of a potential with peaks, so that the largest ones lie apart."""
    A = definite(sizes.small)
    A = A + sp.diags_array(50 * numbers(A.shape[0]) ** 2, format="csr")
    return Operation(lambda A: spla.eigsh(A, k=2, which="LA")[0], (A,),
                     lambda cpl, A: cpl.eigsh(A, k=2, which="LA"))  # fmt: skip


def approximate_inverse(sizes):
    """A step of examples/sparse_approximate_inverse.py."""
    A = flow(sizes.large)
    identity = sp.eye_array(A.shape[0], format="csr")
    return Operation(
        lambda M, A, identity: (identity - M @ A).power(2).sum(), (0.2 * A, A, identity),
        lambda cpl, M, A, identity: ((identity - M @ A).data ** 2).sum(), argnums=0,
    )  # fmt: skip


def schwarz(sizes):
    """A step of examples/schwarz.py: a graph network, a factorisation, 3 iterations."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import schwarz_table

    return Operation(*schwarz_table.training(schwarz_table.problem(sizes.schwarz)), argnums=0)


OPERATIONS = {
    "A @ x": spmv,
    "A @ x, float32": spmv32,
    "A @ X, 32 columns": spmm,
    "A @ B": spgemm,
    "A + B": add,
    "spsolve_triangular": triangular,
    "spsolve": direct,
    "cg": conjugate_gradients,
    "minres": minimal_residuals,
    "eigsh, 2 values": eigenvalues,
    "‖I − M A‖²": approximate_inverse,
    "Schwarz step": schwarz,
}
AGAINST_CUPY = [name for name in OPERATIONS if name != "Schwarz step"]


# ---- on the device ---------------------------------------------------------------------------


def device():
    """CuPy, if there is a GPU for it."""
    try:
        import cupy

        return cupy if cupy.cuda.runtime.getDeviceCount() else None
    except Exception:  # not installed, or whatever CuPy says where there is no driver
        return None


def moved(x):
    """An operand on the device: a matrix is made there, of CuPy's arrays."""
    if getattr(x, "format", None) not in ("csr", "csc"):
        return scipygrad.to_device(tuple(x) if hasattr(x, "_fields") else x)
    parts = scipygrad.to_device((x.data, x.indices, x.indptr))
    return getattr(sp, type(x).__name__)(parts, shape=x.shape)


def plain(x):
    """An operand on the device as CuPy has it by itself."""
    import cupyx.scipy.sparse as cps

    if not hasattr(x, "format"):
        return x
    return getattr(cps, f"{x.format}_matrix")((x.data, x.indices, x.indptr), shape=x.shape)


def with_gradients(operation, operands):
    """A call without arguments: the value and the gradients of a sum of its elements."""
    argnums = operation.argnums
    if argnums is None:
        argnums = tuple(range(len(operands))) if len(operands) > 1 else 0
    traced = make_vjp(operation.function, argnums)
    g = vspace(operation.function(*operands)).ones()

    def run():
        vjp, value = traced(*operands)
        return value, vjp(g)

    return run


class Device:
    """Value, and value with gradients; each waits for the device."""

    timeout = 600
    params = list(OPERATIONS)
    param_names = ["operation"]

    def setup(self, name):
        """Operands on the device, and each call once: kernels compiled, structure known."""
        cp = device()
        if cp is None:
            raise NotImplementedError("there is no GPU")
        operation = OPERATIONS[name](SIZES)
        operands = tuple(map(moved, operation.operands))
        self.wait = cp.cuda.get_current_stream().synchronize
        self.value = lambda: operation.function(*operands)
        self.vjp = with_gradients(operation, operands)
        self.vjp()

    def time_value(self, name):
        """Ours, untraced."""
        self.value()
        self.wait()

    def time_vjp(self, name):
        """Value and all gradients."""
        self.vjp()
        self.wait()


class CuPy:
    """CuPy's own value."""

    timeout = 600
    params = AGAINST_CUPY
    param_names = ["operation"]

    def setup(self, name):
        """The same operands, in CuPy's classes."""
        cp = device()
        if cp is None:
            raise NotImplementedError("there is no GPU")
        import cupyx.scipy.sparse.linalg as cpl

        operation = OPERATIONS[name](SIZES)
        operands = [plain(moved(x)) for x in operation.operands]
        self.wait = cp.cuda.get_current_stream().synchronize
        self.value = lambda: operation.theirs(cpl, *operands)
        self.value()

    def time_value(self, name):
        """CuPy alone."""
        self.value()
        self.wait()
