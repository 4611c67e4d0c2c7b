"""No result is a plain SciPy object, and no method of a traced matrix loses the derivative.

Every name in `dir()` of every class is called, and every public function; results are searched
also inside tuples, lists, dicts and objects.
"""

from __future__ import annotations

import inspect
import operator
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph as csgraph
import scipygrad.sparse.linalg as spla
from scipygrad._core.engine import contains_traced
from scipygrad._core.layout import TRACED_TYPES

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # 0/0 is not the subject

FORMATS = ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
CLASSES = [f"{f}_{k}" for k in ("array", "matrix") for f in FORMATS]
DTYPES = ("int64", "float32", "float64", "complex128")
DENSE = np.array([[4.0, -1.0, 0.0], [2.0, 5.0, 1.0], [0.0, 3.0, 6.0]])
GRAPH = np.array([[0.0, 2.0, 1.0], [3.0, 0.0, 3.0], [4.0, 1.0, 0.0]])
X = np.array([1.0, 2.0, 3.0])
REFUSALS = (NotImplementedError, TypeError, ValueError, IndexError, KeyError, AttributeError)


def make(module: Any, name: str, dtype: str = "float64") -> Any:
    return getattr(module, name)(DENSE.astype(dtype))


def leaks(x: Any, path: str = "result", depth: int = 0) -> list[str]:
    """Where in `x` a plain SciPy sparse object is, looking into containers and objects."""
    if type(x) in TRACED_TYPES:
        return leaks(x._plain(), path, depth) + (
            [] if x._class.__module__ == "scipygrad.sparse" else [f"{path}._class"]
        )
    if sps.issparse(x) or isinstance(x, sps.spmatrix):
        return [path] if type(x).__module__.startswith("scipy.sparse") else []
    if depth > 3 or x is None or isinstance(x, str | bytes | int | float | complex | np.generic):
        return []
    if isinstance(x, np.ndarray):
        items = enumerate(x.ravel()) if x.dtype == object else ()
    elif isinstance(x, dict):
        items = x.items()
    elif isinstance(x, tuple | list):
        items = enumerate(x)
    elif inspect.isroutine(x) or inspect.isclass(x) or inspect.ismodule(x):
        return []
    else:
        items = getattr(x, "__dict__", {}).items()
    return [hit for k, v in items for hit in leaks(v, f"{path}[{k!r}]", depth + 1)]


# ---- every name of every class ---------------------------------------------------------------

