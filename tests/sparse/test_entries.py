"""Assembly entry by entry: `lil`, `dok` and lists of numbers, traced."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import matrix, numbers

import scipygrad.sparse as sp
from scipygrad.testing import check_op

# ---- entry by entry --------------------------------------------------------------------------

ASSEMBLED = [sp.lil_array, sp.lil_matrix, sp.dok_array, sp.dok_matrix]
assembled = pytest.mark.parametrize("make", ASSEMBLED)


def _values_and_first(make, f, *args, dtype=None, order=2):
    """f(K, ...) on SciPy's class and on ours, traced: the same numbers; and the derivatives."""
    theirs = getattr(sps, make.__name__)

    def run(make, *args):
        K = make((4, 5)) if dtype is None else make((4, 5), dtype=dtype)
        f(K, *args)
        return K

    expected = run(theirs, *args)
    value = make_vjp(lambda args: run(make, *args))(args)[1]
    assert type(value) is make and value.dtype == expected.dtype
    onp.testing.assert_array_equal(value.toarray(), expected.toarray())
    check_op(lambda *args: run(make, *args), *args, order=order)


def _increments(K, x):
    for k in range(12):
        K[k % 4, (3 * k) % 5] += x[k % 6] * 1.5
        K[k % 3, k % 2] -= x[(k + 1) % 6]
    K[0, 0] *= x[2]
    K[-1, -2] += 2 * x[3]
    K[onp.int64(2), onp.int32(-1)] = x[0] - x[1]
    K[1, 1] /= 2
    K[3, 3] = K[0, 0] + K[2, 2]
    K[0, 4] = 0.5


@assembled
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_in_place_operators_on_entries(make, dtype):
    _values_and_first(make, _increments, numbers(6, dtype, 4), dtype=dtype)


@assembled
@pytest.mark.parametrize("dtype, kept", [("float32", "float64"), ("float64", "complex128")])
def test_entries_are_cast_to_the_dtype_of_the_matrix(make, dtype, kept):
    _values_and_first(make, _increments, numbers(6, dtype, 4), dtype=kept, order=1)


@pytest.mark.parametrize("format", ["csr", "lil", "dok", "coo"])
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("dtype, kept", [("float32", "float64"), ("float64", "complex128")])
def test_derivatives_of_cast_numbers_have_their_dtype(format, dtype, kept):
    """A number that is read back, or assigned to another format, is one of the matrix's dtype."""

    def f(x, s):
        K = getattr(sp, f"{format}_array")((3, 3), dtype=kept)
        K[0, 0] = s
        K[0, 1] = 2.0 * s - x[0]
        K[1, 1] = x[1]
        return np.real(K[0, 0] * K[0, 1] * K[1, 1] * (1 + 2j if kept == "complex128" else 1.0))

    check_op(f, numbers(2, dtype, 4), numbers((), dtype, 5)[()], order=1)


def _aliases(K, x):
    K[0, 1] = x[0]
    before = K[0, 1]
    K[0, 1] += x[1]
    between = K[0, 1]
    K[0, 1] = 5.0
    K[1, 1] = before * between
    K[2, 2] = K[0, 1] * before
    K[2, 2] += K[2, 2] * between


@assembled
def test_what_was_read_stays_what_it_was(make):
    _values_and_first(make, _aliases, numbers(2, "float64", 4))


def _mixture(K, x):
    K[0, 0] = x[0]
    K[0, :2] += x[:2]
    K[0, 0] += x[1]
    K[[1, 2], [0, 3]] = x[1:3]
    K[1, 0] += x[3]
    K[np.ix_([1, 3], [1, 2])] += np.outer(x[:2], x[2:4])
    K[3, 1] += x[4] ** 2
    K.setdiag(x[5])
    K[1, 1] -= x[0]
    K[0:2, 4:] = K[0:2, :1]
    K[0, 4] += K[1, 0]
    K[2, 2] = 0
    K[2, 2] += x[0]
    K[2] = 0
    K[2, 3] += x[2]


