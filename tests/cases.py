"""The operations that are differentiable, each with named inputs.

`test_table.py` runs every case in every format, family and dtype, in both modes, to second order.
A case is a function of its arguments only, written as SciPy code would be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import autograd.numpy as np
import numpy as onp

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.pattern import Pattern

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
STORED = ("csr", "csc", "coo", "bsr", "dia")
INDEXABLE = ("csr", "csc", "lil", "dok")
WITH_SETDIAG = ("csr", "csc", "coo", "dia", "lil", "dok")  # SciPy's bsr raises AttributeError
WITH_MAX = ("csr", "csc", "coo", "bsr")
FAMILIES = ("array", "matrix")
DTYPES = ("float32", "float64", "complex128")


def numbers(shape: Any, dtype: str, seed: int) -> Any:
    """Random numbers away from zero and from each other's negatives."""
    rng = onp.random.default_rng(seed)

    def draw():
        return rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)

    x = draw() + 1j * draw() if onp.dtype(dtype).kind == "c" else draw()
    return onp.asarray(x).astype(dtype)


def matrix(
    format: str, family: str, dtype: str, shape: tuple[int, int] = (4, 6), seed: int = 0
) -> Any:
    """A clearly non-symmetric matrix with an empty row and an explicit zero."""
    dense = numbers(shape, dtype, seed)
    dense[onp.random.default_rng(seed + 100).random(shape) < 0.45] = 0
    dense[1] = 0  # an empty row
    dense[0, 0], dense[-1, 1] = 1.25, 0.75
    A = sp.coo_array(dense)
    data = A.data.copy()
    data[len(data) // 2] = 0  # an explicit zero
    A = sp.coo_array((data, A.coords), shape=shape)
    return getattr(sp, f"{format}_{family}")(A)


def regular(
    format: str, family: str, dtype: str, n: int = 5, seed: int = 3, kind: str = "general"
) -> Any:
    """A well-conditioned square matrix: "general", "lower", "upper" or "hermitian"."""
    dense = numbers((n, n), dtype, seed)
    dense[onp.random.default_rng(seed).random((n, n)) < 0.5] = 0
    if kind == "lower":
        dense = onp.tril(dense)
    elif kind == "upper":
        dense = onp.triu(dense)
    elif kind == "hermitian":
        dense = dense + dense.conj().T
    onp.fill_diagonal(dense, 4.0 + onp.arange(n) if kind == "hermitian" else 3.0 + onp.arange(n))
    return getattr(sp, f"{format}_{family}")(sp.coo_array(dense.astype(dtype)))


def grid(n: int, seed: int | None = None, dtype: Any = float) -> Any:
    """Convection and diffusion on an n × n grid: of symmetric structure, clearly not symmetric."""
    second = sp.diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(n, n))
    upwind = sp.diags_array([-1.0, 1.0], offsets=[-1, 0], shape=(n, n))
    A = sp.kronsum(second + 0.7 * upwind, second + 0.3 * upwind).astype(dtype).tocsc()
    if seed is not None:
        rng = onp.random.default_rng(seed)
        A.data *= rng.uniform(0.5, 1.5, A.nnz)
        if A.dtype.kind == "c":
            A.data *= onp.exp(1j * rng.uniform(0, 1, A.nnz))
    return A


def stored(A: Any) -> Any:
    """Where A has stored entries, as a dense array of booleans."""
    mask = onp.zeros(A.shape, bool)
    mask[Pattern.of(A).coords] = True
    return mask


Build = Callable[[str, str, str], tuple]


def one(format: str, family: str, dtype: str) -> tuple:
    """A 4 × 6 matrix."""
    return (matrix(format, family, dtype),)


def square(format: str, family: str, dtype: str) -> tuple:
    """A well-conditioned 5 × 5 matrix."""
    return (regular(format, family, dtype),)


def with_vector(n: int, base: Build = one) -> Build:
    """... and a vector of length n."""
    return lambda f, m, d: (*base(f, m, d), numbers(n, d, 7))


def with_block(n: int, k: int, base: Build = one) -> Build:
    """... and an n × k block."""
    return lambda f, m, d: (*base(f, m, d), numbers((n, k), d, 8))


