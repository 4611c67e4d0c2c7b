"""Iterative solves: values and info are SciPy's, derivatives those of the solution."""

import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import numbers, regular, stored

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.testing import check_op

GENERAL = ("bicg", "bicgstab", "cgs", "gmres", "lgmres", "qmr", "tfqmr", "gcrotmk")
HERMITIAN = ("cg", "minres")
TIGHT = {"rtol": 1e-14}
N = 6


def problem(name, dtype="float64", seed=3):
    kind = "hermitian" if name in HERMITIAN else "general"
    return regular("csr", "array", dtype, n=N, seed=seed, kind=kind), numbers(N, dtype, 2)


def solver(name, **options):
    return lambda A, b: getattr(spla, name)(A, b, **(TIGHT | options))[0]


def dense_gradients(A, b):
    """Of loss(A⁻¹ b), by autograd's own rules for a dense matrix."""
    return grad(lambda D, b: loss(np.linalg.solve(D, b)), (0, 1))(A.toarray(), b)


def loss(x):
    return np.sum(np.abs(x) ** 2 * np.arange(1, len(x) + 1))


def operator(A, adjoint=True):
    """A, traced or not, as an operator made of functions."""
    return spla.LinearOperator(
        A.shape, dtype=A.dtype, matvec=lambda v: A @ v,
        rmatvec=(lambda v: np.conj(A.T @ np.conj(v))) if adjoint else None,
    )  # fmt: skip


# ---- derivatives -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERAL)
def test_derivatives_of_both_orders_and_modes(name):
    check_op(solver(name), *problem(name, "complex128"))


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("adjoint", [True, False], ids=["adjoint", "differentiated"])
def test_derivatives_through_an_operator(adjoint, dtype):
    solve = solver("gmres")
    check_op(lambda A, b: solve(operator(A, adjoint), b), *problem("gmres", dtype))


