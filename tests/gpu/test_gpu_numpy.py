"""autograd.numpy on the device: gradients of its functions are those on the host."""

import autograd.numpy as np
import autograd.numpy.fft as fft
import autograd.numpy.linalg as la
import autograd.scipy.special as special
import numpy as onp
import pytest
from autograd import grad, hessian, hessian_vector_product, jacobian, make_jvp, make_vjp
from autograd.core import primitive_vjps
from autograd.extend import vspace
from autograd.tracer import Node, trace
from numpy_cases import (
    BEYOND_AUTOGRAD,
    FUNCTIONS,
    LACKING,
    NUMBER_OF_THE_HOST,
    WITHOUT_SECOND,
    X,
    Z,
    number,
    v,
    w,
)

import scipygrad
from scipygrad._core.device import on_device

DTYPES = {"float64": 1e-10, "float32": 5e-4}


def numbers_like(x):
    """Numbers that are all different, in the shape and dtype of x."""
    numbers = onp.cos(1 + onp.arange(x.size)).reshape(x.shape)
    return numbers.astype(x.dtype) * (1 - 2j if x.dtype.kind == "c" else 1)


def cotangent(value):
    if isinstance(value, (tuple, list)):
        return type(value)(map(cotangent, value))
    host = numbers_like(scipygrad.to_host(value))
    return scipygrad.to_device(onp.asarray(host)) if on_device(value) else onp.asarray(host)[()]


def cast(arguments, dtype):
    narrow = {"float64": "float32", "complex128": "complex64"} if dtype == "float32" else {}
    return tuple(onp.asarray(a, narrow.get(a.dtype.name)) for a in arguments)


