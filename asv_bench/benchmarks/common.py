"""Problems, and the base class of the benchmarks."""

from abc import ABC, abstractmethod
from functools import partial
from types import SimpleNamespace

import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg
from autograd import make_jvp, make_vjp
from autograd.extend import vspace

import scipygrad.sparse
import scipygrad.sparse.linalg

SCIPY = SimpleNamespace(sp=scipy.sparse, spla=scipy.sparse.linalg)
OURS = SimpleNamespace(sp=scipygrad.sparse, spla=scipygrad.sparse.linalg)

SIZES = {"small": 64, "large": 512}
"""Points in each direction of a 2-D grid; the matrices have the square of it as rows."""


# ---- problems --------------------------------------------------------------------------------


def poisson_1d(rows):
    """Second differences on a line, Dirichlet conditions."""
    return sps.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(rows, rows)).tocsr()


def poisson_2d(n):
    """5-point Laplacian on an n × n grid."""
    T = poisson_1d(n)
    return sps.kronsum(T, T, format="csr")


def convection_diffusion(n, wind=(0.7, 0.3)):
    """Diffusion and upwind convection on an n × n grid: clearly not symmetric."""
    upwind = sps.diags_array([-1.0, 1.0], offsets=[-1, 0], shape=(n, n))
    T = poisson_1d(n)
    return sps.kronsum(T + wind[0] * upwind, T + wind[1] * upwind, format="csr")


def random(row_counts, columns=None, seed=0):
    """Entries at random places, ``row_counts[i]`` of them in row i (fewer where two coincide)."""
    rng = np.random.default_rng(seed)
    rows = len(row_counts)
    i = np.repeat(np.arange(rows), row_counts)
    j = rng.integers(0, columns or rows, len(i))
    A = sps.coo_array((rng.standard_normal(len(i)), (i, j)), shape=(rows, columns or rows))
    return A.tocsr()


def problem(name, n):
    """A problem of the gallery with n² rows."""
    if name == "poisson_1d":
        return poisson_1d(n * n)
    if name == "random":
        return random(np.arange(n * n) % 9 + 1)
    return {"poisson_2d": poisson_2d, "convection_diffusion": convection_diffusion}[name](n)


PROBLEMS = ["poisson_1d", "poisson_2d", "convection_diffusion", "random"]


def interpolation_2d(n):
    """Bilinear interpolation to an n × n grid from the grid of every other point."""
    T = sps.diags_array([0.5, 1.0, 0.5], offsets=[-1, 0, 1], shape=(n, n)).tocsc()[:, 1::2]
    return sps.kron(T, T, format="csr")


def shifted(A, k):
    """`A` with its rows turned round by k: another structure, of the same kind and cost."""
    return sps.vstack([A[k:], A[:k]], format=A.format)


def vector(*shape, seed=1):
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


# ---- measuring -------------------------------------------------------------------------------


def ours(x):
    """A SciPy matrix as one of scipygrad's; anything else as it is."""
    return getattr(scipygrad.sparse, type(x).__name__)(x) if sps.issparse(x) else x


def forward(function, operands):
    """``function(SCIPY, *operands)`` as a call without arguments."""
    return partial(function, SCIPY, *operands)


def value(function, operands):
    """``function(OURS, *operands)``, untraced."""
    return partial(function, OURS, *map(ours, operands))


def value_and_gradients(function, operands):
    """The value of ``function(OURS, *operands)`` and its VJP for all operands."""
    operands = tuple(map(ours, operands))
    argnums = tuple(range(len(operands))) if len(operands) > 1 else 0
    traced = make_vjp(lambda *x: function(OURS, *x), argnums)
    g = vspace(traced(*operands)[1]).ones()

    def run():
        vjp, ans = traced(*operands)
        return ans, vjp(g)

    return run


def first_value_and_gradients(function, operands):
    """The same where nothing is known of the operands' structure before the call.

    The cotangent is the value.
    """
    operands = tuple(map(ours, operands))
    argnums = tuple(range(len(operands))) if len(operands) > 1 else 0
    traced = make_vjp(lambda *x: function(OURS, *x), argnums)

    def run():
        vjp, ans = traced(*operands)
        return ans, vjp(ans)

    return run


def value_and_tangent(function, operands):
    """The value of ``function(OURS, *operands)`` and its JVP in the direction of the operands."""
    operands = tuple(map(ours, operands))
    traced = make_jvp(lambda *x: function(OURS, *x), tuple(range(len(operands))))
    return lambda: traced(*operands)(operands)


class Benchmark(ABC):
    """SciPy's forward, ours, and ours with derivatives, of one function of its operands.

    The function is written once, ``function(lib, *operands)``, with ``lib.sp`` for the sparse
    module and ``lib.spla`` for its linalg. All operands are differentiated.
    """

    timeout = 300

    @abstractmethod
    def problem(self, *params):
        """The function and its operands, plain SciPy and NumPy."""

    def setup(self, *params):
        """Make the four calls, each run once, so that compiling and planning are done."""
        function, operands = self.problem(*params)
        self.forward = forward(function, operands)
        self.value = value(function, operands)
        self.vjp = value_and_gradients(function, operands)
        self.jvp = value_and_tangent(function, operands)
        self.vjp()
        self.jvp()

    def time_scipy(self, *params):
        """Plain SciPy."""
        self.forward()

    def time_value(self, *params):
        """Ours, untraced."""
        self.value()

    def time_vjp(self, *params):
        """Value and all gradients."""
        self.vjp()

    def time_jvp(self, *params):
        """Value and one directional derivative."""
        self.jvp()


class Operations(Benchmark):
    """A benchmark of several operations by name, each at every size."""

    operations = {}
    param_names = ["operation", "size"]

    def __init_subclass__(cls):
        cls.params = [list(cls.operations), list(SIZES)]

    @abstractmethod
    def operands(self, n):
        """The operands, of which an operation takes as many as it has parameters."""

    def problem(self, operation, size):
        """The operation of that name."""
        function = self.operations[operation]
        taken = function.__code__.co_argcount - 1
        return function, self.operands(SIZES[size])[:taken]
