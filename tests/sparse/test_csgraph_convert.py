"""Graphs between dense and sparse."""

import autograd.numpy as np
import graphs
import numpy as onp
import pytest
import scipy.sparse.csgraph as theirs
from autograd import grad, make_vjp
from graphs import compare_traced, graph, weights, without_zeros

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as ours
from scipygrad.testing import check_op

INT = onp.int32
PARALLEL = sp.csr_array(
    (onp.array([5.0, 1.0, 1.0, onp.nan, 4.0, onp.nan]), onp.array([1, 1, 1, 2, 2, 0], INT),
     onp.array([0, 3, 5, 6], INT)), shape=(3, 3),
)  # fmt: skip

# ---- from dense ------------------------------------------------------------------------------

OPTIONS = {
    "default": {},
    "null 1": {"null_value": 1.0},
    "null inf": {"null_value": onp.inf},
    "null None": {"null_value": None},
    "nan, inf kept": {"nan_null": False, "infinity_null": False},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_from_dense_is_scipys(dtype, options):
    X = weights().astype(dtype)
    X[0, 1:4] = onp.inf, onp.nan, 1.0
    X[1, 1] = 1e-9  # for SciPy, no edge
    call = lambda m: lambda X: m.csgraph_from_dense(X, **options)  # noqa: E731
    assert compare_traced(call(ours), call(theirs), X)


def test_from_dense_derivatives():
    W = weights()
    edge = W != 0
    check_op(lambda X: ours.csgraph_from_dense(graph=X * edge).power(2), W)
    check_op(lambda X: ours.csgraph_from_dense(X * edge).power(2), W.astype("float32"))


def test_from_dense_of_a_list_of_traced_numbers():
    check_op(lambda v: ours.csgraph_from_dense([[0.0, v[0]], [v[0] * v[1], 0.0]]),
             onp.array([1.0, 2.0]))  # fmt: skip


def test_from_dense_entries_that_are_no_edges_have_no_derivative():
    G = grad(lambda X: ours.csgraph_from_dense(X).power(2).sum())(weights())
    onp.testing.assert_array_equal(G, 2 * weights())


@pytest.mark.parametrize("X", [onp.ones((2, 3)), onp.ones(3)], ids=["2 x 3", "vector"])
def test_from_dense_bad_graph_raises_scipys_error(X):
    assert not compare_traced(ours.csgraph_from_dense, theirs.csgraph_from_dense, X)


# ---- to dense --------------------------------------------------------------------------------


@pytest.mark.parametrize("null_value", [0, -1.5, onp.inf, onp.nan])
@pytest.mark.parametrize("kind", [k for k in graphs.KINDS if k != "dense"])
def test_to_dense_is_scipys(kind, null_value):
    call = lambda m: lambda A: m.csgraph_to_dense(A, null_value)  # noqa: E731
    compare_traced(call(ours), call(theirs), graph(kind))


@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "lil_array", "csr_matrix"])
def test_to_dense_derivatives(kind):
    check_op(lambda A: ours.csgraph_to_dense(csgraph=A, null_value=2.0) ** 2, without_zeros(kind))


def test_to_dense_takes_the_smallest_parallel_edge():
    assert compare_traced(ours.csgraph_to_dense, theirs.csgraph_to_dense, PARALLEL)
    vjp, X = make_vjp(ours.csgraph_to_dense)(PARALLEL)
    onp.testing.assert_array_equal(vjp(onp.ones((3, 3))).data, [0, 1, 0, 0, 1, 0])


def test_to_dense_single_precision():
    check_op(lambda A: ours.csgraph_to_dense(A) ** 2, graph(dtype="float32"))


def test_to_dense_null_value_derivative():
    A = graph()
    check_op(lambda A, s: ours.csgraph_to_dense(A, null_value=s) ** 2, A, 3.0)
    check_op(lambda s: ours.csgraph_to_dense(A, s) ** 2, 3.0)


def test_to_dense_stored_zero_is_an_edge():
    A = sp.csr_array((onp.array([0.0]), onp.array([1], INT), onp.array([0, 1, 1], INT)), (2, 2))
    vjp, X = make_vjp(lambda A: ours.csgraph_to_dense(A, onp.inf))(A)
    onp.testing.assert_array_equal(X, [[onp.inf, 0], [onp.inf, onp.inf]])
    onp.testing.assert_array_equal(vjp(onp.ones((2, 2))).data, [1])


def test_to_dense_of_zeros_that_tracing_stored():
    X = weights()
    check_op(lambda X: ours.csgraph_to_dense(sp.csr_array(X)) ** 2, X)  # no warning: nothing hides


def test_to_dense_not_square_raises_scipys_error():
    A = sp.csr_array((2, 3))
    assert not compare_traced(ours.csgraph_to_dense, theirs.csgraph_to_dense, A)


def test_to_dense_without_edges():
    assert compare_traced(ours.csgraph_to_dense, theirs.csgraph_to_dense, sp.csr_array((3, 3)))


def test_there_and_back():
    A = graph()
    f = lambda A: ours.csgraph_from_dense(ours.csgraph_to_dense(A)).power(2).sum()  # noqa: E731
    onp.testing.assert_array_equal(grad(f)(A).data, 2 * A.data)


# ---- masked ----------------------------------------------------------------------------------

MASKED = {
    "csgraph_from_masked": (weights(), "graph", "csgraph_from_dense"),
    "csgraph_masked_from_dense": (weights(), "graph", "csgraph_from_dense"),
    "csgraph_to_masked": (graph(), "csgraph", "csgraph_to_dense"),
}


@pytest.mark.parametrize("keyword", [False, True])
@pytest.mark.parametrize("name", MASKED)
def test_masked_raises_when_traced(name, keyword):
    A, argument, instead = MASKED[name]
    call = getattr(ours, name)
    with pytest.raises(NotImplementedError, match=f"{name}.*'{argument}'.*{instead}.*detach"):
        make_vjp(lambda A: call(**{argument: A}) if keyword else call(A))(A)


@pytest.mark.parametrize("name", MASKED)
def test_masked_says_so_in_the_docstring(name):
    assert "raises" in getattr(ours, name).__doc__.splitlines()[0]


def test_masked_untraced_is_scipys():
    X = np.array(weights())
    onp.testing.assert_array_equal(
        ours.csgraph_masked_from_dense(X).mask, theirs.csgraph_masked_from_dense(X).mask
    )