OTHER = "a matrix of the same class"
SAMPLES: dict[str, list[tuple]] = {
    "__add__": [(OTHER,), (DENSE,), (0,)], "__radd__": [(DENSE,), (0,)],
    "__sub__": [(OTHER,), (DENSE,), (0,)], "__rsub__": [(DENSE,), (0,)],
    "__mul__": [(OTHER,), (X,), (2.0,)], "__rmul__": [(X,), (2.0,)],
    "__matmul__": [(OTHER,), (X,), (DENSE,)], "__rmatmul__": [(X,), (DENSE,)],
    "__truediv__": [(OTHER,), (DENSE,), (2.0,)], "__rtruediv__": [(2.0,)],
    "__div__": [(2.0,)], "__rdiv__": [(2.0,)], "__pow__": [(2,), (0,), (1,)],
    "__eq__": [(OTHER,), (0.0,)], "__ne__": [(OTHER,), (0.0,)], "__lt__": [(OTHER,), (0.0,)],
    "__le__": [(OTHER,), (1.0,)], "__gt__": [(OTHER,), (0.0,)], "__ge__": [(OTHER,), (1.0,)],
    "__iadd__": [(OTHER,)], "__isub__": [(OTHER,)], "__imul__": [(2.0,)], "__itruediv__": [(2.0,)],
    "__getitem__": [((0, 1),), (1,), (slice(0, 2),), (([0, 2], [1, 1]),), ([2, 0],),
                    ((slice(None), 1),), (DENSE > 1,)],
    "__setitem__": [((0, 1), 3.0)], "__or__": [(OTHER,)], "__ror__": [(OTHER,)],
    "__ior__": [(OTHER,)], "__contains__": [((0, 0),)], "__delitem__": [((0, 0),)],
    "argmax": [(), (0,)], "argmin": [(), (0,)], "asformat": [(f,) for f in FORMATS],
    "astype": [("float32",), ("complex128",)], "count_nonzero": [(), (0,)],
    "diagonal": [(), (1,)], "dot": [(OTHER,), (X,), (2.0,)], "get": [((0, 0),)],
    "getcol": [(1,)], "getnnz": [(), (0,)], "getrow": [(1,)], "getrowview": [(1,)],
    "max": [(), (0,), (1,)], "min": [(), (0,), (1,)], "nanmax": [(), (0,)], "nanmin": [(), (0,)],
    "maximum": [(OTHER,), (0.0,), (DENSE,)], "minimum": [(OTHER,), (0.0,), (DENSE,)],
    "mean": [(), (0,), (1,)], "sum": [(), (0,), (1,)],
    "multiply": [(OTHER,), (X,), (DENSE,), (2.0,)], "pop": [((0, 0),)], "power": [(2,), (3,)],
    "reshape": [((9, 1),), (1, 9)], "resize": [(2, 2)], "set_shape": [((9, 1),)],
    "setdefault": [((0, 0), 1.0)], "setdiag": [(2.0,), (X,)], "tensordot": [(OTHER,), (OTHER, 1)],
    "trace": [(), (1,)], "transpose": [(), ((1, 0),)], "update": [({(0, 1): 3.0},)],
    "__round__": [(), (1,)], "tobsr": [(), ((3, 3),)],
}  # fmt: skip
SKIP = {
    "__class__": "the class", "__new__": "constructor", "__init__": "constructor",
    "__init_subclass__": "of the class", "__subclasshook__": "of the class",
    "__class_getitem__": "typing", "__dir__": "names", "__doc__": "text", "__dict__": "the state",
    "__module__": "text", "__weakref__": "Python's", "__hash__": "a number or None",
    "__getattribute__": "a name", "__getattr__": "a name", "__setattr__": "a name",
    "__delattr__": "a name", "__reduce__": "pickling; see test_classes",
    "__reduce_ex__": "pickling; see test_classes", "__getstate__": "pickling; see test_classes",
    "__setstate__": "pickling; see test_classes", "__sizeof__": "a number", "__format__": "text",
    "__array_ufunc__": "NumPy's protocol", "__array_function__": "NumPy's protocol",
    "__annotations__": "typing", "__firstlineno__": "Python's", "__static_attributes__": "Python's",
    "__abstractmethods__": "Python's", "fromkeys": "of the class", "to_scipy": "asked for SciPy's",
}  # fmt: skip


def names_of(name: str) -> list[str]:
    cls = getattr(sp, name)
    public_or_operator = (
        n for n in dir(cls) if not n.startswith("_") or (n.startswith("__") and n.endswith("__"))
    )
    return [n for n in public_or_operator if n not in SKIP]


def use(A: Any, B: Any, member: str, args: tuple) -> Any:
    """Read the attribute or call the method; both the result and the matrix afterwards."""
    attribute = getattr(A, member)
    if not callable(attribute):
        return attribute, A
    result = attribute(*(B if a is OTHER else a for a in args))
    if hasattr(result, "__next__"):
        result = list(result)
    return result, A


def attempt(*args: Any) -> Any:
    """The outcome, or the exception where SciPy has one for these arguments."""
    try:
        return use(*args)
    except REFUSALS as error:
        return error


def calls(name: str) -> list[tuple[str, tuple]]:
    """Every member with every set of sample arguments."""
    return [(m, args) for m in names_of(name) for args in SAMPLES.get(m, [()])]


def label(member: str, args: tuple) -> str:
    return f"{member}({', '.join(a if a is OTHER else type(a).__name__ for a in args)})"


@pytest.mark.parametrize("name", CLASSES)
def test_every_method_that_needs_arguments_has_samples(name):
    for member in names_of(name):
        function = inspect.getattr_static(getattr(sps, name), member, None)
        if not inspect.isfunction(function) or member in SAMPLES:
            continue
        parameters = list(inspect.signature(function).parameters.values())[1:]
        assert not [p for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL], (
            f"{name}.{member} needs sample arguments"
        )


@pytest.mark.parametrize("name", CLASSES)
def test_members_give_no_plain_scipy_object(name):
    found = {}
    for member, args in calls(name):
        found[label(member, args)] = leaks(attempt(make(sp, name), make(sp, name), member, args))
    assert {k: v for k, v in found.items() if v} == {}


