"""max, min, nanmax, nanmin, maximum, minimum: beyond the cases of the table."""

import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_jvp, make_vjp
from cases import matrix, numbers

import scipygrad.sparse as sp
from scipygrad.testing import check_op

METHODS = ("max", "min", "nanmax", "nanmin")
WITH_MAX = ("csr", "csc", "coo", "bsr")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [None, 0, 1, -1, -2])
@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_value_class_and_shape_are_scipys(method, axis, explicit, family):
    for format in WITH_MAX:
        A = matrix(format, family, "float64")
        expected = getattr(A.to_scipy(), method)(axis=axis, explicit=explicit)
        got = make_vjp(lambda A: getattr(A, method)(axis=axis, explicit=explicit))(A)[1]  # noqa: B023
        if axis is None:
            assert got == expected
        else:
            assert type(got).__name__ == type(expected).__name__
            assert got.dtype == expected.dtype and got.shape == expected.shape
            onp.testing.assert_array_equal(got.toarray(), expected.toarray())


@pytest.mark.parametrize("format", ["dia", "lil", "dok"])
def test_formats_that_have_no_max(format):
    A = matrix(format, "array", "float64")
    assert not hasattr(A, "max")
    with pytest.raises(AttributeError, match="max"):
        grad(lambda A: A.max())(A)


def test_equal_entries_share_the_derivative():
    """In equal parts, zeros that are not stored included: as autograd's max of the dense array."""
    for dense in (
        [[2.0, 0.0, 2.0, 1.0], [0.0, -1.0, -1.0, -3.0]],
        [[0.0, 0.0, -2.0, -1.0], [1.0, 1.0, 1.0, 1.0]],
    ):
        dense = onp.array(dense)
        A = sp.csr_array((dense.ravel()[[0, 2, 3, 4, 5, 6, 7]], [0, 2, 3, 0, 1, 2, 3], [0, 3, 7]))
        w = numbers((2,), "float64", 1)
        for method in ("max", "min"):
            got = grad(lambda A: np.sum(w * getattr(A, method)(axis=1).toarray()))(A)  # noqa: B023
            expected = grad(lambda X: np.sum(w * getattr(np, method)(X, axis=1)))(dense)  # noqa: B023
            onp.testing.assert_allclose(got.data, expected[tuple(got.tocoo().coords)])
            got = grad(lambda A: getattr(A, method)())(A)  # noqa: B023
            expected = grad(lambda X: getattr(np, method)(X))(dense)  # noqa: B023
            onp.testing.assert_allclose(got.data, expected[tuple(got.tocoo().coords)])


def test_ties_are_the_same_forward():
    A = sp.csr_array(onp.array([[2.0, 0.0, 2.0]]))
    value, slope = make_jvp(lambda A: A.max())(A)(sp.csr_array(onp.array([[1.0, 0.0, 5.0]])))
    assert (value, slope) == (2, 3)


def test_explicit_leaves_out_zeros_that_are_not_stored():
    A = sp.csr_array(onp.array([[-2.0, 0.0, -1.0]]))
    assert not grad(lambda A: A.max())(A).data.any()
    onp.testing.assert_array_equal(grad(lambda A: A.max(explicit=True))(A).data, [0, 1])


def test_duplicates_are_summed_first():
    A = sp.coo_array(([1.0, 2.0, 2.5], ([0, 0, 0], [1, 1, 0])), shape=(1, 3))
    onp.testing.assert_array_equal(grad(lambda A: A.max())(A).data, [1, 1, 0])


def test_nan():
    A = sp.csr_array(onp.array([[-2.0, onp.nan, 3.0]]))
    onp.testing.assert_array_equal(grad(lambda A: A.nanmax())(A).data, [0, 0, 1])
    assert onp.isnan(grad(lambda A: A.max())(A).data).all()


@pytest.mark.parametrize("method", METHODS)
def test_without_entries(method):
    Z = sp.csr_array((2, 3))
    assert make_vjp(lambda A: getattr(A, method)() + 0 * A.sum())(Z)[1] == 0
    rows = make_vjp(lambda A: getattr(A, method)(axis=1))(Z)[1]
    assert rows.shape == (2,) and rows.nnz == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda A: A.max(axis=0, out=onp.zeros(6)),
        lambda A: A.max(axis=2),
        lambda A: A.max(axis=1.5),
        lambda A: A.maximum(sp.csr_array((3, 3))),
        lambda A: A.minimum(onp.ones((3, 3))),
        lambda A: A[:, :0].max(),
        lambda A: A[:, :0].max(axis=1),
    ],
)
def test_what_scipy_refuses_is_refused_with_the_same_exception(call):
    A = matrix("csr", "array", "float64")
    with pytest.raises(Exception) as scipys:
        call(A)
    with pytest.raises(type(scipys.value)):
        make_vjp(call)(A)


@pytest.mark.parametrize("other", [0.7, -0.7, 0.0])
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_of_a_number_as_scipy(other, format, family):
    """Warning, class and value; a positive maximum fills the matrix."""
    A = matrix(format, family, "float64")
    for method in ("maximum", "minimum"):
        with warnings.catch_warnings(record=True) as scipys:
            warnings.simplefilter("always")
            expected = getattr(A.to_scipy(), method)(other)
        with warnings.catch_warnings(record=True) as ours:
            warnings.simplefilter("always")
            got = make_vjp(lambda A: getattr(A, method)(other))(A)[1]  # noqa: B023
        assert [str(x.message) for x in ours] == [str(x.message) for x in scipys]
        assert type(got).__name__ == type(expected).__name__
        onp.testing.assert_array_equal(got.toarray(), expected.toarray())


