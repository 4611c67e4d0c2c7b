"""Kernels on the GPU, by the names that `cpu` has them under.

Entries and results are CuPy arrays. Structure (patterns, maps) is found on the host, once; what the
kernels read of it is copied to the device when first needed and kept with it. No kernel adds with
atomics: results are the same in every run.
"""

from __future__ import annotations

from .entrywise import Segments, equal_indices, gather, gather_sum, scatter
from .launch import KERNELS, NAMES, common
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
    "KERNELS", "NAMES", "Segments", "common", "coordinates", "equal_indices", "gather",
    "gather_sum", "index_arrays", "matrix", "moved", "product", "product_both", "product_left",
    "product_right", "sampled_outer", "scatter", "spmm", "spmm_cotangents", "spmv_tangent",
]  # fmt: skip
