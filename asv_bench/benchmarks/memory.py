"""Memory that a backward pass takes, in units of what operands and result store."""

import gc
import tracemalloc

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
from autograd import make_vjp
from autograd.extend import vspace

from .common import OURS, SCIPY, convection_diffusion, ours, poisson_1d, poisson_2d, vector


def operations(n):
    """Name: function of (lib, ...) and operands, on an n × n grid."""
    A = convection_diffusion(n)
    B, rows = sps.csr_array((vector(A.nnz), A.indices, A.indptr), shape=A.shape), A.shape[0]
    x, S = vector(rows), (poisson_2d(n) + sps.eye_array(rows)).tocsr()
    return {
        "A @ x": (lambda lib, A, x: A @ x, (A, x)),
        "A @ X, 32 columns": (lambda lib, A, X: A @ X, (A, vector(rows, 32))),
        "A @ B": (lambda lib, A, B: A @ B, (A, B)),
        "A + B, same structure": (lambda lib, A, B: A + B, (A, B)),
        "A + B, other structure": (lambda lib, A, B: A + B, (A, B[::-1])),
        "A.multiply(B)": (lambda lib, A, B: A.multiply(B), (A, B)),
        "A[i:k]": (lambda lib, A: A[rows // 4 : rows // 2], (A,)),
        "A[::2, ::2]": (lambda lib, A: A[::2, ::2], (A,)),
        "kron": (
            lambda lib, A, B: lib.sp.kron(A, B, format="csr"), (poisson_1d(n), poisson_1d(n)),
        ),
        "hstack": (lambda lib, A, B: lib.sp.hstack([A, B], format="csr"), (A, B)),
        "spsolve, without the factors": (_spsolve, (A.tocsc(), x)),
        "spsolve_triangular": (
            lambda lib, A, b: lib.spla.spsolve_triangular(A, b), (sps.tril(A, format="csr"), x),
        ),
        "cg": (lambda lib, A, b: lib.spla.cg(A, b, rtol=1e-8)[0], (S, x)),
        "dijkstra, 4 sources": (
            lambda lib, A: lib.sp.csgraph.dijkstra(A, indices=[0, 1, 2, 3]), (abs(A) + abs(B),),
        ),
        "expm_multiply": (lambda lib, A, b: lib.spla.expm_multiply(A, b), (-0.2 * S, x)),
        "eigsh, 4 values and vectors": (
            lambda lib, A: _joined(*lib.spla.eigsh(A, k=4, v0=np.ones(rows))), (_line(A),),
        ),
    }  # fmt: skip


def _spsolve(lib, A, b):
    return lib.spla.spsolve(A, b)


def _joined(w, V):
    return anp.concatenate([w, anp.ravel(V)])


def _line(A):
    """A symmetric matrix as large as A whose largest eigenvalues are simple and apart."""
    ends = np.zeros(A.shape[0])
    ends[:8] = 10.0 * np.arange(8)
    return (A + A.T + sps.diags_array(ends)).tocsr()


def stored(x):
    """Bytes of an array, or of the entries and structure of a sparse matrix."""
    if not sps.issparse(x):
        return x.nbytes
    return sum(v.nbytes for v in vars(x).values() if isinstance(v, np.ndarray)) + sum(
        c.nbytes for c in vars(x).get("coords", ())
    )


def ratios(function, operands):
    """Peak bytes over stored bytes: SciPy's value, the backward pass, everything the first time.

    The operands are not counted. The first time includes what is remembered about the structure.
    """
    plain = operands
    operands = tuple(map(ours, operands))
    traced = make_vjp(lambda *x: function(OURS, *x), tuple(range(len(operands))))
    result = function(OURS, *operands)
    size, g = sum(map(stored, (*operands, result))), vspace(result).ones()
    gc.collect()
    tracemalloc.start()
    try:
        vjp = traced(*operands)[0]
        vjp(g)
        first = tracemalloc.get_traced_memory()[1]
        backward = _peak(lambda: traced(*operands)[0], lambda vjp: vjp(g))
        value = _peak(lambda: None, lambda _: function(SCIPY, *plain))
    finally:
        tracemalloc.stop()
    return value / size, backward / size, first / size


def _peak(before, call):
    given = before()
    gc.collect()  # else what is garbage already goes in between
    start = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    call(given)
    return tracemalloc.get_traced_memory()[1] - start


class Memory:
    """Each operation at a small size; `memory.py` has the large ones."""

    params = [list(operations(4)), ["small"]]
    param_names = ["operation", "size"]
    unit = "stored bytes"

    def setup(self, operation, size):
        """Compile, on another structure."""
        ratios(*operations(12)[operation])
        self.given = operations(32)[operation]

    def track_backward(self, operation, size):
        """Peak of the backward pass."""
        return ratios(*self.given)[1]
