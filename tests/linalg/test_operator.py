"""LinearOperator: SciPy's without tracing; traced vectors, pieces and closures."""

import abc
import copy
import pickle

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_jvp, make_vjp
from cases import matrix, numbers, regular
from comparison import compare

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad.testing import check_op

DTYPE = "complex128"
A = regular("csr", "array", DTYPE)
B = regular("csc", "matrix", DTYPE, seed=9)
R = matrix("coo", "array", DTYPE)  # 4 × 6
x, X, s = numbers(5, DTYPE, 1), numbers((5, 2), DTYPE, 2), numbers((), DTYPE, 5)[()]
y, z = numbers(6, DTYPE, 3), numbers(4, DTYPE, 4)
op = spla.aslinearoperator


def closure(A):
    return spla.LinearOperator(A.shape, matvec=lambda v: A @ v)


class Shifted(spla.LinearOperator):
    """As users write them."""

    def __init__(self, A, shift):
        super().__init__(dtype=A.dtype, shape=A.shape)
        self.A, self.shift = A, shift

    def _matvec(self, v):
        return self.A @ v + self.shift * v

    def _rmatvec(self, v):
        return np.conj(self.A.T @ np.conj(v)) + np.conj(self.shift) * v


# ---- untraced --------------------------------------------------------------------------------

K = onp.array([[1.0, 2.0, 0.0], [3.0, 4.0, 5.0], [0.5, 0.0, 6.0]])
v, V = onp.array([1.0, -2.0, 3.0]), onp.array([[1.0, 2.0], [0.0, 1.0], [4.0, 0.0]])

ALGEBRA = {
    "matrix": lambda m: m.aslinearoperator(K),
    "sparse": lambda m: m.aslinearoperator(sps.csr_array(K)),
    "functions": lambda m: m.LinearOperator((3, 3), lambda u: K @ u, lambda u: K.T @ u),
    "matmat": lambda m: m.LinearOperator(
        (3, 3), lambda u: K @ u, lambda u: K.T @ u, lambda U: K @ U, float, lambda U: K.T @ U
    ),
    "sum": lambda m: m.aslinearoperator(K) + m.aslinearoperator(K * 1j),
    "difference": lambda m: m.aslinearoperator(K) - m.aslinearoperator(K**2),
    "product": lambda m: m.aslinearoperator(K) @ m.aslinearoperator(K**2),
    "scaled": lambda m: 2j * m.aslinearoperator(K) * 3.0,
    "divided": lambda m: -m.aslinearoperator(K) / 4,
    "power": lambda m: m.aslinearoperator(K) ** 2,
    "adjoint": lambda m: (1j * m.aslinearoperator(K)).H,
    "transpose": lambda m: (1j * m.aslinearoperator(K)).T,
    "adjoint of functions": lambda m: ALGEBRA["functions"](m).H,
    "adjoint twice": lambda m: m.aslinearoperator(K).H.H,
    "Laplacian": lambda m: m.LaplacianNd((3,)),
}


@pytest.mark.parametrize("name", ALGEBRA)
def test_untraced_operator_is_scipys(name):
    ours, theirs = ALGEBRA[name](spla), ALGEBRA[name](scipy_linalg)
    assert type(ours).__name__ == type(theirs).__name__
    assert repr(ours) == repr(theirs)
    assert isinstance(ours, type(theirs))
    assert (ours.shape, ours.dtype, ours.ndim) == (theirs.shape, theirs.dtype, theirs.ndim)
    for apply in (
        lambda L: L @ v, lambda L: L * v, lambda L: L(v), lambda L: L.dot(V), lambda L: L @ V,
        lambda L: L.matvec(v[:, None]), lambda L: L.matvec(onp.asmatrix(v).T), lambda L: v @ L,
        lambda L: V.T @ L, lambda L: L.matvec([1, 2, 3]), lambda L: L.matmat(onp.asmatrix(V)),
        lambda L: L.rmatvec(v), lambda L: L.rmatmat(V), lambda L: L.H @ V,
    ):  # fmt: skip
        compare(lambda apply=apply: apply(ours), lambda apply=apply: apply(theirs))


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.aslinearoperator(K) @ 2,
        lambda m: 2 @ m.aslinearoperator(K),
        lambda m: m.aslinearoperator(K) @ onp.ones(4),
        lambda m: m.aslinearoperator(K) @ onp.ones((2, 2, 2)),
        lambda m: m.aslinearoperator(K) / onp.ones(3),
        lambda m: m.aslinearoperator(K) + 1,
        lambda m: m.aslinearoperator(K) ** 1.5,
        lambda m: m.aslinearoperator("matrix"),
        lambda m: m.LinearOperator((3, 3), lambda u: u).rmatvec(v),
        lambda m: m.LinearOperator((3, 3), lambda u: K @ u) @ sps.csr_array(K),
        lambda m: m.LinearOperator((3, -3), lambda u: u),
    ],
)
def test_untraced_errors_are_scipys(call):
    compare(lambda: call(spla), lambda: call(scipy_linalg))


