"""Cotangents and tangents of another structure than that of the matrix they belong to.

Their entries are taken by their places. (In the order of storage they would be taken for others.)
"""

from __future__ import annotations

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_jvp, make_vjp
from autograd.extend import defjvp, defvjp, primitive

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

n = 5
rng = onp.random.default_rng(3)
D = rng.uniform(0.5, 1.5, (n, n)) * (rng.random((n, n)) < 0.5) + onp.diag(onp.arange(2.0, 2 + n))
E = onp.arange(1.0, n * n + 1).reshape(n, n)
STORED = D != 0
FUNCTIONS = {
    "copy": (lambda A: A.copy(), lambda G: G),
    "transpose": (lambda A: A.T, lambda G: G.T),
    "square": (lambda A: A.power(2), lambda G: 2 * D * G),
    "coo": (lambda A: A.tocoo(), lambda G: G),
    "dia": (lambda A: A.todia(), lambda G: G),
    "lil": (lambda A: A.tolil(), lambda G: G),
    "dok": (lambda A: A.todok(), lambda G: G),
    "bsr": (lambda A: A.tobsr((1, 1)), lambda G: G),
    "product": (lambda A: A @ A, lambda G: G @ D.T + D.T @ G),
}


def reversed_indices(G):
    A = sps.csr_array(G)
    for i in range(n):
        s = slice(A.indptr[i], A.indptr[i + 1])
        A.indices[s], A.data[s] = A.indices[s][::-1].copy(), A.data[s][::-1].copy()
    return sp.csr_array((A.data, A.indices, A.indptr), shape=A.shape)


def twice(G):
    A = sps.coo_array(G)
    return sp.coo_array(
        (onp.r_[A.data / 4, 0.75 * A.data], tuple(onp.r_[c, c] for c in A.coords)), A.shape
    )


