"""What code on SciPy asks of traced arrays, and autograd leaves out."""

from __future__ import annotations

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, make_jvp

import scipygrad.sparse as sp
from scipygrad.testing import check_op

x = onp.array([0.7, -1.3, 2.1, 0.4])
y = onp.array([1.5, 0.2, -0.6, 1.1])
z = x + 1j * y
M = onp.array([[1.0, 2.0, 0.5, -1.0], [0.3, -2.0, 1.0, 4.0], [2.0, 0.1, 3.0, 1.0]])
A = sp.csr_matrix(M)


def inside(f, x=x):
    """What f gives while x is traced."""
    kept = []
    grad(lambda x: (kept.append(f(x)), np.sum(np.real(x)))[1])(x)
    return kept[0]


FUNCTIONS = {
    "asarray": lambda x: np.asarray(x) * x,
    "asarray of a list": lambda x: np.asarray([x[0] * x[1], 2.0, x[2]]),
    "asarray of np.matrix": lambda x: np.asarray((A @ sp.diags(x)).sum(axis=1)).ravel() ** 2,
    "asarray to complex": lambda x: np.asarray(x, dtype=complex) * (1 + 2j) * x,
    "asanyarray": lambda x: np.asanyarray(x) ** 2,
    "ascontiguousarray": lambda x: np.ascontiguousarray(x.T) ** 2,
    "asfortranarray": lambda x: np.asfortranarray(x) ** 2,
    "copy": lambda x: np.copy(x) * x.copy(),
    "bincount": lambda x: np.bincount(onp.array([1, 4, 1, 0]), weights=x**2, minlength=6),
    "repeat": lambda x: np.repeat(x**2, onp.array([2, 0, 1, 3])) * x.repeat([1, 2, 3, 0]),
    "repeat of rows": lambda x: np.repeat(x[:, None] * x[:2], [1, 0, 2, 1], axis=0),
    "repeat of columns": lambda x: np.repeat(x[:, None] * x[:2], [3, 1], axis=-1),
    "repeat of all": lambda x: np.repeat(np.reshape(x, (2, 2)), [1, 0, 2, 1]) * x.repeat(2)[:4],
    "take": lambda x: np.take(x**2, [0, 2, 2]) * x.take([[1], [0]]),
    "take of rows": lambda x: np.take(x[:, None] * x[:2], [3, 0], axis=0, mode="wrap"),
    "flip": lambda x: np.flip(x) * x + np.flip(x[:, None] * x[:2], axis=0)[:, 1],
    "delete": lambda x: np.delete(x**2, [1, 3]) * np.delete(x, slice(2)),
    "full_like": lambda x: np.full_like(x, x[1] ** 2) * x,
    "pad": lambda x: np.pad(x**2, 1) * np.pad(x, (0, 2)),
    "vdot": lambda x: np.vdot(x * (1 + 1j), x**2),
    "dot": lambda x: x.dot(x) + x.dot(y) * M.dot(y).sum(),
    "conj": lambda x: (x * (1 + 2j)).conj() * x + (1j * x).conjugate(),
    "real": lambda x: (x * (1 + 2j) * x).real + (x * (1 + 2j)).imag,
    "item": lambda x: x[:1].item() * x.item(2) * np.reshape(x, (2, 2)).item((1, 0)),
    "tolist": lambda x: np.array([a * b for a, b in np.reshape(x, (2, 2)).tolist()]),
    "flat": lambda x: sum(k * v for k, v in enumerate((x * x[:, None]).flat)),
    "diagonal": lambda x: (x * x[:3, None]).diagonal() + (x[:, None] * x[:3]).diagonal(-1),
    "astype": lambda x: x.astype(complex) * (1 + 2j) * x,
    "+": lambda x: +x * +x[0],
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives(name):
    check_op(FUNCTIONS[name], x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_is_numpys(name):
    untraced = FUNCTIONS[name](x)
    traced = inside(FUNCTIONS[name])
    assert np.shape(traced) == onp.shape(untraced)
    assert np.result_type(traced) == onp.result_type(untraced)
    onp.testing.assert_allclose(traced._value, untraced, rtol=1e-14)


@pytest.mark.parametrize("name", ["conj", "vdot", "real", "dot"])
def test_derivatives_at_complex_numbers(name):
    check_op(FUNCTIONS[name], z)


# ---- whole numbers ---------------------------------------------------------------------------

WHOLE = {
    "astype": lambda x: x.astype(int),
    "asarray": lambda x: np.asarray(x, dtype=int),
    "array": lambda x: np.array(x, dtype=np.int64),
    "bool": lambda x: x.astype(bool),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_are_plain(name):
    found = inside(WHOLE[name])
    assert type(found) is onp.ndarray
    onp.testing.assert_array_equal(found, WHOLE[name](x))


@pytest.mark.parametrize("name", WHOLE)
def test_a_staircase_has_no_slope(name):
    g = grad(lambda x: np.sum(WHOLE[name](3 * x) * x))(x)
    onp.testing.assert_array_equal(g, WHOLE[name](3 * x))


# ---- np.matrix -------------------------------------------------------------------------------

matrix = A.todense()
BESIDE = {
    "M * column": lambda x: matrix * x[:, None],
    "row * M": lambda x: x[None, :3] * matrix,
    "vector * M": lambda x: x[:3] * matrix,
    "M * number": lambda x: matrix * x[0] + x[1] * matrix,
    "M @ vector": lambda x: matrix @ x,
    "vector @ M": lambda x: x[:3] @ matrix,
    "M / vector": lambda x: matrix / x,
    "column / column": lambda x: x[:3, None] / matrix[:, 0],
    "sums of a constant": lambda x: (A @ x)[:, None] / A.sum(axis=1),
    "M + vector": lambda x: (matrix + x) - (x - matrix) / 3,
    "traced * M": lambda x: sp.diags(x).todense() * matrix.T,
    "M * traced": lambda x: matrix * sp.diags(x).todense(),
    "traced @ vector": lambda x: sp.diags(x).todense() @ y,
    "dot": lambda x: sp.diags(x).todense().dot(matrix.T),
}


@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_beside_an_npmatrix(name):
    f = BESIDE[name]
    traced, untraced = inside(f), f(x)
    assert isinstance(untraced, onp.matrix)
    assert traced.shape == untraced.shape
    assert hasattr(traced, "A1")
    onp.testing.assert_allclose(traced._value, onp.asarray(untraced), rtol=1e-14)
    check_op(lambda x: np.asarray(f(x)) ** 2, x)


METHODS = {
    "mean": lambda M: M - M.mean(axis=1),
    "max": lambda M: M / M.max(0),
    "min": lambda M: M - M.min(axis=-1),
    "std": lambda M: M.std(1) * M.var(0),
    "prod": lambda M: M.prod(0),
    "all": lambda M: M.mean() + M.max() * M.sum() * M,
    "conj": lambda M: M.conj() * M[:, 0],
    "real": lambda M: M.real * M[:, 1] + M.imag * M[:, 0],
    "transpose": lambda M: M.transpose() * M,
    "reshape": lambda M: M.reshape(1, -1) * M.reshape((-1, 1)),
    "diagonal": lambda M: M.diagonal() * M,
    "squeeze": lambda M: M[0].squeeze() * M,
    "astype": lambda M: M.astype(complex) * M,
    "cumsum": lambda M: M.cumsum(0) * M + M.cumsum()[0, -1] * M,
    "clip": lambda M: M.clip(-0.5, 1.0) * M,
    "copy": lambda M: M.copy() * +M,
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_methods_of_a_traced_npmatrix(name):
    K = M[:, :3] + onp.diag([0.1, 0.2, 0.4])
    f = METHODS[name]
    found, expected = [], f((sp.csr_matrix(K) * x[0]).todense())
    grad(lambda x: (found.append(f((sp.csr_matrix(K) * x[0]).todense())), x[0])[1])(x)
    assert found[0].shape == onp.shape(expected)
    assert hasattr(found[0], "A1") == isinstance(expected, onp.matrix)
    onp.testing.assert_allclose(found[0]._value, onp.asarray(expected), rtol=1e-14)
    A, B = sp.csr_matrix(K), sp.csr_matrix(K.T)
    check_op(lambda x: np.asarray(f((A @ sp.diags(x[:3]) + B).todense())), x)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_functions_of_an_npmatrix_say_what_to_do():
    with pytest.raises(TypeError, match=r"pass np\.asarray\(M\)"):
        grad(lambda x: np.sum(np.multiply(matrix, x)))(x)


# ---- what cannot be --------------------------------------------------------------------------


def test_assignment_says_what_to_do():
    def f(x):
        x[0] = 1.0

    with pytest.raises(TypeError, match=r"item assignment.*np\.where\(mask, value, x\)"):
        grad(f)(x)


def test_add_at_says_what_to_do():
    def f(x):
        out = np.zeros(3)
        np.add.at(out, onp.array([0, 1, 1, 2]), x)
        return out.sum()

    with pytest.raises(TypeError, match=r"np\.bincount\(i, v"):
        grad(f)(x)


def test_an_array_of_objects_is_announced():
    K, long = onp.ones((2, 200)), onp.linspace(0.0, 1.0, 200)
    with pytest.warns(UserWarning, match=r"write K @ x or np\.dot\(K, x\)"):
        g = grad(lambda x: K.dot(x).sum())(long)
    onp.testing.assert_array_equal(g, 2 * onp.ones(200))


def test_dot_of_a_sparse_operand_raises():
    """Without a trace, NumPy makes an array of sparse matrices of it."""
    with pytest.raises(NotImplementedError, match=r"numpy\.dot"):
        grad(lambda x: x.dot(A.T).sum())(x)


def test_complex_weights_of_bincount_are_refused_as_by_numpy():
    with pytest.raises(TypeError, match="Cannot cast"):
        grad(lambda x: np.bincount(onp.array([0, 1, 1, 0]), x * 1j).sum())(x)


def test_lengths_of_bincount_have_to_agree():
    with pytest.raises(ValueError, match="same length"):
        grad(lambda x: np.bincount(onp.array([0, 1]), x).sum())(x)


# ---- names and texts -------------------------------------------------------------------------


def test_numpys_names_are_there():
    assert np.s_[1:3] == slice(1, 3)
    assert np.mgrid[:2, :3].shape == (2, 2, 3)
    out = np.zeros(3)
    np.add.at(out, [0, 0, 2], 1.0)
    np.testing.assert_array_equal(out, [2, 0, 1])
    assert np.logical_or.reduce([False, True])


def test_a_number_is_formatted_as_its_value():
    assert inside(lambda x: f"{x[0]:.2e} {np.sum(x):5.1f} {x[1] * 2:.3g}") == "7.00e-01   1.9 -2.6"


@pytest.mark.parametrize("name", ["solve", "inv", "det"])
def test_forward_mode_of_small_dense_systems(name):
    K = M[:, :3] + 3 * onp.eye(3)
    f = {
        "solve": lambda K: np.linalg.solve(K, K[0] ** 2),
        "inv": np.linalg.inv,
        "det": np.linalg.det,
    }[name]
    check_op(f, K)
    assert make_jvp(f)(K)(K)[1] is not None