@pytest.mark.parametrize("name", CLASSES)
def test_members_with_an_operand_of_scipys_give_no_plain_scipy_object(name):
    found = {}
    for member, args in calls(name):
        if any(a is OTHER for a in args):
            for other in CLASSES:
                outcome = attempt(make(sp, name), make(sps, other), member, args)
                found[member, other] = leaks(outcome)
    assert {k: v for k, v in found.items() if v} == {}


# ---- the same with a traced matrix -----------------------------------------------------------

NO_DERIVATIVE = {
    "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__round__", "__bool__", "__len__",
    "argmax", "argmin", "count_nonzero", "getnnz", "nonzero", "__contains__", "keys",
    "__array_priority__", "ceil", "floor", "rint", "sign", "trunc",
}  # fmt: skip
"""Members whose results are comparisons, positions, counts, names, or constant between jumps."""


def inside_a_trace(name: str, call: Any) -> Any:
    """What `call` makes of a traced matrix."""
    kept = []

    def run(A):
        kept.append(call(A))
        return 1.0 * A.sum()

    make_vjp(run)(make(sp, name))
    return kept[0]


def holds_trace(x: Any) -> bool:
    """Whether something traced is in x, at any depth of tuples and lists."""
    if isinstance(x, tuple | list):
        return any(map(holds_trace, x))
    return contains_traced((x,))


def holds_numbers(x: Any) -> bool:
    """Whether x holds floating-point values, plain or traced."""
    if isinstance(x, tuple | list):
        return any(map(holds_numbers, x))
    return getattr(x, "dtype", np.dtype(int)).kind in "fc" or type(x) in (float, complex)


def traced_attempt(name: str, member: str, args: tuple) -> tuple[Any, bool]:
    """Outcome of a member of a traced matrix, and whether its result is traced."""
    kept = []

    def run(A):
        outcome = attempt(A.copy(), A, member, args)
        result = outcome[0] if isinstance(outcome, tuple) else None
        kept.extend([outcome, holds_trace(result)])
        return 1.0 * A.sum()

    make_vjp(run)(make(sp, name))
    return kept[0], kept[1]


@pytest.mark.parametrize("name", CLASSES)
def test_members_of_a_traced_matrix_give_no_plain_scipy_object(name):
    found = {label(m, a): leaks(traced_attempt(name, m, a)[0]) for m, a in calls(name)}
    assert {k: v for k, v in found.items() if v} == {}


@pytest.mark.parametrize("name", CLASSES)
def test_members_of_a_traced_matrix_keep_the_derivative_or_raise(name):
    lost = []
    for member, args in calls(name):
        outcome, traced = traced_attempt(name, member, args)
        if member not in NO_DERIVATIVE | {"dtype"} and isinstance(outcome, tuple):
            if (member, args) == ("__pow__", (0,)):
                continue  # the identity
            if holds_numbers(outcome[0]) and not traced:
                lost.append(label(member, args))
    assert lost == []


@pytest.mark.parametrize("name", CLASSES)
def test_members_that_scipy_has_are_not_missing_on_a_traced_matrix(name):
    missing = []
    for member, args in calls(name):
        theirs = attempt(make(sps, name), make(sps, name), member, args)
        if isinstance(theirs, tuple) and theirs[0] is NotImplemented:
            continue  # `A += B` becomes `A = A + B`
        ours = traced_attempt(name, member, args)[0]
        if isinstance(ours, AttributeError) and not isinstance(theirs, AttributeError):
            missing.append(label(member, args))
    assert missing == []


@pytest.mark.parametrize("op", [operator.add, operator.sub, operator.matmul])
@pytest.mark.parametrize("name", CLASSES)
def test_scipys_matrix_with_a_traced_one_gives_no_plain_scipy_object(name, op):
    found = {}
    for other in CLASSES:
        K = make(sps, other)
        found[other] = leaks(inside_a_trace(name, lambda A, K=K: (op(K, A), op(A, K))))
    assert {k: v for k, v in found.items() if v} == {}


@pytest.mark.parametrize("name", CLASSES)
def test_gradient_is_of_our_class(name):
    gradient = grad(lambda A: (A @ X).sum())(make(sp, name))
    assert type(gradient) is getattr(sp, name)


# ---- what a traced matrix is -----------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSES)
def test_traced_matrix_is_an_instance_of_its_class_only(name):
    held = inside_a_trace(name, lambda A: {c for c in CLASSES if isinstance(A, getattr(sp, c))})
    assert held == {name}


