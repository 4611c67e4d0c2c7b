"""The fourteen classes: subclasses, constructors and in-place changes like SciPy's."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import grad
from comparison import CLASSES, DENSE, INT, WITH_ENTRIES, compare, frozen, index_arrays, make, same

import scipygrad.sparse as sp

# ---- what the classes are --------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSES)
def test_class_derives_from_scipys(name):
    assert issubclass(getattr(sp, name), getattr(sps, name))


@pytest.mark.parametrize("name", CLASSES)
def test_class_says_where_it_is_found(name):
    cls = getattr(sp, name)
    assert (cls.__module__, cls.__qualname__) == ("scipygrad.sparse", name)


@pytest.mark.parametrize("name", CLASSES)
def test_plain_object_is_no_instance_of_ours(name):
    assert not isinstance(make(sps, name), getattr(sp, name))


@pytest.mark.parametrize("module", [sp, sps])
@pytest.mark.parametrize("name", CLASSES)
def test_families_hold_ours_and_scipys(name, module):
    A = make(module, name)
    is_array = name.endswith("array")
    assert (isinstance(A, sp.sparray), isinstance(A, sp.spmatrix)) == (is_array, not is_array)
    assert issubclass(type(A), sp.sparray) is is_array


def test_subclass_of_a_family_holds_its_own_only():
    class Mine(sp.sparray):
        pass

    assert isinstance(Mine(), Mine)
    assert isinstance(Mine(), sp.sparray)
    assert not isinstance(sp.csr_array((2, 2)), Mine)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_keeps_class_and_value(name, protocol):
    A = make(sp, name)
    same(pickle.loads(pickle.dumps(A, protocol)), make(sps, name))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
def test_copy_keeps_class_and_value(name, duplicate):
    same(duplicate(make(sp, name)), make(sps, name))


@pytest.mark.parametrize("name", CLASSES)
def test_deepcopy_shares_nothing(name):
    A = make(sp, name)
    B = copy.deepcopy(A)
    B *= 2
    np.testing.assert_array_equal(A.toarray(), DENSE)


class WithExtra(sp.csr_array):
    """A user's subclass whose constructor takes more."""

    def __init__(self, arg1, *args, extra=0, **kwargs):
        super().__init__(arg1, *args, **kwargs)
        self.extra = extra


@pytest.mark.parametrize("options", [{}, {"extra": 3}])
def test_subclass_runs_its_own_constructor(options):
    A = sp.csr_array(DENSE)
    B = WithExtra((A.data, A.indices, A.indptr), **options)
    assert (type(B), B.extra) == (WithExtra, options.get("extra", 0))


@pytest.mark.parametrize("name", WITH_ENTRIES)
def test_entries_are_read_and_replaced(name):
    A = make(sp, name)
    data = A.data * 2
    A.data = data
    assert A.data is data


# ---- constructors ----------------------------------------------------------------------------

