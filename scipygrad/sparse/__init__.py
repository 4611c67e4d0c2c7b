"""scipy.sparse, differentiable: ``import scipygrad.sparse as sp``."""

from typing import Any

from . import _plain, _tensor, _traced
from ._classes import (
    bsr_array,
    bsr_matrix,
    coo_array,
    coo_matrix,
    csc_array,
    csc_matrix,
    csr_array,
    csr_matrix,
    dia_array,
    dia_matrix,
    dok_array,
    dok_matrix,
    lil_array,
    lil_matrix,
    sparray,
    spmatrix,
)
from ._combine import (
    block_array,
    block_diag,
    bmat,
    find,
    hstack,
    kron,
    kronsum,
    tril,
    triu,
    vstack,
)
from ._construct import diags, diags_array, spdiags
from ._plain import (
    SparseEfficiencyWarning,
    SparseWarning,
    eye,
    eye_array,
    get_index_dtype,
    identity,
    issparse,
    isspmatrix,
    isspmatrix_bsr,
    isspmatrix_coo,
    isspmatrix_csc,
    isspmatrix_csr,
    isspmatrix_dia,
    isspmatrix_dok,
    isspmatrix_lil,
    load_npz,
    rand,
    random,
    random_array,
    save_npz,
)

__all__ = [
    "SparseEfficiencyWarning", "SparseWarning", "block_array", "block_diag", "bmat", "bsr_array",
    "bsr_matrix", "coo_array", "coo_matrix", "csc_array", "csc_matrix", "csgraph", "csr_array",
    "csr_matrix", "dia_array", "dia_matrix", "diags", "diags_array", "dok_array", "dok_matrix",
    "eye", "eye_array", "find", "get_index_dtype", "hstack", "identity", "issparse", "isspmatrix",
    "isspmatrix_bsr", "isspmatrix_coo", "isspmatrix_csc", "isspmatrix_csr", "isspmatrix_dia",
    "isspmatrix_dok", "isspmatrix_lil", "kron", "kronsum", "lil_array", "lil_matrix", "linalg",
    "load_npz", "rand", "random", "random_array", "save_npz", "sparray", "spdiags", "spmatrix",
    "tril", "triu", "vstack",
]  # fmt: skip

# Names that the installed SciPy may or may not have.
_newer = {
    name: getattr(module, name)
    for name, module in (
        ("expand_dims", _tensor), ("matrix_transpose", _tensor), ("permute_dims", _tensor),
        ("swapaxes", _tensor), ("safely_cast_index_arrays", _plain),
    )
    if hasattr(module, name)
}  # fmt: skip
__all__ += list(_newer)

del _traced  # imported for its effect: autograd knows sparse values from here on


def __getattr__(name: str) -> Any:
    if name in _newer:
        return _newer[name]
    if name in ("linalg", "csgraph"):  # as in SciPy, loaded when asked for
        import importlib

        return importlib.import_module(f"scipygrad.sparse.{name}")
    raise AttributeError(f"module 'scipygrad.sparse' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
