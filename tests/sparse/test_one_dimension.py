"""One-dimensional arrays: coo, csr and dok, as operands of everything that SciPy has for them."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import make_vjp
from cases import matrix, numbers

import scipygrad.sparse as sp
from scipygrad.testing import check_op

FORMATS = ("coo", "csr", "dok")


def sparse(format, n=6, dtype="float64", seed=0):
    """A vector with two entries missing and an explicit zero."""
    data = numbers(n - 2, dtype, seed)
    where = onp.delete(onp.arange(n), [1, n - 2])
    data[1] = 0
    return getattr(sp, f"{format}_array")(sp.coo_array((data, (where,)), shape=(n,)))


M = matrix("csr", "array", "float64")
x, X = numbers(6, "float64", 1), numbers((6, 3), "float64", 2)


def written(v, index, value):
    v = v.copy()
    v[index] = value
    return v


OPERATIONS = {
    "v @ x": lambda v: v @ x,
    "x @ v": lambda v: x @ v,
    "v @ X": lambda v: v @ X,
    "v @ column": lambda v: v @ X[:, :1],
    "M @ v": lambda v: M @ v,
    "v @ M": lambda v: v @ sp.csr_array(M.T),
    "v @ v": lambda v: v @ v,
    "dot": lambda v: v.dot(x),
    "v + v": lambda v: v + v.multiply(v),
    "v - w": lambda v: v - sparse("csr", seed=3),
    "v + x": lambda v: v + x,
    "x - v": lambda v: x - v,
    "v * 2": lambda v: v * 2.0,
    "v * x": lambda v: v.multiply(x),
    "v * X": lambda v: v.multiply(X.T),
    "v * w": lambda v: v * sparse("coo", seed=3),
    "v * M": lambda v: v.multiply(M),
    "M * v": lambda v: M.multiply(v),
    "v / x": lambda v: v / x,
    "v / 3": lambda v: v / 3,
    "power": lambda v: v.power(2),
    "**": lambda v: v**3,
    "maximum": lambda v: v.maximum(-0.8),
    "minimum, dense": lambda v: v.minimum(x),
    "neg": lambda v: -v,
    "abs": lambda v: abs(v[[0, 3, 5]]),  # not at the kink, which is at the explicit zero
    "toarray": lambda v: v.toarray(),
    "todense": lambda v: v.todense(),
    "tocoo": lambda v: v.tocoo(),
    "tocsr": lambda v: v.tocsr(),
    "todok": lambda v: v.todok(),
    "coo_array": lambda v: sp.coo_array(v),
    "copy": lambda v: v.copy(),
    "astype": lambda v: v.astype(complex),
    "conj": lambda v: v.conj(),
    "real": lambda v: v.real,
    "T": lambda v: v.T,
    "reshape": lambda v: v.reshape((2, 3)),
    "row": lambda v: v.reshape((1, -1)),
    "[i]": lambda v: v[3],
    "[-i]": lambda v: v[-1],
    "[slice]": lambda v: v[1:5:2],
    "[::-1]": lambda v: v[::-1],
    "[array]": lambda v: v[[0, 5, 5]],
    "[mask]": lambda v: v[onp.arange(6) % 2 == 0],
    "[None]": lambda v: v[None, :],
    "[column]": lambda v: v[:, None],
    "set": lambda v: written(v, 2, 1.5),
    "set traced": lambda v: written(v, 1, v[0]),
    "set slice": lambda v: written(v, slice(0, 3), x[:3]),
    "sum": lambda v: v.sum(),
    "sum, axis": lambda v: v.sum(axis=0),
    "mean": lambda v: v.mean(),
    "tensordot": lambda v: v.tensordot(sparse("coo", seed=3), axes=1),
    "max": lambda v: v.max(),
    "min": lambda v: v.min(explicit=True),
    "kron": lambda v: sp.kron(v, v),
    "hstack": lambda v: sp.hstack([v, v]),
    "vstack": lambda v: sp.vstack([v, v]),
    "diags": lambda v: sp.diags_array(v.toarray()),
    "expand_dims": lambda v: sp.expand_dims(v, axis=0),
    "find": lambda v: np.sum(sp.find(v)[-1] ** 2),
    "tanh": lambda v: v.tanh(),
    "data": lambda v: v.data,
    "setdata": lambda v: _set_data(v),
}


def _set_data(v):
    v = v.copy()
    v.data = v.data * v.data
    return v


def outcome(f, v):
    """The result, or the kind of the exception."""
    try:
        return f(v)
    except Exception as error:  # noqa: BLE001 (whatever SciPy raises)
        return type(error)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_value_or_exception_is_scipys(name, format):
    f, v = OPERATIONS[name], sparse(format)
    untraced = outcome(f, v)
    traced = outcome(lambda v: make_vjp(f)(v)[1], v)
    if isinstance(untraced, type):
        assert traced is untraced
        return
    if sps.issparse(untraced):
        assert type(traced) is type(untraced)
        untraced, traced = untraced.toarray(), traced.toarray()
    assert onp.shape(traced) == onp.shape(untraced)
    onp.testing.assert_allclose(traced, untraced, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_derivatives(name, format):
    f, v = OPERATIONS[name], sparse(format)
    if not isinstance(outcome(f, v), type):
        check_op(f, v)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_other_dtypes(format, dtype):
    v, y = sparse(format, dtype=dtype), numbers(6, dtype, 4)
    for f in (lambda v, y: v @ y, lambda v, y: v.multiply(y), lambda v, y: y - v):
        check_op(f, v, y)


def test_from_entries():
    check_op(
        lambda d: sp.coo_array((d, ([3, 0, 3],)), shape=(5,)).power(2), numbers(3, "float64", 0)
    )
    check_op(lambda d: sp.csr_array((d, [3, 0], [0, 2]), shape=(5,)), numbers(2, "float64", 0))
    check_op(lambda d: sp.csr_array(d), numbers(4, "float64", 0))
    check_op(lambda d: sp.coo_array([d[0], 0.0, d[1] * d[0]]), numbers(2, "float64", 0))


def test_sparse_vectors_on_both_sides():
    check_op(lambda v, w: v @ w, sparse("csr"), sparse("coo", seed=3))
    check_op(lambda v, A: A @ v, sparse("csr"), M)
    check_op(lambda v, A: v @ A.T, sparse("coo"), M)
    check_op(lambda v, w: v * w - np.pi * (v + w), sparse("csr"), sparse("dok", seed=3))
