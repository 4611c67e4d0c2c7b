"""scipy.sparse.linalg, differentiable; the same objects as in `scipygrad.linalg`."""

from ..linalg import *  # noqa: F403 (the list of names is that of scipygrad.linalg)
from ..linalg import __all__  # noqa: F401