@assembled
def test_entries_parts_and_constants_mixed(make):
    _values_and_first(make, _mixture, numbers(6, "float64", 4))
    _values_and_first(make, _mixture, numbers(6, "complex128", 4), dtype=complex)


@assembled
@pytest.mark.parametrize("index", [(4, 0), (0, 5), (-5, 0), (0, -6), (onp.int64(9), 0)])
def test_places_outside_are_refused_as_by_scipy(make, index):
    def f(x):
        K = make((4, 5))
        K[0, 0] = x
        for action in (lambda: K.__getitem__(index), lambda: K.__setitem__(index, x)):
            with pytest.raises(IndexError):
                action()
        return K.sum()

    assert grad(f)(2.0) == 1


@assembled
def test_sequences_are_no_entries(make):
    def f(x):
        K = make((4, 5))
        K[0, 0] = x[0]
        with pytest.raises(ValueError):
            K[0, 0] = x
        with pytest.raises(ValueError):
            K[0, 0] = [x[0], x[1]]
        return K.sum()

    assert grad(f)(onp.ones(3)).tolist() == [1, 0, 0]


@assembled
def test_a_traced_zero_is_an_entry_and_a_plain_one_is_not(make):
    """Structure does not depend on traced values; constants are SciPy's, which removes entries."""

    def f(x):
        K = make((4, 5))
        K[0, 0], K[1, 1], K[2, 2] = x[0], x[0] - x[0], x[1]
        K[2, 2] = 0
        K[3, :] = onp.array([0.0, 1.0, 0.0, 2.0, 0.0])
        K[0, 1] += x[1] * 0.0
        assert sorted(zip(*map(onp.ndarray.tolist, K.tocoo().coords))) == [
            (0, 0), (0, 1), (1, 1), (3, 1), (3, 3),
        ]  # fmt: skip
        return K.tocsr()

    vjp, K = make_vjp(f)(onp.zeros(2))
    assert K.nnz == 5
    K.data[:] = [1, 2, 4, 8, 16]
    assert vjp(K).tolist() == [1, 0]


@assembled
def test_boundary_rows_do_not_fill_up(make):
    n = 2000

    def f(x):
        K = make(sp.eye_array(n)) * x
        for i in range(0, n, 10):
            K[i, :] = 0
            K[i, i] = 1
        K = K.tocsr()
        assert K.nnz == n
        return K.sum()

    assert grad(f)(3.0) == n - n // 10


@assembled
def test_values_given_as_an_array_may_change_afterwards(make):
    row, S = onp.arange(1.0, 6), sp.csr_array(onp.arange(1.0, 6)[None])

    def f(x):
        K = make((4, 5))
        K[0, 0] = x
        K[1, :], K[[2], :] = row, S
        row[:] = 100
        S.data[:] = 100
        return K.tocsr()

    assert make_vjp(f)(1.0)[1].toarray()[1:3].tolist() == [[1, 2, 3, 4, 5]] * 2


@assembled
def test_reading_between_writes(make):
    """What was read off (sums, products, conversions) does not hide what is written later."""

    def f(K, x):
        K[0, 0] = x[0]
        a = K.sum()
        K[0, 0] += x[1]
        b = K.tocsr() @ onp.arange(1.0, 6)
        K[1, 2] = x[2] * a
        K[1, 2] += np.sum(b)
        K[2, 3] = K.sum() * K[1, 2]

    _values_and_first(make, f, numbers(3, "float64", 4))


@assembled
def test_more_entries_than_wait_at_once(make, monkeypatch):
    monkeypatch.setattr("scipygrad.sparse._assembly.PENDING", 3)
    _values_and_first(make, _increments, numbers(6, "float64", 4))
    _values_and_first(make, _mixture, numbers(6, "float64", 4), order=1)


