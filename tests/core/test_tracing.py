"""What autograd can do with a traced sparse matrix: calls, containers, orders, threads."""

import multiprocessing
import threading

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import (
    checkpoint,
    elementwise_grad,
    grad,
    hessian_vector_product,
    jacobian,
    make_jvp,
    make_vjp,
    value_and_grad,
)
from autograd.extend import defjvp, defvjp, primitive
from cases import matrix, numbers, regular

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

# ---- structure does not depend on values (C4) --------------------------------------------------


@pytest.mark.parametrize("family", ["array", "matrix"])
def test_derivative_of_entries_that_cancel(family):
    """I − Ω D⁻¹ A at Ω = I: the whole diagonal cancels, its derivative must be there."""
    N = 6
    P = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(N, N), format="csr")
    Dinv = sp.diags(1 / P.diagonal(), format="csr")
    if family == "array":
        P, Dinv = sp.csr_array(P), sp.csr_array(Dinv)
    identity = type(P)(sp.eye(N))
    weights = numbers((N, N), "float64", 3)

    def loss(Omega):  # linear in the matrix, so SciPy's dropped entries would count
        return (identity - Omega @ Dinv @ P).multiply(weights).sum()

    expected = -(weights * (Dinv @ P).toarray()).sum(axis=1)
    g = grad(loss)(identity)
    assert type(g) is type(identity)
    onp.testing.assert_allclose(g.diagonal(), expected, rtol=1e-13)


def test_difference_keeps_explicit_zeros(A):
    values = []

    def f(A):
        C = A - A
        values.append((C.nnz, scipygrad.detach(C)))
        return C.sum()

    g = grad(f)(A)
    nnz, C = values[0]
    assert nnz == A.nnz == C.nnz and not C.toarray().any()
    assert not g.data.any()


# ---- however it is called (C6) -----------------------------------------------------------------


def test_keyword_calls_are_traced(A, x):
    expected = grad(lambda A, b: np.sum(spla.spsolve(A, b) ** 2), (0, 1))(A, x)
    got = grad(lambda A, b: np.sum(spla.spsolve(A=A, b=b) ** 2), (0, 1))(A, x)
    onp.testing.assert_allclose(got[0].data, expected[0].data, rtol=1e-14)
    onp.testing.assert_allclose(got[1], expected[1], rtol=1e-14)
    assert grad(lambda A: sp.hstack(blocks=[A, A]).sum())(A).data.sum() == 2 * A.nnz
    assert grad(lambda s: A.multiply(other=s).sum())(2.0) == pytest.approx(A.sum())
    v = onp.ones(5)
    assert grad(lambda v: sp.diags(diagonals=[v], offsets=[1]).sum())(v).tolist() == [1.0] * 5


@pytest.mark.parametrize("sides", ["left", "right", "both"])
@pytest.mark.parametrize(
    "operation",
    [
        lambda A, B: A @ B,
        lambda A, B: A.dot(B),
        lambda A, B: A + B,
        lambda A, B: A - B,
        lambda A, B: A.multiply(B),
        lambda A, B: A * B,
        np.add,
        np.subtract,
        np.multiply,
        np.matmul,
    ],
)
def test_traced_left_right_both(operation, sides):
    A, B = regular("csr", "array", "float64", seed=1), regular("csc", "array", "float64", seed=2)
    C = numbers((5, 5), "float64", 9)
    argnum = {"left": (0,), "right": (1,), "both": (0, 1)}[sides]

    def loss(A, B):
        return operation(A, B).multiply(C).sum()

    got = grad(loss, argnum)(A, B)

    def dense(A, B):
        name = getattr(operation, "__name__", "")
        if name in ("add", "subtract", "multiply", "matmul"):
            return np.sum(operation(A, B) * C)
        return np.sum(_dense_operation(operation, A, B) * C)

    expected = grad(dense, argnum)(A.toarray(), B.toarray())
    for g, e, M in zip(got, expected, [(A, B)[i] for i in argnum], strict=True):
        assert type(g) is type(M)
        onp.testing.assert_allclose(g.toarray(), e * (M.toarray() != 0), rtol=1e-12)


