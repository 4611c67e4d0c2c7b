"""Patterns that are found on the device: one for one structure, checked, counted, let go."""

import gc
import sys
import weakref

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import grad
from autograd.numpy import sum as asum
from cases import grid, numbers
from structures import fresh, on_device, parts, random, same

import scipygrad.sparse as sp
from scipygrad._core import held, pattern
from scipygrad._core.device_pattern import DevicePattern
from scipygrad._core.pattern import Pattern
from scipygrad._core.tags import Gather

M, N = 40, 31


@pytest.fixture(autouse=True)
def _nothing_remembered():
    fresh()


# ---- one pattern for one structure ------------------------------------------------------------


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("order", ["sorted", "unsorted", "duplicates"])
def test_met_on_the_device_and_on_the_host(format, order, cp, only_few):
    A = random(format, M, N, 1, order=order)
    dA = on_device(A, cp)
    found = dA._pattern
    assert isinstance(found, DevicePattern) and Pattern.of(A) is found
    fresh()
    known = Pattern.of(A)
    dA = on_device(A, cp)
    assert dA._pattern is known and not isinstance(known, DevicePattern)
    with only_few():
        again = type(A)((dA.data, *parts(dA)), shape=A.shape)
    assert again._pattern is known and dA.T._pattern is known.T


def test_arrays_go_to_the_device_once(cp, transfers):
    from scipygrad._backend import gpu

    p = Pattern.of(random("csr", M, N, 1))
    gpu.index_arrays(p)
    transfers.clear()
    assert all(a is b for a, b in zip(gpu.index_arrays(p), gpu.index_arrays(p.T)))
    rows, columns = gpu.coordinates(p)
    assert gpu.coordinates(p.T)[1] is rows and gpu.coordinates(p.T)[0] is columns
    assert not transfers


def test_the_same_sample_is_not_the_same_structure(cp):
    n = 1000
    j = np.arange(n, dtype="i4")
    other = j.copy()
    other[501] = 7
    A, B = (sp.csr_array(tuple(map(cp.asarray, (np.ones(n), x, np.arange(n + 1)))), shape=(n, n))
            for x in (j, other))  # fmt: skip
    assert A._pattern is not B._pattern
    np.testing.assert_array_equal(B.indices.get(), other)
    np.testing.assert_array_equal(A.indices.get(), j)


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_writes_into_index_arrays_change_no_structure(format, cp):
    A = random(format, M, N, 1)
    arrays = [cp.asarray(a) for a in (A.coords if format == "coo" else (A.indices, A.indptr))]
    made = lambda: type(A)(  # noqa: E731
        (cp.asarray(A.data), *([tuple(arrays)] if format == "coo" else arrays)), shape=A.shape
    )
    B = made()
    found = B._pattern
    arrays[0][:] = 0
    (B.row if format == "coo" else B.indices)[:] = 0
    same(B, A)
    assert B._pattern is found is on_device(A, cp)._pattern
    C = made()
    assert C._pattern is not found
    assert not (C.row if format == "coo" else C.indices).get().any()


def cupys(A, cp):
    """CuPy's own matrix of the same arrays."""
    cls = getattr(sys.modules["cupyx.scipy.sparse"], f"{A.format}_matrix")
    if A.format == "coo":
        return cls((cp.asarray(A.data), tuple(map(cp.asarray, A.coords))), shape=A.shape)
    return cls(tuple(map(cp.asarray, (A.data, A.indices, A.indptr))), shape=A.shape)


def test_index_arrays_that_were_met_cost_one_number(cp, transfers):
    """That says whether somebody wrote into them."""
    A = random("csr", M, N, 1)
    data, indices, indptr = map(cp.asarray, (A.data, A.indices, A.indptr))

    def f(v):
        return sp.csr_matrix((v, indices, indptr), shape=A.shape).power(2).sum()

    grad(f)(data)
    transfers.clear()
    grad(f)(data)
    assert transfers == {"to host": 1}
    indices[:3] = 0  # the other structure
    same(sp.csr_matrix((data, indices, indptr), shape=A.shape),
         sp.csr_matrix((A.data, indices.get(), A.indptr), shape=A.shape))  # fmt: skip


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_a_matrix_of_cupys_own(format, cp, only_few):
    A = random(format, M, N, 1)
    theirs, x = cupys(A, cp), numbers(N, "float64", 2)
    there = cp.asarray(x)
    with only_few():
        g = grad(lambda A: asum((sp.csr_matrix(A) @ there) ** 2))(theirs)
    wanted = grad(lambda A: asum((A.tocsr() @ x) ** 2))(A)
    np.testing.assert_allclose(g.toarray().get(), wanted.toarray(), rtol=1e-12, atol=1e-12)
    assert Pattern.of(theirs) is on_device(A, cp)._pattern