@assembled
def test_written_in_a_nested_derivative(make):
    """A matrix with entries of the outer trace, written to in the inner one, and read after it."""

    def f(x):
        K = make((3, 3))
        K[0, 0], K[1, 1] = x[0], 2 * x[1]

        def inner(y):
            K[1, 1] = y[0] * x[0]
            K[2, 2] = y[1]
            K[1, 1] += 3 * y[1]
            value = K.tocsr().power(2).sum()
            K[1, 1], K[2, 2] = x[2], x[1] * 3
            return value

        g = grad(inner)(x)
        return np.sum(g * x) + K.tocsr().power(3).sum()

    check_op(f, numbers(3, "float64", 5))


@assembled
def test_everything_overwritten(make):
    """The result belongs to the trace all the same, and its derivative is zero."""

    def f(A):
        A = A.copy()
        A[:, :] = onp.ones((4, 6))
        return A

    check_op(f, make(matrix("csr", "array", "float64")))


@assembled
def test_adding_a_block_does_not_look_at_all_others(make, monkeypatch):
    """Assembly by blocks stays linear: the numbers of all chunks are not gone through for each."""
    from scipygrad.sparse import _assembly

    passes = []
    original = onp.searchsorted
    monkeypatch.setattr(
        _assembly.np, "searchsorted", lambda a, *args: passes.append(len(a)) or original(a, *args)
    )

    def f(x):
        K = make((2 * 50 + 1, 2 * 50 + 1))
        for e in range(50):
            K[2 * e : 2 * e + 3, 2 * e : 2 * e + 3] += x[e] * onp.ones((3, 3))
        return K.tocsr().sum()

    assert grad(f)(numbers(50, "float64", 4)).tolist() == [9.0] * 50
    assert sum(n > 8 * 9 for n in passes) <= 1


@pytest.mark.parametrize("make", [sp.lil_array, sp.lil_matrix])
def test_in_place_sums_of_lil(make):
    other = make(matrix("csr", "array", "float64", (4, 5)))

    def f(K, x):
        K[0, 0] = x[0]
        same = K
        K += other * 2.0
        K -= other
        K *= x[1]
        K /= 4.0
        assert same is K

    _values_and_first(make, f, numbers(2, "float64", 4))


@pytest.mark.parametrize("make", [sp.lil_array, sp.lil_matrix])
def test_lists_of_a_traced_lil(make):
    def f(x):
        K = make((2, 3))
        K[0, 2], K[0, 0] = x[0], x[1] * x[1]
        K[1, 1] = 4.0
        assert [*map(tuple, K.rows)] == [(0, 2), (1,)]
        return K.data[0][0] * K.data[0][1] + K.data[1][0], K

    def written(x):
        K = f(x)[1]
        with pytest.raises(TypeError):
            K.data[0][0] = 3.0
        with pytest.raises(ValueError, match="read-only"):
            K.rows[0] = [1]
        with pytest.raises(NotImplementedError, match="A\\[\\[0\\], :\\]"):
            K.getrowview(0)
        return K.sum()

    x = numbers(2, "float64", 4)
    check_op(lambda x: f(x)[0], x)
    grad(written)(x)


# ---- from lists ------------------------------------------------------------------------------


def _lists(sp, x):
    i, j, v = [], [], []
    for k in range(12):
        i.append(k % 4)
        j.append((3 * k) % 5)
        v.append(x[k % 6] * 1.5 - x[0] if k % 5 else x[1] ** 2)
    v[3] = 2.5
    return i, j, v


@pytest.mark.parametrize("make", ["coo_array", "coo_matrix", "csr_array", "csc_matrix"])
@pytest.mark.parametrize("stack", [list, tuple, np.array, onp.array])
def test_numbers_in_a_list(make, stack):
    def f(sp, x):
        i, j, v = _lists(sp, x)
        return getattr(sp, make)((stack(v), (i, j)), shape=(4, 5))

    x = numbers(6, "float64", 4)
    A = make_vjp(lambda x: f(sp, x))(x)[1]
    assert type(A) is getattr(sp, make)
    onp.testing.assert_array_equal(A.toarray(), f(sps, x).toarray())
    check_op(lambda x: f(sp, x), x)


