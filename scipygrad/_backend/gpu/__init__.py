"""Kernels on the GPU, by the names that `cpu` has them under.

Entries and results are CuPy arrays. What the kernels read of patterns and maps is kept with them on
the device: those of sums, products and conversions are found there (`symbolic`), the others are
copied from the host when first needed. No kernel adds with atomics: results are the same in every
run.
"""

from __future__ import annotations

from .compressed import lines
from .entrywise import Segments, equal_indices, gather, gather_sum, scatter
from .extremes import extreme
from .launch import IN_GROUPS, LANES, NAMES, common, source
from .products import (
    matrix,
    product,
    product_both,
    product_left,
    product_right,
    sampled_outer,
    spmm,
    spmm_cotangents,
    spmv_tangent,
)
from .structure import coordinates, index_arrays, moved

__all__ = [
    "IN_GROUPS", "LANES", "NAMES", "Segments", "common", "coordinates",
    "equal_indices", "extreme", "gather", "gather_sum", "index_arrays", "lines", "matrix",
    "moved", "product", "product_both", "product_left", "product_right", "sampled_outer",
    "scatter", "source", "spmm", "spmm_cotangents", "spmv_tangent",
]  # fmt: skip
