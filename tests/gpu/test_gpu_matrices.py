"""Matrices on the device: how they are made, what they are, and what they refuse."""

import copy
import pickle
import sys
import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from autograd.extend import vspace
from cases import matrix, numbers
from structures import on_device as random_on_device
from structures import random

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device


def parts(cp, A):
    """The arrays of a csr or csc matrix, on the device."""
    return tuple(map(cp.asarray, (A.data, A.indices, A.indptr)))


@pytest.fixture
def A():
    return matrix("csr", "array", "float64")


@pytest.fixture
def dA(A, cp):
    return sp.csr_array(parts(cp, A), shape=A.shape)


def same(got, wanted):
    got = scipygrad.to_host(got)
    assert type(got) is type(wanted) and got.dtype == wanted.dtype
    onp.testing.assert_array_equal(got.toarray(), wanted.toarray())


# ---- made from CuPy's arrays -----------------------------------------------------------------


def test_from_its_arrays(A, dA, cp):
    assert isinstance(dA, sp.csr_array) and isinstance(dA, sp.sparray)
    assert not isinstance(dA, sp.csr_matrix) and not isinstance(dA, sp.spmatrix)
    assert isinstance(dA, sys.modules["cupyx.scipy.sparse"].csr_array)
    assert dA.shape == A.shape and dA.nnz == A.nnz and dA.dtype == A.dtype and dA.format == "csr"
    same(dA, A)
    same(dA.get(), A)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_index_arrays_are_there(format, family, cp):
    A = matrix(format, family, "float64")
    dA = scipygrad.to_device(A)
    names = {"csr": ("indices", "indptr"), "csc": ("indices", "indptr"), "coo": ("row", "col"),
             "dia": ("offsets",)}[format]  # fmt: skip
    for name in names:
        assert on_device(getattr(dA, name))
        onp.testing.assert_array_equal(getattr(dA, name).get(), getattr(A, name))


def test_from_coordinates_and_diagonals(cp):
    i, j, values = onp.array([0, 2, 1]), onp.array([1, 0, 1]), onp.array([1.0, 2.0, 3.0])
    same(sp.coo_matrix((cp.asarray(values), (cp.asarray(i), cp.asarray(j))), shape=(3, 2)),
         sp.coo_matrix((values, (i, j)), shape=(3, 2)))  # fmt: skip
    same(sp.csr_matrix((cp.asarray(values), (cp.asarray(i), cp.asarray(j))), shape=(3, 2)),
         sp.csr_matrix((values, (i, j)), shape=(3, 2)))  # fmt: skip
    same(sp.diags([cp.asarray(values), cp.asarray(values[:2])], [0, 1]),
         sp.diags([values, values[:2]], [0, 1]))  # fmt: skip


def test_a_dense_array_keeps_what_is_not_zero(A, cp):
    made = sp.csr_array(cp.asarray(A.toarray()))
    assert made.nnz == onp.count_nonzero(A.toarray())
    onp.testing.assert_array_equal(made.toarray().get(), A.toarray())


def test_from_another_one_on_the_device(A, dA):
    same(sp.csc_matrix(dA), sp.csc_matrix(A))
    same(sp.csr_array(dA, dtype="float32"), sp.csr_array(A, dtype="float32"))


def test_its_index_arrays_are_its_own(A, cp):
    data, indices, indptr = parts(cp, A)
    dA = sp.csr_array((data, indices, indptr), shape=A.shape)
    indices[0] = 5
    dA.indices[1] = 5
    same(dA, A)


def test_its_entries_are_shared(dA):
    dA.data *= 2
    dA.data = dA.data + 1
    assert float(dA.data.min()) != 0


def test_copies(A, dA):
    for B in (dA.copy(), copy.copy(dA), copy.deepcopy(dA)):
        B.data[:] = 0
        same(dA, A)
    same(pickle.loads(pickle.dumps(dA.get())), A)


# ---- what it does, untraced ------------------------------------------------------------------


