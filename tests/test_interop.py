"""Other libraries take our objects for SciPy's, and give us theirs.

A gradient, whose index arrays are read-only, is such an object too.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sps
from autograd import grad

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as csgraph
import scipygrad.sparse.linalg as spla

N = 30
OURS = ["csr_array", "csr_matrix"]


def poisson(name):
    """1-D Poisson, with unequal values off the diagonal."""
    A = sp.diags([-1.0, 2.5, -1.2], [-1, 0, 1], shape=(N, N), format="csr")
    return getattr(sp, name)(A)


def gradient(name):
    """A matrix that a derivative gave: the same values, index arrays that are read-only."""
    A = poisson(name)
    g = grad(lambda A: (A.multiply(A)).sum() / 2)(A)
    assert not g.indices.flags.writeable
    return g


SOURCES = {"ours": poisson, "gradient": gradient}
every_source = pytest.mark.parametrize("source", SOURCES)
every_name = pytest.mark.parametrize("name", OURS)


# ---- PyAMG -----------------------------------------------------------------------------------


@every_source
@every_name
@pytest.mark.parametrize(
    "method", ["ruge_stuben_solver", "smoothed_aggregation_solver", "pairwise_solver"]
)
def test_pyamg_solves(source, name, method):
    pyamg = pytest.importorskip("pyamg")
    A = SOURCES[source](name)
    x = getattr(pyamg, method)(A).solve(np.ones(N), tol=1e-10)
    np.testing.assert_allclose(A @ x, np.ones(N), rtol=1e-7)


@every_source
def test_pyamg_relaxes(source):
    relaxation = pytest.importorskip("pyamg.relaxation.relaxation")
    A = SOURCES[source]("csr_array")
    x = np.zeros(N)
    for _ in range(200):
        relaxation.gauss_seidel(A, x, np.ones(N))
    np.testing.assert_allclose(A @ x, np.ones(N), rtol=1e-7)


def test_pyamg_matrix_is_an_operand():
    gallery = pytest.importorskip("pyamg.gallery")
    K = gallery.poisson((N,), format="csr")
    b = np.linspace(1.0, 2.0, N)
    g = grad(lambda b: spla.spsolve(K, b).sum())(b)
    np.testing.assert_allclose(g, spla.spsolve(sp.csr_matrix(K).T.tocsr(), np.ones(N)), rtol=1e-12)
    assert type(grad(lambda K: (K @ b).sum())(K)).__name__ == type(K).__name__


# ---- scikit-learn ----------------------------------------------------------------------------


@every_source
@every_name
def test_sklearn_fits(source, name):
    linear_model = pytest.importorskip("sklearn.linear_model")
    A = SOURCES[source](name)
    theirs = getattr(sps, name)(A.toarray())
    y = np.arange(N) % 2
    ours, expected = (linear_model.LogisticRegression().fit(X, y).coef_ for X in (A, theirs))
    np.testing.assert_array_equal(ours, expected)


@every_source
@every_name
def test_sklearn_normalizes_in_a_copy(source, name):
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    A = SOURCES[source](name)
    before = A.toarray()
    normal = preprocessing.normalize(A)
    np.testing.assert_allclose(spla.norm(normal, axis=1), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(A.toarray(), before)


@every_source
@every_name
def test_sklearn_finds_neighbors(source, name):
    neighbors = pytest.importorskip("sklearn.neighbors")
    A = SOURCES[source](name)
    distance, _ = neighbors.NearestNeighbors(n_neighbors=1).fit(A).kneighbors(A)
    np.testing.assert_allclose(distance, 0.0, atol=1e-7)  # square root of a rounding error


# ---- networkx --------------------------------------------------------------------------------


@every_source
@every_name
def test_networkx_reads(source, name):
    networkx = pytest.importorskip("networkx")
    A = SOURCES[source](name)
    graph = networkx.from_scipy_sparse_array(A, create_using=networkx.DiGraph)
    assert graph.number_of_edges() == A.nnz


def test_networkx_adjacency_is_an_operand():
    networkx = pytest.importorskip("networkx")
    K = networkx.to_scipy_sparse_array(networkx.path_graph(N), dtype=float)
    x = np.linspace(0.0, 1.0, N)
    g = grad(lambda x: x @ (K @ x))(x)
    np.testing.assert_allclose(g, (K + K.T) @ x, rtol=1e-14)


# ---- SciPy itself ----------------------------------------------------------------------------


@every_source
@every_name
def test_scipy_io_writes_and_reads(source, name, tmp_path):
    A = SOURCES[source](name)
    scipy.io.mmwrite(tmp_path / "A.mtx", A)
    read = scipy.io.mmread(tmp_path / "A.mtx", spmatrix=False)
    np.testing.assert_array_equal(read.toarray(), A.toarray())


@every_source
@every_name
def test_scipys_functions_take_ours(source, name):
    A = SOURCES[source](name)
    x = sps.linalg.spsolve(A, np.ones(N))
    np.testing.assert_allclose(A @ x, np.ones(N), rtol=1e-12)
    assert sps.csgraph.connected_components(A)[0] == 1
    assert sps.hstack([A, A]).shape == (N, 2 * N)


@every_source
def test_graph_functions_take_a_gradient(source):
    A = SOURCES[source]("csr_array")
    assert csgraph.shortest_path(abs(A), unweighted=True)[0, -1] == N - 1
    assert csgraph.reverse_cuthill_mckee(A).shape == (N,)


@every_name
def test_gradient_can_be_pickled_and_changed(name):
    g = pickle.loads(pickle.dumps(gradient(name)))
    g[0, N - 1] = 3.0
    g.sort_indices()
    assert g[0, N - 1] == 3.0


# ---- SciPy's matrices, PyAMG's among them, as operands ---------------------------------------


@pytest.fixture(scope="module")
def level():
    """A fine and a coarse operator of a hierarchy, and the prolongation between them."""
    pyamg = pytest.importorskip("pyamg")
    levels = pyamg.ruge_stuben_solver(poisson("csr_matrix"), max_coarse=5).levels
    return levels[0].A, levels[0].P, levels[1].A


def test_ours_at_pyamgs_is_ours(level):
    K = level[2]
    assert type(K).__module__.startswith("scipy.sparse")
    assert type(sp.csr_array(K) @ K) is sp.csr_array


def test_prolongation_at_traced_vector(level):
    P = level[1]
    g = grad(lambda x: ((P @ x) ** 2).sum())(np.ones(P.shape[1]))
    np.testing.assert_allclose(g, 2 * (P.T @ (P @ np.ones(P.shape[1]))), rtol=1e-13)


def test_pyamgs_matrix_on_the_left_of_a_traced_one(level):
    K = level[2]
    A = sp.csr_matrix(K)
    g = grad(lambda A: (K @ A).sum())(A)
    ones = np.ones(K.shape[0])
    rows, columns = A.nonzero()
    expected = np.outer(K.T @ ones, ones)[rows, columns]
    np.testing.assert_allclose(g.data, expected, rtol=1e-13, atol=1e-13)


def test_galerkin_product_of_foreign_and_traced(level):
    A, P, _ = level
    g = grad(lambda A: (P.T @ A @ P).sum())(sp.csr_matrix(A))
    sums = np.asarray(P.sum(axis=1)).ravel()
    rows, columns = g.nonzero()
    np.testing.assert_allclose(
        np.asarray(g[rows, columns]).ravel(), sums[rows] * sums[columns], rtol=1e-13
    )


def test_hierarchy_is_differentiated_through_its_solver(level):
    K = level[2]
    b = np.linspace(1.0, 2.0, K.shape[0])
    g = grad(lambda K: spla.spsolve(K, b).sum())(K)
    x = np.linalg.solve(K.toarray(), b)
    w = np.linalg.solve(K.toarray().T, np.ones(b.size))
    np.testing.assert_allclose(g.toarray(), -np.outer(w, x) * (K.toarray() != 0), rtol=1e-9)


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_gradient_in_a_scipy_matrix_is_of_its_class(format, family):
    K = getattr(sps, f"{format}_{family}")(poisson("csr_array").toarray())
    assert type(grad(lambda K: (K @ np.ones(N)).sum())(K)) is type(K)


@every_name
def test_sklearn_ridge(name):
    linear_model = pytest.importorskip("sklearn.linear_model")
    A, y = poisson(name), np.linspace(0.0, 1.0, N)
    ridge = linear_model.Ridge(solver="cholesky", fit_intercept=False)
    ours, dense = (ridge.fit(X, y).coef_.copy() for X in (A, A.toarray()))
    np.testing.assert_allclose(ours, dense, rtol=1e-6, atol=1e-10)


@every_name
def test_sklearn_truncated_svd(name):
    decomposition = pytest.importorskip("sklearn.decomposition")
    A = poisson(name)
    svd = decomposition.TruncatedSVD(2, algorithm="arpack").fit(A)
    expected = np.linalg.svd(A.toarray(), compute_uv=False)[:2]
    np.testing.assert_allclose(svd.singular_values_, expected, rtol=1e-10)
