"""The Laplacian of a graph."""

import itertools

import autograd.numpy as np
import graphs
import numpy as onp
import pytest
import scipy.sparse as sps
import scipy.sparse.csgraph as theirs
from autograd import grad, make_vjp
from graphs import graph, weights, while_traced, without_zeros

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as ours
from scipygrad.testing import check_op

FLAGS = ("normed", "use_out_degree", "symmetrized")
VARIANTS = [dict(zip(FLAGS, v)) for v in itertools.product([False, True], repeat=3)]
every_variant = pytest.mark.parametrize(
    "options", VARIANTS, ids=["-".join(k for k in FLAGS if v[k]) or "plain" for v in VARIANTS]
)
V = onp.random.default_rng(1).standard_normal((7, 2))


def assert_close(a, b, rtol=1e-14):
    assert type(a).__name__ == type(b).__name__ and a.dtype == b.dtype
    if sps.issparse(b):
        assert a.format == b.format
    onp.testing.assert_allclose(graphs.dense(a), graphs.dense(b), rtol=rtol, atol=rtol)


def in_blocks(kind):
    """A graph in that class, with blocks of 2 by 2 (and zeros in them) for bsr."""
    W = weights(8) if kind.startswith("bsr") else weights(7)
    return getattr(sp, kind)(W) if kind.startswith("bsr") else graph(kind, W)


# ---- values ----------------------------------------------------------------------------------


@every_variant
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", graphs.KINDS)
def test_values_are_scipys(kind, dtype, options):
    A = in_blocks(kind).astype(dtype)
    (L, d), (L_scipy, d_scipy) = (
        while_traced(lambda A: ours.laplacian(A, return_diag=True, **options), A),
        theirs.laplacian(graphs.scipys(A), return_diag=True, **options),
    )
    rtol = 1e-6 if dtype == "float32" else 1e-14
    assert_close(L, L_scipy, rtol)
    assert_close(d, d_scipy, rtol)


@every_variant
@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_coordinates_are_scipys(kind, options):
    L = while_traced(lambda A: ours.laplacian(A, **options), graph(kind))
    L_scipy = theirs.laplacian(graphs.scipys(graph(kind)), **options)
    for a, b in zip(L.coords, L_scipy.coords):
        onp.testing.assert_array_equal(a, b)


@every_variant
@pytest.mark.parametrize("kind", graphs.KINDS)
def test_function_has_scipys_values(kind, options):
    A = graph(kind)
    L, d = theirs.laplacian(graphs.scipys(A), return_diag=True, form="function", **options)

    def inside(A):
        L, d = ours.laplacian(A, return_diag=True, form="function", **options)
        return L(V), d

    product, degrees = while_traced(inside, A)
    assert_close(product, L(V))
    assert_close(degrees, d)


@pytest.mark.parametrize("kind", ["csr_array", "dense"])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_dtype(kind, dtype):
    call = lambda m: lambda A: m.laplacian(A, True, True, dtype=onp.dtype(dtype))  # noqa: E731
    for a, b in zip(while_traced(call(ours), graph(kind)), call(theirs)(graph(kind))):
        assert_close(a, b, 1e-6)


def test_diagonal_of_the_graph_is_ignored():
    A = graph(W=weights() + onp.diag(onp.arange(1.0, 8.0)))
    for options in VARIANTS:
        L = while_traced(lambda A, o=options: ours.laplacian(A, **o), A)
        assert_close(L, theirs.laplacian(A, **options))


def test_negative_degree_is_nan_with_numpys_warning():
    A = graph(W=-weights())
    with pytest.warns(RuntimeWarning, match="invalid value encountered in sqrt"):
        L = while_traced(lambda A: ours.laplacian(A, normed=True), A)
    assert onp.isnan(L.data).any()


@pytest.mark.parametrize("A, options", [
    (sp.csr_array((2, 3)), {}), (onp.ones((2, 3)), {}), (onp.ones(3), {}),
    (graph(), {"form": "no such"}), (graph("dense"), {"form": "no such"}),
], ids=["sparse", "dense", "vector", "form", "form, dense"])  # fmt: skip
def test_bad_argument_raises_scipys_error(A, options):
    def call(module):
        return lambda A: module.laplacian(A, **options)

    assert not graphs.compare_traced(call(ours), call(theirs), A)


def test_list_raises_scipys_error():
    with pytest.raises(AttributeError, match="'list' object has no attribute 'ndim'"):
        grad(lambda v: np.sum(ours.laplacian([[0.0, v], [v, 0.0]])))(1.0)


# ---- derivatives -----------------------------------------------------------------------------


@every_variant
@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "dia_array", "dok_array", "dense"])
def test_derivatives(kind, options):
    A = weights() + 0.1 if kind == "dense" else without_zeros(kind)
    check_op(lambda A: ours.laplacian(csgraph=A, return_diag=True, **options), A)


@pytest.mark.parametrize("kind", [k for k in graphs.KINDS if k != "dense"])
def test_derivatives_in_every_class(kind):
    check_op(lambda A: ours.laplacian(A).power(2).sum(), in_blocks(kind))
    check_op(lambda A: ours.laplacian(A, True, dtype=float).power(2).sum(), without_zeros(kind))


