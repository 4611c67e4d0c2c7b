"""Structure is found where the operands are: no index array goes to the host."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, make_jvp, make_vjp
from autograd.extend import vspace
from autograd.numpy import sum as asum
from cases import CASES, numbers
from structures import fresh, on_device, parts, random, same
from test_gpu_cases import CSR_FOR_BSR, REFUSED, close, on_host

import scipygrad
import scipygrad.sparse as sp
from scipygrad._core.device_pattern import DevicePattern


@pytest.fixture(autouse=True)
def _nothing_remembered():
    fresh()


# ---- the operations: as on the host, and nothing goes there -----------------------------------

M, N = 40, 31
ONE = {
    "tocsr": lambda A, B: A.tocsr(),
    "tocsc": lambda A, B: A.tocsc(),
    "tocoo": lambda A, B: A.tocoo(),
    "transpose": lambda A, B: A.T.tocsr(),
    "there and back": lambda A, B: A.tocsc().tocoo().tocsr(),
    "toarray": lambda A, B: A.toarray(),
    "sum over rows": lambda A, B: A.sum(axis=0),
    "sum over columns": lambda A, B: A.sum(axis=1),
    "power": lambda A, B: A.power(2),  # of sums of duplicates
}
TWO = {
    "sum": lambda A, B: A + B,
    "difference": lambda A, B: A - B,
    "with itself": lambda A, B: A + A,
    "entrywise": lambda A, B: A.multiply(B),
    "product": lambda A, B: A @ B.T,
    "other product": lambda A, B: B.T @ A,
    "several": lambda A, B: (A @ B.T + B @ A.T).multiply(A @ A.T),
}
OPERATIONS = ONE | TWO


def loss(operation):
    """A number of the result, which is not symmetric in its entries."""

    def f(A, B):
        C = operation(A, B)
        C = C.toarray() if hasattr(C, "toarray") else C
        return asum(np.sin(C * (1 + np.reshape(np.cumsum(C * 0 + 0.1), C.shape))))

    return f


@pytest.mark.parametrize("order", ["sorted", "unsorted", "duplicates"])
@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name, format, order, cp, only_few):
    operation = OPERATIONS[name]
    A, B = (random(format, M, N, seed, order=order) for seed in (1, 2))
    wanted = operation(A, B)
    value = loss(operation)(A, B)
    gradients = grad(loss(operation), (0, 1))(A, B) if name in TWO else [
        grad(lambda A: loss(operation)(A, B))(A)]  # fmt: skip
    tangent = make_jvp(lambda A: loss(operation)(A, B))(A)(2 * A)[1]
    fresh()
    dA, dB = on_device(A, cp), on_device(B, cp)
    twice = 2 * dA
    with only_few():
        got = operation(dA, dB)
        value_there = loss(operation)(dA, dB)
        gradients_there = grad(loss(operation), (0, 1))(dA, dB) if name in TWO else [
            grad(lambda A: loss(operation)(A, dB))(dA)]  # fmt: skip
        tangent_there = make_jvp(lambda A: loss(operation)(A, dB))(dA)(twice)[1]
    same(got, wanted)
    assert float(value_there) == pytest.approx(value, rel=1e-12)
    assert float(tangent_there) == pytest.approx(tangent, rel=1e-11)
    for there, here in zip(gradients_there, gradients):
        assert isinstance(there._pattern, DevicePattern)
        onp.testing.assert_allclose(there.get().data, here.data, rtol=1e-11, atol=1e-11)
        same(there, here, 1e-11)


MIXED = [("csr", "csc"), ("csc", "csr"), ("coo", "csr"), ("csr", "coo"), ("csc", "coo")]


@pytest.mark.parametrize("formats", MIXED)
@pytest.mark.parametrize("name", TWO)
def test_operands_in_two_formats(name, formats, cp, only_few):
    A, B = (random(f, M, N, seed, order="unsorted") for seed, f in enumerate(formats))
    wanted = TWO[name](A, B)
    fresh()
    dA, dB = on_device(A, cp), on_device(B, cp)
    with only_few():
        got = TWO[name](dA, dB)
    same(got, wanted)


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("shape", [(1, 7), (7, 1), (5, 5), (0, 4), (4, 0), (0, 0)])
def test_small_and_empty(shape, name, family, cp):
    made = getattr(sp, f"csr_{family}")
    for full in (True, False):
        D = onp.arange(1.0, 1 + onp.prod(shape)).reshape(shape) * full
        A = made(D)
        wanted = OPERATIONS[name](A, 3 * A)
        fresh()
        same(OPERATIONS[name](on_device(A, cp), on_device(3 * A, cp)), wanted)


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("name", ["tocsc", "tocoo", "sum", "product", "entrywise"])
def test_indices_of_64_bits(name, family, cp, only_few):
    """SciPy's arrays keep them, its matrices do not if they fit."""
    A = random("csr", M, N, 3)
    made = getattr(sp, f"csr_{family}")
    A = made((A.data, A.indices.astype("i8"), A.indptr.astype("i8")), shape=A.shape)
    wanted = OPERATIONS[name](A, A)
    fresh()
    dA = on_device(A, cp, "int64")
    with only_few():
        got = OPERATIONS[name](dA, dA)
    assert dA.indices.dtype == A.indices.dtype and dA.indptr.dtype == A.indptr.dtype
    same(got, wanted)


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_other_numbers(dtype, cp, only_few):
    A, B = (random("csr", M, N, seed, dtype=dtype) for seed in (1, 2))
    dA, dB = on_device(A, cp), on_device(B, cp)
    for operation in TWO.values():
        with only_few():
            got = operation(dA, dB)
        same(got, operation(A, B), 1e-12 if dtype == "complex128" else 1e-4)


