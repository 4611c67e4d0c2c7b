"""Lengths of shortest paths."""

import autograd.numpy as np
import graphs
import numpy as onp
import pytest
import scipy.sparse.csgraph as theirs
from autograd import grad, jacobian, make_jvp, make_vjp
from graphs import compare_traced, graph, weights, while_traced, without_zeros

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as ours
from scipygrad import ZeroWeightWarning
from scipygrad._core.engine import isbox
from scipygrad.sparse._csgraph_edges import Edges
from scipygrad.sparse._csgraph_paths import Forest, path_sums
from scipygrad.testing import check_op

SPARSE_ONLY = ("dijkstra", "bellman_ford", "johnson")
FUNCTIONS = (*SPARSE_ONLY, "floyd_warshall", "shortest_path")
DIRECTED = pytest.mark.parametrize("directed", [True, False], ids=["directed", "undirected"])
INT = onp.int32


def damped(D):
    """A smooth function of distances, zero where they are infinite."""
    return np.exp(-D)


# ---- values ----------------------------------------------------------------------------------


@DIRECTED
@pytest.mark.parametrize("kind", graphs.KINDS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_are_scipys(name, kind, directed):
    def call(module):
        return lambda A: getattr(module, name)(A, directed=directed, return_predecessors=True)

    compare_traced(call(ours), call(theirs), graph(kind))


@pytest.mark.parametrize("method", ["auto", "FW", "D", "BF", "J", "no such"])
@pytest.mark.parametrize("kind", ["csr_matrix", "lil_array", "dense"])
def test_method_of_shortest_path(kind, method):
    def call(module):
        return lambda A: module.shortest_path(A, method)

    assert compare_traced(call(ours), call(theirs), graph(kind)) == (method != "no such")


OPTIONS = {
    "one source": {"indices": 2},
    "sources": {"indices": [3, -1, 3]},
    "table of sources": {"indices": [[0, 1], [2, 5]]},
    "limit": {"limit": 2.0},
    "limit and sources": {"limit": 1.5, "indices": [1, 4]},
    "nearest": {"indices": [1, 4], "min_only": True},
    "nearest, undirected": {"indices": [1, 4], "min_only": True, "directed": False},
    "nearest of all": {"min_only": True},
    "out of range": {"indices": 70},
    "limit below zero": {"limit": -1.0},
}


@pytest.mark.parametrize("predecessors", [False, True])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_options_of_dijkstra(options, predecessors):
    def call(module):
        return lambda A: module.dijkstra(A, return_predecessors=predecessors, **options)

    compare_traced(call(ours), call(theirs), graph())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_unweighted_distances_are_plain(name):
    def run(A):
        D = getattr(ours, name)(A, unweighted=True)
        assert not isbox(D)
        onp.testing.assert_array_equal(D, getattr(theirs, name)(graph(), unweighted=True))
        return A.sum()

    make_vjp(run)(graph())


def test_predecessors_and_sources_are_plain():
    def run(A):
        D, *rest = ours.dijkstra(A, indices=[0, 3], min_only=True, return_predecessors=True)
        assert isbox(D) and not any(map(isbox, rest))
        return np.sum(D)

    make_vjp(run)(graph())


@pytest.mark.parametrize("name", ["bellman_ford", "johnson", "floyd_warshall"])
def test_negative_cycle_raises_scipys_error(name):
    W = weights()
    W[0, 1], W[1, 0] = 1.0, -2.0

    def call(module):
        return lambda A: getattr(module, name)(A)

    assert not compare_traced(call(ours), call(theirs), graph(W=W))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("A", [sp.csr_array((2, 3)), onp.ones((2, 3)), onp.ones(3)],
                         ids=["sparse", "dense", "vector"])  # fmt: skip
def test_bad_graph_raises_scipys_error(name, A):
    def call(module):
        return lambda A: getattr(module, name)(A)

    assert not compare_traced(call(ours), call(theirs), A)


def test_negative_weight_warns_as_scipy():
    W = weights()
    W[0, 1] = -0.01

    def call(module):
        return lambda A: module.dijkstra(A, indices=0)

    with pytest.warns(UserWarning, match="negative weights"):
        while_traced(call(ours), graph(W=W))
    assert compare_traced(call(ours), call(theirs), graph(W=W))


def test_complex_graph_warns_as_scipy():
    compare_traced(ours.dijkstra, theirs.dijkstra, graph(dtype="complex128"))
    compare_traced(ours.dijkstra, theirs.dijkstra, graph("dense", dtype="complex128"))


# ---- derivatives -----------------------------------------------------------------------------


@DIRECTED
@pytest.mark.parametrize("kind", [k for k in graphs.KINDS if k != "dense"])
def test_derivatives_in_every_class(kind, directed):
    check_op(lambda A: damped(ours.dijkstra(A, directed=directed)), without_zeros(kind))


@DIRECTED
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_every_function(name, directed):
    A = graph(W=weights(9, seed=4))
    check_op(lambda A: damped(getattr(ours, name)(csgraph=A, directed=directed)), A)


@DIRECTED
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_a_dense_graph(name, directed):
    W = weights(6, seed=5)
    edge = W != 0
    check_op(lambda X: damped(getattr(ours, name)(X * edge, directed=directed)), W)


@pytest.mark.parametrize("options", [o for o in OPTIONS.values() if o not in (
    {"indices": 70}, {"limit": -1.0}, {"min_only": True})], ids=str)  # fmt: skip
def test_derivatives_with_options(options):
    check_op(lambda A: damped(ours.dijkstra(A, **options)), graph(W=weights(9, seed=6)))


@pytest.mark.parametrize("name", ["bellman_ford", "johnson", "floyd_warshall"])
def test_derivatives_with_negative_weights(name):
    W = weights(8, seed=7)
    h = onp.random.default_rng(8).uniform(-2, 2, 8)
    W = onp.where(W, W + h[:, None] - h, 0)  # every cycle keeps its positive length
    assert (W < -0.1).any()
    check_op(lambda A: damped(getattr(ours, name)(A) / 4), graph(W=W))


def test_single_precision_stays():
    A = graph(dtype="float32")
    assert while_traced(ours.dijkstra, A).dtype == onp.float64  # as SciPy's
    check_op(lambda A: damped(ours.dijkstra(A)), A)


@pytest.mark.filterwarnings("ignore::numpy.exceptions.ComplexWarning")
def test_complex_graph_counts_with_its_real_part():
    A = graph(dtype="complex128")
    g = grad(lambda A: np.sum(damped(ours.dijkstra(A))))(A)
    real = grad(lambda A: np.sum(damped(ours.dijkstra(A))))(graph())
    assert g.dtype == A.dtype
    onp.testing.assert_array_equal(g.data, real.data)


@DIRECTED
def test_derivative_is_membership_of_the_path(directed):
    A = graph(W=weights(25, seed=9))
    source = 3
    D, before = theirs.dijkstra(A, directed=directed, indices=source, return_predecessors=True)
    J = jacobian(lambda A: ours.dijkstra(A, directed=directed, indices=source))(A)
    for target in range(25):
        member, j = onp.zeros((25, 25)), target
        while j != source:
            i = before[j]
            there, back = (A.toarray()[k] or onp.inf for k in ((i, j), (j, i)))
            member[(i, j) if directed or there <= back else (j, i)] += 1
            j = i
        onp.testing.assert_array_equal(J[target].toarray(), member)
        assert member.sum() == (J[target].data != 0).sum()
        onp.testing.assert_allclose((member * A.toarray()).sum(), D[target], rtol=1e-14)


def test_path_sums_are_the_distances():
    W = weights(60, seed=10)
    edges = Edges(W[W != 0], *onp.nonzero(W), 60)
    D, before = theirs.dijkstra(W, return_predecessors=True)
    forest = Forest(edges, D, before, True)
    onp.testing.assert_allclose(path_sums(edges.weights, forest), D, rtol=1e-13)


def test_forward_and_reverse_mode_agree_on_a_larger_graph():
    A = graph(W=weights(60, seed=11))
    rng = onp.random.default_rng(12)
    t = A.copy()
    t.data = rng.standard_normal(A.nnz)
    D, tangent = make_jvp(ours.dijkstra)(A)(t)
    g = rng.standard_normal(D.shape)
    gradient = make_vjp(ours.dijkstra)(A)[0](g)
    onp.testing.assert_allclose((gradient.data * t.data).sum(), (g * tangent).sum(), rtol=1e-12)


@DIRECTED
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_times_weights_are_the_distances(name, directed):
    """With parallel edges, zeros, and many paths of equal length."""
    rng = onp.random.default_rng(18)
    for n in range(2, 9):
        rows = onp.sort(rng.integers(0, n, 4 * n))
        data, columns = rng.integers(0, 4, 4 * n) * 1.0, rng.integers(0, n, 4 * n)
        indptr = onp.searchsorted(rows, onp.arange(n + 1))
        A = sp.csr_array((data, columns.astype(INT), indptr.astype(INT)), shape=(n, n))
        vjp, D = make_vjp(lambda A: getattr(ours, name)(A, directed=directed))(A)
        g = rng.integers(-3, 4, D.shape) * 1.0
        reached = onp.isfinite(D)
        assert vjp(g).data @ data == g[reached] @ D[reached]


# ---- ties, parallel edges, zeros -------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_symmetric_graph_takes_the_entry_in_the_direction_of_the_path(name):
    W = weights(5, seed=13)
    A = graph(W=W + W.T)
    G = grad(lambda A: getattr(ours, name)(A, directed=False)[0, 2])(A).toarray()
    before = theirs.dijkstra(A, directed=False, indices=0, return_predecessors=True)[1]
    expected, j = onp.zeros((5, 5)), 2
    while j != 0:
        expected[before[j], j] = 1
        j = before[j]
    onp.testing.assert_array_equal(G, expected)


@DIRECTED
@pytest.mark.parametrize("name", FUNCTIONS)
def test_of_parallel_edges_the_lightest_counts(name, directed):
    data = onp.array([5.0, 1.0, 1.5, 2.0, 0.3, 7.0])
    A = sp.csr_array(
        (data, onp.array([1, 1, 2, 2, 3, 3], INT), onp.array([0, 2, 4, 6, 6], INT)), shape=(4, 4)
    )
    G = grad(lambda A: getattr(ours, name)(A, directed=directed)[0, 3])(A)
    onp.testing.assert_array_equal(G.data, [0, 1, 1, 0, 1, 0])


def test_of_equal_parallel_edges_the_first_counts():
    A = sp.csr_array(
        (onp.array([2.0, 1.0, 1.0]), onp.array([1, 1, 1], INT), onp.array([0, 3, 3], INT)),
        shape=(2, 2),
    )
    G = grad(lambda A: ours.dijkstra(A)[0, 1])(A)
    onp.testing.assert_array_equal(G.data, [0, 1, 0])


def test_duplicates_of_coo_are_summed_first():
    coords = ([0, 1, 0, 1, 2], [1, 2, 1, 2, 0])
    A = sp.coo_array((onp.array([1.0, 0.5, 2.0, 0.7, 1.0]), coords), shape=(3, 3))
    G = grad(lambda A: ours.dijkstra(A)[0, 2])(A)
    assert type(G) is sp.coo_array
    onp.testing.assert_array_equal(G.data, [1, 1, 1, 1, 0])
    check_op(lambda A: damped(ours.dijkstra(A)), A)


@DIRECTED
def test_unsorted_indices(directed):
    A = graph(W=weights(6, seed=14))
    rows = onp.repeat(onp.arange(6), onp.diff(A.indptr))
    order = onp.lexsort((-A.indices, rows))
    B = sp.csr_array((A.data[order], A.indices[order], A.indptr), shape=A.shape)
    f = lambda A: np.sum(damped(ours.dijkstra(A, directed)))  # noqa: E731
    onp.testing.assert_allclose(grad(f)(B).data, grad(f)(A).data[order], rtol=1e-14)


def test_stored_zero_is_an_edge():
    A = sp.csr_array(
        (onp.array([0.0, 2.0, 3.0]), onp.array([1, 2, 2], INT), onp.array([0, 2, 3, 3], INT)),
        shape=(3, 3),
    )
    for name in FUNCTIONS:
        G = grad(lambda A, name=name: getattr(ours, name)(A)[0, 1])(A)
        onp.testing.assert_array_equal(G.data, [1, 0, 0])


def test_zeros_on_the_diagonals_of_dia_are_no_edges():
    data = onp.array([[0.0, 2.0, 0.0, 3.0], [0.0, 1.0, 4.0, 5.0]])
    A = sp.dia_array((data, [1, 2]), shape=(4, 4))
    assert compare_traced(ours.dijkstra, theirs.dijkstra, A)
    G = grad(lambda A: np.sum(damped(ours.dijkstra(A))))(A)
    assert ((G.data != 0) <= (A.data != 0)).all() and (G.data != 0).any()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_zeros_that_tracing_stored_are_reported(name):
    with pytest.warns(ZeroWeightWarning, match="csgraph_from_dense"):
        make_vjp(lambda X: getattr(ours, name)(sp.csr_array(X)))(weights())


def test_report_of_zeros_points_to_the_caller():
    with pytest.warns(ZeroWeightWarning) as caught:
        make_vjp(lambda X: ours.dijkstra(sp.csr_array(X)))(weights())
    assert caught[0].filename == __file__


def test_zeros_on_the_diagonal_are_not_reported():
    A = graph()
    A.setdiag(0.0)
    make_vjp(lambda A: ours.dijkstra(2 * A))(A)  # warnings are errors


# ---- no path, no length ----------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_unreachable_nodes_have_no_derivative(name):
    A = graph(W=[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]])
    vjp, D = make_vjp(getattr(ours, name))(A)
    g = onp.where(onp.isinf(D), onp.nan, 1.0)  # as from inf * 0 in a loss
    onp.testing.assert_array_equal(vjp(g).data, [1, 1])
    tangent = make_jvp(getattr(ours, name))(A)(A)[1]
    onp.testing.assert_array_equal(tangent, [[0, 1, 0], [0, 0, 0], [0, 3, 0]])


