"""Assembly and assignment (C8), beyond the cases of the table."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import matrix, numbers, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.traced import TracedBase


@pytest.mark.parametrize("make", [sp.lil_matrix, sp.lil_array, sp.dok_matrix, sp.dok_array])
def test_many_traced_entries_are_read_off_once(make, monkeypatch):
    """10⁴ assignments do not read the structure; the conversion does, once (so: linear)."""
    reads = []
    original = TracedBase.__getattr__

    def counted(self, name):
        if name in ("_pattern", "_data"):
            reads.append(name)
        return original(self, name)

    monkeypatch.setattr(TracedBase, "__getattr__", counted)
    n = 10_000
    x = numbers(n, "float64", 0)

    def f(x):
        K = make((n, n))
        for i in range(n):
            K[i, (7 * i) % n] = x[i]
        K[5, 35] += x[0]
        assert not reads
        C = K.tocsr()
        assert len(reads) == 0
        return C.power(2).sum()

    g = grad(f)(x)
    e = 2 * x
    e[5] += 2 * x[0]
    e[0] += 2 * (x[5] + x[0])
    onp.testing.assert_allclose(g, e, rtol=1e-13)


@pytest.mark.parametrize("make", [sp.lil_matrix, sp.lil_array, sp.dok_matrix, sp.dok_array])
def test_constant_becomes_traced_in_place(make):
    K = make((3, 3))
    K[1, 1] = 4.0
    alias = K

    def f(v):
        K[0, 0] = v
        K[0, 0] += v * v
        K[2, 1] = K[0, 0] * K[1, 1]
        assert alias is K and isinstance(alias, make)
        return alias.tocsr().sum()

    v = 1.5
    assert float(grad(f)(v)) == pytest.approx((1 + 2 * v) * 5)


@pytest.mark.parametrize("format", ["csr", "csc", "lil", "dok"])
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_boundary_conditions(format, family):
    """K[bc, :] = 0; K[bc, bc] = 1, on a traced matrix."""
    base = regular(format, family, "float64")
    b, bc = numbers(5, "float64", 2), [0, 3]

    def f(t):
        K = base * t
        K = K.asformat(format)
        K[bc, :] = 0
        K[bc, bc] = 1
        return np.sum(spla.spsolve(K.tocsc(), b) ** 2)

    def dense(t):
        free = onp.ones((5, 1))
        free[bc] = 0
        D = base.toarray() * free * t + onp.diag(1 - free[:, 0])
        return np.sum(np.linalg.solve(D, b) ** 2)

    assert float(grad(f)(1.3)) == pytest.approx(float(grad(dense)(1.3)), rel=1e-10)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia", "lil", "dok"])
def test_traced_diagonal_into_a_constant(format):
    A = matrix(format, "array", "float64", (4, 4))
    v = numbers(4, "float64", 5)

    def f(v):
        K = A.copy()
        K.setdiag(v)
        return K.tocsr().power(2).sum()

    onp.testing.assert_allclose(grad(f)(v), 2 * v)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia"])
def test_traced_entries_into_a_constant(format):
    A = matrix(format, "matrix", "float64")
    v = numbers(A.data.shape, "float64", 5)

    def f(v):
        K = A.copy()
        same = K
        K.data = v * K.data
        K.data *= v
        assert isinstance(K, type(A))
        return same.sum()

    onp.testing.assert_allclose(grad(f)(v), grad(lambda v: np.sum(_inside(A, v * v * A.data)))(v))


def _inside(A, data):
    from scipygrad._core.pattern import Pattern

    inside = Pattern.of(A).inside
    return data if inside is None else np.ravel(data)[inside]


def test_in_place_operator_on_constant_entries_says_what_to_do():
    A = matrix("csr", "array", "float64")

    def f(v):
        A.data *= v
        return A.sum()

    with pytest.raises(TypeError, match=r"A.data = A.data \* v"):
        grad(f)(numbers(A.nnz, "float64", 1))


def test_wrong_number_of_entries():
    A = matrix("csr", "array", "float64")

    def f(v):
        K = A.copy()
        K.data = v
        return K.sum()

    with pytest.raises(ValueError, match="shape"):
        grad(f)(onp.ones(3))


def test_values_that_the_matrix_cannot_hold():
    with pytest.raises(TypeError, match="derivative"):
        grad(lambda v: _set(sp.lil_array((2, 2), dtype=int), v).sum())(1.5)
    with pytest.raises(TypeError, match="derivative"):
        make_vjp(lambda v: _set(sp.csr_array((2, 2)), v))(1.5 + 1j)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def _set(K, v):
    K[0, 0] = v
    return K.tocsr()


def test_operand_is_not_modified():
    A = matrix("lil", "array", "float64")
    before = A.toarray()

    def f(A):
        A[0, 0] *= 3
        A[1, :] = 2.0
        A.setdiag(7.0)
        return A.tocsr().sum()

    g = grad(f)(A)
    assert onp.array_equal(A.toarray(), before)
    assert type(g) is type(A) and g.nnz == A.nnz
    assert g[0, 0] == 0 and g[0, 1] == (1 if A[0, 1] else 0)


def test_duplicates_each_have_the_derivative_of_their_sum():
    row, col = [0, 0, 1], [1, 1, 0]
    A = sp.coo_array((onp.array([1.0, 2.0, 5.0]), (row, col)), shape=(2, 2))
    g = grad(lambda A: A.tocsr().power(2).sum())(A)
    assert g.format == "coo" and g.data.tolist() == [6.0, 6.0, 10.0]
    assert onp.array_equal(g.row, row) and onp.array_equal(g.col, col)
    g = grad(lambda A: (A @ onp.array([1.0, 3.0])).sum())(A)
    assert g.data.tolist() == [3.0, 3.0, 1.0]


def test_unsorted_and_unpruned_csr():
    data, indices, indptr = onp.arange(1.0, 6), onp.array([2, 0, 1, 0, 9]), onp.array([0, 2, 3, 4])
    A = sp.csr_array((data[:4], indices[:4], indptr), shape=(3, 3))
    A.data, A.indices = data, indices  # one more than indptr says
    x = numbers(3, "float64", 1)
    g = grad(lambda A: np.sum((A @ x) ** 2))(A)
    e = grad(lambda D: np.sum((D @ x) ** 2))(A.toarray())
    assert g.data.shape == (5,) and g.data[4] == 0
    onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0))
    g = grad(lambda A: (A @ A + A).power(2).sum())(A)
    e = grad(lambda D: np.sum((D @ D + D) ** 2))(A.toarray())
    onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (4, 4)])
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "lil", "dok"])
def test_empty_and_tiny(shape, format):
    A = sps.random_array(shape, density=1.0 if shape == (1, 1) else 0.0, rng=0)
    A = getattr(sp, f"{format}_array")(A)
    x = numbers(shape[1], "float64", 0)
    g = grad(lambda A: np.sum((A @ x) ** 2) + (A @ A.T).sum() + (A + A).sum())(A)
    assert g.shape == shape and g.nnz == A.nnz
    if shape == (1, 1):
        a = A.toarray()[0, 0]
        assert g.toarray()[0, 0] == pytest.approx(2 * a * x[0] ** 2 + 2 * a + 2)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_tidying_in_place():
    A = sp.coo_array((onp.array([1.0, 2.0, 5.0]), ([1, 1, 0], [1, 1, 0])), shape=(2, 2))

    def f(A):
        A.sum_duplicates()
        assert A.nnz == 2
        A.eliminate_zeros()
        B = A.tocsr()
        B.sort_indices()
        B.resize((2, 1))
        assert B.shape == (2, 1)
        return B.power(2).sum()

    assert grad(f)(A).data.tolist() == [0.0, 0.0, 10.0]


def test_failed_assignment_leaves_the_constant_alone():
    K = sp.lil_array((2, 2))

    def f(v):
        with pytest.raises(IndexError):
            K[5, 0] = v
        return v

    grad(f)(1.0)
    assert type(K) is sp.lil_array and K.nnz == 0


@pytest.mark.parametrize("format", ["csr", "csc", "lil", "dok"])
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_copies_and_what_is_not_one(format):
    """As in SciPy: with copy=True another matrix, without it, in the same format, the same one."""
    A, cls = matrix(format, "array", "float64"), getattr(sp, f"{format}_array")

    def f(A):
        to_same = getattr(A, f"to{format}")
        for copy in (A.copy(), to_same(copy=True), A.asformat(format, copy=True), cls(A)):
            assert copy is not A
            copy[0, 0] = 100.0
            copy *= 3
        before = A[0, 0]
        to_same()[0, 0] = 7.0
        return A.sum() - A[0, 0] + before * 0

    g = grad(f)(A)
    expected = A.tocsr().copy()
    expected.data[:] = 1
    expected[0, 0] = 0
    assert (abs(g.tocsr() - expected) > 0).nnz == 0


@pytest.mark.parametrize("make", [sp.lil_array, sp.dok_matrix])
def test_reading_entries_costs_no_more_than_the_entries(make, monkeypatch):
    """`K[i, i] += v[i]` on a traced K: no array of K's size for each of them on the way back."""
    from autograd.numpy.numpy_vspaces import ArrayVSpace

    n, made = 200, []
    original = ArrayVSpace.zeros
    monkeypatch.setattr(ArrayVSpace, "zeros", lambda self: made.append(1) or original(self))
    A, v = make(sp.eye_array(n)), numbers(n, "float64", 3)

    def f(A, v):
        for i in range(n):
            A[i, i] += v[i] * A[i, i]
        return A.tocsr().power(2).sum()

    g, h = grad(f, (0, 1))(A, v)
    onp.testing.assert_allclose(g.tocsr().diagonal(), 2 * (1 + v) ** 2)
    onp.testing.assert_allclose(h, 2 * (1 + v))
    assert len(made) < 10