def test_entries_that_cancel_stay(cp):
    A = on_device(random("csr", M, N, 1), cp)
    assert (A - A).nnz == A.nnz
    assert grad(lambda A: (A - 2 * A + A).power(2).sum())(A).nnz == A.nnz


@pytest.mark.parametrize("most", [1, 50, 400])
def test_products_in_blocks_of_rows(most, cp, monkeypatch):
    """Large products are formed in parts."""
    from scipygrad._backend.gpu import symbolic

    A, B = (random("csr", M, N, seed, order="unsorted") for seed in (1, 2))
    monkeypatch.setattr(symbolic, "MOST_PRODUCTS", most)
    dA, dB = (on_device(X, cp) for X in (A, B))
    same(dA @ dB.T, A @ B.T)
    assert (dA @ dB.T).get().has_sorted_indices
    g = grad(lambda A, B: (A @ B.T).power(2).sum(), (0, 1))
    for there, here in zip(g(dA, dB), g(A, B)):
        same(there, here)


# ---- once ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_the_second_time_nothing_is_found_nor_moved(format, cp, transfers, monkeypatch):
    from scipygrad._backend.gpu import structure, symbolic

    A, B = (on_device(random(format, M, N, s, order="duplicates"), cp) for s in (1, 2))
    f = grad(loss(lambda A, B: (A + B).tocsr() @ (A - B).T.tocsc() + (A @ B.T).multiply(B @ B.T)))
    f(A, B)

    def refuse(*args):
        raise AssertionError("structure was searched for again")

    for name in ("places", "converted", "union", "intersection", "product", "without_duplicates"):
        monkeypatch.setattr(symbolic, name, refuse)
    monkeypatch.setattr(structure, "slice_of", refuse)
    transfers.clear()
    f(A, B)
    assert not transfers


def test_a_matrix_made_anew_meets_its_plans(cp, only_few, monkeypatch):
    from scipygrad._backend.gpu import symbolic

    A = random("csr", M, N, 1)
    first = on_device(A, cp)
    first + first.T.T, first @ first.T  # noqa: B018
    monkeypatch.setattr(symbolic, "places", None)
    again = on_device(A, cp)
    assert again._pattern is first._pattern
    again @ again.T  # noqa: B018


# ---- with other operands ----------------------------------------------------------------------