@pytest.mark.parametrize("name", CLASSES)
def test_traced_matrix_is_an_instance_of_its_family_only(name):
    held = inside_a_trace(name, lambda A: (isinstance(A, sp.sparray), isinstance(A, sp.spmatrix)))
    assert held == (name.endswith("array"), name.endswith("matrix"))


@pytest.mark.parametrize("name", CLASSES)
def test_traced_matrix_is_sparse_to_us_and_not_to_scipy(name):
    held = inside_a_trace(name, lambda A: (sp.issparse(A), sps.issparse(A)))
    assert held == (True, False)


# ---- functions -------------------------------------------------------------------------------

D = DENSE
SPARSE = {
    "block_array": lambda m, A: m.block_array([[A, None], [A, A]]),
    "block_diag": lambda m, A: m.block_diag([A, D, 2.0]),
    "bmat": lambda m, A: m.bmat([[A, A], [None, A]]),
    "diags": lambda m, A: [m.diags([X, 2.0], [0, 1], shape=(3, 3), format=f) for f in FORMATS],
    "diags_array": lambda m, A: [m.diags_array(X, format=f) for f in FORMATS],
    "expand_dims": lambda m, A: m.expand_dims(A, axis=0),
    "eye": lambda m, A: [m.eye(3, format=f) for f in (None, *FORMATS)],
    "eye_array": lambda m, A: [m.eye_array(3, format=f) for f in (None, *FORMATS)],
    "find": lambda m, A: m.find(A),
    "get_index_dtype": lambda m, A: m.get_index_dtype(),
    "hstack": lambda m, A: [m.hstack([A, A], format=f) for f in (None, *FORMATS)],
    "identity": lambda m, A: [m.identity(3, format=f) for f in (None, *FORMATS)],
    "kron": lambda m, A: [m.kron(A, D), m.kron(A, A, format="csr"), m.kron(D, A)],
    "kronsum": lambda m, A: m.kronsum(A, A),
    "matrix_transpose": lambda m, A: m.matrix_transpose(A),
    "permute_dims": lambda m, A: m.permute_dims(A, (1, 0)),
    "rand": lambda m, A: m.rand(3, 3, 0.5, rng=1),
    "random": lambda m, A: [m.random(3, 3, 0.5, f, rng=1) for f in FORMATS],
    "random_array": lambda m, A: [m.random_array((3, 3), format=f, rng=1) for f in FORMATS],
    "safely_cast_index_arrays": lambda m, A: m.safely_cast_index_arrays(A),
    "spdiags": lambda m, A: [m.spdiags(D, [0, 1, -1], 3, 3, f) for f in (None, *FORMATS)],
    "swapaxes": lambda m, A: m.swapaxes(A, 0, 1),
    "tril": lambda m, A: [m.tril(A, format=f) for f in (None, *FORMATS)],
    "triu": lambda m, A: [m.triu(A, format=f) for f in (None, *FORMATS)],
    "vstack": lambda m, A: [m.vstack([A, A], format=f) for f in (None, *FORMATS)],
}
LINALG = {
    **{
        f: (lambda m, A, f=f: getattr(m, f)(A, X))
        for f in (
            "bicg",
            "bicgstab",
            "cg",
            "cgs",
            "gcrotmk",
            "gmres",
            "lgmres",
            "lsmr",
            "lsqr",
            "minres",
            "qmr",
            "tfqmr",
            "expm_multiply",
        )
    },
    "LaplacianNd": lambda m, A: [m.LaplacianNd((2, 3)), m.LaplacianNd((2, 3)).tosparse()],
    "LinearOperator": lambda m, A: m.LinearOperator((3, 3), matvec=lambda x: A @ x) @ X,
    "SuperLU": lambda m, A: [m.splu(A).L, m.splu(A).U],
    "aslinearoperator": lambda m, A: [m.aslinearoperator(A), m.aslinearoperator(A).H @ X],
    "eigs": lambda m, A: m.eigs(A, k=1),
    "eigsh": lambda m, A: m.eigsh(A, k=1),
    "expm": lambda m, A: m.expm(A),
    "factorized": lambda m, A: m.factorized(A)(X),
    "funm_multiply_krylov": lambda m, A: m.funm_multiply_krylov(np.exp, A, X),
    "inv": lambda m, A: m.inv(A),
    "is_sptriangular": lambda m, A: m.is_sptriangular(A),
    "lobpcg": lambda m, A: m.lobpcg(A, np.ones((3, 1)), maxiter=1),
    "matrix_power": lambda m, A: [m.matrix_power(A, n) for n in (0, 1, 2, 3)],
    "norm": lambda m, A: m.norm(A),
    "onenormest": lambda m, A: m.onenormest(A),
    "spbandwidth": lambda m, A: m.spbandwidth(A),
    "spilu": lambda m, A: [m.spilu(A).L, m.spilu(A).U],
    "splu": lambda m, A: [m.splu(A).L, m.splu(A).U],
    "spsolve": lambda m, A: [m.spsolve(A, X), m.spsolve(A, A), m.spsolve(A, A.tocsc())],
    "spsolve_triangular": lambda m, A: m.spsolve_triangular(A, X),
    "svds": lambda m, A: m.svds(A, k=1),
}
START = np.array([-9999, 0, 0], np.int32)
BEFORE = np.array([[-9999, 0, 0], [1, -9999, 1], [2, 2, -9999]], np.int32)
"""Predecessors: no node is its own, which SciPy would follow for ever."""

