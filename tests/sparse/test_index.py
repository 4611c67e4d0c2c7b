"""Reading parts: every form of index, and one that SciPy gets wrong."""

import numpy as onp
import pytest
from autograd import grad, make_vjp
from autograd.numpy.numpy_boxes import ArrayBox
from cases import matrix, stored

from scipygrad._core.elements import Element
from scipygrad.testing import check_op

INDICES = {
    "row": (2,),
    "negative row": (-1,),
    "entry": ((0, -1),),
    "slices": ((slice(1, None), slice(None, 4)),),
    "backwards": ((slice(None, None, -1), slice(5, 0, -2)),),
    "rows": (([2, 0, 2],),),
    "rows and slice": (([2, 0, 2], slice(1, 5)),),
    "column": ((slice(None), 3),),
    "columns": ((slice(None), [5, 0, 0]),),
    "pairs": (([0, 3, 0], [5, 1, 0]),),
    "outer": ((onp.array([[0], [3]]), onp.array([[5, 1, 0]])),),
    "negative pairs": (([-1, 0], [-6, -1]),),
    "mask of rows": ((onp.array([True, False, True, False]),),),
    "mask of columns": ((slice(None), onp.arange(6) % 2 == 0),),
    "mask": (onp.arange(24).reshape(4, 6) % 5 == 0,),
    "empty": ((slice(2, 2), slice(None)),),
    "dots": ((Ellipsis, 2),),
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("format", ["csr", "csc", "lil", "dok", "coo"])
@pytest.mark.parametrize("family", ["array", "matrix"])
def test_value_or_exception_is_scipys(name, format, family):
    A = matrix(format, family, "float64")
    (index,) = INDICES[name] if len(INDICES[name]) == 1 else (INDICES[name],)
    try:
        expected = A.to_scipy()[index]
    except Exception as error:  # noqa: BLE001 (whatever SciPy raises)
        with pytest.raises(type(error)):
            make_vjp(lambda A: A[index])(A)
        return
    traced = make_vjp(lambda A: A[index])(A)[1]
    assert type(traced).__name__ == type(expected).__name__ or not hasattr(expected, "format")
    a, b = (x.toarray() if hasattr(x, "toarray") else x for x in (traced, expected))
    assert onp.shape(a) == onp.shape(b)
    onp.testing.assert_array_equal(a, b)
    check_op(lambda A: A[index], A, order=1)


def test_a_sparse_mask():
    A = matrix("csr", "array", "float64")
    mask = A.to_scipy() > 0.6
    onp.testing.assert_array_equal(make_vjp(lambda A: A[mask])(A)[1], A.to_scipy()[mask])
    check_op(lambda A: A[mask], A)
    check_op(lambda A: A[A > 0.6], A)  # the mask is plain


@pytest.mark.parametrize("format", ["csr", "csc"])
@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("step", [-1, 2, -3])
def test_an_array_beside_a_slice_with_steps(format, family, step):
    """SciPy (1.17) takes these for pairs; traced they are what NumPy makes of them."""
    A, s = matrix(format, family, "float64"), slice(None, None, step)
    for index in (([2, 0, 2], s), (s, [5, 0, 0]), (onp.array([True, False, True, True]), s)):
        vjp, traced = make_vjp(lambda A: A[index])(A)  # noqa: B023
        onp.testing.assert_array_equal(traced.toarray(), A.toarray()[index])
        dense_vjp = make_vjp(lambda X: X[index])(A.toarray())[0]  # noqa: B023
        expected = dense_vjp(traced.toarray()) * stored(A)
        onp.testing.assert_allclose(vjp(traced).toarray(), expected)


@pytest.mark.parametrize("family", ["array", "matrix"])
@pytest.mark.parametrize("format", ["csr", "csc"])
def test_one_entry_is_an_element_of_the_entries(format, family):
    """No node is made for it, so that a loop over entries costs little."""
    A, kinds = matrix(format, family, "float64"), []
    rows, columns = A.nonzero()

    def f(A):
        picked = [A[i, j] for i, j in zip(rows.tolist(), columns)] + [A[-1, -1], A[0, onp.int32(0)]]
        kinds.extend(map(type, picked))
        return sum(k * v for k, v in enumerate(picked)) ** 2

    grad(f)(A)
    assert Element in kinds and set(kinds) <= {Element, ArrayBox}  # what is not stored is none
    check_op(f, A)


@pytest.mark.parametrize("index", [(4, 0), (0, 6), (-5, 0)])
def test_one_entry_outside_raises(index):
    with pytest.raises(IndexError):
        grad(lambda A: A[index])(matrix("csr", "array", "float64"))
