"""Names that are passed through: nothing about them has a derivative."""

from __future__ import annotations

import scipy.sparse.linalg as spla

from .._core.mirror import constant_class, plain
from . import _packages

ArpackError = constant_class(spla.ArpackError, "an exception")
ArpackNoConvergence = constant_class(spla.ArpackNoConvergence, "an exception")
MatrixRankWarning = constant_class(spla.MatrixRankWarning, "a warning")
use_solver = plain(
    spla.use_solver,
    "chooses the direct solver; besides SciPy's keywords there is solver='superlu', 'umfpack', "
    "'cholmod', 'pardiso', 'cudss' (on a GPU) or None",
    instead=_packages.use_solver,
)

# Names that came later than the oldest SciPy we work with.
if hasattr(spla, "is_sptriangular"):
    is_sptriangular = plain(spla.is_sptriangular, "about structure")
if hasattr(spla, "spbandwidth"):
    spbandwidth = plain(spla.spbandwidth, "about structure")
