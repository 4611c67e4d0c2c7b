"""Entry by entry."""

from __future__ import annotations

import numpy as np

from .. import choices as c
from ..kinks import at_cut, at_zero, near_integers, near_zero, ties_between
from ..operands import Want
from .declare import (
    A12,
    ARRAY,
    FLOAT,
    REAL,
    STORED,
    A,
    any_2d,
    array_like,
    dense_of,
    functions,
    like,
    nonzero,
    op,
    real,
    scalar,
)

# fmt: off

op("add", "{A} + {B}", "{A} + {B}", {"A": Want(ndim=(2, 2, 1)), "B": like})
op("sub", "{A} - {B}", "{A} - {B}", {"A": Want(ndim=(2, 2, 1)), "B": like})
op("cancel", "{A} - {A}", "{A} - {A}", {"A": Want(ndim=(2, 2, 1))})
op("cancel_partly", "{A} + {B} - {A} * 1.0", "{A} + {B} - {A} * 1.0", {"A": any_2d, "B": like})
op("cancel_product", "sp.hstack([{A}, {A}]) @ sp.vstack([{B}, -{B}])", "{A} @ {B} - {A} @ {B}",
   {"A": any_2d, "B": lambda A: Want(shape=(A.shape[1], None))})
op("add_zero", "{A} + 0", "{A}", {"A": A})
op("add_dense", "{A} + {X}", "{A} + {X}", {"A": any_2d, "X": array_like})
op("sub_dense", "{A} - {X}", "{A} - {X}", {"A": any_2d, "X": array_like})
op("rsub_dense", "{X} - {A}", "{X} - {A}", {"A": any_2d, "X": array_like})
op("neg", "-{A}", "-{A}", {"A": A12})
op("scale", "{A} * {s}", "{A} * {s}", {"A": Want(ndim=(2, 1)), "s": scalar})
op("rscale", "{s} * {A}", "{s} * {A}", {"A": Want(ndim=(2, 1)), "s": scalar})
# A plain lil or dok of SciPy's makes itself a csr, and one of whole numbers stays one (1.17).
op("divide_scalar", "{A} / {s}", "{A} / {s}",
   {"A": Want(own=True, ndim=(2, 1), where=lambda x: x.dtype.kind in "fc" or x.format in STORED),
    "s": scalar})
op("multiply", "{A}.multiply({B})", "{A} * {B}", {"A": Want(own=True, ndim=(2, 2, 1)), "B": like})
op("multiply_itself", "{A}.multiply({A})", "{A} * {A}", {"A": A})
op("star_array", "{A} * {B}", "{A} * {B}",
   {"A": Want(families=("array",)), "B": like})
op("multiply_row", "{A}.multiply({B})", "{A} * {B}",
   {"A": A, "B": lambda A: Want(shape=(1, A.shape[1]))})
op("multiply_column", "{A}.multiply({B})", "{A} * {B}",
   {"A": A, "B": lambda A: Want(shape=(A.shape[0], 1))})
op("multiply_dense", "{A}.multiply({X})", "{A} * {X}", {"A": A, "X": array_like})
op("multiply_vector", "{A}.multiply({x})", "{A} * {x}",
   {"A": A, "x": lambda A: dense_of(A.shape[1])})
op("multiply_dense_column", "{A}.multiply({X})", "{A} * {X}",
   {"A": A, "X": lambda A: dense_of(A.shape[0], 1)})
op("multiply_scalar", "{A}.multiply({s})", "{A} * {s}", {"A": A12, "s": scalar})
op("star_dense", "{A} * {X}", "{A} * {X}", {"A": ARRAY, "X": array_like})
op("rstar_dense", "{X} * {A}", "{X} * {A}", {"A": ARRAY, "X": array_like})
op("multiply_1d", "{A}.multiply({x})", "{A} * {x}",
   {"A": Want(own=True, ndim=(1,)), "x": array_like})
op("divide_dense", "{A} / {X}", "{A} / {X}",
   {"A": any_2d, "X": lambda A: array_like(A, where=nonzero)})
op("divide_vector", "{A} / {x}", "{A} / {x}",
   {"A": any_2d, "x": lambda A: dense_of(A.shape[1], where=nonzero)})
op("divide_full", "{A} / {B}", "D.quotient({A}, {B})", {"A": any_2d, "B": lambda A: like(
    A, structure="full", where=lambda B: nonzero(B.toarray()))})
op("power", "{A}.power({n})", "{A} ** {n}", {"A": A12}, n=c.one((2, 3, 1)))
op("power_dtype", "{A}.power(2, dtype='complex128')", "{A} ** 2", {"A": A})
op("power_inverse", "{A}.power(-1)", "D.at_nonzero(lambda x: 1 / x, {A})", {"A": functions},
   at_zero)
op("power_fraction", "abs({A}).power(1.5)", "D.at_nonzero(lambda x: np.abs(x) ** 1.5, {A})",
   {"A": functions}, at_zero)
op("pow", "{A} ** {n}", "{A} ** {n}", {"A": ARRAY}, n=c.one((2, 3, 1)))
op("abs", "abs({A})", "np.abs({A})", {"A": Want(own=True, ndim=(2, 2, 1), **FLOAT)}, near_zero)
op("abs_numpy", "np.abs({A})", "np.abs({A})", {"A": Want(own=True, **FLOAT)}, near_zero)
op("function", "{A}.{f}()", "np.{f}({A})", {"A": functions},
   f=c.one(("sin", "tanh", "expm1", "arctan", "arcsinh", "sinh", "deg2rad", "rad2deg")))
op("function_numpy", "np.{f}({A})", "np.{f}({A})", {"A": functions},
   f=c.one(("sin", "tanh", "expm1", "arctan", "arcsinh", "sinh")))
op("function_any_format", "{A}.{f}()", "np.{f}({A})", {"A": A}, f=c.one(("sin", "arcsinh")))
op("function_bounded", "({A} * 0.125).{f}()", "np.{f}({A} * 0.125)", {"A": functions},
   f=c.one(("arcsin", "arctanh", "log1p", "tan")))
op("sqrt", "abs({A}).sqrt()", "D.at_nonzero(lambda x: np.sqrt(np.abs(x)), {A})",
   {"A": functions}, at_zero)
op("sqrt_complex", "{A}.sqrt()", "D.at_nonzero(np.sqrt, {A})",
   {"A": Want(own=True, formats=STORED, dtypes=("complex128",),
              where=lambda x: x.dtype.kind == "c")}, at_cut)
op("step", "{A}.{f}()", "np.{f}({A})", {"A": real}, near_integers,
   f=c.one(("sign", "floor", "ceil", "rint", "trunc")))
op("maximum_sparse", "{A}.{f}({B})", "np.{f}({A}, {B})",
   {"A": Want(own=True, **REAL), "B": lambda A: like(A, **REAL)}, ties_between,
   f=c.one(("maximum", "minimum")))
op("maximum_dense", "{A}.{f}({X})", "np.{f}({A}, {X})",
   {"A": Want(own=True, **REAL), "X": lambda A: array_like(A, **REAL)}, ties_between,
   f=c.one(("maximum", "minimum")))
op("maximum_scalar", "{A}.{f}({s})", "np.{f}({A}, {s})",
   {"A": Want(own=True, **REAL), "s": Want("scalar", dtypes=("float64",), where=lambda s: (
       np.result_type(s).kind == "f" and abs(s) > 0.1))}, ties_between,
   f=c.one(("maximum", "minimum")))
