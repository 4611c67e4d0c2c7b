"""Entries that a derivative needs: lent where nobody else can reach them, copied elsewhere."""

import weakref

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, make_vjp
from autograd.builtins import tuple as together
from cases import grid, numbers

import scipygrad
import scipygrad.sparse as sp
from scipygrad._core.capture import is_lent
from scipygrad._core.engine import getval


@pytest.fixture
def A(cp):
    return scipygrad.to_device(grid(5, seed=1).tocsr())


@pytest.fixture
def x(cp):
    return scipygrad.to_device(numbers(25, "float64", 2))


def entries(A):
    """The array itself, without asking for it; a variable that holds it would count."""
    return A.__dict__["_data"]


def same_memory(a, b):
    return (a if a.base is None else a.base) is (b if b.base is None else b.base)


def vjp_of_product(A, x):
    """A derivative that needs the entries of A, and what it should be."""
    wanted = A.get().T @ onp.ones(A.shape[0])
    vjp, _ = make_vjp(lambda x: A @ x)(x)
    g = scipygrad.to_device(onp.ones(A.shape[0]))
    return lambda: onp.testing.assert_allclose(vjp(g).get(), wanted, rtol=1e-13)


def test_entries_of_the_library_are_lent(A, x):
    before = id(entries(A))
    check = vjp_of_product(A, x)
    assert id(entries(A)) == before and is_lent(entries(A))
    check()


@pytest.mark.parametrize("write", ["data[...]", "data *=", "data ="])
def test_writing_after_it_was_lent(write, A, x):
    check = vjp_of_product(A, x)
    if write == "data[...]":
        A.data[...] = 0
    elif write == "data *=":
        A.data *= 0
    else:
        A.data = 0 * A.data
    check()
    assert not A.toarray().any()


def test_a_users_own_array_is_copied(A, x):
    data = A.data.copy()
    B = sp.csr_matrix((data, A.indices, A.indptr), shape=A.shape)
    assert same_memory(B.data, data)
    check = vjp_of_product(B, x)
    data[...] = 0
    check()
    assert not B.toarray().any()  # it is shared, as CuPy has it


def test_a_view_of_a_users_own_array_is_copied(A, x):
    whole = scipygrad.to_device(onp.concatenate([A.get().data, onp.ones(3)]))
    B = sp.csr_matrix((whole[:-3], A.indices, A.indptr), shape=A.shape)
    check = vjp_of_product(B, x)
    whole[...] = 0
    check()


def test_an_array_read_before_is_copied(A, x):
    data = A.data
    check = vjp_of_product(A, x)
    data[...] = 0
    check()
    assert same_memory(A.data, data)


def test_an_array_that_was_let_go_is_lent(A, x):
    A.data[0] = 2.0
    check = vjp_of_product(A, x)
    assert is_lent(entries(A))
    check()


def test_reading_after_the_rules_have_let_go_shares_again(A, x):
    before = id(entries(A))
    vjp_of_product(A, x)
    assert is_lent(entries(A))
    assert id(A.data) == before and not is_lent(A.data)


@pytest.mark.parametrize(
    "get_out",
    [
        lambda A: A,
        lambda A: A.T,
        lambda A: A.tocsc().tocsr(),
        lambda A: A.copy(),
        lambda A: sp.csr_matrix(A),
        lambda A: A.reshape(A.shape),
        lambda A: A.asformat("csr"),
    ],
)
def test_other_matrices_do_not_leak_it(get_out, A, x):
    """What a differentiated function returns may share the entries; writing to it copies."""

    host, ones = A.get(), scipygrad.to_device(onp.ones(25))
    vjp, (B, y) = make_vjp(lambda A: together((get_out(A), A.power(2) @ x)))(A)
    wanted = grad(lambda M: np.sum(M.power(2) @ x.get()))(host)
    B.data[...] = 0
    got = vjp((0 * B, ones))
    onp.testing.assert_allclose(got.get().toarray(), wanted.toarray(), rtol=1e-12)


@pytest.mark.parametrize("get_out", [lambda A: A.data, lambda A: A.T.data])
def test_entries_as_a_dense_result_do_not_leak_it(get_out, A):
    wanted = 2 * A.get().data

    vjp, (d, _) = make_vjp(lambda A: together((get_out(A), A.power(2).data)))(A)
    d[...] = 0
    g = vjp((0 * d, d + 1))
    onp.testing.assert_allclose(g.get().data, wanted, rtol=1e-13)


def test_a_dense_result_of_full_structure_does_not_leak_it(cp):
    """Every place is stored: the dense array has the entries as they are."""
    full = sp.csr_array(numbers((4, 4), "float64", 3))
    A = scipygrad.to_device(full)

    def f(A):
        return together((A.toarray(), A.power(2).sum()))

    vjp, (dense, _) = make_vjp(f)(A)
    wanted = 2 * full.toarray()
    dense[...] = 0
    got = vjp((0 * dense, scipygrad.to_device(onp.array(1.0))))
    onp.testing.assert_allclose(got.toarray().get(), wanted, rtol=1e-13)


def test_a_step_of_a_loop_copies_nothing(A, x):
    """The matrix that a step makes is lent in the next."""
    loss = lambda A: np.sum((A @ x) ** 2)  # noqa: E731
    for _ in range(3):
        before, A = A, A - 0.01 * grad(loss)(A)
        assert is_lent(entries(before))


def test_the_tape_holds_only_what_rules_read(A):
    """A sum needs nothing of its operands but their form, so they are let go."""
    held = []

    def f(A):
        B = A + A.T
        held.append(weakref.ref(getval(B._data)))
        return (B + A).sum()

    vjp, value = make_vjp(f)(A)
    assert held[0]() is None
    onp.testing.assert_array_equal(vjp(value / value).get().data, 3)