def _dense_operation(operation, A, B):
    """The same operation of dense arrays, found by trying it on a sparse example."""
    E = sp.csr_array(onp.array([[1.0, 2.0], [3.0, 4.0]]))
    probe = operation(E, E).toarray()
    for f in (np.add, np.subtract, np.multiply, np.matmul):
        if onp.array_equal(probe, f(E.toarray(), E.toarray())):
            return f(A, B)
    raise AssertionError("unknown operation")


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_dense_traced_operand_of_a_constant(format, family, x):
    A = matrix(format, family, "float64", (4, 5))
    D = A.toarray()
    for ours, dense in (
        (lambda x: A @ x, lambda x: D @ x),
        (lambda x: A.dot(x), lambda x: D @ x),
        (lambda x: x[:4] @ A, lambda x: x[:4] @ D),
        (lambda x: A.multiply(x).sum(axis=1).reshape(-1), lambda x: np.sum(D * x, axis=1)),
        (lambda x: A + np.outer(x[:4], x), lambda x: D + np.outer(x[:4], x)),
        (lambda x: np.outer(x[:4], x) - A, lambda x: np.outer(x[:4], x) - D),
    ):
        onp.testing.assert_allclose(
            onp.asarray(scipygrad.detach(ours(x))).ravel(), dense(x).ravel(), rtol=1e-13
        )
        g = grad(lambda x, f=ours: np.sum(np.square(f(x))))(x)
        e = grad(lambda x, f=dense: np.sum(f(x) ** 2))(x)
        onp.testing.assert_allclose(g, e, rtol=1e-12)


def test_foreign_operands(x):
    """Plain SciPy objects are operands, on either side, and differentiable arguments."""
    K = sps.csr_matrix(regular("csr", "array", "float64", seed=4))
    D, A = K.toarray(), regular("csr", "matrix", "float64", seed=5)
    for ours, dense in (
        (lambda x: K @ x, lambda x: D @ x),
        (lambda x: K * x, lambda x: D @ x),
        (lambda x: x @ K, lambda x: x @ D),
        (lambda x: spla.spsolve(K.tocsc(), x), lambda x: np.linalg.solve(D, x)),
    ):
        g = grad(lambda x, f=ours: np.sum(f(x) ** 2))(x)
        onp.testing.assert_allclose(g, grad(lambda x, f=dense: np.sum(f(x) ** 2))(x), rtol=1e-10)
    for ours, dense in (
        (lambda A: K @ A, lambda A: D @ A),
        (lambda A: A @ K, lambda A: A @ D),
        (lambda A: K + A, lambda A: D + A),
        (lambda A: K - A, lambda A: D - A),
        (lambda A: K * A, lambda A: D @ A),
    ):
        g = grad(lambda A, f=ours: f(A).power(2).sum())(A)
        e = grad(lambda A, f=dense: np.sum(f(A) ** 2))(A.toarray())
        onp.testing.assert_allclose(g.toarray(), e * (A.toarray() != 0), rtol=1e-12)
    g = grad(lambda K: np.sum((K @ x) ** 2))(K)
    assert type(g) is sps.csr_matrix
    g.sort_indices()
    g.indices[:] = 0  # the gradient of a plain SciPy matrix shares nothing with it
    assert onp.array_equal(K.toarray(), D)


# ---- containers, users' primitives, operators of autograd (C5) ---------------------------------


def test_elements_of_containers(A, x):
    g = grad(lambda t: np.sum((t[0] @ t[1]) ** 2))((A, x))
    e = grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))(A, x)
    assert type(g) is tuple and type(g[0]) is type(A)
    onp.testing.assert_allclose(g[0].data, e[0].data, rtol=1e-14)
    onp.testing.assert_allclose(g[1], e[1], rtol=1e-14)
    g = grad(lambda d: np.sum((d["A"] @ d["x"]) ** 2))({"A": A, "x": x})
    onp.testing.assert_allclose(g["A"].data, e[0].data, rtol=1e-14)
    g = grad(lambda t: np.sum((t[0] @ t[1]) ** 2))([A, x])
    onp.testing.assert_allclose(g[0].data, e[0].data, rtol=1e-14)


def test_users_primitive(A):
    @primitive
    def energy(A):
        assert sps.issparse(A)  # a user's primitive gets the matrix itself
        return float((A.data**2).sum())

    defvjp(energy, lambda ans, A: lambda g: 2 * g * A)
    defjvp(energy, lambda t, ans, A: 2 * A.multiply(t).sum())
    e = grad(lambda A: (A @ A).power(2).sum())(A)
    onp.testing.assert_allclose(grad(lambda A: energy(A @ A))(A).data, e.data, rtol=1e-13)
    V = A * 0.5
    h = hessian_vector_product(lambda A: energy(A @ A))(A, V)
    e = hessian_vector_product(lambda A: (A @ A).power(2).sum())(A, V)
    onp.testing.assert_allclose(h.data, e.data, rtol=1e-12)
    y, t = make_jvp(lambda A: energy(A @ A))(A)(V)
    assert t == pytest.approx(2 * (A @ A).multiply(A @ V + V @ A).sum())


