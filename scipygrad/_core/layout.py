"""The common first base of every sparse class of ours."""

from __future__ import annotations

from typing import Any


class SparseLayout:
    """Gives all our sparse classes one object layout.

    Because it stands first in their bases, ``A.__class__ = TracedSparse`` is allowed: a constant
    matrix into which a traced value is written becomes a traced one without losing its identity.
    """

    def to_scipy(self) -> Any:
        """The plain value, of SciPy's own class; see `scipygrad.to_scipy`."""
        from .mirror import to_scipy

        return to_scipy(self)


TRACED_TYPES: set[type] = set()
"""The Box types that stand for a sparse value (filled by `scipygrad._core.traced`)."""

SPARSE_TYPES: set[type] = set()
"""Those, and the classes of plain sparse values that autograd knows."""

DEVICE_ARRAYS: set[type] = set()
"""Arrays on a GPU: `cupy.ndarray`, once one was met (`scipygrad._core.device`)."""

DEVICE_MATRICES: dict[type, type | None] = {}
"""Sparse classes on a GPU: ours, with the host's class that each stands for; CuPy's, with None."""
