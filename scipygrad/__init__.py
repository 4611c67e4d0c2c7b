"""SciPy's sparse code, differentiable: change the import, take `autograd.grad`.

``import scipygrad.sparse as sp`` for ``import scipy.sparse as sp`` and
``import scipygrad.sparse.linalg as spla`` for ``import scipy.sparse.linalg as spla``.
"""

from typing import Any

from . import sparse
from ._core.engine import strip as detach
from ._core.errors import AdjointConvergenceWarning

__version__ = "0.1.0"
__all__ = ["AdjointConvergenceWarning", "detach", "linalg", "sparse", "testing"]


def __getattr__(name: str) -> Any:
    if name in ("linalg", "testing"):
        import importlib

        return importlib.import_module(f"scipygrad.{name}")
    raise AttributeError(f"module 'scipygrad' has no attribute {name!r}")
