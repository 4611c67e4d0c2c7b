"""Assignment to matrices as a whole, in every form of index, and tidying in place."""

import numpy as onp
import pytest
from autograd import grad, make_vjp
from cases import matrix, numbers

import scipygrad.sparse as sp
from scipygrad.testing import check_op

# ---- other formats ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", [sp.coo_matrix, sp.bsr_array, sp.bsr_matrix, sp.dia_array])
def test_formats_without_assignment_say_what_to_do(make):
    A = make(sp.eye_array(3))
    kind = NotImplementedError if A.format == "bsr" else TypeError
    with pytest.raises(kind):
        A[0, 1] = 2.0

    def f(A):
        with pytest.raises(kind, match=f"{make.__name__}.*Convert it before"):
            A[0, 1] = 2.0
        return A.sum()

    grad(f)(A)


_MASK = onp.zeros((4, 6), bool)
_MASK[[0, 2, 3], [1, 3, 5]] = True
_ROWS = onp.array([True, False, True, False])
_PLACES = {
    "entry": ((1, 2), [()]), "last": ((-1, -2), [()]), "row": (2, [(), (6,), (1, 6)]),
    "column": ((slice(None), 3), [(), (4, 1)]), "reversed": (slice(None, None, -1), [(4, 6), ()]),
    "negative steps": ((slice(3, 0, -2), slice(None, None, -3)), [(2, 2), ()]),
    "block": ((slice(1, 3), slice(2, 5)), [(2, 3), (1, 3), (2, 1)]),
    "places": (([0, 3, -3], [1, -1, 2]), [(3,), ()]),
    "ix_": (onp.ix_([0, 2], [1, -1, 3]), [(2, 3), (2, 1), (3,)]),
    "rows": ([0, 2], [(2, 6), ()]), "mask": (_MASK, [(3,), ()]),
    "mask of rows": ((_ROWS, slice(1, 3)), [(2, 2), ()]), "all": (Ellipsis, [(4, 6), ()]),
    "twice": (([0, 0, 1], [1, 1, 2]), [(3,)]),
}  # fmt: skip


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "lil", "dok"])
@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_every_form_of_index(format, place):
    """Numbers, arrays that are broadcast, and sparse values; each operand traced, and both."""
    index, shapes = _PLACES[place]
    A = matrix(format, "array", "float64")

    def f(A, v):
        A = A.copy()
        A[index] = v
        return A

    for shape in shapes:
        if format == "coo" and 1 in shape[1:] and place != "column":
            continue  # refused by SciPy's coo
        v = numbers(shape, "float64", 3)
        values = [v[()]]
        if len(shape) == 2:
            values.append(sp.csr_array(onp.where(abs(v) > 0.8, v, 0)))
        for v in values:
            traced = make_vjp(lambda args: f(*args))((A, v))[1]
            onp.testing.assert_array_equal(traced.toarray(), f(A, v).toarray())
            check_op(f, A, v)
            check_op(lambda v: f(A, v), v, order=1)  # noqa: B023
            check_op(lambda A: f(A, v), A, order=1)  # noqa: B023


# ---- tidying ---------------------------------------------------------------------------------

_TIDY = {
    "sum_duplicates": (), "sort_indices": (), "eliminate_zeros": (), "prune": (),
    "resize smaller": ((2, 2),), "resize larger": ((6, 8),), "setdiag": (2.5, 1),
}  # fmt: skip


def _untidy(format):
    """With duplicates, unsorted indices and explicit zeros, where the format has them."""
    data = onp.array([1.5, -2.0, 0.0, 3.0, 0.5, 4.0])
    if format in ("csr", "csc"):
        indices, indptr = onp.array([3, 0, 1, 1, 2, 0]), onp.array([0, 2, 2, 4, 6])
        return getattr(sp, f"{format}_array")((data, indices, indptr), shape=(4, 4))
    A = sp.coo_array((data, ([0, 0, 2, 2, 3, 3], [3, 0, 1, 1, 2, 0])), shape=(4, 4))
    if format == "bsr":
        blocks = onp.arange(1.0, 13).reshape(3, 2, 2)
        return sp.bsr_array((blocks, [1, 0, 0], [0, 2, 3]), shape=(4, 4))
    return A if format == "coo" else A.asformat(format)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
@pytest.mark.parametrize("name", _TIDY)
@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_tidying_in_every_format(format, name):
    method, args, A = name.split()[0], _TIDY[name], _untidy(format)
    if not hasattr(A, method) or (format, method) == ("bsr", "setdiag"):
        with pytest.raises((AttributeError, NotImplementedError)):
            grad(lambda A: (getattr(A, method)(*args), A.sum())[1])(A)
        return

    def f(A):
        A = A.copy()
        getattr(A, method)(*args)
        return A

    expected = _untidy(format)
    getattr(expected, method)(*args)
    value = make_vjp(f)(A)[1]
    onp.testing.assert_array_equal(value.toarray(), expected.toarray())
    if method not in ("eliminate_zeros", "setdiag"):
        # Structure does not depend on values; and setdiag sums up duplicates, which SciPy's keeps.
        assert value.nnz == expected.nnz
    check_op(f, A)