def test_assembly_from_triples(cp, only_few):
    """Element matrices summed into a matrix, traced."""
    rng = onp.random.default_rng(1)
    i, j = rng.integers(0, 20, (2, 400))
    v = rng.standard_normal(400)

    def f(v, i, j):
        K = sp.coo_matrix((v**2, (i, j)), shape=(20, 20)).tocsr()
        return asum(np.sin(K @ K).toarray())

    wanted = grad(f)(v, i, j)
    fresh()
    there = tuple(map(cp.asarray, (v, i, j)))
    with only_few():
        got = grad(f)(*there)
    onp.testing.assert_allclose(got.get(), wanted, rtol=1e-11)


WITH_DIAGONALS = {
    "sum": lambda A, D: A + D,
    "other sum": lambda A, D: D - A,
    "product": lambda A, D: D @ A,
    "other product": lambda A, D: A @ D,
    "entrywise": lambda A, D: A.multiply(D),
    "converted": lambda A, D: A + D.tocsc().tocsr(),
    "coordinates": lambda A, D: (A + D.tocoo()).tocsr(),
    "dense": lambda A, D: A.multiply(D.toarray()),
    "summed": lambda A, D: A.multiply(D.sum(axis=0)),
}


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("name", WITH_DIAGONALS)
def test_diagonals(name, family, format, cp, only_few):
    """An operand in dia, part of which lies outside of the matrix."""
    f, A = WITH_DIAGONALS[name], random(format, M, M, 1, order="unsorted")
    A = getattr(sp, f"{format}_{family}")(A)
    D = getattr(sp, f"dia_{family}")((numbers((3, M), "float64", 1), [0, 3, -5]), shape=(M, M))
    g = grad(lambda A, D: f(A, D).power(2).sum(), (0, 1))
    wanted = f(A, D), g(A, D)
    fresh()
    dA, dD = on_device(A, cp), scipygrad.to_device(D)
    with only_few(to_device=1):  # the offsets
        got = f(dA, dD), g(dA, dD)
    same(got[0], wanted[0])
    same(got[1][0], wanted[1][0], 1e-11)
    onp.testing.assert_allclose(got[1][1].get().data, wanted[1][1].data, rtol=1e-11, atol=1e-11)


def test_diagonals_stay_diagonals(cp):
    A, D = (sp.dia_array((numbers((2, M), "float64", s), [0, s]), shape=(M, M)) for s in (1, 2))
    dA, dD = map(scipygrad.to_device, (A, D))
    for f in (lambda A, D: A + D, lambda A, D: A @ D):
        got, wanted = f(dA, dD).get(), f(A, D)
        assert type(got) is type(wanted)
        onp.testing.assert_allclose(got.toarray(), wanted.toarray(), rtol=1e-13)


@pytest.mark.parametrize("shape", [(M, N), (1, N), (M, 1), (N,)])
@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_scaling_by_a_dense_array(format, shape, cp, only_few):
    A, x = random(format, M, N, 1, order="unsorted"), numbers(shape, "float64", 2)

    def f(A, x):
        B = A.multiply(x) + A.multiply(x**2)
        return asum(np.sin(B.toarray()))

    wanted = A.multiply(x), f(A, x), grad(f, (0, 1))(A, x)
    fresh()
    dA, there = on_device(A, cp), cp.asarray(x)
    with only_few():
        got = dA.multiply(there), f(dA, there), grad(f, (0, 1))(dA, there)
    same(got[0], wanted[0])
    assert [c.dtype for c in got[0].get().coords] == [c.dtype for c in wanted[0].coords]
    onp.testing.assert_array_equal(got[0].get().coords, wanted[0].coords)
    assert float(got[1]) == pytest.approx(wanted[1], rel=1e-12)
    same(got[2][0], wanted[2][0], 1e-11)
    onp.testing.assert_allclose(got[2][1].get(), wanted[2][1], rtol=1e-11, atol=1e-11)


