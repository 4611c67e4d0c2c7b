"""lsqr and lsmr: tall, wide and square, damped and not, real and complex."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_jvp, make_vjp
from cases import numbers, stored

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.testing import check_op

METHODS = ("lsqr", "lsmr")
SHAPES = ((8, 4), (4, 7), (5, 5))
TALL, WIDE, SQUARE = SHAPES


def problem(shape, dtype="float64"):
    """A matrix of full rank, not square in general; b is not in its range."""
    rng = onp.random.default_rng(5)
    D = numbers(shape, dtype, 0)
    D[rng.random(shape) < 0.4] = 0
    k = onp.arange(min(shape))
    D[k, k] = 4 + k
    A = sp.csr_array(sp.coo_array(D))
    A.data[2] = 0  # an explicit zero
    return A, numbers(shape[0], dtype, 2), numbers(shape[1], dtype, 3)


def tight(name):
    limit = {"iter_lim" if name == "lsqr" else "maxiter": 200}
    return {"atol": 1e-15, "btol": 1e-15, "conlim": 0} | limit


def solution(name, result=0, **options):
    def fun(A, b, **more):
        return getattr(spla, name)(A, b, **(tight(name) | options | more))[result]

    return fun


def dense(A, b, damp=0.0):
    """The same by autograd's own rules for dense matrices."""
    m, n = A.shape
    H = np.conj(np.transpose(A))
    if m >= n or damp:
        return np.linalg.solve(np.dot(H, A) + damp**2 * np.eye(n), np.dot(H, b))
    return np.dot(H, np.linalg.solve(np.dot(A, H), b))


def loss(x):
    return np.sum(np.abs(x) ** 2 * np.arange(1, len(x) + 1))


# ---- derivatives -----------------------------------------------------------------------------


@pytest.mark.parametrize("damp", [0.0, 0.7])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", METHODS)
def test_derivatives_of_both_orders_and_modes(name, shape, damp):
    A, b, _ = problem(shape, "complex128")
    check_op(solution(name, damp=damp), A, b)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("damp", [0.0, 0.7])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", METHODS)
