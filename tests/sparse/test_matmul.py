"""Products: one sweep for both gradients, ranges of rows in threads, awkward structures."""

import multiprocessing
import threading

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_jvp, make_vjp
from cases import matrix, numbers

import scipygrad.sparse as sp
from scipygrad._backend import cpu, products, threads
from scipygrad._core.pattern import Pattern
from scipygrad.sparse._matmul import Triples
from scipygrad.testing import check_op

DTYPES = ["float32", "float64", "complex64", "complex128"]
MADE = {"csr": sp.csr_array, "csc": sp.csc_array}


@pytest.fixture
def many_ranges(monkeypatch):
    """Small matrices are split into ranges of rows too, for more threads than there are cores."""
    monkeypatch.setattr(threads, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(threads, "_limit", 4)
    monkeypatch.setattr(threads, "number_of_threads", lambda: 4)
    monkeypatch.setattr(threads, "_pool", None)


def banded(rows, columns, dtype="float64", seed=0):
    """Entries near the diagonal, clearly not symmetric, with some empty rows."""
    rng = onp.random.default_rng(seed)
    i = onp.repeat(onp.arange(rows), rng.integers(0, 4, rows))
    j = onp.clip(i * columns // rows + rng.integers(-1, 3, i.size), 0, columns - 1)
    A = sp.coo_array((numbers(i.size, dtype, seed), (i, j)), (rows, columns)).tocsr()
    A.sum_duplicates()
    return A


def overlong(format, shape=(4, 6), seed=0):
    """Arrays that are longer than indptr says (SciPy's constructor cuts them)."""
    A = MADE[format](matrix("csr", "array", "float64", shape, seed))
    A.data, A.indices = onp.r_[A.data, 9.0, 9.0], onp.r_[A.indices, A.indices[:2]]
    return A


def unsorted(format):
    A = matrix(format, "array", "float64")
    for k in range(len(A.indptr) - 1):
        row = slice(A.indptr[k], A.indptr[k + 1])
        A.indices[row], A.data[row] = A.indices[row][::-1].copy(), A.data[row][::-1].copy()
    A.has_sorted_indices = False
    return A


def doubled(format):
    A = matrix(format, "array", "float64")
    B = MADE[format](
        (onp.r_[A.data, A.data], onp.r_[A.indices, A.indices],
         onp.r_[A.indptr, A.indptr[1:] + A.nnz]), copy=False,
        shape=(2 * A.shape[0], A.shape[1]) if format == "csr" else (A.shape[0], 2 * A.shape[1]),
    )  # fmt: skip
    B.indices[1] = B.indices[0]  # one place is stored twice
    return B


AWKWARD = {"overlong": overlong, "unsorted": unsorted, "with duplicates": doubled}


# ---- A x ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_both_gradients_in_one_sweep_are_those_of_each_alone(format, columns, dtype):
    A, x = matrix(format, "array", dtype), numbers((6, *columns), dtype, 1)
    vjp, y = make_vjp(lambda A, x: A @ x, (0, 1))(A, x)
    g = numbers(y.shape, dtype, 2)
    A_bar, x_bar = vjp(g)
    outer = g.reshape(4, -1) @ x.reshape(6, -1).T
    rtol = 1e-5 if dtype in ("float32", "complex64") else 1e-14
    onp.testing.assert_allclose(A_bar.data, outer[A.tocoo().coords], rtol)
    onp.testing.assert_allclose(x_bar, A.toarray().T @ g, rtol=rtol, atol=rtol)
    assert A_bar.dtype == x_bar.dtype == onp.dtype(dtype)
    assert x_bar.shape == x.shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("made", [sps.bsr_array, sps.bsr_matrix, sp.bsr_array])
@pytest.mark.parametrize("blocksize", [(1, 1), (2, 3)], ids=str)
def test_product_with_constant_blocks(blocksize, made, columns, dtype):
    A = made(matrix("csr", "array", dtype), blocksize=blocksize)  # 4 × 6
    x, g = numbers((6, *columns), dtype, 1), numbers((4, *columns), dtype, 2)
    vjp, y = make_vjp(lambda x: A @ x)(x)
    onp.testing.assert_array_equal(y, A @ x)
    assert y.dtype == onp.dtype(dtype)
    rtol = 1e-5 if dtype in ("float32", "complex64") else 1e-14
    onp.testing.assert_allclose(vjp(g), A.toarray().T @ g, rtol=rtol, atol=rtol)
    if dtype in ("float64", "complex128"):
        check_op(lambda x: A @ x, x)


def test_blocks_of_size_one_need_not_be_contiguous():
    A = sps.bsr_array(matrix("csr", "array", "float64"), blocksize=(1, 1))
    x = numbers(6, "float64", 1)
    expected = A.toarray().sum(axis=0)
    A.data = onp.stack([A.data, 0 * A.data], axis=1)[:, 0]
    assert not A.data.flags.c_contiguous
    onp.testing.assert_allclose(grad(lambda x: np.sum(A @ x))(x), expected, rtol=1e-14)


def test_blocks_of_size_one_are_read_only_while_a_derivative_needs_them():
    A = sps.bsr_array(matrix("csr", "array", "float64"), blocksize=(1, 1))
    x = numbers(6, "float64", 1)
    expected = A.toarray().sum(axis=0)
    vjp, _ = make_vjp(lambda x: A @ x)(x)
    for array in (A.data, A.indices, A.indptr):
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 0
    A.data = 2 * A.data  # not seen by the rule
    onp.testing.assert_allclose(vjp(onp.ones(4)), expected, rtol=1e-14)
    del vjp
    A.indices[0] = A.indices[0]


@pytest.mark.parametrize("columns", [(), (1,), (3,), (0,)], ids=str)
@pytest.mark.parametrize("awkward", AWKWARD)
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_awkward_arrays(format, awkward, columns):
    A = AWKWARD[awkward](format)
    x = numbers((A.shape[1], *columns), "float64", 1)
    weights = numbers((A.shape[0], *columns), "float64", 2)

    def loss(A, x):
        return np.sum((A @ x) ** 2 * weights)

    G, x_bar = grad(loss, (0, 1))(A, x)
    assert G.data.shape == A.data.shape
    stored = A.indptr[-1]
    assert not G.data[stored:].any()
    onp.testing.assert_array_equal(G.indices, A.indices)
    for alone, both in zip((grad(loss, 0)(A, x), grad(loss, 1)(A, x)), (G, x_bar)):
        a, b = (v if isinstance(v, onp.ndarray) else v.data for v in (alone, both))
        onp.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("columns", [(), (2,)], ids=str)
def test_index_types(index, columns):
    A, x = matrix("csr", "array", "float64"), numbers((6, *columns), "float64", 1)
    A.indices, A.indptr = A.indices.astype(index), A.indptr.astype(index)
    check_op(lambda A, x: A @ x, A, x)


@pytest.mark.parametrize("columns", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_derivatives_from_many_ranges(many_ranges, format, columns):
    A = banded(23, 31).asformat(format)
    check_op(lambda A, x: A @ x, A, numbers((31, *columns), "float64", 1))


def test_mixed_precision():
    A, x = matrix("csr", "array", "float32"), numbers(6, "float64", 1)
    G, x_bar = grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))(A, x)
    assert G.dtype == onp.float32 and x_bar.dtype == onp.float64


def test_nan_and_inf_go_where_they_belong():
    A, x = matrix("csr", "array", "float64"), numbers((6, 3), "float64", 1)
    vjp, y = make_vjp(lambda A, x: A @ x, (0, 1))(A, x)
    g = onp.ones(y.shape)
    g[0, 1], g[2, 2] = onp.nan, onp.inf
    G, x_bar = vjp(g)
    rows = onp.repeat(onp.arange(4), onp.diff(A.indptr))
    assert onp.isnan(G.data[rows == 0]).all() and onp.isinf(G.data[rows == 2]).all()
    assert onp.isfinite(G.data[rows == 3]).all()
    with onp.errstate(invalid="ignore"):  # an explicit zero times infinity
        expected = A.T @ g
    onp.testing.assert_array_equal(onp.isnan(x_bar), onp.isnan(expected))
    onp.testing.assert_array_equal(onp.isinf(x_bar), onp.isinf(expected))


def test_tangents_in_one_sweep():
    A, x = banded(40, 30), numbers(30, "float64", 1)
    A_dot, x_dot = A * 0.5 + A.power(2), numbers(30, "float64", 2)
    _, y_dot = make_jvp(lambda A, x: A @ x, (0, 1))(A, x)((A_dot, x_dot))
    onp.testing.assert_allclose(y_dot, A_dot @ x + A @ x_dot, rtol=1e-13)


def test_gradients_share_no_memory():
    """What is taken over without a copy is nobody else's."""
    A = matrix("csr", "array", "float64")
    B = A * 2
    g = matrix("csr", "array", "float64", seed=0) * 3
    G, H = make_vjp(lambda A, B: A + B, (0, 1))(A, B)[0](g)
    assert not onp.shares_memory(G.data, H.data)
    same = make_vjp(lambda A, x: A, (0, 1))(A, 1.0)[0](g)[0]
    assert not onp.shares_memory(same.data, g.data)
    (first, _), (second, _) = (
        (vjp(onp.ones(4))) for vjp in [make_vjp(lambda A, x: A @ x, (0, 1))(A, onp.ones(6))[0]] * 2
    )
    assert not onp.shares_memory(first.data, second.data)


# ---- A B ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_product_is_scipys_to_rounding(dtype):
    """The terms are added in SciPy's order; a compiler may fuse a product and a sum."""
    A, B = banded(50, 40, dtype), banded(40, 60, dtype, seed=1)
    C = make_vjp(lambda A: A @ B, 0)(A)[1]
    expected = (sps.csr_array(A) @ sps.csr_array(B)).toarray()
    eps = 8 * onp.finfo(dtype).eps
    onp.testing.assert_allclose(C.toarray(), expected, rtol=eps, atol=eps)


@pytest.mark.parametrize("formats", [("csr", "csr"), ("csc", "csc"), ("csr", "csc")])
def test_products_from_many_ranges(many_ranges, formats):
    A, B = (banded(*s).asformat(f) for s, f in zip(((19, 17), (17, 23)), formats))
    check_op(lambda A, B: A @ B, A, B)


def _dense_triples():
    full = onp.arange(0, 1601, 40, dtype=onp.int32), onp.tile(onp.arange(40, dtype=onp.int32), 40)
    return Triples(full, full, full, 40)


def test_without_slots_where_they_would_be_larger_than_the_matrices():
    triples = _dense_triples()
    a, b, c = (numbers((40, 40), "float64", s) for s in range(3))
    assert products._slots_of(triples)[1] is None
    got = cpu.product(a.ravel(), b.ravel(), triples)
    onp.testing.assert_allclose(got.reshape(40, 40), a @ b, rtol=1e-12)
    left, right = cpu.product_both(c.ravel(), a.ravel(), b.ravel(), triples)
    onp.testing.assert_allclose(left.reshape(40, 40), c @ b.T, rtol=1e-12)
    onp.testing.assert_allclose(right.reshape(40, 40), a.T @ c, rtol=1e-12)
    onp.testing.assert_array_equal(cpu.product_left(c.ravel(), b.ravel(), triples), left)
    onp.testing.assert_array_equal(cpu.product_right(c.ravel(), a.ravel(), triples), right)


@pytest.mark.parametrize("slots", [True, False])
@pytest.mark.parametrize("longest", [3, 254, 255, 256, 300])
def test_entries_that_the_result_does_not_store_are_left_out(longest, slots):
    """A row of A B with more entries than C stores there, in number around what a byte counts."""
    n = 400
    A = sp.csr_array(numbers((2, 5), "float64", 0))
    B = sp.csr_array(numbers((5, n), "float64", 1))
    stored = onp.sort(onp.random.default_rng(2).permutation(n)[:longest]).astype(onp.int32)
    C = onp.array([0, longest, longest], onp.int32), stored  # and nothing in the second row
    triples = Triples((A.indptr, A.indices), (B.indptr, B.indices), C, n)
    if not slots:
        triples._known["slots"] = onp.zeros(3, onp.uint64), None
    else:
        assert products._slots_of(triples)[1].itemsize == (1 if longest < 255 else 2)
    c = cpu.product(A.data, B.data, triples)
    onp.testing.assert_allclose(c, (A @ B).toarray()[0, stored], rtol=1e-13)
    g = onp.zeros((2, n))
    g[0, stored] = weights = numbers(longest, "float64", 3)
    left, right = cpu.product_both(weights, A.data, B.data, triples)
    onp.testing.assert_allclose(left.reshape(2, 5), g @ B.toarray().T, rtol=1e-12)
    onp.testing.assert_allclose(right.reshape(5, n), A.toarray().T @ g, rtol=1e-12)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_gradients_are_zero_beyond_what_indptr_says(format, together):
    A, M = overlong(format), overlong(format, (6, 4), seed=5)

    def loss(A, M):
        return (A @ M).power(2).sum()

    grads = grad(loss, (0, 1))(A, M) if together else (grad(loss, 0)(A, M), grad(loss, 1)(A, M))
    C = A.toarray() @ M.toarray()
    for G, X, e in zip(grads, (A, M), (2 * C @ M.toarray().T, 2 * A.toarray().T @ C)):
        assert G.data.size == X.data.size > X.indptr[-1]
        assert not G.data[X.indptr[-1] :].any()
        stored = Pattern.of(X).coords
        onp.testing.assert_allclose(G.toarray()[stored], e[stored], rtol=1e-13)


def test_galerkin_product():
    A, P = banded(12, 12), banded(12, 5, seed=4)
    check_op(lambda A, P: P.T @ A @ P, A, P)


# ---- ranges and threads ---------------------------------------------------------------------


def test_ranges_in_one_phase_have_no_columns_in_common(many_ranges):
    A = banded(300, 200)
    phases = threads.scattering(A.indptr, A.indices)
    assert len(phases) == 2 and len(phases[0]) == threads.RANGES // 2
    for ranges in phases:
        met = [set(A.indices[A.indptr[i] : A.indptr[k]]) for i, k in ranges]
        assert sum(map(len, met)) == len(set().union(*met))
    assert sorted(r for ranges in phases for r in ranges)[0][0] == 0
    covered = sorted(i for ranges in phases for r in ranges for i in range(*r))
    assert covered == list(range(300))


def test_columns_anywhere_leave_one_range(many_ranges):
    rng = onp.random.default_rng(0)
    A = sps.coo_array((onp.ones(900), (rng.integers(0, 300, 900), rng.integers(0, 9, 900)))).tocsr()
    assert threads.scattering(A.indptr, A.indices) == [[(0, A.shape[0])]]


@pytest.mark.parametrize("counts", [[0] * 20, [50, *[0] * 30], [*[0] * 30, 50], [1], []], ids=len)
def test_ranges_cover_all_rows(many_ranges, counts):
    indptr = onp.concatenate([[0], onp.cumsum(counts)]).astype(onp.int32)
    (ranges,) = threads.independent(indptr)
    assert [i for r in ranges for i in range(*r)] == list(range(len(counts)))


def test_same_bits_for_any_number_of_threads(many_ranges, monkeypatch):
    A, x = banded(3000, 3000), numbers(3000, "float64", 1)

    def results(limit):
        monkeypatch.setattr(threads, "_limit", limit)
        G, x_bar = grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))(A, x)
        return G.data, x_bar, grad(lambda A: (A @ A).power(2).sum())(A).data

    one = results(1)
    assert len(Pattern.of(A).plan("scattering", None)) == 2
    for limit in (2, 4):
        for a, b in zip(one, results(limit)):
            onp.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value, cores", [("1", 1), ("1,4", 1), ("", None), ("many", None)])
