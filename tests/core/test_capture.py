"""Entries of constants that a derivative needs: protected as long as it does."""

import gc

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import numbers, regular

import scipygrad.sparse as sp


@pytest.fixture
def A():
    return regular("csr", "array", "float64")


@pytest.fixture
def x():
    return numbers(5, "float64", 1)


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