def test_equal_elements_of_two_share_the_derivative():
    A = sp.csr_array(onp.array([[1.0, 2.0, 0.0, -1.0]]))
    B = sp.csr_array(onp.array([[1.0, 0.0, 3.0, 0.0]]))
    a, b = grad(lambda A, B: A.maximum(B).sum(), (0, 1))(A, B)
    onp.testing.assert_array_equal(a.data, [0.5, 1, 0])
    onp.testing.assert_array_equal(b.data, [0.5, 1])


@pytest.mark.parametrize(
    "left", ["csr_array", "coo_matrix", "dia_array", "dok_matrix", "lil_array"]
)
@pytest.mark.parametrize("right", ["csc_array", "csr_matrix", "bsr_array"])
def test_of_two_classes(left, right):
    A, B = (getattr(sp, c)(numbers((3, 4), "float64", k)) for k, c in enumerate((left, right)))
    for f in (lambda A, B: A.maximum(B), lambda A, B: A.minimum(B)):
        expected = f(A.to_scipy(), B.to_scipy())
        got = make_vjp(lambda t: f(*t))((A, B))[1]  # noqa: B023
        assert type(got).__name__ == type(expected).__name__
        onp.testing.assert_array_equal(got.toarray(), expected.toarray())
        check_op(f, A, B, order=1)


def test_dense_traced_beside_a_constant():
    A, X = matrix("csr", "array", "float64"), numbers((4, 6), "float64", 5)
    check_op(lambda X: A.maximum(X), X)
    check_op(lambda x: A.minimum(other=x), X[0])
    check_op(lambda s: A.maximum(s), -0.3)


def test_sparse_traced_beside_scipys():
    A, K = matrix("csr", "array", "float64"), sps.csr_array(numbers((4, 6), "float64", 5))
    check_op(lambda A: A.maximum(K), A)


def test_float32_stays_float32():
    A = matrix("csr", "array", "float32")
    g = grad(lambda A: (A.maximum(A * 0.5) + A.max(axis=1).sum() * A).sum())(A)
    assert g.dtype == onp.float32


@pytest.mark.parametrize("dtypes", ["dd", "ff", "fd"], ids=["double", "single", "mixed"])
def test_each_of_two_has_its_part_beside_infinity_and_nan(dtypes):
    """Half where both are equal, nan where the result is nan."""
    inf, nan = onp.inf, onp.nan
    a, b = (onp.array(v) for v in ([1.0, inf, 2, nan, -inf, 3, inf], [2.0, 1, 2, 1, 1, nan, inf]))
    A, B = (sp.csr_array(v[None]).astype(t) for v, t in zip((a, b), dtypes))
    G, H = grad(lambda A, B: A.maximum(B).sum(), (0, 1))(A, B)
    onp.testing.assert_array_equal(G.data, [0, 1, 0.5, nan, 0, nan, 0.5])
    onp.testing.assert_array_equal(H.data, [1, 0, 0.5, nan, 1, nan, 0.5])
    assert (G.dtype, H.dtype) == (A.dtype, B.dtype)


@pytest.mark.parametrize("method", ["maximum", "minimum"])
@pytest.mark.parametrize("dtypes", [("float64",) * 2, ("float32",) * 2, ("float32", "float64")])
def test_of_two_structures_as_of_dense_arrays(dtypes, method):
    """With ties, zeros that are not stored, stored zeros, infinity and nan; to second order."""
    X = onp.array([[1.0, 0, -2.0, 0], [0, 3.0, 0, -1.0], [onp.nan, 0, onp.inf, 2.0]])
    Y = onp.array([[1.0, -4.0, 0, 5.0], [0, 2.0, 0, 0], [1.0, 0, 0, 2.0]])
    A, B = (sp.csr_array(D.astype(t)) for D, t in zip((X, Y), dtypes))
    A[1, 2] = B[1, 0] = 0.0  # stored
    assert not onp.array_equal(A.indices, B.indices)
    W = onp.arange(1.0, 13).reshape(3, 4).astype(onp.result_type(*dtypes))
    dense = {"maximum": np.maximum, "minimum": np.minimum}[method]

    def sparse(A, B):
        return getattr(A, method)(B).multiply(W).sum()

    G = grad(sparse, (0, 1))(A, B)
    E = grad(lambda X, Y: np.sum(dense(X, Y) * W), (0, 1))(A.toarray(), B.toarray())
    for M, g, e, t in zip((A, B), G, E, dtypes):
        e = onp.where(onp.isnan(X), onp.nan, e)
        assert g.dtype == t
        onp.testing.assert_allclose(g.data, e[M.tocoo().coords])
    K, L = A.copy(), B.copy()
    K.data, L.data = numbers(A.nnz, dtypes[0], 1), numbers(B.nnz, dtypes[1], 2)
    if dtypes == ("float64",) * 2:
        check_op(lambda A, B: getattr(A, method)(B), K, L)
