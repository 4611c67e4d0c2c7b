"""scipy.sparse.csgraph, differentiable: ``import scipygrad.sparse.csgraph as csgraph``."""

from typing import Any

import scipy.sparse.csgraph as csg

from .._core.mirror import constant_class, own, plain
from . import _csgraph_paths
from ._csgraph_convert import (
    csgraph_from_dense,
    csgraph_from_masked,
    csgraph_masked_from_dense,
    csgraph_to_dense,
    csgraph_to_masked,
)
from ._csgraph_laplacian import laplacian
from ._csgraph_paths import (
    bellman_ford,
    construct_dist_matrix,
    dijkstra,
    floyd_warshall,
    johnson,
    shortest_path,
)
from ._csgraph_trees import (
    breadth_first_tree,
    depth_first_tree,
    minimum_spanning_tree,
    reconstruct_path,
)

_ORDER = "its result is an order of the nodes"
_MATCHING = "its result is a matching; "

breadth_first_order = plain(csg.breadth_first_order, _ORDER)
depth_first_order = plain(csg.depth_first_order, _ORDER)
reverse_cuthill_mckee = plain(csg.reverse_cuthill_mckee, _ORDER)
connected_components = plain(csg.connected_components, "its result is a number and labels")
maximum_bipartite_matching = plain(
    csg.maximum_bipartite_matching, _MATCHING + "which one depends on the structure only"
)
min_weight_full_bipartite_matching = plain(
    csg.min_weight_full_bipartite_matching,
    _MATCHING + "biadjacency[rows, columns] has its weights, with derivatives",
)
structural_rank = plain(csg.structural_rank, "its result is a whole number")


def _maximum_flow(*args: Any, **kwargs: Any) -> Any:
    result = csg.maximum_flow(*args, **kwargs)
    result.flow = own(result.flow)
    return result


maximum_flow = plain(
    csg.maximum_flow, "SciPy's capacities and flows are whole numbers", _maximum_flow
)
NegativeCycleError = constant_class(csg.NegativeCycleError, "an exception")

__all__ = [
    "NegativeCycleError", "bellman_ford", "breadth_first_order", "breadth_first_tree",
    "connected_components", "construct_dist_matrix", "csgraph_from_dense", "csgraph_from_masked",
    "csgraph_masked_from_dense", "csgraph_to_dense", "csgraph_to_masked", "depth_first_order",
    "depth_first_tree", "dijkstra", "floyd_warshall", "johnson", "laplacian",
    "maximum_bipartite_matching", "maximum_flow", "min_weight_full_bipartite_matching",
    "minimum_spanning_tree", "reconstruct_path", "reverse_cuthill_mckee", "shortest_path",
    "structural_rank",
]  # fmt: skip
if hasattr(_csgraph_paths, "yen"):  # newer than the oldest SciPy we work with
    yen = _csgraph_paths.yen
    __all__ += ["yen"]


def __dir__() -> list[str]:
    return sorted(__all__)
