"""Who may write into what: results share index arrays, rules keep the entries of constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

FAMILIES = ("array", "matrix")
INDEXED = ("csr", "csc", "coo", "bsr", "dia")


def matrix(format: str = "csr", family: str = "array", n: int = 4, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    dense = rng.uniform(1.0, 2.0, (n, n)) * (rng.random((n, n)) < 0.6)
    dense[0, 0], dense[n - 1, 0] = 1.5, 1.25
    return getattr(sp, f"{format}_{family}")(dense)


def squared(A):
    return (A @ A).power(2).sum()


def index_arrays(A: Any) -> list[np.ndarray]:
    if A.format == "coo":
        return list(A.coords)
    return [A.offsets] if A.format == "dia" else [A.indptr, A.indices]


def state(A: Any) -> tuple:
    return tuple(a.copy() for a in (*index_arrays(A), A.data)), A.shape


def unchanged(A: Any, before: tuple) -> bool:
    now, shape = state(A)
    return shape == before[1] and all(map(np.array_equal, now, before[0]))


# ---- results of traced computations ----------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("format", INDEXED)
def test_index_arrays_of_a_gradient_are_read_only(format, family):
    gradient = grad(squared)(matrix(format, family))
    assert not any(a.flags.writeable for a in index_arrays(gradient))


@pytest.mark.parametrize("format", INDEXED)
def test_index_arrays_of_the_operand_stay_writable(format):
    A = matrix(format)
    grad(squared)(A)
    assert all(a.flags.writeable for a in index_arrays(A))


@pytest.mark.parametrize("format", INDEXED)
def test_gradient_shares_no_memory_with_the_operands_indices(format):
    A = matrix(format)
    gradient = grad(squared)(A)
    for a, b in zip(index_arrays(A), index_arrays(gradient)):
        assert not np.shares_memory(a, b)


@pytest.mark.parametrize("format", INDEXED)
def test_entries_of_a_gradient_are_writable(format):
    gradient = grad(squared)(matrix(format))
    gradient.data[...] = 7.0
    assert (gradient.data == 7.0).all()


CHANGES = {
    "sort_indices": lambda G: G.sort_indices(),
    "sum_duplicates": lambda G: G.sum_duplicates(),
    "eliminate_zeros": lambda G: G.eliminate_zeros(),
    "setdiag": lambda G: G.setdiag(3.0),
    "setitem new": lambda G: G.__setitem__((1, 0), 9.0),
    "setitem row": lambda G: G.__setitem__((0, slice(None)), 9.0),
    "smaller": lambda G: G.resize(2, 3),
    "larger": lambda G: G.resize(6, 7),
    "imul": lambda G: G.__imul__(2.0),
    "data": lambda G: setattr(G, "data", G.data * 2),
}
LACKS = {
    "sort_indices": ("coo", "dia"), "sum_duplicates": ("dia",), "setdiag": ("bsr",),
    "setitem new": ("coo", "bsr", "dia"), "setitem row": ("coo", "bsr", "dia"),
    "smaller": ("bsr",), "larger": ("bsr",), "eliminate_zeros": ("dia",),
}  # fmt: skip
"""What SciPy's own classes do not have."""
CASES = [(c, f) for c in CHANGES for f in INDEXED if f not in LACKS.get(c, ())]
change_and_format = pytest.mark.parametrize(
    "change, format", CASES, ids=[f"{c}-{f}" for c, f in CASES]
)


@change_and_format
def test_change_of_a_result_is_what_scipy_makes_of_it(change, format):
    gradient = grad(squared)(matrix(format))
    copy = getattr(sp, f"{format}_array")(gradient.toarray())
    if format == "dia":
        copy = sp.dia_array((gradient.data.copy(), gradient.offsets.copy()), shape=gradient.shape)
    CHANGES[change](gradient)
    CHANGES[change](copy)
    np.testing.assert_array_equal(gradient.toarray(), copy.toarray())


@change_and_format
def test_change_of_a_result_leaves_the_operand(change, format):
    A = matrix(format)
    before = state(A)
    CHANGES[change](grad(squared)(A))
    assert unchanged(A, before)


@change_and_format
def test_change_of_a_result_leaves_other_results(change, format):
    A = matrix(format)
    first, second = grad(squared)(A), grad(squared)(A)
    before = state(second)
    CHANGES[change](first)
    assert unchanged(second, before)


@change_and_format
def test_change_of_a_result_leaves_later_gradients(change, format):
    A = matrix(format)
    first = grad(squared)(A)
    expected = first.toarray()
    CHANGES[change](first)
    np.testing.assert_array_equal(grad(squared)(A).toarray(), expected)