def test_a_matrix_of_cupys_own_and_its_transpose_share_arrays(cp):
    """The same two arrays are two structures, by format."""
    A, x = random("csr", M, M, 1), numbers(M, "float64", 2)
    theirs = cupys(A, cp)
    cls = sys.modules["cupyx.scipy.sparse"].csc_matrix
    transposed = cls((theirs.data, theirs.indices, theirs.indptr), shape=(M, M))
    transposed.indptr = theirs.indptr
    for X, wanted in ((theirs, A), (transposed, A.T), (theirs, A)):
        g = grad(lambda x, X=X: asum((sp.csr_matrix(X) @ x) ** 2))(cp.asarray(x))
        D = wanted.toarray()
        np.testing.assert_allclose(g.get(), 2 * D.T @ (D @ x), rtol=1e-11)


# ---- constructors ----------------------------------------------------------------------------


def test_shapes_are_inferred_as_in_scipy(cp, only_few):
    A = random("csr", M, N, 1, empty_rows=False)
    data, indices, indptr = map(cp.asarray, (A.data, A.indices, A.indptr))
    coo = A.tocoo()
    i, j = map(cp.asarray, coo.coords)
    with only_few():
        B, C = sp.csc_matrix((data, indices, indptr)), sp.coo_matrix((data, (i, j)))
        D = sp.csr_matrix((data, (i, j)))
    assert B.shape == sps.csc_matrix((A.data, A.indices, A.indptr)).shape
    assert C.shape == D.shape == sps.coo_matrix((A.data, coo.coords)).shape
    same(D, sp.csr_matrix((A.data, coo.coords)))