FORMS = {
    **{f: lambda G, f=f: getattr(sp, f"{f}_array")(G) for f in ("csr", "csc", "coo", "dia", "lil")},
    **{
        f"SciPy's {f}": lambda G, f=f: getattr(sps, f"{f}_matrix")(G) for f in ("csr", "csc", "dok")
    },
    "unsorted": reversed_indices,
    "duplicates": twice,
    "array": lambda G: G,
    "np.matrix": lambda G: sps.coo_matrix(G).todense(),
    "int": lambda G: sps.csc_array(G.astype(int)),
    "float32": lambda G: sp.csc_array(G.astype("float32")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_cotangents_of_any_structure(name, form):
    fun, gradient = FUNCTIONS[name]
    vjp, y = make_vjp(fun)(sp.csr_array(D))
    pattern = (D @ D != 0) if name == "product" else (STORED.T if name == "transpose" else STORED)
    for G in (E, E * (onp.arange(n) < 3)):  # with more entries than the result, and with fewer
        got = vjp(FORMS[form](G))
        assert type(got) is sp.csr_array
        onp.testing.assert_allclose(got.toarray(), gradient(G * pattern) * STORED, rtol=1e-13)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_tangents_of_any_structure(name, form):
    fun, _ = FUNCTIONS[name]
    V = E * STORED
    want = make_jvp(fun)(sp.csr_array(D))(sp.csr_array(onp.where(STORED, E, 0)))[1].toarray()
    got = make_jvp(fun)(sp.csr_array(D))(FORMS[form](V))[1]
    onp.testing.assert_allclose(got.toarray(), want, rtol=1e-13)


def test_a_tangent_elsewhere_is_refused():
    for V in (E, sp.csc_array(E)):
        with pytest.raises(ValueError, match="needs the structure of its matrix"):
            make_jvp(lambda A: A.sum())(sp.csr_array(D))(V)
    with pytest.raises(ValueError, match="several entries for one place"):
        make_jvp(lambda A: A.sum())(twice(D))(sp.csr_array(D))
    A = twice(D)
    assert make_jvp(lambda A: A.sum())(A)(A)[1] == pytest.approx(D.sum())


def test_other_shapes_and_kinds_are_refused():
    vjp = make_vjp(lambda A: A.copy())(sp.csr_array(D))[0]
    for G in (sp.csr_array(onp.ones((n, n + 1))), onp.ones(n), onp.ones((n, n, 1))):
        with pytest.raises(ValueError, match="has its shape"):
            vjp(G)
    for G in (1.0, None, "x"):
        with pytest.raises(TypeError, match="give a sparse matrix"):
            vjp(G)


def test_duplicates_of_the_result_get_the_cotangent_of_their_place():
    A = twice(D)
    G = make_vjp(lambda A: A.copy())(A)[0](sp.csr_array(E))
    onp.testing.assert_array_equal(G.data, E[G.coords])
    onp.testing.assert_array_equal(G.row, A.row)


RULES = {
    "csc": lambda g: sp.csc_array(g),
    "coo": lambda g: sps.coo_array(g),
    "unsorted": reversed_indices,
    "array": lambda g: g,
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("argument", [True, False])
def test_rules_of_a_users_primitive_may_give_any_structure(rule, argument):
    @primitive
    def weighted(A):
        return onp.sum(A.toarray() * E)

    defvjp(weighted, lambda ans, A: lambda g: RULES[rule](g * E))
    defjvp(weighted, lambda g, ans, A: onp.sum(g.toarray() * E))

    def f(A):
        B = A if argument else A.power(2)
        return weighted(B) ** 2 + B.sum() + np.sum(B.multiply(E))

    def reference(A):
        B = A if argument else A.power(2)
        return np.sum(B.multiply(E)) ** 2 + B.sum() + np.sum(B.multiply(E))

    for cls in (sp.csr_array, sps.csr_matrix):
        got, want = grad(f)(cls(D)), grad(reference)(cls(D))
        if argument and rule == "array":  # the sum of an array and a sparse matrix is an array
            onp.testing.assert_allclose(
                onp.asarray(got)[STORED], want.toarray()[STORED], rtol=1e-13
            )
            continue
        assert type(got) is type(want) is cls
        onp.testing.assert_allclose(got.data, want.data, rtol=1e-13)
        onp.testing.assert_array_equal(got.indices, want.indices)


@pytest.mark.parametrize("argument", [True, False])
@pytest.mark.parametrize("first", RULES)
@pytest.mark.parametrize("second", RULES)
def test_rules_of_several_primitives_are_added_by_places(first, second, argument):
    def weighted(rule, W):
        @primitive
        def f(A):
            return onp.sum(A.toarray() * W)

        defvjp(f, lambda ans, A: lambda g: RULES[rule](g * W))
        return f

    f = weighted(first, onp.tril(E)), weighted(second, onp.triu(E)), weighted(second, E)

    def total(A):
        B = A if argument else A.power(2)
        return f[0](B) ** 2 + f[1](B) + f[2](B) / 2

    G = grad(total)(sp.csr_array(D))
    B = D if argument else D**2
    want = 2 * onp.sum(onp.tril(E) * B) * onp.tril(E) + onp.triu(E) + E / 2
    G = G.toarray() if sps.issparse(G) else G
    onp.testing.assert_allclose(G[STORED], (want * (1 if argument else 2 * D))[STORED], rtol=1e-13)


def test_cotangents_of_another_structure_to_second_order():
    def f(A, form):
        vjp, _ = make_vjp(lambda A: A.power(3))(A)
        return np.sum(vjp(form(A)).power(2))

    A = sp.csr_array(D)
    want = grad(lambda A: f(A, lambda A: A * 2.0))(A)
    for form in (lambda A: (A * 2.0).tocsc(), lambda A: (A * 2.0).toarray()):
        onp.testing.assert_allclose(
            grad(lambda A, form=form: f(A, form))(A).toarray(), want.toarray(), rtol=1e-13
        )


b, B = onp.arange(1.0, 1 + n), onp.arange(2.0 * n).reshape(n, 2)
DENSE = {
    "matvec": lambda A: A @ b,
    "matmat": lambda A: A @ B,
    "rmatvec": lambda A: b @ A,
    "solve": lambda A: spla.spsolve(A.tocsc(), b),
    "several": lambda A: spla.spsolve(A.tocsc(), B),
    "krylov": lambda A: spla.gmres(A, b)[0],
    "sum": lambda A: A.sum(axis=0),
    "diagonal": lambda A: A.diagonal(),
    "toarray": lambda A: A.toarray(),
    "data": lambda A: A.data,
    "maximum": lambda A: A.max(axis=0).toarray(),
    "distances": lambda A: sp.csgraph.shortest_path(A),
}


@pytest.mark.parametrize("name", DENSE)
def test_cotangents_of_another_shape_are_refused(name):
    """They would be broadcast, or kernels would read memory that is not theirs."""
    vjp, y = make_vjp(DENSE[name])(sp.csr_array(D))
    for g in (y[:-1], onp.r_[y, y], y[:, None], y[None], onp.ones(1), 2.0):
        with pytest.raises(ValueError, match="has its shape"):
            vjp(g)


def test_tangents_of_another_shape_are_refused():
    A = sp.csr_array(D)
    for f in (lambda x: A @ x, lambda x: x @ A, lambda x: spla.spsolve(A.tocsc(), x)):
        for t in (b[:-1], onp.r_[b, b], b[:, None], onp.ones(1), 2.0):
            with pytest.raises(ValueError, match="has its shape"):
                make_jvp(f)(b)(t)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_an_npmatrix_as_cotangent_is_multiplied_as_an_array():
    for f in (lambda A: A.toarray(), lambda A: A.multiply(E).toarray(), lambda A: A @ D):
        vjp, y = make_vjp(f)(sp.csr_array(D))
        onp.testing.assert_array_equal(vjp(onp.asmatrix(y)).toarray(), vjp(y).toarray())