def test_instances_in_both_directions():
    foreign = scipy_linalg.aslinearoperator(K)
    assert isinstance(op(K), scipy_linalg.LinearOperator)
    assert isinstance(foreign, spla.LinearOperator)
    assert issubclass(scipy_linalg.LinearOperator, spla.LinearOperator)
    assert not isinstance(K, spla.LinearOperator)
    assert not isinstance(foreign, Shifted)


def test_subclass_with_an_abstract_base():
    class Abstract(spla.LinearOperator, abc.ABC):
        @abc.abstractmethod
        def _matvec(self, v): ...

    class Concrete(Abstract):
        def _matvec(self, v):
            return 2 * v

    with pytest.raises(TypeError, match="abstract"):
        Abstract(float, (3, 3))
    onp.testing.assert_array_equal(Concrete(float, (3, 3)) @ v, 2 * v)
    assert isinstance(Concrete(float, (3, 3)), Abstract)


def test_subclass_without_a_product_warns():
    class Nothing(spla.LinearOperator):
        pass

    with pytest.warns(RuntimeWarning, match="at least one of _matvec and _matmat"):
        Nothing(float, (3, 3))


def test_a_replaced_constructor_of_the_base_is_not_that_of_the_others(monkeypatch):
    """Decorators that set `__init__` on LinearOperator leave its subclasses theirs, as in SciPy."""
    init = scipy_linalg.LinearOperator.__init__
    monkeypatch.setattr(spla.LinearOperator, "__init__", init, raising=False)
    A = spla.LinearOperator((4, 4), lambda x: 2 * x, rmatvec=lambda x: 2 * x, dtype=float)
    L = spla.LaplacianNd(grid_shape=(4,), boundary_conditions="dirichlet")
    B = spla.aslinearoperator(onp.eye(4))
    for op in (A, L, B, A + B, A @ L, 2 * A, A.H, A.T, A**2, B.H):
        assert (op @ onp.ones(4)).shape == (4,)


def test_pickle_and_copy():
    for L in (op(A), 2 * op(A) + op(B), op(A).H, op(A) ** 2, Shifted(A, 2.0)):
        for other in (pickle.loads(pickle.dumps(L)), copy.copy(L), copy.deepcopy(L)):
            assert type(other) is type(L)
            onp.testing.assert_array_equal(other @ x, L @ x)


# ---- traced ----------------------------------------------------------------------------------