WRONG = {
    "first": lambda i, p: (i, np.r_[1, p[1:]]),
    "last": lambda i, p: (i, np.r_[p[:-1], p[-1] + 1]),
    "length": lambda i, p: (i, p[:-1]),
    "number": lambda i, p: (i[:-1], p),
    "negative": lambda i, p: (np.r_[-1, i[1:]], p),
    "too large": lambda i, p: (np.r_[N, i[1:]], p),
    "falling": lambda i, p: (i, np.r_[p[0], p[2], p[1], p[3:]]),
    "not flat": lambda i, p: (i[None], p),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_index_arrays_raise(what, cp):
    """The last three would be read outside of memory by kernels; SciPy does not look at them."""
    A = random("csr", M, N, 1, empty_rows=False)
    indices, indptr = (cp.asarray(a.astype("i4")) for a in WRONG[what](A.indices, A.indptr))
    with pytest.raises(ValueError, match=r"ind|size|1-D"):
        sp.csr_array((cp.asarray(A.data), indices, indptr), shape=A.shape)


@pytest.mark.parametrize("i, j", [([0, 3], [0, 1]), ([0, 1], [0, 4]), ([0, -1], [0, 1]),
                                  ([0, 1, 2], [0, 1])])  # fmt: skip
def test_wrong_coordinates_raise_as_in_scipy(i, j, cp):
    data = np.ones(2)
    with pytest.raises(ValueError) as wanted:
        sps.coo_array((data, (i, j)), shape=(3, 4))
    with pytest.raises(ValueError) as got:
        i, j = (cp.asarray(np.array(x)) for x in (i, j))
        sp.coo_array((cp.asarray(data), (i, j)), shape=(3, 4))
    assert str(got.value) == str(wanted.value)


def test_unused_places_at_the_end_are_cut_as_in_scipy(cp):
    A = random("csr", M, N, 1)
    data, indices = np.r_[A.data, 7.0, 8.0], np.r_[A.indices, 0, 0].astype("i4")

    def f(data, xp):
        return sp.csr_array((data, xp(indices), xp(A.indptr)), shape=A.shape).power(2).sum()

    got, wanted = grad(f)(cp.asarray(data), cp.asarray), grad(f)(data, np.asarray)
    np.testing.assert_allclose(got.get(), wanted)


# ---- maps ------------------------------------------------------------------------------------

INDICES = {
    "empty": [], "one": [3], "all": range(9), "steps": range(1, 9, 3), "back": range(8, -1, -1),
    "back to one": range(7, 0, -2), "twice": [2, 2, 2], "uneven": [0, 1, 3], "none": [-1],
    "from none": [-1, 0, 1], "to none": [1, 0, -1], "hole": [0, -1, 2], "order": [4, 1, 7, 0],
}  # fmt: skip


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("index", ["int32", "int64"])
def test_map(name, index, cp, transfers):
    """A map found on the device is what the same map is on the host."""
    i = np.array(INDICES[name], index)
    here, there = Gather(i, (9,), i.shape), Gather(cp.asarray(i), (9,), i.shape)
    assert transfers["to host"] <= 1
    assert (there.slice, there.identity, there.few) == (here.slice, here.identity, here.few)
    np.testing.assert_array_equal(there.index, here.index)
    assert there.index.dtype == here.index.dtype
    from scipygrad._backend import gpu

    x, y = numbers(9, "float64", 1), numbers(i.size, "float64", 2)
    np.testing.assert_array_equal(gpu.gather(cp.asarray(x), there).get(),
                                   np.where(i >= 0, x[i], 0))  # fmt: skip
    wanted = np.zeros(9)
    np.add.at(wanted, i[i >= 0], y[i >= 0])
    np.testing.assert_allclose(gpu.scatter(cp.asarray(y), there).get(), wanted)


# ---- memory ----------------------------------------------------------------------------------


def test_bytes_on_the_device_are_counted(cp):
    dA = on_device(random("csr", M, N, 1), cp)
    p = dA._pattern
    assert held.bytes_in_each(p, set()) == (0, 4 * (M + 1 + dA.nnz))
    dA.tocoo()
    assert held.bytes_in_each(p, set())[1] == 4 * (M + 1 + 2 * dA.nnz)
    assert len(p.arrays) == 2
    assert held.bytes_in_each(p, set())[0] == 4 * (M + 1 + dA.nnz)


def test_what_is_held_on_the_device_is_bounded(cp, monkeypatch):
    monkeypatch.setattr(held, "_device_memory", lambda: 2**22)
    limit = 2**22 // held.PART_OF_DEVICE // 4  # at first a quarter of it
    monkeypatch.setattr(held, "_limit", held.BYTES_AT_FIRST)
    kept = []
    gc.collect()
    for seed in range(20):
        A = on_device(random("csr", 2 * M, 2 * N, seed), cp)
        grad(lambda A: (A @ A.T).power(2).sum())(A)
        kept.append(held.bytes_in_each([h.what for h in pattern._holdings()], set())[1])
    assert limit / 4 < max(kept) <= limit * (1 + 2 / held.COUNTED_EACH)


def test_a_pattern_on_two_devices(cp, transfers):
    """What is kept of a pattern is kept for each device; structure is the same on both."""
    from scipygrad._backend import gpu

    A = random("csr", M, N, 1, order="unsorted")
    f = grad(lambda A: (A @ A.T + A.tocsc() @ A.T.tocoo()).power(2).sum())
    first = on_device(A, cp)
    wanted = f(first).get()
    with cp.cuda.Device(1):
        second = on_device(A, cp)
        assert second._pattern is first._pattern
        got = f(second)
        assert all(a.device.id == 1 for a in gpu.index_arrays(got._pattern))
        np.testing.assert_allclose(got.get().data, wanted.data)
    assert all(a.device.id == 0 for a in gpu.index_arrays(first._pattern))
    np.testing.assert_allclose(f(first).get().data, wanted.data)


def test_a_pattern_is_let_go_with_its_matrix(cp):
    A = on_device(grid(4, seed=1).tocsr(), cp)
    A.T @ A  # noqa: B018
    p = weakref.ref(A._pattern)
    fresh()
    del A
    gc.collect()
    assert p() is None
