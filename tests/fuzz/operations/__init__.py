"""The operations that random programs are made of, each declared once, by families."""

from . import (
    assembly,
    combine,
    construct,
    convert,
    dense,
    elementwise,
    index,
    matmul,
    reduce,
    solve,
)
from .declare import OPERATIONS, Operation

__all__ = [
    "AVAILABLE", "NOT_YET", "OPERATIONS", "Operation",
    "assembly", "combine", "construct", "convert", "dense", "elementwise", "index", "matmul",
    "reduce", "solve",
]  # fmt: skip

NOT_YET: frozenset[str] = frozenset()
"""Names of operations that are declared but not differentiable yet; programs leave them out."""

AVAILABLE = [o for o in OPERATIONS if o.name not in NOT_YET]
