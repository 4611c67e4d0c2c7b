"""Products."""

from __future__ import annotations

import numpy as np

from .. import choices as c
from ..operands import Want, dense
from .declare import MATRIX, A, any_2d, dense_of, like, op, scalar

# fmt: off

op("matmul", "{A} @ {B}", "np.dot({A}, {B})",
   {"A": any_2d, "B": lambda A: Want(shape=(A.shape[1], None))})
op("matvec", "{A} @ {x}", "np.dot({A}, {x})", {"A": any_2d, "x": lambda A: dense_of(A.shape[1])})
op("matmat", "{A} @ {X}", "np.dot({A}, {X})",
   {"A": any_2d, "X": lambda A: dense_of(A.shape[1], None)})
op("matcolumn", "{A} @ {X}", "np.dot({A}, {X})",
   {"A": any_2d, "X": lambda A: dense_of(A.shape[1], 1)})
op("rmatvec", "{x} @ {A}", "np.dot({x}, {A})", {"A": any_2d, "x": lambda A: dense_of(A.shape[0])})
op("rmatmat", "{X} @ {A}", "np.dot({X}, {A})",
   {"A": any_2d, "X": lambda A: dense_of(None, A.shape[0])})
op("matmul_1d", "{A} @ {B}", "np.dot({A}, {B})",
   {"A": any_2d, "B": lambda A: Want(ndim=(1,), shape=(A.shape[1],))},
   never_empty=True)
op("rmatmul_1d", "{B} @ {A}", "np.dot({B}, {A})",
   {"A": any_2d, "B": lambda A: Want(ndim=(1,), shape=(A.shape[0],))},
   never_empty=True)
# A product that is zero is uninitialised memory in SciPy (1.17).
op("inner_1d", "{A} @ {B}", "np.dot({A}, {B})",
   {"A": Want(ndim=(1,)), "B": lambda A: like(A, where=lambda B: dense(A) @ dense(B) != 0)})
op("inner_1d_dense", "{A} @ {x}", "np.dot({A}, {x})",
   {"A": Want(ndim=(1,)), "x": lambda A: dense_of(A.shape[0])})
op("dot", "{A}.dot({B})", "np.dot({A}, {B})",
   {"A": A, "B": lambda A: Want(shape=(A.shape[1], None))})
op("dot_vector", "{A}.dot({x})", "np.dot({A}, {x})",
   {"A": A, "x": lambda A: dense_of(A.shape[1])})
# SciPy's `dot` refuses arrays of no dimension, but a traced number is not known to be one.
op("dot_scalar", "{A}.dot({s})", "{A} * {s}",
   {"A": A, "s": Want("scalar", where=lambda s: np.isscalar(s) and scalar.where(s))})
op("gram", "{A} @ {A}.T", "np.dot({A}, np.transpose({A}))", {"A": A})
op("star_matrix", "{A} * {B}", "np.dot({A}, {B})",
   {"A": Want(families=("matrix",)), "B": lambda A: Want(shape=(A.shape[1], None))})
op("star_vector", "{A} * {x}", "np.dot({A}, {x})",
   {"A": MATRIX, "x": lambda A: dense_of(A.shape[1])})
op("rstar_vector", "{x} * {A}", "np.dot({x}, {A})",
   {"A": MATRIX, "x": lambda A: dense_of(A.shape[0])})
op("pow_matrix", "{A} ** {n}", "D.power({A}, {n})",
   {"A": Want(own=True, families=("matrix",), square=True)}, n=c.one((2, 3, 1, 0)))
op("matrix_power", "spla.matrix_power({A}, {n})", "D.power({A}, {n})",
   {"A": Want(square=True)}, n=c.one((2, 3, 1, 0)))
op("add_matmul", "np.add({A}, {B}) @ np.subtract({A}, {B}).T",
   "np.dot({A} + {B}, np.transpose({A} - {B}))", {"A": A, "B": lambda A: like(A, own=True)})
op("tensordot", "{A}.tensordot({B}, axes=1)", "np.dot({A}, {B})",
   {"A": Want(own=True, formats=("coo",), families=("array",)),
    "B": lambda A: Want(shape=(A.shape[1], None), formats=("coo",), families=("array",))})
