"""The first look at the arguments of a public function, and SciPy's code with our classes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import grad

import scipygrad.sparse as sp
from scipygrad._core.engine import box_types
from scipygrad._core.mirror import PLAIN, all_plain, as_scipys
from scipygrad.sparse._natively import natively

X = np.arange(1.0, 4.0)


def objects(v):
    a = np.empty(1, object)
    a[0] = v
    return a


HOLDERS = {
    "itself": lambda v: v, "list": lambda v: [1.0, v], "tuple": lambda v: (X, v),
    "list in a tuple": lambda v: (1.0, [2.0, v]), "tuple of lists": lambda v: ([X], [v]),
    "dict": lambda v: {"a": v}, "object array": objects, "array in a list": lambda v: [objects(v)],
}  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_holds_a_traced_value_is_not_plain(holder):
    answers = []

    def f(x):
        answers.append(all_plain((1, HOLDERS[holder](x[0]))))
        return x[0]

    grad(f)(X)
    assert answers == [False]


@pytest.mark.parametrize(
    "args", [(1, 2.0, None, "csr"), (X, [1.0, 2]), ((3, 3), [X, X], float), (sp.eye(3), sps.eye(3))]
)
def test_plain_arguments(args):
    assert all_plain(args)


def test_no_traced_type_counts_as_plain():
    grad(lambda A: A.sum())(sp.csr_array(np.eye(2)))
    assert PLAIN.isdisjoint(box_types)


@pytest.mark.parametrize(
    "name", ["csr_array", "coo_matrix", "dia_array", "lil_array", "dok_matrix"]
)
def test_as_scipys_is_of_one_state_with_the_matrix(name):
    A = getattr(sp, name)(np.diag(X))
    B = as_scipys(A)
    assert type(B) is getattr(sps, name)
    assert B.__dict__ is A.__dict__


def test_as_scipys_leaves_the_rest_alone():
    class Derived(sp.csr_array):
        pass

    for x in (X, sps.csr_array((2, 2)), Derived((2, 2))):
        assert as_scipys(x) is x


MAKERS = {"random_array": ((3, 3),), "random": (3, 3), "diags_array": (X,), "eye": (3,)}


@pytest.mark.parametrize("name", MAKERS)
def test_natively_makes_ours_and_leaves_scipys_function_as_it_is(name):
    theirs = getattr(sps, name)
    assert type(natively(theirs)(*MAKERS[name])).__module__ == "scipygrad.sparse"
    assert type(theirs(*MAKERS[name])).__module__.startswith("scipy.sparse")
