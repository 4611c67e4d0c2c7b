"""Names that have no rule yet; with a traced argument they say so."""

from __future__ import annotations

import scipy.sparse as sps

from .._core.mirror import not_yet

# Names that came later than the oldest SciPy we work with.
if hasattr(sps, "expand_dims"):
    expand_dims = not_yet(sps.expand_dims)
if hasattr(sps, "matrix_transpose"):
    matrix_transpose = not_yet(sps.matrix_transpose)
if hasattr(sps, "permute_dims"):
    permute_dims = not_yet(sps.permute_dims)
if hasattr(sps, "swapaxes"):
    swapaxes = not_yet(sps.swapaxes)