def with_scalar(base: Build = one) -> Build:
    """... and a number."""
    return lambda f, m, d: (*base(f, m, d), numbers((), d, 9)[()])


def with_matrix(format: str, shape: tuple[int, int], base: Build = one) -> Build:
    """... and another sparse matrix, of the same family."""
    return lambda f, m, d: (*base(f, m, d), matrix(format, m, d, shape, 11))


def with_full(format: str, shape: tuple[int, int], base: Build = one) -> Build:
    """... and another sparse matrix without a zero, so that nothing is equal to anything."""
    return lambda f, m, d: (
        *base(f, m, d), getattr(sp, f"{format}_{m}")(numbers(shape, d, 12))
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One differentiable operation with its inputs."""

    fun: Callable
    build: Build = one
    formats: tuple[str, ...] = FORMATS
    families: tuple[str, ...] = FAMILIES
    dtypes: tuple[str, ...] = DTYPES
    kwargs: dict[str, Any] = field(default_factory=dict)


ARRAY = ("array",)
MATRIX = ("matrix",)
REAL = ("float32", "float64")


def _assigned(index: Any) -> Callable:
    def fun(A, v):
        A = A.copy()
        A[index] = v
        return A

    return fun


def _setdiag(k: int) -> Callable:
    def fun(A, v):
        A = A.copy()
        A.setdiag(v, k)
        return A

    return fun


def _add_entry(A, s):
    A = A.copy()
    A[0, 0] += s
    A[3, 2] = A[0, 0] * s
    return A


def _set_data(A):
    A = A.copy()
    A.data = A.data * A.data
    return A


def _scale_data(A, s):
    A = A.copy()
    A.data = A.data * s
    return A


def _scale_in_place(A, s):
    A = A.copy()
    A *= s
    A /= 2 * s * s
    return A


def _assemble(make: Callable) -> Callable:
    def fun(v):
        K = make((4, 4))
        for i in range(4):
            K[i, i] += v[i]
            K[i, (i + 1) % 4] = v[i] * v[(i + 2) % 4]
        K[0, 0] += v[3]
        K[1, :2] = v[:2]
        K[[2, 3], [0, 1]] = v[1:3]
        return K.tocsr()

    return fun


def vector(n: int) -> Build:
    """Only a vector: for functions that make a matrix."""
    return lambda f, m, d: (numbers(n, d, 21),)


def _make(format: str, family: str = "array") -> Any:
    return getattr(sp, f"{format}_{family}")


COO = (onp.array([0, 1, 1, 3, 1, 0]), onp.array([2, 0, 0, 1, 2, 2]))
"""Coordinates with duplicates: (1, 0) and (0, 2) come twice."""

ONLY = {"formats": ("csr",), "families": ARRAY}

CASES: dict[str, Case] = {
    # ---- entries and formats
    "data": Case(lambda A: A.data, formats=STORED),
    "toarray": Case(lambda A: A.toarray()),
    "toarray_fortran": Case(lambda A: A.toarray(order="F")),
    "todense": Case(lambda A: A.todense()),
    **{f"to{f}": Case(lambda A, f=f: A.asformat(f)) for f in FORMATS},
    "constructor": Case(lambda A: sp.csc_array(A)),
    "constructor_matrix": Case(lambda A: sp.coo_matrix(A)),
    "copy": Case(lambda A: A.copy()),
    "astype": Case(lambda A: A.astype(np.complex128)),
    "transpose": Case(lambda A: A.T),
    "transpose_method": Case(lambda A: A.transpose()),
    "reshape": Case(lambda A: A.reshape((3, 8))),
    # ---- products
    "matvec": Case(lambda A, x: A @ x, with_vector(6)),
    "matmat": Case(lambda A, X: A @ X, with_block(6, 3)),
    "column": Case(lambda A, X: A @ X, with_block(6, 1)),
    "rmatvec": Case(lambda A, x: x @ A, with_vector(4)),
    "rmatmat": Case(lambda A, X: X.T @ A, with_block(4, 2)),
    "dot": Case(lambda A, x: A.dot(x), with_vector(6)),
    "star_matvec": Case(lambda A, x: A * x, with_vector(6), families=MATRIX),
    "star_rmatvec": Case(lambda A, x: x * A, with_vector(4), families=MATRIX),
    "matmul_sparse": Case(lambda A, B: A @ B, with_matrix("csr", (6, 3))),
    "matmul_csc": Case(lambda A, B: A @ B, with_matrix("csc", (6, 3))),
    "gram": Case(lambda A: A @ A.T),
    "galerkin": Case(lambda A, P: P.T @ A @ P, with_matrix("csr", (5, 3), square)),
    "star_matmul": Case(lambda A, B: A * B, with_matrix("coo", (6, 3)), families=MATRIX),
    "pow_matrix": Case(lambda A: A**3, square, families=MATRIX),
    # ---- entry by entry
    "add": Case(lambda A, B: A + B, with_matrix("csr", (4, 6))),
    "sub": Case(lambda A, B: A - B, with_matrix("csc", (4, 6))),
    "sub_itself": Case(lambda A: A * 2 - A),
    "add_dense": Case(lambda A, X: A + X, with_block(4, 6)),
    "rsub_dense": Case(lambda A, X: X - A, with_block(4, 6)),
    "neg": Case(lambda A: -A),
    "scale": Case(lambda A, s: A * s, with_scalar()),
    "rscale": Case(lambda A, s: s * A, with_scalar()),
    "divide_scalar": Case(lambda A, s: A / s, with_scalar()),
    "multiply": Case(lambda A, B: A.multiply(B), with_matrix("csr", (4, 6))),
    "star_multiply": Case(lambda A, B: A * B, with_matrix("coo", (4, 6)), families=ARRAY),
    "multiply_dense": Case(lambda A, X: A.multiply(X), with_block(4, 6)),
    "multiply_row": Case(lambda A, x: A.multiply(x), with_vector(6)),
    "multiply_column": Case(lambda A, X: A.multiply(X), with_block(4, 1)),
    "multiply_sparse_row": Case(lambda A, B: A.multiply(B[[0], :]), with_matrix("csr", (2, 6))),
    "divide_dense": Case(lambda A, X: A / X, with_block(4, 6)),
    "divide_sparse": Case(lambda A, X: A / sp.csr_array(X), with_block(4, 6)),
    "power": Case(lambda A: A.power(3)),
    "pow": Case(lambda A: A**2, families=ARRAY),
    "abs": Case(lambda A: abs(A).power(2), square, ("csr", "csc", "coo", "bsr", "lil", "dok")),
    "sin": Case(lambda A: A.sin(), formats=STORED),
    "tanh": Case(lambda A: A.tanh(), formats=STORED),
    "expm1": Case(lambda A: A.expm1(), formats=STORED),
    "real": Case(lambda A: A.real),
    "imag": Case(lambda A: A.imag, dtypes=("complex128",)),
    "conj": Case(lambda A: A.conj()),
    # ---- largest and smallest
    "max": Case(lambda A: A.max(), formats=WITH_MAX),
    "min_explicit": Case(lambda A: A.min(explicit=True), formats=WITH_MAX),
    "max_columns": Case(lambda A: A.max(axis=0), formats=WITH_MAX),
    "min_rows": Case(lambda A: A.min(axis=-1), formats=WITH_MAX),
    "nanmax": Case(lambda A: A.nanmax(axis=1), formats=WITH_MAX),
    "nanmin_explicit": Case(lambda A: A.nanmin(axis=0, explicit=True), formats=WITH_MAX),
    "maximum": Case(lambda A, B: A.maximum(B), with_full("csr", (4, 6)), dtypes=REAL),
    "minimum": Case(lambda A, B: B.minimum(A), with_full("csc", (4, 6)), dtypes=REAL),
    "maximum_dense": Case(lambda A, X: A.maximum(X), with_block(4, 6), dtypes=REAL),
    "minimum_row": Case(lambda A, x: A.minimum(x), with_vector(6), dtypes=REAL),
    "maximum_scalar": Case(lambda A, s: A.maximum(-s * s), with_scalar(), dtypes=REAL),
    "minimum_scalar": Case(lambda A, s: A.minimum(-s * s), with_scalar(), dtypes=REAL),
    # ---- parts
    "row": Case(lambda A: A[2, :], formats=INDEXABLE),
    "entry": Case(lambda A: A[0, 0], formats=INDEXABLE),
    "slices": Case(lambda A: A[::-1, 1:5:2], formats=INDEXABLE),
    "fancy": Case(lambda A: A[[0, 2, 2], :], formats=INDEXABLE),
    "pairs": Case(lambda A: A[[0, 3, 0], [0, 1, 0]], formats=INDEXABLE),
    "mask": Case(lambda A: A[:, onp.arange(6) % 2 == 0], formats=INDEXABLE),
    "diagonal": Case(lambda A: A.diagonal()),
    "diagonal_k": Case(lambda A: A.diagonal(k=2)),
    "tril": Case(lambda A: sp.tril(A, k=1)),
    "triu": Case(lambda A: sp.triu(A, format="csr")),
    "find": Case(lambda A: np.sum(sp.find(A)[2] ** 2)),
    "expand_dims": Case(lambda A: sp.expand_dims(A, axis=-1), families=ARRAY),
    "permute_dims": Case(lambda A: sp.permute_dims(A, axes=(1, 0), copy=True)),
    "swapaxes": Case(lambda A: sp.swapaxes(A, 0, -1)),
    "matrix_transpose": Case(lambda A: sp.matrix_transpose(A)),
    "mT": Case(lambda A: A.mT),
    # ---- sums
    "sum": Case(lambda A: A.sum()),
    "sum_rows": Case(lambda A: A.sum(axis=0)),
    "sum_columns": Case(lambda A: A.sum(axis=1)),
    "mean": Case(lambda A: A.mean()),
    "mean_columns": Case(lambda A: A.mean(axis=-1)),
    "trace": Case(lambda A: A.trace()),
    # ---- put together
    "hstack": Case(lambda A, B: sp.hstack([A, B]), with_matrix("csr", (4, 2))),
    "vstack": Case(lambda A, B: sp.vstack([B, A, B]), with_matrix("csc", (2, 6))),
    "bmat": Case(lambda A: sp.bmat([[A, None], [None, A * 2]], format="csr")),
    "block_array": Case(lambda A, B: sp.block_array([[A, B], [None, B]]),
                        with_matrix("coo", (4, 3))),
    "block_diag": Case(lambda A, X: sp.block_diag([A, X, A]), with_block(2, 3)),
    "kron": Case(lambda A, B: sp.kron(A, B), with_matrix("coo", (2, 3))),
    "kron_dense": Case(lambda A, X: sp.kron(X, A, format="csr"), with_block(2, 2)),
    "kronsum": Case(lambda A: sp.kronsum(A, A), square),
    # ---- written into
    "set_entry": Case(_assigned((3, 2)), with_scalar(), INDEXABLE),
    "set_row": Case(_assigned((2, slice(None))), with_vector(6), INDEXABLE),
    "set_fancy": Case(_assigned(([0, 3], [0, 5])), with_vector(2), INDEXABLE),
    "add_entry": Case(_add_entry, with_scalar(), INDEXABLE),
    "setdiag": Case(_setdiag(0), with_vector(4), WITH_SETDIAG),
    "setdiag_k": Case(_setdiag(-1), with_scalar(), WITH_SETDIAG),
    "set_data": Case(_set_data, formats=STORED),
    "scale_data": Case(_scale_data, with_scalar(), STORED),
    "in_place": Case(_scale_in_place, with_scalar()),
    # ---- made from numbers
    "csr_from_data": Case(lambda v: sp.csr_array((v, [2, 0, 1, 1], [0, 1, 2, 4]), shape=(3, 3)),
                          vector(4), **ONLY),
    "csc_from_data": Case(lambda v: sp.csc_matrix((v, [2, 0, 1, 1], [0, 1, 2, 4])), vector(4),
                          **ONLY),
    "coo_duplicates": Case(lambda v: sp.coo_array((v, COO), shape=(4, 3)), vector(6), **ONLY),
    "coo_duplicates_squared": Case(
        lambda v: sp.coo_matrix((v, COO), shape=(4, 3)).power(2).sum(), vector(6), **ONLY),
    "coo_duplicates_csr": Case(lambda v: sp.csr_matrix((v, COO), shape=(4, 3)), vector(6), **ONLY),
    "bsr_from_data": Case(
        lambda v: sp.bsr_array((np.reshape(v, (2, 2, 2)), [0, 1], [0, 1, 2])), vector(8), **ONLY),
    "dia_from_data": Case(
        lambda v: sp.dia_array((np.reshape(v, (2, 4)), [0, -1]), shape=(4, 4)), vector(8), **ONLY),
    "from_dense": Case(lambda v: sp.csr_array(np.reshape(v, (2, 3))), vector(6), **ONLY),
    "from_list": Case(lambda v: sp.csc_matrix([[v[0], 0.0], [v[1] * v[0], v[2]]]), vector(3),
                      **ONLY),
    "diags": Case(lambda v: sp.diags([v[:3], v, 2 * v[:3]], [-1, 0, 1]), vector(4), **ONLY),
    "diags_scalar": Case(lambda v: sp.diags([v[0], v[1]], [0, 2], shape=(3, 4)), vector(2),
                         **ONLY),
    "diags_single": Case(lambda v: sp.diags(v, format="csr"), vector(4), **ONLY),
    "diags_array": Case(lambda v: sp.diags_array([v, v], offsets=[0, 1], shape=(3, 4)), vector(3),
                        **ONLY),
    "spdiags": Case(lambda v: sp.spdiags(np.stack([v, 2 * v]), [0, -1], 4, 4), vector(4), **ONLY),
    "lil_assembly": Case(_assemble(lambda s: sp.lil_matrix(s)), vector(4), **ONLY,
                         dtypes=("float64",)),
    "dok_assembly": Case(_assemble(lambda s: sp.dok_array(s)), vector(4), **ONLY,
                         dtypes=("float64",)),
    # ---- solves
    "spsolve": Case(lambda A, b: spla.spsolve(A.tocsc(), b), with_vector(5, square)),
    "spsolve_csr": Case(lambda A, b: spla.spsolve(A.tocsr(), b=b), with_vector(5, square)),
    "spsolve_block": Case(lambda A, B: spla.spsolve(A.tocsc(), B), with_block(5, 2, square)),
    "spsolve_sparse": Case(
        lambda A, B: spla.spsolve(A.tocsc(), B), with_matrix("csc", (5, 3), square)),
    "inv": Case(lambda A: spla.inv(A.tocsc()), lambda f, m, d: (regular(f, m, d, kind="lower"),)),
    "splu": Case(lambda A, b: spla.splu(A.tocsc()).solve(b), with_vector(5, square)),
    "splu_T": Case(lambda A, b: spla.splu(A.tocsc()).solve(b, trans="T"), with_vector(5, square)),
    "splu_H": Case(lambda A, B: spla.splu(A.tocsc()).solve(B, "H"), with_block(5, 2, square)),
    "factorized": Case(lambda A, b: spla.factorized(A.tocsc())(b), with_vector(5, square)),
    "spsolve_triangular": Case(
        lambda A, b: spla.spsolve_triangular(A.tocsr(), b),
        lambda f, m, d: (regular(f, m, d, kind="lower"), numbers(5, d, 7))),
    "spsolve_triangular_upper": Case(
        lambda A, b: spla.spsolve_triangular(A.tocsc(), b, lower=False),
        lambda f, m, d: (regular(f, m, d, kind="upper"), numbers((5, 2), d, 7))),
    "spsolve_triangular_unit": Case(
        lambda A, b: spla.spsolve_triangular(A.tocsr(), b, unit_diagonal=True) / 100,
        lambda f, m, d: (regular(f, m, d, kind="lower"), numbers(5, d, 7))),
}  # fmt: skip
"""Every case by name. `cg` needs a symmetric perturbation and has its own tests."""

NEWER = ("expand_dims", "permute_dims", "swapaxes", "matrix_transpose", "mT")
"""Names that not every SciPy has: where it lacks one there is no such case."""
for _name in NEWER:
    if not (hasattr(sp, _name) or hasattr(sp.csr_array, _name)):
        del CASES[_name]