CSGRAPH = {
    **{f: (lambda m, A, f=f: getattr(m, f)(A)) for f in (
        "connected_components", "csgraph_to_dense", "csgraph_to_masked", "dijkstra",
        "floyd_warshall", "bellman_ford", "johnson", "shortest_path", "laplacian",
        "maximum_bipartite_matching", "min_weight_full_bipartite_matching",
        "minimum_spanning_tree", "reverse_cuthill_mckee", "structural_rank")},
    **{f: (lambda m, A, f=f: getattr(m, f)(A, 0)) for f in (
        "breadth_first_order", "breadth_first_tree", "depth_first_order", "depth_first_tree")},
    "construct_dist_matrix": lambda m, A: m.construct_dist_matrix(A, BEFORE),
    "csgraph_from_dense": lambda m, A: m.csgraph_from_dense(GRAPH),
    "csgraph_from_masked": lambda m, A: m.csgraph_from_masked(np.ma.masked_equal(GRAPH, 0)),
    "csgraph_masked_from_dense": lambda m, A: m.csgraph_masked_from_dense(GRAPH),
    "maximum_flow": lambda m, A: m.maximum_flow(A.astype(np.int32), 0, 2),
    "reconstruct_path": lambda m, A: m.reconstruct_path(A, START),
    "yen": lambda m, A: m.yen(A, 0, 2, 1),
}  # fmt: skip
NAMESPACES = {"sparse": (sp, SPARSE), "linalg": (spla, LINALG), "csgraph": (csgraph, CSGRAPH)}
NO_CALL = {
    "save_npz": "gives None", "load_npz": "below", "use_solver": "gives None",
    "csgraph": "a module", "linalg": "a module", "issparse": "a bool",
}  # fmt: skip
CALLS = [(n, f) for n, (m, table) in NAMESPACES.items() for f in table if hasattr(m, f)]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_function_is_called(namespace):
    module, table = NAMESPACES[namespace]
    functions = {n for n in module.__all__ if not inspect.isclass(getattr(module, n))}
    assert {n for n in functions if not n.startswith("isspmatrix")} - set(NO_CALL) <= set(table)


@pytest.mark.filterwarnings("ignore")  # advice on dtypes and convergence is not the subject
@pytest.mark.parametrize("source", [sp, sps], ids=["ours", "scipys"])
@pytest.mark.parametrize("namespace, function", CALLS, ids=[".".join(c) for c in CALLS])
def test_function_gives_no_plain_scipy_object(namespace, function, source):
    module, table = NAMESPACES[namespace]
    found, accepted = {}, 0
    for name in CLASSES:
        A = getattr(source, name)(GRAPH if namespace == "csgraph" else DENSE)
        try:
            result = table[function](module, A)
        except REFUSALS:  # SciPy's, for some formats
            continue
        accepted += 1
        found[name] = [] if result is A else leaks(result)
        if function == "aslinearoperator" and source is sps:  # which keeps its argument
            found[name] = [p for p in found[name] if "'A'" not in p and "'args'" not in p]
    assert accepted > 0
    assert {k: v for k, v in found.items() if v} == {}


def test_flow_of_maximum_flow_is_ours():
    result = csgraph.maximum_flow(sp.csr_array(DENSE.astype(np.int32)), 0, 2)
    assert type(result.flow) is sp.csr_array


