"""Made from numbers."""

from __future__ import annotations

from .. import choices as c
from ..operands import FAMILIES, FORMATS, Want
from .declare import FORMAT, dense_of, op, scalar

# fmt: off

op("from_dense", "sp.{format}_{family}({X})", "{X}", {"X": dense_of(None, None)},
   format=c.one(FORMATS), family=c.one(FAMILIES))
COMPRESSED = "(({x}, [2, 0, 1, 1], [0, 1, 2, 2, 4]), shape="
op("from_rows", "sp.csr_{family}" + COMPRESSED + "(4, 3))", "D.compressed({x}, 'csr')",
   {"x": dense_of(4)}, family=c.one(FAMILIES))
op("from_columns", "sp.csc_{family}" + COMPRESSED + "(3, 4))", "D.compressed({x}, 'csc')",
   {"x": dense_of(4)}, family=c.one(FAMILIES))
op("from_coordinates", "sp.{format}_{family}(({x}, ([0, 2, 2, 0, 1], [1, 0, 0, 1, 2])), "
   "shape=(4, 3))", "D.coordinates({x}, (4, 3), ([0, 2, 2, 0, 1], [1, 0, 0, 1, 2]))",
   {"x": dense_of(5)},
   format=c.one(("coo", "csr", "csc")), family=c.one(FAMILIES))
op("from_diagonals", "sp.dia_{family}(({X}, [1, -1]), shape=(3, 4))",
   "D.spdiags({X}, [1, -1], (3, 4))", {"X": dense_of(2, 4)}, family=c.one(FAMILIES))
op("from_blocks", "sp.bsr_{family}((np.reshape({X}, (2, 2, 1)), [1, 0], [0, 1, 2]))",
   "D.coordinates(np.reshape({X}, -1), (4, 2), ([0, 1, 2, 3], [1, 1, 0, 0]))",
   {"X": dense_of(4, 1)}, family=c.one(FAMILIES))
op("diags", "sp.diags([{x}, {y}[:2], {x}[:2]], [0, -1, 1], format={format!r})",
   "D.diags([{x}, {y}[:2], {x}[:2]], [0, -1, 1], (3, 3))",
   {"x": dense_of(3), "y": dense_of(3)}, format=FORMAT)
op("diags_array", "sp.diags_array([{x}, {y}], offsets=[-1, 1], shape=(4, 4), format={format!r})",
   "D.diags([{x}, {y}], [-1, 1], (4, 4))", {"x": dense_of(3), "y": dense_of(3)}, format=FORMAT)
op("diags_scalars", "sp.diags([{s}, 1.5, {t}], [0, 1, -2], shape=(3, 4))",
   "D.diags([{s}, 1.5, {t}], [0, 1, -2], (3, 4))", {"s": scalar, "t": scalar})
op("diags_one", "sp.diags({x}, {k}, format='csr')",
   "D.diags([{x}], [{k}], (len({x}) + abs({k}),) * 2)",
   {"x": Want("dense", ndim=(1,), where=lambda x: len(x) > 1)}, k=c.one((0, 1, -2)))
op("spdiags", "sp.spdiags({X}, {offsets}, {shape[0]}, {shape[1]}, format={format!r})",
   "D.spdiags({X}, {offsets}, {shape})",  # wider data: SciPy's dia_array.T is wrong (1.17)
   {"X": Want("dense", shape=(2, None), where=lambda X: X.shape[1] <= 2)},
   offsets=c.one(([0, 1], [-1, 2], [2, -2])), shape=c.one(((3, 3), (4, 2), (2, 5))),
   format=FORMAT)
