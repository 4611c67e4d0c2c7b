"""Products: A x, A X, x A, and A B of sparse matrices.

All are one trilinear form in three sets of numbers, Σ A[i,k] B[k,j] C[i,j] over the triples that
the patterns allow; the derivative with respect to any one of them is the same form with the roles
exchanged, so the primitives below are closed under differentiation (docs/derivations/matmul.md).
No conjugates: autograd's convention for complex values is the transpose.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._backend import backend
from .._core.capture import capture
from .._core.device import on_device, there
from .._core.engine import ArrayBox, cast, contains_traced, is_sparse, isbox, primitive, strip
from .._core.npmatrix import as_ndarray, as_npmatrix, is_npmatrix
from .._core.pattern import Pattern
from .._core.tags import ones_like
from .._core.traced import TracedBase, constant, entries_of, lift, make
from ._convert import as_format, transposed
from ._tensor import dot_nd, matmul_nd, tensordot
from ._triples import Triples

# ---- y = A x with A constant ------------------------------------------------------------------


@primitive(wrt=("x",))
def apply(x, A):
    """A x for a plain sparse matrix A."""
    return (A @ x).reshape(A.shape[:1] + x.shape[1:])


@apply.vjp("x")  # x̄ = Aᵀ ȳ
def _(g, ans, x, A):
    return apply(g, transposed(A))


apply.linear("x")
apply.keeps()


# ---- y = A x, A given by its entries ----------------------------------------------------------


@primitive(wrt=("data", "x"))
def spmm(data, x, pattern):
    """A x for a vector or a block of columns x; A in csr, csc or coo."""
    if type(data) is not np.ndarray or type(x) is not np.ndarray:
        return backend(data, x).spmm(data, x, pattern)
    return (pattern.view(data) @ x).reshape(pattern.shape[:1] + x.shape[1:])


spmm.keeps("data", "x")


@spmm.joint_vjp  # Ā = ȳ xᵀ on the stored entries, x̄ = Aᵀ ȳ
def _(names, g, ans, data, x, pattern):
    if len(names) == 2 and not contains_traced((g, data, x)):
        return backend(g, data, x).spmm_cotangents(g, data, x, pattern)  # in one sweep
    rules = {
        "data": lambda: sampled_outer(g, x, pattern),
        "x": lambda: spmm(data, g, pattern.T),
    }
    return [rules[name]() for name in names]


@spmm.joint_jvp  # ẏ = Ȧ x + A ẋ
def _(names, tangents, ans, data, x, pattern):
    given = dict(zip(names, tangents))
    if len(names) == 1:
        return spmm(given.get("data", data), given.get("x", x), pattern)
    both = (given["data"], given["x"], data, x)
    if pattern.format == "csr" and anp.ndim(x) == 1 and not contains_traced(both):
        return backend(*both).spmv_tangent(*both, pattern)  # in one sweep
    return spmm(given["data"], x, pattern) + spmm(data, given["x"], pattern)


# ---- S = (G Xᵀ) on a pattern ------------------------------------------------------------------


@primitive(wrt=("G", "X"))
def sampled_outer(G, X, pattern):
    """The entries of G Xᵀ on a pattern, for two vectors or two blocks of columns."""
    return backend(G, X).sampled_outer(G, X, pattern)


@sampled_outer.vjp("G")  # Ḡ = S̄ X
def _(g, ans, G, X, pattern):
    return spmm(g, X, pattern)


@sampled_outer.vjp("X")  # X̄ = S̄ᵀ G
def _(g, ans, G, X, pattern):
    return spmm(g, G, pattern.T)


sampled_outer.linear("G", "X")
sampled_outer.keeps("G", "X")


# ---- C = A B ----------------------------------------------------------------------------------


@primitive(wrt=("a", "b"))
def product(a, b, triples):
    """c[i,j] = Σ_k a[i,k] b[k,j]."""
    return backend(a, b).product(a, b, triples)


@primitive(wrt=("c", "b"))
def product_left(c, b, triples):
    """a[i,k] = Σ_j c[i,j] b[k,j]."""
    return backend(c, b).product_left(c, b, triples)


@primitive(wrt=("c", "a"))
def product_right(c, a, triples):
    """b[k,j] = Σ_i a[i,k] c[i,j]."""
    return backend(c, a).product_right(c, a, triples)


@product.joint_vjp
def _(names, g, ans, a, b, triples):
    if len(names) == 2 and not contains_traced((g, a, b)):
        return backend(g, a, b).product_both(g, a, b, triples)  # in one sweep
    rules = {"a": lambda: product_left(g, b, triples), "b": lambda: product_right(g, a, triples)}
    return [rules[name]() for name in names]


@product_left.vjp("c")
def _(g, ans, c, b, triples):
    return product(g, b, triples)


@product_left.vjp("b")
def _(g, ans, c, b, triples):
    return product_right(c, g, triples)


@product_right.vjp("c")
def _(g, ans, c, a, triples):
    return product(a, g, triples)


@product_right.vjp("a")
def _(g, ans, c, a, triples):
    return product_left(c, g, triples)


product.linear("a", "b")
product_left.linear("c", "b")
product_right.linear("c", "a")
product.keeps("a", "b")
product_left.keeps("c", "b")
product_right.keeps("c", "a")


class _ProductPlan(NamedTuple):
    """How A @ B is formed: in csr, or in csc as (Bᵀ Aᵀ)ᵀ; then brought to SciPy's format."""

    working: str
    triples: Triples
    pattern: Pattern
    cls: type
    final: str
    blocksize: tuple[int, int] | None
    dtype: np.dtype | None


