"""scipy.sparse.linalg, differentiable: ``import scipygrad.sparse.linalg as spla``."""

from typing import Any

from . import _funm, _plain
from ._determinant import logdet, slogdet  # noqa: F401  (additions to SciPy's names)
from ._direct import SuperLU, factorized, spilu, splu, spsolve
from ._eigen import eigs, eigsh, lobpcg
from ._expm import expm
from ._expm_multiply import expm_multiply
from ._inverse import inv
from ._krylov import bicg, bicgstab, cg, cgs, gcrotmk, gmres, lgmres, minres, qmr, tfqmr
from ._leastsq import lsmr, lsqr
from ._matfuncs import matrix_power
from ._norm import norm, onenormest
from ._operator import LaplacianNd, LinearOperator, aslinearoperator
from ._plain import ArpackError, ArpackNoConvergence, MatrixRankWarning, use_solver
from ._svd import svds
from ._triangular import spsolve_triangular

__all__ = [
    "ArpackError", "ArpackNoConvergence", "LaplacianNd", "LinearOperator", "MatrixRankWarning",
    "SuperLU", "aslinearoperator", "bicg", "bicgstab", "cg", "cgs", "eigs", "eigsh", "expm",
    "expm_multiply", "factorized", "gcrotmk", "gmres", "inv", "lgmres", "lobpcg", "lsmr", "lsqr",
    "matrix_power", "minres", "norm", "onenormest", "qmr", "spilu", "splu", "spsolve",
    "spsolve_triangular", "svds", "tfqmr", "use_solver",
]  # fmt: skip

# Names that the installed SciPy may or may not have.
_newer = {
    name: getattr(module, name)
    for name, module in (
        ("funm_multiply_krylov", _funm), ("is_sptriangular", _plain), ("spbandwidth", _plain),
    )
    if hasattr(module, name)
}  # fmt: skip
__all__ += list(_newer)


def __getattr__(name: str) -> Any:
    if name in _newer:
        return _newer[name]
    raise AttributeError(f"module 'scipygrad.linalg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "logdet", "slogdet"])
