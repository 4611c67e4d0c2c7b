"""Products and their derivatives on a device, against the kernels of the host."""

import numpy as np
import pytest
import scipy.sparse as sps

from scipygrad._backend import cpu
from scipygrad._core.pattern import Pattern
from scipygrad.sparse._matmul import Triples

TYPES = {"f": 1e-5, "d": 1e-13, "F": 1e-5, "D": 1e-13}
FORMATS = ("csr", "csc")


@pytest.fixture(scope="module")
def gpu(cp):
    """The device's kernels."""
    from scipygrad._backend import gpu
    from scipygrad._core.device import known

    known(cp.ndarray)
    return gpu


@pytest.fixture
def cut(gpu, monkeypatch):
    """Lines of more than four entries are long."""
    monkeypatch.setattr("scipygrad._backend.gpu.compressed.LONGEST", 4)


def numbers(rng, t, *shape):
    x = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if t in "FD" else 0)
    return x.astype(t)


def pattern(rng, shape, format="csr", entries=90, kind="unsorted", symmetric=False):
    """Lines of different lengths, some empty; with duplicates, in any order, or behind the end."""
    m, n = shape[::-1] if format == "csc" else shape
    line = (m * rng.random(entries) ** 2).astype(int)
    across = rng.integers(0, n, entries)
    if symmetric:
        line, across = np.concatenate([line, across]), np.concatenate([across, line])
    if kind in ("sorted", "behind"):
        line, across = np.divmod(np.unique(line * n + across), n)
    if kind == "sorted duplicates":
        order = np.lexsort((across, line))
        line, across = line[order], across[order]
    if format == "coo":
        return Pattern.of(sps.coo_array((np.ones(line.size), (line, across)), shape=shape))
    order = np.argsort(line, kind="stable")
    indptr = np.searchsorted(line[order], np.arange(m + 1))
    ones = np.ones(line.size)
    A = getattr(sps, f"{format}_array")((ones, across[order], indptr), shape=shape)
    if kind == "behind":
        A.indices = np.concatenate([A.indices, np.zeros(5, A.indices.dtype)])
        A.data = np.ones(A.indices.size)
    return Pattern.of(A)


KINDS = ("sorted", "unsorted", "sorted duplicates", "behind")


def compare(got, wanted, t):
    assert got.dtype == wanted.dtype
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got.get(), wanted, rtol=TYPES[t], atol=TYPES[t])


def host_spmm(data, x, p):
    A = np.zeros(p.shape, data.dtype)
    inside = slice(None) if p.inside is None else p.inside
    np.add.at(A, p.coords, data[inside])
    return A @ x


def case(seed, t, format, kind, columns=None, shape=(13, 9)):
    rng = np.random.default_rng(seed)
    p = pattern(rng, shape, format, kind=kind)
    tail = () if columns is None else (columns,)
    x, g = numbers(rng, t, shape[1], *tail), numbers(rng, t, shape[0], *tail)
    return p, numbers(rng, t, p.size), x, g


# ---- A x --------------------------------------------------------------------------------------


def check_products(gpu, cp, t, p, data, x, g):
    there = [cp.asarray(v) for v in (data, x, g)]
    compare(gpu.spmm(there[0], there[1], p), host_spmm(data, x, p), t)
    compare(gpu.spmm(there[0], there[2], p.T), host_spmm(data, g, p.T), t)
    compare(gpu.sampled_outer(there[2], there[1], p), cpu.sampled_outer(g, x, p), t)
    for got, wanted in zip(
        gpu.spmm_cotangents(there[2], there[0], there[1], p), cpu.spmm_cotangents(g, data, x, p)
    ):
        compare(got, wanted, t)
    tangent = gpu.spmv_tangent(there[0] * 2, there[1] * 3, *there[:2], p)
    compare(tangent, 5 * host_spmm(data, x, p), t)


