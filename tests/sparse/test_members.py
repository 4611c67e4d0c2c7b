"""Every name of SciPy's sparse classes and modules is in one state, and none is *not yet*."""

from __future__ import annotations

import importlib
import inspect
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from cases import regular

import scipygrad.sparse as sp
import scipygrad.sparse.csgraph
import scipygrad.sparse.linalg  # noqa: F401  (they fill the table)
from scipygrad._core.layout import TRACED_TYPES
from scipygrad._core.table import TABLE, member_state, members_of_scipy, render_support
from scipygrad.sparse import _members
from scipygrad.sparse._traced import TracedDok, TracedSparse

CLASSES = [f"{f}_{k}" for f in ("bsr", "coo", "csc", "csr", "dia", "dok", "lil")
           for k in ("array", "matrix")]  # fmt: skip
MEMBERS = [(cls, name) for name, classes in members_of_scipy().items() for cls in classes]
COMPLETE = ("sparse", "sparse.linalg", "sparse.csgraph")
"""Namespaces in which nothing is *not yet*."""


# ---- modules ---------------------------------------------------------------------------------


def names_of_module(namespace):
    """All of `dir()` but Python's own and submodules (the deprecated ones among them)."""
    module = importlib.import_module(f"scipy.{namespace}")
    return [
        name
        for name in dir(module)
        if not name.startswith("_") and not isinstance(getattr(module, name), ModuleType)
    ]


@pytest.mark.parametrize(
    "namespace, name", [(s, n) for s in COMPLETE for n in names_of_module(s) if n != "test"]
)
def test_name_of_a_module_is_traced_or_plain(namespace, name):
    assert TABLE[namespace, name].state in ("traced", "plain")


def test_what_is_not_yet_is_not_in_the_docs():
    page = render_support()
    for namespace in COMPLETE:
        section = page.partition(f"## scipygrad.{namespace}\n")[2].partition("\n## ")[0]
        assert ", 0 not yet" in section and "| not yet |" not in section


# ---- classes ---------------------------------------------------------------------------------


def test_dir_of_every_class_is_walked():
    for cls in CLASSES:
        for name in dir(getattr(sps, cls)):
            if not name.startswith("_") or name.endswith("__"):
                assert (cls, name) in MEMBERS


@pytest.mark.parametrize("name", members_of_scipy())
def test_member_is_traced_or_plain(name):
    state, reason = member_state(name)
    assert state in ("traced", "plain")
    assert state == "traced" or reason


@pytest.mark.parametrize("name", [n for n in members_of_scipy() if member_state(n)[0] == "traced"])
def test_traced_member_is_defined_for_traced_matrices(name):
    assert any(name in vars(c) for c in (*TracedDok.__mro__, *TracedSparse.__mro__)
               if c not in (dict, object))  # fmt: skip


def test_no_name_is_listed_twice():
    lists = (_members.STRUCTURE, _members.VALUES, _members.OWN)
    assert sum(map(len, lists)) == len(_members.PLAIN)


def test_support_page_has_every_member():
    page = render_support()
    for name in members_of_scipy():
        if member_state(name)[1] != "Python's own":
            assert f"| `{name}` |" in page


def traced(cls):
    """A traced matrix of that class, after its trace."""
    seen = []
    make_vjp(lambda A: (seen.append(A), 1.0 * A.sum())[1])(regular(*cls.split("_"), "float64"))
    assert type(seen[0]) in TRACED_TYPES
    return seen[0]


@pytest.mark.parametrize("cls", CLASSES)
def test_traced_matrix_has_what_scipys_has_and_no_more(cls):
    """`hasattr` answers as for SciPy's class, in each format and family."""
    A, theirs = traced(cls), getattr(sps, cls)(np.eye(5))
    for name in members_of_scipy():
        if not name.startswith("_"):
            assert hasattr(A, name) == hasattr(theirs, name), name
    more = {n for n in dir(type(A)) if not n.startswith("_") and hasattr(A, n)} - set(dir(theirs))
    assert more == {"to_scipy"}


