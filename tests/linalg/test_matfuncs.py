"""Functions of a matrix: expm, expm_multiply, funm_multiply_krylov, matrix_power."""

import tracemalloc
import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.linalg
import scipy.sparse as sps
import scipy.sparse.linalg as scipy_linalg
from autograd import grad, make_jvp, make_vjp
from cases import FORMATS, matrix, numbers, regular, stored

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.pattern import Pattern
from scipygrad.linalg import _expm_multiply
from scipygrad.testing import check_op

DTYPES = ("float32", "float64", "complex128")


def general(n, dtype="float64", density=0.2, scale=1.0, seed=0):
    """A clearly non-symmetric matrix with a full diagonal."""
    rng = onp.random.default_rng(seed)
    D = numbers((n, n), dtype, seed) * (rng.random((n, n)) < density)
    onp.fill_diagonal(D, numbers(n, dtype, seed + 1))
    return sp.csr_array(D * scale).astype(dtype)


def small(format="csr", family="array", dtype="float64", **kwargs):
    """As `regular`, with a norm of about 3."""
    A = regular("csr", family, dtype, **kwargs) * 0.4
    return A.asformat(format).astype(dtype)


def frechet(A, E):
    """L(Aᵀ, E) on the entries of A."""
    return scipy.linalg.expm_frechet(A.toarray().T, E, compute_expm=False) * stored(A)


def close(gradient, expected, rtol=1e-11):
    onp.testing.assert_allclose(gradient, expected, rtol=0, atol=rtol * abs(expected).max())


# ---- expm -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("format", FORMATS)
def test_expm_of_every_format(format, family, dtype):
    A = small(format, family, dtype)
    check_op(spla.expm, A, reference=scipy_linalg.expm, order=1)
    ours = make_vjp(spla.expm)(A)[1]
    theirs = scipy_linalg.expm(getattr(sps, f"{format}_{family}")(A))
    assert type(ours) is getattr(sp, type(theirs).__name__) and ours.dtype == theirs.dtype


@pytest.mark.parametrize("kind", ["general", "upper", "lower", "hermitian"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_expm_to_second_order(kind, dtype):
    check_op(spla.expm, small(dtype=dtype, kind=kind, n=4))


@pytest.mark.parametrize("format", ["csr", "lil", "dok"])
def test_expm_of_one_number(format):
    check_op(spla.expm, getattr(sp, f"{format}_array")(onp.array([[0.7]])))


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm_of_a_dense_array(dtype):
    check_op(spla.expm, numbers((3, 3), dtype, 2), reference=scipy_linalg.expm)


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1.0, 30.0])
@pytest.mark.parametrize("n", [4, 30])
def test_gradient_of_expm_is_the_frechet_derivative(n, scale):
    A, E = general(n, "complex128", scale=scale / n), numbers((n, n), "complex128", 5)
    g = grad(lambda A: np.real(np.sum(spla.expm(A).toarray() * E)))(A)
    close(g.toarray(), frechet(A, E))


