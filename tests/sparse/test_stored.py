"""`A.data[k] = v` of a traced matrix writes into it; through a name it raises."""

from __future__ import annotations

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad

import scipygrad.sparse as sp
from scipygrad.testing import check_op

M = onp.array([[4.0, 1.0, 0.0], [2.0, 5.0, -1.0], [0.0, 3.0, 6.0]])
v = onp.array([1.2, -0.7, 2.0])
FORMATS = ["csr", "csc", "coo", "bsr", "dia"]


def one(A, v):
    A.data[2] = v[0] * v[1]


def whole(A, v):
    A.data[:] = A.data**2


def row(A, v):
    A.data[A.indptr[1] : A.indptr[2]] = 0.0


def scaled_row(A, v):
    A.data[A.indptr[1] : A.indptr[2]] *= v[1]


def places(A, v):
    A.data[[0, 3, -1]] = v


def twice_the_same(A, v):
    A.data[[0, 0]] = v[:2]


def mask(A, v):
    A.data[A.data > 4.5] = v[2]


def added(A, v):
    A.data[-1] += A.data[1] * v[2]


def numbers(A, v):
    A.data[3:5] = [v[0], 7.0]


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize(
    "write",
    [one, whole, row, scaled_row, places, twice_the_same, mask, added, numbers],
    ids=lambda f: f.__name__,
)
def test_written_as_in_scipy(write, family):
    def program(module):
        def f(v):
            A = getattr(module, f"csr_{family}")(M) * (v[2] / 2)
            write(A, v)
            return A @ A

        return f

    check_op(program(sp), v, reference=program(sps))


@pytest.mark.parametrize("format", FORMATS)
def test_written_in_every_format_with_an_array_of_entries(format):
    def program(module):
        def f(v):
            A = getattr(module, f"{format}_array")(M) * v[0]
            A.data[-1] = v[2] ** 2
            return A.tocsr()

        return f

    check_op(program(sp), v, reference=program(sps))


def test_float32_stays():
    A = sp.csr_array(M.astype(onp.float32))

    def f(A):
        A = A * 2
        A.data[0] = 3.0
        assert A.dtype == onp.float32
        return A.sum()

    g = grad(f)(A)
    assert g.dtype == onp.float32
    onp.testing.assert_array_equal(g.data, [0, 2, 2, 2, 2, 2, 2])


def test_a_copy_is_left_alone():
    def f(A):
        B = A.copy()
        B.data[0] = 1.0
        return (A * A).sum() if isinstance(A, sp.sparray) else 0.0

    A = sp.csr_array(M)
    onp.testing.assert_array_equal(grad(f)(A).data, 2 * A.data)


def test_read_before_it_is_written():
    def f(A):
        before = A.data[0]
        A.data[0] = 5.0
        return before**2 + A.data[0] * A.data[1]

    g = grad(f)(sp.csr_array(M))
    onp.testing.assert_array_equal(g.data, [8, 5, 0, 0, 0, 0, 0])


def named(A):
    d = A.data
    d[0] = 3.0


def kept_in_a_list(A):
    kept = [A.data]
    kept[0][0] = 3.0


def handed_on(A):
    def write(d):
        d[0] = 3.0

    write(A.data)


@pytest.mark.parametrize("write", [named, kept_in_a_list, handed_on], ids=lambda f: f.__name__)
def test_raises_through_a_name(write):
    with pytest.raises(TypeError, match=r"write A\[i, j\] = value"):
        grad(lambda A: (write(A), A.sum())[1])(sp.csr_array(M))


@pytest.mark.parametrize("index", [7, [0, 9], (0, 0)])
def test_index_errors_are_numpys(index):
    def write(A):
        A.data[index] = 1.0
        return A.sum()

    with pytest.raises(IndexError) as theirs:
        write(sps.csr_array(M))
    with pytest.raises(IndexError) as ours:
        grad(write)(sp.csr_array(M))
    assert type(ours.value) is type(theirs.value)


def test_complex_values_into_a_real_matrix_raise():
    def f(v):
        A = sp.csr_array(M) * v[0]
        A.data[0] = v[1] * 1j
        return A.sum()

    with pytest.raises(TypeError, match="would cut their derivative off"):
        grad(f)(v)


def test_entries_are_an_ordinary_traced_array_otherwise():
    def f(A):
        d = A.data
        return np.sum(np.exp(-d) * d) + d[1] * d[2] + d[1:3].sum() + (d @ d)

    def reference(A):
        d = A.data
        return onp.sum(onp.exp(-d) * d) + d[1] * d[2] + d[1:3].sum() + (d @ d)

    check_op(f, sp.csr_array(M), reference=reference)
