"""Gradients of tuples, lists and dicts: what takes the place of zeros is nobody else's."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, make_vjp
from autograd.extend import vspace

import scipygrad.sparse as sp
from scipygrad._core import containers
from scipygrad._core.engine import PRIMITIVES, primitive

N = containers.LARGE // 8  # numbers in an array that is large enough


@pytest.fixture
def x():
    return onp.linspace(1.0, 2.0, N)


@pytest.fixture
def own_primitive():
    """Declares a primitive for the time of a test."""
    before = dict(PRIMITIVES)
    yield primitive(wrt=("x",))
    PRIMITIVES.clear()
    PRIMITIVES.update(before)


@pytest.mark.parametrize("n", [5, N])
@pytest.mark.parametrize("container", [tuple, list])
def test_gradient_of_a_container(container, n):
    x, y, z = onp.linspace(1.0, 2.0, 3 * n).reshape(3, n)

    def loss(t):
        return np.sum(np.sin(t[0]) * t[1]) + np.sum(t[1] ** 2)

    G = grad(loss)(container((x, y, z)))
    assert type(G) is container
    onp.testing.assert_allclose(G[0], onp.cos(x) * y, rtol=1e-15)
    onp.testing.assert_allclose(G[1], onp.sin(x) + 2 * y, rtol=1e-15)
    onp.testing.assert_array_equal(G[2], 0 * z)


def test_gradient_of_a_dict(x):
    G = grad(lambda d: np.sum(np.sin(d["a"])) + np.sum(d["b"][0] * d["a"]))({"a": x, "b": [2 * x]})
    onp.testing.assert_allclose(G["a"], onp.cos(x) + 2 * x, rtol=1e-15)
    onp.testing.assert_allclose(G["b"][0], x, rtol=1e-15)


def test_a_slice_of_a_container(x):
    G = grad(lambda t: np.sum(t[1:][0] ** 2) + np.sum(t[1]))((x, 2 * x))
    onp.testing.assert_array_equal(G[0], 0 * x)
    onp.testing.assert_allclose(G[1], 4 * x + 1, rtol=1e-15)


def test_nothing_is_copied_that_nobody_else_holds(x, own_primitive):
    made = []

    @own_primitive
    def double(x):
        return 2 * x

    @double.vjp("x")
    def _(g, ans, x):
        out = 2 * g
        made.append(out.ctypes.data)
        return out

    double.linear("x")
    (G,) = make_vjp(lambda x: double(x), (0,))(x)[0](onp.ones(N))
    assert G.ctypes.data == made[0]


def test_a_cotangent_that_is_used_twice_is_copied(x):
    g = onp.ones(N)
    a, b = make_vjp(lambda x, y: x + y, (0, 1))(x, 2 * x)[0](g)
    arrays = (a, b, g)
    for i in range(3):
        assert not onp.shares_memory(arrays[i], arrays[i - 1])


def test_a_cotangent_that_a_rule_keeps_is_copied(x, own_primitive):
    kept = []

    @own_primitive
    def same(x):
        return x.copy()

    @same.vjp("x")
    def _(g, ans, x):
        kept.append(3 * g)
        return kept[-1]

    same.linear("x")
    (G,) = make_vjp(lambda x: same(x), (0,))(x)[0](onp.ones(N))
    assert not onp.shares_memory(G, kept[0])
    onp.testing.assert_array_equal(G, kept[0])


def test_dtype_of_the_argument_is_kept(x):
    (G,) = make_vjp(lambda x: np.sin(x) * onp.ones(N), (0,))(x.astype("f4"))[0](onp.ones(N))
    assert G.dtype == onp.float32


def test_two_backward_passes_of_one_trace(x):
    vjp, _ = make_vjp(lambda x, y: np.sin(x) * y, (0, 1))(x, 2 * x)
    first, second = vjp(onp.ones(N)), vjp(2 * onp.ones(N))
    for a, b in zip(first, second):
        assert not onp.shares_memory(a, b)
        onp.testing.assert_allclose(2 * a, b, rtol=1e-15)


def test_second_order(x):
    def inner(t):
        return np.sum(np.sin(t[0]) * t[1])

    def outer(t):
        a, b = grad(inner)(t)
        return np.sum(a**2) + np.sum(b)

    G = grad(outer)((x, 2 * x))  # a = y cos x, b = sin x
    c, s, y = onp.cos(x), onp.sin(x), 2 * x
    onp.testing.assert_allclose(G[0], -2 * y**2 * c * s + c, rtol=1e-12, atol=1e-12)
    onp.testing.assert_allclose(G[1], 2 * y * c**2, rtol=1e-12)


def test_zeros_of_a_vector_space_are_zeros(x):
    zeros = vspace((x, x)).zeros()
    for z in zeros:
        onp.testing.assert_array_equal(z, 0 * x)
    assert not onp.shares_memory(*zeros)


def test_sparse_and_dense_arguments_together(x):
    A = sp.diags_array([x], offsets=[0], format="csr")
    G, x_bar = grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))(A, x)
    onp.testing.assert_allclose(G.data, 2 * x * x * x, rtol=1e-14)
    onp.testing.assert_allclose(x_bar, 2 * x * x * x, rtol=1e-14)


def by_index(M, x):
    for k in range(len(M)):
        x = M[k] @ x
    return x


def by_iteration(M, x):
    for m in M:
        x = m @ x
    return x


def by_slices(M, x):
    return by_slices(M[1:], M[0] @ x) if M else x


@pytest.mark.parametrize("way", [by_index, by_iteration, by_slices])
@pytest.mark.parametrize("container", [tuple, list])
def test_matrices_in_a_container(container, way):
    rng = onp.random.default_rng(0)
    dense = rng.standard_normal((3, 4, 4))
    dense[rng.random(dense.shape) < 0.4] = 0
    x = rng.standard_normal(4)
    M = container(map(sp.csr_array, dense))
    G = grad(lambda M: np.sum(way(M, x) ** 2) + np.sum(way(M, way(M, x))))(M)
    full = grad(lambda D: np.sum(by_index(D, x) ** 2) + np.sum(by_index(D, by_index(D, x))))(dense)
    assert type(G) is container
    for m, g, d in zip(M, G, full, strict=True):
        onp.testing.assert_array_equal(g.indices, m.indices)
        onp.testing.assert_allclose(g.data, d[m.tocoo().coords], rtol=1e-13)