def test_make_vjp_of_a_sparse_result(A):
    vjp, C = make_vjp(lambda A: A @ A)(A)
    assert isinstance(C, sp.csr_array) and type(C) is sp.csr_array
    onp.testing.assert_allclose(C.toarray(), (A @ A).toarray())
    G = C.copy()
    G.data = numbers(C.nnz, "float64", 2)
    dense = make_vjp(lambda A: A @ A)(A.toarray())[0](G.toarray())
    onp.testing.assert_allclose(vjp(G).toarray(), dense * (A.toarray() != 0), rtol=1e-13)


def test_result_is_the_argument(A):
    vjp, B = make_vjp(lambda A: A)(A)
    assert vjp(B) is B


def test_higher_operators(A, x):
    D, mask = A.toarray(), A.toarray() != 0

    def f(A):
        return (A @ A.T @ A).power(2).sum()

    def f_dense(D):
        return np.sum((D @ D.T @ D) ** 2)

    V = A.copy()
    V.data = numbers(A.nnz, "float64", 6)
    h = hessian_vector_product(f)(A, V)
    e = hessian_vector_product(f_dense)(D, V.toarray())
    onp.testing.assert_allclose(h.toarray(), e * mask, rtol=1e-11)
    third = grad(lambda A: (hessian_vector_product(f)(A, V)).multiply(V).sum())(A)
    e = grad(lambda D: np.sum(hessian_vector_product(f_dense)(D, V.toarray()) * V.toarray()))(D)
    onp.testing.assert_allclose(third.toarray(), e * mask, rtol=1e-11)
    forward_over_reverse = make_jvp(grad(f))(A)(V)[1]
    onp.testing.assert_allclose(forward_over_reverse.data, h.data, rtol=1e-12)

    onp.testing.assert_allclose(jacobian(lambda x: A @ x)(x), D)
    J = jacobian(lambda A: A @ x)(A)  # an array of sparse gradients
    assert J.shape == (5,) and all(type(row) is type(A) for row in J)
    for i, row in enumerate(J):
        expected = onp.zeros((5, 5))
        expected[i] = x
        onp.testing.assert_allclose(row.toarray(), expected * mask)

    g = elementwise_grad(lambda A: A.power(3))(A)
    onp.testing.assert_allclose(g.data, 3 * A.data**2)
    value, g = value_and_grad(checkpoint(f))(A)
    onp.testing.assert_allclose(g.data, grad(f)(A).data, rtol=1e-13)
    assert value == pytest.approx(f(A))


def test_hessian_of_a_sparse_argument_raises(A):
    from autograd import hessian

    with pytest.raises(NotImplementedError):
        hessian(lambda A: (A @ A).sum())(A)


def test_complex_convention():
    z = sp.csr_array(onp.array([[1 + 2j]]))
    g = grad(lambda z: (z * z.conj()).real.sum())(z)
    assert g.data[0] == 2 - 4j


def test_dtypes_are_kept():
    A = matrix("csr", "array", "float32")
    x = numbers(6, "float64", 2)
    gA, gx = grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))(A, x)
    assert gA.dtype == onp.float32 and gx.dtype == onp.float64
    A = matrix("csr", "array", "float64")
    z = numbers(6, "complex128", 2)
    gA, gz = grad(lambda A, z: np.sum(np.abs(A @ z) ** 2), (0, 1))(A, z)
    assert gA.dtype == onp.float64 and gz.dtype == onp.complex128
    ours, e = gz, grad(lambda z: np.sum(np.abs(A.toarray() @ z) ** 2))(z)
    onp.testing.assert_allclose(ours, e, rtol=1e-12)


@pytest.mark.parametrize(
    "operation",
    [
        lambda A, x: A @ x,
        lambda A, x: A.multiply(x).sum(axis=0),
        lambda A, x: (A * x[0]).sum(axis=0),
        lambda A, x: (A / x[1]).sum(axis=0),
        lambda A, x: A.power(2).multiply(x).sum(axis=0),
        lambda A, x: np.sum(A + x, axis=0),
        lambda A, x: np.sum(x - A, axis=0),
        lambda A, x: np.sum((A / x).toarray(), axis=0),
        lambda A, x: spla.spsolve(A, x),
        lambda A, x: spla.spsolve_triangular(sp.tril(A, format="csr"), x),
        lambda A, x: sp.hstack([A, sp.diags_array(x)]).sum(axis=0),
        lambda A, x: sp.kron(A, x).sum(axis=0),
    ],
)
@pytest.mark.parametrize(
    "dtypes",
    [
        ("float32", "float64"),
        ("float64", "float32"),
        ("float64", "complex64"),
        ("complex64", "float64"),
    ],
)
def test_each_gradient_has_its_operands_dtype(operation, dtypes):
    A, x = regular("csr", "array", dtypes[0]), numbers(5, dtypes[1], 3)
    gA, gx = grad(lambda A, x: np.sum(np.abs(operation(A, x)) ** 2), (0, 1))(A, x)
    assert (gA.dtype, gx.dtype) == dtypes


