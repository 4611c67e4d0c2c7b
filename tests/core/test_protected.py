"""The entries of a traced matrix are the tape's: nobody else changes them.

SciPy sorts indices in place, and the entries with them, where an operation wants them sorted. What
is asked of the values of a traced matrix (`A > 0`) must not do that to the tape.
"""

from __future__ import annotations

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad

import scipygrad as sg
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

n = 8
rng = onp.random.default_rng(7)
D = rng.standard_normal((n, n)) * (rng.random((n, n)) < 0.4) + onp.diag(onp.arange(4.0, 4 + n))
WEIGHTS = onp.arange(1.0, n * n + 1).reshape(n, n)


def unsorted(module, name):
    """A matrix whose indices are in descending order."""
    A = sps.csc_array(D) if name.startswith("csc") else sps.csr_array(D)
    for i in range(n):
        s = slice(A.indptr[i], A.indptr[i + 1])
        A.indices[s], A.data[s] = A.indices[s][::-1].copy(), A.data[s][::-1].copy()
    return getattr(module, name)((A.data, A.indices, A.indptr), shape=A.shape)


ASKED = {
    ">": lambda A: A > 0,
    "!=": lambda A: A != 0,
    "count_nonzero": lambda A: A.count_nonzero(),
    "argmax": lambda A: A.argmax(axis=1),
    "round": round,
    "print": lambda A: f"{A} {A!r}",
    "mask": lambda A: A[A > 0],
    "detach and sum": lambda A: sg.detach(A).sum(),
    "detach and sort": lambda A: sg.detach(A).sort_indices(),
    "detach and scale": lambda A: sg.detach(A).__imul__(2.0),
    "detach and write": lambda A: sg.detach(A).__setitem__((0, 0), 9.0),
    "detach and set diagonal": lambda A: sg.detach(A).setdiag(0.0),
    "to_scipy and sort": lambda A: sg.to_scipy(A).sort_indices(),
    "to_scipy and write": lambda A: sg.to_scipy(A).data.__setitem__(0, 9.0),
    "scipy's splu": lambda A: sps.linalg.splu(sg.to_scipy(A).tocsc()),
    "spilu": lambda A: spla.spilu(sg.detach(A).tocsc()),
    "node": lambda A: (A._value, sg.detach(A).sort_indices()),
}


@pytest.mark.parametrize("module", [sp, sps], ids=["ours", "SciPy's"])
@pytest.mark.parametrize("name", ["csr_array", "csr_matrix", "csc_array", "csc_matrix"])
@pytest.mark.parametrize(
    ("asked", "computed"),
    [(asked, True) for asked in ASKED]
    # `detach` and `to_scipy` of the argument are the caller's matrix: writing is up to the caller.
    + [
        (asked, False) for asked in ASKED if not asked.startswith("detach") and "write" not in asked
    ],
)
def test_what_is_asked_changes_nothing(asked, computed, name, module):
    values = []

    def f(A):
        B = A * 2.0 if computed else A
        ASKED[asked](B)
        values.append(sg.detach(np.sum(B.toarray() * WEIGHTS)))
        return np.sum(B.toarray() ** 2 * WEIGHTS)

    scale = 2.0 if computed else 1.0
    g = grad(f)(unsorted(module, name))
    onp.testing.assert_allclose(values, scale * onp.sum(D * WEIGHTS), rtol=1e-13)
    onp.testing.assert_allclose(g.toarray(), 2 * scale**2 * D * WEIGHTS, rtol=1e-13)


def test_entries_of_a_detached_matrix_are_read_only():
    def f(A):
        B = sg.detach(A * 2.0)
        with pytest.raises(ValueError, match="read-only"):
            B.data[0] = 1.0
        C = B.copy()
        C.data[0] = 1.0
        return A.sum()

    grad(f)(sp.csr_array(D))


def test_a_detached_array_can_be_written_to():
    def f(x):
        y = x**2
        u = sg.detach(y)
        u += 100.0
        v = sg.detach([x, {"y": y}])
        v[0][:] = v[1]["y"][:] = 0.0
        return np.sum(y * y) + np.sum(x)

    x = onp.array([1.0, 2.0, 3.0])
    onp.testing.assert_allclose(grad(f)(x), 4 * x**3 + 1)
    onp.testing.assert_array_equal(x, [1.0, 2.0, 3.0])


def test_detach_leaves_plain_values_alone():
    A, x = sp.csr_array(D), onp.ones(3)
    assert sg.detach(A) is A
    assert sg.detach(x) is x


SHARING = {
    "csr_array": lambda G: sp.csr_array(G).sort_indices(),
    "csr_matrix": lambda G: sp.csr_matrix(G).sum_duplicates(),
    "transpose": lambda G: G.T.sort_indices(),
    "twice": lambda G: G.T.T.sort_indices(),
    "compare": lambda G: sp.csr_array(G) > 0,
    "to_scipy": lambda G: sg.to_scipy(G).sort_indices(),
}


@pytest.mark.parametrize("shared", SHARING)
def test_what_shares_the_entries_of_a_result_is_sorted_apart(shared):
    """Its indices are read-only and are copied; in SciPy both are sorted where they lie."""
    G = grad(lambda A: A.power(2).sum())(unsorted(sp, "csr_array"))
    assert not G.indices.flags.writeable and not G.has_sorted_indices
    SHARING[shared](G)
    onp.testing.assert_array_equal(G.toarray(), 2 * D)


def test_what_shares_the_entries_of_a_result_is_written_to_together():
    G = grad(lambda A: A.power(2).sum())(sp.csr_array(D))
    H = sp.csr_matrix(G)
    H *= 2.0
    H.data[0] = 7.0
    onp.testing.assert_array_equal(G.toarray(), H.toarray())
