"""Largest and smallest entries on the device: as on the host, values and derivatives."""

import agreement
import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, hessian_vector_product, make_jvp

import scipygrad
import scipygrad.sparse as sp
from scipygrad._core.device import on_device

AXES = [None, 0, 1, -1]
METHODS = ["max", "min"]


def matrix(dtype="float64", format="csr", shape=(6, 5)):
    """With an empty row, full lines, equal entries, an explicit zero."""
    rng = onp.random.default_rng(2)
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.6)
    X[1] = 0
    X[:, 2] = 5.0
    X[3] = onp.arange(-1, shape[1] - 1) - 8.0
    A = sp.csr_array(X.astype(dtype))
    A.data[1] = 0
    return A.asformat(format)


def close(got, wanted, rtol=1e-13):
    """The same numbers, class and dtype, on the device."""
    agreement.close(got, wanted, rtol, atol=rtol)


def loss(method, axis, explicit=False):
    def f(A):
        found = getattr(A, method)(axis=axis, explicit=explicit)
        return found**3 if axis is None else found.power(3).sum()

    return f


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_values_and_derivatives(method, axis, explicit, format, cp):
    A, f = matrix(format=format), loss(method, axis, explicit)
    D = scipygrad.to_device(A)
    close(getattr(D, method)(axis=axis, explicit=explicit),
          getattr(A, method)(axis=axis, explicit=explicit))  # fmt: skip
    close(grad(f)(D), grad(f)(A))
    got = make_jvp(f)(D)(D * 0.5)[1]
    onp.testing.assert_allclose(float(got), make_jvp(f)(A)(A * 0.5)[1], rtol=1e-13)


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("axis", AXES)
def test_single_precision_and_both_families(family, axis, cp):
    A = getattr(sp, f"csr_{family}")(matrix("float32"))
    close(scipygrad.to_device(A).max(axis=axis), A.max(axis=axis))
    close(grad(loss("max", axis))(scipygrad.to_device(A)), grad(loss("max", axis))(A), 1e-6)


@pytest.mark.parametrize("axis", [None, 0])
def test_second_order(axis, cp):
    A, f = matrix(), loss("max", axis)
    wanted = hessian_vector_product(f)(A, A * 0.5)
    close(hessian_vector_product(f)(*scipygrad.to_device((A, A * 0.5))), wanted, 1e-12)


@pytest.mark.parametrize("axis", AXES)
def test_nan(axis, cp):
    A = matrix()
    A.data[-1] = onp.nan
    close(scipygrad.to_device(A).max(axis=axis), onp.asarray(A.max(axis=axis)) if axis is None
          else A.max(axis=axis))  # fmt: skip
    close(grad(loss("max", axis))(scipygrad.to_device(A)), grad(loss("max", axis))(A))


def test_empty_matrix(cp):
    A = scipygrad.to_device(sp.csr_array((3, 4)))
    assert on_device(A.max()) and float(A.max()) == 0
    assert A.max(axis=0).shape == (4,) and A.max(axis=0).nnz == 0


def test_sums_of_largest_entries_run_without_copies(transfers):
    A, f = scipygrad.to_device(matrix()), loss("max", 1)
    grad(f)(A)
    transfers.clear()
    grad(f)(A)
    assert not transfers


@pytest.mark.parametrize("method", ["nanmax", "nanmin"])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("explicit", [False, True])
def test_without_nan(method, axis, explicit, cp):
    """With nan among others, and full lines and an explicit one that have nothing else."""
    A = matrix()
    A.data[2] = A.data[-1] = onp.nan
    A.data[A.indptr[3] : A.indptr[4]] = onp.nan
    D, f = scipygrad.to_device(A), loss(method, axis, explicit)
    got = getattr(D, method)(axis=axis, explicit=explicit)
    wanted = getattr(A, method)(axis=axis, explicit=explicit)
    close(got, onp.asarray(wanted) if axis is None else wanted)
    close(grad(f)(D), grad(f)(A))


def test_complex_numbers_are_the_hosts(cp):
    A = matrix("complex128")
    with pytest.warns(scipygrad.HostWarning, match="max .* runs on the host"):
        got = scipygrad.to_device(A).max(axis=0)
    close(got, A.max(axis=0))


def test_bad_axis_raises_as_on_the_host(cp):
    with pytest.raises(ValueError, match="axis out of range"):
        scipygrad.to_device(matrix()).max(axis=3)
    assert np.isfinite(float(scipygrad.to_device(matrix()).max()))
