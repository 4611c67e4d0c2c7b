"""Every case of `cases.py`: values and derivatives, each format, family, dtype, mode and order."""

import re
from pathlib import Path

import numpy as onp
import pytest
import scipy.sparse as sps
from cases import CASES

import scipygrad.sparse as sp
import scipygrad.sparse.linalg  # noqa: F401  (its primitives belong to the table)
from scipygrad._core.engine import PRIMITIVES
from scipygrad.testing import check_op

ALL = [
    pytest.param(name, format, family, dtype, id=f"{name}-{format}_{family}-{dtype}")
    for name, case in CASES.items()
    for format in case.formats
    for family in case.families
    for dtype in case.dtypes
]


@pytest.mark.parametrize("name, format, family, dtype", ALL)
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.filterwarnings("ignore:Input has data type int64:FutureWarning")
def test_derivatives(name, format, family, dtype):
    case = CASES[name]
    check_op(case.fun, *case.build(format, family, dtype), order=2)


@pytest.mark.parametrize("name, format, family, dtype", ALL)
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.filterwarnings("ignore:Input has data type int64:FutureWarning")
def test_traced_value_is_the_untraced_value(name, format, family, dtype):
    """Same numbers, shape, format, class and dtype with and without tracing (structure: C4)."""
    from autograd import make_vjp

    case = CASES[name]
    args = case.build(format, family, dtype)
    untraced = case.fun(*args)
    traced = make_vjp(lambda args: case.fun(*args))(args)[1]
    if sps.issparse(untraced):
        assert type(traced) is type(untraced) and traced.dtype == untraced.dtype
        if name != "tobsr" or format != "dia":
            # (SciPy guesses the size of blocks from the values of a dia matrix, zeros left out.)
            assert getattr(traced, "blocksize", None) == getattr(untraced, "blocksize", None)
        traced, untraced = traced.toarray(), untraced.toarray()
    assert onp.shape(traced) == onp.shape(untraced)
    assert onp.asarray(traced).dtype == onp.asarray(untraced).dtype
    rtol = 1e-5 if dtype == "float32" else 1e-13
    onp.testing.assert_allclose(traced, untraced, rtol=rtol, atol=rtol)


def test_both_rules_of_every_primitive():
    for op in PRIMITIVES.values():
        assert set(op.wrt) == set(op.vjps) == set(op.jvps), op.name


def test_every_traced_function_has_a_case_or_a_test_of_its_own():
    """`traced` entries of the table: found in the source of the cases, or in their own tests."""
    import inspect

    import cases

    from scipygrad._core.table import TABLE

    graphs = sorted(Path(__file__).parent.glob("sparse/test_csgraph_*.py"))
    of_graphs = "".join(p.read_text() for p in graphs)
    source = inspect.getsource(cases)
    own_tests = {"cg", "matrix_power", "SuperLU", "spilu"}  # tests/linalg
    own_tests |= {"bicg", "bicgstab", "cgs", "gcrotmk", "gmres", "lgmres", "minres", "qmr", "tfqmr",
                  "lsqr", "lsmr", "LinearOperator", "aslinearoperator", "LaplacianNd"}  # fmt: skip
    own_tests |= {"eigs", "eigsh", "lobpcg", "svds"}
    own_tests |= {"expm", "expm_multiply", "funm_multiply_krylov", "norm", "onenormest"}
    classes = {c for c in sp.__all__ if c.endswith(("_array", "_matrix"))}
    for entry in TABLE.values():
        if entry.state == "traced" and entry.name not in own_tests | classes:
            if entry.namespace == "sparse.csgraph":
                assert re.search(rf'[."]{entry.name}\b', of_graphs), entry.name
            else:
                assert f".{entry.name}(" in source, entry.name
