"""Names that are passed through: nothing about them has a derivative."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import scipy.sparse as sps

from .._core.engine import is_sparse, strip
from .._core.layout import TRACED_TYPES
from .._core.mirror import constant_class, plain
from ._natively import natively


def _class_test(theirs: Any) -> Any:
    """`isspmatrix_xxx`, true of a traced matrix when it is of the class it stands for."""
    theirs_class = getattr(sps, theirs.__name__.replace("isspmatrix_", "") + "_matrix")
    return _of_class(theirs, theirs_class)


def _of_class(theirs: Any, theirs_class: type) -> Any:
    def test(x):
        return issubclass(x._class if type(x) in TRACED_TYPES else type(x), theirs_class)

    return plain(theirs, "asks for a class", test, strips=False)


issparse = plain(sps.issparse, "asks for a class", is_sparse, strips=False)
isspmatrix = _of_class(sps.isspmatrix, sps.spmatrix)
isspmatrix_bsr = _class_test(sps.isspmatrix_bsr)
isspmatrix_coo = _class_test(sps.isspmatrix_coo)
isspmatrix_csc = _class_test(sps.isspmatrix_csc)
isspmatrix_csr = _class_test(sps.isspmatrix_csr)
isspmatrix_dia = _class_test(sps.isspmatrix_dia)
isspmatrix_dok = _class_test(sps.isspmatrix_dok)
isspmatrix_lil = _class_test(sps.isspmatrix_lil)

_SIZES = "its arguments are sizes, not values"
eye = plain(sps.eye, _SIZES, natively(sps.eye))
eye_array = plain(sps.eye_array, _SIZES, natively(sps.eye_array))
identity = plain(sps.identity, _SIZES, natively(sps.identity))


def _with_sampler(theirs: Callable) -> Callable:
    """A function that draws entries: those of a sampler that returns traced ones, as numbers."""

    native = natively(theirs)

    def draw(*args, **kwargs):
        if not any(map(callable, (*args, *kwargs.values()))):
            return native(*args, **kwargs)
        bound = inspect.signature(theirs).bind(*args, **kwargs)
        for name in ("data_rvs", "data_sampler"):
            sampler = bound.arguments.get(name)
            if callable(sampler):
                bound.arguments[name] = lambda *a, f=sampler, **k: strip(f(*a, **k))
        return native(*bound.args, **bound.kwargs)

    return draw


_RANDOM = "its values are drawn at random; what a sampler returns is taken as numbers"
rand = plain(sps.rand, _RANDOM, natively(sps.rand))
random = plain(sps.random, _RANDOM, _with_sampler(sps.random))
random_array = plain(sps.random_array, _RANDOM, _with_sampler(sps.random_array))

load_npz = plain(sps.load_npz, "reads a file")
save_npz = plain(sps.save_npz, "writes a file: the values, without their trace")
get_index_dtype = plain(sps.get_index_dtype, "about index arrays")

SparseWarning = constant_class(sps.SparseWarning, "a warning")
SparseEfficiencyWarning = constant_class(sps.SparseEfficiencyWarning, "a warning")

# Names that came later than the oldest SciPy we work with.
if hasattr(sps, "safely_cast_index_arrays"):
    safely_cast_index_arrays = plain(sps.safely_cast_index_arrays, "about index arrays")
