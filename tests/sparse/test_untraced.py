"""Untraced, everything is SciPy's: values, dtypes, formats, exceptions, kinds of warnings.

Every public method, operator and function is called on our objects and on SciPy's. Results of ours
are of our classes, also inside tuples and lists.
"""

from __future__ import annotations

import inspect
import operator

import numpy as np
import pytest
import scipy.sparse as sps
import scipy.sparse.csgraph as sps_csgraph
import scipy.sparse.linalg as sps_linalg
from comparison import CLASSES, DENSE, FORMATS, INT, OTHER, compare, frozen, make, same

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as sp_csgraph
import scipygrad.sparse.linalg as sp_linalg

# ---- operators -------------------------------------------------------------------------------

BINARY = (
    operator.add, operator.sub, operator.mul, operator.matmul, operator.truediv, operator.pow,
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.or_, operator.ior,
)  # fmt: skip
OPERANDS = {
    "scalar": lambda m, name: 2,
    "zero": lambda m, name: 0,
    "dense": lambda m, name: OTHER,
    "vector": lambda m, name: OTHER[0],
    "list": lambda m, name: [1.0, 2.0, 3.0],
    "numpy matrix": lambda m, name: np.asmatrix(OTHER),
    "same class": lambda m, name: getattr(m, name)(OTHER),
    "wrong shape": lambda m, name: getattr(m, name)(OTHER[:, :2]),
    "none": lambda m, name: None,
} | {f"{f} {k}": (lambda m, name, f=f, k=k: getattr(m, f"{f}_{k}")(OTHER))
     for f in FORMATS for k in ("array", "matrix")}  # fmt: skip


@pytest.mark.parametrize("operand", OPERANDS)
@pytest.mark.parametrize("name", CLASSES)
def test_operators_on_the_left(name, operand):
    for op in BINARY:
        compare(
            lambda op=op: op(make(sp, name), OPERANDS[operand](sp, name)),
            lambda op=op: op(make(sps, name), OPERANDS[operand](sps, name)),
        )


@pytest.mark.parametrize("operand", [k for k in OPERANDS if not k.endswith(("array", "matrix"))])
@pytest.mark.parametrize("name", CLASSES)
def test_operators_on_the_right(name, operand):
    for op in BINARY[:12]:
        compare(
            lambda op=op: op(OPERANDS[operand](sp, name), make(sp, name)),
            lambda op=op: op(OPERANDS[operand](sps, name), make(sps, name)),
        )


@pytest.mark.parametrize("other", CLASSES)
@pytest.mark.parametrize("name", CLASSES)
def test_scipys_matrix_on_the_right_of_ours(name, other):
    for op in BINARY[:12]:
        if op is operator.pow:
            continue
        compare(
            lambda op=op: op(make(sp, name), make(sps, other, OTHER)),
            lambda op=op: op(make(sps, name), make(sps, other, OTHER)),
        )


@pytest.mark.parametrize("name", CLASSES)
def test_scipys_matrix_on_the_left_of_ours(name):
    """Of one class. Of two, Python asks SciPy's alone, and the result is SciPy's."""
    for op in BINARY[:5]:
        compare(
            lambda op=op: op(make(sps, name), make(sp, name, OTHER)),
            lambda op=op: op(make(sps, name), make(sps, name, OTHER)),
        )


@pytest.mark.parametrize("other", CLASSES)
@pytest.mark.parametrize("name", CLASSES)
def test_scipys_matrix_of_another_class_on_the_left_has_scipys_value(name, other):
    ours = make(sps, other, OTHER) @ make(sp, name)
    theirs = make(sps, other, OTHER) @ make(sps, name)
    assert (ours.format, ours.dtype) == (theirs.format, theirs.dtype)
    np.testing.assert_array_equal(ours.toarray(), theirs.toarray())


@pytest.mark.parametrize("power", [0, 1, 2, 3, -1, 0.5])
@pytest.mark.parametrize("name", CLASSES)
def test_power(name, power):
    compare(lambda: make(sp, name) ** power, lambda: make(sps, name) ** power)


@pytest.mark.parametrize("op", [operator.neg, abs, round, bool, len, list, str, repr])
@pytest.mark.parametrize("name", CLASSES)
def test_unary_operators(name, op):
    compare(lambda: op(make(sp, name)), lambda: op(make(sps, name)))


