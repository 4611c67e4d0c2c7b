"""How an operation is declared, and what operations take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..choices import one
from ..operands import FORMATS, Want, dtype_of


@dataclass(frozen=True)
class Operation:
    """One operation.

    `sparse` is how a user writes it, run on SciPy and on scipygrad; `dense` the same in
    autograd.numpy on dense arrays, with `D` for `fuzz.reference`. `takes` says which values go in,
    `params` what else is chosen. A text with `{out}` in it is a block of statements, any other an
    expression. `smoothness` says whether the operation is differentiable at given values.
    """

    name: str
    sparse: str
    dense: str
    takes: dict[str, Want | Callable[..., Want]]
    params: dict[str, Callable[..., Any]] = field(default_factory=dict)
    smoothness: Callable[..., str] | None = None
    final: bool = False
    """The result's format depends on the number of stored entries (docs/differences.md: `kron`),
    so nothing follows and its class is not compared."""
    never_empty: bool = False
    """SciPy's result is of another class or dtype if it stores nothing, which happens by
    cancellation, too; such statements are left out."""


OPERATIONS: list[Operation] = []


def op(name: str, sparse: str, dense: str, takes: dict, smoothness: Any = None,
       final: bool = False, never_empty: bool = False, **params: Any) -> None:  # fmt: skip
    """Declare an operation."""
    OPERATIONS.append(Operation(name, sparse, dense, takes, params, smoothness, final, never_empty))


# ---- what is taken -----------------------------------------------------------------------------

FORMAT = one((None, *FORMATS))
INDEXABLE = ("csr", "csc", "lil", "dok")
STORED = ("csr", "csc", "coo", "bsr", "dia")
any_2d = Want()  # a function's argument
A = Want(own=True)  # the matrix whose method is called
A12 = Want(own=True, ndim=(2, 2, 2, 1))
ARRAY = Want(own=True, families=("array",))
MATRIX = Want(own=True, families=("matrix",))
indexable = Want(own=True, formats=INDEXABLE)
FLOAT = {"where": lambda x: x.dtype.kind in "fc", "dtypes": ("float64", "complex128", "float32")}
REAL = {"where": lambda x: x.dtype.kind == "f", "dtypes": ("float64", "float32")}
real = Want(own=True, formats=STORED, **REAL)
functions = Want(own=True, formats=STORED, **FLOAT)
NONEMPTY = {
    "where": lambda x: 0 not in x.shape and x.dtype.kind in "fc", "dtypes": FLOAT["dtypes"],
}  # fmt: skip
written = Want(own=True, formats=INDEXABLE, **FLOAT)
entered = Want(own=True, formats=INDEXABLE, **NONEMPTY)
square = Want(own=True, square=True)
scalar = Want("scalar", where=lambda s: 0.1 < abs(s) < 10)
vector = Want("dense", ndim=(1,))


def like(x: Any, **more: Any) -> Want:
    """Another sparse operand of the same shape."""
    return Want(ndim=(len(x.shape),), shape=x.shape, **more)


def array_like(x: Any, **more: Any) -> Want:
    """A dense array of the same shape."""
    return Want("dense", ndim=(len(x.shape),), shape=x.shape, **more)


def dense_of(*shape: int | None, **more: Any) -> Want:
    """A dense array of this shape."""
    return Want("dense", ndim=(len(shape),), shape=shape, **more)


def into(x: Any, want: Want) -> Want:
    """`want`, of a dtype that can be written into the matrix `x` without a loss."""
    kinds = "f" if x.dtype.kind == "f" else "fc"
    dtypes = ("float64", "float32") + (("complex128",) if "c" in kinds else ())
    return Want(want.kind, want.ndim, want.shape, want.formats, want.families, dtypes=dtypes,
                where=lambda v: dtype_of(v).kind in kinds and want.where(v))  # fmt: skip


def distinct(x: Any) -> bool:
    """Whether no element of the matrix is stored twice.

    One-dimensional arrays have no duplicates here: SciPy's (1.17) give wrong results.
    """
    coo = x.tocoo()
    return len(np.unique(np.ravel_multi_index(coo.coords, x.shape))) == coo.nnz if x.nnz else True


def nonzero(x: Any) -> bool:
    """Whether no element is small."""
    return bool((np.abs(np.asarray(x)) > 0.1).all())
