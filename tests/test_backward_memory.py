"""The backward pass of the most used operations stays within a few times what they store."""

import gc
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import make_vjp
from autograd.extend import vspace

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

N = 48  # points in each direction of the grid
ROWS = N * N

ENDS = sps.diags_array(np.maximum(80.0 - 10 * np.arange(ROWS), 0))  # eigenvalues that are apart

OPERATIONS = {
    "A @ x": lambda A, B, x: A @ x,
    "A @ X": lambda A, B, x: A @ np.ones((ROWS, 32)),
    "A @ B": lambda A, B, x: A @ B,
    "A + B": lambda A, B, x: A + B,
    "A + B, other structure": lambda A, B, x: A + B[::-1],
    "multiply": lambda A, B, x: A.multiply(B),
    "A[i:k]": lambda A, B, x: A[100:900],
    "A[::2, ::2]": lambda A, B, x: A[::2, ::2],
    "A.T.tocsr()": lambda A, B, x: A.T.tocsr(),
    "hstack": lambda A, B, x: sp.hstack([A, B], format="csr"),
    "spsolve": lambda A, B, x: spla.spsolve(A, x),
    "spsolve_triangular": lambda A, B, x: spla.spsolve_triangular(sp.tril(A, format="csr"), x),
    "cg": lambda A, B, x: spla.cg(A @ A.T, x, rtol=1e-3)[0],
    "expm_multiply": lambda A, B, x: spla.expm_multiply(A, x),
    "expm_multiply, 8 columns": lambda A, B, x: spla.expm_multiply(A, np.ones((ROWS, 8))),
    "eigsh": lambda A, B, x: spla.eigsh(A + A.T + ENDS, k=4, v0=np.ones(ROWS))[1],
}


def operands():
    """Two clearly non-symmetric five-point matrices and a vector."""
    line = sps.diags_array([-1.7, 3.0, -1.0], offsets=[-1, 0, 1], shape=(N, N))
    A = sp.csr_array(sps.kronsum(line, 2 * line, format="csr"))
    B = A.copy()
    rng = np.random.default_rng(0)
    B.data = rng.standard_normal(A.nnz)
    return A, B, rng.standard_normal(ROWS)


def stored(x):
    """Bytes of an array, or of entries and structure of a csr matrix."""
    if isinstance(x, np.ndarray):
        return x.nbytes
    x = x.tocsr()
    return x.data.nbytes + x.indices.nbytes + x.indptr.nbytes


@pytest.mark.parametrize("name", OPERATIONS)
def test_backward_takes_at_most_three_times_what_is_stored(name):
    given, operation = operands(), OPERATIONS[name]
    traced, result = make_vjp(operation, (0, 1, 2)), operation(*given)
    g = vspace(result).ones()
    traced(*given)[0](g)  # compiles, plans
    gc.collect()
    tracemalloc.start()
    try:
        vjp, _ = traced(*given)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        vjp(g)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak <= 3 * sum(map(stored, (*given, result)))


def test_a_plan_takes_no_more_than_a_few_indices_for_each_stored_entry():
    A, B, _ = operands()
    product = make_vjp(lambda A: A @ B, 0)
    make_vjp(lambda A: A @ A, 0)(A[:9, :9])  # compiles
    result = A @ B
    gc.collect()
    tracemalloc.start()
    try:
        vjp, ans = product(A)
        vjp(vspace(result).ones())
        del vjp, ans
        gc.collect()
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept <= 2 * sum(map(stored, (A, B, result)))
