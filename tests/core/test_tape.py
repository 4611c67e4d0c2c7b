"""What the tape holds until the derivative is computed: no arrays that no rule reads."""

import tracemalloc
import weakref

import numpy as onp
import pytest
from autograd import grad, value_and_grad
from autograd.core import make_vjp

import scipygrad.sparse as sp
import scipygrad.sparse.linalg  # noqa: F401  (its primitives belong to the table)
from scipygrad._core.engine import PRIMITIVES, getval, primitive


@pytest.fixture(autouse=True)
def own_primitives():
    """Those that a test declares are gone after it."""
    before = dict(PRIMITIVES)
    yield
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


def doubling(rule):
    """The primitive 2 x with a VJP, of which it is declared that it reads nothing."""

    @primitive(wrt=("x",))
    def double(x):
        return 2 * x

    double.vjp("x")(rule)
    double.keeps()
    return double


def test_arrays_that_no_rule_reads_are_let_go():
    double, made = doubling(lambda g, ans, x: 2 * g), []

    def f(x):
        y = double(x)
        made.append(weakref.ref(getval(y)))
        return double(y)

    pull, value = make_vjp(f, onp.ones(3))
    assert made[0]() is None
    onp.testing.assert_array_equal(value, 4 * onp.ones(3))
    onp.testing.assert_array_equal(pull(onp.ones(3)), 4 * onp.ones(3))


def test_shape_and_dtype_are_known():
    seen = []

    def rule(g, ans, x):
        seen.extend([(x.shape, x.ndim, x.dtype), (ans.shape, ans.ndim, ans.dtype)])
        return (2 * g).astype("float64")

    pull, _ = make_vjp(doubling(rule), onp.ones((3, 1), "float32"))
    assert pull(onp.ones((3, 1), "float32")).dtype == "float32"  # its argument's
    assert seen == [((3, 1), 2, "float32")] * 2


@pytest.mark.parametrize("rule", [lambda g, ans, x: g * x, lambda g, ans, x: g * ans])
def test_a_rule_that_reads_what_is_not_kept_raises(rule):
    pull, _ = make_vjp(doubling(rule), onp.ones(3))
    with pytest.raises(TypeError, match="Form"):
        pull(onp.ones(3))


def test_linear_in_the_only_argument_asked_for():
    """The derivative of x y with respect to x reads y alone; with respect to both, both."""

    @primitive(wrt=("x", "y"))
    def times(x, y):
        return x * y

    times.vjp("x")(lambda g, ans, x, y: g * y)
    times.vjp("y")(lambda g, ans, x, y: g * x)
    times.linear("x", "y")
    times.keeps("x", "y")
    x, y = onp.array([1.0, 2.0]), onp.array([3.0, 5.0])
    alone, made = weakref.ref(x), []

    def f(z):
        made.append(weakref.ref(getval(z)))
        return times(z, y)

    pull, _ = make_vjp(lambda x: f(3 * x), x)
    assert made[0]() is None and alone() is x
    onp.testing.assert_array_equal(pull(onp.ones(2)), 3 * y)
    onp.testing.assert_array_equal(grad(lambda x: times(x, x).sum())(x), 2 * x)


def test_names_of_what_is_kept():
    for op in PRIMITIVES.values():
        assert set(op._kept or ()) <= {*op.params, "ans"}, op.name


def test_a_loss_holds_three_arrays_of_its_size_at_a_time():
    """‖I − M A‖²: the difference, and two cotangents."""
    n = 64
    T = sp.diags([-1.0, 2.5, -1.3], [-1, 0, 1], shape=(n, n))
    A = sp.kronsum(T, T, format="csr")
    identity, M = sp.eye(n * n, format="csr"), A * 0.2
    step = value_and_grad(lambda M: (identity - M @ A).power(2).sum())
    for _ in range(3):  # plans are made
        step(M)
    size = (M @ A).data.nbytes
    tracemalloc.start()
    try:
        step(M)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3.2 * size