@pytest.mark.parametrize("factor", ["L", "U"])
@pytest.mark.parametrize("function", ["splu", "spilu"])
def test_factors_of_a_scipy_matrix_are_ours(function, factor):
    lu = getattr(spla, function)(sps.csc_matrix(DENSE))
    assert type(getattr(lu, factor)).__module__ == "scipygrad.sparse"


def test_laplacian_tosparse_is_ours():
    result = spla.LaplacianNd((3, 2)).tosparse()
    assert type(result) is getattr(sp, type(sps.linalg.LaplacianNd((3, 2)).tosparse()).__name__)


def test_laplacian_eigenvalues_are_scipys():
    theirs = sps.linalg.LaplacianNd((3, 2)).eigenvalues()
    np.testing.assert_array_equal(spla.LaplacianNd((3, 2)).eigenvalues(), theirs)


def test_linear_operators_matrix_is_ours():
    assert type(spla.aslinearoperator(sp.csr_array(DENSE)).A) is sp.csr_array


@pytest.mark.parametrize("name", CLASSES)
def test_loaded_matrix_is_ours(name, tmp_path):
    if name.startswith(("lil", "dok")):
        pytest.skip("SciPy does not save it")
    sps.save_npz(tmp_path / "A.npz", make(sps, name))
    assert type(sp.load_npz(tmp_path / "A.npz")) is getattr(sp, name)


# ---- results in every dtype ------------------------------------------------------------------

OPERATIONS = {
    "A + A.T": lambda A: A + A.T, "A - A.T": lambda A: A - A.T, "A @ A": lambda A: A @ A,
    "A @ x": lambda A: A @ X.astype(A.dtype), "A * 2": lambda A: A * 2, "A / 2": lambda A: A / 2,
    "-A": lambda A: -A, "abs(A)": abs, "A.multiply(A)": lambda A: A.multiply(A),
    "A.power(2)": lambda A: A.power(2), "A.T": lambda A: A.T, "A.conj()": lambda A: A.conj(),
    "A.sum()": lambda A: A.sum(), "A.sum(0)": lambda A: A.sum(axis=0),
    "A.mean(1)": lambda A: A.mean(axis=1), "A.diagonal()": lambda A: A.diagonal(),
    "A.toarray()": lambda A: A.toarray(), "A != 0": lambda A: A != 0,
    "A.tocsr()": lambda A: A.tocsr(), "A.tocsc()[:, [0, 2]]": lambda A: A.tocsc()[:, [0, 2]],
    "A.tobsr()": lambda A: A.tobsr(), "A.todia()": lambda A: A.todia(),
    "A.astype(c)": lambda A: A.astype("complex64"), "A.reshape": lambda A: A.reshape((9, 1)),
    "sin": lambda A: A.tocsr().sin(), "A.real": lambda A: A.real, "A + dense": lambda A: A + DENSE,
    "maximum": lambda A: A.tocsr().maximum(A.T.tocsr()), "A.tolil()[0]": lambda A: A.tolil()[[0]],
}  # fmt: skip


def described(x: Any) -> tuple:
    """What two equal results have in common: kind, dtype, index dtype, shape, values."""
    if sps.issparse(x):
        indices = {a.dtype for k, a in x.__dict__.items()
                   if k in ("indices", "indptr", "offsets")} | {
                       c.dtype for c in x.__dict__.get("coords", ())}  # fmt: skip
        return type(x).__name__, x.dtype, indices, x.shape, x.nnz, x.toarray().tolist()
    return type(x).__name__, np.asarray(x).dtype, np.shape(x), np.asarray(x).tolist()


def described_attempt(call: Any, A: Any) -> Any:
    try:
        return described(call(A))
    except REFUSALS as error:
        return type(error)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_result_is_scipys_in_every_dtype(operation, dtype):
    call, different = OPERATIONS[operation], {}
    for name in CLASSES:
        ours = described_attempt(call, make(sp, name, dtype))
        theirs = described_attempt(call, make(sps, name, dtype))
        if ours != theirs:
            different[name] = ours, theirs
    assert different == {}


@pytest.mark.parametrize("name", ["csr_array", "csc_matrix"])
def test_int64_indices_stay_int64(name):
    A = make(sp, name)
    B = getattr(sp, name)((A.data, A.indices.astype("int64"), A.indptr.astype("int64")))
    assert (
        B.indices.dtype
        == getattr(sps, name)(
            (A.data, A.indices.astype("int64"), A.indptr.astype("int64"))
        ).indices.dtype
    )