DERIVATIVES = {
    "matvec": (lambda A, x: op(A) @ x, (A, x)),
    "matmat": (lambda A, X: op(A) @ X, (A, X)),
    "column": (lambda A, X: op(A) @ X[:, :1], (A, X)),
    "call": (lambda A, x: op(A)(x) + op(A) * x + op(A).dot(x), (A, x)),
    "from the left": (lambda A, x: x @ op(A), (A, x)),
    "block from the left": (lambda A, X: X.T @ op(A), (A, X)),
    "rectangular": (lambda R, y: op(R) @ y, (R, y)),
    "rmatvec": (lambda R, z: op(R).rmatvec(z), (R, z)),
    "rmatmat": (lambda A, X: op(A).rmatmat(X), (A, X)),
    "adjoint": (lambda R, z: op(R).H @ z, (R, z)),
    "transpose": (lambda R, z: op(R).T @ z, (R, z)),
    "transpose of a block": (lambda A, X: op(A).T @ X, (A, X)),
    "dense": (lambda D, x: op(D) @ x + op(D).H @ x, (A.toarray(), x)),
    "sum": (lambda A, B, X: (op(A) + op(B)) @ X, (A, B, X)),
    "difference": (lambda A, B, x: (op(A) - op(B)).H @ x, (A, B, x)),
    "product": (lambda A, B, x: (op(A) @ op(B)).rmatvec(x), (A, B, x)),
    "scaled": (lambda A, s, x: (s * op(A) * 3 / (2 + s)) @ x, (A, s, x)),
    "scaled, adjoint": (lambda A, s, x: -(op(A) * s).H @ x, (A, s, x)),
    "power": (lambda A, x: (op(A) ** 2) @ x, (A, x)),
    "functions": (lambda A, x: closure(A) @ x, (A, x)),
    "functions on a block": (lambda A, X: closure(A) @ X, (A, X)),
    "subclass": (lambda A, s, x: (2 * Shifted(A, s)).H @ x, (A, s, x)),
    "subclass on a block": (lambda A, s, X: Shifted(A, s) @ X, (A, s, X)),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(name):
    fun, args = DERIVATIVES[name]
    check_op(fun, *args)


def test_float32_stays_float32():
    A, x = regular("csr", "array", "float32"), numbers(5, "float32", 1)
    check_op(lambda A, x: (2 * op(A) + closure(A)) @ x, A, x, order=1)
    g = grad(lambda A: np.sum(spla.gmres(closure(A), x)[0]))(A)
    assert g.dtype == onp.float32


def test_traced_piece_and_plain_vector():
    check_op(lambda A: (op(A) + op(B)) @ x, A)
    check_op(lambda s: (s * op(A)) @ x, s)


def test_sparse_operand():
    C = sp.csr_array(B)
    check_op(lambda A, C: op(A) @ C, A, C)
    check_op(lambda A, C: C @ op(A), A, C)
    with pytest.raises(TypeError, match="aslinearoperator"):
        make_vjp(lambda C: Shifted(A, 1.0) @ C)(C)


def test_object_with_shape_and_matvec():
    class Minimal:
        shape, dtype = (5, 5), onp.dtype(DTYPE)

        def __init__(self, A):
            self.A = A

        def matvec(self, v):
            return self.A @ v

    check_op(lambda A, x: op(Minimal(A)) @ x, A, x)
    check_op(lambda A, x: spla.gmres(Minimal(A), x, rtol=1e-14)[0], A, x)


# ---- code that takes numbers only ------------------------------------------------------------


def numeric(adjoint=True):
    """A constant operator in NumPy code that no trace gets through."""
    D = A.toarray()

    def matvec(v):
        out = onp.empty(5, complex)
        out[:] = D @ onp.asarray(v, dtype=complex).ravel()
        return out

    return spla.LinearOperator(
        (5, 5), matvec, (lambda v: D.conj().T @ v) if adjoint else None, dtype=DTYPE
    )


def test_numeric_code_is_differentiated_by_its_adjoint():
    check_op(lambda x: numeric() @ x, x)
    check_op(lambda X: numeric() @ X, X)
    check_op(lambda x: spla.gmres(numeric(), x, rtol=1e-14)[0], x)


def test_numeric_code_without_an_adjoint_raises_with_advice():
    vjp, y = make_vjp(lambda x: numeric(adjoint=False) @ x)(x)
    with pytest.raises(NotImplementedError, match="rmatvec"):
        vjp(y)
    t = make_jvp(lambda x: numeric(adjoint=False) @ x)(x)(x)[1]  # needs no adjoint
    onp.testing.assert_allclose(t, A @ x, rtol=1e-14)


def test_numeric_code_with_something_traced_inside_raises():
    def f(d):
        def matvec(v):
            out = onp.empty(5)
            out[:] = d * v
            return out

        return spla.LinearOperator((5, 5), matvec, dtype=float) @ onp.ones(5)

    with pytest.raises((TypeError, ValueError)):
        make_vjp(f)(onp.ones(5))


def test_error_of_the_users_code_is_shown():
    def matvec(v):
        raise KeyError("mine")

    L = spla.LinearOperator((5, 5), matvec, dtype=float)
    with pytest.raises(KeyError, match="mine"):
        make_vjp(lambda x: L @ x)(onp.ones(5))


def test_foreign_operators():
    foreign = scipy_linalg.aslinearoperator(sps.csr_array(A))
    assert op(foreign).A is foreign.A
    check_op(lambda x: op(foreign) @ x, x)
    check_op(lambda X: op(foreign).H @ X, X)
    check_op(lambda B, x: (op(B) + foreign) @ x, B, x)
    check_op(lambda B, x: (op(B) @ foreign) @ x, B, x)
    with pytest.raises((NotImplementedError, TypeError)):
        make_vjp(lambda x: foreign @ x)(x)


@pytest.mark.parametrize("boundary", ["neumann", "dirichlet", "periodic"])
def test_laplacian(boundary):
    L = spla.LaplacianNd((2, 3), boundary_conditions=boundary)
    check_op(lambda u, s: (s * L) @ u, numbers(6, "float64", 1), 1.5)
    check_op(lambda U: L @ U, numbers((6, 2), "float64", 2))


def test_laplacian_in_a_solve():
    L, one = spla.LaplacianNd((2, 3)), op(onp.eye(6))
    b = numbers(6, "float64", 1)
    check_op(lambda s, b: spla.cg(3 * one - s * L, b, rtol=1e-14)[0], 1.5, b)


# ---- who asks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda L, b: scipy_linalg.gmres(L, b),
        lambda L, b: scipy_linalg.minres(L, b, x0=b),
        lambda L, b: scipy_linalg.eigs(L, k=1),
    ],
)
def test_scipys_own_functions_refuse_a_traced_operator(call):
    with pytest.raises(NotImplementedError, match="scipygrad"):
        make_vjp(lambda A: call(closure(A), onp.ones(5)))(A.real)


