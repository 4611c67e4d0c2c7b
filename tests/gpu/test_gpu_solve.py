"""Solves on the device: as on the host, and the factorisation, SuperLU's, is made once."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, hessian_vector_product, make_vjp
from cases import grid, numbers, regular

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla


@pytest.fixture(autouse=True)
def superlu():
    """Where cuDSS is installed, it would be taken (`test_gpu_cudss.py`)."""
    spla.use_solver(solver="superlu")
    yield
    spla.use_solver(solver=None)


def compare(f, *arguments, rtol=1e-11):
    """Gradients of f in all arguments, on host and device."""
    argnums = tuple(range(len(arguments)))
    wanted = grad(f, argnums)(*arguments)
    got = grad(f, argnums)(*scipygrad.to_device(arguments))
    for g, w in zip(scipygrad.to_host(got), wanted):
        g, w = (x.toarray() if hasattr(x, "format") else x for x in (g, w))
        onp.testing.assert_allclose(g, w, rtol=rtol, atol=rtol * abs(w).max())


@pytest.mark.parametrize("n", [5, 40])  # 40² rows: symmetric structure, checked factors
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("columns", [None, 3])
def test_spsolve(n, dtype, columns, cp):
    A = grid(n, seed=1, dtype=dtype)
    b = numbers((n * n,) if columns is None else (n * n, columns), dtype, 2)
    compare(lambda A, b: np.sum(np.abs(spla.spsolve(A, b)) ** 2), A, b)


def test_second_order(cp):
    A, b = regular("csr", "matrix", "float64"), numbers(5, "float64", 1)
    v = numbers(5, "float64", 3)

    def loss(b, A):
        return np.sum(spla.spsolve(A, b) ** 3)

    wanted = hessian_vector_product(loss)(b, A, v)
    got = hessian_vector_product(loss)(*scipygrad.to_device((b, A, v)))
    onp.testing.assert_allclose(got.get(), wanted, rtol=1e-10)


@pytest.mark.parametrize("trans", "NTH")
def test_splu(trans, cp):
    A, b = regular("csc", "matrix", "complex128"), numbers(5, "complex128", 1)
    compare(lambda A, b: np.sum(np.abs(spla.splu(A).solve(b, trans)) ** 2), A, b)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_triangular(lower, unit, cp):
    kind = "lower" if lower else "upper"
    A, b = regular("csr", "matrix", "float64", kind=kind), numbers(5, "float64", 1)
    compare(
        lambda A, b: np.sum(spla.spsolve_triangular(A, b, lower, unit_diagonal=unit) ** 2), A, b
    )


def test_triangular_refuses_the_other_triangle(cp):
    A = scipygrad.to_device(regular("csr", "matrix", "float64"))
    with pytest.raises(onp.linalg.LinAlgError, match="entries above the diagonal"):
        spla.spsolve_triangular(A, cp.asarray(onp.ones(5)))


@pytest.mark.parametrize("method", ["cg", "gmres", "bicgstab", "minres", "cgs"])
def test_iterations(method, cp):
    n = 6
    K = grid(n, seed=1).tocsr()
    A = K if method in ("gmres", "bicgstab", "cgs") else sp.csr_array(K + K.T)
    A = A + 9 * sp.eye_array(n * n, format="csr")
    b, solve = numbers(n * n, "float64", 2), getattr(spla, method)
    compare(lambda A, b: np.sum(solve(A, b, rtol=1e-13)[0] ** 2), A, b, rtol=1e-9)


def test_preconditioner(cp):
    A = grid(5, seed=1).tocsr() + 9 * sp.eye_array(25, format="csr")
    M, b = sp.diags_array(1 / A.diagonal(), format="csr"), numbers(25, "float64", 2)

    def loss(A, b, M):
        return np.sum(spla.gmres(A, b, M=M, rtol=1e-13)[0] ** 2)

    wanted = grad(loss, 1)(A, b, M)
    got = grad(loss, 1)(*scipygrad.to_device((A, b, M)))
    onp.testing.assert_allclose(got.get(), wanted, rtol=1e-9)


def test_one_factorisation_for_value_and_gradient(monkeypatch, cp):
    import scipy.sparse.linalg

    calls, splu = [], scipy.sparse.linalg.splu

    def counted(*args, **kwargs):
        calls.append(args)
        return splu(*args, **kwargs)

    monkeypatch.setattr(scipy.sparse.linalg, "splu", counted)
    A, b = scipygrad.to_device((grid(6, seed=1), numbers(36, "float64", 2)))
    grad(lambda A, b: np.sum(spla.spsolve(A, b) ** 2), (0, 1))(A, b)
    assert len(calls) == 1


def test_adjoint_reads_one_number(transfers):
    A, b = scipygrad.to_device((grid(40, seed=1), numbers(1600, "float64", 2)))
    vjp, x = make_vjp(lambda b: spla.spsolve(A, b))(b)
    vjp(x)
    transfers.clear()
    vjp(x)
    assert transfers == {"to host": 1}


@pytest.mark.parametrize("n", [5, 40])
def test_no_right_side(n, cp):
    A = scipygrad.to_device(grid(n, seed=1))
    x = spla.spsolve(A, cp.zeros((n * n, 0)))
    assert x.shape == (n * n, 0) and x.dtype == "float64"


def test_singular(cp):
    A = scipygrad.to_device(sp.csc_matrix(onp.diag([1.0, 0.0])))
    with pytest.warns(spla.MatrixRankWarning):
        x = spla.spsolve(A, cp.asarray(onp.ones(2)))
    assert onp.isnan(x.get()).all()


def test_factors_and_right_sides_lie_on_one_side(cp):
    A, b = regular("csc", "matrix", "float64"), numbers(5, "float64", 1)
    dA, db = scipygrad.to_device((A, b))
    for solve, x in ((spla.splu(A).solve, db), (spla.splu(dA).solve, b)):
        for call in (solve, grad(lambda x, solve=solve: np.sum(solve(x)))):
            with pytest.raises(TypeError, match="one lies in the host's memory"):
                call(x)