def test_whole_numbers():
    A = sp.csr_array(onp.array([[1, 2], [0, 3]]))
    x = onp.array([1.5, -2.0])
    onp.testing.assert_allclose(
        grad(lambda x: np.sum((A @ x) ** 2))(x), 2 * A.T @ (A @ x)
    )  # a constant of whole numbers is fine
    with pytest.raises(TypeError, match="astype"):
        grad(lambda A: A.sum())(A)
    with pytest.raises(TypeError, match="derivative"):
        grad(lambda A: A.astype(int).sum())(A.astype(float))


def test_plain_results_of_a_traced_matrix(A):
    seen = {}

    def f(A):
        seen.update(
            nnz=A.nnz, shape=A.shape, format=A.format, ndim=A.ndim, dtype=A.dtype,
            count=A.count_nonzero(), indices=A.indices, greater=A > 1, is_csr=sp.isspmatrix_csr(A),
            ours=sp.issparse(A), family=isinstance(A, sp.sparray),
            other=isinstance(A, (sp.csc_array, sp.csr_matrix, sp.spmatrix)),
            scipys=sps.issparse(A),
        )  # fmt: skip
        return A.sum()

    grad(f)(A)
    assert seen["nnz"] == A.nnz and seen["shape"] == (5, 5) and seen["format"] == "csr"
    assert seen["count"] == A.count_nonzero() and onp.array_equal(seen["indices"], A.indices)
    assert type(seen["greater"]) is sp.csr_array and (seen["greater"] != (A > 1)).nnz == 0
    assert seen["ours"] and seen["family"] and not seen["other"] and not seen["scipys"]
    assert not seen["is_csr"] and seen["dtype"] == onp.float64 and seen["ndim"] == 2


@pytest.mark.parametrize(
    "call",
    [
        lambda A: np.exp(A),
        lambda A: np.linalg.norm(A),
        lambda A: np.array([A, A]),
        lambda A: spla.splu(A.tocsc()).L,
        lambda A: spla.spilu(A.tocsc()),
    ],
)
def test_what_has_no_rule_raises(call, A):
    with pytest.raises(NotImplementedError):
        make_vjp(call)(A)


def test_operator_of_scipys_on_a_traced_vector_raises(A, x):
    with pytest.raises((NotImplementedError, TypeError)):
        grad(lambda x: np.sum(sps.linalg.aslinearoperator(A) @ x))(x)


# ---- traces ------------------------------------------------------------------------------------


def test_matrix_left_over_from_an_earlier_trace_is_a_constant(x):
    """A global matrix written to inside f keeps its trace; the next gradient is still right."""
    K = sp.lil_array((2, 2))

    def f(p):
        K[0, 0] = p
        return (K.tocsr() @ onp.array([3.0, 1.0])).sum() + p**2

    assert float(grad(f)(1.0)) == pytest.approx(3 + 2)

    def h(p):
        K[1, 1] = 5 * p
        return (K.tocsr() @ onp.array([3.0, 1.0])).sum()

    assert float(scipygrad.detach(grad(h)(1.0))) == pytest.approx(5)


def test_gradients_in_threads():
    A = [regular("csr", "array", "float64", seed=s) for s in range(8)]

    def f(A):
        return grad(lambda B: (B @ B.T).power(2).sum())(A).multiply(A).sum()

    expected = [grad(f)(M).data for M in A]
    got = [[None] * 8 for _ in range(4)]

    def work(k):
        for i, M in enumerate(A):
            got[k][i] = grad(f)(M).data

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for result in got:
        for r, e in zip(result, expected, strict=True):
            onp.testing.assert_allclose(r, e, rtol=1e-13)


def _gradient_in_child(queue, A):
    queue.put(grad(lambda A: (A @ A).power(2).sum())(A).data)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_fork_after_use(A):
    expected = grad(lambda A: (A @ A).power(2).sum())(A).data
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_gradient_in_child, args=(queue, A))
    child.start()
    got = queue.get(timeout=60)
    child.join()
    assert child.exitcode == 0
    onp.testing.assert_allclose(got, expected)


def test_autograd_without_sparse_values_is_as_before(x):
    g = grad(lambda x: np.sum(np.outer(x, x) @ x))(x)  # Σx Σx²
    onp.testing.assert_allclose(g, x @ x + 2 * x * x.sum())
    box_array = []
    grad(lambda x: box_array.append(onp.asarray(x)) or np.sum(x))(x)
    assert box_array[0].dtype == object and box_array[0].shape == (5,)
