"""A⁻¹ B with a sparse right side, and so A⁻¹ itself: sparse results of solves.

X = A⁻¹ B is sparse where A falls into parts that do not all depend on each other. Its structure
here is what those of A and B say (`Reach`); SciPy keeps what is not 0 in the numbers. The rules
are those of `_implicit` with sparse W and X; the products in them are those of `sparse._matmul`,
and so are their derivatives (docs/derivations/linalg_direct.md).

Everything is in csc here. Blocks of columns are solved, so that no dense matrix of all columns
is ever made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._core.engine import is_sparse, primitive, strip
from .._core.mirror import traced
from .._core.pattern import Pattern
from .._core.tags import Gather, coalesced, gather, scatter
from .._core.traced import TracedBase, class_of_ours, entries_of, entries_to_keep, lift, make
from ..sparse._convert import as_format
from ..sparse._matmul import Triples, product, product_left, product_right
from ._factor import Factorised, as_dtype, canonical, factor_dtype, floating
from ._packages import chosen

COLUMNS = 32  # that are dense at one time


# ---- structure -------------------------------------------------------------------------------


class Reach:
    """Where A⁻¹ B (or A⁻ᵀ B) has entries, for any numbers on the patterns of A and B.

    Row i of A is matched with a column c(i) in which it has an entry: equation i determines x[c(i)]
    from b[i] and from the x[k] with an entry A[i, k]. So an entry b[i] reaches c(i), and x[k]
    reaches c(i) for every entry A[i, k]. Which matching is taken makes no difference.
    """

    def __init__(self, A: Pattern, transposed: bool) -> None:
        from scipy.sparse.csgraph import maximum_bipartite_matching

        ones = A.view(np.ones(A.size, np.int8))
        M = (ones.T if transposed else ones).tocsr()
        self.determined = maximum_bipartite_matching(M, perm_type="column").astype(np.int64)
        if (self.determined < 0).any():
            raise RuntimeError("Factor is exactly singular")  # as SuperLU says it
        columns = M.tocsc()
        self.indptr, self.next = columns.indptr, self.determined[columns.indices]

    def of(self, rhs: Pattern) -> Pattern:
        """The pattern of the result."""
        from .._backend.elimination import reach

        indptr, indices = rhs.arrays
        ptr, ind = reach(self.indptr, self.next, indptr, self.determined[indices])
        return _pattern(ind, ptr, rhs.shape)

    def equations(self, result: Pattern) -> Pattern:
        """The equations that determine the result: the largest right side that reaches it."""
        equation = np.argsort(self.determined)
        indptr, indices = result.arrays
        return _pattern(equation[indices], indptr, result.shape)


def _pattern(indices: np.ndarray, indptr: np.ndarray, shape: tuple[int, int]) -> Pattern:
    """The csc pattern with these index arrays, sorted, in the index type that SciPy would take."""
    dtype = sps.get_index_dtype(maxval=max(*shape, len(indices)))
    arrays = indices.astype(dtype), indptr.astype(dtype)
    A = sps.csc_array((np.ones(len(indices), bool), *arrays), shape=shape)
    A.sort_indices()
    return Pattern.of(A, own=True)


def _reach(A: Pattern, transposed: bool) -> Reach:
    return A.plan(("reach", transposed), lambda: Reach(A, transposed))


def _result(A: Pattern, rhs: Pattern, transposed: bool) -> Pattern:
    return A.plan(("reached", transposed, rhs), lambda: _reach(A, transposed).of(rhs))


def _equations(A: Pattern, result: Pattern, transposed: bool) -> Pattern:
    build = _reach(A, transposed).equations
    return A.plan(("equations", transposed, result), lambda: build(result))


def _inside(small: Pattern, large: Pattern) -> Gather:
    """Takes the entries on a pattern out of those on a larger one."""

    def build():
        tags = large.view(large.tags.astype(float))
        ones = small.view(np.ones(small.size))
        found = tags.multiply(ones).tocsc()  # all of them: SciPy keeps what is not 0
        found.sort_indices()
        return Gather(found.data.astype(np.intp) - 1, (large.size,), (small.size,))

    return large.plan(("inside", small), build)


# ---- X = A⁻¹ B on sparse structures ----------------------------------------------------------


@primitive(wrt=("data", "b"))
def sparse_solve(data, b, solver, transposed, rhs):
    """The entries of A⁻¹ B (A⁻ᵀ B), B given by its entries on the pattern `rhs`."""
    (b_ptr, b_ind), result = rhs.arrays, _result(solver.pattern, rhs, transposed)
    x_ptr, x_ind = result.arrays
    out = np.empty(result.size, np.result_type(data, b))
    n, columns = rhs.shape
    for first in range(0, columns, COLUMNS):
        last = min(first + COLUMNS, columns)
        p, q = slice(b_ptr[first], b_ptr[last]), slice(x_ptr[first], x_ptr[last])
        if p.start == p.stop:
            continue
        B = np.zeros((n, last - first), b.dtype, order="F")
        B[b_ind[p], _columns(b_ptr, first, last)] = b[p]
        out[q] = solver.solve(data, B, transposed)[x_ind[q], _columns(x_ptr, first, last)]
    return out


def _columns(ptr: np.ndarray, first: int, last: int) -> np.ndarray:
    """The column, counted from the first, of each entry in a block of columns."""
    return np.repeat(np.arange(last - first), np.diff(ptr[first : last + 1]))


def _triples(A: Pattern, x: Pattern, y: Pattern) -> Triples:
    """For Σ A[i, k] X[k, j] Y[i, j], as the triples of Xᵀ Aᵀ = Yᵀ in csr."""
    return Triples(x.arrays, A.arrays, y.arrays, A.shape[0])


@sparse_solve.joint_vjp  # W = A⁻ᵀ G,  B̄ = W on the pattern of B,  Ā = −W Xᵀ on that of A
def _(names, g, ans, data, b, solver, transposed, rhs):
    A = solver.pattern
    result = _result(A, rhs, transposed)
    w = sparse_solve(data, g, solver, not transposed, result)
    w_pattern = _result(A, result, not transposed)
    grads = {}
    if "b" in names:
        grads["b"] = gather(w, _inside(rhs, w_pattern))
    if "data" in names and transposed:
        grads["data"] = -product_right(ans, w, _triples(A, w_pattern, result))
    elif "data" in names:
        grads["data"] = -product_right(w, ans, _triples(A, result, w_pattern))
    return [grads[name] for name in names]


@sparse_solve.joint_jvp  # Ẋ = A⁻¹ (Ḃ − Ȧ X)
def _(names, tangents, ans, data, b, solver, transposed, rhs):
    A, given = solver.pattern, dict(zip(names, tangents))
    if "data" not in given:
        return sparse_solve(data, given["b"], solver, transposed, rhs)
    result = _result(A, rhs, transposed)
    equations = _equations(A, result, transposed)
    if transposed:
        t = -product_left(ans, given["data"], _triples(A, equations, result))
    else:
        t = -product(ans, given["data"], _triples(A, result, equations))
    if "b" in given:
        t = t + scatter(given["b"], _inside(rhs, equations))
    return sparse_solve(data, t, solver, transposed, equations)


# ---- the functions ---------------------------------------------------------------------------


def solve_sparse(A: TracedBase, b: TracedBase) -> Any:
    """A⁻¹ B for a canonical csr or csc matrix A and a sparse matrix B, in the class of A."""
    cls, format = A._class, A.format
    if format == "csr":
        cls = class_of_ours(getattr(sps, cls.__name__.replace("csr", "csc")))
        A = canonical(as_format(A, "csc"))
    B = canonical(as_format(coalesced(b), "csc"))
    dtype = np.promote_types(A.dtype, floating(B.dtype))
    data = as_dtype(entries_to_keep(A), factor_dtype(A.dtype, dtype))
    solver = Factorised(A._pattern, package=chosen())
    solver.factors(strip(data))  # a singular matrix raises here, as in SciPy
    x = sparse_solve(data, as_dtype(entries_of(B), dtype), solver, False, B._pattern)
    X = make(_result(A._pattern, B._pattern, False), x, cls)
    X = X if format == "csc" else as_format(lift(X), "csr")
    return X


@traced(spla.inv, wrt=("A",), note="the result has every entry that the structure of A allows")
def inv(A):
    if not is_sparse(A):
        raise TypeError("Input must be a sparse arrays")
    from ..sparse import eye
    from ._direct import spsolve

    return spsolve(A, eye(*A.shape, dtype=A.dtype, format=A.format))
