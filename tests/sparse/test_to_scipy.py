"""`to_scipy` and `detach`: the ways out."""

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import grad
from cases import FAMILIES, FORMATS, matrix

import scipygrad
import scipygrad.sparse as sp


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("family", FAMILIES)
def test_class_and_values(format, family):
    A = matrix(format, family, "complex128")
    K = A.to_scipy()
    assert type(K) is getattr(sps, f"{format}_{family}")
    assert K.dtype == A.dtype and K.shape == A.shape
    np.testing.assert_array_equal(K.toarray(), A.toarray())
    assert type(scipygrad.to_scipy(A)) is type(K)


def test_arrays_are_shared():
    A = matrix("csr", "array", "float64")
    K = A.to_scipy()
    assert K.data is A.data and K.indices is A.indices


def test_containers_are_searched():
    A = matrix("csr", "array", "float64")
    x, (K, n), d = scipygrad.to_scipy([1.5, (A, 2), {"A": [A]}])
    assert (x, n) == (1.5, 2)
    assert type(K) is type(d["A"][0]) is sps.csr_array


def test_traced_gives_values_and_no_derivative():
    A = matrix("csr", "array", "float64")
    kinds = []

    def f(A):
        K, D = A.to_scipy(), scipygrad.detach(A)
        kinds.extend([type(K), type(D)])
        return (A.multiply(K) + A.multiply(D)).sum()

    np.testing.assert_allclose(grad(f)(A).data, 2 * A.data)
    assert kinds == [sps.csr_array, sp.csr_array]


def test_scipys_in_place_methods_leave_the_pattern_alone():
    """Index arrays shared between results of one structure are read-only; SciPy gets copies."""
    A = sp.csr_array(([1.0, 2.0, 3.0], [2, 0, 1], [0, 2, 3]), shape=(2, 3))

    def f(A):
        B = A * 2
        K = B.to_scipy()
        K.sort_indices()
        K.data[:] = 0
        return (B @ np.ones(3)).sum()

    np.testing.assert_array_equal(grad(f)(A).data, [2, 2, 2])
    np.testing.assert_array_equal(A.indices, [2, 0, 1])


def test_a_users_subclass():
    class Labelled(sp.csr_array):
        pass

    assert type(Labelled(np.eye(2)).to_scipy()) is sps.csr_array


def test_scipys_own_and_anything_else_is_left_alone():
    K, x = sps.csr_array(np.eye(2)), np.ones(2)
    assert scipygrad.to_scipy(K) is K and scipygrad.to_scipy(x) is x


@pytest.mark.parametrize(
    "draw",
    [
        lambda f: sp.random(4, 4, density=0.25, data_rvs=f),
        lambda f: sp.random_array((4, 4), density=0.25, data_sampler=f),
    ],
)
def test_a_sampler_of_traced_values_is_taken_as_numbers(draw):
    """`random`: documented as plain."""

    def f(x):
        A = draw(lambda size: x[:size])
        assert type(A).__module__ == "scipygrad.sparse" and A.data.dtype == float
        return x.sum() + A.sum()

    np.testing.assert_array_equal(grad(f)(np.ones(16)), np.ones(16))
