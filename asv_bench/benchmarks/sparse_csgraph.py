"""Graphs: Laplacians, shortest paths, trees."""

import numpy as np

from .common import Benchmark, Operations, poisson_2d


def _grid(n):
    """A directed n × n grid with random weights, those of the two directions different."""
    A = poisson_2d(n)
    A.setdiag(0)
    A.eliminate_zeros()
    A.data = np.random.default_rng(1).uniform(0.5, 2.0, A.nnz)
    return A


def _sources(A):
    return np.arange(4) * (A.shape[0] // 4)


class Graphs(Operations):
    """Functions of a sparse graph."""

    operations = {
        "laplacian": lambda lib, A: lib.sp.csgraph.laplacian(A),
        "laplacian, normed": lambda lib, A: lib.sp.csgraph.laplacian(A, normed=True),
        "laplacian, symmetrized": lambda lib, A: lib.sp.csgraph.laplacian(A, symmetrized=True),
        "dijkstra, one source": lambda lib, A: lib.sp.csgraph.dijkstra(A, indices=0),
        "dijkstra, four sources": lambda lib, A: lib.sp.csgraph.dijkstra(A, indices=_sources(A)),
        "dijkstra, undirected": lambda lib, A: lib.sp.csgraph.dijkstra(A, False, 0),
        "dijkstra, nearest source": lambda lib, A: lib.sp.csgraph.dijkstra(
            A, indices=_sources(A), min_only=True
        ),
        "minimum_spanning_tree": lambda lib, A: lib.sp.csgraph.minimum_spanning_tree(A),
        "breadth_first_tree": lambda lib, A: lib.sp.csgraph.breadth_first_tree(A, 0),
    }

    def operands(self, n):
        """The graph."""
        return (_grid(n),)


class AllPairs(Benchmark):
    """Distances between all nodes: n² of n, dense."""

    operations = {
        "floyd_warshall": lambda lib, A: lib.sp.csgraph.floyd_warshall(A),
        "dijkstra": lambda lib, A: lib.sp.csgraph.dijkstra(A),
        "johnson": lambda lib, A: lib.sp.csgraph.johnson(A),
        "csgraph_to_dense": lambda lib, A: lib.sp.csgraph.csgraph_to_dense(A),
    }
    params = [list(operations), [10, 24]]
    param_names = ["operation", "side"]

    def problem(self, operation, side):
        """A grid of side × side nodes."""
        return self.operations[operation], (_grid(side),)
