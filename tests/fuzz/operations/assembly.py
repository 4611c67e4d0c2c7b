"""Written into: assignment, in-place operations."""

from __future__ import annotations

from .. import choices as c
from ..operands import FAMILIES, FORMATS, Want
from .declare import (
    FLOAT,
    INDEXABLE,
    NONEMPTY,
    STORED,
    dense_of,
    entered,
    into,
    op,
    scalar,
    vector,
    written,
)

# fmt: off

COPY = "{out} = {A}.copy()\n"
op("set_item", COPY + "{out}[{index}] = {s}", "D.put({A}, D.s_[{index}], {s})",
   {"A": written, "s": lambda A: into(A, scalar)}, index=c.assigned_index)
op("set_any_format", COPY + "{out}[{index}] = {s}", "D.put({A}, D.s_[{index}], {s})",
   {"A": Want(own=True, **NONEMPTY), "s": lambda A: into(A, scalar)}, index=c.entry)
op("set_row", COPY + "{out}[{i}, :] = {x}", "D.put({A}, D.s_[{i}, :], {x})",
   {"A": entered, "x": lambda A: into(A, dense_of(A.shape[1]))},
   i=lambda choose, A, x: choose.integer(-A.shape[0], A.shape[0] - 1))
op("set_column", COPY + "{out}[:, {j}] = {X}", "D.put({A}, D.s_[:, {j}], {X})",
   {"A": entered, "X": lambda A: into(A, dense_of(A.shape[0], 1))},
   j=lambda choose, A, X: choose.integer(-A.shape[1], A.shape[1] - 1))
op("set_block", COPY + "{out}[{where}] = {X}", "D.put({A}, D.s_[{where}], {X})",
   {"A": entered, "X": lambda A: into(A, dense_of(min(2, A.shape[0]), min(2, A.shape[1])))},
   where=c.window)
op("set_sparse", COPY + "{out}[{where}] = {B}", "D.put({A}, D.s_[{where}], {B})",
   {"A": entered, "B": lambda A: into(A, Want(shape=(min(2, A.shape[0]), A.shape[1])))},
   where=c.window)
op("set_mask", COPY + "{out}[{mask}] = {s}", "D.put({A}, {mask}, {s})",
   {"A": entered, "s": lambda A: into(A, scalar)}, mask=lambda choose, A, s: c.mask_2d(choose, A))
op("add_entry", COPY + "{out}[{ij}] += {s}\n{out}[{ij}] *= {s}",
   "D.put({A}, D.s_[{ij}], ({A}[{ij}] + {s}) * {s})",
   {"A": entered, "s": lambda A: into(A, scalar)}, ij=c.entry)
op("boundary", COPY + "{out}[{bc}, :] = 0\n{out}[{bc}, {bc}] = {s}",
   "D.put(D.put({A}, D.s_[{bc}, :], 0.0), D.s_[{bc}, {bc}], {s})",
   {"A": Want(own=True, formats=INDEXABLE, square=True, **NONEMPTY),
    "s": lambda A: into(A, scalar)}, bc=lambda choose, A, s: c.rows(choose, A))
op("setdiag", COPY + "{out}.setdiag({x}, {k})", "D.setdiag({A}, {x}, {k})",
   {"A": Want(own=True, **NONEMPTY), "x": lambda A: into(A, vector)}, k=c.offset)
op("setdiag_scalar", COPY + "{out}.setdiag({s}, k={k})", "D.setdiag({A}, {s}, {k})",
   {"A": Want(own=True, **NONEMPTY), "s": lambda A: into(A, scalar)}, k=c.offset)
op("lil_iadd", "{out} = {A}.tolil(copy=True)\n{out} {sign}= {B}", "{A} {sign} {B}",
   {"A": Want(own=True, **FLOAT), "B": lambda A: into(A, Want(shape=A.shape))},
   sign=lambda choose, *values: c.Source(choose.one("+-")))
op("set_data", COPY + "{out}.data = {out}.data * {s}", "{A} * {s}",
   {"A": Want(own=True, formats=STORED, **FLOAT), "s": lambda A: into(A, scalar)})
op("read_data", "np.sum({A}.data ** 2)", "np.sum({A} ** 2)",
   {"A": Want(own=True, formats=("csr", "csc", "coo", "bsr"), dtypes=FLOAT["dtypes"],
              where=lambda x: x.dtype.kind in "fc" and x.has_canonical_format)})
op("scale_in_place", COPY + "{out} *= {s}", "{A} * {s}",
   {"A": Want(own=True, **FLOAT), "s": lambda A: into(A, scalar)})
op("divide_in_place", COPY + "{out} /= {s}", "{A} / {s}",
   {"A": Want(own=True, **FLOAT), "s": lambda A: into(A, scalar)})
op("tidy", COPY + "{out}.{method}()", "{A}",
   {"A": Want(own=True, formats=("csr", "csc", "coo", "bsr"))},
   method=c.one(("sum_duplicates", "eliminate_zeros", "sort_indices", "prune")))
op("sorted_indices", "{A}.sorted_indices()", "{A}",
   {"A": Want(own=True, formats=("csr", "csc", "bsr"))})
op("resize", COPY + "{out}.resize({shape})", "D.resize({A}, {shape})",
   {"A": Want(own=True, formats=("csr", "csc", "coo", "lil", "dok", "dia"))}, shape=c.new_shape)
op("assemble", "{out} = sp.{format}_{family}((3, 4), dtype='complex128')\n"
   "for row in range(3):\n    {out}[row, row] += {x}[row]\n"
   "    {out}[row, row + 1] = {x}[row] * {s}\n"
   "{out}[0, 1] += {s}\n{out}[2, :2] = {x}[:2]\n{out}[[0, 1], [3, 0]] = {x}[1:]\n"
   "{out} = {out}.to{to}()",
   "D.assemble({x}, {s})", {"x": dense_of(3), "s": scalar},
   format=c.one(("lil", "dok", "csr")), family=c.one(FAMILIES), to=c.one(FORMATS))
