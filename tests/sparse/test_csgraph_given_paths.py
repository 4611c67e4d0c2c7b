"""Lengths of paths that are given, and of the K shortest ones."""

import autograd.numpy as np
import graphs
import numpy as onp
import pytest
import scipy.sparse.csgraph as theirs
from autograd import grad, make_vjp
from graphs import compare_traced, graph, weights, while_traced

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as ours
from scipygrad.testing import check_op

DIRECTED = pytest.mark.parametrize("directed", [True, False], ids=["directed", "undirected"])
INT = onp.int32

# ---- K shortest paths ------------------------------------------------------------------------

needs_yen = pytest.mark.skipif(not hasattr(theirs, "yen"), reason="SciPy before 1.14 has no yen")


@needs_yen
@DIRECTED
@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array", "dok_matrix", "dense"])
def test_yen_values_are_scipys(kind, directed):
    def call(module):
        return lambda A: module.yen(A, 0, 4, 5, directed=directed, return_predecessors=True)

    assert compare_traced(call(ours), call(theirs), graph(kind))


@needs_yen
@DIRECTED
def test_yen_derivatives(directed):
    A = graph(W=weights(8, seed=16))
    check_op(lambda A: ours.yen(A, 1, K=4, sink=5, directed=directed) ** 2, A)


@needs_yen
def test_yen_with_negative_weights():
    W = weights(8, seed=7)
    h = onp.random.default_rng(8).uniform(-2, 2, 8)
    A = graph(W=onp.where(W, W + h[:, None] - h, 0))
    assert compare_traced(lambda A: ours.yen(A, 0, 5, 3), lambda A: theirs.yen(A, 0, 5, 3), A)
    check_op(lambda A: ours.yen(A, 0, 5, 3) ** 2, A)


@needs_yen
def test_yen_without_a_path():
    A = graph(W=[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    vjp, lengths = make_vjp(lambda A: ours.yen(A, 0, 2, 2))(A)
    assert lengths.shape == (0,)
    onp.testing.assert_array_equal(vjp(lengths).data, [0, 0])


@needs_yen
def test_yen_unweighted_is_plain():
    onp.testing.assert_array_equal(
        while_traced(lambda A: ours.yen(A, 0, 4, 3, unweighted=True), graph()),
        theirs.yen(graph(), 0, 4, 3, unweighted=True),
    )


@needs_yen
def test_yen_refuses_parallel_edges():
    A = sp.csr_array(
        (onp.array([5.0, 1.0, 2.0]), onp.array([1, 1, 2], INT), onp.array([0, 2, 3, 3], INT)),
        shape=(3, 3),
    )
    with pytest.raises(NotImplementedError, match="sum_duplicates"):
        make_vjp(lambda A: ours.yen(A, 0, 2, 1))(A)


# ---- given predecessors ----------------------------------------------------------------------


def predecessors(A, directed=True):
    return theirs.shortest_path(A, directed=directed, return_predecessors=True)[1]


@DIRECTED
@pytest.mark.parametrize("kind", graphs.KINDS)
def test_construct_dist_matrix_values_are_scipys(kind, directed):
    before = predecessors(weights(seed=2))  # of another graph: some edges are not in ours

    def call(module):
        return lambda A: module.construct_dist_matrix(A, before, directed)

    compare_traced(call(ours), call(theirs), graph(kind))


@DIRECTED
@pytest.mark.parametrize("kind", ["csr_array", "csc_array", "lil_matrix"])
def test_construct_dist_matrix_derivatives(kind, directed):
    A = graph(kind, weights(6, seed=17))
    before = predecessors(A, directed)
    check_op(lambda A: ours.construct_dist_matrix(A, before, directed=directed) ** 2, A)


@pytest.mark.parametrize("directed", [True, False])
def test_construct_dist_matrix_of_broken_paths(directed):
    A = graph(W=weights(6, seed=17))
    before = predecessors(A, directed)
    before[0, 1:4] = -9999  # sums begin there
    before[2, 2] = 5  # the end of a path, whatever stands there

    def call(module):
        return lambda A: module.construct_dist_matrix(A, before, directed, null_value=-1.0)

    assert compare_traced(call(ours), call(theirs), A)
    check_op(lambda A: call(ours)(A) ** 2, A)


def test_construct_dist_matrix_of_an_undirected_graph_with_a_stored_zero():
    A = sp.csr_array(
        (onp.array([0.0, 2.0]), onp.array([1, 0], INT), onp.array([0, 1, 2], INT)), shape=(2, 2)
    )
    before = onp.array([[-9999, 0], [1, -9999]], INT)

    def call(module):
        return lambda A: module.construct_dist_matrix(A, before, directed=False)

    assert compare_traced(call(ours), call(theirs), A)
    onp.testing.assert_array_equal(grad(lambda A: np.sum(call(ours)(A)))(A).data, [0, 2])


@pytest.mark.parametrize("traced_graph", [True, False])
def test_construct_dist_matrix_null_value(traced_graph):
    A = graph(W=weights(6, seed=17))
    before = predecessors(A)
    before[0] = -9999

    def f(A, s):
        return ours.construct_dist_matrix(A, before, null_value=s) ** 2

    if traced_graph:
        check_op(f, A, 3.0)
    else:
        check_op(lambda s: f(A, s), 3.0)


def test_construct_dist_matrix_of_other_shape_raises_scipys_error():
    def call(module):
        return lambda A: module.construct_dist_matrix(A, onp.zeros((2, 2), INT))

    assert not compare_traced(call(ours), call(theirs), graph())
