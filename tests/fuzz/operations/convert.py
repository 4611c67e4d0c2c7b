"""Other formats, families, dtypes and shapes."""

from __future__ import annotations

from .. import choices as c
from ..operands import FAMILIES, FORMATS, Want
from .declare import A12, FLOAT, MATRIX, A, any_2d, distinct, op

# fmt: off

op("asformat", "{A}.asformat({format!r})", "{A}", {"A": A}, format=c.one(FORMATS))
op("toformat", "{A}.to{format}()", "{A}", {"A": A}, format=c.one(FORMATS))
op("toformat_copy", "{A}.to{format}(copy=True)", "{A}", {"A": A}, format=c.one(FORMATS))
op("toformat_1d", "{A}.to{format}()", "{A}", {"A": Want(own=True, ndim=(1,))},
   format=c.one(("coo", "csr", "dok")))
op("tobsr_blocksize", "{A}.tobsr(blocksize={blocks})", "{A}", {"A": A}, blocks=c.blocksize)
op("constructor", "sp.{format}_{family}({A})", "{A}", {"A": any_2d}, format=c.one(FORMATS),
   family=c.one(FAMILIES))
op("constructor_dtype", 'sp.{format}_array({A}, dtype="complex128", copy=True)', "{A}",
   {"A": any_2d}, format=c.one(FORMATS))
op("toarray", "{A}.toarray()", "{A}", {"A": A12})
op("todense", "{A}.todense()", "{A}", {"A": A})
op("copy", "{A}.copy()", "{A}", {"A": A12})
op("astype", "{A}.astype({dtype!r})", "{A}", {"A": Want(own=True, ndim=(2, 1), **FLOAT)},
   dtype=c.wider)
op("transpose", "{A}.T", "np.transpose({A})", {"A": A12})
op("transpose_method", "{A}.transpose(copy=True)", "np.transpose({A})", {"A": A})
op("transpose_axes", "{A}.transpose(axes=(1, 0))", "np.transpose({A})", {"A": A})
op("getH", "{A}.getH()", "np.conj(np.transpose({A}))", {"A": MATRIX})
op("conj", "{A}.conj()", "np.conj({A})", {"A": A12})
op("conjugate", "{A}.conjugate(copy=False)", "np.conj({A})", {"A": A})
op("real", "{A}.real", "np.real({A})", {"A": A12})
op("imag", "{A}.imag", "np.imag({A} * (1 + 0j))", {"A": A12})
op("reshape", "{A}.reshape({shape})", "np.reshape({A}, {shape})", {"A": A12}, shape=c.reshape)
op("reshape_F", "{A}.reshape({shape}, order='F')", "np.reshape({A}, {shape}, order='F')",
   {"A": A}, shape=c.reshape)
op("reshape_1d", "{A}.reshape(-1)", "np.reshape({A}, -1)",
   {"A": Want(own=True, families=("array",), formats=("coo", "csr", "dok"), where=distinct)})
# Copies, since SciPy's `permute_dims` (1.17) changes the shape of its argument.
op("swapaxes", "sp.swapaxes({A}.copy(), 0, 1)", "np.transpose({A})", {"A": any_2d})
op("permute_dims", "sp.permute_dims({A}.copy(), (1, 0))", "np.transpose({A})", {"A": any_2d})
op("matrix_transpose", "sp.matrix_transpose({A}.copy())", "np.transpose({A})", {"A": any_2d})
op("expand_dims", "sp.expand_dims({A}, axis=0)", "{A}", {"A": Want(ndim=(1,))})
