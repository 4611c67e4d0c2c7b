"""Patterns and their plans: shared where structure is equal, never served where it is not."""

import gc
import threading
import weakref

import numpy as onp
import pytest
from autograd import grad
from cases import matrix, regular

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core import held
from scipygrad._core import pattern as module
from scipygrad._core.pattern import Pattern


def loss(A):
    return (A @ A + A.T).power(2).sum()


def expected_gradient(D, mask):
    import autograd.numpy as np

    return grad(lambda D: np.sum((D @ D + D.T) ** 2))(D) * mask


def test_equal_structure_shares_a_pattern():
    A = regular("csr", "array", "float64")
    B = A * 2 - A * 0.5  # new arrays with the same content
    assert B.indices is not A.indices
    assert Pattern.of(A) is Pattern.of(B)


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_plans_do_not_survive_indices_written_in_place(format):
    A = regular(format, "array", "float64")
    grad(loss)(A)  # plans are made
    A.indices[:] = A.indices[:] * 0 + onp.concatenate(
        [onp.sort(onp.random.default_rng(i).permutation(5)[: A.indptr[i + 1] - A.indptr[i]])
         for i in range(5)]
    )  # fmt: skip
    D = A.toarray()
    mask = sp.coo_array((onp.ones(A.nnz), A.tocoo().coords), A.shape).toarray() != 0
    onp.testing.assert_allclose(grad(loss)(A).toarray(), expected_gradient(D, mask), rtol=1e-12)


def test_plans_do_not_survive_a_pattern_of_the_same_sample():
    """Same shape and size, and differences only between the sampled places."""
    n = 200
    i = onp.arange(n)
    A = sp.coo_array((onp.arange(1.0, n + 1), (i, (i * 7) % n)), shape=(n, n)).tocsr()
    B = A.copy()
    B.indices[[1, 2]] = B.indices[[2, 1]]
    assert Pattern.of(A) is not Pattern.of(B)
    for M in (A, B):
        e = expected_gradient(M.toarray(), M.toarray() != 0)
        onp.testing.assert_allclose(grad(loss)(M).toarray(), e, rtol=1e-12)


def test_pattern_owns_its_arrays():
    A = regular("csr", "array", "float64")
    p = Pattern.of(A)
    before = p.arrays[1].copy()
    A.indices[:] = 0
    assert onp.array_equal(p.arrays[1], before)


@pytest.mark.parametrize("place", [0, 1, 4999, 10**5 - 2, 10**5 - 1])
def test_one_index_of_many_is_enough(place):
    """Large arrays are compared in another way than small ones."""
    n = 10**5
    A = sp.csr_array((onp.ones(n), onp.arange(n, dtype=onp.int32), onp.arange(n + 1)), (n, n + 1))
    B = A.copy()
    B.indices[place] += 1
    p = Pattern.of(A)
    assert p is Pattern.of(A.copy()) is not Pattern.of(B)
    A.indices[place] += 1  # in place: the other structure
    assert Pattern.of(A) is Pattern.of(B)


def test_index_arrays_that_are_not_contiguous():
    n = 10**5
    wide = onp.zeros((n, 2), onp.int32)
    wide[:, 0] = onp.arange(n)
    A = sp.coo_array((onp.ones(n), (onp.arange(n, dtype=onp.int32),) * 2), (n, n))
    B = A.copy()
    B.coords = (B.coords[0], wide[:, 0])
    assert Pattern.of(A) is Pattern.of(B)
    wide[777, 0] = 1
    assert Pattern.of(A) is not Pattern.of(B)


@pytest.mark.parametrize("n", [5, 10**4])
def test_same_bytes_in_another_order_are_other_indices(n):
    a = onp.arange(n, dtype=onp.int32)
    assert module._same(a, a.copy()) and not module._same(a, a.view(a.dtype.newbyteorder()))


def test_freed_and_reallocated_arrays():
    for seed in range(30):
        A = matrix("csr", "array", "float64", (6, 6), seed)
        D = A.toarray()
        mask = sp.csr_array((onp.ones(A.nnz), A.indices, A.indptr), A.shape).toarray() != 0
        onp.testing.assert_allclose(
            grad(loss)(A).toarray(), expected_gradient(D, mask), rtol=1e-11, atol=1e-13
        )
        del A
        gc.collect()