def test_a_list_makes_one_node(monkeypatch):
    from scipygrad._core.elements import Deferred

    asked = []
    original = Deferred._made_node
    monkeypatch.setattr(Deferred, "_node", property(lambda x: asked.append(x) or original(x)))
    x = numbers(500, "float64", 4)
    rows = onp.arange(500)

    def f(x):
        K = sp.lil_array((500, 500))
        for k in range(500):
            K[k, 0] += x[k] * 2.0
            K[k, 0] -= x[-k]
        C = sp.coo_array(([3 * v for v in [x[k] for k in range(500)]], (rows, rows)))
        return (K.tocsr() + C.tocsr()).sum()

    onp.testing.assert_allclose(grad(f)(x), onp.full(500, 4.0))
    assert len(set(map(id, asked))) <= 1  # the first entry, which makes K a traced matrix


# ---- the dict that a dok is -------------------------------------------------------------------


def _dict_methods(K, x):
    K.clear()
    K.update({(0, 1): x[0], (2, 3): x[1] * x[0]})
    K.update([((1, 1), 3.0), ((3, 4), x[2])])
    last = K.popitem()
    assert last[0] == (3, 4)
    K[0, 0] = last[1] * K.pop((2, 3)) + K.pop((2, 2), 4.0)
    K[0, 2] = K.setdefault((0, 1), 7.0) * K.setdefault((1, 4), x[1] - x[0])
    K[0, 3] = K.get((1, 4)) + K.get((3, 3)) + K.get((3, 3), 2.0)
    assert (0, 3) in K and (3, 3) not in K and [*K.keys()][0] == (0, 1)
    del K[1, 1]


@pytest.mark.parametrize("make", [sp.dok_array, sp.dok_matrix])
def test_dict_methods(make):
    def f(K, x):
        K[0, 0] = x[0]
        _dict_methods(K, x)

    _values_and_first(make, f, numbers(3, "float64", 4))


@pytest.mark.parametrize("make", [sp.dok_array, sp.dok_matrix])
def test_dict_methods_refuse_what_scipys_do(make):
    """(Of its dok_matrix SciPy makes empty dicts by `|`: an oversight, which is not followed.)"""

    def refused(K):
        return [
            (KeyError, lambda: K.pop((3, 3))), (KeyError, lambda: K.__delitem__((3, 3))),
            (KeyError, lambda: make((2, 2)).popitem()), (IndexError, lambda: K.get((9, 9))),
            (IndexError, lambda: K.update({(9, 9): 1.0})), (TypeError, lambda: K | K),
            (IndexError, lambda: K.update({(-1, 0): 1.0})), (TypeError, lambda: {} | K),
            (TypeError, lambda: reversed(K)), (TypeError, lambda: K.__ior__({})),
        ]  # fmt: skip

    def f(x):
        K = make((4, 5))
        K[0, 0] = x
        for error, action in refused(K):
            with pytest.raises(error):
                action()
        with pytest.raises(TypeError, match="not None"):
            K.setdefault((2, 2))
        with pytest.raises(ValueError):
            K.update({(1, 1): onp.ones(2)})
        return K.sum()

    K = sps.dok_array((4, 5))
    K[0, 0] = 1.0
    for error, action in refused(K):
        with pytest.raises(error):
            action()
    assert grad(f)(2.0) == 1


@pytest.mark.parametrize("make", [sp.dok_array, sp.dok_matrix])
def test_fromkeys_and_clear(make):
    def f(x):
        K = make((4, 5))
        K[0, 0] = x
        L = K.fromkeys([(0, 1), (2, 2)], x * x)
        assert isinstance(L, make) and L.shape == (3, 3)
        assert type(K.fromkeys([(0, 1)], 2.0)) is make
        K.clear()
        assert len(K) == 0 and K[0, 0] == 0
        return L.sum()

    assert grad(f)(3.0) == 12


def test_update_by_another_dok():
    def f(A, x):
        K = sp.dok_array((4, 6))
        K[0, 0] = x
        K.update(A)
        return K

    check_op(f, matrix("dok", "array", "float64"), 2.0)