def test_operators(A, dA, cp):
    x, X = numbers(6, "float64", 1), numbers((6, 2), "float64", 2)
    onp.testing.assert_allclose((dA @ cp.asarray(x)).get(), A @ x, rtol=1e-14)
    onp.testing.assert_allclose((dA @ cp.asarray(X)).get(), A @ X, rtol=1e-14)
    onp.testing.assert_allclose((cp.asarray(x[:4]) @ dA).get(), x[:4] @ A, rtol=1e-14)
    for got, wanted in (
        (dA + dA, A + A), (2 * dA, 2 * A), (dA / 3, A / 3), (-dA, -A), (dA.T, A.T),
        (dA[1:3], A[1:3]), (dA.multiply(dA), A.multiply(A)), (abs(dA), abs(A)),
        (dA.power(2), A.power(2)), (dA.tocsc(), A.tocsc()), (dA.astype("float32"),
                                                             A.astype("float32")),
    ):  # fmt: skip
        assert on_device(got)
        got = got.get()
        assert type(got) is type(wanted) and got.dtype == wanted.dtype
        onp.testing.assert_allclose(got.toarray(), wanted.toarray(), rtol=1e-14)
    assert float(dA.sum()) == pytest.approx(A.sum(), rel=1e-14)


def test_functions_of_structure(dA):
    assert sp.issparse(dA) and not sp.isspmatrix(dA)
    assert np.shape(dA) == (4, 6)


def test_cupys_own_matrix_is_an_operand(A, cp):
    theirs = sys.modules["cupyx.scipy.sparse"].csr_matrix(parts(cp, A), shape=A.shape)
    x = numbers(6, "float64", 1)

    def f(x):
        return np.sum((sp.csr_matrix(theirs) @ x) ** 2)

    wanted = grad(lambda x: np.sum((A @ x) ** 2))(x)
    onp.testing.assert_allclose(grad(f)(cp.asarray(x)).get(), wanted, rtol=1e-13)
    onp.testing.assert_allclose(
        grad(lambda x: np.sum((theirs @ x) ** 2))(cp.asarray(x)).get(), wanted, rtol=1e-13
    )
    g = grad(lambda A: np.sum((A @ cp.asarray(x)) ** 2))(theirs)
    onp.testing.assert_allclose(
        g.toarray().get(), grad(lambda A: np.sum((A @ x) ** 2))(A).toarray(), rtol=1e-13
    )


def test_cupys_own_matrix_with_other_indices_in_the_same_array(A, cp):
    """A remembered structure is never used for other indices."""
    data, indices, indptr = parts(cp, A)
    theirs = sys.modules["cupyx.scipy.sparse"].csr_matrix((data, indices, indptr), shape=A.shape)
    x = numbers(6, "float64", 1)

    def gradient():
        return grad(lambda x: np.sum((theirs @ x) ** 2))(cp.asarray(x)).get()

    onp.testing.assert_allclose(gradient(), grad(lambda x: np.sum((A @ x) ** 2))(x), rtol=1e-13)
    theirs.indices[0] = 5  # was 0
    B = sps.csr_array((A.data, onp.r_[5, A.indices[1:]], A.indptr), shape=A.shape)
    onp.testing.assert_allclose(gradient(), 2 * B.toarray().T @ (B.toarray() @ x), rtol=1e-13)


# ---- derivatives that must not be wrong ------------------------------------------------------


def test_entries_written_to_after_use(dA, A, cp):
    """The derivative is that at the value with which the function was computed."""
    x = numbers(6, "float64", 1)
    wanted = grad(lambda x: np.sum((A @ x) ** 2))(x)

    def f(x):
        y = dA @ x
        dA.data[:] = 0
        return np.sum(y**2)

    onp.testing.assert_allclose(grad(f)(cp.asarray(x)).get(), wanted, rtol=1e-13)


def test_moving_is_differentiable(A, cp):
    x = numbers(6, "float64", 1)

    def f(A, x):
        return np.sum(scipygrad.to_host(scipygrad.to_device(A) @ scipygrad.to_device(x)) ** 2)

    got, wanted = grad(f, (0, 1))(A, x), grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))(A, x)
    same(got[0], wanted[0])
    onp.testing.assert_allclose(got[1], wanted[1], rtol=1e-13)


def test_assembled_on_the_host_and_moved(cp):
    def f(v):
        K = sp.lil_matrix((3, 3))
        for i in range(3):
            K[i, i] += v[i] ** 2
            K[i, (i + 1) % 3] = -v[i]
        K = scipygrad.to_device(K.tocsr())
        return scipygrad.to_host(np.sum((K @ cp.asarray(onp.arange(1.0, 4))) ** 2))

    def on_host(v):
        K = sp.lil_matrix((3, 3))
        for i in range(3):
            K[i, i] += v[i] ** 2
            K[i, (i + 1) % 3] = -v[i]
        return np.sum((K.tocsr() @ onp.arange(1.0, 4)) ** 2)

    v = onp.array([1.0, 2.0, 0.5])
    onp.testing.assert_allclose(grad(f)(v), grad(on_host)(v), rtol=1e-13)


