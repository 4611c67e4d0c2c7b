"""`check_op` accepts right rules and finds every kind of wrong one, each by the check meant for it.

The rules are defined with autograd's own tools, as a user would define them.
"""

import doctest

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd.builtins import tuple as autograd_tuple
from autograd.extend import defjvp, defvjp, primitive
from autograd.test_util import check_grads
from autograd.tracer import getval

import scipygrad as sg
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad import testing
from scipygrad.testing import check_op

X = onp.array([0.3, -1.2, 2.0])
Z = X + 1j * onp.array([0.5, 0.25, -1.0])
DENSE = onp.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [-1.0, 0.5, 4.0]])
A = sp.csr_array(DENSE)
AC = sp.csr_array(DENSE * (1 + 0.5j))


def sine(f=onp.sin, vjp=np.cos, jvp=np.cos):
    """`f` with the derivatives `vjp` and `jvp`, all of them entry by entry."""
    op = primitive(f)
    defvjp(op, lambda ans, x: lambda g: g * vjp(x))
    defjvp(op, lambda t, ans, x: t * jvp(x))
    return op


def on_entries(vjp, cls=None):
    """The squared entries' sum of a sparse matrix, with `vjp(g, A)`; the JVP is right."""

    @primitive
    def op(A):
        return onp.sum(A.data**2)

    defvjp(op, lambda ans, A: lambda g: vjp(g, A))
    defjvp(op, lambda t, ans, A: np.sum(2 * A.data * t.data))
    return op


def fails(check, *args, **kwargs):
    with pytest.raises(AssertionError, match=f"^{check}: ") as info:
        check_op(*args, **kwargs)
    return str(info.value)


def test_docstring():
    found = doctest.DocTestFinder().find(testing.check_op, "check_op", globs={})
    assert found[0].examples
    for test in found:
        assert doctest.DocTestRunner().run(test).failed == 0


# ---- what is right ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [
        X,
        X.astype("f4"),
        Z,
        Z.astype("c8"),
        X[:0],
        0.5,
        onp.float32(0.5),
        0.5 + 0.25j,
        1e-9 * X,
        1e9 * X,
        onp.zeros(3),
    ],
)
def test_right_rule(x):
    check_op(sine(), x) if onp.max(onp.abs(x), initial=0) < 10 else check_op(lambda x: x**3, x)
    check_op(lambda x: 3 * x, x)
    check_op(lambda x: 1e-20 * x * x, x)