INDICES = {
    "entry": (1, 1), "row": 1, "last": -1, "rows": slice(1, 3), "block": (slice(0, 2), slice(1, 3)),
    "column": (slice(None), 1), "step": slice(None, None, 2), "back": slice(None, None, -1),
    "fancy": ([0, 2], [1, 2]), "outer": ([[0], [2]], [1, 2]), "list": [0, 2], "mask": DENSE > 1,
    "row mask": np.array([True, False, True]), "ellipsis": ..., "outside": (5, 0), "new": None,
    "empty": [], "sparse mask": None, "row and column": (1, [0, 2]),
}  # fmt: skip


def index(module, name):
    return module.csr_array(DENSE > 1) if name == "sparse mask" else INDICES[name]


@pytest.mark.parametrize("which", INDICES)
@pytest.mark.parametrize("name", CLASSES)
def test_reading_by_index(name, which):
    compare(
        lambda: make(sp, name)[index(sp, which)],
        lambda: make(sps, name)[index(sps, which)],
    )


@pytest.mark.parametrize("value", [0, 7.0, [1.0, 2.0, 3.0], "sparse"], ids=str)
@pytest.mark.parametrize("which", INDICES)
@pytest.mark.parametrize("name", CLASSES)
def test_writing_by_index(name, which, value):
    def run(module):
        A = make(module, name)
        A[index(module, which)] = (
            module.csr_array([[1.0, 2.0, 3.0]]) if value == "sparse" else value
        )
        return A

    compare(lambda: run(sp), lambda: run(sps))


# ---- methods ---------------------------------------------------------------------------------

B = "B"  # a matrix of the same class
METHODS: dict[str, list[tuple]] = {
    "argmax": [(), (0,), (1,)], "argmin": [(), (0,)], "asformat": [(f,) for f in FORMATS],
    "astype": [(np.float32,), (complex,), (float,)], "count_nonzero": [(), (0,)],
    "diagonal": [(), (1,), (-2,)], "dot": [(B,), (2,), (OTHER,), (OTHER[0],)],
    "max": [(), (0,), (1,)], "min": [(), (0,), (1,)], "nanmax": [(), (0,)], "nanmin": [(), (1,)],
    "maximum": [(B,), (1,), (0,), (OTHER,)], "minimum": [(B,), (-1,), (0,), (OTHER,)],
    "mean": [(), (0,), (1,), (None, np.float32)], "sum": [(), (0,), (1,)],
    "multiply": [(B,), (2,), (OTHER,), (OTHER[0],), (OTHER[:, :1],)],
    "power": [(2,), (3, np.float32), (0.5,)], "reshape": [((9, 1),), (1, 9), ((3, 3),), ((9,),)],
    "resize": [(2, 2), (4, 5), (3, 2), (9,)], "setdiag": [(5.0,), ([1.0, 2.0], 1), (2.0, -1)],
    "tensordot": [(B,), (B, 1), (OTHER, ([0], [1]))], "tobsr": [(), ((1, 1),), ((3, 3),)],
    "trace": [(), (1,)], "transpose": [(), ((1, 0),), (None, True)],
    "toarray": [(), ("F",)], "todense": [(), ("F",)], "check_format": [(), (True,)],
    # of matrices
    "getcol": [(1,)], "getrow": [(1,)], "getrowview": [(1,)], "getnnz": [(), (0,)],
    "set_shape": [((9, 1),), ((3, 3),)],
    # of dictionaries
    "get": [((0, 1),), ((0, 2), 7.0), ((9, 9),)], "pop": [((0, 1),), ((0, 2), 1.0)],
    "setdefault": [((0, 2), 7.0), ((0, 1), 7.0)], "update": [({(0, 1): 3.0},)],
    "fromkeys": [([(0, 1), (1, 1)], 3.0)],
}  # fmt: skip


def public(cls):
    return [n for n in dir(cls) if not n.startswith("_") and n != "fromkeys"]


