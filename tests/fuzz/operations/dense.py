"""Dense values between sparse ones: arrays, np.matrix, numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import choices as c
from ..operands import Want
from .declare import ARRAY, MATRIX, A, like, op, scalar

# fmt: off

an_array = Want("dense", ndim=(1, 2), where=lambda x: type(x) is np.ndarray)


def same_array(x: Any) -> Want:
    """An array of the same shape, not np.matrix."""
    return Want("dense", ndim=(x.ndim,), shape=x.shape, where=lambda y: type(y) is np.ndarray)


op("dense_function", "np.{f}({x})", "np.{f}({x})", {"x": an_array}, f=c.one(("sin", "tanh")))
op("dense_product", "{x} * {y}", "{x} * {y}", {"x": an_array, "y": same_array})
op("dense_reversed", "{x}[::-1]", "{x}[::-1]", {"x": an_array})
op("dense_sum", "np.sum({x})", "np.sum({x})", {"x": an_array})
op("scalars", "np.multiply({s}, {t}) + 0.5", "{s} * {t} + 0.5", {"s": scalar, "t": scalar})

# np.matrix beside sparse operands: the family of those decides what `*` is.
op("npmatrix_star", "{B}.todense() * {A}", "np.dot({B}, {A})",
   {"A": MATRIX, "B": lambda A: Want(own=True, shape=(None, A.shape[0]), families=("matrix",))})
op("npmatrix_star_array", "{B}.todense() * {A}", "{B} * {A}",
   {"A": ARRAY, "B": lambda A: like(A, own=True, families=("matrix",))})
op("npmatrix_matmul", "{A} @ {B}.todense()", "np.dot({A}, {B})",
   {"A": A, "B": lambda A: Want(own=True, shape=(A.shape[1], None), families=("matrix",))})
op("npmatrix_sum", "{B}.todense() - {A}", "{B} - {A}",
   {"A": A, "B": lambda A: like(A, own=True, families=("matrix",))})
