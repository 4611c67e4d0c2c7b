"""The entries of a traced matrix are the tape's: nobody else changes them.

SciPy sorts indices in place, and the entries with them, where an operation wants them sorted. What
is asked of the values of a traced matrix (`A > 0`) must not do that to the tape.
"""

from __future__ import annotations

import warnings

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_vjp
from autograd.extend import defvjp, primitive

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


def set_diagonal(y):
    y.setdiag(5.0)


WRITTEN = {
    "scale": lambda y: y.__imul__(3.0),
    "entry": lambda y: y.__setitem__((0, 0), 9.0),
    "diagonal": set_diagonal,
    "data": lambda y: y.data.__setitem__(slice(None), 9.0),
    "sort": lambda y: y.sort_indices(),
    "sum": lambda y: y.sum_duplicates(),
    "drop zeros": lambda y: y.eliminate_zeros(),
}
RESULTS = {
    "expm1": lambda A: A.expm1(),  # whose rule reads its value
    "maximum": lambda A: A.maximum(0.5),
    "copy": lambda A: A.copy(),  # whose entries are those of A
    "transpose": lambda A: A.T,
    "class": lambda A: sp.csc_array(A.T),
}


@pytest.mark.parametrize("module", [sp, sps], ids=["ours", "SciPy's"])
@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("written", WRITTEN)
def test_a_result_is_the_callers(written, result, module):
    """Not the tape's, and not the argument's: it can be written to before the backward pass."""
    A = unsorted(module, "csr_array")
    A.data[3] = 0.0
    before = A.toarray()
    vjp, y = make_vjp(RESULTS[result])(A)
    g = make_vjp(RESULTS[result])(A)[1]  # of the structure of y
    want = vjp(g).toarray()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sps.SparseEfficiencyWarning)
        WRITTEN[written](y)
    onp.testing.assert_array_equal(vjp(g).toarray(), want)
    onp.testing.assert_array_equal(A.toarray(), before)


def test_a_users_primitive_may_sort_its_argument():
    @primitive
    def total(A):
        A.sort_indices()
        return A.sum()

    defvjp(total, lambda ans, A: lambda g: g * ones)

    def f(A):
        B = A.expm1()
        return total(B) + np.sum(B.toarray() ** 2 * WEIGHTS)

    A = unsorted(sps, "csr_array")
    ones = sp.csr_array((onp.ones(A.nnz), A.indices.copy(), A.indptr.copy()), A.shape)
    want = grad(lambda A: A.expm1().sum() + np.sum(A.expm1().toarray() ** 2 * WEIGHTS))(A)
    onp.testing.assert_allclose(grad(f)(A).toarray(), want.toarray(), rtol=1e-13)


def test_gradients_of_scipys_class_are_sorted_apart_from_the_cotangent():
    A = unsorted(sps, "csr_array")
    vjp, y = make_vjp(lambda A: A.copy())(A)
    G = vjp(y)
    want = G.toarray()
    G.sort_indices()
    onp.testing.assert_array_equal(y.toarray(), D)
    onp.testing.assert_array_equal(G.toarray(), want)


VECTOR = {
    "tocsr": lambda A: A.tocsr(),
    "csr_array": lambda A: sp.csr_array(A),
    "add": lambda A: A + A,
    "compare": lambda A: A > 0,
    "multiply": lambda A: A.multiply(A),
    "dot": lambda A: A @ sp.coo_array(onp.arange(12.0).reshape(6, 2)),
    "tensordot": lambda A: A.tensordot(A, axes=1),
}


@pytest.mark.parametrize("asked", VECTOR)
def test_asking_an_unsorted_vector_leaves_it_alone(asked):
    """SciPy's coo vector gets its entries sorted and its coordinates not; ours is left alone."""
    A = sp.coo_array(([1.0, 2.0, 3.0, 4.0], ([5, 1, 3, 1],)), shape=(6,))
    before = A.toarray()
    VECTOR[asked](A)
    onp.testing.assert_array_equal(A.toarray(), before)
    G = grad(lambda A: A.power(2).sum())(sp.coo_array(([1.0, 2.0, 3.0], ([5, 1, 3],)), (6,)))
    VECTOR[asked](G)
    onp.testing.assert_array_equal(G.toarray(), [0, 4, 0, 6, 0, 2])


def test_a_product_of_tensors_leaves_its_operands_alone():
    T = sp.coo_array(onp.arange(24.0).reshape(2, 3, 4))
    A = sp.coo_array(([1.0, 2.0, 3.0], ([1, 0, 1], [2, 0, 1])), shape=(2, 3))
    before, want = A.toarray(), onp.tensordot(A.toarray(), T.toarray(), axes=([0, 1], [0, 1]))
    for _ in range(2):
        product = A.tensordot(T, axes=([0, 1], [0, 1]))
        onp.testing.assert_allclose(product.toarray(), want)
    onp.testing.assert_array_equal(A.toarray(), before)
    onp.testing.assert_array_equal(T.toarray(), onp.arange(24.0).reshape(2, 3, 4))


@pytest.mark.skipif(not hasattr(sps, "permute_dims"), reason="not in this SciPy")
@pytest.mark.parametrize("module", [sp, sps], ids=["ours", "SciPy's"])
def test_permute_dims_leaves_its_operand_alone(module):
    A = module.coo_array(onp.arange(6.0).reshape(2, 3))
    B = sp.permute_dims(A, (1, 0))
    onp.testing.assert_array_equal(B.toarray(), A.toarray().T)
    assert A.shape == (2, 3) and sp.permute_dims(A, (0, 1)).shape == (2, 3)