@pytest.mark.parametrize("name", CLASSES)
def test_every_method_has_sample_arguments(name):
    theirs = getattr(sps, name)
    for method in public(theirs):
        function = inspect.getattr_static(theirs, method)
        if method in METHODS or not inspect.isfunction(function):
            continue
        parameters = list(inspect.signature(function).parameters.values())[1:]
        required = [p for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
        assert not required, f"give {method} of {name} sample arguments in METHODS"


@pytest.mark.parametrize("name", CLASSES)
def test_methods(name):
    succeeded = 0
    for method in public(getattr(sps, name)):
        for args in METHODS.get(method, [()]):

            def run(module, method=method, args=args):
                A = make(module, name)
                args = [make(module, name, OTHER) if a is B else a for a in args]
                attribute = getattr(A, method)
                return attribute(*args) if callable(attribute) else attribute, A

            succeeded += compare(lambda: run(sp), lambda: run(sps))
    assert succeeded > 40


WITH_OPERAND = [
    (name, method)
    for name in CLASSES
    for method in ("dot", "multiply", "maximum", "minimum", "tensordot")
    if hasattr(getattr(sps, name), method)
]


@pytest.mark.parametrize("name, method", WITH_OPERAND)
def test_methods_with_an_operand_of_scipys(name, method):
    for other in CLASSES:
        compare(
            lambda other=other: getattr(make(sp, name), method)(make(sps, other, OTHER)),
            lambda other=other: getattr(make(sps, name), method)(make(sps, other, OTHER)),
        )


# ---- 1-D, n-D --------------------------------------------------------------------------------

ONE = {
    "sum": lambda v, m: v.sum(), "slice": lambda v, m: v[1:], "entry": lambda v, m: v[1],
    "add": lambda v, m: v + v, "matmul": lambda v, m: v @ v, "to coo": lambda v, m: v.tocoo(),
    "reshape": lambda v, m: v.reshape(1, 3), "times": lambda v, m: 2 * v,
    "matrix": lambda v, m: m.csr_array(DENSE) @ v, "max": lambda v, m: v.max(),
    "maximum": lambda v, m: v.maximum(v), "to csr": lambda v, m: v.tocsr(), "T": lambda v, m: v.T,
    "multiply": lambda v, m: v.multiply(m.csr_array(DENSE)), "to dok": lambda v, m: v.todok(),
}  # fmt: skip


@pytest.mark.parametrize("call", ONE)
@pytest.mark.parametrize("name", ["coo_array", "csr_array", "dok_array"])
def test_one_dimension(name, call):
    def run(module):
        return ONE[call](getattr(module, name)(np.array([1.0, 0.0, 3.0])), module)

    compare(lambda: run(sp), lambda: run(sps))


CUBE = np.arange(24.0).reshape(2, 3, 4) % 5
MANY = {
    "add": lambda v, m: v + v, "sub": lambda v, m: v - v, "times": lambda v, m: v * 2,
    "multiply": lambda v, m: v.multiply(v), "sum": lambda v, m: v.sum(), "T": lambda v, m: v.T,
    "sum over axis": lambda v, m: v.sum(axis=1), "max over axis": lambda v, m: v.max(axis=2),
    "min over axes": lambda v, m: v.min(axis=(0, 1)), "argmax": lambda v, m: v.argmax(axis=1),
    "reshape": lambda v, m: v.reshape(6, 4), "slice": lambda v, m: v[0, 1:], "neg": lambda v, m: -v,
    "fancy": lambda v, m: v[[0, 1], [1, 2]], "new axis": lambda v, m: v[None],
    "abs": lambda v, m: abs(v),
    "dot": lambda v, m: v.dot(v.transpose((0, 2, 1))),
    "dot dense": lambda v, m: v.dot(np.ones((4, 2))),
    "matmul": lambda v, m: v @ v.transpose((0, 2, 1)),
    "matmul dense": lambda v, m: v @ np.ones((4, 2)),
    "tensordot": lambda v, m: v.tensordot(v, axes=([0, 2], [0, 2])),
    "tensordot dense": lambda v, m: v.tensordot(np.ones((4, 2)), axes=1),
    "transpose": lambda v, m: v.transpose((2, 0, 1)), "to dense": lambda v, m: v.toarray(),
    "broadcast": lambda v, m: v._broadcast_to((5, 2, 3, 4)), "copy": lambda v, m: v.copy(),
    "compare": lambda v, m: v == v, "maximum": lambda v, m: v.maximum(v),
}  # fmt: skip


@pytest.mark.parametrize("call", MANY)
def test_many_dimensions(call):
    compare(
        lambda: MANY[call](sp.coo_array(CUBE), sp), lambda: MANY[call](sps.coo_array(CUBE), sps)
    )


# ---- functions -------------------------------------------------------------------------------


def seeded(function, *args, **kwargs):
    return function(*args, random_state=7, **kwargs)


FUNCTIONS = {
    "block_array": lambda m, A, C: m.block_array([[A, None], [None, C]]),
    "block_diag": lambda m, A, C: m.block_diag([A, C, 3.0]),
    "bmat": lambda m, A, C: m.bmat([[A, C], [None, A]]),
    "diags": lambda m, A, C: m.diags([1.0, 2.0], [0, 1], shape=(3, 3)),
    "diags_array": lambda m, A, C: m.diags_array([1.0, 2.0], offsets=[0, 1], shape=(3, 3)),
    "expand_dims": lambda m, A, C: m.expand_dims(A, axis=1),
    "eye": lambda m, A, C: [m.eye(3, k=1, format=f) for f in FORMATS],
    "eye_array": lambda m, A, C: [m.eye_array(3, 4, k=-1, format=f) for f in FORMATS],
    "find": lambda m, A, C: m.find(A),
    "get_index_dtype": lambda m, A, C: m.get_index_dtype((np.arange(3, dtype=INT),), maxval=2**40),
    "hstack": lambda m, A, C: m.hstack([A, C]),
    "identity": lambda m, A, C: m.identity(3, format="csr"),
    "issparse": lambda m, A, C: [m.issparse(A), m.issparse(OTHER)],
    "isspmatrix": lambda m, A, C: m.isspmatrix(A),
    "kron": lambda m, A, C: m.kron(A, C),
    "kronsum": lambda m, A, C: m.kronsum(A, C),
    "matrix_transpose": lambda m, A, C: m.matrix_transpose(A),
    "permute_dims": lambda m, A, C: m.permute_dims(A, (1, 0)),
    "rand": lambda m, A, C: seeded(m.rand, 3, 4, density=0.5),
    "random": lambda m, A, C: seeded(m.random, 3, 4, density=0.5, format="csr"),
    "random_array": lambda m, A, C: seeded(m.random_array, (3, 4), density=0.5),
    "safely_cast_index_arrays": lambda m, A, C: m.safely_cast_index_arrays(A),
    "spdiags": lambda m, A, C: m.spdiags(DENSE, [0, 1, -1], 3, 3),
    "swapaxes": lambda m, A, C: m.swapaxes(A, 0, 1),
    "tril": lambda m, A, C: m.tril(A),
    "triu": lambda m, A, C: m.triu(A, 1),
    "vstack": lambda m, A, C: m.vstack([A, C]),
}  # fmt: skip
ELSEWHERE = {"load_npz", "save_npz", "csgraph", "linalg", "sparray", "spmatrix",
             "SparseWarning", "SparseEfficiencyWarning"}  # fmt: skip


def test_every_function_is_called():
    names = {n for n in sp.__all__ if not n.startswith("isspmatrix_")} - ELSEWHERE - set(CLASSES)
    assert names <= set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", CLASSES)
def test_functions(name, function):
    if not hasattr(sps, function):
        pytest.skip("not in this SciPy")

    def run(module):
        return FUNCTIONS[function](module, make(module, name), make(module, name, OTHER))

    compare(lambda: run(sp), lambda: run(sps))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("name", CLASSES)
def test_functions_of_scipys_matrices_give_ours(name, function):
    if not hasattr(sps, function):
        pytest.skip("not in this SciPy")

    def run(module):
        return FUNCTIONS[function](module, make(sps, name), make(sps, name, OTHER))

    compare(lambda: run(sp), lambda: run(sps))


def test_saved_matrix_comes_back_as_ours(tmp_path):
    sp.save_npz(tmp_path / "A.npz", sp.csr_array(DENSE))
    same(sp.load_npz(tmp_path / "A.npz"), sps.csr_array(DENSE))


SOLVER_RESULTS = {
    "expm": lambda m, A, C: m.expm(A),
    "inv": lambda m, A, C: m.inv(A),
    "matrix_power": lambda m, A, C: [m.matrix_power(A, n) for n in (0, 1, 2, 3)],
    "spsolve": lambda m, A, C: m.spsolve(A, C),
    "splu": lambda m, A, C: [(lu.L, lu.U, lu.perm_r) for lu in [m.splu(A)]],
    "spilu": lambda m, A, C: [(lu.L, lu.U, lu.perm_r) for lu in [m.spilu(A)]],
    "LaplacianNd": lambda m, A, C: m.LaplacianNd((2, 3)).tosparse(),
    "expm_multiply": lambda m, A, C: m.expm_multiply(A, np.ones(3), traceA=15.0),
    "norm": lambda m, A, C: [m.norm(A), m.norm(A, 1), m.norm(A, axis=0)],
    "spsolve_triangular": lambda m, A, C: m.spsolve_triangular(A, np.ones(3)),
    "cg": lambda m, A, C: m.cg(A, np.ones(3)),
    "factorized": lambda m, A, C: m.factorized(A)(np.ones(3)),
    "aslinearoperator": lambda m, A, C: m.aslinearoperator(A) @ np.ones(3),
}  # fmt: skip


@pytest.mark.parametrize("function", SOLVER_RESULTS)
@pytest.mark.parametrize("name", CLASSES)
def test_solvers(name, function):
    def run(module, linalg):
        A, C = make(module, name), make(module, name, OTHER)
        return SOLVER_RESULTS[function](linalg, A, C)

    compare(lambda: run(sp, sp_linalg), lambda: run(sps, sps_linalg))


GRAPH = np.array([[0.0, 2.0, 1.0], [0.0, 0.0, 3.0], [4.0, 0.0, 0.0]])
PREDECESSORS = sps_csgraph.shortest_path(GRAPH, return_predecessors=True)[1]
GRAPH_RESULTS = {
    "bellman_ford": lambda m, A: m.bellman_ford(A),
    "breadth_first_order": lambda m, A: m.breadth_first_order(A, 0),
    "breadth_first_tree": lambda m, A: m.breadth_first_tree(A, 0),
    "connected_components": lambda m, A: m.connected_components(A),
    "construct_dist_matrix": lambda m, A: m.construct_dist_matrix(A, PREDECESSORS),
    "csgraph_from_dense": lambda m, A: m.csgraph_from_dense(GRAPH),
    "csgraph_from_masked": lambda m, A: m.csgraph_from_masked(np.ma.masked_equal(GRAPH, 0)),
    "csgraph_masked_from_dense": lambda m, A: m.csgraph_masked_from_dense(GRAPH).filled(0),
    "csgraph_to_dense": lambda m, A: m.csgraph_to_dense(A),
    "csgraph_to_masked": lambda m, A: m.csgraph_to_masked(A).filled(0),
    "depth_first_order": lambda m, A: m.depth_first_order(A, 0),
    "depth_first_tree": lambda m, A: m.depth_first_tree(A, 0),
    "dijkstra": lambda m, A: m.dijkstra(A),
    "floyd_warshall": lambda m, A: m.floyd_warshall(A),
    "johnson": lambda m, A: m.johnson(A),
    "laplacian": lambda m, A: m.laplacian(A, return_diag=True),
    "maximum_bipartite_matching": lambda m, A: m.maximum_bipartite_matching(A),
    "maximum_flow": lambda m, A: m.maximum_flow(A.astype(INT), 0, 2).flow,
    "min_weight_full_bipartite_matching": lambda m, A: m.min_weight_full_bipartite_matching(A),
    "minimum_spanning_tree": lambda m, A: m.minimum_spanning_tree(A),
    "reconstruct_path": lambda m, A: m.reconstruct_path(A, np.array([-9999, 0, 1], INT)),
    "reverse_cuthill_mckee": lambda m, A: m.reverse_cuthill_mckee(A),
    "shortest_path": lambda m, A: m.shortest_path(A, return_predecessors=True),
    "structural_rank": lambda m, A: m.structural_rank(A),
    "yen": lambda m, A: m.yen(A, 0, 2, 2),
}  # fmt: skip


def test_every_graph_function_is_called():
    assert set(sp_csgraph.__all__) - {"NegativeCycleError"} <= set(GRAPH_RESULTS)


@pytest.mark.parametrize("function", GRAPH_RESULTS)
@pytest.mark.parametrize("name", CLASSES)
def test_graph_functions(name, function):
    if not hasattr(sps_csgraph, function):
        pytest.skip("not in this SciPy")

    def run(module, csgraph):
        return GRAPH_RESULTS[function](csgraph, make(module, name, GRAPH))

    compare(lambda: run(sp, sp_csgraph), lambda: run(sps, sps_csgraph))


@pytest.mark.parametrize("function", [f for f in GRAPH_RESULTS if f != "maximum_flow"])
def test_graph_functions_take_read_only_index_arrays(function):
    if not hasattr(sps_csgraph, function):
        pytest.skip("not in this SciPy")
    A = frozen(sp.csr_array(GRAPH))
    compare(
        lambda: GRAPH_RESULTS[function](sp_csgraph, A),
        lambda: GRAPH_RESULTS[function](sps_csgraph, sps.csr_array(GRAPH)),
    )


@pytest.mark.parametrize("name", CLASSES)
def test_comparison_with_scipys_matrix_on_the_left(name):
    """Python asks the right operand, with the operator turned round: the values are SciPy's."""
    for op in BINARY[6:12]:
        ours = op(make(sps, name), make(sp, name, OTHER))
        assert type(ours).__module__ == "scipygrad.sparse"
        np.testing.assert_array_equal(ours.toarray(), op(DENSE, OTHER))
