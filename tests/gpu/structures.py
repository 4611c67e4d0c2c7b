"""Matrices with index arrays of every kind, for the tests of structure on the device."""

import numpy as np
import scipy.sparse as sps
from cases import numbers

import scipygrad
import scipygrad.sparse as sp
from scipygrad._core import pattern


def random(format, m, n, seed, *, order="sorted", dtype="float64", empty_rows=True):
    """A matrix of some hundred entries, with entries of that order in a row."""
    rng = np.random.default_rng(seed)
    size = 3 * max(m, n)
    i, j = rng.integers(0, m, size), rng.integers(0, n, size)
    if empty_rows:
        i[i % 5 == 2] = 0
    if order != "duplicates":
        i, j = np.divmod(np.unique(i * n + j), n)
    if order != "sorted":
        p = rng.permutation(i.size)
        i, j = i[p], j[p]
    values = numbers(i.size, dtype, seed + 1)
    if format == "coo":
        return sp.coo_array((values, (i.astype("i4"), j.astype("i4"))), shape=(m, n))
    major, minor, length = (i, j, m) if format == "csr" else (j, i, n)
    p = np.argsort(major, kind="stable")
    indptr = np.searchsorted(major[p], np.arange(length + 1)).astype("i4")
    made = getattr(sp, f"{format}_array")
    return made((values[p], minor[p].astype("i4"), indptr), shape=(m, n))


def on_device(A, cp, index="int32"):
    """The same matrix, made of CuPy's arrays."""
    data = cp.asarray(A.data)
    if A.format == "coo":
        coords = tuple(cp.asarray(c.astype(index)) for c in A.coords)
        return type(A)((data, coords), shape=A.shape)
    indices, indptr = (cp.asarray(a.astype(index)) for a in (A.indices, A.indptr))
    return type(A)((data, indices, indptr), shape=A.shape)


def parts(A):
    """The index arrays, as a constructor takes them."""
    return (A.coords,) if A.format == "coo" else (A.indices, A.indptr)


def fresh():
    """Nothing is remembered that a test before has met."""
    pattern._by_sample.clear()


def same(got, wanted, tolerance=1e-12):
    """Class, dtypes and numbers."""
    got = scipygrad.to_host(got)
    if not sps.issparse(wanted):
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
        return
    assert type(got) is type(wanted) and got.dtype == wanted.dtype and got.nnz == wanted.nnz
    if wanted.format == "coo":
        assert [c.dtype for c in got.coords] == [c.dtype for c in wanted.coords]
    else:
        assert (got.indices.dtype, got.indptr.dtype) == (wanted.indices.dtype, wanted.indptr.dtype)
        np.testing.assert_array_equal(got.indptr, wanted.indptr)
    np.testing.assert_allclose(got.toarray(), wanted.toarray(), rtol=tolerance, atol=tolerance)
