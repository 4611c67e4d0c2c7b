"""autograd.numpy on the device: gradients of its functions are those on the host."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import make_jvp, make_vjp
from autograd.extend import vspace

import scipygrad
from scipygrad._core.device import on_device

_rng = onp.random.default_rng(0)
X, Y = _rng.uniform(0.2, 0.8, (2, 3, 4))
v, w = _rng.uniform(0.2, 0.8, (2, 5))
S = _rng.uniform(0.2, 0.8, (4, 4)) + 4 * onp.eye(4)
Z = X + 1j * Y
XXX = _rng.uniform(0.2, 0.8, (2, 3, 4))

UNARY = """abs sin cos tan exp log log1p expm1 sqrt square tanh sinh cosh arctan arcsin arccos
negative reciprocal exp2 log2 log10 sign""".split()
BINARY = "add subtract multiply divide power maximum minimum arctan2 logaddexp fmax fmin".split()

FUNCTIONS = {
    **{n: (lambda a, n=n: getattr(np, n)(a), (X,)) for n in UNARY},
    **{n: (lambda a, b, n=n: getattr(np, n)(a, b), (X, Y)) for n in BINARY},
    "sum": (lambda a: np.sum(a), (X,)),
    "sum over an axis": (lambda a: np.sum(a, axis=0), (X,)),
    "sum kept": (lambda a: np.sum(a, axis=1, keepdims=True) * a, (X,)),
    "sum over axes": (lambda a: np.sum(a, axis=(0, 2)), (XXX,)),
    "mean": (lambda a: np.mean(a, axis=1), (X,)),
    "prod": (lambda a: np.prod(a, axis=0), (X,)),
    "var": (lambda a: np.var(a), (X,)),
    "std": (lambda a: np.std(a, axis=0), (X,)),
    "max": (lambda a: np.max(a), (X,)),
    "min": (lambda a: np.min(a, axis=0), (X,)),
    "cumsum": (lambda a: np.cumsum(a), (v,)),
    "dot of vectors": (lambda a, b: np.dot(a, b), (v, w)),
    "dot of matrices": (lambda a, b: np.dot(a, b), (X, Y.T.copy())),
    "dot, matrix and vector": (lambda a, b: np.dot(a, b), (X, v[:4].copy())),
    "dot, vector and matrix": (lambda a, b: np.dot(a, b), (v[:3].copy(), X)),
    "dot, complex": (lambda a, b: np.dot(a, b), (Z, Z.T * 1j)),
    "matmul": (lambda a, b: a @ b, (X, Y.T.copy())),
    "matvec": (lambda a, b: a @ b, (X, v[:4].copy())),
    "vecmat": (lambda a, b: b @ a, (X, v[:3].copy())),
    "inner": (lambda a, b: np.inner(a, b), (v, w)),
    "inner of matrices": (lambda a, b: np.inner(a, b), (X, Y[:2].copy())),
    "outer": (lambda a, b: np.outer(a, b), (v, w)),
    "tensordot": (lambda a, b: np.tensordot(a, b), (X, Y)),
    "tensordot, one axis": (lambda a, b: np.tensordot(a, b, axes=1), (X, Y.T.copy())),
    "tensordot, axes": (lambda a, b: np.tensordot(a, b, axes=([2, 1], [1, 0])), (XXX, X)),
    "einsum": (lambda a, b: np.einsum("ij,kj->ik", a, b), (X, Y)),
    "einsum to a vector": (lambda a, b: np.einsum("ij,ij->i", a, b), (X, Y)),
    "kron": (lambda a, b: np.kron(a, b), (X, Y)),
    "reshape": (lambda a: np.reshape(a, (4, 3)), (X,)),
    "ravel": (lambda a: np.ravel(a), (X,)),
    "T": (lambda a: a.T, (X,)),
    "transpose": (lambda a: np.transpose(a, (2, 0, 1)), (XXX,)),
    "swapaxes": (lambda a: np.swapaxes(a, 0, 1), (X,)),
    "squeeze": (lambda a: np.squeeze(a[None]), (X,)),
    "expand_dims": (lambda a: np.expand_dims(a, 0), (X,)),
    "concatenate": (lambda a, b: np.concatenate([a, b], axis=1), (X, Y)),
    "stack": (lambda a, b: np.stack([a, b], axis=-1), (X, Y)),
    "hstack": (lambda a, b: np.hstack([a, b]), (X, Y)),
    "vstack": (lambda a, b: np.vstack([a, b]), (X, Y)),
    "column_stack": (lambda a, b: np.column_stack([a, b]), (v, w)),
    "append": (lambda a, b: np.append(a, b), (v, w)),
    "array of numbers": (lambda a: np.array([a[0], a[1] * 2, 3.0]), (v,)),
    "array of rows": (lambda a, b: np.array([a, b]), (v, w)),
    "tile": (lambda a: np.tile(a, (2, 1)), (X,)),
    "repeat": (lambda a: np.repeat(a, 2, axis=0), (X,)),
    "roll": (lambda a: np.roll(a, 1), (v,)),
    "sort": (lambda a: np.sort(a), (v,)),
    "where": (lambda a, b: np.where(a > b, a, b), (X, Y)),
    "clip": (lambda a: np.clip(a, 0.3, 0.6), (X,)),
    "diag": (lambda a: np.diag(a), (v,)),
    "diag of a matrix": (lambda a: np.diag(a), (S,)),
    "trace": (lambda a: np.trace(a), (S,)),
    "triu": (lambda a: np.triu(a), (S,)),
    "tril": (lambda a: np.tril(a), (S,)),
    "rows": (lambda a: a[1:], (X,)),
    "row": (lambda a: a[0], (X,)),
    "number": (lambda a: a[1, 2] * a, (X,)),
    "slices": (lambda a: a[::2, 1:3], (X,)),
    "broadcast": (lambda a, b: a * b, (X, v[:4].copy())),
    "constants": (lambda a: 2.0 * a - 1, (X,)),
    "real": (lambda a: np.real(a * 1j), (Z,)),
    "conj": (lambda a: np.conj(a), (Z,)),
    "abs, complex": (lambda a: np.abs(a), (Z,)),
    "angle": (lambda a: np.angle(a), (Z,)),
    "solve": (lambda a, b: np.linalg.solve(a, b), (S, v[:4].copy())),
    "inv": (lambda a: np.linalg.inv(a), (S,)),
    "det": (lambda a: np.linalg.det(a), (S,)),
    "norm": (lambda a: np.linalg.norm(a), (X,)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_vjp(name, cp):
    function, arguments = FUNCTIONS[name]
    vjp, value = make_vjp(lambda a: function(*a))(arguments)
    wanted = vjp(vspace(value).ones())
    vjp, value = make_vjp(lambda a: function(*a))(scipygrad.to_device(arguments))
    got = vjp(vspace(value).ones())
    for g, expected, x in zip(got, wanted, arguments):
        assert on_device(g) and g.dtype == expected.dtype and g.shape == x.shape
        onp.testing.assert_allclose(g.get(), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jvp(name, cp):
    function, arguments = FUNCTIONS[name]
    tangents = tuple(
        onp.cos(onp.arange(x.size)).reshape(x.shape).astype(x.dtype) for x in arguments
    )
    try:
        wanted = make_jvp(lambda a: function(*a))(arguments)(tangents)[1]
    except NotImplementedError:
        pytest.skip("autograd has no JVP of it")
    moved = scipygrad.to_device((arguments, tangents))
    got = make_jvp(lambda a: function(*a))(moved[0])(moved[1])[1]
    assert on_device(got)
    onp.testing.assert_allclose(got.get(), wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("index", [[0, 2, 2], [4, 1]])
def test_index_array(index, cp):
    """Places that are read twice get the sum of both."""
    weights = onp.arange(1.0, len(index) + 1)
    vjp, value = make_vjp(lambda a: a[cp.asarray(index)])(cp.asarray(v))
    wanted = onp.zeros(5)
    onp.add.at(wanted, index, weights)
    onp.testing.assert_array_equal(vjp(cp.asarray(weights)).get(), wanted)


def test_a_number_of_the_host_has_its_gradient_there(cp):
    vjp, value = make_vjp(lambda s: np.sum(s * cp.asarray(v)))(2.0)
    gradient = vjp(vspace(value).ones())
    assert not on_device(gradient)
    assert gradient == pytest.approx(v.sum(), rel=1e-15)


def test_second_derivative(cp):
    from autograd import grad, hessian_vector_product

    def loss(a):
        return np.sum(np.exp(a) * a)

    x, t = cp.asarray(v), cp.asarray(w)
    onp.testing.assert_allclose(
        hessian_vector_product(loss)(x, t).get(), onp.exp(v) * (2 + v) * w, rtol=1e-13
    )
    onp.testing.assert_allclose(grad(loss)(x).get(), onp.exp(v) * (1 + v), rtol=1e-13)
