"""The common first base of every sparse class of ours."""


class SparseLayout:
    """Gives all our sparse classes one object layout.

    Because it stands first in their bases, ``A.__class__ = TracedSparse`` is allowed: a constant
    matrix into which a traced value is written becomes a traced one without losing its identity.
    """


TRACED_TYPES: set[type] = set()
"""The Box types that stand for a sparse value (filled by `scipygrad._core.traced`)."""

SPARSE_TYPES: set[type] = set()
"""Those, and the classes of plain sparse values that autograd knows."""
