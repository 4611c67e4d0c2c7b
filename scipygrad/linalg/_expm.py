"""The exponential of a matrix.

The value is SciPy's. Its derivatives are those of an approximation to rounding, written in traced
products: a Taylor polynomial of A / 2ˢ, squared s times (docs/derivations/linalg_matfuncs.md). On a
GPU that approximation is the value as well.

The sparse matrices that this takes all live on the closure of A's pattern: (i, j) is in it if the
graph of A has a path from i to j. Products of such matrices are such again, so structure does not
depend on values. Where the closure is nearly everything, the arrays are dense.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla
from autograd import make_jvp, make_vjp
from scipy.sparse.csgraph import connected_components

from .._core.device import namespace, on_device
from .._core.engine import Primitive, is_sparse, isbox, primitive, strip
from .._core.mirror import own, traced
from .._core.pattern import Pattern
from .._core.tags import Gather, coalesced, gather, scatter
from .._core.traced import class_of_ours, entries_of, lift, make, plain
from ..sparse._convert import as_format
from ..sparse._matmul import Triples, product
from ._factor import as_dtype, floating

DENSE_FROM = 1 / 8
"""Share of stored entries from which on dense products are faster than sparse ones."""


def differentiate_as(op: Primitive, approximation: Callable) -> None:
    """Give `op` the derivatives of a function of the same arguments in traced operations."""

    @op.joint_vjp
    def _(names, g, ans, *args):
        vjp, value = make_vjp(approximation, tuple(map(op.params.index, names)))(*args)
        return vjp(g)

    @op.joint_jvp
    def _(names, tangents, ans, *args):
        jvp = make_jvp(approximation, tuple(map(op.params.index, names)))(*args)
        return jvp(tuple(tangents))[1]


# ---- the closure of a pattern -----------------------------------------------------------------


def closure(p: Pattern) -> Pattern:
    """Pattern, in csr, of all powers of a csr matrix with this pattern, the power 0 included."""
    return p.plan("closure", lambda: Pattern.of(_reachable(p), own=True))


def _reachable(p: Pattern) -> Any:
    n = p.shape[0]
    edges = sps.csr_array(p.view(np.ones(p.entries_shape, bool)))
    # Within a strongly connected part all is reachable: what is left is a graph of the parts.
    count, part = connected_components(edges, connection="strong")
    member = sps.csr_array((np.ones(n, bool), (np.arange(n), part)), shape=(n, count))
    paths = sps.csr_array(member.T @ edges @ member + sps.eye_array(count, dtype=bool))
    while True:
        longer = paths @ paths
        if longer.nnz == paths.nnz:
            break
        paths = longer
    reachable = sps.csr_array(member @ paths @ member.T)
    reachable.sort_indices()
    return reachable


# ---- the rings in which the exponential is computed --------------------------------------------


class Dense:
    """Arrays n × n, flattened, and their products."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.one = np.eye(n).ravel()

    def norm(self, a: np.ndarray) -> float:
        """‖a‖₁."""
        return np.abs(a).reshape(self.n, self.n).sum(axis=0).max()

    def product(self, a: Any, b: Any) -> Any:
        """a b."""
        shape = (self.n, self.n)
        return anp.reshape(anp.dot(anp.reshape(a, shape), anp.reshape(b, shape)), self.n**2)


class OnClosure:
    """Entries of matrices on a pattern that is its own closure, and their products."""

    def __init__(self, p: Pattern) -> None:
        self.columns = p.coords[1]
        self.one = (p.coords[0] == self.columns).astype(float)
        self.triples = Triples(p.arrays, p.arrays, p.arrays, p.shape[1])
        self.by_column = Gather(self.columns, (p.shape[1],), self.columns.shape)

    def norm(self, a: np.ndarray) -> float:
        """‖a‖₁."""
        if on_device(a):
            return scatter(abs(a), self.by_column).max()
        return np.bincount(self.columns, np.abs(a)).max()

    def product(self, a: Any, b: Any) -> Any:
        """a b."""
        return product(a, b, self.triples)


def taylor(a: Any, ring: Dense | OnClosure) -> Any:
    """eᵃ by scaling and squaring, in traced operations.

    Degree 16 as a polynomial of degree 4 in a⁴: six products (Paterson and Stockmeyer). For a norm
    up to 1/2 the remainder is below 2e-20, and below 1e-17 after two differentiations.
    """
    norm = float(ring.norm(strip(a)))
    s = max(0, math.ceil(math.log2(norm / 0.5))) if 0 < norm < np.inf else 0
    one = _one(ring, strip(a))
    a = a * 2.0**-s
    a2 = ring.product(a, a)
    a3, a4 = ring.product(a2, a), ring.product(a2, a2)

    def coefficient(k):
        c = [1 / math.factorial(i) for i in range(k, k + 4)]
        return c[0] * one + c[1] * a + c[2] * a2 + c[3] * a3

    x = coefficient(12) + a4 * (1 / math.factorial(16))
    for k in (8, 4, 0):
        x = ring.product(x, a4) + coefficient(k)
    for _ in range(s):
        x = ring.product(x, x)
    return x


