"""Graphs for the tests of csgraph, and what its functions give while tracing."""

import autograd.numpy as np
import numpy as onp
import scipy.sparse as sps
from autograd import make_vjp
from comparison import CLASSES, outcome

import scipygrad.sparse as sp
from scipygrad import detach

KINDS = [*CLASSES, "dense"]


def weights(n=7, seed=0, low=0.5, high=2.0):
    """A dense, clearly non-symmetric graph: a ring, so that all is reachable, and chords."""
    rng = onp.random.default_rng(seed)
    W = rng.uniform(low, high, (n, n)) * (rng.random((n, n)) < 0.35)
    i = onp.arange(n)
    W[i, (i + 1) % n] = rng.uniform(low, high, n)
    W[i, i] = 0
    return W


def graph(kind="csr_array", W=None, dtype="float64", module=sp):
    """The graph in a class of that name, or dense. (bsr: in blocks of one entry.)"""
    W = (weights() if W is None else onp.asarray(W)).astype(dtype)
    if kind == "dense":
        return W
    if kind.startswith("bsr"):
        return getattr(module, kind)(W, blocksize=(1, 1))
    if kind.startswith("dia"):
        return getattr(module, kind)(sps.dia_array(W))
    return getattr(module, kind)(W)


def without_zeros(kind):
    """A graph whose diagonals, if it is of a dia class, have no zeros."""
    if not kind.startswith("dia"):
        return graph(kind)
    data = onp.random.default_rng(3).uniform(0.5, 2.0, (3, 7))
    return getattr(sp, kind)((data, [-2, 1, 3]), shape=(7, 7))


def scipys(A):
    """The same graph in SciPy's class."""
    if not sps.issparse(A):
        return A.copy()
    other = getattr(sps, type(A).__name__)(A.shape, dtype=A.dtype)
    other.__dict__.update({k: v for k, v in A.copy().__dict__.items() if k != "_dict"})
    if A.format == "dok":
        other._dict = dict(A.items())
    return other


def while_traced(function, A):
    """The plain values that a function of a traced graph has inside."""
    seen = []

    def run(A):
        seen.append(detach(function(A)))
        return np.sum(A) if isinstance(A, np.numpy_boxes.ArrayBox) else A.sum()

    make_vjp(run)(A)
    return seen[0]


def dense(x):
    return x.toarray() if sps.issparse(x) else x


def assert_same(ours, theirs):
    """Equal values, dtypes, classes; structures may differ by explicit zeros."""
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            assert_same(a, b)
        return
    assert type(ours).__name__ == type(theirs).__name__
    assert ours.dtype == theirs.dtype
    onp.testing.assert_array_equal(dense(ours), dense(theirs))


def compare_traced(ours, theirs, A):
    """Values, exceptions and warnings of ours with `A` traced are SciPy's; whether it has any."""
    a, error_a, warnings_a = outcome(lambda: while_traced(ours, A))
    b, error_b, warnings_b = outcome(lambda: theirs(scipys(A)))
    assert error_a == error_b
    assert warnings_a == warnings_b
    if error_b is None:
        assert_same(a, b)
    return error_b is None
