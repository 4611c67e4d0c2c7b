"""n-D coo arrays: every operation that SciPy has for them, as constants and traced."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import numbers

import scipygrad.sparse as sp
from scipygrad.testing import check_op

pytestmark = pytest.mark.skipif(
    not hasattr(sps, "swapaxes"), reason="this SciPy has no operations of n-D arrays"
)


def tensor(*shape, dtype="float64", seed=0):
    """A coo array with about half of its entries stored."""
    x = numbers(shape, dtype, seed)
    x[onp.random.default_rng(seed + 50).random(shape) < 0.45] = 0
    return sp.coo_array(x)


C, D, OTHER = tensor(2, 3, 4), tensor(2, 4, 2, seed=1), tensor(2, 3, 4, seed=2)
E, ONE, V = tensor(4, 2, seed=3), tensor(1, 4, 2, seed=4), tensor(4, seed=5)
F = tensor(2, 3, seed=6)
X, Y = numbers((2, 4, 3), "float64", 6), numbers((2, 3, 4), "float64", 7)
v, w = numbers(4, "float64", 8), numbers(3, "float64", 9)

OF_TWO = {
    "stacks": (lambda A, B: A @ B, C, D),
    "stack, matrix": (lambda A, B: A @ B, C, E),
    "matrix, stack": (lambda A, B: A @ B, tensor(5, 4, seed=7), D),
    "stack of one": (lambda A, B: A @ B, C, ONE),
    "stack, sparse vector": (lambda A, B: A @ B, C, V),
    "sparse vector, stack": (lambda A, B: A @ B, V, D),
    "stack, vector": (lambda A, x: A @ x, C, v),
    "stack, column": (lambda A, x: A @ x, C, v[:, None]),
    "stack, block": (lambda A, X: A @ X, C, X[0]),
    "stack, dense stack": (lambda A, X: A @ X, C, X),
    "stack of one, dense stack": (lambda A, X: A @ X, tensor(1, 3, 4, seed=8), X),
    "stack, dense stack of one": (lambda A, X: A @ X, C, X[:1]),
    "matrix, dense stack": (lambda A, X: A @ X, tensor(5, 4, seed=7), X),
    "sparse vector, dense stack": (lambda A, X: A @ X, V, X),
    "vector, stack": (lambda A, x: x @ A, C, w),
    "block, stack": (lambda A, X: X @ A, D, X[0].T),
    "dense stack, stack": (lambda A, X: X @ A, D, Y),
    "four axes": (lambda A, B: A @ B, tensor(2, 1, 3, 4, seed=9), tensor(1, 3, 4, 2, seed=10)),
    "dot": (lambda A, B: A.dot(B), C, D),
    "dot of a matrix": (lambda A, B: A.dot(B), tensor(5, 4, seed=7), D),
    "dot, dense": (lambda A, X: A.dot(X), C, X),
    "dot, vector": (lambda A, x: A.dot(x), C, v),
    "dot, number": (lambda A, x: A.dot(x), C, 1.5),
    "tensordot": (lambda A, B: A.tensordot(B, axes=1), C, E),
    "tensordot, pairs": (lambda A, B: A.tensordot(B, axes=([0, 2], [0, 1])), C, D),
    "tensordot, negative": (lambda A, B: A.tensordot(B, axes=([-1], [-2])), C, E),
    "tensordot, all": (lambda A, B: A.tensordot(B, axes=3), C, OTHER),
    "tensordot, matrices": (lambda A, B: A.tensordot(B), F, tensor(2, 3, seed=11)),
    "tensordot, dense": (lambda A, X: A.tensordot(X, axes=([2, 0], [1, 0])), C, X),
    "tensordot, dense, all": (lambda A, X: A.tensordot(X, axes=3), C, Y),
    "+": (lambda A, B: A + B, C, OTHER),
    "-": (lambda A, B: A - B, C, OTHER),
    "+ dense": (lambda A, X: A + X, C, Y),
    "- dense": (lambda A, X: X - A, C, Y),
    "*": (lambda A, B: A * B, C, OTHER),
    "* dense": (lambda A, X: A.multiply(X), C, Y),
    "/ dense": (lambda A, X: A / X, C, Y),
    "maximum": (lambda A, B: A.maximum(B), C, sp.coo_array(Y)),
    "minimum, dense": (lambda A, X: A.minimum(X), C, Y),
    "kron": (lambda A, B: sp.kron(A, B), C, D),
}  # fmt: skip

OF_ONE = {
    "T": lambda A: A.T,
    "transpose": lambda A: A.transpose((1, 0, 2)),
    "transpose, list": lambda A: A.transpose([2, 0, 1]),
    "permute_dims": lambda A: sp.permute_dims(A, (2, 0, 1), copy=True),
    "swapaxes": lambda A: sp.swapaxes(A, 0, -1),
    "expand_dims": lambda A: sp.expand_dims(A, axis=1),
    "[i]": lambda A: A[0],
    "[i, j, k]": lambda A: A[1, 2, 3],
    "[slices]": lambda A: A[:, ::-1, 1:3],
    "[arrays]": lambda A: A[[0, 1, 1], :, [0, 1, 2]],
    "[mask]": lambda A: A[onp.arange(24).reshape(2, 3, 4) % 2 == 0],
    "[None]": lambda A: A[:, None, 0],
    "[...]": lambda A: A[..., -1],
    "sum": lambda A: A.sum(),
    "sum, axis": lambda A: A.sum(axis=0),
    "sum, axes": lambda A: A.sum(axis=(0, -1)),
    "mean": lambda A: A.mean(axis=(1, 2)),
    "max": lambda A: A.max(),
    "max, axis": lambda A: A.max(axis=0),
    "min, axes": lambda A: A.min(axis=(1, 2)),
    "min, explicit": lambda A: A.min(axis=2, explicit=True),
    "nanmax": lambda A: A.nanmax(axis=1),
    "power": lambda A: A.power(3),
    "**": lambda A: A**2,
    "abs": abs,
    "tanh": lambda A: A.tanh(),
    "neg": lambda A: -A,
    "scaled": lambda A: 2.5 * A,
    "divided": lambda A: A / 2,
    "maximum, number": lambda A: A.maximum(-0.7),
    "reshape": lambda A: A.reshape(6, 4),
    "reshape, F": lambda A: A.reshape((4, 6), order="F"),
    "toarray": lambda A: A.toarray(),
    "todense": lambda A: A.todense(),
    "copy": lambda A: A.copy(),
    "astype": lambda A: A.astype(complex),
    "conj": lambda A: A.conj(),
    "real": lambda A: A.real,
    "data": lambda A: A.data,
    "tocoo": lambda A: A.tocoo(),
    "coo_array": lambda A: sp.coo_array(A),
    "set": lambda A: _written(A, (0, slice(None), 1), 2.0),
    "set, traced": lambda A: _written(A, (slice(None), 0, 0), A[:, 1, 1].toarray()),
}


def _written(A, index, value):
    A = A.copy()
    A[index] = value
    return A


CASES = {**OF_TWO, **{name: (f, C) for name, f in OF_ONE.items()}}


def dense(x):
    return x.toarray() if sps.issparse(x) else x


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    f, *args = CASES[name]
    check_op(f, *args)


@pytest.mark.parametrize("name", OF_TWO)
def test_derivative_in_each_operand_alone(name):
    f, A, B = OF_TWO[name]
    check_op(lambda A: f(A, B), A, order=1)
    check_op(lambda B: f(A, B), B, order=1)


@pytest.mark.parametrize("name", ["stacks", "stack, dense stack", "tensordot, pairs", "dot"])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_other_dtypes(name, dtype):
    f, A, B = OF_TWO[name]
    B = sp.coo_array(numbers(B.shape, dtype, 3)) if sps.issparse(B) else numbers(B.shape, dtype, 3)
    check_op(f, tensor(*A.shape, dtype=dtype, seed=4), B)


@pytest.mark.parametrize("name", CASES)
def test_value_class_and_dtype_are_scipys(name):
    f, *args = CASES[name]
    plain = [x.to_scipy() if sps.issparse(x) else x for x in args]
    expected = f(*plain)
    traced = make_vjp(lambda args: f(*args))(tuple(args))[1]
    if sps.issparse(expected):
        assert type(traced) is getattr(sp, type(expected).__name__)
    assert onp.shape(dense(traced)) == onp.shape(dense(expected))
    assert onp.asarray(dense(traced)).dtype == onp.asarray(dense(expected)).dtype
    onp.testing.assert_allclose(dense(traced), dense(expected), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_untraced_results_are_ours(name):
    f, *args = CASES[name]
    result = f(*args)
    if sps.issparse(result):
        assert type(result).__module__ == "scipygrad.sparse"


def test_duplicates_have_their_own_derivatives():
    coords = ([0, 0, 1, 1], [2, 2, 0, 1], [1, 1, 3, 0])
    A = sp.coo_array((numbers(4, "float64", 0), coords), shape=(2, 3, 4))
    for f in (lambda A: A @ X, lambda A: A.tensordot(E, axes=1), lambda A: A.max(axis=2)):
        check_op(f, A)


def test_stack_without_entries():
    Z = sp.coo_array((2, 3, 4))
    G = grad(lambda A: (A @ X).sum() + (A @ D).sum() + A.sum())(Z)
    assert type(G) is sp.coo_array and G.shape == Z.shape and G.nnz == 0
    g = grad(lambda X: np.sum((Z @ X) ** 2))(X)
    assert g.shape == X.shape and not g.any()


@pytest.mark.parametrize(
    "operation",
    [
        lambda A: A @ numbers((3, 4, 3), "float64", 0),
        lambda A: A @ numbers(5, "float64", 0),
        lambda A: A @ tensor(2, 5, 3),
        lambda A: A.dot(tensor(5, 3)),
        lambda A: A.tensordot(E, axes=2),
        lambda A: A.tensordot(E, axes=([0], [5])),
        lambda A: A * numbers(4, "float64", 0),
        lambda A: A.diagonal(),
        lambda A: A.tocsr(),
        lambda A: sp.csr_array(F.T) @ A,
    ],
)
def test_what_scipy_refuses_is_refused_with_the_same_exception(operation):
    with pytest.raises(Exception) as scipys:
        operation(C)
    with pytest.raises(type(scipys.value)):
        make_vjp(operation)(C)


def test_product_of_stacks_is_not_dense():
    """The block diagonal form has as many entries as the stacks, not (stack × n) × (stack × k)."""
    n, stack = 40, 200
    i = onp.arange(n)
    coords = (onp.repeat(onp.arange(stack), n), onp.tile(i, stack), onp.tile(i[::-1], stack))
    A = sp.coo_array((numbers(n * stack, "float64", 0), coords), shape=(stack, n, n))
    sizes = []

    def f(A):
        B = A @ A
        sizes.append(B.nnz)
        return B.power(2).sum()

    grad(f)(A)
    assert sizes == [n * stack]