@change_and_format
def test_change_of_the_operand_leaves_results(change, format):
    A = matrix(format)
    gradient = grad(squared)(A)
    before = state(gradient)
    CHANGES[change](A)
    assert unchanged(gradient, before)


@change_and_format
def test_gradient_after_a_change_of_the_operand_is_of_the_new_matrix(change, format):
    A = matrix(format)
    grad(squared)(A)
    CHANGES[change](A)
    if A.shape[0] != A.shape[1]:
        A.resize(2, 2)
    fresh = getattr(sp, f"{format}_array")(A.toarray())
    gradient, expected = grad(squared)(A).toarray(), grad(squared)(fresh).toarray()
    stored = fresh.toarray() != 0
    np.testing.assert_allclose(gradient[stored], expected[stored], rtol=1e-12)


def test_shared_index_arrays_refuse_a_direct_write():
    gradient = grad(squared)(matrix())
    with pytest.raises(ValueError, match="read-only"):
        gradient.indices[0] = 1


def test_value_inside_a_trace_can_be_changed_afterwards():
    kept = []

    def f(A):
        B = A @ A
        kept.append(B.copy())
        B.setdiag(0.0)
        return B.sum()

    gradient = grad(f)(matrix())
    assert np.isfinite(gradient.data).all() and kept[0].shape == (4, 4)


# ---- constants that a rule holds -------------------------------------------------------------

PRODUCTS = {
    "A @ x": lambda A, x: (A @ x).sum(),
    "x @ A": lambda A, x: ((x @ A) ** 2).sum(),
    "A.T @ x": lambda A, x: ((A.T @ x) ** 2).sum(),
    "A.multiply(x)": lambda A, x: A.multiply(x).power(2).sum(),
    "A @ diags(x)": lambda A, x: (A @ sp.diags_array(x)).power(2).sum(),
    "A + diags(x)": lambda A, x: (A + sp.diags_array(x)).power(2).sum(),
    "A * x[0]": lambda A, x: (A * x[0]).power(2).sum(),
    "A.tocsc() @ x": lambda A, x: ((A.tocsc() @ x) ** 2).sum(),
}
HELD = {
    "A[0, 0] = 9": lambda A: A.__setitem__((0, 0), 9.0),
    "A[1, 0] = 9": lambda A: A.__setitem__((1, 0), 9.0),
    "A[0, :] = 0": lambda A: A.__setitem__((0, slice(None)), 0.0),
    "A.setdiag": lambda A: A.setdiag(5.0),
    "A *= 2": lambda A: A.__imul__(2.0),
    "A /= 2": lambda A: A.__itruediv__(2.0),
    "A.data = v": lambda A: setattr(A, "data", np.full_like(A.data, 7.0)),
    "sort_indices": lambda A: A.sort_indices(),
    "sum_duplicates": lambda A: A.sum_duplicates(),
    "eliminate_zeros": lambda A: A.eliminate_zeros(),
    "resize": lambda A: A.resize(2, 2),
}


def constant(format: str) -> Any:
    """A matrix with unsorted indices, so that sorting is a change."""
    A = matrix(format)
    if format in ("csr", "csc"):
        for i in range(4):
            part = slice(A.indptr[i], A.indptr[i + 1])
            A.indices[part] = A.indices[part][::-1].copy()
            A.data[part] = A.data[part][::-1].copy()
        A = type(A)((A.data, A.indices, A.indptr), shape=A.shape)
    return A


X = np.array([1.0, -2.0, 3.0, 0.5])


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("change", HELD)
@pytest.mark.parametrize("product", PRODUCTS)
def test_constant_changed_before_the_backward_pass(product, change, format):
    expected = grad(lambda x: PRODUCTS[product](constant(format), x))(X)
    A = constant(format)
    vjp, _ = make_vjp(lambda x: PRODUCTS[product](A, x))(X)
    HELD[change](A)
    np.testing.assert_allclose(vjp(1.0), expected, rtol=1e-13)


