"""Operands of two formats and families, ours and SciPy's: value, class and both gradients."""

import itertools

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import FORMATS, matrix, numbers, stored

import scipygrad.sparse as sp

OPERATIONS = {
    "+": (lambda A, B: A + B, lambda A, B: A + B),
    "-": (lambda A, B: A - B, lambda A, B: A - B),
    "@": (lambda A, B: A @ B, lambda A, B: A @ B),
    "multiply": (lambda A, B: A.multiply(B), lambda A, B: A * B),
    "hstack": (lambda A, B: sp.hstack([A, B]), lambda A, B: np.hstack([A, B])),
    "kron": (lambda A, B: sp.kron(A, B), lambda A, B: np.kron(A, B)),
}
CLASSES = [f"{f}_{m}" for f, m in itertools.product(FORMATS, ("array", "matrix"))]


def operand(cls, seed):
    format, family = cls.split("_")
    return matrix(format, family, "float64", (4, 4), seed)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("left", CLASSES)
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_two_classes(operation, left):
    ours, dense = OPERATIONS[operation]
    for right in CLASSES:
        A, B = operand(left, 1), operand(right, 2)
        untraced = ours(A, B)
        traced = make_vjp(lambda t: ours(*t))((A, B))[1]
        if operation != "kron" or right[:3] not in ("bsr", "dia"):
            # (SciPy's kron chooses bsr for a dense B, and does not count the zeros in blocks and
            # diagonals; while tracing they are entries.)
            assert type(traced) is type(untraced), (left, right)
        onp.testing.assert_allclose(traced.toarray(), untraced.toarray(), rtol=1e-13)
        W = numbers(untraced.shape, "float64", 5)
        got = grad(lambda A, B: ours(A, B).power(2).multiply(W).sum(), (0, 1))(A, B)  # noqa: B023
        if operation == "kron":
            expected = _kron_gradients(A.toarray(), B.toarray(), W)
        else:
            expected = grad(lambda A, B: np.sum(dense(A, B) ** 2 * W), (0, 1))(  # noqa: B023
                A.toarray(), B.toarray()
            )
        for g, e, M in zip(got, expected, (A, B), strict=True):
            assert type(g) is type(M)
            onp.testing.assert_allclose(g.toarray(), e * stored(M), rtol=1e-11, atol=1e-12)


def _kron_gradients(A, B, W):
    T = 2 * onp.kron(A, B) * W
    T = T.reshape(4, 4, 4, 4)
    return onp.einsum("ikjl,kl->ij", T, B), onp.einsum("ikjl,ij->kl", T, A)


@pytest.mark.parametrize("operation", ["+", "-", "@", "multiply", "hstack", "kron"])
@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_traced_with_scipys(operation, cls):
    ours, _ = OPERATIONS[operation]
    A, K = operand(cls, 1), operand(cls, 2)
    expected = grad(lambda A: ours(A, K).power(2).sum())(A)
    theirs = getattr(sps, cls)(K)
    for g in (
        grad(lambda A: ours(A, theirs).power(2).sum())(A),
        grad(lambda A: ours(A, theirs).power(2).sum())(getattr(sps, cls)(A)),
    ):
        onp.testing.assert_allclose(g.toarray(), expected.toarray(), rtol=1e-13)
