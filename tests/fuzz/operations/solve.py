"""Linear systems."""

from __future__ import annotations

import numpy as np

from .. import choices as c
from ..kinks import outside_triangle, zero_norm
from ..operands import Want
from .declare import FLOAT, dense_of, into, op

# fmt: off

DTYPES = FLOAT["dtypes"]
regular = Want(structure="regular", dtypes=DTYPES)
own_regular = Want(structure="regular", own=True, dtypes=DTYPES)
lower = Want(structure="lower", dtypes=DTYPES, formats=("csr", "csc"))
own_upper = Want(structure="upper", own=True, dtypes=DTYPES)

op("spsolve", "spla.spsolve({A}, {b})", "D.solve({A}, {b})",
   {"A": regular, "b": lambda A: dense_of(A.shape[0])})
op("spsolve_keyword", "spla.spsolve(b={b}, A={A})", "D.solve({A}, {b})",
   {"A": regular, "b": lambda A: dense_of(A.shape[0], None)})
op("spsolve_sparse", "spla.spsolve({A}, {B})", "D.solve({A}, {B})",
   {"A": regular, "B": lambda A: Want(shape=(A.shape[0], None), where=lambda B: B.shape[1] > 0)})
op("splu", "spla.splu({A}.tocsc()).solve({b}, trans={trans!r})",
   "D.solve(D.trans({A}, {trans!r}), {b})",
   {"A": own_regular, "b": lambda A: into(A, dense_of(A.shape[0]))}, trans=c.one("NTH"))
op("factorized", "spla.factorized({A}.tocsc())({b})", "D.solve({A}, {b})",
   {"A": own_regular, "b": lambda A: into(A, dense_of(A.shape[0]))})
op("spsolve_lower", "spla.spsolve_triangular({A}, {b}, unit_diagonal=False)",
   "D.solve(D.tril({A}), {b})",
   {"A": lower, "b": lambda A: dense_of(A.shape[0])}, outside_triangle)
op("spsolve_upper", "spla.spsolve_triangular({A}.tocsr(), {b}, lower=False)",
   "D.solve(D.triu({A}), {b})",
   {"A": own_upper, "b": lambda A: dense_of(  # SciPy (1.17) scales np.matrix by a matrix product
       A.shape[0], 2, where=lambda b: type(b) is np.ndarray)}, outside_triangle)
op("inv", "spla.inv({A}.tocsc())", "np.linalg.inv({A})", {"A": own_regular})
# Not of dia: SciPy's norm takes what is stored outside the matrix, too (1.17).
op("norm", "spla.norm({A})", "np.sqrt(np.sum(np.real({A} * np.conj({A}))))",
   {"A": Want(formats=("csr", "csc", "coo", "bsr", "lil", "dok"), **FLOAT)}, zero_norm)