def close(got, wanted, tolerance=1e-10):
    assert on_device(got) and got.shape == onp.shape(wanted)
    scale = onp.abs(wanted).max(initial=1.0)
    onp.testing.assert_allclose(got.get(), wanted, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_vjp(name, dtype, cp):
    function, arguments = FUNCTIONS[name]
    arguments = cast(arguments, dtype)
    vjp, value = make_vjp(lambda a: function(*a))(arguments)
    wanted = vjp(cotangent(value))
    vjp, there = make_vjp(lambda a: function(*a))(scipygrad.to_device(arguments))
    close(there, value, DTYPES[dtype])
    assert there.dtype == value.dtype
    for g, expected, x in zip(vjp(cotangent(there)), wanted, arguments):
        close(g, expected, DTYPES[dtype])
        assert g.dtype in (expected.dtype, x.dtype) and g.shape == x.shape


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jvp(name, cp):
    function, arguments = FUNCTIONS[name]
    tangents = tuple(map(numbers_like, arguments))
    try:
        wanted = make_jvp(lambda a: function(*a))(arguments)(tangents)[1]
    except NotImplementedError:
        pytest.skip("autograd has no JVP of it")
    moved = scipygrad.to_device((arguments, tangents))
    close(make_jvp(lambda a: function(*a))(moved[0])(moved[1])[1], wanted)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_order(name, cp):
    """The VJP of the VJP, with respect to the arguments."""
    function, arguments = FUNCTIONS[name]

    def derivative(arguments):
        vjp, value = make_vjp(lambda a: function(*a))(arguments)
        return vjp(cotangent(scipygrad.detach(value)))

    try:
        vjp, value = make_vjp(derivative)(arguments)
        wanted = vjp(cotangent(value))
    except (NotImplementedError, TypeError, ValueError):
        pytest.skip("autograd has no second derivative of it")
    if name in WITHOUT_SECOND:
        with pytest.raises(TypeError):
            vjp, value = make_vjp(derivative)(scipygrad.to_device(arguments))
            vjp(cotangent(value))
        return
    vjp, value = make_vjp(derivative)(scipygrad.to_device(arguments))
    for g, expected in zip(vjp(cotangent(value)), wanted):
        close(g, expected, 1e-8)


@pytest.mark.parametrize("name", BEYOND_AUTOGRAD)
def test_beyond_autograd(name, cp):
    """Along a direction, the derivative is that of central differences; forward mode agrees."""
    function, (x,) = BEYOND_AUTOGRAD[name]
    t, h = numbers_like(x), 1e-6
    vjp, value = make_vjp(function)(cp.asarray(x))
    c = cotangent(value)
    ahead, behind = (function(cp.asarray(x + s * t)) for s in (h, -h))
    rate = (ahead - behind).get() / (2 * h)
    paired = onp.sum(c.get() * rate).real
    assert onp.sum(vjp(c).get() * t).real == pytest.approx(paired, rel=1e-7)
    try:
        forward = make_jvp(function)(cp.asarray(x))(cp.asarray(t))[1]
    except NotImplementedError:
        return  # autograd has no JVP of it
    close(forward, rate, 1e-7)


@pytest.mark.parametrize("name", NUMBER_OF_THE_HOST)
@pytest.mark.parametrize("s", [0.7, number])
def test_a_number_of_the_host_has_its_gradient_there(name, s, cp):
    function, x = NUMBER_OF_THE_HOST[name], v + 0.05

    def total(s, x):
        return np.sum(function(s, x) * np.cos(x[: len(function(s, x))]))

    g, h = grad(total)(s, cp.asarray(x)), 1e-6
    assert not on_device(g) and onp.shape(g) == ()
    assert g == pytest.approx((total(s + h, x) - total(s - h, x)) / (2 * h), rel=1e-7)
    rate = (function(s + h, x) - function(s - h, x)) / (2 * h)
    close(make_jvp(lambda s: function(s, cp.asarray(x)))(s)(1.0)[1], rate, 1e-7)


@pytest.mark.parametrize("index", [[0, 2, 2], [4, 1], [[1, 1], [1, 3]]])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_index_array(index, dtype, cp):
    """Places that are read twice get the sum of both."""
    weights = numbers_like(onp.zeros(onp.shape(index), dtype))
    vjp, value = make_vjp(lambda a: a[cp.asarray(index)])(cp.asarray(v.astype(dtype)))
    wanted = onp.zeros(5, dtype)
    onp.add.at(wanted, onp.array(index), weights)
    close(vjp(cp.asarray(weights)), wanted, 1e-6)


def test_index_arrays_need_no_copies(cp, transfers):
    index, x = cp.asarray([0, 2, 2]), cp.asarray(v)
    transfers.clear()
    grad(lambda a: np.sum(a[index] ** 2))(x)
    assert not transfers


def test_jacobian_and_hessian(cp):
    def f(a):
        return np.dot(np.sin(a), a) * a

    close(jacobian(f)(cp.asarray(v)), jacobian(f)(v))
    close(hessian(lambda a: np.sum(f(a)))(cp.asarray(v)), hessian(lambda a: np.sum(f(a)))(v))


def test_hessian_vector_product(cp):
    def loss(a):
        return np.sum(np.exp(a) * a)

    close(hessian_vector_product(loss)(cp.asarray(v), cp.asarray(w)), onp.exp(v) * (2 + v) * w)


@pytest.mark.parametrize("x", [X, Z])
def test_vector_space(x, cp):
    space, host = vspace(cp.asarray(x)), vspace(x)
    assert space.size == host.size and space == vspace(cp.asarray(x + 1))
    close(space.ones(), host.ones())
    close(space.zeros(), host.zeros())
    assert space.randn().dtype == x.dtype
    assert float(space.inner_prod(cp.asarray(x), cp.asarray(2 * x))) == pytest.approx(
        host.inner_prod(x, 2 * x), rel=1e-14
    )
    for e, f in zip(space.standard_basis(), host.standard_basis()):
        close(e, f)


# ---- what raises ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LACKING)
def test_what_is_lacking_raises(name, cp):
    function, x, _ = LACKING[name]
    with pytest.raises((TypeError, NotImplementedError)):
        vjp, value = make_vjp(function)(cp.asarray(x))
        vjp(vspace(value).ones())


@pytest.mark.parametrize(
    "operation",
    [
        lambda a, b: a + b, lambda a, b: b * a, lambda a, b: np.dot(a, b), lambda a, b: a @ b,
        lambda a, b: np.concatenate([a, b]), lambda a, b: np.where(a > 0, a, b),
        lambda a, b: np.array([a, b]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("traced", [False, True])
def test_arrays_of_host_and_device_do_not_mix(operation, traced, cp):
    a = cp.asarray(v)
    with pytest.raises(TypeError):
        if traced:
            grad(lambda a: np.sum(operation(a, w)))(a)
        else:
            operation(a, w)


def test_einsum_of_both_raises_when_traced(cp):
    """Untraced it is CuPy's, which copies."""
    with pytest.raises(TypeError, match="host"):
        grad(lambda a: np.einsum("i,i", a, w))(cp.asarray(v))


def test_writing_into_a_constant_array_a_traced_value_raises(cp):
    def into(a):
        constant = cp.asarray(w)
        constant += a
        return np.sum(constant)

    def assigned(a):
        constant = cp.asarray(w)
        constant[0] = a[0]
        return np.sum(constant)

    for f in (into, assigned):
        with pytest.raises(TypeError):
            grad(f)(cp.asarray(v))


def test_order_of_memory_is_refused(cp):
    """What reshape(order="A") does depends on how an array lies in memory, in CuPy as in NumPy."""
    with pytest.raises(NotImplementedError, match="order='A'"):
        grad(lambda a: np.sum(np.reshape(a, (4, 3), order="A")))(cp.asarray(X))


# ---- all of autograd's table ------------------------------------------------------------------


class _Recorder(Node):
    """Notes the functions that are met."""

    seen: set = set()

    def __init__(self, value, fun, args, kwargs, parent_argnums, parents):
        self.seen.add(fun)

    def initialize_root(self):
        pass


def test_every_function_of_autograds_is_tested_or_known_to_be_lacking():
    for function, arguments in (FUNCTIONS | BEYOND_AUTOGRAD).values():
        for i in range(len(arguments)):

            def of_one(a, i=i, function=function, arguments=arguments):
                return function(*arguments[:i], a, *arguments[i + 1 :])

            trace(_Recorder.new_root(), of_one, arguments[i])
    table = {
        f: n
        for space in (np, la, fft, special)
        for n, f in vars(space).items()
        if callable(f) and f in primitive_vjps
    }
    helpers = {"array_from_args", "truncate_pad"}  # of rules, and of arrays of the host
    helpers |= {"gammasgn"}  # constant
    untested = {n for f, n in table.items() if f not in _Recorder.seen} - helpers
    lacking = {n for n in LACKING if getattr(np, n, getattr(special, n, None)) in table}
    assert lacking == set(LACKING)
    aliases = {table[getattr(np, n, getattr(special, n, None))] for n in LACKING}
    assert untested - aliases == set()
