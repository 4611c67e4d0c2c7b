"""A traced dense operand beside a constant sparse one, of every class, ours and SciPy's."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import FAMILIES, FORMATS, INDEXABLE, matrix, numbers

import scipygrad.sparse as sp
from scipygrad.testing import check_op

CLASSES = [f"{f}_{m}" for f in FORMATS for m in FAMILIES]
x4, x6 = numbers(4, "float64", 1), numbers(6, "float64", 2)
X46, X63, X34 = (numbers(shape, "float64", 3) for shape in ((4, 6), (6, 3), (3, 4)))


def written(A, index, value, format=None):
    A = A.copy()
    A[index] = value
    return A


def with_diagonal(A, value):
    A = A.copy()
    A.setdiag(value)
    return A


def with_data(A, s):
    A = A.copy()
    A.data = A.data * s
    return A


OPERATIONS = {
    "A @ x": (lambda A, x: A @ x, x6),
    "A @ X": (lambda A, X: A @ X, X63),
    "x @ A": (lambda A, x: x @ A, x4),
    "X @ A": (lambda A, X: X @ A, X34),
    "dot": (lambda A, x: A.dot(x), x6),
    "A + X": (lambda A, X: A + X, X46),
    "A + x": (lambda A, x: A + x, x6),
    "X + A": (lambda A, X: X + A, X46),
    "A - X": (lambda A, X: A - X, X46),
    "X - A": (lambda A, X: X - A, X46),
    "multiply": (lambda A, X: A.multiply(X), X46),
    "multiply, row": (lambda A, x: A.multiply(x), x6),
    "multiply, column": (lambda A, x: A.multiply(x[:, None]), x4),
    "multiply, number": (lambda A, s: A.multiply(s), 1.7),
    "A * s": (lambda A, s: A * s, 1.7),
    "s * A": (lambda A, s: s * A, 1.7),
    "A / X": (lambda A, X: A / X, X46),
    "A / s": (lambda A, s: A / s, 1.7),
    "power": (lambda A, s: abs(A).multiply(X46**2).power(s * s), 1.7),
    "maximum": (lambda A, X: A.maximum(X), X46),
    "minimum, number": (lambda A, s: A.maximum(-s), 1.7),
    "kron": (lambda A, X: sp.kron(A, X), X34),
    "kron, left": (lambda A, X: sp.kron(X, A, format="csr"), X34),
    "hstack": (lambda A, X: sp.hstack([A, X]), numbers((4, 2), "float64", 6)),
    "vstack": (lambda A, X: sp.vstack([X, A], format="csr"), numbers((2, 6), "float64", 6)),
    "block_diag": (lambda A, X: sp.block_diag([A, X]), X34),
    "bmat": (lambda A, X: sp.bmat([[A, X], [None, A]]), numbers((4, 6), "float64", 6)),
    "setdiag": (with_diagonal, x4),
    "setdiag, number": (with_diagonal, 1.7),
    "data": (with_data, 1.7),
    "A[i, j]": (lambda A, s: written(A, (2, 3), s), 1.7),
    "A[i]": (lambda A, x: written(A, 2, x), x6),
    "A[:, j]": (lambda A, x: written(A, (slice(None), [2]), x[:, None]), x4),
    "A[::-1, ::2]": (lambda A, X: written(A, (slice(None, None, -1), slice(None, None, 2)), X),
                     numbers((4, 3), "float64", 6)),
    "A[mask]": (lambda A, x: written(A, X46 > 1, x[:1]), x4),
    "A[pairs]": (lambda A, x: written(A, ([0, 1, 3, 2], [5, 0, 0, 2]), x), x4),
}  # fmt: skip


def formats_of(name):
    if name.startswith("A["):
        return INDEXABLE
    if name in ("setdiag", "setdiag, number"):
        return tuple(f for f in FORMATS if f != "bsr")
    if name == "data":
        return tuple(f for f in FORMATS if f not in ("lil", "dok"))
    return FORMATS


CASES = [(n, f, m) for n in OPERATIONS for f in formats_of(n) for m in FAMILIES
         if (n, m) != ("A[i]", "matrix")]  # fmt: skip


@pytest.mark.parametrize("name, format, family", CASES)
def test_derivatives(name, format, family):
    f, x = OPERATIONS[name]
    A = matrix(format, family, "float64")
    check_op(lambda x: f(A, x), x)


@pytest.mark.parametrize("name, format, family", CASES)
def test_traced_value_is_the_untraced_value(name, format, family):
    f, x = OPERATIONS[name]
    A = matrix(format, family, "float64")
    untraced, traced = f(A, x), make_vjp(lambda x: f(A, x))(x)[1]
    if sps.issparse(untraced):
        if name not in ("kron", "kron, left") or format not in ("bsr", "dia"):
            # (SciPy's kron chooses bsr by the number of non-zeros.)
            assert type(traced) is type(untraced)
        untraced, traced = untraced.toarray(), traced.toarray()
    assert onp.shape(traced) == onp.shape(untraced)
    onp.testing.assert_allclose(traced, untraced, rtol=1e-13, atol=1e-14)


FROM_SCIPY = [n for n in OPERATIONS if n[0] in "AXxs" and "[" not in n and "setdiag" not in n]


@pytest.mark.parametrize("name", FROM_SCIPY)
@pytest.mark.parametrize("format", FORMATS)
def test_operators_of_scipys_own_matrices(name, format):
    """A plain SciPy matrix on either side of a traced array (C10)."""
    f, x = OPERATIONS[name]
    A = matrix(format, "array", "float64").to_scipy()
    check_op(lambda x: f(A, x), x, order=1)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_other_dtypes(cls, dtype):
    A = matrix(*cls.split("_"), dtype)
    x, X = numbers(6, dtype, 1), numbers((4, 6), dtype, 2)
    for f, y in ((lambda x: A @ x, x), (lambda X: A.multiply(X), X), (lambda X: X - A, X)):
        check_op(f, y, order=1)


def test_whole_numbers_as_constants():
    A = sp.csr_array(onp.array([[1, 0, 2], [0, 3, 0]]))
    x = numbers(3, "float64", 1)
    for f in (
        lambda x: A @ x, lambda x: A.multiply(x), lambda x: A + x[None, :], lambda x: A / x,
        lambda x: A.maximum(x), lambda x: sp.kron(A, x[None, :]),
    ):  # fmt: skip
        check_op(f, x)


@pytest.mark.parametrize("call", [
    lambda A, x: A + x[0], lambda A, x: A @ x[:3], lambda A, x: A.multiply(np.outer(x, x)),
    lambda A, x: A @ x[0], lambda A, x: x[0] / A, lambda A, x: A ** np.array([x[0], x[0]]),
])  # fmt: skip
def test_what_scipy_refuses_is_refused_with_the_same_exception(call):
    A = matrix("csr", "array", "float64")
    with pytest.raises(Exception) as scipys:
        call(A, x6)
    with pytest.raises(type(scipys.value)):
        grad(lambda x: call(A, x).sum())(x6)
