"""Sums, means, extrema."""

from __future__ import annotations

from .. import choices as c
from ..kinks import ties
from ..operands import Want, family_of
from .declare import op, real

# fmt: off

# Not of a bsr_matrix: SciPy's (1.17) is mostly "too large to be a matrix".
summed = Want(own=True, where=lambda x: x.format != "bsr" or family_of(x) == "array")

op("sum", "{A}.sum(axis={axis})", "np.sum({A}, axis={axis})", {"A": summed}, axis=c.axis)
op("sum_all", "{A}.sum()", "np.sum({A})", {"A": summed})
op("sum_1d", "{A}.sum()", "np.sum({A})", {"A": Want(own=True, ndim=(1,))})
op("sum_dtype", "{A}.sum({axis}, dtype='complex128')", "np.sum({A}, axis={axis})", {"A": summed},
   axis=c.axis)
op("sum_numpy", "np.sum({A}, axis={axis})", "np.sum({A}, axis={axis})", {"A": summed},
   axis=c.axis)
op("mean", "{A}.mean(axis={axis})", "np.mean({A}, axis={axis})",
   {"A": Want(own=True, where=lambda x: 0 not in x.shape and summed.where(x))}, axis=c.axis)
op("mean_dtype", "{A}.mean({axis}, dtype={dtype!r})", "np.mean({A}, axis={axis})",
   {"A": Want(own=True, where=lambda x: (
       0 not in x.shape and x.dtype.kind in "fc" and summed.where(x)))},
   axis=c.axis, dtype=c.wider)
op("max", "{A}.max(axis={axis})", "np.max({A}, axis={axis})", {"A": real}, ties, axis=c.axis)
op("min", "{A}.min(axis={axis})", "np.min({A}, axis={axis})", {"A": real}, ties, axis=c.axis)
op("nanmax", "{A}.nanmax(axis={axis})", "np.max({A}, axis={axis})", {"A": real}, ties, axis=c.axis)
op("nanmin", "{A}.nanmin({axis})", "np.min({A}, axis={axis})", {"A": real}, ties, axis=c.axis)
op("max_all", "{A}.max() - {A}.min()", "np.max({A}) - np.min({A})", {"A": real}, ties)