def _one(ring: Dense | OnClosure, a: Any) -> Any:
    """The identity, beside a."""
    if not on_device(a):
        return ring.one.astype(a.real.dtype)
    from .._backend.gpu.structure import kept

    one = kept(ring, "one", lambda: namespace(a).asarray(ring.one))
    return one.astype(a.real.dtype, copy=False)


# ---- X = eᴬ -----------------------------------------------------------------------------------


class Exponential:
    """How the entries of A become those of eᴬ: all of a dense A, or those on A's closure."""

    ring: Dense | OnClosure
    embed: Gather | None = None
    extract: Gather | None = None

    def __init__(self, p: Pattern | None, n: int) -> None:
        if p is None:
            self.ring = Dense(n)
            return
        self.pattern = closure(p)
        flat = self.pattern.flat
        if len(flat) < DENSE_FROM * n * n:
            self.ring = OnClosure(self.pattern)
            place, size = np.searchsorted(flat, p.flat), flat.size
        else:
            self.ring, self.extract = Dense(n), Gather(flat, (n * n,), flat.shape)
            place, size = p.flat, n * n
        index = np.full(p.size, -1, np.intp)
        index[slice(None) if p.inside is None else p.inside] = place
        self.embed = Gather(index, (size,), p.entries_shape)

    def entries_of(self, X: Any) -> np.ndarray:
        """SciPy's result on the closure; what it has elsewhere is rounding of zeros."""
        X = X.tocoo()
        flat = np.ravel_multi_index(X.coords, X.shape)
        place = np.searchsorted(self.pattern.flat, flat).clip(max=self.pattern.size - 1)
        inside = self.pattern.flat[place] == flat
        entries = np.zeros(self.pattern.size, X.dtype)
        np.add.at(entries, place[inside], X.data[inside])
        return entries


@primitive(wrt=("data",))
def exponential(data, known, how):
    """The entries of eᴬ, known already."""
    return known


def _approximation(data: Any, known: Any, how: Exponential) -> Any:
    a = data if how.embed is None else scatter(data, how.embed)
    x = taylor(a, how.ring)
    return x if how.extract is None else gather(x, how.extract)


differentiate_as(exponential, _approximation)


@traced(
    spla.expm,
    wrt=("A",),
    note="A sparse or dense; the result has all entries that the structure of A allows",
    gpu=True,
)
def expm(A):
    if on_device(A):
        return _expm_on_device(A)
    if not is_sparse(A):
        A = A if isbox(A) else anp.array(A)
        X = spla.expm(strip(A))
        how = Exponential(None, len(X))
        return anp.reshape(exponential(anp.reshape(A, -1), X.ravel(), how), X.shape)
    X = spla.expm(plain(A).copy())  # SciPy may sort it in place
    if X.shape == (0, 0):
        return own(X)
    A = as_format(coalesced(lift(A)), "csr")
    how = A._pattern.plan("exponential", lambda: Exponential(A._pattern, A.shape[0]))
    data = exponential(entries_of(A), how.entries_of(X), how)
    family = "matrix" if isinstance(X, sps.spmatrix) else "array"
    csr = class_of_ours(getattr(sps, f"csr_{family}"))
    return as_format(lift(make(how.pattern, data, csr)), X.format)


def _expm_on_device(A: Any) -> Any:
    n, *others = A.shape
    if others != [n]:
        raise ValueError("expected a square matrix")
    if not is_sparse(A):
        a = as_dtype(anp.reshape(A, -1), floating(A.dtype))
        X = _approximation(a, None, Exponential(None, n)) if n else a
        return anp.reshape(X, (n, n))
    A = lift(A)
    format, family = "csc" if A.format == "csc" else "csr", A._family()
    A = as_format(coalesced(A), "csr")
    data = as_dtype(entries_of(A), floating(A.dtype))
    how = A._pattern.plan("exponential", lambda: Exponential(A._pattern, n))
    data = _approximation(data, None, how) if n else data
    X = make(how.pattern, data, class_of_ours(getattr(sps, f"csr_{family}")))
    return X if format == "csr" else as_format(lift(X), format)
