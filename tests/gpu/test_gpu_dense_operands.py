"""Sparse and dense operands of the device side by side, either of them traced, both, or none."""

import operator

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import value_and_grad
from cases import numbers

import scipygrad
import scipygrad.sparse as sp
from scipygrad._core.device import on_device

SHAPES = {"square": (4, 4), "row": (1, 4), "column": (4, 1)}
FUNCTIONS = {
    "A + X": (operator.add, ("square",)),
    "A - X": (operator.sub, ("square",)),
    "X - A": (lambda A, X: X - A, ("square",)),
    "X + A": (lambda A, X: X + A, ("square",)),
    "A / X": (operator.truediv, tuple(SHAPES)),
    "A.multiply(X)": (lambda A, X: A.multiply(X), tuple(SHAPES)),
    "A @ X": (operator.matmul, ("square", "column")),
    "X @ A": (lambda A, X: X @ A, ("square", "row")),
}


def operands(format, shape, family="array"):
    """A matrix with empty rows, and a dense array without zeros."""
    A = onp.array([[1.0, 0, 2, 0], [0, 0, 0, 0], [0, 3, 0, 4], [5, 0, 0, 0]])
    return getattr(sp, f"{format}_{family}")(A), 3 + numbers(SHAPES[shape], "float64", 1)


CASES = [(name, shape) for name, (_, shapes) in FUNCTIONS.items() for shape in shapes]


@pytest.mark.parametrize("name, shape", CASES)
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia"])
@pytest.mark.parametrize("traced", [None, 0, 1, (0, 1)])
def test_as_on_the_host(name, shape, format, traced, cp):
    function, arguments = FUNCTIONS[name][0], operands(format, shape)
    if traced is None:
        got, wanted = (function(*a) for a in (scipygrad.to_device(arguments), arguments))
        got, wanted = (got,), (wanted,)
    else:
        loss = value_and_grad(lambda A, X: np.sum(function(A, X)), traced)
        (value, got), (expected, wanted) = loss(*scipygrad.to_device(arguments)), loss(*arguments)
        assert float(value) == pytest.approx(float(expected))
        if not isinstance(traced, tuple):
            got, wanted = (got,), (wanted,)
    for g, w in zip(got, wanted):
        assert on_device(g)
        assert getattr(g, "format", None) == getattr(w, "format", None)
        g, w = (x.toarray() if hasattr(x, "format") else x for x in (g, w))
        onp.testing.assert_allclose(scipygrad.to_host(g), w, rtol=1e-13)


MIXED = {"A == x": lambda A, X: A == X, "A.dot(x)": lambda A, X: A.dot(X), "A * x": operator.mul}
MIXED |= {name: f for name, (f, _) in FUNCTIONS.items() if not name.startswith("X")}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("traced", [False, True])
def test_a_matrix_of_the_host_beside_an_array_of_the_device_is_refused(name, traced, cp):
    """The message has the call that moves one of them."""
    A, X = operands("csr", "square")
    X = scipygrad.to_device(X)

    def f(A):
        return np.sum(MIXED[name](A, X))

    with pytest.raises(TypeError, match="one lies in the host's memory.*scipygrad.to_device"):
        (value_and_grad(f) if traced else f)(A)


@pytest.mark.parametrize("name", ["__matmul__", "__add__", "multiply", "dot", "maximum"])
@pytest.mark.parametrize("traced", [False, True])
def test_matrices_of_host_and_device_are_refused(name, traced, cp):
    A, _ = operands("csr", "square")
    dA = scipygrad.to_device(A)
    for left, right in ((A, dA), (dA, A)):

        def f(M, right=right):
            return getattr(M, name)(right).sum()

        with pytest.raises(TypeError, match="one lies in the host's memory.*scipygrad.to_device"):
            (value_and_grad(f) if traced else f)(left)