def test_expm_of_a_defective_matrix():
    A = sp.csr_array(onp.array([[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [0.0, 0.0, 2.0]]))
    check_op(spla.expm, A)


def test_expm_of_a_stiff_triangular_matrix():
    rng = onp.random.default_rng(0)
    A = sp.csr_array(onp.triu(rng.standard_normal((8, 8)), 1) - onp.diag(onp.logspace(0, 4, 8)))
    E = rng.standard_normal((8, 8))
    g = grad(lambda A: np.sum(spla.expm(A).toarray() * E))(A)
    close(g.toarray(), frechet(A, E), rtol=1e-10)


def blocks(count, dtype="float64"):
    """Many small blocks: the exponential is sparse."""
    return sp.block_diag([general(3, dtype, 0.6, seed=k) for k in range(count)], format="csr")


@pytest.mark.parametrize("dtype", DTYPES)
def test_sparse_exponential(dtype):
    A = blocks(10, dtype)  # 90 of 900 entries
    check_op(spla.expm, A, reference=scipy_linalg.expm, order=2 if dtype == "complex128" else 1)
    E = numbers(A.shape, "float64", 3)
    g = grad(lambda A: np.real(np.sum(spla.expm(A).multiply(E))))(A)
    close(g.toarray(), frechet(A, E), 1e-5 if dtype == "float32" else 1e-11)


def test_gradient_of_a_sparse_exponential_stays_sparse():
    A = sp.block_diag([general(3, seed=k % 7) for k in range(400)], format="csc")
    grad(lambda A: spla.expm(A).sum())(A)  # compile, and plan
    tracemalloc.start()
    grad(lambda A: spla.expm(A).sum())(A)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < A.shape[0] ** 2  # one eighth of a dense array


def test_structure_of_the_exponential_does_not_depend_on_values():
    A = sp.csr_array((onp.array([1.0, 2.0, 0.0, 3.0]), [0, 1, 2, 3], [0, 2, 3, 4, 4]), shape=(4, 4))
    X = make_vjp(spla.expm)(A)[1]
    paths = [[1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    onp.testing.assert_array_equal(stored(X), paths)
    assert make_vjp(spla.expm)(A * 0.0)[1].nnz == X.nnz > scipy_linalg.expm(A).nnz
    check_op(spla.expm, A)


def test_expm_with_duplicates_and_unsorted_entries():
    coords = (onp.array([0, 0, 1, 1]), onp.array([1, 1, 0, 1]))
    A = sp.coo_array((onp.array([1.0, -0.4, 0.5, 0.3]), coords), shape=(2, 2))
    check_op(lambda A: spla.expm(A.copy()), A)  # untraced, SciPy sums the duplicates of A itself
    B = sps.csr_array((onp.array([1.0, 2.0, 0.5]), [1, 0, 1], [0, 2, 3]), shape=(2, 2))
    before = B.data.copy()
    g = grad(lambda B: spla.expm(B).sum())(B)
    onp.testing.assert_array_equal(B.data, before)
    onp.testing.assert_array_equal(g.indices, [1, 0, 1])
    close(g.toarray(), frechet(B, onp.ones((2, 2))))


def test_expm_of_an_empty_matrix():
    assert grad(lambda A: spla.expm(A).sum() + A.sum())(sp.csr_array((0, 0))).shape == (0, 0)


def test_expm_of_a_rectangular_matrix_raises_as_in_scipy():
    with pytest.raises(ValueError, match="square"):
        make_vjp(spla.expm)(matrix("csr", "array", "float64"))


# ---- expm_multiply ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("format", FORMATS)
def test_expm_multiply_of_every_format(format, dtype):
    A, b = small(format, dtype=dtype), numbers(5, dtype, 1)
    check_op(lambda A, b: spla.expm_multiply(A, B=b), A, b, order=1,
             reference=scipy_linalg.expm_multiply)  # fmt: skip


GRIDS = [{}, {"start": 0.0, "stop": 1.0, "num": 3}, {"start": 0.5, "stop": 2, "num": 4,
         "endpoint": False}, {"start": -1.0, "stop": 0.5, "num": 2}]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(5,), (5, 3)])
@pytest.mark.parametrize("times", GRIDS, ids=str)
def test_expm_multiply_of_vectors_and_blocks(times, shape, dtype):
    A, b = small("csc", "matrix", dtype), numbers(shape, dtype, 1)
    check_op(lambda A, b: spla.expm_multiply(A, b, **times), A, b, order=1,
             reference=lambda A, b: scipy_linalg.expm_multiply(A, b, **times))  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm_multiply_to_second_order(dtype):
    A, b = general(3, dtype, 0.7), numbers(3, dtype, 1)
    check_op(spla.expm_multiply, A, b)


@pytest.mark.parametrize("endpoint", [True, False])
def test_times(endpoint):
    A, b = general(3, density=0.7), numbers(3, "float64", 1)

    def f(A, b, start, stop):
        return spla.expm_multiply(A, b, start, stop=stop, num=3, endpoint=endpoint)

    check_op(f, A, b, 0.3, 1.1)


def test_first_time_zero_has_a_derivative():
    A, b = general(4), numbers(4, "float64", 1)
    vjp, X = make_vjp(lambda t: spla.expm_multiply(A, b, t, 1.0, 2))(0.0)
    onp.testing.assert_allclose(vjp(onp.ones((2, 4))), (A @ b).sum(), rtol=1e-12)


def test_derivative_where_the_terms_of_the_value_end_early():
    """A B = 0: SciPy takes two terms, and the derivative needs many."""
    A = sp.csr_array(onp.array([[2.0, -1, -1, 0], [-3, 4, -1, 0], [0, -2, 3, -1], [-1, 0, -4, 5]]))
    E = numbers(4, "float64", 3)
    g = grad(lambda A: np.sum(spla.expm_multiply(A, onp.ones(4)) * E))(A)
    close(g.toarray(), frechet(A, onp.outer(E, onp.ones(4))))


@pytest.mark.parametrize("value", [0.0, 40.0])
def test_derivatives_at_nilpotent_and_zero_matrices(value):
    """SciPy takes few terms, or none: A² = 0."""
    A = sp.csr_array((onp.array([0.0, value, 0.0, 0.0]), [0, 1, 0, 1], [0, 2, 4]), shape=(2, 2))
    check_op(lambda A, b: spla.expm_multiply(A, b), A, onp.ones(2), order=1)
    if not value:
        check_op(lambda A, b, t: spla.expm_multiply(A, b, 0.0, t, 2), A, onp.ones(2), 1.0)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("length", [1, 7, 10, 100])
def test_terms_of_a_step_that_are_not_all_there_at_once(length, format, dtype):
    """Made again from every `length`-th of them, they give the same derivatives."""
    p = Pattern.of(regular(format, "array", dtype))
    data, h = numbers(p.size, dtype, 1) / 4, 0.7
    x, g = numbers((5, 3), dtype, 2), numbers((5, 3), dtype, 3)
    steps = _expm_multiply.Steps(p, 0.25, 5.0)
    vjp = make_vjp(lambda data, x: _expm_multiply.step(data, x, h, steps), (0, 1))(data, x)[0]
    # A traced cotangent takes the rule that is written for every order.
    data_bar, x_bar = make_jvp(vjp)(g)(g)[1]
    total = onp.zeros(p.size, dtype)
    w = _expm_multiply._adjoint_of_columns(
        g * steps.growth(h), data, x, h, steps, length, total
    )  # fmt: skip
    onp.testing.assert_allclose(total, data_bar, rtol=1e-12)
    onp.testing.assert_allclose(w, x_bar, rtol=1e-12)


@pytest.mark.parametrize("n, scale", [(1, 3.0), (30, 0.1), (30, 300.0)])
def test_gradient_of_expm_multiply_is_the_frechet_derivative(n, scale):
    A = general(n, "complex128", scale=scale / n)
    b, E = numbers(n, "complex128", 2), numbers(n, "complex128", 3)
    g, h = grad(lambda A, b: np.real(np.sum(spla.expm_multiply(A, b) * E)), (0, 1))(A, b)
    close(g.toarray(), frechet(A, onp.outer(E, b)))
    close(h, scipy.linalg.expm(A.toarray().T) @ E)


def test_steps_are_short_enough():
    """A circulant matrix: its norm is an eigenvalue, so that none of the bound is to spare."""
    A = sp.csr_array(sps.diags_array([60.0, 60.0], offsets=[1, -7], shape=(8, 8)))
    b, E = numbers(8, "float64", 2), numbers(8, "float64", 3)
    g = grad(lambda A: np.sum(spla.expm_multiply(A, b) * E))(A)
    close(g.toarray(), frechet(A, onp.outer(E, b)))


def test_fine_grid():
    """More times than steps: SciPy uses the terms of one step for several times."""
    A, b = general(6, scale=0.3), numbers(6, "float64", 2)
    G = numbers((40, 6), "float64", 4)
    g = grad(lambda A: np.sum(spla.expm_multiply(A, b, 0.0, 2.0, 40) * G))(A)
    e = sum(
        t * frechet(A * t, onp.outer(G[k], b)) for k, t in enumerate(onp.linspace(0.0, 2.0, 40))
    )
    close(g.toarray(), e)


def test_interval_far_from_zero():
    """SciPy reaches the first time by the steps of the interval, too few here: ours is right."""
    A, b = general(5, scale=0.1), numbers(5, "float64", 2)
    X = make_vjp(lambda b: spla.expm_multiply(A, b, 100.0, 101.0, 3))(b)[1]
    exact = [scipy.linalg.expm(t * A.toarray()) @ b for t in (100.0, 100.5, 101.0)]
    close(X, onp.array(exact), 1e-11)


def test_decreasing_times_raise():
    with pytest.raises(NotImplementedError, match="decrease"):
        make_vjp(lambda b: spla.expm_multiply(general(4), b, 1.0, 0.0, 3))(onp.ones(4))


def test_constant_operator():
    D = general(4, "complex128").toarray()
    A, b = scipy_linalg.aslinearoperator(D), numbers((4, 2), "complex128", 1)
    trace = D.trace()
    check_op(lambda b: spla.expm_multiply(A, b, traceA=trace), b, order=1)
    check_op(lambda b, t: spla.expm_multiply(A, b[:, 0], 0.1, t, 3, traceA=trace), b, 0.9, order=1)


def test_operator_that_depends_on_traced_values_raises():
    def f(A, b):
        return np.sum(spla.expm_multiply(spla.aslinearoperator(A), b, traceA=1.0))

    with pytest.raises(NotImplementedError):
        grad(f, (0, 1))(general(4), onp.ones(4))


def test_dense_matrix():
    check_op(spla.expm_multiply, numbers((3, 3), "float64", 1), numbers(3, "float64", 2), order=1)


def test_trace_is_a_number():
    A, b = general(5), numbers(5, "float64", 2)
    g = grad(lambda A: np.sum(spla.expm_multiply(A, b, traceA=A.trace())))(A)
    close(g.toarray(), frechet(A, onp.outer(onp.ones(5), b)))


@pytest.mark.parametrize("of_A, of_B", [
    ("csr_array", "csr_array"), ("csc_matrix", "coo_array"), ("coo_array", "csc_matrix"),
    ("dia_array", "lil_array"),
])  # fmt: skip
def test_sparse_right_side(of_A, of_B):
    A = getattr(sp, of_A)(general(4))
    B = getattr(sp, of_B)(matrix("csr", "array", "float64", (4, 3)))
    ours = make_vjp(lambda A: spla.expm_multiply(A, B))(A)[1]
    theirs = scipy_linalg.expm_multiply(A, B)
    assert type(ours) is getattr(sp, type(theirs).__name__)
    close(ours.toarray(), theirs.toarray())
    check_op(spla.expm_multiply, A, B, order=1)
    check_op(lambda A, B: spla.expm_multiply(A, B, 0.0, 1.0, 2), A, B, order=1)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_whole_numbers_and_np_matrix_are_constants():
    A, B = sp.csr_array(onp.array([[1, 2], [0, 1]])), onp.array([1, 2])
    check_op(lambda b: spla.expm_multiply(A, b), onp.array([1.0, 2.0]), order=1)
    check_op(lambda A: spla.expm_multiply(A, B), A.astype(float), order=1)
    X = make_vjp(lambda A: spla.expm_multiply(A, onp.asmatrix(onp.eye(2))))(A.astype(float))[1]
    close(X, scipy.linalg.expm(A.toarray()))


def test_scipys_own_matrix_changed_after_the_call():
    A, b = sps.csr_array(general(4)), numbers(4, "float64", 2)
    e = grad(lambda b: np.sum(spla.expm_multiply(A, b) ** 2))(b)

    def f(b):
        K = A.copy()
        x = spla.expm_multiply(K, b)
        K.data[:] = 7.0
        return np.sum(x**2)

    onp.testing.assert_array_equal(grad(f)(b), e)
    assert type(grad(lambda A: np.sum(spla.expm_multiply(A, b)))(A)) is sps.csr_array


@pytest.mark.parametrize("arguments, error", [
    ((matrix("csr", "array", "float64"), onp.ones(6)), ValueError),
    ((general(4), onp.ones(3)), ValueError),
    ((general(4), onp.ones((4, 1, 1))), ValueError),
    ((general(4), onp.ones(4), 0.0, 1.0, 1), ValueError),
    ((general(4), onp.ones(4), None, 1.0), TypeError),
])  # fmt: skip
def test_bad_input_raises_as_in_scipy(arguments, error):
    A, b, *times = arguments
    with pytest.raises(error) as theirs:
        scipy_linalg.expm_multiply(A, b, *times)
    with pytest.raises(error) as ours:
        make_vjp(lambda b: spla.expm_multiply(A, b, *times))(b)
    assert str(ours.value) == str(theirs.value)


def test_memory_of_the_gradient_is_that_of_the_states_at_the_steps():
    n = 20000
    A = sp.diags_array([1.0, -2.0, 3.0], offsets=[-1, 0, 1], shape=(n, n)).tocsr() * 20.0
    b = numbers(n, "float64", 1)
    steps = 12  # of degree 55, for a norm of 120 without the diagonal
    run = grad(lambda A: np.sum(spla.expm_multiply(A, b)))
    run(A)
    tracemalloc.start()
    run(A)
    peak = tracemalloc.get_traced_memory()[1] / (8 * n)
    tracemalloc.stop()
    assert peak < steps + 2 * 8 + 20  # states, every 7th term of one step and 7 between, and A


# ---- funm_multiply_krylov ---------------------------------------------------------------------

krylov = pytest.mark.skipif(
    not hasattr(scipy_linalg, "funm_multiply_krylov"), reason="came with SciPy 1.17"
)

TIGHT = {"rtol": 1e-13}


def cubic(X):
    return X @ X @ X - X


@krylov
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr"])
def test_krylov_of_formats(format, dtype):
    A, b = small(format, dtype=dtype), numbers(5, dtype, 1)

    def f(A, b, t):
        return spla.funm_multiply_krylov(scipy.linalg.expm, A, b, t=t, rtol=1e-6)

    check_op(f, A, b, 0.7, order=1)
    x = make_vjp(lambda b: f(A, b, 0.7))(b)[1]
    e = scipy_linalg.funm_multiply_krylov(scipy.linalg.expm, sps.csr_array(A), b, t=0.7)
    close(x, e, 1e-6 if dtype == "float32" else 1e-14)
    assert x.dtype == e.dtype


@krylov
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("f", [cubic, scipy.linalg.sqrtm], ids=["cubic", "sqrtm"])
def test_krylov_to_second_order(f, dtype):
    A, b = small(n=3, dtype=dtype), numbers(3, dtype, 1)
    check_op(lambda A, b: spla.funm_multiply_krylov(f, A, b, t=0.5, **TIGHT), A, b)


@krylov
def test_krylov_second_order_in_t():
    A, b = small(n=4), numbers(4, "float64", 1)
    check_op(lambda b, t: spla.funm_multiply_krylov(cubic, A, b, t=t, **TIGHT), b, 0.5)


@krylov
@pytest.mark.parametrize("rtol", [1e-6, 1e-12])
def test_gradient_of_krylov_is_the_frechet_derivative(rtol):
    A = general(80, "complex128", 0.05, scale=0.5)
    b, E = numbers(80, "complex128", 2), numbers(80, "complex128", 3)

    def f(A, b):
        x = spla.funm_multiply_krylov(scipy.linalg.expm, A, b, rtol=rtol, restart_every_m=8)
        return np.real(np.sum(x * E))

    g, h = grad(f, (0, 1))(A, b)
    close(g.toarray(), frechet(A, onp.outer(E, b)), 10 * rtol)
    close(h, scipy.linalg.expm(A.toarray().T) @ E, 10 * rtol)
    V = general(80, "complex128", 0.05, seed=0)
    t = make_jvp(lambda A: f(A, b))(A)(V)[1]
    assert t == pytest.approx(onp.real(onp.sum(g.data * V.data)), rel=1e3 * rtol)


@krylov
def test_krylov_of_a_hermitian_matrix():
    A, b = small(dtype="complex128", kind="hermitian"), numbers(5, "complex128", 2)
    E = numbers(5, "complex128", 3)

    def f(A, b):
        x = spla.funm_multiply_krylov(scipy.linalg.expm, A, b, assume_a="her", **TIGHT)
        return np.real(np.sum(x * E))

    g, h = grad(f, (0, 1))(A, b)
    close(g.toarray(), frechet(A, onp.outer(E, b)))
    close(h, scipy.linalg.expm(A.toarray().T) @ E)


@krylov
@pytest.mark.parametrize("b", [[1.0, 0, 0], [1.0, 1, 0], [0.0, 0, 0]])
def test_krylov_in_an_invariant_space(b):
    """Where SciPy's iteration breaks down (1.17: wrong, or an exception), ours is right."""
    A, b = sp.csr_array(onp.array([[1.0, 2, 0], [3, 1, 0], [0, 0, 3]])), onp.array(b)
    E = numbers(3, "float64", 3)
    vjp, x = make_vjp(lambda A: spla.funm_multiply_krylov(scipy.linalg.expm, A, b, **TIGHT))(A)
    onp.testing.assert_allclose(x, scipy.linalg.expm(A.toarray()) @ b, rtol=1e-13, atol=1e-15)
    onp.testing.assert_allclose(
        vjp(E).toarray(), frechet(A, onp.outer(E, b)), rtol=1e-11, atol=1e-14
    )
    one = onp.array([[0.3]])
    h = grad(lambda A: spla.funm_multiply_krylov(scipy.linalg.expm, A, onp.ones(1))[0])
    onp.testing.assert_allclose(h(sp.csr_array(one)).toarray(), onp.exp(one))


@krylov
def test_krylov_that_does_not_converge_warns():
    A, b = general(60, scale=5.0), numbers(60, "float64", 1)

    def f(A):
        return np.sum(spla.funm_multiply_krylov(
            scipy.linalg.expm, A, b, restart_every_m=3, max_restarts=2, rtol=1e-12
        ))  # fmt: skip

    with pytest.warns(scipygrad.AdjointConvergenceWarning, match="max_restarts"):
        grad(f)(A)


@krylov
def test_krylov_of_an_operator():
    D = small(dtype="complex128").toarray()
    A, b = scipy_linalg.aslinearoperator(D), numbers(5, "complex128", 1)
    check_op(lambda b: spla.funm_multiply_krylov(scipy.linalg.expm, A, b, t=0.5, **TIGHT), b)
    with pytest.raises(NotImplementedError, match="derivative in t"):
        grad(lambda t: np.sum(spla.funm_multiply_krylov(scipy.linalg.expm, A, b.real, t=t)))(0.5)


@krylov
def test_krylov_with_a_function_of_traced_values_raises():
    A, b = small(), numbers(5, "float64", 1)

    def f(b, s):
        return np.sum(spla.funm_multiply_krylov(lambda X: X * s, A, b))

    for argnums in ((0, 1), 1):
        with pytest.raises(NotImplementedError):
            grad(f, argnums)(b, 2.0)


@krylov
def test_krylov_of_bad_input_raises_as_in_scipy():
    A, b = small(), numbers(5, "float64", 1)
    for arguments in ({"assume_a": "odd"}, {"restart_every_m": 0}, {"max_restarts": 0}):
        with pytest.raises(ValueError, match="funm_multiply_krylov"):
            make_vjp(lambda b, a=arguments: spla.funm_multiply_krylov(cubic, A, b, **a))(b)
    with pytest.raises(ValueError, match="1D"):
        make_vjp(lambda B: spla.funm_multiply_krylov(cubic, A, B))(onp.ones((5, 2)))


# ---- matrix_power -----------------------------------------------------------------------------


@pytest.mark.parametrize("power", [0, 1, 2, 5, onp.int64(3)])
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("format", FORMATS)
def test_powers(format, family, power):
    A = small(format, family, "float32")
    ours = make_vjp(lambda A: spla.matrix_power(A, power))(A)[1]
    theirs = spla.matrix_power(A, power)
    assert type(ours) is type(theirs) and ours.dtype == theirs.dtype
    close(ours.toarray(), theirs.toarray(), 1e-6)
    if power:
        check_op(lambda A: spla.matrix_power(A, power=power), A, order=1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_power_to_second_order(dtype):
    check_op(lambda A: spla.matrix_power(A, 3), small(dtype=dtype, n=4))


@pytest.mark.parametrize("power", [2.5, 2.0, -1, "2", None])
@pytest.mark.parametrize("format", ["csr", "dia"])
def test_powers_that_are_no_whole_numbers_raise_as_in_scipy(format, power):
    A = small(format)
    with pytest.raises((ValueError, TypeError)) as theirs:
        spla.matrix_power(A, power)
    with pytest.raises(type(theirs.value)) as ours:
        make_vjp(lambda A: spla.matrix_power(A, power))(A)
    assert str(ours.value) == str(theirs.value)


# ---- everything -------------------------------------------------------------------------------


def test_gradients_warn_of_nothing():
    """The formats that SciPy converts with a warning do so once, in the value."""
    A = small("csc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grad(lambda A: spla.expm(A).sum() + np.sum(spla.expm_multiply(A, onp.ones(5))))(A)


@pytest.mark.parametrize("integers", ["bool", "int8", "uint8", "int16", "int32"])
@pytest.mark.parametrize("dtype", ["float32", "complex64", "float64"])
def test_expm_multiply_of_integers_has_scipys_dtype(dtype, integers):
    A, b = small(dtype=dtype), onp.arange(5).astype(integers)
    y = make_vjp(lambda A: spla.expm_multiply(A, b))(A)[1]
    theirs = scipy_linalg.expm_multiply(scipygrad.to_scipy(A), b)
    assert y.dtype == theirs.dtype
    onp.testing.assert_allclose(y, theirs, rtol=1e-4)