# ---- what is refused -------------------------------------------------------------------------

MIXED = r"numpy\.ndarray and a cupy\.ndarray.*scipygrad\.to_device"


def test_host_and_device_side_by_side(A, dA, cp):
    x = numbers(6, "float64", 1)
    for f in (lambda: dA @ x, lambda: A @ cp.asarray(x), lambda: dA + A, lambda: dA.multiply(A),
              lambda: sp.hstack([dA, A]), lambda: spla.spsolve(dA @ dA.T, x[:4])):  # fmt: skip
        with pytest.raises(TypeError):
            f()
    with pytest.raises(TypeError, match=MIXED):
        grad(lambda x: np.sum(dA @ x))(x)
    with pytest.raises(TypeError, match=MIXED):
        grad(lambda B: np.sum((B + A).data))(dA)
    with pytest.raises(TypeError, match=MIXED):
        sp.csr_array((cp.asarray(A.data), A.indices, A.indptr), shape=A.shape)
    with pytest.raises(TypeError):
        sp.csr_array((A.data, cp.asarray(A.indices), A.indptr), shape=A.shape)


def test_formats_that_there_are_not(dA):
    for format in ("bsr", "lil", "dok"):
        with pytest.raises(TypeError, match=r"no .* of this shape.*to_device\(A\.tocsr\(\)\)"):
            dA.asformat(format)
    with pytest.raises(TypeError, match="csr, csc, coo and dia"):
        scipygrad.to_device(sp.lil_array((2, 2)))


def test_assignment(dA):
    with pytest.raises(NotImplementedError, match="assemble the matrix on the host"):
        dA[0, 0] = 1.0


def test_what_runs_on_the_host_says_so(dA):
    with pytest.warns(scipygrad.HostWarning, match="max .* runs on the host"):
        assert abs((dA * 1j).max()) > 0
    with pytest.warns(scipygrad.HostWarning, match="onenormest of an operand on a GPU runs on"):
        spla.onenormest(dA @ dA.T)


@pytest.mark.parametrize(
    "change",
    [
        lambda A: A.sort_indices(), lambda A: A.sum_duplicates(), lambda A: A.setdiag(7.0),
        lambda A: A.resize(3, 5),
    ],
)  # fmt: skip
def test_changed_in_place(change, A, dA, cp):
    A, dA = (B @ B.T for B in (A, dA))  # the indices of a product are not sorted
    change(A)
    change(dA)
    same(dA, A)
    onp.testing.assert_array_equal(dA.indptr.get(), A.indptr)
    with pytest.raises(NotImplementedError, match="setdiag of a constant matrix on a GPU"):
        grad(lambda v: (dA.setdiag(v), dA.sum())[1])(cp.asarray(onp.ones(4)))


# ---- every member ----------------------------------------------------------------------------

WITHOUT_ARGUMENTS = sorted(
    name
    for name in {*dir(sps.csr_array), *dir(sps.csr_matrix)}
    if not name.startswith("_")
    and name
    not in {
        "tobsr",
        "tolil",
        "todok",
        "resize",
        "data",
        "indices",
        "indptr",
        "getformat",
        "getmaxprint",
        "maxprint",
        "check_format",
    }  # fmt: skip
)


def value_of(A, name):
    """An attribute, or what a method returns without arguments."""
    x = getattr(A, name)
    return x() if callable(x) else x


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("name", WITHOUT_ARGUMENTS)
def test_member(name, family, cp):
    """Attributes and methods are SciPy's, whatever CuPy's class has under their names."""
    A = 0.4 * abs(matrix("csr", family, "float64"))
    if not hasattr(A, name):
        return
    dA = scipygrad.to_device(A)
    try:
        wanted = value_of(A, name)
    except TypeError:  # it takes arguments
        with pytest.raises(TypeError):
            value_of(dA, name)
        return
    got = scipygrad.to_host(value_of(dA, name))
    if wanted is None or isinstance(wanted, (str, onp.dtype)):
        assert got == wanted
    elif sp.issparse(wanted):
        same(got, wanted)
    elif isinstance(wanted, tuple):
        for g, w in zip(got, wanted):
            onp.testing.assert_array_equal(g, w)
    else:
        onp.testing.assert_allclose(onp.asarray(got), onp.asarray(wanted), rtol=1e-14)
    same(dA, A)  # what works in place has done the same to both


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
def test_comparisons(A, dA):
    for compare in (lambda A: A != 2 * A, lambda A: A > 0.5, lambda A: A == A.T.T):
        got, wanted = scipygrad.to_host(compare(dA)), compare(A)
        onp.testing.assert_array_equal(got.toarray(), wanted.toarray())


