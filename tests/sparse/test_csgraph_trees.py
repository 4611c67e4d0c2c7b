"""Trees: the weights of chosen edges."""

import autograd.numpy as np
import graphs
import numpy as onp
import pytest
import scipy.sparse.csgraph as theirs
from autograd import grad, make_vjp
from graphs import compare_traced, graph, weights, while_traced, without_zeros

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as ours
from scipygrad import ZeroWeightWarning, detach
from scipygrad.testing import check_op

INT = onp.int32
BEFORE = theirs.breadth_first_order(weights(), 2)[1]


def before(A, directed=True):
    """Predecessors of a graph's own."""
    return theirs.breadth_first_order(detach(A), 2, directed)[1]


CALLS = {
    "minimum_spanning_tree": lambda m, A: m.minimum_spanning_tree(A),
    "breadth_first_tree": lambda m, A: m.breadth_first_tree(A, 2),
    "breadth_first_tree undirected": lambda m, A: m.breadth_first_tree(A, 2, directed=False),
    "depth_first_tree": lambda m, A: m.depth_first_tree(csgraph=A, i_start=1),
    "depth_first_tree undirected": lambda m, A: m.depth_first_tree(A, 1, False),
    "reconstruct_path": lambda m, A: m.reconstruct_path(A, before(A)),
    "reconstruct_path undirected": lambda m, A: m.reconstruct_path(A, before(A, False), False),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def on(module, call):
    return lambda A: call(module, A)


@every_call
@pytest.mark.parametrize("kind", graphs.KINDS)
def test_values_are_scipys(kind, call):
    assert compare_traced(on(ours, call), on(theirs, call), graph(kind))


@every_call
@pytest.mark.parametrize("seed", range(3))
def test_index_arrays_are_scipys(seed, call):
    A = graph(W=weights(7, seed=seed))
    inside, outside = while_traced(on(ours, call), A), call(theirs, A)
    for name in ("indptr", "indices", "data"):
        onp.testing.assert_array_equal(getattr(inside, name), getattr(outside, name))
        assert getattr(inside, name).dtype == getattr(outside, name).dtype


@every_call
@pytest.mark.parametrize("kind", [k for k in graphs.KINDS if k != "dense"])
def test_derivatives_in_every_class(kind, call):
    check_op(lambda A: call(ours, A).power(2), without_zeros(kind))


@every_call
def test_derivatives_of_a_dense_graph(call):
    W = weights()
    edge = W != 0
    check_op(lambda X: call(ours, X * edge).power(2), W)


@every_call
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_gradient_has_the_dtype_of_the_graph(dtype, call):
    A = graph(dtype=dtype)
    G = grad(lambda A: call(ours, A).sum())(A)
    real = grad(lambda A: call(ours, A).sum())(graph())
    assert G.dtype == dtype and while_traced(on(ours, call), A).dtype == onp.float64
    onp.testing.assert_array_equal(G.data, real.data)


@every_call
@pytest.mark.parametrize("A", [sp.csr_array((2, 3)), onp.ones((2, 3)), onp.ones(3)],
                         ids=["sparse", "dense", "vector"])  # fmt: skip
def test_bad_graph_raises_scipys_error(A, call):
    assert not compare_traced(on(ours, call), on(theirs, call), A)


@every_call
def test_graph_without_edges(call):
    A = sp.csr_array((7, 7))
    assert compare_traced(on(ours, call), on(theirs, call), A)
    assert make_vjp(lambda A: call(ours, A).data)(A)[1].dtype == onp.float64


@every_call
def test_zeros_that_tracing_stored_are_reported(call):
    with pytest.warns(ZeroWeightWarning):
        make_vjp(lambda X: call(ours, sp.csr_array(X)))(weights())


@every_call
def test_graph_changed_before_the_backward_pass(call):
    f = lambda A: call(ours, A).power(2).data  # noqa: E731
    vjp, value = make_vjp(f)(graph())
    A = graph()
    changed = make_vjp(f)(A)[0]
    A.data = A.data[::-1].copy()
    onp.testing.assert_array_equal(changed(value).data, vjp(value).data)


def test_graph_of_a_list_of_traced_numbers():
    def f(v):
        return ours.minimum_spanning_tree([[0.0, v[0], v[1]], [0.0, 0.0, v[0] * v[1]], [0, 0, 0]])

    check_op(f, onp.array([1.3, 2.5]))


# ---- minimum spanning trees ------------------------------------------------------------------


def test_minimum_spanning_tree_of_a_larger_graph():
    A = graph(W=weights(60, seed=20))
    G = grad(lambda A: ours.minimum_spanning_tree(A).sum())(A)
    tree = theirs.minimum_spanning_tree(A)
    onp.testing.assert_array_equal(G.toarray(), tree.toarray() != 0)
    assert G.sum() == 59


def test_equal_weights_give_scipys_tree():
    rng = onp.random.default_rng(21)
    W = rng.integers(0, 3, (12, 12)).astype(float)
    assert compare_traced(ours.minimum_spanning_tree, theirs.minimum_spanning_tree, graph(W=W))


def test_edge_of_weight_zero_keeps_its_derivative():
    A = sp.csr_array(
        (onp.array([0.0, 2.0, 3.0]), onp.array([1, 2, 2], INT), onp.array([0, 2, 3, 3], INT)),
        shape=(3, 3),
    )
    assert compare_traced(ours.minimum_spanning_tree, theirs.minimum_spanning_tree, A)
    G = grad(lambda A: ours.minimum_spanning_tree(A).sum())(A)
    onp.testing.assert_array_equal(G.data, [1, 1, 0])
    check_op(lambda A: ours.minimum_spanning_tree(A).sin(), A)


def test_minimum_spanning_tree_takes_the_lightest_parallel_edge():
    A = sp.csr_array(
        (onp.array([5.0, 1.0, 1.5, 2.0]), onp.array([1, 1, 2, 2], INT),
         onp.array([0, 2, 4, 4], INT)), shape=(3, 3),
    )  # fmt: skip
    assert compare_traced(ours.minimum_spanning_tree, theirs.minimum_spanning_tree, A)
    G = grad(lambda A: ours.minimum_spanning_tree(A).sum())(A)
    onp.testing.assert_array_equal(G.data, [0, 1, 1, 0])


def test_duplicates_of_coo_are_summed_first():
    coords = ([0, 1, 0, 1, 2], [1, 2, 1, 2, 0])
    A = sp.coo_array((onp.array([1.0, 0.5, 2.0, 0.7, 1.0]), coords), shape=(3, 3))
    G = grad(lambda A: ours.minimum_spanning_tree(A).sum())(A)
    onp.testing.assert_array_equal(G.data, [0, 1, 0, 1, 1])


@pytest.mark.parametrize("kind", ["csr_array", "dense"])
def test_minimum_spanning_tree_overwrites_nothing(kind):
    A = graph(kind)
    make_vjp(lambda A: ours.minimum_spanning_tree(A, overwrite=True))(A)
    onp.testing.assert_array_equal(graphs.dense(A), weights())


# ---- trees copied from the graph -------------------------------------------------------------


def test_duplicates_of_csr_are_summed():
    A = sp.csr_array(
        (onp.array([5.0, 1.0, 1.5, 2.0]), onp.array([1, 1, 2, 2], INT),
         onp.array([0, 2, 4, 4], INT)), shape=(3, 3),
    )  # fmt: skip
    for directed in (True, False):
        call = lambda m, A, d=directed: m.breadth_first_tree(A, 0, d)  # noqa: E731
        assert compare_traced(on(ours, call), on(theirs, call), A)
        onp.testing.assert_array_equal(grad(lambda A: call(ours, A).sum())(A).data, [1, 1, 1, 1])  # noqa: B023


def test_symmetric_graph_takes_the_entry_from_parent_to_child():
    A = graph(W=weights() + weights().T)
    G = grad(lambda A: ours.breadth_first_tree(A, 0, directed=False).sum())(A).toarray()
    tree = theirs.breadth_first_tree(A, 0, directed=False).toarray()
    onp.testing.assert_array_equal(G, tree != 0)


def test_undirected_tree_with_a_stored_zero():
    data, indices = onp.array([0.0, 2.0, 0.0, 1.0]), onp.array([1, 0, 2, 0], INT)
    A = sp.csr_array((data, indices, onp.array([0, 1, 3, 4], INT)), shape=(3, 3))
    call = lambda m, A: m.breadth_first_tree(A, 1, False)  # noqa: E731
    assert compare_traced(on(ours, call), on(theirs, call), A)
    G = grad(lambda A: np.sum(np.exp(-call(ours, A).data)))(A)
    onp.testing.assert_allclose(G.data, [0, -onp.exp(-2.0), 0, 0])  # the other weight is inf


def test_predecessors_that_are_no_edges_give_zeros():
    A = graph(W=weights(4, seed=1))
    strange = onp.array([-9999, 3, 0, 0], INT)
    for directed in (True, False):
        call = lambda m, A, d=directed: m.reconstruct_path(A, strange, d)  # noqa: E731
        assert compare_traced(on(ours, call), on(theirs, call), A)


def test_plain_graph_gives_a_plain_tree():
    def run(x):
        tree = ours.reconstruct_path(graph(), BEFORE, directed=x > 0)
        assert type(tree) is sp.csr_array
        return x * 1.0

    make_vjp(run)(2.0)