def test_infinite_weight_has_no_derivative():
    A = graph(W=[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    A.data[1] = onp.inf
    assert compare_traced(ours.dijkstra, theirs.dijkstra, A)
    G = grad(lambda A: np.sum(damped(ours.dijkstra(A))))(A)
    onp.testing.assert_allclose(G.data, [-onp.exp(-1.0), 0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_graph_without_edges(name):
    D = getattr(theirs, name)(sp.csr_array((3, 3)))
    vjp, value = make_vjp(getattr(ours, name))(sp.csr_array((3, 3)))
    onp.testing.assert_array_equal(value, D)
    assert vjp(onp.ones((3, 3))).nnz == 0


def test_cycle_of_predecessors_raises():
    edges = Edges(onp.ones(3), onp.array([0, 1, 2]), onp.array([1, 2, 1]), 3)
    before = onp.array([[-9999, 2, 1]], INT)
    forest = Forest(edges, onp.zeros((1, 3)), before, True)
    with pytest.raises(ValueError, match="cycle"):
        path_sums(edges.weights, forest)


# ---- however it is called --------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scipys_graph(name):
    A = graphs.scipys(graph())
    f = lambda A: np.sum(damped(getattr(ours, name)(A)))  # noqa: E731
    G = grad(f)(A)
    assert type(G) is type(A)
    onp.testing.assert_array_equal(G.data, grad(f)(graph()).data)


def test_graph_of_a_list_of_traced_numbers():
    def f(v):
        return np.sum(
            damped(ours.dijkstra([[0.0, v[0], v[1]], [0.0, 0.0, v[0] * v[1]], [1, 0, 0]]))
        )

    check_op(f, onp.array([1.0, 2.5]))


def test_computed_graph():
    A = graph(W=weights(6, seed=15))
    check_op(lambda A: damped(ours.dijkstra((A @ A.T + A).power(2))), A)


def test_plain_graph_with_a_traced_option_is_plain():
    def run(x):
        assert not isbox(ours.dijkstra(graph(), limit=x))
        return x * 1.0

    make_vjp(run)(2.0)


@pytest.mark.parametrize("call", [
    lambda X: ours.floyd_warshall(X, overwrite=True),
    lambda X: ours.shortest_path(X, "FW", overwrite=True),
], ids=["floyd_warshall", "shortest_path"])  # fmt: skip
def test_traced_graph_is_not_overwritten(call):
    X = weights()
    make_vjp(call)(X)
    onp.testing.assert_array_equal(X, weights())


@DIRECTED
def test_graph_changed_before_the_backward_pass(directed):
    A = graph()
    f = lambda A: damped(ours.dijkstra(A, directed))  # noqa: E731
    expected = make_vjp(f)(graph())[0](onp.ones((7, 7)))
    vjp = make_vjp(f)(A)[0]
    A.data[:] = A.data[::-1].copy()
    onp.testing.assert_array_equal(vjp(onp.ones((7, 7))).data, expected.data)


def test_returned_predecessors_may_be_written_to():
    def f(A):
        D, before = ours.dijkstra(A, return_predecessors=True)
        before[:] = 0
        return damped(D)

    expected = make_vjp(lambda A: damped(ours.dijkstra(A)))(graph())[0](onp.ones((7, 7)))
    onp.testing.assert_array_equal(make_vjp(f)(graph())[0](onp.ones((7, 7))).data, expected.data)
