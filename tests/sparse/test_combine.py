"""Blocks of mixed kinds; numbers and lists among them are values, not structure."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import matrix, numbers

import scipygrad.sparse as sp
from scipygrad import detach


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize(
    "combine",
    [
        lambda m, A: m.block_diag([A, 5.0, [[1, 2], [0, 4]], onp.array([[3.0, 0, 1]])]),
        lambda m, A: m.hstack([A, onp.ones((4, 2)), m.eye(4)]),
        lambda m, A: m.vstack((A, onp.array([[0.0, 1, 2, 3, 4, 5]]))),
        lambda m, A: m.bmat([[A, None], [None, onp.array([[2.0]])]]),
        lambda m, A: m.bmat(onp.array([[A, None], [None, m.eye(2)]], dtype=object)),
        lambda m, A: m.block_array([[A], [A * 2]], format="csc"),
        lambda m, A: m.kron([[1, 0], [3, 4]], A),
        lambda m, A: m.hstack([A, A], format="coo", dtype=onp.complex128),
    ],
)
def test_blocks(combine, family):
    A = matrix("csr", family, "float64")
    theirs = combine(sps, getattr(sps, f"csr_{family}")(A))
    vjp, C = make_vjp(lambda A: combine(sp, A))(A)
    assert type(C).__name__ == type(theirs).__name__ and C.dtype == theirs.dtype
    onp.testing.assert_array_equal(C.toarray(), theirs.toarray())
    weights = numbers(C.shape, "float64", 4)
    g = grad(lambda A: combine(sp, A).real.multiply(weights).sum())(A)
    h = 1e-6
    for k in range(A.nnz):
        B = A.copy()
        B.data = B.data + h * (onp.arange(A.nnz) == k)
        difference = ((combine(sp, B).toarray() - C.toarray()).real * weights).sum() / h
        assert g.data[k] == pytest.approx(difference, rel=1e-6, abs=1e-6)


def test_traced_dense_blocks():
    A, D = matrix("csr", "array", "float64"), numbers((4, 2), "float64", 2)
    w = numbers((4, 8), "float64", 3)
    g = grad(lambda D: sp.hstack([A, D]).multiply(w).sum())(D)
    onp.testing.assert_allclose(g, w[:, 6:])
    v = numbers(2, "float64", 5)
    g = grad(lambda v: sp.block_diag([A, [[v[0], 2.0], [0.0, v[1]]]]).power(2).sum())(v)
    onp.testing.assert_allclose(g, 2 * v)
    g = grad(lambda D: np.sum(sp.kron(D, A).toarray() ** 2))(D)
    onp.testing.assert_allclose(g, 2 * D * (A.toarray() ** 2).sum())


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok", "vector"])
def test_find_lists_entries_in_scipys_order(format):
    """By rows, whatever the format is, since a user may have listed them before, untraced."""
    A = sps.coo_array(numbers((5, 4), "float64", 3)[::-1] if format != "vector" else [1.0, 0, 3])
    A = sps.coo_array((A.data[::-1], tuple(c[::-1] for c in A.coords)), shape=A.shape)
    A = A if format == "vector" else A.asformat(format)
    found = []
    make_vjp(lambda A: (found.append(sp.find(A)), A.sum())[1])(A)
    for ours, theirs in zip(found[0], sps.find(A), strict=True):
        onp.testing.assert_array_equal(detach(ours), theirs)