@every_variant
@pytest.mark.parametrize("kind", ["csr_array", "coo_matrix", "lil_array", "dense"])
def test_function_derivatives_in_graph_and_argument(kind, options):
    A = weights() + 0.1 if kind == "dense" else graph(kind)

    def f(A, V):
        L, d = ours.laplacian(A, return_diag=True, form="function", **options)
        return L(V), d

    check_op(f, A, V)


@pytest.mark.parametrize("options", VARIANTS[:4], ids=str)
def test_function_of_a_plain_graph_derivatives(options):
    check_op(lambda V: ours.laplacian(graph(), form="function", **options)(V) ** 2, V)


@every_variant
@pytest.mark.parametrize("kind", ["csr_array", "dense"])
def test_complex_derivatives(kind, options):
    W = weights() + 0.3j * weights(seed=30) * (weights() != 0)
    A = W + 0.1 if kind == "dense" else graph(kind, W, "complex128")
    check_op(lambda A: ours.laplacian(A, return_diag=True, **options), A)
    check_op(lambda A: ours.laplacian(A, form="function", **options)(V + 1j), A)


@every_variant
@pytest.mark.parametrize("kind", ["csr_array", "dia_matrix", "dense"])
def test_single_precision_stays(kind, options):
    A = (weights() + 0.1 if kind == "dense" else without_zeros(kind)).astype("float32")
    check_op(lambda A: ours.laplacian(A, return_diag=True, **options), A)


@every_variant
def test_duplicates_of_coo(options):
    A = sp.coo_array(
        (onp.array([1.0, 0.5, 2.0, 0.7, 1.1, 0.3]), ([0, 1, 0, 1, 2, 2], [1, 2, 1, 2, 0, 2])),
        shape=(3, 3),
    )
    L = while_traced(lambda A: ours.laplacian(A, **options), A)
    assert_close(L, theirs.laplacian(graphs.scipys(A), **options))
    check_op(lambda A: ours.laplacian(A, **options).toarray(), A)


@every_variant
@pytest.mark.parametrize("kind", ["csr_array", "dia_array", "dense"])
def test_vertex_of_degree_zero(kind, options):
    """Vertex 1 has edges going out only, vertex 3 none; stored zeros lead to both."""
    W = onp.array([[0.0, 9.0, 1.0, 9.0], [2.0, 0.0, 0.5, 0.0], [0.7, 0.0, 0.0, 0.0], [0.0] * 4])
    A = graph(kind, W)
    if kind != "dense":
        A.data[A.data == 9] = 0
    else:
        A[A == 9] = 0
    L = while_traced(lambda A: ours.laplacian(A, **options), A)
    assert_close(L, theirs.laplacian(graphs.scipys(A), **options))

    def f(A):
        return (ours.laplacian(A, **options).__abs__().sum() if kind != "dense"
                else np.sum(np.abs(ours.laplacian(A, **options))))  # fmt: skip

    G = grad(f)(A)
    assert onp.isfinite(graphs.dense(G)).all()


def test_derivative_away_from_a_vertex_of_degree_zero():
    W = weights(6, seed=31)
    W[:, 2] = 0  # nothing leads to vertex 2: its degree is 0, whatever its own edges weigh
    W[2, 4] = 1.5
    A = graph(W=W)
    for options in ({}, {"normed": True}):
        check_op(lambda A, o=options: ours.laplacian(A, return_diag=True, **o), A)


def test_gradient_in_a_learning_step():
    A = graph(W=weights(12, seed=32))

    def energy(A, X):
        L = ours.laplacian(A.power(2), normed=True, symmetrized=True).tocsr()
        return np.sum(X * (L @ X))

    check_op(energy, A, onp.random.default_rng(2).standard_normal((12, 3)))


# ---- refused, untouched ----------------------------------------------------------------------


@every_variant
@pytest.mark.parametrize("kind", ["csr_array", "coo_matrix", "dense"])
def test_linear_operator(kind, options):
    """Applied to blocks: SciPy's raises for a vector."""
    A = graph(kind)

    def f(A, X):
        return ours.laplacian(A, form="lo", **options) @ X

    K = A.to_scipy() if sps.issparse(A) else A
    expected = theirs.laplacian(K, form="lo", **options) @ V
    onp.testing.assert_allclose(make_vjp(lambda t: f(*t))((A, V))[1], expected, rtol=1e-13)
    check_op(f, A, V)


@pytest.mark.parametrize("form", ["array", "function"])
@pytest.mark.parametrize("kind", ["csr_array", "dense"])
def test_whole_numbers_raise(kind, form):
    with pytest.raises(TypeError, match="detach"):
        make_vjp(lambda A: ours.laplacian(A, form=form, dtype=int))(graph(kind))


@every_variant
@pytest.mark.parametrize("kind", ["coo_array", "dia_array", "dense"])
def test_copy_false_changes_nothing(kind, options):
    A = graph(kind)
    make_vjp(lambda A: ours.laplacian(A, copy=False, **options))(A)
    onp.testing.assert_array_equal(graphs.dense(A), weights())


@every_variant
def test_graph_changed_before_the_backward_pass(options):
    A = graph()
    f = lambda A: ours.laplacian(A, **options).data  # noqa: E731
    vjp, value = make_vjp(f)(graph())
    changed = make_vjp(f)(A)[0]
    A.data = A.data[::-1].copy()
    onp.testing.assert_array_equal(changed(value).data, vjp(value).data)
