"""Numbers read from traced arrays: as any ArrayBox, only cheaper."""

import copy
import operator
from collections.abc import Callable

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import elementwise_grad, grad, hessian, make_jvp, make_vjp
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import isbox, trace_stack

from scipygrad._core.collect import Numbers, collect
from scipygrad._core.elements import TERMS, Combination, Element
from scipygrad._core.npmatrix import TracedNumpyMatrix, as_npmatrix
from scipygrad.testing import check_op

RNG = onp.random.default_rng(0)
X = RNG.uniform(0.5, 1.5, 6)
M = RNG.uniform(0.5, 1.5, (3, 4))
TWO = onp.float64(2.0)


def inside(f: Callable, x=X):
    """What f returns in a trace, looked at there."""
    seen = []
    make_vjp(lambda x: (seen.append(f(x)), np.sum(x))[1])(x)
    return seen[0]


# ---- what is deferred ------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, -1, onp.int64(2), onp.int32(3)])
def test_a_number_of_a_vector_is_deferred(index):
    x = inside(lambda x: x[index])
    assert type(x) is Element and isinstance(x, ArrayBox) and isbox(x)
    assert x._value == X[index] and type(x._value) is onp.float64
    assert (x.shape, x.ndim, x.size, x.dtype) == ((), 0, 1, X.dtype)


@pytest.mark.parametrize(
    "index", [slice(1, 3), [0, 2], onp.array([1, 2]), None, Ellipsis, onp.array(1), True]
)
def test_other_indices_are_autograds(index):
    x = inside(lambda x: x[index])
    assert type(x) is ArrayBox
    assert onp.array_equal(x._value, X[index])


def test_rows_of_a_matrix_are_autograds():
    assert type(inside(lambda x: x[1], M)) is ArrayBox
    assert type(inside(lambda x: x[1, 2:3], M)) is ArrayBox
    assert type(inside(lambda x: x[1, -2], M)) is Element


@pytest.mark.parametrize("index", [6, -7, (0, 0)])
def test_index_errors_are_numpys(index):
    with pytest.raises(IndexError):
        inside(lambda x: x[index])


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_dtypes(dtype):
    x = X.astype(dtype)
    y = inside(lambda x: (x[1] * 2.0 - x[0]) / 3, x)
    assert type(y) is Combination and y._value.dtype == dtype
    assert y._value == (x[1] * 2.0 - x[0]) / 3
    check_op(lambda x: np.real((x[1] * 2.0 - x[0]) / 3 * x[2]), x)


# ---- operators -------------------------------------------------------------------------------

OPERATORS = (operator.add, operator.sub, operator.mul, operator.truediv)
OTHERS = {
    "float": lambda x: 3.0, "int": lambda x: 3, "float64": lambda x: TWO, "zero": lambda x: 0.0,
    "float32": lambda x: onp.float32(1.5), "complex": lambda x: 1 + 2j, "bool": lambda x: True,
    "array": lambda x: X[:3], "element": lambda x: x[2], "same": lambda x: x[1],
    "combination": lambda x: 2 * x[3] - x[4] / 3 + 1, "node": lambda x: x[3] ** 2,
    "vector": lambda x: x[:3], "0-d": lambda x: np.sum(x), "0-d array": lambda x: onp.array(2.0),
}  # fmt: skip


FIRST = {"element": lambda x: x[1], "combination": lambda x: 3 * x[5] + x[1] / 2 - 1}
ALL = [
    (first, other, op, swapped)
    for first in FIRST for other in OTHERS for op in OPERATORS for swapped in (False, True)
    if (first, other, op) != ("element", "same", operator.truediv)  # constant 1
    and (other, op, swapped) != ("zero", operator.truediv, False)
]  # fmt: skip


@pytest.mark.parametrize("first, other, op, swapped", ALL)
def test_operators(first, other, op, swapped):
    """Value, dtype and derivatives to second order, the other operand on either side."""

    def f(x):
        operands = FIRST[first](x), OTHERS[other](x)
        return op(*(operands[::-1] if swapped else operands))

    value = inside(f)._value
    assert onp.array_equal(value, f(X)) and onp.result_type(value) == onp.result_type(f(X))
    check_op(lambda x: np.real(f(x)) ** 2, X)


