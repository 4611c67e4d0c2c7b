"""Moves of entries: gathers, their transposes, and places in regular steps."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, make_vjp
from cases import numbers

import scipygrad.sparse as sp
from scipygrad._core import tags
from scipygrad.testing import check_op

INDICES = {
    "identity": [0, 1, 2, 3, 4, 5], "slice": [2, 3, 4], "steps": [1, 3, 5], "backward": [4, 3, 2],
    "to the first": [4, 2, 0], "backward, all": [5, 4, 3, 2, 1, 0], "one": [3], "none": [],
    "nowhere": [-1, -1], "permuted": [3, 5, 0, 1, 4, 2], "padded": [3, -1, 0, 1, 2, 5],
    "padded slice": [-1, 0, 1, 2], "repeated": [2, 2, 0, 1, 5, 4], "constant": [3, 3, 3],
    "few": [5, 0], "down to -1": [1, 0, -1],
}  # fmt: skip


def matrix_of(index):
    """The gather as a dense matrix."""
    M = onp.zeros((len(index), 6))
    for k, i in enumerate(index):
        if i >= 0:
            M[k, i] = 1
    return M


@pytest.mark.parametrize("which", INDICES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "int64", "longdouble"])
def test_gather_and_scatter_are_those_of_the_index(which, dtype):
    index = INDICES[which]
    M = matrix_of(index)
    plan = tags.Gather(onp.array(index, int), (2, 3), (len(index),))
    assert plan.index.tolist() == index
    x = onp.arange(1, 7).astype(dtype).reshape(2, 3)
    out = tags.gather(x, plan)
    onp.testing.assert_array_equal(out, M @ x.ravel())
    assert out.dtype == x.dtype
    if dtype == "longdouble":
        return
    y = onp.arange(10, 10 + len(index)).astype(dtype)
    for _ in range(3):  # the second time by the inverse, if there is one
        back = tags.scatter(y, plan)
        onp.testing.assert_array_equal(back.ravel(), M.T @ y)
        assert (back.shape, back.dtype) == ((2, 3), x.dtype)


@pytest.mark.parametrize("which", ["identity", "slice", "backward", "permuted"])
def test_the_result_of_a_gather_is_no_view_unless_nothing_moves(which):
    index = INDICES[which]
    x = onp.arange(6.0)
    out = tags.gather(x, tags.Gather(onp.array(index), (6,), (len(index),)))
    assert onp.shares_memory(out, x) == (which == "identity")


@pytest.mark.parametrize("which", INDICES)
def test_slice_is_found_where_there_is_one(which):
    index = INDICES[which]
    found = tags.Gather(onp.array(index, int), (6,), (len(index),)).slice
    steps = set(onp.diff(index))
    regular = bool(index) and min(index) >= 0 and len(steps) < 2 and 0 not in steps
    assert (found is not None) == regular
    if regular:
        assert onp.arange(6)[found].tolist() == index


def test_empty_operand():
    plan = tags.Gather(onp.array([-1, -1]), (0,), (2,))
    onp.testing.assert_array_equal(tags.gather(onp.zeros(0), plan), [0, 0])
    assert tags.scatter(onp.ones(2), plan).shape == (0,)


# ---- several operands -------------------------------------------------------------------------

REGULAR = {
    "vstack": lambda A, B: sp.vstack([A, B], format="csr"),
    "vstack of three": lambda A, B: sp.vstack([A, B, A], format="csr"),
    "block_diag": lambda A, B: sp.block_diag([B, A], format="coo"),
    "hstack of columns": lambda A, B: sp.hstack([A.tocsc(), B.tocsc()], format="csc"),
    "hstack of rows": lambda A, B: sp.hstack([A, B], format="csr"),
}


@pytest.mark.parametrize("name", REGULAR)
def test_parts_in_their_places(name):
    rng = onp.random.default_rng(0)
    A, B = (sp.random_array((4, 4), density=0.5, format="csr", rng=rng) for _ in range(2))
    check_op(REGULAR[name], A, B)


@pytest.mark.parametrize("name", REGULAR)
def test_parts_of_different_dtypes_have_their_own_in_the_gradient(name):
    rng = onp.random.default_rng(0)
    A, B = (sp.random_array((4, 4), density=0.5, format="csr", rng=rng) for _ in range(2))
    A = A.astype(onp.float32)
    gradients = grad(lambda A, B: REGULAR[name](A, B).sum(), (0, 1))(A, B)
    assert [G.dtype for G in gradients] == [onp.float32, onp.float64]


@pytest.mark.parametrize("format", ["csr", "csc", "dia", "coo"])
def test_diagonals_of_parts_of_a_vector(format):
    d = numbers(5, "float64", 1)
    check_op(
        lambda d: sp.diags_array([d[1:], d, 2 * d[:-1]], offsets=[-1, 0, 1]).asformat(format), d
    )


def test_a_constant_part_beside_a_traced_one_stays():
    A, B = sp.csr_array(onp.eye(3)), sp.csr_array(2 * onp.eye(3))
    value = make_vjp(lambda A: sp.vstack([A, B], format="csr"))(A)[1]
    onp.testing.assert_array_equal(value.toarray(), onp.vstack([A.toarray(), B.toarray()]))


def test_gradients_of_parts_do_not_share_memory():
    A = sp.csr_array(onp.eye(3))
    G, H = grad(lambda A, B: sp.vstack([A, B]).sum(), (0, 1))(A, A.copy())
    G.data[:] = 7
    assert (H.data == 1).all()


# ---- slices of arrays -------------------------------------------------------------------------

SLICES = {
    "slice": lambda X: X[1:3], "entry": lambda X: X[1, 2], "row": lambda X: X[-1],
    "steps": lambda X: X[::2, ::-1], "new axis": lambda X: X[:, None, 1], "all": lambda X: X[...],
    "repeated": lambda X: X[[0, 0, 2]], "mixed": lambda X: X[[0, 0, 2], 1:],
    "mask": lambda X: X[X > 0],
    "NumPy's number": lambda X: X[onp.int64(1)], "true": lambda X: X[True],
}  # fmt: skip


@pytest.mark.parametrize("which", SLICES)
def test_gradient_of_a_part_of_an_array(which):
    check_op(lambda X: SLICES[which](X) ** 3, numbers((4, 3), "float64", 3))


def test_gradients_of_parts_that_overlap_are_summed():
    x = numbers(5, "float64", 1)
    g = grad(lambda x: np.sum(x[1:]) + np.sum(x[:-1]) + x[2])(x)
    onp.testing.assert_array_equal(g, [1, 2, 3, 2, 1])


# ---- constructors: entries taken over as they are -------------------------------------------


def constructed(format, data, indices):
    """A matrix of 100 rows from traced entries and an array of indices."""
    if format == "coo":
        return sp.coo_array((data, (indices, indices[::-1].copy())), shape=(100, 100))
    indptr = onp.arange(101, dtype=indices.dtype)
    if format == "bsr":
        blocks = np.reshape(data, (100, 1, 1))
        return sp.bsr_array((blocks, indices, indptr), shape=(100, 100))
    return getattr(sp, f"{format}_array")((data, indices, indptr), shape=(100, 100))


@pytest.mark.parametrize("index_dtype", ["int32", "int64"])
@pytest.mark.parametrize("format", ["coo", "csr", "csc", "bsr"])
def test_indices_given_to_a_constructor_may_be_written_to_afterwards(format, index_dtype):
    W, x = numbers((100, 100), "float64", 1), numbers(100, "float64", 2)
    indices = onp.arange(100, dtype=index_dtype)

    def loss(x, before_the_backward_pass=False):
        A = constructed(format, x, indices)
        y = (A.tocsr().toarray() * W).sum()
        if before_the_backward_pass:
            indices[3] = 77  # a place that no sample looks at
        return y

    def expected():
        return onp.array([W[A.coords] for A in [constructed(format, x, indices).tocoo()]])[0]

    before = expected()
    assert onp.array_equal(grad(loss)(x, True), before)
    assert indices[3] == 77
    assert onp.array_equal(grad(loss)(x), expected())
    assert not onp.array_equal(before, expected())


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_entries_beyond_indptr_have_derivative_zero(format):
    data = numbers(5, "float64", 1)

    def total(data):
        A = getattr(sp, f"{format}_array")((data, [0, 1, 2, 0, 1], [0, 1, 2, 3]), shape=(3, 3))
        return (A @ np.arange(1.0, 4.0)).sum()

    assert total(data) == pytest.approx(data[:3] @ [1, 2, 3])
    onp.testing.assert_array_equal(grad(total)(data), [1, 2, 3, 0, 0])
    check_op(total, data, order=2)


def test_a_constructor_adds_no_node_for_entries_that_it_takes_over():
    def f(x):
        A = sp.coo_array((x, (onp.arange(6), onp.arange(6))), shape=(6, 6))
        assert A.data._node is x._node
        return A.sum()

    onp.testing.assert_array_equal(grad(f)(onp.ones(6)), onp.ones(6))


# ---- small parts of a large matrix -----------------------------------------------------------


def banded(n, dtype="float64"):
    """Entries on four diagonals, clearly not symmetric."""
    diagonals = [numbers((n - abs(k),), dtype, k + 20) for k in (-1, 0, 1, 7)]
    return sp.diags_array(diagonals, offsets=[-1, 0, 1, 7], format="csr")


OVERLAPPING = {
    "slices": lambda k: slice(4 * k, 4 * k + 9),
    "arrays": lambda k: onp.arange(4 * k, 4 * k + 9),
    "repeated": lambda k: onp.array([4 * k, 4 * k + 1, 4 * k]),
    "steps": lambda k: slice(4 * k, 4 * k + 9, 2),
}


def block_norms(A, part, parts=6):
    """Cubes of the entries of overlapping diagonal blocks; all of A counts, too."""
    total = np.sum(A.data**3)
    for k in range(parts):
        total = total + np.sum(np.abs(A[part(k)][:, part(k)].data) ** 3)
    return total


@pytest.mark.parametrize("part", OVERLAPPING.values(), ids=OVERLAPPING)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_many_small_parts(part, dtype):
    if dtype == "complex128":
        check_op(lambda A: np.real(block_norms(A, part)), banded(40, dtype), order=2)
    else:
        check_op(lambda A: block_norms(A, part), banded(40, dtype), order=2)


def test_small_parts_are_added_to_one_cotangent(monkeypatch):
    """No array as large as the matrix for each of them."""
    A, part = banded(400), OVERLAPPING["arrays"]
    wanted = grad(lambda A: block_norms(A, part, parts=50))(A)
    scatter = tags.Gather.scatter

    def of_a_part(plan, x):
        assert plan.size < A.nnz
        return scatter(plan, x)

    monkeypatch.setattr(tags.Gather, "scatter", of_a_part)
    onp.testing.assert_array_equal(
        grad(lambda A: block_norms(A, part, parts=50))(A).data, wanted.data
    )


def test_small_parts_in_single_precision():
    A = banded(60, "float32")
    assert grad(lambda A: block_norms(A, OVERLAPPING["slices"]))(A).dtype == onp.float32


def test_small_parts_of_a_vector():
    x = onp.random.default_rng(0).standard_normal(80)
    check_op(lambda x: sp.diags([x, x[:79]], [0, 1], format="csr")[3:9].power(3).sum(), x, order=2)