def test_whole_numbers_are_refused(cp):
    with pytest.raises(TypeError, match="entries of dtype int64 on a GPU"):
        scipygrad.to_device(sp.csr_array(onp.eye(3, dtype=onp.int64)))


# ---- beside CuPy's own classes ---------------------------------------------------------------


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("order", ["sorted", "unsorted", "duplicates"])
def test_cupys_matrix_of_ours_can_be_sorted(format, order, cp):
    """`cupyx.scipy.sparse.csr_matrix(A)` takes over arrays of A, and sorts them in place."""
    A = random(format, 8, 7, 1, order=order)
    dA = random_on_device(A, cp)
    theirs = getattr(sys.modules["cupyx.scipy.sparse"], f"{format}_array")(dA)
    theirs.sort_indices()
    onp.testing.assert_array_equal(theirs.get().toarray(), A.toarray())
    onp.testing.assert_array_equal(dA.toarray().get(), A.toarray())
    onp.testing.assert_array_equal(dA.indices.get(), A.indices)
    onp.testing.assert_array_equal((dA @ cp.ones(7)).get(), A @ onp.ones(7))


def test_cupys_matrix_of_ours_shares_entries_that_are_sorted(dA):
    """As in CuPy."""
    theirs = sys.modules["cupyx.scipy.sparse"].csr_array(dA)
    theirs.data *= 2
    onp.testing.assert_array_equal(theirs.get().toarray(), dA.get().toarray())


def test_entries_that_are_not_sorted_are_shared_with_everybody_else(cp):
    dA = random_on_device(random("csr", 8, 7, 1, order="unsorted"), cp)
    wanted = 2 * dA.get().toarray()
    dA.data *= 2
    entries = dA.data
    entries[...] = entries + 0
    assert dA.data is entries
    onp.testing.assert_array_equal(dA.get().toarray(), wanted)


CUPYS_LEFT = {
    "sum": lambda M, A: M + A, "difference": lambda M, A: M - A, "product": lambda M, A: M @ A,
}  # fmt: skip


@pytest.mark.parametrize("name", CUPYS_LEFT)
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_a_traced_matrix_right_of_cupys(name, family, dA, cp):
    """CuPy's operators leave it to ours."""
    n = min(dA.shape)
    dA = dA[:n, :n].tocsr()
    cls = getattr(sys.modules["cupyx.scipy.sparse"], f"csr_{family}")
    M = cls((dA.data, dA.indices, dA.indptr), shape=dA.shape)
    f = CUPYS_LEFT[name]
    H = dA.get()
    got = grad(lambda A: f(M, A).power(2).sum())(dA)
    onp.testing.assert_allclose(
        got.get().toarray(), grad(lambda A: f(H, A).power(2).sum())(H).toarray()
    )


def test_cupys_array_times_a_traced_matrix_raises(dA):
    """CuPy's arrays refuse what they do not know, and do not ask it."""
    M = sys.modules["cupyx.scipy.sparse"].csr_array(dA)
    with pytest.raises(TypeError, match="expected scalar"):
        grad(lambda A: (M * A).sum())(dA)
    got = grad(lambda A: (sp.csr_array(M) * A).sum())(dA)
    onp.testing.assert_allclose(got.get().toarray(), dA.get().toarray())


# ---- dtypes ----------------------------------------------------------------------------------

WITH_A_NUMBER = {
    "product": lambda A, s: A * s, "quotient": lambda A, s: A / s, "power": lambda A, s: A.power(s),
    "minimum": lambda A, s: A.minimum(-s), "maximum": lambda A, s: A.maximum(s),
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_A_NUMBER)
@pytest.mark.parametrize("number", [1.5, onp.float64(1.5), onp.float32(1.5)])
def test_a_traced_number_takes_part_in_the_dtype_as_on_the_host(name, number):
    A = matrix("csr", "array", "float32")
    f = WITH_A_NUMBER[name]
    results = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for M in (A, scipygrad.to_device(A)):
            vjp, value = make_vjp(lambda s: f(M, s))(number)  # noqa: B023
            results.append((scipygrad.to_host(value), vjp(vspace(value).ones())))
    (wanted, gradient), (got, moved) = results
    same(got, wanted)
    onp.testing.assert_allclose(moved, gradient, rtol=1e-5)


def test_power_in_another_dtype(A, dA):
    same(dA.power(2, dtype="complex128"), A.power(2, dtype="complex128"))
