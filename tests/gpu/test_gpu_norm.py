"""Norms on the device: as on the host, values and derivatives."""

import agreement
import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, hessian_vector_product, make_jvp

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device

MATRIX = [(None, None), ("fro", None), ("fro", (0, 1)), (1, None), (-1, None), (onp.inf, None),
          (-onp.inf, None), (1, (1, 0)), (2, None)]  # fmt: skip
VECTORS = [(ord, axis) for ord in (None, 1, 2, 3, 0.5, onp.inf, -onp.inf) for axis in (0, 1, -1)]


def matrix(shape=(7, 5), dtype="float64", format="csr"):
    """With an empty row, an empty column, full lines, an explicit zero, and equal entries."""
    rng = onp.random.default_rng(4)
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.5)
    if onp.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal(shape) * (X != 0)
    X[2] = X[:, 3] = 0
    X[4], X[5] = 1.5, onp.arange(1, shape[1] + 1)
    A = sp.csr_array(X.astype(dtype))
    A.data[3] = 0
    return A.asformat(format)


def close(got, wanted, rtol=1e-12):
    """The same numbers and dtype, on the device."""
    agreement.close(got, wanted, rtol, atol=rtol)


def loss(ord, axis):
    def f(A):
        n = spla.norm(A, ord, axis)
        weights = onp.arange(1.0, n.size + 1).reshape(n.shape).astype(n.dtype)
        weights = scipygrad.to_device(weights) if on_device(n) else weights
        return np.sum(np.multiply(np.multiply(n, n), weights))  # (n may be a numpy.matrix)

    return f


def compare(f, A, rtol=1e-12):
    """Gradient and tangent."""
    on_gpu = scipygrad.to_device(A)
    close(grad(f)(on_gpu), grad(f)(A), rtol)
    tangent = A.copy()
    tangent.data = A.data**2
    got = make_jvp(f)(on_gpu)(scipygrad.to_device(tangent))[1]
    onp.testing.assert_allclose(float(got), make_jvp(f)(A)(tangent)[1], rtol=rtol)


@pytest.mark.parametrize("ord, axis", MATRIX + VECTORS + [(0, 0), (0, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_values(ord, axis, dtype, cp):
    A = matrix(dtype=dtype)
    wanted = onp.asarray(spla.norm(A, ord, axis))
    if ord == 2 and axis is None:  # float64 in SciPy before 1.16
        wanted = wanted.astype(A.data.real.dtype)
    close(
        spla.norm(scipygrad.to_device(A), ord, axis), wanted, 1e-5 if dtype == "float32" else 1e-12
    )


@pytest.mark.parametrize("ord, axis", MATRIX + VECTORS)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_derivatives(ord, axis, dtype, cp):
    compare(loss(ord, axis), matrix(dtype=dtype), 1e-9)


@pytest.mark.parametrize("ord, axis", [(None, None), (1, None), (3, 0), (onp.inf, 1)])
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_formats(ord, axis, format, family, cp):
    A = getattr(sp, f"{format}_{family}")(matrix(format=format))
    compare(loss(ord, axis), A, 1e-11)


@pytest.mark.parametrize("ord, axis", [(None, None), (1, None), (2, 0), (3, 1), (2, None)])
def test_second_order(ord, axis, cp):
    A, f = matrix(), loss(ord, axis)
    wanted = hessian_vector_product(f)(A, A * 0.5)
    close(hessian_vector_product(f)(*scipygrad.to_device((A, A * 0.5))), wanted, 1e-8)


def test_duplicates(cp):
    A = sp.coo_array(([1.0, -3.0, 2.0, 4.0], ([0, 0, 1, 0], [1, 1, 0, 2])), shape=(2, 3))
    for ord, axis in ((None, None), (1, None), (onp.inf, 0), (3, 1)):
        compare(loss(ord, axis), A)


def test_long_lines(cp):
    """Whose largest entries are found in stages."""
    rng = onp.random.default_rng(0)
    A = sp.csr_array(rng.standard_normal((3, 500)))
    for ord, axis in ((onp.inf, 1), (-onp.inf, 1), (onp.inf, 0), (1, None)):
        compare(loss(ord, axis), A)


@pytest.mark.parametrize("ord, axis", [(1, None), (onp.inf, 0), (-onp.inf, 1), (None, None)])
@pytest.mark.parametrize("value", [onp.nan, onp.inf])
def test_nan_and_infinity_stay(ord, axis, value, cp):
    A = matrix()
    A.data[-1] = A.data[0] = value
    close(spla.norm(scipygrad.to_device(A), ord, axis), onp.asarray(spla.norm(A, ord, axis)))


@pytest.mark.parametrize("ord, axis", [(None, None), (1, None), (2, 0), (onp.inf, 1)])
def test_zero_matrix_has_the_derivative_zero(ord, axis, cp):
    A = scipygrad.to_device(matrix() * 0.0)
    assert not grad(loss(ord, axis))(A).data.get().any()


@pytest.mark.parametrize("ord, axis", [("wrong", None), (1, (0, 0)), (1, 5), (-2, None)])
def test_bad_arguments_raise_as_on_the_host(ord, axis, cp):
    A = matrix()
    with pytest.raises((ValueError, NotImplementedError)) as wanted:
        spla.norm(A, ord, axis)
    with pytest.raises(type(wanted.value)):
        spla.norm(scipygrad.to_device(A), ord, axis)


@pytest.mark.parametrize("ord, axis", [(None, None), (3, 0), (onp.inf, 1), (1, None), (-1, None),
                                       (-onp.inf, 0), (2, 1)])  # fmt: skip
def test_no_copies_after_the_first_step(ord, axis, transfers):
    A, f = scipygrad.to_device(matrix()), loss(ord, axis)
    weights = transfers["to device"]
    grad(f)(A)
    first = transfers["to device"] - weights
    transfers.clear()
    grad(f)(A)
    assert transfers["to host"] == 0 and transfers["to device"] <= 1 <= first