@pytest.mark.parametrize("format", ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"])
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
@pytest.mark.parametrize("module", [sp, sps])
def test_sparse_arguments(format, family, dtype, module):
    M = getattr(module, f"{format}_{family}")(DENSE.astype(dtype))
    x = X.astype(dtype)
    check_op(lambda M, x: np.sin(M @ x), M, x, reference=lambda M, x: onp.sin(M @ x))
    check_op(lambda M: M.power(2) if format not in ("dok", "lil") else M.multiply(M).tocsr(), M)


def test_real_part_of_complex():
    check_op(lambda A, z: np.real(np.conj(z) * (A @ z)), AC, Z)
    check_op(lambda A, x: np.abs(A @ x) ** 2, AC, X)  # complex in, real out, and a real argument


def test_nested_arguments_and_results():
    def fun(params, pair, scale=1.0):
        w, (b,) = params["w"], params["b"]
        M, c = pair
        y = scale * np.tanh(M @ w + b * c)
        return y, M * c, {"norm": np.sum(y**2)}, 3, [c * c]

    args = {"w": X, "b": [0.25]}, (A, 1.5)
    check_op(fun, *args, scale=0.7, reference=lambda *a, **k: fun(*a, **k))
    message = fails("JVP", lambda p, q: fun(p, q)[0] + sg.detach(p["b"][0]), *args)
    assert "in the direction of args[0]['b'][0]" in message


@pytest.mark.parametrize("modes", [("reverse",), ("forward",), ["forward", "reverse"]])
def test_modes(modes):
    check_op(lambda A, x: spla.spsolve(A.tocsc(), x), A, X, modes=modes)
    wrong_vjp, wrong_jvp = sine(vjp=lambda x: 1.001 * np.cos(x)), sine(jvp=np.sin)
    if "reverse" in modes:
        fails("adjoint" if "forward" in modes else "VJP", wrong_vjp, X, modes=modes)
    else:
        check_op(wrong_vjp, X, modes=modes)
    if "forward" in modes:
        fails("JVP", wrong_jvp, X, modes=modes)
    else:
        check_op(wrong_jvp, X, modes=modes, order=1)


def test_constant_function_and_unused_argument():
    check_op(lambda x, y: 2 * y, X, X)
    check_op(lambda x: onp.ones(3), X)
    check_op(lambda A, x: x * 1.0, A, X)


def test_other_seed():
    check_op(sine(), X, seed=5)


def test_usage_errors():
    with pytest.raises(TypeError, match=r"args\[1\] is of dtype int64"):
        check_op(lambda x, k: x**k, X, onp.array([1, 2, 3]))
    with pytest.raises(ValueError, match="modes"):
        check_op(sine(), X, modes=("backward",))
    with pytest.raises(ValueError, match="modes"):
        check_op(sine(), X, modes=())
    with pytest.raises(ValueError, match="order"):
        check_op(sine(), X, order=3)


def test_error_of_the_function_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        check_op(lambda x: x / 0 if 1 // 0 else x, X)


# ---- wrong numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1.0, 1e8])
@pytest.mark.parametrize("off", [1e-4, 1e-5])
def test_slightly_wrong(scale, off):
    def right(x):
        return scale * np.cos(x)

    def wrong(x):
        return (1 + off) * right(x)

    def f(x):
        return scale * onp.sin(x)

    check_op(sine(f, right, right), X)
    fails("adjoint", sine(f, wrong, right), X)
    fails("VJP", sine(f, wrong, right), X, modes=("reverse",))
    fails("JVP", sine(f, right, wrong), X)
    fails("JVP", sine(f, wrong, wrong), X)


def test_tiny_function_where_autograds_check_is_content():
    """A derivative wrong by all of its value, which is below an absolute tolerance."""
    op = sine(lambda x: 1e-8 * onp.sin(x), lambda x: 0 * x, lambda x: 0 * x)
    check_grads(op, modes=["rev", "fwd"], order=2)(X)
    fails("JVP", op, X)
    fails("VJP", op, X, modes=("reverse",))


def test_tiny_result_beside_a_large_one():
    wrong = sine(
        lambda x: 1e-8 * onp.sin(x), lambda x: 1e-8 * np.sin(x), lambda x: 1e-8 * np.cos(x)
    )
    fails("adjoint", lambda x: (1e3 * np.exp(x), wrong(x)), X)


def test_tiny_influence_beside_a_large_one():
    wrong = sine(vjp=np.sin)
    message = fails("adjoint", lambda x, y: 1e6 * x + wrong(y), X, X)
    assert "direction of args[1]" in message


def test_single_precision():
    check_op(sine(), X.astype("f4"))
    fails("JVP", sine(jvp=lambda x: 1.001 * np.cos(x)), X.astype("f4"))
    fails("adjoint", sine(vjp=lambda x: 1.001 * np.cos(x)), X.astype("f4"))


def test_conjugate_where_none_is_wanted():
    fails("adjoint", sine(vjp=lambda x: np.conj(np.cos(x))), Z)
    fails("JVP", sine(jvp=lambda x: np.conj(np.cos(x))), Z)
    fails("JVP", sine(vjp=lambda x: np.conj(np.cos(x)), jvp=lambda x: np.conj(np.cos(x))), Z)
    check_op(sine(vjp=lambda x: np.conj(np.cos(x)), jvp=lambda x: np.conj(np.cos(x))), X)


def product(vjp_matrix):
    op = primitive(lambda x: A @ x)
    defvjp(op, lambda ans, x: lambda g: vjp_matrix @ g)
    defjvp(op, lambda t, ans, x: A @ t)
    return op


def test_transpose_forgotten():
    check_op(product(A.T), X)
    fails("adjoint", product(A), X)
    fails("VJP", product(A), X, modes=("reverse",))


def test_vjp_right_jvp_wrong():
    fails("JVP", sine(jvp=np.sin), X)


def test_vjp_wrong_jvp_right():
    fails("adjoint", sine(vjp=np.sin), X)


def test_both_wrong_in_the_same_way():
    fails("JVP", sine(vjp=np.sin, jvp=np.sin), X)


def test_second_order_wrong():
    cut = sine(vjp=lambda x: np.cos(getval(x)))
    check_op(cut, X, order=1)
    fails("second order: JVP", cut, X)
    fails("second order: VJP", cut, X, modes=("reverse",))
    cut = sine(jvp=lambda x: np.cos(getval(x)))
    fails("second order: JVP", cut, X, modes=("forward",))


def test_rule_that_detaches_what_it_is_applied_to():
    """The rule of a solve that calls an untraced solver on its cotangent, say."""

    def rules(of_cotangent, of_tangent):
        op = primitive(onp.sin)
        defvjp(op, lambda ans, x: lambda g: of_cotangent(g) * np.cos(x))
        defjvp(op, lambda t, ans, x: of_tangent(t) * np.cos(x))
        return op

    def same(x):
        return x

    check_op(rules(same, same), X)
    fails("second order: JVP", rules(getval, same), X)
    fails("second order: JVP", rules(same, getval), X)
    tangent_cut = sine(jvp=lambda x: np.cos(getval(x)))
    check_op(tangent_cut, X, order=1)
    fails("second order: JVP", tangent_cut, X)


def test_second_order_wrong_for_a_sparse_matrix():
    right = on_entries(lambda g, A: 2 * g * A)
    check_op(right, A)
    cut = on_entries(lambda g, A: 2 * g * sg.detach(A))
    check_op(cut, A, order=1)
    fails("second order: JVP", cut, A)


def test_derivative_dropped():
    message = fails("JVP", lambda A, x: A @ sg.detach(x), A, X)
    assert "direction of args[1]" in message
    message = fails("VJP", lambda A, x: A @ sg.detach(x), A, X, modes=("reverse",))
    assert "direction of args[1]" in message
    fails("JVP", lambda A: onp.sum(sg.detach(A).data), A)


# ---- wrong structure -------------------------------------------------------------------------


def test_gradient_of_the_wrong_dtype():
    op = sine(vjp=lambda x: np.cos(x).astype("f8"))
    check_op(op, X, order=1)
    message = fails("gradient structure", op, X.astype("f4"))
    assert "args[0] has dtype float64, not float32" in message
    fails("gradient structure", lambda t: op(t[0]), (X.astype("f4"),))  # inside a container
    fails("gradient structure", lambda x, y: x * op(y), X, X.astype("f4"))
    wide = on_entries(lambda g, A: sp.csr_array((2.0 * A.data.astype("f8"), A.indices, A.indptr)))
    fails("gradient structure", wide, A.astype("f4"), order=1)


def test_gradient_of_the_wrong_shape():
    op = primitive(lambda x: onp.sum(x))
    defvjp(op, lambda ans, x: lambda g: g)
    defjvp(op, lambda t, ans, x: np.sum(t))
    assert "has shape (), not (3,)" in fails("gradient structure", op, X)


def test_dense_gradient_of_a_sparse_argument():
    op = on_entries(lambda g, A: 2 * g * A.toarray())
    assert "args[0] has class" in fails("gradient structure", op, A)
    fails("gradient structure", lambda A, x: op(A) * x, A, X)


def test_gradient_of_the_wrong_class():
    op = on_entries(lambda g, A: sp.csr_matrix(2 * g * A))
    fails("gradient structure", op, A)
    op = on_entries(lambda g, A: sps.csr_array(2 * g * A))
    fails("gradient structure", op, A)
    op = on_entries(lambda g, A: (2 * g * A).tocsc())
    fails("gradient structure", op, A)


def test_gradient_of_the_wrong_pattern():
    def dropped(g, A):
        G = 2 * g * A
        G.data[0] = 0
        G.eliminate_zeros()
        return G

    assert "index arrays" in fails("gradient structure", on_entries(dropped), A, order=1)

    def filled(g, A):
        return sp.csr_array(2 * g * A.toarray() + 1e-30)

    assert "index arrays" in fails("gradient structure", on_entries(filled), A, order=1)


def test_tangent_of_the_wrong_structure():
    op = sine(jvp=lambda x: np.cos(x)[:, None])
    fails("JVP", op, X)


def test_zero_cotangent():
    op = primitive(onp.sin)
    defvjp(op, lambda ans, x: lambda g: np.where(np.all(g == 0), 1e-300, g * np.cos(x)))
    defjvp(op, lambda t, ans, x: t * np.cos(x))
    fails("zero cotangent", op, X)

    def empty(g, A):
        return 2 * g * A if g else sp.csr_array(A.shape)

    assert "index arrays" in fails("zero cotangent", on_entries(empty), A)


# ---- wrong behaviour -------------------------------------------------------------------------


def test_argument_written_into():
    def f(x):
        y = onp.sin(x)
        x += 1
        return y

    assert "args[0] was modified" in fails("mutation", sine(f), X.copy())


@pytest.mark.parametrize("format", ["csr", "coo", "dia", "lil", "dok"])
def test_sparse_argument_written_into(format):
    @primitive
    def op(A):
        A[0, 0] = 5.0 if hasattr(A, "__setitem__") else A.data.fill(5.0)
        return 1.0

    @primitive
    def on_data(A):
        A.data[...] = 5.0
        return 1.0

    M = A.copy().asformat(format)
    message = fails("mutation", op if format in ("csr", "lil", "dok") else on_data, M)
    assert "args[0] was modified when the function was called" in message


def test_index_arrays_written_into():
    @primitive
    def op(A):
        A.sort_indices()
        return 1.0

    M = sp.csr_array((onp.array([1.0, 2.0]), onp.array([2, 0]), onp.array([0, 2])), shape=(1, 3))
    fails("mutation", lambda p: op(p["M"]), {"M": M})


def test_rule_that_writes_into_the_argument():
    op = primitive(onp.sin)

    def vjp(ans, x):
        def f(g):
            y = g * np.cos(x)
            getval(x)[0] += 1e-3
            return y

        return f

    defvjp(op, vjp)
    assert "in reverse mode" in fails("mutation", op, X.copy(), modes=("reverse",))


def test_rule_that_writes_into_the_cotangent():
    op = primitive(onp.sin)

    def vjp(ans, x):
        def f(g):
            y = g * np.cos(x)
            getval(g)[0] = 0
            return y

        return f

    defvjp(op, vjp)
    assert "cotangent" in fails("mutation", op, X, modes=("reverse",))


def test_value():
    fails("value", lambda x: x * onp.inf, X)
    fails("value", lambda x: x if isinstance(x, onp.ndarray) else x * 1.01, X)
    fails("value", lambda x: x if isinstance(x, onp.ndarray) else x[0], X)
    fails("value", lambda x: onp.argmax(getval(x)), X)


def test_reference():
    check_op(lambda A, x: A @ x, A, X, reference=lambda A, x: A @ x)

    def plain(A, x):
        assert type(A) is sps.csr_array
        return A @ x

    check_op(lambda A, x: A @ x, A, X, reference=plain)
    fails("reference", lambda A, x: A @ x, A, X, reference=lambda A, x: (1 + 1e-8) * (A @ x))
    fails("reference", lambda x: x, X, reference=lambda x: x[:, None])
    fails("reference", lambda x: x, X, reference=lambda x: x.astype("f4"))
    fails("reference", lambda x: x, X, reference=lambda x: (x, x))
    fails("reference", lambda x: (x, 3), X, reference=lambda x: (x, 4))


def test_result_is_autograds_own_tuple():
    check_op(lambda x: autograd_tuple((x, x * x)), X)