@pytest.mark.parametrize("name", GENERAL + HERMITIAN)
def test_gradients_agree_with_a_dense_solve(name):
    dtype = "float64" if name == "minres" else "complex128"  # SciPy's minres is for real numbers
    A, b = problem(name, dtype)
    e, k = dense_gradients(A, b)
    for M in (A, operator(A)):
        h = grad(lambda b, M=M: loss(solver(name)(M, b)))(b)
        onp.testing.assert_allclose(h, k, rtol=1e-9)
    for kind in (lambda A: A, operator, spla.aslinearoperator):
        g, h = grad(lambda A, b, kind=kind: loss(solver(name)(kind(A), b)), (0, 1))(A, b)
        onp.testing.assert_allclose(g.toarray(), e * stored(A), rtol=1e-8, atol=1e-10)
        onp.testing.assert_allclose(h, k, rtol=1e-8)
    g = grad(lambda D: loss(solver(name)(D, b)))(A.toarray())
    onp.testing.assert_allclose(g, e, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", HERMITIAN)
def test_hermitian_methods_to_second_order(name):
    """Parameters that keep A Hermitian: of the diagonal, and of the whole."""
    A, b = problem(name)

    def fun(d, s, b):
        return solver(name)(A * s + sp.diags_array(d), b)

    def matrix_free(d, s, b):
        op = spla.LinearOperator(A.shape, matvec=lambda v: s * (A @ v) + d * v, dtype=A.dtype)
        return solver(name)(op, b)

    d = abs(numbers(N, "float64", 8))
    check_op(fun, d, 1.3, b)
    check_op(lambda d: matrix_free(d, 1.3, b), d)


def test_cg_of_a_complex_operator():
    A, b = problem("cg", "complex128")
    d = abs(numbers(N, "float64", 8))
    f = solver("cg")
    check_op(lambda d, b: f(operator(A + sp.diags_array(d), adjoint=False), b), d, b)


@pytest.mark.parametrize("name", ["cg", "gmres"])
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_formats(format, family, name):
    A, b = problem(name)
    B = getattr(sp, f"{format}_{family}")(A)
    e, k = dense_gradients(A, b)
    g, h = grad(lambda B, b: loss(getattr(spla, name)(B, b=b, **TIGHT)[0]), (0, 1))(B, b)
    onp.testing.assert_allclose(g.toarray(), e * stored(B), rtol=1e-9, atol=1e-11)
    onp.testing.assert_allclose(h, k, rtol=1e-9)
    assert type(g) is type(B)
    value = make_vjp(lambda b: getattr(spla, name)(B, b)[0])(b)[1]
    onp.testing.assert_array_equal(value, getattr(scipy_linalg, name)(B, b)[0])


def test_duplicates_have_a_derivative_each():
    _, b = problem("gmres")
    rows = onp.r_[onp.arange(N), onp.arange(N - 1), 0]
    columns = onp.r_[onp.arange(N), onp.arange(1, N), 0]
    v = onp.r_[3.0 + onp.arange(N), numbers(N - 1, "float64", 4), 1.5]
    check_op(lambda v, b: solver("gmres")(sp.coo_array((v, (rows, columns))), b), v, b)


@pytest.mark.parametrize("name", GENERAL + HERMITIAN)
def test_float32_stays_float32(name):
    A, b = problem(name, "float32")
    g, h = grad(lambda A, b: loss(getattr(spla, name)(A, b)[0]), (0, 1))(A, b)
    assert g.dtype == h.dtype == onp.float32
    e, k = dense_gradients(A.astype(float), b.astype(float))
    scale = 1e-2 * abs(k).max()  # what the default rtol=1e-5 leaves, times the condition
    onp.testing.assert_allclose(h, k, atol=scale)
    onp.testing.assert_allclose(g.toarray(), e * stored(A), atol=1e-2 * abs(e).max())


def test_real_matrix_and_complex_right_side():
    A, b = problem("gmres")[0], problem("gmres", "complex128")[1]
    check_op(solver("gmres"), A, b)
    check_op(solver("bicgstab"), problem("gmres", "complex128")[0], b.real.copy())


def test_integer_matrix_as_constant():
    A = sp.csr_array(onp.array([[4, 1, 0], [0, 5, 2], [1, 0, 3]]))
    b = numbers(3, "float64", 2)
    for kind in (lambda A: A, spla.aslinearoperator, lambda A: A.toarray()):
        h = grad(lambda b, kind=kind: loss(spla.gmres(kind(A), b, **TIGHT)[0]))(b)
        onp.testing.assert_allclose(h, dense_gradients(A.astype(float), b)[1], rtol=1e-10)


def test_column_right_side():
    A, b = problem("bicgstab")
    check_op(solver("bicgstab"), A, b.reshape(-1, 1))
    check_op(lambda A, b: solver("bicgstab")(operator(A), b), A, b.reshape(-1, 1))


def test_a_foreign_matrix_and_a_foreign_operator():
    A, b = problem("gmres")
    K = sps.csr_array(A)
    k = dense_gradients(A, b)[1]
    for M in (K, K.todia(), scipy_linalg.aslinearoperator(K)):
        h = grad(lambda b, M=M: loss(spla.gmres(M, b, **TIGHT)[0]))(b)
        onp.testing.assert_allclose(h, k, rtol=1e-10)
    g = grad(lambda K: loss(spla.gmres(K, b, **TIGHT)[0]))(K)
    assert type(g) is sps.csr_array
    onp.testing.assert_allclose(g.toarray(), dense_gradients(A, b)[0] * stored(A), rtol=1e-9)


def test_operator_that_is_traced_while_the_rest_is_constant():
    A, b = problem("gmres")
    d = numbers(N, "float64", 5) + 4

    def fun(d):
        L = spla.LinearOperator((N, N), matvec=lambda v: A @ v + d * v)
        return spla.gmres(L, b, **TIGHT)[0]

    check_op(fun, d)


def test_third_order():
    A, b = problem("bicgstab")

    def along(s):
        op = spla.LinearOperator((N, N), matvec=lambda v: A @ v + s**2 * v, dtype=float)
        return np.sum(spla.bicgstab(op, b * s, **TIGHT)[0] ** 2)

    def dense(s):
        return np.sum(np.linalg.solve(A.toarray() + s**2 * np.eye(N), b * s) ** 2)

    onp.testing.assert_allclose(
        grad(grad(grad(along)))(1.2), grad(grad(grad(dense)))(1.2), rtol=1e-8
    )


def test_forward_over_reverse():
    A, b = problem("gmres")
    V = A * 0.3

    def f(A):
        return loss(spla.gmres(operator(A), b, **TIGHT)[0])

    def dense(D):
        return loss(np.linalg.solve(D, b))

    h = make_jvp(grad(f))(A)(V)[1]
    e = hessian_vector_product(dense)(A.toarray(), V.toarray())
    onp.testing.assert_allclose(h.toarray(), e * stored(A), rtol=1e-8, atol=1e-10)


def test_a_field_that_reaches_the_absorbing_layer():
    """Complex symmetric, clearly not Hermitian; sampled finely, so that no conjugate is hidden."""
    n, h, k = 60, 0.1, 3.0
    depth = onp.clip(onp.r_[onp.arange(12, 0, -1), onp.zeros(n - 24), onp.arange(1, 13)] / 12, 0, 1)
    stretch = 1 + 4j * depth**2
    face = 2 / (stretch[1:] + stretch[:-1]) / h**2
    K = sp.diags_array([face, face], offsets=[-1, 1]).tocsr()
    K = K - sp.diags_array(onp.r_[0, face] + onp.r_[face, 0])
    source = onp.zeros(n)
    source[20] = 1 / h

    def power(eps, solve):
        return np.sum(np.abs(solve(K + sp.diags_array(k**2 * stretch * eps), source)[40:]) ** 2)

    eps = 1 + 0.3 * abs(numbers(n, "float64", 1))
    g = grad(power)(eps, lambda A, b: spla.gmres(A, b, rtol=1e-12, restart=n)[0])
    e = grad(power)(eps, lambda A, b: np.linalg.solve(A.toarray(), b))
    onp.testing.assert_allclose(g, e, rtol=1e-6, atol=1e-8 * abs(e).max())


# ---- preconditioners -------------------------------------------------------------------------


def preconditioner(A):
    """Clearly not symmetric, close to A⁻¹."""
    return sp.csr_array(onp.linalg.inv(A.toarray()) * 1.1 + 0.01 * onp.arange(N))


@pytest.mark.parametrize("kind", ["matrix", "dense", "operator", "ours"])
@pytest.mark.parametrize("name", ["bicg", "bicgstab", "cgs", "gmres", "lgmres", "gcrotmk"])
def test_the_transposed_preconditioner_serves_the_adjoint(name, kind):
    A, b = problem(name, "complex128")
    P = preconditioner(A)
    M = {
        "matrix": P, "dense": P.toarray(), "operator": scipy_linalg.aslinearoperator(P),
        "ours": operator(P, adjoint=name == "bicg"),  # bicg itself needs the adjoint
    }[kind]  # fmt: skip
    g, h = grad(lambda A, b: loss(solver(name, M=M, maxiter=20)(A, b)), (0, 1))(A, b)
    e, k = dense_gradients(A, b)
    onp.testing.assert_allclose(g.toarray(), e * stored(A), rtol=1e-8, atol=1e-10)
    onp.testing.assert_allclose(h, k, rtol=1e-8)


def test_a_good_preconditioner_makes_the_adjoint_as_short_as_the_forward():
    A, b = problem("bicgstab", "complex128")
    exact = sp.csr_array(onp.linalg.inv(A.toarray()))
    h = grad(lambda b: loss(spla.bicgstab(A, b, M=exact, maxiter=2, rtol=1e-10)[0]))(b)
    onp.testing.assert_allclose(h, dense_gradients(A, b)[1], rtol=1e-8)


def test_qmr_with_both_preconditioners():
    A, b = problem("qmr", "complex128")
    M1, M2 = (spla.aslinearoperator(sp.diags_array(d)) for d in (1 / A.diagonal(), 1 + b / 9))
    check_op(solver("qmr", M1=M1, M2=M2), A, b)


def test_incomplete_factors_as_preconditioner():
    A, b = problem("gmres")
    M = spla.LinearOperator(A.shape, spla.spilu(A.tocsc()).solve)
    check_op(solver("gmres", M=M), A, b)


def test_preconditioner_and_guess_have_no_derivative():
    A, b = problem("bicgstab")

    def f(A, b):
        M = spla.LinearOperator(A.shape, matvec=lambda v: v / A.diagonal(), dtype=float)
        x, info = spla.bicgstab(A, b, x0=b * 0.1, M=M, rtol=1e-13)
        assert info == 0
        return loss(x)

    g, h = grad(f, (0, 1))(A, b)
    e, k = dense_gradients(A, b)
    onp.testing.assert_allclose(g.toarray(), e * stored(A), rtol=1e-8, atol=1e-10)
    onp.testing.assert_allclose(h, k, rtol=1e-8)


def test_only_guess_or_preconditioner_traced_gives_plain_values():
    A, b = problem("gmres")
    M = spla.LinearOperator(A.shape, matvec=lambda v: v * 0.2)
    results = []

    def f(x):
        results.append(spla.gmres(A, b, x0=x)[0])
        results.append(spla.gmres(A, b, M=spla.LinearOperator(A.shape, lambda v: 0.2 * v * x))[0])
        results.append(spla.gmres(A, b, M=M)[0])
        return np.sum(x)

    grad(f)(onp.ones(N))
    assert [type(x) for x in results] == [onp.ndarray] * 3
    onp.testing.assert_array_equal(results[1], results[2])


def test_preconditioner_without_a_transpose_raises_with_advice():
    A, b = problem("gmres")
    M = scipy_linalg.LinearOperator(A.shape, matvec=lambda v: onp.asarray(v) * 0.2, dtype=float)
    vjp, x = make_vjp(lambda b: spla.gmres(A, b, M=M)[0])(b)
    with pytest.raises(NotImplementedError, match="rmatvec"):
        vjp(x)
    make_jvp(lambda b: spla.gmres(A, b, M=M)[0])(b)(b)  # needs no transpose


def test_multigrid_as_preconditioner():
    pyamg = pytest.importorskip("pyamg")
    A = sp.csr_array(pyamg.gallery.poisson((12, 12), format="csr"))
    b = numbers(144, "float64", 3)
    M = pyamg.smoothed_aggregation_solver(sps.csr_array(A)).aspreconditioner()
    g = grad(lambda b: loss(spla.cg(A, b, M=M, rtol=1e-12, maxiter=30)[0]))(b)
    onp.testing.assert_allclose(g, dense_gradients(A, b)[1], rtol=1e-6)


def test_tfqmr_with_a_preconditioner_that_changes_its_result_raises():
    A, b = problem("tfqmr")
    M = sp.diags_array(1 / A.diagonal())
    x, info = scipy_linalg.tfqmr(A, b, M=M, rtol=1e-12)
    wrong = onp.linalg.norm(A @ x - b) > 0.1 and info == 0  # if not, SciPy has mended it
    if wrong:
        with pytest.raises(NotImplementedError, match="commute"):
            grad(lambda b: loss(spla.tfqmr(A, b, M=M, rtol=1e-12)[0]))(b)
    check_op(solver("tfqmr", M=sp.eye_array(N) * 0.2), A, b)


# ---- options, info, convergence --------------------------------------------------------------


@pytest.mark.parametrize("name", GENERAL + HERMITIAN)
def test_value_info_and_callback_are_scipys(name):
    A, b = problem(name)
    options = {"maxiter": 2, "rtol": 1e-12, "x0": onp.ones(N)}
    if name == "gmres":
        options |= {"restart": 2, "callback_type": "pr_norm"}
    calls, theirs = [], []
    expected = getattr(scipy_linalg, name)(A, b, callback=theirs.append, **options)
    result = []

    def f(A, b):
        result[:] = getattr(spla, name)(A, b, callback=calls.append, **options)
        return result[0]

    for kind in (lambda A: A, operator):
        calls.clear()
        x = make_vjp(lambda A, kind=kind: f(kind(A), b))(A)[1]
        assert result[1] == expected[1] and type(result[1]) is type(expected[1])
        onp.testing.assert_allclose(x, expected[0], rtol=1e-12)
        onp.testing.assert_allclose(calls, theirs, rtol=1e-9)


@pytest.mark.parametrize("name", GENERAL + HERMITIAN)
def test_adjoint_that_does_not_converge_warns(name):
    A, b = problem(name)
    options = {"restart": 1} if name == "gmres" else {}
    if name in ("lgmres", "gcrotmk"):
        options = {"inner_m" if name == "lgmres" else "m": 1}
    vjp, x = make_vjp(lambda b: getattr(spla, name)(A, b, maxiter=1, rtol=1e-13, **options)[0])(b)
    with pytest.warns(scipygrad.AdjointConvergenceWarning, match=f"{name}.*maxiter"):
        vjp(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error", scipygrad.AdjointConvergenceWarning)
        with pytest.raises(scipygrad.AdjointConvergenceWarning):
            vjp(x)


def test_forward_that_does_not_converge_is_told_by_info():
    """The derivative is that of the exact solution, as far as the adjoint converges."""
    A, b = problem("cg")
    vjp, _ = make_vjp(lambda b: spla.cg(A, b, maxiter=1, atol=1e3)[0])(b)
    assert onp.isfinite(vjp(b)).all()


def test_absolute_tolerance_does_not_swallow_a_small_cotangent():
    A, b = problem("gmres")
    vjp, _ = make_vjp(lambda b: spla.gmres(A, b, rtol=0.0, atol=1e-9)[0])(1e3 * b)
    g = vjp(1e-9 * onp.ones(N))
    onp.testing.assert_allclose(g, 1e-9 * onp.linalg.solve(A.toarray().T, onp.ones(N)), rtol=1e-6)


def test_the_iteration_limit_of_gmres_means_the_same_for_the_adjoint():
    """With a callback, SciPy counts inner iterations; further solves are limited likewise."""
    A, b = problem("gmres")
    options = {"maxiter": 2, "restart": N, "rtol": 1e-12}
    with pytest.warns(DeprecationWarning, match="callback_type"):
        vjp, x = make_vjp(lambda b: spla.gmres(A, b, callback=lambda r: None, **options)[0])(b)
    with pytest.warns(scipygrad.AdjointConvergenceWarning):
        vjp(x)
    vjp, x = make_vjp(lambda b: spla.gmres(A, b, **options)[0])(b)
    vjp(x)


@pytest.mark.parametrize("name, option", [("lgmres", "outer_v"), ("gcrotmk", "CU")])
def test_only_the_forward_solve_sees_the_users_list(name, option):
    A, b = problem(name)
    ours, theirs = [], []
    getattr(scipy_linalg, name)(A, b, **{option: theirs})
    vjp, x = make_vjp(lambda b: getattr(spla, name)(A, b, **{option: ours})[0])(b)
    assert len(ours) == len(theirs) > 0
    before = [onp.array(v) for pair in ours for v in pair if v is not None]
    vjp(x)
    after = [v for pair in ours for v in pair if v is not None]
    assert all(map(onp.array_equal, before, after)) and len(before) == len(after)


def test_minres_with_a_shift():
    A, b = problem("minres")
    d = abs(numbers(N, "float64", 8))
    check_op(lambda d, b: solver("minres", shift=1.5)(A + sp.diags_array(d), b), d, b)
    check_op(lambda s, b: solver("minres", shift=s)(A, b), 1.5, b)
    value = make_vjp(lambda s: spla.minres(A, b, shift=s)[0])(1.5)[1]
    onp.testing.assert_allclose(value, scipy_linalg.minres(A, b, shift=1.5)[0], rtol=1e-14)


def test_zero_right_side():
    A, _ = problem("gmres")
    b = onp.zeros(N)
    vjp, x = make_vjp(lambda A, b: spla.gmres(A, b)[0], (0, 1))(A, b)
    b[:] = 1  # SciPy's result is b itself
    g, h = vjp(onp.ones(N))
    assert not x.any() and not g.data.any()
    onp.testing.assert_allclose(h, onp.linalg.solve(A.toarray().T, onp.ones(N)), rtol=1e-4)


@pytest.mark.parametrize("kind", [lambda A: A, lambda A: A.toarray()], ids=["sparse", "dense"])
def test_what_is_written_into_a_constant_matrix_afterwards_is_not_seen(kind):
    A, b = problem("gmres")
    k = dense_gradients(A, b)[1]
    M = kind(A.copy())
    vjp, x = make_vjp(lambda b: spla.gmres(M, b, **TIGHT)[0])(b)
    (M if isinstance(M, onp.ndarray) else M.data)[:] = 7.0
    onp.testing.assert_allclose(vjp(grad(loss)(x)), k, rtol=1e-9)


def test_two_solves_before_one_backward():
    A, b = problem("gmres")
    B = problem("gmres", seed=8)[0]

    def f(A, B, b):
        return loss(solver("gmres")(A, solver("gmres")(B, b)))

    def dense(D, E, b):
        return loss(np.linalg.solve(D, np.linalg.solve(E, b)))

    e = grad(dense, (0, 1, 2))(A.toarray(), B.toarray(), b)
    g = grad(f, (0, 1, 2))(A, B, b)
    onp.testing.assert_allclose(g[0].toarray(), e[0] * stored(A), rtol=1e-8, atol=1e-10)
    onp.testing.assert_allclose(g[1].toarray(), e[1] * stored(B), rtol=1e-8, atol=1e-10)
    onp.testing.assert_allclose(g[2], e[2], rtol=1e-8)


@pytest.mark.parametrize("name", GENERAL + HERMITIAN)
def test_bad_input_is_refused_as_by_scipy(name):
    A, b = problem(name)
    for args in ((A[:3], b), (A, b[:4]), (A.toarray()[:3], b), (spla.aslinearoperator(A), b[:4])):
        with pytest.raises(ValueError) as theirs:
            getattr(scipy_linalg, name)(*args)
        with pytest.raises(ValueError) as ours:
            make_vjp(lambda b, args=args: getattr(spla, name)(args[0], b)[0])(args[1])
        assert str(ours.value) == str(theirs.value)
