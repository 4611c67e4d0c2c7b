"""scipy.sparse.csgraph: results are our classes; nothing is differentiated yet."""

from typing import Any

import scipy.sparse.csgraph as csg

from .._core.mirror import constant_class, not_yet, own, plain

_ORDER = "its result is an order, a labelling or a matching"

breadth_first_order = plain(csg.breadth_first_order, _ORDER)
connected_components = plain(csg.connected_components, _ORDER)
depth_first_order = plain(csg.depth_first_order, _ORDER)
maximum_bipartite_matching = plain(csg.maximum_bipartite_matching, _ORDER)
min_weight_full_bipartite_matching = plain(csg.min_weight_full_bipartite_matching, _ORDER)
reverse_cuthill_mckee = plain(csg.reverse_cuthill_mckee, _ORDER)
structural_rank = plain(csg.structural_rank, "a whole number")


def _maximum_flow(*args: Any, **kwargs: Any) -> Any:
    result = csg.maximum_flow(*args, **kwargs)
    result.flow = own(result.flow)
    return result


maximum_flow = plain(csg.maximum_flow, "of whole-number capacities", _maximum_flow)
NegativeCycleError = constant_class(csg.NegativeCycleError, "an exception")

bellman_ford = not_yet(csg.bellman_ford)
breadth_first_tree = not_yet(csg.breadth_first_tree)
construct_dist_matrix = not_yet(csg.construct_dist_matrix)
csgraph_from_dense = not_yet(csg.csgraph_from_dense)
csgraph_from_masked = not_yet(csg.csgraph_from_masked)
csgraph_masked_from_dense = not_yet(csg.csgraph_masked_from_dense)
csgraph_to_dense = not_yet(csg.csgraph_to_dense)
csgraph_to_masked = not_yet(csg.csgraph_to_masked)
depth_first_tree = not_yet(csg.depth_first_tree)
dijkstra = not_yet(csg.dijkstra)
floyd_warshall = not_yet(csg.floyd_warshall)
johnson = not_yet(csg.johnson)
laplacian = not_yet(csg.laplacian)
minimum_spanning_tree = not_yet(csg.minimum_spanning_tree)
reconstruct_path = not_yet(csg.reconstruct_path)
shortest_path = not_yet(csg.shortest_path)
if hasattr(csg, "yen"):
    yen = not_yet(csg.yen)

__all__ = [
    "NegativeCycleError", "bellman_ford", "breadth_first_order", "breadth_first_tree",
    "connected_components", "construct_dist_matrix", "csgraph_from_dense", "csgraph_from_masked",
    "csgraph_masked_from_dense", "csgraph_to_dense", "csgraph_to_masked", "depth_first_order",
    "depth_first_tree", "dijkstra", "floyd_warshall", "johnson", "laplacian",
    "maximum_bipartite_matching", "maximum_flow", "min_weight_full_bipartite_matching",
    "minimum_spanning_tree", "reconstruct_path", "reverse_cuthill_mckee", "shortest_path",
    "structural_rank",
]  # fmt: skip
if hasattr(csg, "yen"):
    __all__ += ["yen"]


def __dir__() -> list[str]:
    return sorted(__all__)