I3, P3 = np.array([0, 1, 2], INT), np.array([0, 1, 2, 3], INT)
ONES = np.ones(3)
ARGUMENTS = {
    "dense": lambda m: DENSE,
    "whole numbers": lambda m: DENSE.astype(int),
    # three rows that could be taken for data, indices and indptr
    "three rows of int32": lambda m: np.array([[1, 2, 3], [0, 1, 0], [0, 1, 2]], INT),
    "lists": lambda m: DENSE.tolist(),
    "shape": lambda m: (3, 4),
    "scalar": lambda m: 3.0,
    "another format": lambda m: m.coo_array(DENSE),
    "another family": lambda m: m.csr_matrix(DENSE),
    "same": lambda m: m.csr_array(DENSE),
    "foreign": lambda m: sps.csc_array(DENSE),
    "coordinates": lambda m: (np.arange(1.0, 4.0), (I3, I3[::-1])),
    "duplicates": lambda m: (np.arange(1.0, 4.0), ([0, 0, 1], [1, 1, 2])),
    "compressed": lambda m: (np.arange(1.0, 4.0), I3, P3),
    "int64 indices": lambda m: (ONES, I3.astype(np.int64), P3.astype(np.int64)),
    "lists of three": lambda m: ([1.0, 2.0, 3.0], [0, 1, 2], [0, 1, 2, 3]),
    "unsorted": lambda m: (ONES, I3[::-1], np.array([0, 3, 3, 3], INT)),
    "spare room": lambda m: (np.ones(30), np.arange(30, dtype=INT) % 3, P3),
    "empty": lambda m: (np.ones(0), I3[:0], np.zeros(4, INT)),
    "float16": lambda m: (np.ones(3, np.float16), I3, P3),
    "big endian": lambda m: (np.ones(3, ">f8"), I3, P3),
    "longdouble": lambda m: (np.ones(3, np.longdouble), I3, P3),
    "booleans": lambda m: (np.ones(3, bool), I3, P3),
    "objects": lambda m: (np.ones(3, object), I3, P3),
    "entries in a column": lambda m: (np.ones((3, 1)), I3, P3),
    "indptr too short": lambda m: (ONES, I3, P3[:2]),
    "indptr too long": lambda m: (ONES, I3, np.array([0, 1, 2, 9], INT)),
    "indptr from one": lambda m: (ONES, I3, np.array([1, 1, 2, 3], INT)),
    "negative index": lambda m: (ONES, -I3, P3),
    "floating indices": lambda m: (ONES, I3 * 1.0, P3),
    "zeros": lambda m: np.zeros((3, 3)),
    "no rows": lambda m: np.zeros((0, 3)),
    "a row": lambda m: DENSE[0],
    "blocks": lambda m: (np.arange(12.0).reshape(3, 2, 2), np.zeros(3, INT), P3),
    "blocks of float32": lambda m: (np.ones((3, 1, 1), "f"), I3, P3),
    "blocks without entries": lambda m: (np.ones((3, 0, 1)), I3, P3),
    "blocks, spare room": lambda m: (np.ones((9, 1, 1)), np.arange(9, dtype=INT) % 3, P3),
    "blocks, int64": lambda m: (np.ones((3, 1, 1)), I3.astype(np.int64), P3.astype(np.int64)),
    "diagonals": lambda m: (DENSE, I3),
    "diagonals, int64 offsets": lambda m: (DENSE, np.array([0, 1, -1])),
    "diagonals, list of offsets": lambda m: (DENSE, [0, 1, -1]),
    "one diagonal": lambda m: (ONES, 0),
    "diagonals twice": lambda m: (DENSE, [0, 1, 1]),
    "diagonals, too few offsets": lambda m: (DENSE, [0, 1]),
    "diagonals, floating offsets": lambda m: (DENSE, [0.0, 1.5, -1.0]),
    "diagonals, an offset too large": lambda m: (DENSE, [0, 1, 2**40]),
    "views": lambda m: (np.arange(6.0)[::2], np.arange(6, dtype=INT)[::2], P3),
    "text": lambda m: "abc",
    "nothing": lambda m: (),
}
OPTIONS = [
    {}, {"shape": (3, 3)}, {"shape": [3, 3]}, {"shape": (3, 2)}, {"shape": (4, 4)},
    {"shape": (-1, 3)}, {"dtype": "f4"}, {"dtype": complex}, {"dtype": int}, {"dtype": object},
    {"copy": True}, {"copy": True, "shape": (3, 3), "dtype": float}, {"unknown": 1},
    {"shape": (6, 6)}, {"shape": (6, 2)}, {"shape": (7, 3)}, {"blocksize": (1, 1)},
]  # fmt: skip


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("name", CLASSES)
def test_constructor_is_scipys(name, argument):
    for options in OPTIONS:
        compare(
            lambda options=options: getattr(sp, name)(ARGUMENTS[argument](sp), **options),
            lambda options=options: getattr(sps, name)(ARGUMENTS[argument](sps), **options),
        )


@pytest.mark.parametrize("name", CLASSES)
def test_constructor_without_arguments_is_refused_as_in_scipy(name):
    compare(lambda: getattr(sp, name)(), lambda: getattr(sps, name)())


@pytest.mark.parametrize("name", ["csr_array", "csc_matrix"])
def test_constructor_shares_as_scipys_does(name):
    arrays = np.arange(1.0, 4.0), I3.copy(), P3.copy()
    ours, theirs = getattr(sp, name)(arrays), getattr(sps, name)(arrays)
    for attribute, array in zip(("data", "indices", "indptr"), arrays):
        assert np.shares_memory(getattr(ours, attribute), array)
        assert np.shares_memory(getattr(theirs, attribute), array)


# ---- index arrays shared with a pattern ------------------------------------------------------


def shared(name):
    """A result of tracing, whose index arrays are read-only; unsorted, with a duplicate."""
    A = getattr(sp, name)(DENSE)
    return grad(lambda A: (A.multiply(A) if A.format != "bsr" else A * 2.0).sum())(A)


IN_PLACE = {
    "sort_indices": lambda A: A.sort_indices(),
    "sum_duplicates": lambda A: A.sum_duplicates(),
    "eliminate_zeros": lambda A: A.eliminate_zeros(),
    "prune": lambda A: A.prune(),
    "resize smaller": lambda A: A.resize(2, 2),
    "resize larger": lambda A: A.resize(5, 5),
    "setdiag": lambda A: A.setdiag([1.0, 2.0], 1),
    "new entry": lambda A: A.__setitem__((0, 2), 9.0),
    "row": lambda A: A.__setitem__((0, slice(None)), 9.0),
    "times": lambda A: A.__imul__(2),
    "zero entries": lambda A: (A.__setitem__((1, slice(None)), 0.0), A.eliminate_zeros()),
}