def _plan_product(A: TracedBase, B: TracedBase) -> _ProductPlan:
    if there(A):
        from . import _device_plans

        cls = _device_plans.product_class(A, B)
        if cls is not None:
            return _plan_on_device(A, B, cls, _device_plans.product)
    C = ones_like(A) @ ones_like(B)  # SciPy decides on class and format; nothing cancels among ones
    working = "csc" if C.format == "csc" else "csr"
    a, b = as_format(A, working), as_format(B, working)
    family = "matrix" if isinstance(C, sps.spmatrix) else "array"
    inner = C if C.format == working else ones_like(a) @ ones_like(b)
    pattern = Pattern.of(inner, own=True)
    arrays = (a._pattern.arrays, b._pattern.arrays)
    if working == "csr":
        triples = Triples(*arrays, pattern.arrays, C.shape[1])
    else:
        triples = Triples(arrays[1], arrays[0], pattern.arrays, C.shape[0])
    from .. import sparse

    cls = getattr(sparse, f"{working}_{family}")
    dtype = None if C.dtype == np.int64 else C.dtype  # SciPy's choice: empty products of dia
    blocksize = getattr(C, "blocksize", None)
    return _ProductPlan(working, triples, pattern, cls, C.format, blocksize, dtype)


def _plan_on_device(A: TracedBase, B: TracedBase, cls: type, product: Any) -> _ProductPlan:
    """The same for matrices on a GPU in csr, csc or coo, whose structure is found there."""
    final = cls.__name__.partition("_")[0]
    a, b = as_format(A, final), as_format(B, final)
    pattern = product(a._pattern, b._pattern)
    left, right = (a, b) if final == "csr" else (b, a)
    triples = Triples.of(left._pattern, right._pattern, pattern)
    return _ProductPlan(final, triples, pattern, cls, final, None, None)


def matmul_sparse(A: TracedBase, B: TracedBase) -> Any:
    """A B of two-dimensional sparse matrices."""
    if (A.format, B.format) in (("csr", "csc"), ("csc", "csr")):
        B = as_format(B, A.format)  # as SciPy does; here it is planned once
    key = ("matmul", there(A), A._class, B._pattern, B._class)
    plan = A._pattern.plan(key, lambda: _plan_product(A, B))
    a, b = as_format(A, plan.working), as_format(B, plan.working)
    left, right = (a, b) if plan.working == "csr" else (b, a)
    c = product(entries_of(left), entries_of(right), plan.triples)
    c = c if plan.dtype is None else cast(c, plan.dtype)
    C = make(plan.pattern, c, plan.cls)
    return C if plan.final == plan.working else as_format(lift(C), plan.final, plan.blocksize)


def matmul_dense(A: TracedBase, x: Any) -> Any:
    """A x for a dense, possibly traced, vector or block of columns."""
    shape = A.shape
    _check_inner(shape, x.shape)
    plain = constant(A)
    if plain is not None and not on_device(plain):
        y = apply(x, _frozen(plain))
    else:
        formats = ("csr", "csc") if on_device(A) else ("csr", "csc", "coo")
        B = A if A._pattern.format in formats else as_format(A, "csr")
        y = spmm(entries_of(B), x, B._pattern)
    if (
        _COO_ROW_GIVES_SCALAR
        and shape[0] == 1
        and len(x.shape) == 1
        and (A.format == "coo" and A._family() == "array")
    ):
        return y[0]
    return y


_COO_ROW_GIVES_SCALAR = np.ndim(sps.coo_array((1, 2)) @ np.ones(2)) == 0
"""Whether the installed SciPy makes a number of a 1 × n coo_array times a vector (1.17 does)."""


def _check_inner(a: tuple[int, ...], x: tuple[int, ...]) -> None:
    if len(x) not in (1, 2):
        raise ValueError("could not interpret dimensions")
    if x[0] != a[-1]:
        tail = "(k={0},1?)->(n,1?)" if len(x) == 1 or x[1] == 1 else "(k={0},m)->(n,m)"
        raise ValueError(
            f"matmul: dimension mismatch with signature (n,k={a[-1]}),{tail.format(x[0])}"
        )