@pytest.mark.parametrize("cls", CLASSES)
def test_no_attribute_of_a_traced_matrix_is_refused(cls):
    A = traced(cls)
    for name in dir(getattr(sps, cls)):
        if not name.startswith("_") and (cls[:3], name) != ("lil", "data"):
            getattr(A, name)  # does not raise NotImplementedError


def test_unknown_attribute():
    for cls in CLASSES:
        with pytest.raises(AttributeError, match="no_such_name"):
            traced(cls).no_such_name  # noqa: B018


def test_structure_is_that_of_the_plain_matrix():
    for cls in CLASSES:
        A = traced(cls)
        for name in _members.STRUCTURE:
            if hasattr(A, name):
                ours, theirs = getattr(A, name), getattr(A.to_scipy(), name)
                if cls.startswith("coo") and name == "has_canonical_format":
                    # SciPy's False says that nobody has looked; a pattern met before may know.
                    assert ours or not theirs
                    continue
                for a, b in zip(np.atleast_1d(ours), np.atleast_1d(theirs), strict=True):
                    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["get_shape", "getformat", "getmaxprint", "getnnz"])
def test_plain_methods_give_scipys_values(name):
    for cls in CLASSES:
        if hasattr(getattr(sps, cls), name):
            A = traced(cls)
            assert getattr(A, name)() == getattr(A.to_scipy(), name)()


@pytest.mark.parametrize("cls", [c for c in CLASSES if c.endswith("matrix")])
def test_set_shape_keeps_the_format(cls):
    A = regular(*cls.split("_"), "float64")

    def f(A):
        B, C = A.copy(), A.copy()
        B.set_shape((1, 25))
        C.shape = (25, 1)
        assert B.format == C.format == cls[:3] and B.shape == (1, 25) and C.shape == (25, 1)
        return (B * C).sum()

    value = make_vjp(f)(A)[1]
    assert value == pytest.approx((A.toarray() ** 2).sum())


def test_arrays_have_no_setter_of_the_shape():
    def f(A):
        A.shape = (1, 25)

    for call in (f, make_vjp(f)):
        with pytest.raises(AttributeError):
            call(regular("csr", "array", "float64"))


def test_isinstance_and_names_of_classes():
    for cls in CLASSES:
        A = traced(cls)
        assert isinstance(A, getattr(sp, cls))
        assert sum(isinstance(A, getattr(sp, c)) for c in CLASSES) == 1


# ---- arguments by keyword --------------------------------------------------------------------


def parameters(method):
    return list(inspect.signature(method).parameters)[1:]


@pytest.mark.parametrize("cls", CLASSES)
def test_arguments_of_methods_have_scipys_names(cls):
    kind = TracedDok if cls.startswith("dok") else TracedSparse
    for name in dir(getattr(sps, cls)):
        theirs, ours = getattr(getattr(sps, cls), name), getattr(kind, name, None)
        if not name.startswith("_") and inspect.isfunction(theirs) and ours is not None:
            if parameters(theirs) not in (["args"], ["args", "kwargs"]):  # which name nothing
                assert parameters(ours) == parameters(theirs), name


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize(
    "call",
    [lambda A, K: A.power(n=2), lambda A, K: A.dot(other=K), lambda A, K: A.multiply(other=K),
     lambda A, K: A.maximum(other=K), lambda A, K: A.minimum(other=K)],
)  # fmt: skip
def test_calls_by_keyword(cls, call):
    """Untraced, traced on the left, and traced on the right."""
    A = regular(*cls.split("_"), "float64")
    expected = call(A.to_scipy(), np.eye(5))
    for f, x in ((lambda A: call(A, np.eye(5)), A), (lambda K: call(A, K), np.eye(5))):
        for got in (f(x), make_vjp(f)(x)[1]):
            got, want = (y.toarray() if sps.issparse(y) else y for y in (got, expected))
            np.testing.assert_allclose(got, want)


def test_a_traced_power_by_keyword():
    A = abs(regular("csr", "array", "float64"))
    expected = (A.data**2 * np.log(A.data)).sum()
    assert grad(lambda n: A.power(n=n).sum())(2.0) == pytest.approx(expected)