def test_plans_in_threads():
    def work(seed, out):
        for _ in range(5):
            A = regular("csr", "array", "float64", seed=seed)
            A.indices = A.indices.copy()
            expected = expected_gradient(A.toarray(), A.toarray() != 0)
            out.append(abs(grad(loss)(A).toarray() - expected).max())

    results = [[] for _ in range(6)]
    threads = [threading.Thread(target=work, args=(s % 3, r)) for s, r in enumerate(results)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(len(r) == 5 and max(r) < 1e-8 for r in results)


def test_number_of_remembered_patterns_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED_PATTERNS", 300)
    for n in range(3, module.REMEMBERED_PATTERNS + 20):
        Pattern.of(sp.eye_array(n, format="csr"))
    assert len(module._by_sample) <= module.REMEMBERED_PATTERNS


def galerkin(A, P):
    half = P.shape[1]
    return (P.T @ A @ P + A[:half, :half]).power(2).sum()


def galerkin_operands(k, n=300):
    """A matrix whose structure depends on k, and one whose structure does not."""
    A = sp.diags_array([3.0, -1.0, 1.5], offsets=[0, k + 1, -k - 2], shape=(n, n), format="csr")
    return A, sp.kron(sp.eye_array(n // 2), [[0.5], [1.0]], format="csr")


def test_what_is_remembered_of_many_structures_is_bounded(monkeypatch):
    """Plans, and the patterns by which the plans of P are remembered, count as well."""
    limit = 2**20
    monkeypatch.setattr(held, "REMEMBERED_BYTES", limit)
    gradient = grad(galerkin)
    gradient(*galerkin_operands(50))  # compiles
    kept = []
    for _ in range(2):
        for k in range(40):
            gradient(*galerkin_operands(k))
        plans = [h.what for h in module._holdings()]
        kept.append(held.bytes_of(plans, set()))
    assert max(kept) <= limit * (1 + 2 / held.COUNTED_EACH)
    monkeypatch.setattr(held, "REMEMBERED_BYTES", 2**40)
    monkeypatch.setattr(held, "_limit", 2**40)
    for k in range(40):
        gradient(*galerkin_operands(k))
    assert held.bytes_of([h.what for h in module._holdings()], set()) > 2 * limit


def test_a_loop_finds_its_plans_while_others_are_let_go(monkeypatch):
    monkeypatch.setattr(held, "REMEMBERED_BYTES", 2**20)
    gradient, always = grad(galerkin), galerkin_operands(60)
    gradient(*always)
    p = Pattern.of(always[0])
    plans = set(p._plans)
    for k in range(30):
        gradient(*galerkin_operands(k))
        gradient(*always)
        assert Pattern.of(always[0].copy()) is p and plans <= set(p._plans)


def test_the_limit_is_raised_where_structures_come_again(monkeypatch):
    """Twenty structures in turns, which together are more than what is kept at first."""
    monkeypatch.setattr(held, "_limit", 2**20)
    gradient = grad(galerkin)
    for k in range(20, 40):  # never again
        gradient(*galerkin_operands(k, 302))
    assert held._limit == 2**20
    for _ in range(6):
        for k in range(20):
            gradient(*galerkin_operands(k, 302))
    assert held._limit > 2**20
    patterns = [Pattern.of(galerkin_operands(k, 302)[0]) for k in range(20)]
    plans = [set(p._plans) for p in patterns]
    for k in range(20):
        gradient(*galerkin_operands(k, 302))
    assert [Pattern.of(galerkin_operands(k, 302)[0]) for k in range(20)] == patterns
    assert all(plans) and [set(p._plans) for p in patterns] == plans


def test_a_new_pattern_at_an_old_address_is_not_taken_for_one_that_was_let_go(monkeypatch):
    missed, addresses = [], set()
    monkeypatch.setattr(module, "missed", lambda: missed.append(True))
    p = Pattern.of(sp.eye_array(7, format="csr"))
    for _ in range(100):
        q = Pattern(sp.eye_array(3, format="csr"), (onp.zeros(1, int),) * 2, (3,))
        addresses.add(id(q))
        key = ("with", (q, "csr"))
        p.plan(key, list)
        assert not missed
        p._forget(key)
        del q, key
        gc.collect()
    assert len(addresses) < 100  # they have come again
    q = Pattern(sp.eye_array(3, format="csr"), (onp.zeros(1, int),) * 2, (3,))
    for _ in range(2):
        p.plan(("with", q), list)
        p._forget(("with", q))
    assert missed


def test_bytes_are_counted_once_and_through_views():
    x = onp.zeros(1000)
    p = Pattern.of(sp.eye_array(50, format="csr"))
    p.plan("for this test", lambda: [onp.zeros(10**5)])
    arrays = sum(a.nbytes for a in p.arrays)
    assert held.bytes_of([x, x[::2], {"x": (x[5:],)}, 3], set()) == x.nbytes
    assert held.bytes_of(p, set()) >= arrays
    assert held.bytes_of(p, set()) < 8 * 10**5  # plans are held on their own account
    assert held.bytes_of([p, x, p], {id(x)}) == held.bytes_of(p, set())


def test_pattern_and_transpose_are_let_go_with_their_last_user():
    gc.collect()
    gc.disable()
    try:
        p = Pattern(sp.eye_array(7, format="csr"), (onp.arange(8), onp.arange(7)), (7,))
        assert p.T.T is p and p.T is p.T
        t, ref = p.T, weakref.ref(p)
        del p
        assert ref() is None and t.T.T is t and onp.array_equal(t.T.arrays[0], onp.arange(8))
    finally:
        gc.enable()


def test_nothing_is_kept_of_a_users_matrix():
    A = regular("csr", "array", "float64")
    grad(loss)(A)
    ref = weakref.ref(A)
    assert "_pattern" not in A.__dict__
    del A
    gc.collect()
    assert ref() is None


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_matrix_of_a_pattern_is_the_matrix(format, family):
    A = matrix(format, family, "float64")
    B = Pattern.of(A).matrix(module.entries(A).copy(), type(A))
    assert type(B) is type(A) and B.dtype == A.dtype and B.nnz == A.nnz
    assert onp.array_equal(A.toarray(), B.toarray())
    i, j = Pattern.of(A).coords
    inside = Pattern.of(A).inside
    data = module.entries(A).ravel()[slice(None) if inside is None else inside]
    assert onp.array_equal(sp.coo_array((data, (i, j)), A.shape).toarray(), A.toarray())


def test_duplicates():
    A = sp.coo_array((onp.ones(3), ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert Pattern.of(A).duplicated
    assert not Pattern.of(A.tocsr()).duplicated
    unsorted = sp.csr_array((onp.ones(2), [1, 0], [0, 2, 2]), shape=(2, 2))
    assert not Pattern.of(unsorted).duplicated
    doubled = sp.csr_array((onp.ones(2), [1, 1], [0, 2, 2]), shape=(2, 2))
    assert Pattern.of(doubled).duplicated


def test_a_loop_over_many_parts_finds_its_plans(monkeypatch):
    """As many subdomains as a domain decomposition has, each with matrices of its own."""
    A = sp.diags_array([3.0, -1.0, 1.5], offsets=[0, 1, -2], shape=(450, 450), format="csr")

    def parts(A):
        total = 0.0
        for k in range(150):
            nodes = onp.sort(onp.random.default_rng(k).choice(450, 60, replace=False))
            total = total + spla.splu(A[nodes][:, nodes].tocsc()).solve(onp.ones(60)).sum()
        return total

    gradient = grad(parts)
    expected = gradient(A)
    made, init = [], Pattern.__init__
    monkeypatch.setattr(Pattern, "__init__", lambda p, *args: (made.append(p), init(p, *args))[1])
    onp.testing.assert_array_equal(gradient(A).data, expected.data)
    assert not made