def _frozen(A: Any) -> Any:
    """`A` as it is now: what is later assigned to its attributes is not seen."""
    if A.format in ("lil", "dok"):
        return A.tocsr()
    if A.format == "bsr" and A.data.shape[1:] == (1, 1):  # is csr, whose transpose is no work
        return _unblocked(A)
    B = object.__new__(type(A))
    B.__dict__.update(A.__dict__)
    d = B.__dict__
    for name in ("data", "indptr", "indices", "offsets"):
        if name in d:
            d[name] = capture(d[name])
    if "coords" in d:
        d["coords"] = tuple(map(capture, d["coords"]))
    return B


def _unblocked(A: Any) -> Any:
    """A bsr matrix with 1 × 1 blocks, as it is now, in csr."""
    B = object.__new__(sps.csr_array)
    B.__dict__.update(
        _shape=A.shape, maxprint=A.maxprint, data=capture(A.data).reshape(-1),
        indptr=capture(A.indptr), indices=capture(A.indices),
    )  # fmt: skip
    return B


_DENSE = frozenset((np.ndarray, ArrayBox))
"""Not np.matrix, its traced look-alike, and single numbers."""


class Matmul:
    """`@`, `dot`, and what `*` is for `*_matrix`."""

    __slots__ = ()

    def __matmul__(self, other: Any) -> Any:
        if type(other) in _DENSE and len(other.shape) in (1, 2) and len(self.shape) == 2:
            return matmul_dense(self, other)
        if _is_scalar(other):
            raise ValueError("Scalar operands are not allowed, use '*' instead")
        if getattr(type(other), "__array_ufunc__", 0) is None:  # a LinearOperator: it is asked
            return NotImplemented
        return _matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        if _is_scalar(other):
            raise ValueError("Scalar operands are not allowed, use '*' instead")
        if is_sparse(other):
            return _matmul(lift(other), self)
        other = _as_dense(other)
        y = _matmul(lift(_transposed(self)), _transposed(other))
        return y if 1 in (self.ndim, anp.ndim(other)) else _transposed(y)

    def dot(self, other: Any) -> Any:
        """The product; a scalar scales. With n-D operands over the axes that `numpy.dot` takes."""
        if _is_scalar(other) and not isinstance(other, np.ndarray):  # SciPy: no 0-d arrays
            return self * other
        other = lift(other) if is_sparse(other) else _as_dense(other)
        return dot_nd(self, other) if _is_nd(self, other) else self @ other

    def tensordot(self, other: Any, axes: Any = 2) -> Any:
        """Sum of products over the given axes (of a coo)."""
        return tensordot(self, lift(other) if is_sparse(other) else _as_dense(other), strip(axes))


def _matmul(A: TracedBase, B: Any) -> Any:
    B = lift(B) if is_sparse(B) else _as_dense(B)
    if _is_nd(A, B):
        return matmul_nd(A, B)
    if A.ndim == 1:
        format = _format_of_vector(A, B) if isinstance(B, TracedBase) and B.ndim == 2 else None
        row = as_format(lift(A.reshape((1, -1))), "csr")
        y = _matmul(row, B)
        return _as_vector(y, format) if format else y[0]
    if not isinstance(B, TracedBase):
        y = matmul_dense(A, as_ndarray(B))
        return as_npmatrix(y) if is_npmatrix(B) and A._is_matrix() else y
    if B.ndim == 1:
        format = _format_of_vector(A, B)
        return _as_vector(_matmul(A, lift(B.reshape((-1, 1)))), format)
    if A.shape[1] != B.shape[0]:
        raise ValueError(
            "matmul: dimension mismatch with signature "
            f"(n,k={A.shape[1]}),(k={B.shape[0]},m)->(n,m)"
        )
    return matmul_sparse(A, B)


def _format_of_vector(A: TracedBase, B: TracedBase) -> str:
    """The format of A @ B, which is one-dimensional; SciPy's exception where it has none."""
    key = ("format of vector", A._class, B._pattern, B._class)
    return A._pattern.plan(key, lambda: (ones_like(A) @ ones_like(B)).format)


def _as_vector(C: Any, format: str) -> Any:
    """A sparse row or column as a one-dimensional array."""
    return as_format(lift(lift(C).reshape((C.shape[0] * C.shape[1],))), format)


def _is_scalar(x: Any) -> bool:
    return np.isscalar(x) or (not is_sparse(x) and anp.ndim(x) == 0)


def _as_dense(x: Any) -> Any:
    if isbox(x) or isinstance(x, np.ndarray) or on_device(x):
        return x
    return anp.array(x)


def _transposed(x: Any) -> Any:
    """The last two axes interchanged."""
    n = len(anp.shape(x))
    if n < 2:
        return x
    return x.T if n == 2 else x.transpose((*range(n - 2), n - 1, n - 2))


def _is_nd(A: TracedBase, B: Any) -> bool:
    """Whether a coo array or its operand has more than two dimensions."""
    if isinstance(B, TracedBase) and B.ndim > 2:
        return True
    return A.ndim > 2 or (A.format == "coo" and len(anp.shape(B)) > 2)
