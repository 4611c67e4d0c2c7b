"""SciPy's sparse code, differentiable: change the import, take `autograd.grad`.

``import scipygrad.sparse as sp`` for ``import scipy.sparse as sp`` and
``import scipygrad.sparse.linalg as spla`` for ``import scipy.sparse.linalg as spla``.
"""

from typing import Any

from . import sparse
from ._core.device import to_device, to_host
from ._core.errors import (
    AdjointConvergenceWarning,
    HostWarning,
    NearlyDegenerateWarning,
    PhaseWarning,
    ZeroWeightWarning,
)
from ._core.mirror import detach, to_scipy

__version__ = "0.1.0"
__all__ = [
    "AdjointConvergenceWarning", "HostWarning", "NearlyDegenerateWarning", "PhaseWarning",
    "ZeroWeightWarning", "detach", "implicit", "linalg", "sparse", "testing", "to_device",
    "to_host", "to_scipy",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in ("linalg", "testing"):
        import importlib

        return importlib.import_module(f"scipygrad.{name}")
    if name == "implicit":
        from .linalg._newton import implicit

        return implicit
    raise AttributeError(f"module 'scipygrad' has no attribute {name!r}")
