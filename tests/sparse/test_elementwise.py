"""Functions of the entries, quotients and powers: beyond the cases of the table."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import FAMILIES, FORMATS, STORED, matrix, numbers, regular, stored

import scipygrad.sparse as sp
from scipygrad.testing import check_op

SMOOTH = ("arcsin", "arcsinh", "arctan", "arctanh", "deg2rad", "expm1", "log1p", "rad2deg", "sin",
          "sinh", "tan", "tanh")  # fmt: skip
STEPS = ("ceil", "floor", "rint", "sign", "trunc")


def small(format, family="array", dtype="float64"):
    """Entries between -0.9 and 0.9, where all functions are smooth."""
    A = matrix(format, family, dtype)
    return A * (0.6 / abs(A).max() if format in ("csr", "csc", "coo", "bsr") else 0.4)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("format", STORED)
@pytest.mark.parametrize("family", FAMILIES)
def test_smooth_functions(name, format, family):
    A = small(format, family)
    f = lambda A: getattr(A, name)()  # noqa: E731
    check_op(f, A)
    expected, traced = f(A.to_scipy()), make_vjp(f)(A)[1]
    assert type(traced).__name__ == type(expected).__name__
    onp.testing.assert_allclose(traced.toarray(), expected.toarray(), rtol=1e-14)


@pytest.mark.parametrize("name", [n for n in SMOOTH if n not in ("deg2rad", "rad2deg")])
def test_smooth_functions_of_complex_entries(name):
    check_op(lambda A: getattr(A, name)(), small("csr", dtype="complex128") * 0.5)


@pytest.mark.parametrize("name", SMOOTH)
def test_float32_stays_float32(name):
    g = grad(lambda A: getattr(A, name)().sum())(small("csr", dtype="float32"))
    assert g.dtype == onp.float32


def test_square_root():
    A = sp.csr_array(onp.array([[1.0, 0.0, 4.0], [0.0, 2.0, 0.0]]))
    check_op(lambda A: A.sqrt(), A)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("format", STORED)
def test_steps_have_derivative_zero(name, format):
    A = matrix(format, "array", "float64") * 3.3
    values = []

    def f(A):
        values.append(getattr(A, name)())
        return A.sum() + values[0].sum()

    g = grad(f)(A)
    onp.testing.assert_array_equal(g.toarray(), stored(A).astype(float))
    onp.testing.assert_array_equal(values[0].toarray(), getattr(A.to_scipy(), name)().toarray())


@pytest.mark.parametrize("format", FORMATS)
def test_round_is_plain(format):
    A = matrix(format, "array", "float64") * 3.3
    values = []
    grad(lambda A: (values.append(round(A)), A.sum())[1])(A)
    assert type(values[0]) is type(round(A))
    onp.testing.assert_array_equal(values[0].toarray(), round(A).toarray())


# ---- quotients of two sparse matrices --------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # x / 0
def test_quotient_is_dense_with_scipys_values(format, family):
    A = matrix(format, family, "float64", seed=1)
    B = matrix("csr", family, "float64", seed=2)
    expected = A.to_scipy() / B.to_scipy()
    for f, x in ((lambda A: A / B, A), (lambda B: A / B, B)):
        traced = make_vjp(f)(x)[1]
        onp.testing.assert_array_equal(onp.isnan(traced), onp.isnan(expected))
        onp.testing.assert_allclose(traced, expected, rtol=1e-14)


def test_quotient_keeps_the_dtype_of_the_dividend():
    A, B = matrix("csr", "array", "float64"), sp.csr_array(numbers((4, 6), "complex128", 3))
    with pytest.warns(onp.exceptions.ComplexWarning):
        expected = A.to_scipy() / B.to_scipy()
    with pytest.warns(onp.exceptions.ComplexWarning):
        traced = make_vjp(lambda A: A / B)(A)[1]
    assert traced.dtype == expected.dtype
    onp.testing.assert_allclose(traced, expected, rtol=1e-14)


def test_quotient_of_different_shapes():
    A = matrix("csr", "array", "float64")
    with pytest.raises(ValueError, match="inconsistent shapes"):
        grad(lambda A: (A / sp.csr_array((2, 2))).sum())(A)


# ---- powers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [1, 2, 5])
@pytest.mark.parametrize("format", FORMATS)
def test_matrix_power(power, format):
    A = regular(format, "matrix", "float64", n=4)
    expected, traced = A.to_scipy() ** power, make_vjp(lambda A: A**power)(A)[1]
    assert type(traced).__name__ == type(expected).__name__
    onp.testing.assert_allclose(traced.toarray(), expected.toarray(), rtol=1e-13)
    check_op(lambda A: A**power, A)


@pytest.mark.parametrize("power", [-1, 0.5])
def test_matrix_power_refuses_what_scipy_refuses(power):
    A = regular("csr", "matrix", "float64")
    for call in (lambda A: A**power, make_vjp(lambda A: A**power)):
        with pytest.raises(ValueError, match="exponent"):
            call(A)
    with pytest.raises(TypeError, match="square"):
        make_vjp(lambda A: A**2)(matrix("csr", "matrix", "float64"))


def test_matrix_power_zero_is_scipys_identity():
    A = regular("csr", "matrix", "float64")
    seen = []
    grad(lambda A: (seen.append(A**0), A.sum())[1])(A)
    assert type(seen[0]) is type(A**0)
    onp.testing.assert_array_equal(seen[0].toarray(), onp.eye(5))


@pytest.mark.parametrize("format", FORMATS)
def test_power_zero_is_refused(format):
    A = regular(format, "array", "float64")
    with pytest.raises(NotImplementedError, match="densify"):
        grad(lambda A: A.power(0).sum())(A)


def test_negative_and_broken_powers():
    A = sp.csr_array(onp.abs(numbers((3, 4), "float64", 0)))
    for n in (-1, 0.5, 2.5):
        check_op(lambda A: A.power(n), A)  # noqa: B023
    check_op(lambda A, n: A.power(n), A, 1.5)
    check_op(lambda A: A.power(2, dtype=complex), A)


# ---- sums with a dtype ------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("method", ["sum", "mean"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("family", FAMILIES)
def test_dtype_of_a_sum(axis, method, dtype, family):
    A = matrix("csr", family, "float64")
    f = lambda A: getattr(A, method)(axis=axis, dtype=dtype)  # noqa: E731
    expected, traced = f(A.to_scipy()), make_vjp(f)(A)[1]
    assert onp.asarray(traced).dtype == onp.asarray(expected).dtype
    assert onp.shape(traced) == onp.shape(expected)
    tolerance = 1e-6 if dtype == "float32" else 1e-14  # the entries are added in another order,
    largest = abs(onp.asarray(expected)).max()  # and may cancel
    onp.testing.assert_allclose(traced, expected, rtol=tolerance, atol=tolerance * largest)


@pytest.mark.parametrize("call", [
    lambda A: A.sum(dtype=int), lambda A: A.sum(axis=0, dtype=int), lambda A: A.mean(dtype=int),
    lambda A: A.astype(int), lambda A: A.power(2, dtype=int),
])  # fmt: skip
def test_whole_number_dtypes_would_lose_the_derivative(call):
    with pytest.raises(TypeError, match="derivative"):
        make_vjp(call)(matrix("csr", "array", "float64"))


def test_sparse_and_scipys_class_entrywise():
    A, K = matrix("csr", "array", "float64"), sps.csr_array(numbers((4, 6), "float64", 2))
    for f in (lambda A: A + K, lambda A: K - A, lambda A: A * K, lambda A: K * A,
              lambda A: np.sum((A / K) ** 2)):  # fmt: skip
        check_op(f, A)


# ---- sums on a union --------------------------------------------------------------------------

EYE = onp.eye(4)
TRIDIAGONAL = onp.arange(1.0, 17.0).reshape(4, 4) * (
    abs(onp.subtract.outer(range(4), range(4))) < 2
)
PAIRS = {
    "same": (TRIDIAGONAL, 2 * TRIDIAGONAL + EYE),
    "inside": (TRIDIAGONAL, EYE),
    "around": (3 * EYE, TRIDIAGONAL),
    "apart": (onp.triu(TRIDIAGONAL, 1), onp.tril(TRIDIAGONAL)),
    "overlapping": (onp.triu(TRIDIAGONAL), onp.tril(TRIDIAGONAL)),
    "cancelling": (TRIDIAGONAL, TRIDIAGONAL),
    "nothing": (onp.zeros((4, 4)), TRIDIAGONAL),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("format", ["csr", "coo", "bsr"])
@pytest.mark.parametrize("sign", [1, -1])
def test_sum_of_matrices_of_any_two_structures(pair, format, sign):
    A, B = (sp.coo_array(D).asformat(format) for D in PAIRS[pair])
    check_op(lambda A, B: A + B if sign > 0 else A - B, A, B)


@pytest.mark.parametrize("dtypes", ["fd", "df", "fD", "Dd", "ff"])
@pytest.mark.parametrize("sign", [1, -1])
def test_sum_of_matrices_of_two_dtypes(dtypes, sign):
    A, B = (sp.csr_array(D).astype(t) for D, t in zip(PAIRS["overlapping"], dtypes))

    def f(A, B):
        return A + B if sign > 0 else A - B

    vjp, C = make_vjp(f, (0, 1))(A, B)
    assert C.dtype == onp.result_type(A.dtype, B.dtype)
    onp.testing.assert_array_equal(C.toarray(), f(A.toarray(), B.toarray()))
    G, H = vjp(C)
    assert (G.dtype, H.dtype) == (A.dtype, B.dtype)


@pytest.mark.parametrize("sign", [1, -1])
def test_sum_with_a_constant_of_whole_numbers(sign):
    A, B = sp.csr_array(TRIDIAGONAL), sp.csr_array(onp.tri(4, dtype=int))
    check_op(lambda A: A + B if sign > 0 else A - B, A)
    check_op(lambda A: B + A if sign > 0 else B - A, A)


def test_gradients_of_a_sum_do_not_share_memory():
    A = sp.csr_array(TRIDIAGONAL)
    G, H = grad(lambda A, B: (A + B).sum(), (0, 1))(A, A.copy())
    G.data[:] = 7
    assert (H.data == 1).all()