def test_division_by_zero_is_numpys():
    with pytest.warns(RuntimeWarning, match="divide"):
        assert inside(lambda x: x[0] / 0.0)._value == onp.inf


def test_other_functions_and_comparisons():
    check_op(lambda x: np.sin(x[0]) * -x[1] + abs(x[2]) ** x[3] + np.maximum(x[4], x[5]), X)
    assert inside(lambda x: (x[0] > 0, x[0] == x[0], x[0] < x[1], bool(x[0]))) == (
        True, True, X[0] < X[1], True,
    )  # fmt: skip
    assert "ArrayBox" in repr(type(inside(lambda x: x[:2]))) and "value" in str(
        inside(lambda x: x[0])
    )


def test_zero_is_a_value_like_others():
    """The truth of a box is that of its value: no operator may ask for it."""
    zero = onp.zeros(3)
    g = grad(lambda x: (x[0] + x[1]) * 2.0 + 3 * (x[2] - x[0]) + (0.0 + x[2]) - -x[1])(zero)
    assert g.tolist() == [-1.0, 3.0, 4.0]


def test_beside_a_traced_numpy_matrix():
    y = inside(lambda x: (x[0, 0] + as_npmatrix(x), as_npmatrix(x) - x[0, 1], x[0, 0] * x), M)
    assert [type(v) for v in y] == [TracedNumpyMatrix, TracedNumpyMatrix, ArrayBox]


@pytest.mark.parametrize("factors", [(1e200, 1e200, 1e-300), (1e-200, 1e-200, 1e300), (0.0, 5.0)])
def test_products_of_extreme_factors(factors):
    """One factor after the other is right where the product of all overflows."""

    def f(x):
        y = x[0]
        for c in factors:
            y = y * c
        return y

    x = onp.array([1e-100 if factors[0] > 1 else 1e100])
    expected = 1.0
    for c in factors[::-1]:
        expected *= c
    assert grad(f)(x)[0] == expected


# ---- nodes that are made late ----------------------------------------------------------------


def test_value_is_that_of_the_moment():
    x = X.copy()

    def f(v):
        y = v[0] * 2.0
        return y * y

    vjp, value = make_vjp(f)(x)
    x[0] = 100.0
    assert value == 4 * X[0] ** 2 and vjp(1.0)[0] == 8 * X[0]


def test_long_sums_do_not_nest():
    n = 5000
    x = RNG.random(n)

    def f(x):
        total = 0.0
        for i in range(n):
            total = total + x[i] * 2.0
        return total**2

    onp.testing.assert_allclose(grad(f)(x), 4 * x.sum() * 2, rtol=1e-12)


def test_partial_sums_used_everywhere_stay_linear(monkeypatch):
    """Prefix sums, and doubling, which without a bound would have n² and 2ⁿ terms."""
    terms = []
    original = Numbers.__init__

    def counted(self, *args):
        original(self, *args)
        terms.append(len(self.rows))

    monkeypatch.setattr(Numbers, "__init__", counted)

    def f(x):
        total, sums, y = x[0], [], x[1]
        for _ in range(300):
            total = total + x[0]
            sums.append(total)
        for _ in range(60):
            y = y + y
        return np.sum(np.array(sums)) + y

    g = grad(f)(X[:2])
    assert g[0] == sum(range(2, 302)) and g[1] == 2.0**60
    assert sum(terms) <= 300 * (TERMS + 1)


def test_one_number_used_twice():
    check_op(lambda x: (lambda y: y * 3 + y**2 * (y + 1))(x[1] - x[2]), X)


def test_returned_as_it_is():
    assert grad(lambda x: x[2])(X).tolist() == [0, 0, 1, 0, 0, 0]
    assert grad(lambda x: 3 * x[2] - x[0] + 1)(X).tolist() == [-1, 0, 3, 0, 0, 0]
    assert make_jvp(lambda x: x[2] / 4)(X)(X) == (X[2] / 4, X[2] / 4)