@pytest.mark.parametrize("name", ["NUMBA_NUM_THREADS", "OMP_NUM_THREADS"])
def test_number_of_threads_from_the_environment(monkeypatch, name, value, cores):
    for other in threads._VARIABLES:
        monkeypatch.delenv(other, raising=False)
    free = threads._from_environment()
    monkeypatch.setenv(name, value)
    assert threads._from_environment() == (cores or free) >= 1


def test_limits_of_threadpoolctl_hold():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    if not threadpoolctl.ThreadpoolController().select(user_api="blas").lib_controllers:
        pytest.skip("threadpoolctl finds no BLAS to keep its limits")
    with threadpoolctl.threadpool_limits(1):
        assert threads.number_of_threads() == 1


def test_an_error_in_a_thread_is_raised(many_ranges):
    def kernel(first, last):
        if first == 3:
            raise ValueError("in a range")

    with pytest.raises(ValueError, match="in a range"):
        threads.run(kernel, [[(k, k + 1) for k in range(6)]])


def test_gradients_in_threads_of_the_user(many_ranges):
    A, x = banded(500, 500), numbers(500, "float64", 1)
    gradient = grad(lambda A, x: np.sum((A @ x) ** 2) + (A @ A).power(2).sum(), (0, 1))
    expected, got = gradient(A, x), [None] * 6

    def work(k):
        got[k] = gradient(A, x)

    users = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in users:
        t.start()
    for t in users:
        t.join()
    for G, x_bar in got:
        onp.testing.assert_array_equal(G.data, expected[0].data)
        onp.testing.assert_array_equal(x_bar, expected[1])


def _product_in_child(queue, A, x):
    queue.put(grad(lambda x: np.sum((A @ x) ** 2))(x) + grad(lambda A: np.sum((A @ x) ** 2))(A) @ x)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_fork_after_threads_were_used(many_ranges):
    A, x = banded(500, 500), numbers(500, "float64", 1)
    gradient = grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))
    G, x_bar = gradient(A, x)
    assert threads._pool is not None
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_product_in_child, args=(queue, A, x))
    child.start()
    got = queue.get(timeout=60)
    child.join()
    assert child.exitcode == 0
    onp.testing.assert_allclose(got, x_bar + G @ x, rtol=1e-13)
