"""Entries of constants that a derivative needs: protected as long as it does."""

import gc

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, hessian_vector_product, make_vjp

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


def products(A, x):
    """Functions that keep the entries of the constant A."""
    return [lambda x: A @ x, lambda x: (A @ sp.diags_array(x)).sum(axis=0)]


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    "write",
    [
        lambda A: A.__setitem__((0, 0), 100.0),
        lambda A: A.__setitem__((0, slice(None)), 100.0),
        lambda A: A.setdiag(100.0),
        lambda A: A.__imul__(2),
        lambda A: A.__itruediv__(2),
        lambda A: setattr(A, "data", A.data * 3),
        lambda A: A.sort_indices(),
        lambda A: A.sum_duplicates(),
        lambda A: A.eliminate_zeros(),
        lambda A: A.resize((2, 2)),
    ],
)
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_written_to_before_the_backward_pass(A, x, write, which):
    expected = grad(lambda x: np.sum(products(A, x)[which](x) ** 2))(x)
    B = A.copy()
    vjp, y = make_vjp(lambda x: products(B, x)[which](x))(x)
    write(B)
    onp.testing.assert_allclose(vjp(2 * y), expected, rtol=1e-13)


@pytest.mark.parametrize("make", [lambda A: A, sps.csr_array, lambda A: sps.csc_matrix(A)])
def test_raw_writes_raise_until_the_rule_is_gone(A, x, make):
    A = make(A.copy())
    vjp, _ = make_vjp(lambda x: A @ x)(x)
    with pytest.raises(ValueError, match="read-only"):
        A.data[0] = 7.0
    with pytest.raises(ValueError, match="read-only"):
        A.data *= 2
    del vjp
    gc.collect()
    A.data[0] = 7.0
    A.data *= 2
    assert A.data[0] == 14.0


def test_a_gradient_leaves_nothing_behind(A, x):
    grad(lambda x: np.sum((A @ (A @ x)) ** 2))(x)
    A.data[0] = 7.0
    view = A.T  # shares the entries
    grad(lambda x: np.sum((A @ (view @ x)) ** 2))(x)
    A.data[0] = 8.0
    view.data[0] = 9.0


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "f",
    [
        lambda A, x: A @ x,
        lambda A, x: x @ A,
        lambda A, x: (A @ sp.diags_array(x)).data,
        lambda A, x: A.multiply(x).data,
        lambda A, x: (A + sp.diags_array(x)).data,
        lambda A, x: (A * x[0]).data,
        lambda A, x: sp.hstack([A, sp.diags_array(x)]).data,
        lambda A, x: sp.kron(A, sp.diags_array(x)).data,
        lambda A, x: A + np.outer(x, x),
        lambda A, x: spla.spsolve(A, x),
        lambda A, x: spla.spsolve_triangular(sp.tril(A, format="csr"), x),
        lambda A, x: spla.splu(A.tocsc()).solve(x),
    ],
)
def test_arrays_are_writable_at_once_after_a_gradient(A, x, f, order):
    """Not only when the garbage collector comes: nothing that holds them is part of a cycle."""

    def loss(x):
        return np.sum(np.square(f(A, x)))

    gc.collect()
    gc.disable()
    try:
        grad(loss)(x) if order == 1 else hessian_vector_product(loss)(x, x)
        assert A.data.flags.writeable and A.indices.flags.writeable and A.indptr.flags.writeable
    finally:
        gc.enable()


def test_index_arrays_and_the_users_own_array():
    data, indices = onp.array([1.0, 2.0]), onp.array([0, 1], onp.int32)
    A = sp.csr_array((data, indices, onp.array([0, 1, 2], onp.int32)), shape=(2, 2))
    vjp, _ = make_vjp(lambda x: A @ x)(onp.ones(2))
    for write in (
        lambda: A.indices.__setitem__(slice(None), [1, 0]),
        lambda: data.__imul__(2),
        lambda: indices.__setitem__(0, 1),
    ):
        with pytest.raises(ValueError, match="read-only"):
            write()
    assert vjp(onp.ones(2)).tolist() == [1.0, 2.0]
    del vjp
    data *= 2
    A.indices[:] = [1, 0]
    assert A.toarray().tolist() == [[0.0, 2.0], [4.0, 0.0]]


def test_two_matrices_over_one_array():
    data = onp.arange(1.0, 5)
    A = sp.csr_array((data[:2], [0, 1], [0, 1, 2]), shape=(2, 2))
    B = sp.csr_array((data[2:], [0, 1], [0, 1, 2]), shape=(2, 2))
    first, _ = make_vjp(lambda x: A @ x)(onp.ones(2))
    second, _ = make_vjp(lambda x: B @ x)(onp.ones(2))
    del first
    with pytest.raises(ValueError, match="read-only"):
        data[0] = 5.0
    del second
    data[0] = 5.0
    A.data[1] = 6.0
    B.data[1] = 7.0
    assert data.tolist()[0] == 5.0


@pytest.mark.parametrize("first", [0, 1])
def test_an_array_and_a_view_of_it_captured_one_after_the_other(x, first):
    whole = sps.csr_array(onp.arange(1.0, 10.0).reshape(3, 3))
    whole.data = whole.data.copy()
    part = sps.csr_array(whole)
    part.data = whole.data[:]
    rules = [make_vjp(lambda x, A=A: A @ x)(x[:3])[0] for A in (part, whole)]
    expected = whole.toarray().sum(axis=0)
    del rules[first]
    gc.collect()
    with pytest.raises(ValueError, match="read-only"):
        whole.data[0] = 7.0
    onp.testing.assert_array_equal(rules[0](onp.ones(3)), expected)
    del rules[0]
    gc.collect()
    whole.data[0] = part.data[1] = 7.0


def test_scipys_matrix_resized_before_the_backward_pass(x):
    K = sps.csr_array(onp.arange(1.0, 26).reshape(5, 5))
    expected = K.T @ onp.ones(5)
    vjp, _ = make_vjp(lambda x: K @ x)(x)
    with pytest.raises(ValueError, match="read-only"):
        K.resize(2, 2)
    del vjp
    K = sps.csr_array(onp.arange(1.0, 26).reshape(5, 5))
    onp.testing.assert_allclose(grad(lambda x: np.sum(K @ x))(x), expected)