@pytest.mark.parametrize("format", ["coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("product", [p for p in PRODUCTS if p != "A.multiply(x)"])
def test_constant_of_another_format_scaled_before_the_backward_pass(product, format):
    expected = grad(lambda x: PRODUCTS[product](matrix(format), x))(X)
    A = matrix(format)
    vjp, _ = make_vjp(lambda x: PRODUCTS[product](A, x))(X)
    A *= 2.0
    np.testing.assert_allclose(vjp(1.0), expected, rtol=1e-13)


@pytest.mark.parametrize("change", HELD)
def test_change_of_a_held_constant_takes_place(change):
    A, B = constant("csr"), constant("csr")
    vjp, _ = make_vjp(lambda x: ((A @ x) ** 2).sum())(X)
    HELD[change](A)
    HELD[change](B)
    assert callable(vjp)
    np.testing.assert_array_equal(A.toarray(), B.toarray())


def test_held_constant_changed_twice():
    A = matrix()
    expected = A.T @ np.ones(4)
    vjp, _ = make_vjp(lambda x: (A @ x).sum())(X)
    A *= 2.0
    A[0, 0] = 100.0
    np.testing.assert_allclose(vjp(1.0), expected, rtol=1e-13)


def test_two_rules_hold_two_states_of_one_matrix():
    A = matrix()
    first = A.T @ np.ones(4)
    vjp_first, _ = make_vjp(lambda x: (A @ x).sum())(X)
    A *= 2.0
    vjp_second, _ = make_vjp(lambda x: (A @ x).sum())(X)
    A *= 2.0
    np.testing.assert_allclose(vjp_first(1.0), first, rtol=1e-13)
    np.testing.assert_allclose(vjp_second(1.0), 2 * first, rtol=1e-13)


def test_writing_into_entries_that_a_rule_holds_raises():
    A = matrix()
    vjp, _ = make_vjp(lambda x: (A @ x).sum())(X)
    with pytest.raises(ValueError, match="read-only"):
        A.data *= 2
    assert callable(vjp)


def test_advice_can_be_followed():
    A = matrix()
    expected = A.T @ np.ones(4)
    vjp, _ = make_vjp(lambda x: (A @ x).sum())(X)
    A.data = A.data * 2
    np.testing.assert_allclose(vjp(1.0), expected, rtol=1e-13)


def test_writing_into_entries_is_allowed_when_the_rule_is_gone():
    A = matrix()
    before = A.toarray()
    vjp, _ = make_vjp(lambda x: (A @ x).sum())(X)
    del vjp, _
    A.data *= 2
    np.testing.assert_array_equal(A.toarray(), 2 * before)


def test_writing_into_entries_is_allowed_after_grad():
    A = matrix()
    before = A.toarray()
    grad(lambda x: (A @ x).sum())(X)
    A.data *= 2
    np.testing.assert_array_equal(A.toarray(), 2 * before)


def test_a_copy_of_a_held_matrix_is_free():
    A = matrix()
    B = A.copy()
    vjp, _ = make_vjp(lambda x: (A @ x).sum())(X)
    B.data *= 2
    np.testing.assert_allclose(vjp(1.0), A.T @ np.ones(4), rtol=1e-13)


def test_index_written_in_place_before_the_next_call_is_seen():
    A = sp.csr_array((np.array([1.0, 2.0]), np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 3))
    x = np.array([1.0, 2.0, 3.0])
    grad(lambda x: (A @ x).sum())(x)
    A.indices[0] = 2
    np.testing.assert_array_equal(grad(lambda x: (A @ x).sum())(x), [0.0, 2.0, 1.0])


# ---- others that share the entries of a held constant ----------------------------------------


def test_transpose_shares_entries_and_is_changed_in_a_copy():
    A = matrix()
    expected = A.T @ np.ones(4)
    B = A.T
    vjp, _ = make_vjp(lambda x: (A @ x).sum())(X)
    B *= 2.0
    np.testing.assert_allclose(vjp(1.0), expected, rtol=1e-13)


def changed_or_refused(change: Any) -> None:
    """Make the change; a refusal has to speak of a read-only array."""
    try:
        change()
    except ValueError as error:
        assert "read-only" in str(error)


def test_array_that_a_held_matrix_was_made_from_is_guarded():
    entries = np.array([1.0, 2.0])
    A = sp.csr_array((entries, np.array([0, 1]), np.array([0, 1, 2])), shape=(2, 2))
    vjp, _ = make_vjp(lambda x: (A @ x).sum())(np.ones(2))
    changed_or_refused(lambda: np.multiply(entries, 2.0, out=entries))
    np.testing.assert_array_equal(vjp(1.0), [1.0, 2.0])


@pytest.mark.parametrize("product", ["A @ x", "x @ A", "A * x[0]"])
@pytest.mark.parametrize("array", ["indices", "indptr"])
@pytest.mark.parametrize("module", [sp, sps], ids=["ours", "scipys"])
def test_index_array_written_before_the_backward_pass(module, array, product):
    def make():
        return module.csr_array(([1.0, 2.0], [0, 1], [0, 1, 2]), shape=(2, 2))

    x = np.array([1.0, 3.0])
    expected = grad(lambda x: PRODUCTS[product](make(), x))(x)
    A = make()
    vjp, _ = make_vjp(lambda x: PRODUCTS[product](A, x))(x)
    value = {"indices": [1, 0], "indptr": [0, 2, 2]}[array]
    changed_or_refused(lambda: getattr(A, array).__setitem__(slice(None), value))
    np.testing.assert_array_equal(vjp(1.0), expected)


FOREIGN = {
    "K *= 2": lambda K: K.__imul__(2.0),
    "K /= 2": lambda K: K.__itruediv__(2.0),
    "K[0, 0] = 9": lambda K: K.__setitem__((0, 0), 9.0),
    "K[1, 0] = 9": lambda K: K.__setitem__((1, 0), 9.0),
    "setdiag": lambda K: K.setdiag(5.0),
    "data = v": lambda K: setattr(K, "data", K.data * 2),
    "sort_indices": lambda K: K.sort_indices(),
    "sum_duplicates": lambda K: K.sum_duplicates(),
    "eliminate_zeros": lambda K: K.eliminate_zeros(),
    "resize": lambda K: K.resize(2, 2),
}


def foreign() -> Any:
    """SciPy's own matrix, with unsorted indices and an explicit zero."""
    A = constant("csr")
    data = A.data.copy()
    data[1] = 0.0
    return sps.csr_array((data, A.indices.copy(), A.indptr.copy()), shape=A.shape)


@pytest.mark.parametrize("change", FOREIGN)
def test_scipys_constant_changed_before_the_backward_pass(change):
    """SciPy's methods do not copy: they raise, or the gradient stays right."""
    K = foreign()
    expected = 2 * K.T @ (K @ X)
    vjp, _ = make_vjp(lambda x: ((K @ x) ** 2).sum())(X)
    try:
        FOREIGN[change](K)
    except ValueError as error:
        assert "read-only" in str(error) or "writeable" in str(error)
    np.testing.assert_allclose(vjp(1.0), expected, rtol=1e-13)


@pytest.mark.parametrize("change", FOREIGN)
def test_scipys_constant_can_be_changed_when_the_rule_is_gone(change):
    K, L = foreign(), foreign()
    grad(lambda x: ((K @ x) ** 2).sum())(X)
    FOREIGN[change](K)
    FOREIGN[change](L)
    np.testing.assert_array_equal(K.toarray(), L.toarray())


# ---- a traced matrix changed through another name --------------------------------------------


def _double(A):
    A += A


def _subtract_half(A):
    A -= A * 0.5


@pytest.mark.parametrize("change, factor", [(_double, 2.0), (_subtract_half, 0.5)])
def test_traced_lil_is_added_to_in_place_as_scipys_is(change, factor):
    def f(A):
        change(A)
        return A.sum()

    A = sp.lil_array(matrix())
    theirs = sps.lil_array(matrix())
    change(theirs)
    np.testing.assert_allclose(theirs.toarray(), factor * matrix().toarray())
    stored = A.toarray() != 0
    np.testing.assert_allclose(grad(f)(A).toarray()[stored], factor)


def unsorted(module):
    arrays = ([1.0, 2.0, 3.0, 4.0], [2, 0, 1, 0], [0, 2, 3, 4])
    return module.csr_array(tuple(map(np.array, arrays)), shape=(3, 3))


@pytest.mark.parametrize("argnum", [0, 1, (0, 1)])
def test_argument_changed_in_place_while_it_is_differentiated(argnum):
    """Its gradient has the structure, that of others the entries, which it had when it was used."""
    A, D = unsorted(sp), unsorted(sp).toarray()
    x, w = np.array([1.0, 10.0, 100.0]), np.array([1.0, 2.0, 3.0])

    def f(B, x):
        B.nnz  # noqa: B018 (structure and entries belong together, from the first look at either)
        A.sort_indices()
        y = B @ x
        A[0, 0] = 100.0
        return (y * w).sum()

    expected = (np.outer(w, x) * (D != 0), D.T @ w)
    gradients = grad(f, argnum)(A, x)
    for k, g in zip((0, 1), gradients) if argnum == (0, 1) else [(argnum, gradients)]:
        np.testing.assert_array_equal(g.toarray() if k == 0 else g, expected[k])


def test_scipys_argument_cannot_be_changed_while_it_is_differentiated():
    A = unsorted(sps)

    def f(B):
        y = B @ np.ones(3)
        A.sort_indices()
        return y.sum()

    with pytest.raises(ValueError, match="read-only"):
        grad(f)(A)
    A.sort_indices()


def test_argument_can_be_written_to_after_its_solve():
    """A solve keeps copies, also of what is differentiated."""
    D, b = np.array([[4.0, 1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 3.0, 6.0]]), np.array([1.0, 2.0, 3.0])
    expected = grad(lambda A: spla.spsolve(A, b).sum())(sp.csr_array(D)).toarray()
    A = sp.csr_array(D)
    vjp, _ = make_vjp(lambda A: spla.spsolve(A, b).sum())(A)
    A.data[:] = 7.0
    np.testing.assert_array_equal(vjp(1.0).toarray(), expected)