@pytest.mark.parametrize("t", TYPES)
@pytest.mark.parametrize("format", [*FORMATS, "coo"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [None, 1, 3])
def test_with_a_vector_or_block(t, format, kind, columns, gpu, cp):
    check_products(gpu, cp, t, *case(1, t, format, kind, columns))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("columns", [None, 3])
@pytest.mark.parametrize("shape", [(9, 30), (30, 9)])
def test_long_lines(format, columns, shape, cut, gpu, cp):
    """They are cut into pieces, whose sums are added up in a second launch."""
    p, *operands = case(2, "d", format, "unsorted", columns, shape)
    assert gpu.lines(p).pieces is not None
    check_products(gpu, cp, "d", p, *operands)


def test_diagonals(gpu, cp):
    """Of a dia matrix, some of whose places lie outside."""
    rng = np.random.default_rng(13)
    A = sps.dia_array((rng.standard_normal((3, 6)), [-2, 0, 3]), shape=(7, 6))
    p, x, g = Pattern.of(A), rng.standard_normal(6), rng.standard_normal(7)
    data = cp.asarray(A.data)
    compare(gpu.spmm(data, cp.asarray(x), p), A @ x, "d")
    left, right = gpu.spmm_cotangents(cp.asarray(g), data, cp.asarray(x), Pattern.of(A))
    compare(right, A.T @ g, "d")
    inside = np.zeros(A.data.shape, bool)
    inside.reshape(-1)[p.inside] = True
    wanted = sps.dia_array((np.where(inside, 1.0, 0.0), A.offsets), shape=A.shape).toarray()
    made = sps.dia_array((left.get(), A.offsets), shape=A.shape).toarray()
    np.testing.assert_allclose(made, wanted * np.outer(g, x), rtol=1e-13)
    assert not left.get()[~inside].any()


@pytest.fixture
def wide(gpu, monkeypatch):
    """All indices have 64 bits, as those of very large matrices."""

    def arrays(pattern):
        return tuple(a.astype(np.int64) for a in gpu.index_arrays(pattern))

    monkeypatch.setattr("scipygrad._backend.gpu.compressed.index_arrays", arrays)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("t", "dF")
def test_wide_indices(format, t, wide, memory, gpu, cp):
    p, *operands = case(14, t, format, "unsorted")
    assert gpu.lines(p).dtype == np.int64
    check_products(gpu, cp, t, p, *operands)
    check_sparse_products(gpu, cp, t, *product_case(15, t, KINDS[1:]))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("shape", [(4, 3), (0, 3), (4, 0), (0, 0)])
def test_no_entries(format, shape, gpu, cp):
    p = Pattern.of(getattr(sps, f"{format}_array")(shape))
    check_products(gpu, cp, "d", p, *(np.zeros(n) for n in (0, shape[1], shape[0])))


def test_symmetric_structure_is_kept_once(gpu):
    """Then row s and column s have the same indices: they go through memory once."""
    p = pattern(np.random.default_rng(3), (12, 12), kind="sorted", symmetric=True)
    own = gpu.lines(p)
    assert own.transposed.indices is own.indices
    q = pattern(np.random.default_rng(3), (12, 12), kind="sorted")
    assert gpu.lines(q).transposed.indices is not gpu.lines(q).indices


def test_transposes_have_one_structure(gpu):
    p = pattern(np.random.default_rng(4), (12, 9))
    assert gpu.lines(p.T) is gpu.lines(p)


def test_lanes(gpu):
    """How many threads share a line depends on the mean length."""
    made = [pattern(np.random.default_rng(5), (10, 50), entries=n) for n in (20, 40, 90, 400, 2000)]
    assert [gpu.lines(p).lanes for p in made] == [1, 2, 4, 8, 32]


# ---- A B --------------------------------------------------------------------------------------


def product_case(seed, t, kinds):
    """Patterns of A, B and C, which has a part of A B and more, and numbers for all."""
    rng = np.random.default_rng(seed)
    A, B = (pattern(rng, shape, entries=60, kind=k) for shape, k in zip([(9, 11), (11, 7)], kinds))
    C = pattern(rng, (9, 7), entries=40, kind=kinds[2])
    a, b, c = (numbers(rng, t, p.size) for p in (A, B, C))
    return Triples.of(A, B, C), a, b, c


def check_sparse_products(gpu, cp, t, triples, a, b, c):
    there = {k: cp.asarray(v) for k, v in zip("abc", (a, b, c))}
    compare(gpu.product(there["a"], there["b"], triples), cpu.product(a, b, triples), t)
    left, right = cpu.product_left(c, b, triples), cpu.product_right(c, a, triples)
    compare(gpu.product_left(there["c"], there["b"], triples), left, t)
    compare(gpu.product_right(there["c"], there["a"], triples), right, t)
    both = gpu.product_both(there["c"], there["a"], there["b"], triples)
    for got, wanted in zip(both, (left, right)):
        compare(got, wanted, t)


@pytest.fixture(params=["lists", "no lists"])
def memory(request, gpu, monkeypatch):
    """Whether what structure says of the triples is written down."""
    if request.param == "no lists":
        monkeypatch.setattr("scipygrad._backend.gpu.products.MOST", 0)
    return request.param


def test_lists_are_bounded(memory, gpu, cp):
    from scipygrad._backend.gpu.products import _triples

    triples, *numbers_ = product_case(6, "d", KINDS[:3])
    check_sparse_products(gpu, cp, "d", triples, *numbers_)
    known = _triples(triples)
    assert (known.pairs is None) == (memory == "no lists")
    assert isinstance(known.slots[0], np.int64) == (memory == "no lists")  # a null pointer


@pytest.mark.parametrize("t", TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_sparse_products(t, kind, memory, gpu, cp):
    one = ["sorted"] * 2 + [kind]
    for kinds in (one, one[::-1], one[1:] + one[:1], [kind] * 3):
        check_sparse_products(gpu, cp, t, *product_case(7, t, kinds))


def test_long_sums(memory, cut, gpu, cp):
    """An inner product is one entry with many terms."""
    rng = np.random.default_rng(16)
    A, B = (pattern(rng, shape, entries=400, kind="sorted") for shape in [(1, 300), (300, 2)])
    C = Pattern.of(sps.csr_array(np.ones((1, 2))))
    a, b, c = (numbers(rng, "d", p.size) for p in (A, B, C))
    check_sparse_products(gpu, cp, "d", Triples.of(A, B, C), a, b, c)


def test_products_of_nothing(memory, gpu, cp):
    empty = [Pattern.of(sps.csr_array(shape)) for shape in [(3, 4), (4, 2), (3, 2)]]
    check_sparse_products(gpu, cp, "d", Triples.of(*empty), *(np.zeros(0),) * 3)


def test_products_of_transposes(memory, gpu, cp):
    """In csc, C = A B is formed as Cᵀ = Bᵀ Aᵀ in csr."""
    rng = np.random.default_rng(8)
    B, A, C = (pattern(rng, s, "csc", 60) for s in [(11, 9), (7, 11), (7, 9)])
    a, b, c = (numbers(rng, "d", p.size) for p in (B, A, C))
    check_sparse_products(gpu, cp, "d", Triples.of(B, A, C), a, b, c)


# ---- cost -------------------------------------------------------------------------------------


@pytest.fixture
def launches(gpu, monkeypatch):
    """Names of the kernels that are launched from now on."""
    from scipygrad._backend.gpu import products

    names, launch = [], products.launch

    def counted(stem, name, *args, **kwargs):
        names.append(name)
        launch(stem, name, *args, **kwargs)

    monkeypatch.setattr(products, "launch", counted)
    return names


def test_few_launches(launches, gpu, cp):
    """Once the structure is known: one for A x, one for both cotangents, one for a tangent."""
    p, *operands = case(9, "d", "csr", "sorted")
    data, x, g = map(cp.asarray, operands)

    def step():
        gpu.spmm(data, x, p)
        gpu.spmm_cotangents(g, data, x, p)
        gpu.spmv_tangent(data, x, data, x, p)

    step()
    launches.clear()
    step()
    assert launches == ["sum_lines", "both_cotangents", "sum_lines"]


def test_few_launches_of_sparse_products(launches, gpu, cp):
    triples, *operands = product_case(10, "d", ("sorted",) * 3)
    a, b, c = map(cp.asarray, operands)

    def step():
        gpu.product(a, b, triples)
        gpu.product_both(c, a, b, triples)

    step()
    launches.clear()
    step()
    assert launches == ["segment_products", "product_left", "product_right"]


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_read_in_a_later_step(format, memory, transfers, gpu, cp):
    p, *operands = case(11, "d", format, "unsorted")
    data, x, g = map(cp.asarray, operands)
    triples, *operands = product_case(12, "d", KINDS[1:])
    a, b, c = map(cp.asarray, operands)

    def step():
        gpu.spmm(data, x, p)
        gpu.spmm_cotangents(g, data, x, p)
        gpu.product(a, b, triples)
        gpu.product_both(c, a, b, triples)

    step()
    transfers.clear()
    step()
    assert not transfers


def test_a_kernel_is_compiled_once(gpu, cp, monkeypatch):
    """When it is first used with its types, and no other."""
    from scipygrad._backend.gpu import launch

    made, theirs = [], launch._compile

    def counted(stem, name, *types):
        made.append(name)
        return theirs(stem, name, *types)

    monkeypatch.setattr(launch, "_compile", counted)
    monkeypatch.setattr(launch, "_compiled", {})
    p, *operands = case(17, "F", "csr", "sorted")
    data, x, _ = map(cp.asarray, operands)
    for _ in range(2):
        gpu.spmm(data, x, p)
    assert made == ["sum_lines"]


def test_operands_of_one_dtype_are_taken_as_they_are(gpu, cp):
    x, y = cp.zeros(3), cp.zeros((3, 2))
    assert all(a is b for a, b in zip(gpu.common(x, y), (x, y)))
    single, numbers_ = gpu.common(x.astype("f"), cp.asarray(np.zeros(3, np.complex64)))
    assert single.dtype == numbers_.dtype == np.complex64
    assert gpu.common(cp.asarray(np.arange(3)))[0].dtype == np.float64
    assert gpu.common(y.T)[0].flags.c_contiguous