def test_wrong_shapes_raise_as_on_the_host(cp):
    A = random("csr", M, N, 1)
    dA = on_device(A, cp)
    for f in (lambda A, x: A.multiply(x[:3]), lambda A, x: A + A.T, lambda A, x: A @ A,
              lambda A, x: A.multiply(A.T)):  # fmt: skip
        with pytest.raises(ValueError) as wanted:
            f(A, onp.ones(N))
        with pytest.raises(ValueError) as got:
            f(dA, cp.ones(N))
        assert str(got.value) == str(wanted.value)


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
def test_structure_of_other_operations(format, cp):
    """Found on the host, whatever the shapes: none is taken for one that is found on the device."""
    A, B = (random(format, 9, 9, seed, order="unsorted") for seed in (1, 2))
    operations = (
        lambda A, B: sp.kron(A, B, format="csr"), lambda A, B: sp.hstack([A, B]).tocsr(),
        lambda A, B: A.tocsr()[2:5] + B.tocsr()[3:6], lambda A, B: sp.tril(A, format="csr") + B,
        lambda A, B: A.reshape((3, 27)).tocsr(), lambda A, B: A.multiply(B.toarray()).tocsr(),
        lambda A, B: A.multiply(B.toarray()[:1, :1]), lambda A, B: A.multiply(B.sum(axis=0)[2:3]),
        lambda A, B: sp.csr_matrix(A) * sp.csr_matrix(B), lambda A, B: A.multiply(B),
        lambda A, B: sp.csr_array(A).multiply(sp.csr_array(B)[:1]),
    )  # fmt: skip
    for f in operations:
        dA, dB = (on_device(X, cp) for X in (A, B))
        got, wanted = scipygrad.to_host(f(dA, dB)), f(A, B)
        onp.testing.assert_allclose(got.toarray(), wanted.toarray(), rtol=1e-12, atol=1e-12)
        g = grad(lambda A, B, f=f: f(A, B).power(2).sum(), (0, 1))
        for there, here in zip(g(dA, dB), g(A, B)):
            same(there, here)


# ---- all operations --------------------------------------------------------------------------


def reborn(A):
    """A matrix on the device whose pattern was found there."""
    if getattr(A, "format", None) not in ("csr", "csc", "coo"):
        return A
    fresh()
    B = getattr(sp, type(A).__name__)((A.data, *parts(A)), shape=A.shape)
    assert isinstance(B._pattern, DevicePattern)
    return B


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
@pytest.mark.parametrize("name", sorted(set(CASES) - set(REFUSED)))
def test_case_of_the_table(name, cp):
    """As in `test_gpu_cases`, of patterns that the host does not know yet."""
    case = CASES[name]
    for format in set(case.formats) & {"csr", "csc", "coo"}:
        arguments = case.build(format, case.families[0], "float64")
        if any(getattr(a, "ndim", 2) > 2 for a in arguments):
            continue

        def function(arguments):
            return case.fun(*arguments, **case.kwargs)

        wanted = on_host(function, arguments)
        if wanted is None:
            continue
        vjp, value = make_vjp(function)(tuple(map(reborn, scipygrad.to_device(arguments))))
        gradient = vjp(vspace(value).ones())
        if name not in CSR_FOR_BSR:
            close(value, wanted[0], "float64")
        for got, host in zip(gradient, wanted[1]):
            close(got, host, "float64")


@pytest.mark.parametrize("operation", [
    lambda A, B: A @ B, lambda A, B: A + B, lambda A, B: A - B, lambda A, B: A.multiply(B),
    lambda A, B: A.tocsc(), lambda A, B: A.tocoo().tocsr(), lambda A, B: A[2:, ::-1],
])  # fmt: skip
def test_the_order_of_entries_on_the_host_does_not_depend_on_the_device(operation, cp):
    """A product is sorted there, and SciPy's is not: plans of the one are not the other's."""
    rng = onp.random.default_rng(3)
    A, B = (sp.csr_array(rng.standard_normal((9, 9)) * (rng.random((9, 9)) < 0.4)) for _ in "AB")
    A.indices[: A.indptr[1]] = A.indices[: A.indptr[1]][::-1].copy()  # not sorted
    A.has_sorted_indices = False
    on_device_first = make_vjp(lambda A: operation(A, scipygrad.to_device(B)))
    on_device_first(scipygrad.to_device(A))
    wanted = operation(A.to_scipy(), B.to_scipy())
    got = make_vjp(lambda A: operation(A, B))(A)[1]
    for name in ("indptr", "indices", "row", "col", "data"):
        if hasattr(wanted, name):
            onp.testing.assert_allclose(getattr(got, name), getattr(wanted, name), rtol=1e-15)
