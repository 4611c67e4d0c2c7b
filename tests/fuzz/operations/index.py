"""Parts: entries, rows, slices, triangles, diagonals."""

from __future__ import annotations

from .. import choices as c
from ..operands import FORMATS, Want
from .declare import MATRIX, A, any_2d, indexable, op

# fmt: off

op("index", "{A}[{index}]", "{A}[{index}]", {"A": indexable}, index=c.index_2d)
op("index_any_format", "{A}[{index}]", "{A}[{index}]", {"A": A}, index=c.index_2d)
op("index_1d", "{A}[{index}]", "{A}[{index}]", {"A": Want(own=True, ndim=(1,))}, index=c.index_1d)
op("index_mask", "{A}[{mask}]", "{A}[{mask}]", {"A": indexable}, mask=c.mask_2d)
op("getrow", "{A}.getrow({i})", "{A}[{i}]", {"A": MATRIX}, i=c.row)
op("getcol", "{A}.getcol({i})", "{A}[:, {i}]", {"A": MATRIX}, i=c.column)
op("iterate", "sum(k * row.sum() for k, row in enumerate({A}))",
   "sum(k * np.sum({A}[k]) for k in range(len({A})))",
   {"A": Want(own=True, formats=("csr", "csc", "lil"), where=lambda x: x.shape[0] > 1)})
op("diagonal", "{A}.diagonal(k={k})", "D.diagonal({A}, {k})", {"A": A}, k=c.offset)
op("trace", "{A}.trace({k})", "np.sum(D.diagonal({A}, {k}))", {"A": A}, k=c.offset)
op("tril", "sp.tril({A}, k={k})", "D.tril({A}, {k})", {"A": any_2d}, k=c.offset)
op("triu", "sp.triu({A}, {k}, format={format!r})", "D.triu({A}, {k})", {"A": any_2d}, k=c.offset,
   format=c.one(FORMATS))
op("find", "np.sum(sp.find({A})[2] ** 2)", "np.sum({A} ** 2)", {"A": any_2d})
