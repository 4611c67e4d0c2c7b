"""implicit: solutions of non-linear systems."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, hessian_vector_product, make_jvp, make_vjp
from cases import numbers, regular

import scipygrad as sg
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.testing import check_op

N = 5


def residual(u, A, q):
    return A @ u + 0.1 * u**3 - q**2


def newton(A, q, tol=1e-15):
    """A plain loop, as users write it; returns the solution and the last Jacobian."""
    A, q = sg.detach(A), sg.detach(q)
    u = onp.zeros(len(q), onp.result_type(A.dtype, q))
    for _ in range(50):
        J = (A + sp.diags_array(0.3 * u**2)).tocsc()
        step = spla.spsolve(J, residual(u, A, q))
        u = u - step
        if onp.linalg.norm(step) <= tol * onp.linalg.norm(u):
            break
    return u, J


def root(A, q):
    u, J = newton(A, q)
    return sg.implicit(u, lambda u: residual(u, A, q), J)


def problem(dtype="float64"):
    return regular("csr", "array", dtype), numbers(N, dtype, 3)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_derivatives_of_both_orders_and_modes(dtype):
    check_op(root, *problem(dtype))


def test_value_is_the_given_one():
    A, q = problem()
    onp.testing.assert_array_equal(make_vjp(root, 1)(A, q)[1], newton(A, q)[0])
    assert type(root(A, q)) is onp.ndarray


def test_third_order():
    A, q = problem()

    def along(s):
        return np.sum(root(A * s, q * s) ** 2)

    def unrolled(s):
        D, u = A.toarray() * s, np.zeros(N)
        for _ in range(30):
            u = u - np.linalg.solve(D + np.diag(0.3 * u**2), D @ u + 0.1 * u**3 - (q * s) ** 2)
        return np.sum(u**2)

    third = [grad(grad(grad(f)))(1.1) for f in (along, unrolled)]
    onp.testing.assert_allclose(*third, rtol=1e-8)


def test_gradient_agrees_with_the_formula():
    A, q = problem()
    u, _ = newton(A, q)
    J = A.toarray() + onp.diag(0.3 * u**2)
    g = grad(lambda q: np.sum(root(A, q)))(q)
    onp.testing.assert_allclose(g, onp.linalg.solve(J.T, onp.ones(N)) * 2 * q, rtol=1e-12)


@pytest.mark.parametrize("kind", ["dense", "coo", "old"])
def test_any_matrix_close_to_the_jacobian_will_do(kind):
    A, q = problem()
    u, J = newton(A, q)
    J = {"dense": J.toarray(), "coo": J.tocoo(), "old": A}[kind]
    g = grad(lambda q: np.sum(sg.implicit(u, lambda u: residual(u, A, q), J) ** 2))(q)
    onp.testing.assert_allclose(g, grad(lambda q: np.sum(root(A, q) ** 2))(q), rtol=1e-10)


def test_a_traced_solution_and_a_traced_jacobian_are_taken_by_value():
    A, q = problem()

    def f(q):
        u, J = newton(A, q)
        return np.sum(sg.implicit(u + 0 * q, lambda u: residual(u, A, q), J * (q[0] / q[0])) * q)

    def g(q):
        return np.sum(root(A, q) * q)

    onp.testing.assert_allclose(grad(f)(q), grad(g)(q), rtol=1e-9)


def test_a_matrix_that_is_not_the_jacobian_warns():
    A, q = problem()
    u, J = newton(A, q)
    vjp, _ = make_vjp(lambda q: sg.implicit(u, lambda u: residual(u, A, q), -J))(q)
    with pytest.warns(sg.AdjointConvergenceWarning, match="jacobian"):
        vjp(onp.ones(N))


def test_one_factorisation_serves_all(monkeypatch):
    from scipygrad.linalg import _newton

    count = []
    factor = _newton.spla.splu
    A, q = problem()
    u, J = newton(A, q)
    monkeypatch.setattr(_newton.spla, "splu", lambda *a, **k: (count.append(1), factor(*a, **k))[1])

    def f(q):
        return np.sum(sg.implicit(u, lambda u: residual(u, A, q), J) ** 2)

    hessian_vector_product(f)(q, q)
    assert len(count) == 1


def test_one_traced_step_is_right_to_first_order():
    """The recipe for a Jacobian that is no matrix."""
    A, q = problem()
    u, J = newton(A, q)

    def f(q):
        L = spla.LinearOperator(J.shape, matvec=lambda v: A @ v + 0.3 * u**2 * v, dtype=float)
        return np.sum((u - spla.gmres(L, residual(u, A, q), rtol=1e-14)[0]) ** 2)

    onp.testing.assert_allclose(grad(f)(q), grad(lambda q: np.sum(root(A, q) ** 2))(q), rtol=1e-10)


def test_the_derivative_of_a_fixed_point():
    """u = cos(θ u): the Jacobian of u - cos(θ u), made by hand."""

    def fixed(t):
        u = onp.ones(1)
        for _ in range(200):
            u = onp.cos(sg.detach(t) * u)
        J = onp.array([[1 + sg.detach(t) * onp.sin(sg.detach(t) * u[0])]])
        return sg.implicit(u, lambda u: u - np.cos(t * u), J)

    check_op(fixed, 0.8)


def test_pde_with_parameters_in_operator_and_source():
    """-(exp(c) u')' + u³ = f on a line, c and f given by numbers; forward against reverse."""
    n = 30
    D = sp.diags_array([-1.0, 1.0], offsets=[-1, 0], shape=(n + 1, n)).tocsr() * (n + 1)

    def solution(c, f):
        k = sp.diags_array(np.exp(c))
        K = D.T @ k @ D
        u = onp.zeros(n)
        for _ in range(20):
            J = (sg.detach(K) + sp.diags_array(3 * u**2)).tocsc()
            u = u - spla.spsolve(J, sg.detach(K) @ u + u**3 - sg.detach(f))
        return sg.implicit(u, lambda u: K @ u + u**3 - f, J)

    c, f = 0.1 * numbers(n + 1, "float64", 1), 50 * abs(numbers(n, "float64", 2))
    w, v = numbers(n, "float64", 4), numbers(n + 1, "float64", 5)
    g = grad(lambda c: np.sum(w * solution(c, f)))(c)
    t = make_jvp(lambda c: solution(c, f))(c)(v)[1]
    onp.testing.assert_allclose(g @ v, w @ t, rtol=1e-10)
    e = 1e-5
    slope = w @ (solution(c + e * v, f) - solution(c - e * v, f)) / (2 * e)
    onp.testing.assert_allclose(g @ v, slope, rtol=1e-7)


def test_shapes_are_checked():
    A, q = problem()
    u, J = newton(A, q)
    with pytest.raises(ValueError, match="square matrix"):
        sg.implicit(u, lambda u: residual(u, A, q), J[:3])
    with pytest.raises(ValueError, match="vector"):
        sg.implicit(u.reshape(-1, 1), lambda u: u, J)
    with pytest.raises(ValueError, match=r"residual\(u\) has shape \(3,\)"):
        sg.implicit(u, lambda u: u[:3], J)