def test_plain_operators_are_not_called_more_often_than_by_scipy():
    calls = []

    def count(m):
        calls.clear()
        L = m.LinearOperator((5, 5), lambda v: (calls.append(1), A @ v)[1], dtype=DTYPE)
        m.gmres(L, x)
        return len(calls)

    assert count(spla) == count(scipy_linalg)


def test_a_value_that_is_traced_twice():
    """Two traces in one operator, and one of them in the right side."""

    def f(p, q):
        L = spla.LinearOperator((5, 5), matvec=lambda v: A.real @ v + p * v + q**2 * v[::-1])
        return np.sum(spla.bicgstab(L, p * onp.ones(5), rtol=1e-14)[0] ** 2)

    def dense(p, q):
        D = A.real.toarray() + p * np.eye(5) + q**2 * np.eye(5)[::-1]
        return np.sum(np.linalg.solve(D, p * np.ones(5)) ** 2)

    for inner, outer in ((0, 1), (1, 0)):
        mixed = [grad(grad(h, inner), outer)(0.7, 0.4) for h in (f, dense)]
        onp.testing.assert_allclose(*mixed, rtol=1e-9)


def test_the_pullback_as_a_function_of_its_cotangent():
    """A trace that is later than those of the operator."""
    A0 = A.real
    vjp, u = make_vjp(lambda A: spla.gmres(closure(A), onp.ones(5), rtol=1e-14)[0])(A0)
    back, g = make_vjp(lambda w: vjp(w).data)(u)
    assert type(back(g)) is onp.ndarray
    onp.testing.assert_allclose(
        onp.dot(back(g), u), onp.dot(g, g), rtol=1e-12
    )  # linear in w, and at w = u
    assert type(scipygrad.detach(g)) is onp.ndarray
