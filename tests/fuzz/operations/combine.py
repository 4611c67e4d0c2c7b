"""Matrices made of matrices."""

from __future__ import annotations

from .. import choices as c
from ..operands import FORMATS, Want
from .declare import FORMAT, any_2d, dense_of, op

# fmt: off

op("hstack", "sp.hstack([{A}, {B}, {A}], format={format!r})", "D.hstack({A}, {B}, {A})",
   {"A": any_2d, "B": lambda A: Want(shape=(A.shape[0], None))}, format=FORMAT)
op("vstack", "sp.vstack([{A}, {B}], format={format!r})", "D.concatenate([{A}, {B}])",
   {"A": any_2d, "B": lambda A: Want(shape=(None, A.shape[1]))}, format=FORMAT)
op("bmat", "sp.bmat([[{A}, None], [{B}, {X}]], format={format!r})",
   "D.block([[{A}, None], [{B}, {X}]])",
   {"A": any_2d, "B": lambda A: Want(shape=(None, A.shape[1])),
    "X": lambda A, B: dense_of(B.shape[0], 2)}, format=FORMAT)
op("block_array", "sp.block_array([[{A}, {B}], [None, {B}]], format={format!r})",
   "D.block([[{A}, {B}], [None, {B}]])",
   {"A": any_2d, "B": lambda A: Want(shape=(A.shape[0], None))}, format=FORMAT)
op("block_diag", "sp.block_diag([{A}, {B}, {X}], format={format!r})",
   "D.block_diag({A}, {B}, {X})", {"A": any_2d, "B": any_2d, "X": dense_of(None, 2)},
   format=FORMAT)
op("kron", "sp.kron({A}, {B}, format={format!r})", "D.kron({A}, {B})",
   {"A": any_2d, "B": any_2d}, format=c.one([f for f in FORMATS if f != "bsr"]),
   never_empty=True)
op("kron_dense", "sp.kron({X}, {A}, format='csr')", "D.kron({X}, {A})",
   {"A": any_2d, "X": dense_of(2, 2)}, never_empty=True)
op("kron_default", "sp.kron({A}, {B})", "D.kron({A}, {B})", {"A": any_2d, "B": any_2d},
   final=True, never_empty=True)
op("kronsum", "sp.kronsum({A}, {B}, format={format!r})", "D.kronsum({A}, {B})",
   {"A": Want(square=True), "B": Want(square=True)}, format=FORMAT, never_empty=True)