def test_copies():
    def f(x):
        y = x[0] * 2.0
        return copy.copy(y) * y

    assert grad(f)(X)[0] == 8 * X[0]


def test_nested():
    def inner(x, y):
        return grad(lambda v: v[0] ** 2 * x[0] + v[1] * x[1] * v[0] * 3)(y)

    f = lambda x: np.sum(inner(x, x) * x[2])  # noqa: E731
    check_op(f, X)
    check_op(lambda x: np.sum(hessian(lambda v: v[0] * x[0] * v[1] ** 2)(x[:2])), X)
    check_op(lambda x: make_jvp(lambda v: v[0] * v[1] * x[2])(x)(x)[1], X)


def test_differentiated_with_respect_to_an_element():
    f = lambda x: grad(lambda y: y**3 * x[1])(x[0])  # noqa: E731
    onp.testing.assert_allclose(grad(f)(X)[:2], [6 * X[0] * X[1], 3 * X[0] ** 2])
    onp.testing.assert_allclose(elementwise_grad(lambda y: y**3)(X), 3 * X**2)


# ---- many at once ----------------------------------------------------------------------------


def test_collected_numbers():
    def f(x, m):
        seven = x.dtype.type(7)
        numbers = [x[0] * 2.0, m[1, -1] - x[0], seven, np.sum(x), x[-1], x[0] * x[1], 0 * m[0, 0]]
        return np.array(numbers)

    expected = [2 * X[0], M[1, -1] - X[0], 7.0, X.sum(), X[-1], X[0] * X[1], 0]
    onp.testing.assert_array_equal(make_vjp(lambda x: f(x, M))(X)[1], expected)
    check_op(f, X, M)
    check_op(f, X + 1j, M)
    check_op(f, X.astype("float32"), M.astype("float32"))


def test_collected_groups_share_their_sources():
    def f(x):
        return collect([Numbers([x[0] * 2.0, 7.0]), Numbers([x[1] - x[0], x[-1], np.sum(x[:2])])])

    vjp, value = make_vjp(f)(X)
    assert value.tolist() == [2 * X[0], 7.0, X[1] - X[0], X[-1], X[0] + X[1]]
    assert vjp(onp.arange(5.0)).tolist() == [0 - 2 + 4, 2 + 4, 0, 0, 0, 3]
    onp.testing.assert_allclose(make_jvp(f)(X)(X)[1], value - [0, 7, 0, 0, 0])


def test_cotangent_has_the_dtype_of_each_source():
    def f(x, m):
        return np.array([x[0] * 2.0, m[0, 0] * 2.0])

    x32 = X.astype("float32")
    vjp, value = make_vjp(lambda a: f(*a))((x32, M + 1j))
    assert value.dtype == "complex128"
    g, h = vjp(onp.array([1 + 1j, 1 + 1j]))
    assert g.dtype == "float32" and g[0] == 2 and h[0, 0] == 2 + 2j


def test_numbers_of_different_traces():
    """An inner derivative with numbers of the outer trace beside its own."""

    def f(x):
        def inner(y):
            return np.sum(np.array([x[0] * 2, y[0] * 3, x[1] - 1]) ** 2)

        return np.sum(grad(inner)(X) * x) + grad(inner)(X)[0] * x[0]

    check_op(f, X)


def test_array_of_a_list_is_autograds_array():
    def f(x):
        return np.array([x[0], 2 * x[1], 5.0, np.sum(x)])

    def nested(x):
        return np.array([[x[0], x[1]], [x[2] * 2, x[3]]])

    assert type(inside(f)) is ArrayBox and inside(f).shape == (4,)
    assert inside(nested).shape == (2, 2)
    assert inside(lambda x: np.array([x[0], x[1]], dtype="float32")).dtype == "float32"
    check_op(f, X)
    check_op(nested, X)
    assert type(np.array([1.0, 2.0])) is onp.ndarray


def test_no_trace_is_left_behind():
    assert not trace_stack.live