def test_gradients_agree_with_the_normal_equations(name, shape, damp, dtype):
    A, b, _ = problem(shape, dtype)
    e, k = grad(lambda D, b: loss(dense(D, b, damp)), (0, 1))(A.toarray(), b)
    for kind in (lambda A: A.tobsr(), spla.aslinearoperator):
        g, h = grad(lambda A, b, kind=kind: loss(solution(name, damp=damp)(kind(A), b=b)), (0, 1))(
            A, b
        )
        onp.testing.assert_allclose(g.toarray(), e * stored(A), rtol=1e-8, atol=1e-10)
        onp.testing.assert_allclose(h, k, rtol=1e-8, atol=1e-12)
        assert type(g) is type(A) and g.dtype == A.dtype
    g = grad(lambda D: loss(solution(name, damp=damp)(D, b)))(A.toarray())
    onp.testing.assert_allclose(g, e, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", [TALL, WIDE])
@pytest.mark.parametrize("name", METHODS)
def test_derivative_in_damp(name, shape):
    A, b, x0 = problem(shape, "complex128")
    check_op(lambda damp, x0: solution(name, damp=damp, x0=x0)(A, b), 0.7, x0)


@pytest.mark.parametrize("damp", [0.0, 0.7])
@pytest.mark.parametrize("name", METHODS)
def test_derivative_in_x0(name, damp):
    """The solution nearest x0, of a wide A; with damp, of any."""
    for shape in (WIDE, TALL) if damp else (WIDE,):
        A, b, x0 = problem(shape, "complex128")
        check_op(lambda A, x0, b=b: solution(name, damp=damp, x0=x0)(A, b), A, x0)


def test_x0_of_a_tall_matrix_does_not_matter():
    A, b, x0 = problem(TALL)
    g = grad(lambda x0: loss(solution("lsqr", x0=x0)(A, b)))(x0)
    onp.testing.assert_allclose(g, 0, atol=1e-12)


def operator(A):
    return spla.LinearOperator(
        A.shape, matvec=lambda v: A @ v, rmatvec=lambda v: np.conj(A.T @ np.conj(v)), dtype=A.dtype
    )


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_operator_with_traced_products(shape):
    A, b, _ = problem(shape, "complex128")
    check_op(lambda A, b: solution("lsqr", damp=0.3)(operator(A), b), A, b)
    check_op(lambda A: solution("lsmr")(operator(A), b), A)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # SciPy's lsmr on single precision
def test_float32_stays_float32(name, shape):
    A, b, _ = problem(shape, "float32")
    fun = solution(name, atol=1e-7, btol=1e-7)
    g, h = grad(lambda A, b: loss(fun(A, b)), (0, 1))(A, b)
    e, k = grad(lambda D, b: loss(dense(D, b)), (0, 1))(A.toarray().astype(float), b.astype(float))
    assert g.dtype == h.dtype == onp.float32
    onp.testing.assert_allclose(h, k, atol=1e-5 * abs(k).max())
    onp.testing.assert_allclose(g.toarray(), e * stored(A), atol=1e-5 * abs(e).max())


def test_real_matrix_and_complex_right_side():
    A, b = problem(TALL)[0], problem(TALL, "complex128")[1]
    check_op(solution("lsmr", damp=0.5), A, b)


def test_duplicates_have_a_derivative_each():
    A, b, _ = problem(TALL)
    C = A.tocoo()
    rows, columns = (onp.r_[i, i[:3]] for i in C.coords)
    data = onp.r_[C.data, 0.3, -0.2, 0.1]
    check_op(lambda v: solution("lsqr")(sp.coo_array((v, (rows, columns))), b), data)


def test_a_foreign_matrix():
    A, b, _ = problem(TALL)
    K = sps.csc_array(A)
    g, h = grad(lambda K, b: loss(spla.lsmr(K, b, **tight("lsmr"))[0]), (0, 1))(K, b)
    e, k = grad(lambda D, b: loss(dense(D, b)), (0, 1))(A.toarray(), b)
    assert type(g) is sps.csc_array
    onp.testing.assert_allclose(g.toarray(), e * stored(A), rtol=1e-8, atol=1e-10)
    h = grad(lambda b: loss(spla.lsmr(scipy_linalg.aslinearoperator(K), b, **tight("lsmr"))[0]))(b)
    onp.testing.assert_allclose(h, k, rtol=1e-8)


def test_column_right_side():
    A, b, _ = problem(TALL)
    check_op(lambda b: solution("lsqr")(A, b), b.reshape(-1, 1))


def test_the_residual_term_is_there():
    """Without it, the gradient of a tall problem is wrong by a term in b - A x."""
    A, b, _ = problem(TALL)
    x = onp.linalg.lstsq(A.toarray(), b, rcond=None)[0]
    w = onp.linalg.solve((A.T @ A).toarray(), x)
    s = b - A @ x
    g = grad(lambda A: 0.5 * np.sum(solution("lsqr")(A, b) ** 2))(A)
    expected = onp.outer(s, w) - onp.outer(A @ w, x)
    assert onp.linalg.norm(onp.outer(s, w) * stored(A)) > 0.1 * onp.linalg.norm(g.toarray())
    onp.testing.assert_allclose(g.toarray(), expected * stored(A), rtol=1e-9, atol=1e-11)


# ---- the other results -----------------------------------------------------------------------


@pytest.mark.parametrize("damp", [0.0, 0.7])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", METHODS)
def test_values_are_scipys(name, shape, damp):
    A, b, x0 = problem(shape)
    more = {"calc_var": True} if name == "lsqr" else {}
    for start in (None, x0):
        theirs = getattr(scipy_linalg, name)(A, b, damp=damp, x0=start, **more)
        results = []

        def f(b, start=start, results=results):
            results[:] = getattr(spla, name)(A, b, damp=damp, x0=start, **more)
            return results[0]

        make_vjp(f)(b)
        assert len(results) == len(theirs)
        onp.testing.assert_array_equal(scipygrad.detach(results[0]), theirs[0])
        for ours, expected in zip(results[1:], theirs[1:]):
            onp.testing.assert_allclose(scipygrad.detach(ours), expected, rtol=1e-14)


@pytest.mark.parametrize("damp", [0.0, 0.7])
@pytest.mark.parametrize("shape", [TALL, WIDE])
@pytest.mark.parametrize("name", METHODS)
def test_norms_are_differentiable(name, shape, damp):
    A, b, x0 = problem(shape, "complex128")
    consistent = shape == WIDE and not damp  # no residual, and so no derivative of its norm
    which = {"lsqr": [8] if consistent else [3, 4, 8], "lsmr": [7] if consistent else [3, 7]}[name]

    def fun(A, b, x0):
        result = getattr(spla, name)(A, b, damp=damp, x0=x0, **tight(name))
        return [result[i] for i in which]

    check_op(fun, A, b, x0, order=1)


def test_estimates_are_plain():
    A, b, _ = problem(TALL)

    def f(b):
        result = spla.lsqr(A, b, damp=0.1)
        assert all(type(result[i]) in (int, float, onp.float64) for i in (1, 2, 5, 6, 7))
        assert type(result[9]) is onp.ndarray
        return result[0]

    grad(lambda b: np.sum(f(b)))(b)


def test_negative_damp_is_what_scipy_makes_of_it():
    A, b, _ = problem(TALL)
    for name in METHODS:
        for damp in (-0.5, 0.0):
            value, _ = make_jvp(lambda b, n=name, d=damp: solution(n, damp=d)(A, b))(b)(b)
            onp.testing.assert_allclose(
                value, getattr(scipy_linalg, name)(A, b, damp=damp, **tight(name))[0], rtol=1e-14
            )
        check_op(solution(name, damp=-0.5), A, b)


# ---- accuracy, limits ------------------------------------------------------------------------


def test_default_tolerances_give_gradients_of_their_size():
    for shape in (TALL, WIDE):
        A, b, _ = problem(shape)
        g, h = grad(lambda A, b: loss(spla.lsqr(A, b)[0]), (0, 1))(A, b)
        e, k = grad(lambda D, b: loss(dense(D, b)), (0, 1))(A.toarray(), b)
        onp.testing.assert_allclose(g.toarray(), e * stored(A), atol=1e-4 * abs(e).max())
        onp.testing.assert_allclose(h, k, atol=1e-4 * abs(k).max())


def test_the_condition_of_a_is_not_squared():
    """With normal equations, a condition of 1e7 would leave no correct digit."""
    rng = onp.random.default_rng(3)
    U, V = (onp.linalg.qr(rng.standard_normal((k, k)))[0] for k in (8, 4))
    D = (U[:, :4] * onp.array([1, 0.5, 0.1, 1e-7])) @ V
    b = D @ rng.standard_normal(4)
    g = rng.standard_normal(4)
    vjp, _ = make_vjp(lambda b: spla.lsqr(D, b, **tight("lsqr"))[0])(b)
    onp.testing.assert_allclose(vjp(g), onp.linalg.pinv(D).T @ g, rtol=1e-6)


def test_derivative_that_does_not_converge_warns():
    A, b, _ = problem(TALL)
    for name, limit in (("lsqr", "iter_lim"), ("lsmr", "maxiter")):
        options = {"atol": 1e-13, "btol": 1e-13, limit: 1}
        vjp, x = make_vjp(lambda b, n=name, o=options: getattr(spla, n)(A, b, **o)[0])(b)
        with pytest.warns(scipygrad.AdjointConvergenceWarning, match=name):
            vjp(x)


@pytest.mark.parametrize("name", METHODS)
def test_a_matrix_that_is_not_of_full_rank_warns(name):
    A, b, _ = problem(TALL)
    A = sp.csr_array(onp.repeat(A.toarray()[:, :2], 2, axis=1))
    vjp, x = make_vjp(lambda A: getattr(spla, name)(A, b, atol=1e-10, btol=1e-10)[0])(A)
    with pytest.warns(scipygrad.AdjointConvergenceWarning, match="full rank"):
        vjp(numbers(4, "float64", 9))
    damped = {"damp": 0.3, "atol": 1e-14, "btol": 1e-14}
    check_op(lambda A: getattr(spla, name)(A, b, **damped)[0], A, order=1)  # has a derivative


def test_what_is_written_into_a_constant_matrix_afterwards_is_not_seen():
    A, b, _ = problem(TALL)
    k = grad(lambda b: loss(dense(A.toarray(), b)))(b)
    for M in (A.copy(), A.toarray()):
        vjp, x = make_vjp(lambda b, M=M: solution("lsqr")(M, b))(b)
        (M if isinstance(M, onp.ndarray) else M.data)[:] = 7.0
        onp.testing.assert_allclose(vjp(grad(loss)(x)), k, rtol=1e-9)


def test_bad_input_is_refused_as_by_scipy():
    A, b, x0 = problem(TALL)
    for name in METHODS:
        with pytest.raises(ValueError) as theirs:
            getattr(scipy_linalg, name)(A, b[:5])
        with pytest.raises(ValueError) as ours:
            make_vjp(lambda b, n=name: getattr(spla, n)(A, b)[0])(b[:5])
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("kind", ["ours", "SciPy's", "array"])
@pytest.mark.parametrize("shape", [TALL, WIDE])
@pytest.mark.parametrize("name", METHODS)
def test_what_is_written_into_the_argument_afterwards_is_not_seen(name, shape, kind):
    A, b, _ = problem(shape)
    A = {"ours": A, "SciPy's": scipygrad.to_scipy(A), "array": A.toarray()}[kind]
    vjp, x = make_vjp(lambda A: solution(name)(A, b))(A)
    want = scipygrad.to_scipy(vjp(x)) + 0.0
    A[0, 0] = 100.0
    A *= 3.0
    got = vjp(x)
    dense = [g.toarray() if sps.issparse(g) else g for g in (got, want)]
    onp.testing.assert_allclose(*dense, rtol=1e-9, atol=1e-12)
