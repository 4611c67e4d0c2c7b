"""Run the same thing with our objects and with SciPy's, and compare everything."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sps

import scipygrad.sparse as sp

FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
CLASSES = [f"{f}_{family}" for family in ("array", "matrix") for f in FORMATS]

DENSE = np.array([[4.0, -1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 3.0, 6.0]])
OTHER = np.array([[0.0, 1.0, 0.5], [2.0, 0.0, 1.0], [0.0, 3.0, 2.0]])

WITH_ENTRIES = [name for name in CLASSES if name[:3] not in ("dok", "lil")]
"""Classes whose entries are one array."""

INT = np.int32


def same(ours, theirs):
    """The same result, of our classes wherever SciPy's has one of its own."""
    if isinstance(theirs, tuple | list):
        assert type(ours) is type(theirs)
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b)
    elif sps.issparse(theirs):
        assert type(ours) is getattr(sp, type(theirs).__name__)
        assert (ours.format, ours.shape, ours.dtype) == (theirs.format, theirs.shape, theirs.dtype)
        a, b = ours.__dict__, theirs.__dict__
        for name in ("data", "indptr", "indices", "offsets", "rows"):
            if name in b:
                assert a[name].dtype == b[name].dtype, name
                np.testing.assert_array_equal(a[name], b[name], err_msg=name)
        same(a.get("coords"), b.get("coords"))
        if theirs.format == "dok":
            assert list(ours.items()) == list(theirs.items())
    elif isinstance(theirs, np.ndarray | np.generic):
        assert type(ours) is type(theirs)
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    else:
        assert type(ours).__name__ == type(theirs).__name__
        if isinstance(theirs, bool | int | float | complex | str | type(None)):
            assert ours == theirs


def outcome(call):
    """Result, or kind of the exception and its text, and the kinds of warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result, error = call(), None
        except Exception as e:
            result, error = None, (type(e), str(e))
    return result, error, [w.category for w in caught]


def compare(ours, theirs):
    """Run both, compare results, exceptions and warnings; returns whether SciPy's gave a result."""
    a, error_a, warnings_a = outcome(ours)
    b, error_b, warnings_b = outcome(theirs)
    assert error_a == error_b
    assert warnings_a == warnings_b
    same(a, b)
    return error_b is None


def make(module, name, dense=DENSE):
    return getattr(module, name)(dense)


def index_arrays(A):
    d = A.__dict__
    return [d[k] for k in ("indptr", "indices", "offsets") if k in d] + list(d.get("coords", ()))


def frozen(A):
    for a in index_arrays(A):
        a.flags.writeable = False
    return A