@pytest.mark.parametrize("change", IN_PLACE)
@pytest.mark.parametrize("name", WITH_ENTRIES)
def test_in_place_methods_leave_shared_index_arrays_alone(name, change):
    ours = shared(name)
    before = index_arrays(ours)
    copies = [a.copy() for a in before]
    plain_copy = getattr(sps, name)(ours)
    theirs = plain_copy.copy()
    compare(
        lambda: (IN_PLACE[change](ours), ours)[1],
        lambda: (IN_PLACE[change](theirs), theirs)[1],
    )
    for a, b in zip(before, copies):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["csr_array", "csc_matrix", "bsr_array"])
def test_unsorted_duplicates_are_tidied_in_a_copy(name):
    arrays = (np.arange(1.0, 5.0), np.array([2, 0, 0, 1], INT), np.array([0, 3, 4, 4], INT))
    if name == "bsr_array":
        arrays = (arrays[0].reshape(4, 1, 1), *arrays[1:])
    ours = frozen(getattr(sp, name)(arrays, shape=(3, 3), copy=True))
    theirs = getattr(sps, name)(arrays, shape=(3, 3), copy=True)
    compare(lambda: (ours.sum_duplicates(), ours)[1], lambda: (theirs.sum_duplicates(), theirs)[1])


# ---- coordinates, taken over as they are or left to SciPy --------------------------------------

_I, _J = np.array([0, 2, 1], np.int32), np.array([1, 0, 1], np.int32)
COORDINATES = {
    "in order": ((DENSE[0], (_I, _J)), (3, 3)),
    "one dimension": ((DENSE[0], (_I,)), (3,)),
    "duplicates": ((DENSE[0], (_I * 0, _J * 0)), (3, 3)),
    "other dtype": ((DENSE[0].astype(np.float32), (_I, _J)), (3, 3)),
    "whole numbers": ((np.arange(3, dtype=np.int8), (_I, _J)), (3, 3)),
    "half precision": ((DENSE[0].astype(np.float16), (_I, _J)), (3, 3)),
    "other byte order": ((DENSE[0].astype(">f8"), (_I, _J)), (3, 3)),
    "long indices": ((DENSE[0], (_I.astype(np.int64), _J)), (3, 3)),
    "unsigned indices": ((DENSE[0], (_I.astype(np.uint32), _J.astype(np.uint32))), (3, 3)),
    "strided indices": ((DENSE[0], (np.repeat(_I, 2)[::2], _J)), (3, 3)),
    "lists": ((DENSE[0], ([0, 2, 1], [1, 0, 1])), (3, 3)),
    "beyond a row": ((DENSE[0], (_I, _J)), (3, 1)),
    "beyond a column": ((DENSE[0], (_I, _J)), (2, 3)),
    "negative": ((DENSE[0], (_I - 1, _J)), (3, 3)),
    "shorter": ((DENSE[0], (_I[:2], _J)), (3, 3)),
    "three of two": ((DENSE[0], (_I, _J, _J)), (3, 3)),
    "no shape": ((DENSE[0], (_I, _J)), None),
    "shape of a list": ((DENSE[0], (_I, _J)), [3, 3]),
    "shape of NumPy's": ((DENSE[0], (_I, _J)), (np.int64(3), 3)),
    "nothing": ((np.zeros(0), (_I[:0], _J[:0])), (3, 3)),
    "no rows": ((np.zeros(0), (_I[:0], _J[:0])), (0, 3)),
    "two-dimensional data": ((DENSE, (_I, _J)), (3, 3)),
}  # fmt: skip


@pytest.mark.parametrize("what", COORDINATES)
@pytest.mark.parametrize("name", ["coo_array", "coo_matrix", "csr_array"])
@pytest.mark.parametrize("dtype", [None, np.float64, np.complex64])
@pytest.mark.parametrize("twice", [False, True])
def test_matrix_of_coordinates(what, name, dtype, twice):
    arg1, shape = COORDINATES[what]

    def run(module):
        A = getattr(module, name)(arg1, shape=shape, dtype=dtype)
        return type(A)(A) if twice else A

    compare(lambda: run(sp), lambda: run(sps))


@pytest.mark.parametrize("copy", [False, True])
def test_matrix_of_coordinates_shares_what_scipys_does(copy):
    data, (i, j) = DENSE[0].copy(), (_I.copy(), _J.copy())
    for module in (sp, sps):
        A = module.coo_array((data, (i, j)), shape=(3, 3), copy=copy)
        shared = [np.shares_memory(x, y) for x, y in zip((A.data, *A.coords), (data, i, j))]
        assert shared == [not copy] * 3
        assert not A.has_canonical_format
