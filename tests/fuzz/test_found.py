"""What random programs have found, once each."""

import autograd.numpy as np
import numpy as onp
import pytest
import scipy.sparse as sps
from autograd import grad, make_jvp

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.npmatrix import as_npmatrix, is_npmatrix

DENSE = onp.array([[1.0, 2.0, 0.0], [0.0, 3.0, 4.0], [5.0, 0.0, 6.0]])


def traced_result(function, *args):
    """What the function of traced arguments returns."""
    results = []

    def run(*x):
        results.append(function(*x))
        return 0.0

    grad(run, tuple(range(len(args))))(*args)
    return results[0]


@pytest.mark.parametrize("make", [sp.lil_array, sp.dok_matrix])
def test_sparse_values_with_duplicates_assigned_to_a_matrix_under_assembly(make):
    """Each duplicate has the derivative of the sum; their tags are not added up."""
    B = sp.csr_array((onp.array([1.0, 2.0, 4.0]), [0, 0, 1], [0, 2, 3]), shape=(2, 3))

    def f(B):
        C = make((2, 3))
        C[0:2, 0:3] = B.toarray() if make is sp.dok_matrix else B
        return C.tocsr().power(2).sum()

    assert grad(f)(B).data.tolist() == [6.0, 6.0, 8.0]


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csc_array, sp.lil_array])
@pytest.mark.parametrize("s", [1.5, onp.float64(1.5), onp.float32(1.5)])
def test_a_real_number_assigned_to_a_complex_matrix_has_a_real_gradient(make, s):
    """Of its own dtype, too."""

    def f(A, s):
        A = A.copy()
        A[1, 1] = s
        return np.real(np.sum(A.toarray() ** 2))

    gradient = grad(f, (0, 1))(make(DENSE + 1j), s)[1]
    assert gradient == 3.0
    assert gradient.dtype == onp.result_type(s)


@pytest.mark.parametrize("make", [sp.lil_array, sp.dok_array])
def test_the_only_entry_of_a_matrix_may_be_a_python_number(make):
    """A matrix under assembly whose values are one number."""

    def f(s):
        A = make((1, 1))
        A[0, 0] = s
        return A.power(2).sum()

    assert grad(f)(1.5) == 3.0


@pytest.mark.parametrize("name", ["csr", "csc", "coo", "dia"])
@pytest.mark.parametrize("k", [0, 1])
def test_setdiag_promotes_the_dtype_where_scipy_does(name, k):
    """That is where it adds entries."""
    A = getattr(sps, f"{name}_array")(DENSE.astype("float32"))
    B = getattr(sp, f"{name}_array")(A)
    v = onp.array([1.5, 2.5])
    A.setdiag(v, k)

    def f(B, v):
        B = B.copy()
        B.setdiag(v, k)
        return B

    assert traced_result(f, B, v).dtype == A.dtype


def test_assignment_to_a_dia_matrix_raises_what_scipy_raises():
    """It has no item assignment."""
    with pytest.raises(TypeError, match="does not support item assignment"):
        grad(lambda A: A.__setitem__((0, 0), 1.0))(sp.dia_array(DENSE))


@pytest.mark.parametrize("make", [sp.csr_array, sp.csc_matrix, sp.bsr_array, sp.dia_matrix])
def test_an_integer_matrix_right_of_a_traced_array(make):
    """A constant of whole numbers may be an operand."""
    A = make(DENSE.astype(int))
    onp.testing.assert_array_equal(grad(lambda x: np.sum(x @ A))(onp.ones(3)), DENSE.sum(axis=1))


@pytest.mark.parametrize("name", ["csr", "csc", "coo", "dia", "lil", "dok"])  # not SciPy's bsr
def test_class_of_a_product_with_a_one_dimensional_array(name):
    """SciPy's, on either side."""
    A, b = getattr(sps, f"{name}_array")(DENSE), sps.coo_array(onp.array([1.0, 0.0, 2.0]))
    ours = getattr(sp, f"{name}_array")(A), sp.coo_array(b)
    assert traced_result(lambda A, b: A @ b, *ours)._class.__name__ == type(A @ b).__name__
    assert traced_result(lambda A, b: b @ A, *ours)._class.__name__ == type(b @ A).__name__


def test_float32_solve_beside_a_double_precision_term():
    """A cotangent that autograd has widened is narrowed again."""
    A, b = sp.csc_array((DENSE + 5 * onp.eye(3)).astype("float32")), onp.ones(3, "float32")
    x = onp.ones(2)
    gradients = grad(lambda A, b, x: np.sum(spla.spsolve(A, b)) + np.sum(x), (0, 1, 2))(A, b, x)
    assert [g.dtype for g in gradients] == ["float32", "float32", "float64"]


def test_forward_mode_of_a_float32_inverse_beside_a_double_precision_term():
    """A tangent that autograd has widened is narrowed again."""
    A, x = sp.csc_array((DENSE + 5 * onp.eye(3)).astype("float32")), onp.ones(2)

    def f(A, x):
        return spla.norm(spla.inv(A)) + np.sum(x)

    tangent = make_jvp(grad(f, (0, 1)), (0, 1))(A, x)((A, x))[1]
    assert tangent[0].dtype == "float32"


@pytest.mark.parametrize("function", [lambda A: A**0, lambda A: spla.matrix_power(A, 0)])
def test_power_zero_of_a_matrix_is_scipys_identity(function):
    """SciPy makes a dia_array also of a `*_matrix`."""
    A = sp.csr_matrix(DENSE)
    assert traced_result(function, A).__class__.__name__ == type(function(A)).__name__


def test_mean_of_a_matrix_with_dtype_is_np_matrix():
    """As without one."""
    assert is_npmatrix(traced_result(lambda A: A.mean(0, dtype=complex), sp.csr_matrix(DENSE)))


@pytest.mark.parametrize("format", [None, "csr", "dok"])
def test_kron_of_nothing_stored_is_float64(format):
    """Whatever the operands are, in SciPy."""
    A, B = sp.csr_array((2, 2), dtype=complex), sp.csr_array(DENSE)
    assert traced_result(lambda A, B: sp.kron(A, B, format=format), A, B).dtype == "float64"


def test_an_empty_product_of_dia_matrices_is_float64():
    """Whatever the operands are, in SciPy."""
    A = sp.dia_array((0, 5), dtype=complex)
    assert traced_result(lambda A: A @ A.T, A).dtype == (A @ A.T).dtype == "float64"


def test_extrema_over_an_axis_of_a_matrix_without_rows():
    """There are no rows to find the largest elements of."""
    assert traced_result(lambda A: A.max(axis=1), sp.csr_array((0, 3))).shape == (0,)


def test_maximum_of_a_plain_scipy_matrix_and_a_positive_number():
    """The matrix is made dense, of our class."""
    A = sps.coo_matrix(DENSE)
    onp.testing.assert_array_equal(grad(lambda A: A.maximum(0.5).sum())(A).data, onp.ones(6))


def test_tensordot_over_an_axis_of_length_zero():
    """Its result has elements all the same."""
    B = sp.coo_array((0, 4))
    C = traced_result(lambda A: A.tensordot(B, axes=1), sp.coo_array((3, 0)))
    assert C.shape == (3, 4)


def test_the_sign_of_a_traced_plain_scipy_matrix_is_of_our_class():
    """It is a constant, and takes traced values all the same."""

    def f(A, v):
        B = A.sign()
        B[0, :] = v
        return B.power(2).sum()

    assert grad(f, (0, 1))(sps.csr_array(DENSE), onp.ones(3))[1].tolist() == [2.0, 2.0, 2.0]


def test_dot_of_a_zero_dimensional_array_raises():
    """As in SciPy, where numbers scale."""
    with pytest.raises(ValueError, match="Scalar operands are not allowed"):
        grad(lambda A: A.dot(onp.array(2.0)).sum())(sp.csr_array(DENSE))


def test_a_coo_without_columns_times_a_vector():
    """Nothing to add up, and nothing to differentiate."""
    A, x = sp.coo_array((3, 0)), onp.zeros(0)
    gradients = grad(lambda A, x: np.sum((A @ x) ** 2), (0, 1))(A, x)
    assert [g.shape for g in gradients] == [(3, 0), (0,)]


FOREIGN = [sps.csr_array(DENSE), sps.csr_matrix(DENSE)]


@pytest.mark.parametrize("K", FOREIGN, ids=["array", "matrix"])
@pytest.mark.parametrize("make", [sp.csr_array, sp.csr_matrix])
def test_the_star_of_a_plain_scipy_matrix_is_that_of_its_family(K, make):
    """The left operand decides, as in SciPy."""
    B = make(DENSE.T)
    result = traced_result(lambda B: (K * B).toarray(), B)
    onp.testing.assert_array_equal(result._value, (K * B).toarray())


OPERATIONS = {
    "@": lambda A, M: A @ M, "r@": lambda A, M: M @ A, "*": lambda A, M: A * M,
    "r*": lambda A, M: M * A, "+": lambda A, M: A + M, "r-": lambda A, M: M - A,
    "/": lambda A, M: A / M,
}  # fmt: skip


@pytest.mark.parametrize("make", [sp.csr_array, sp.csc_matrix, sp.dok_array])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_traced_np_matrix_beside_a_sparse_operand(make, name):
    """The family of that says what `*` is, and what the result is."""
    A, D = make(DENSE), DENSE.T + 1.0
    operation = OPERATIONS[name]
    ours = traced_result(lambda D: operation(A, as_npmatrix(D)), D)
    theirs = operation(A, sps.csr_matrix(D).todense())
    assert is_npmatrix(ours) == is_npmatrix(theirs)
    if hasattr(theirs, "toarray"):
        assert ours._class is type(theirs)
        ours, theirs = ours.toarray(), theirs.toarray()
    onp.testing.assert_allclose(ours._value, theirs, rtol=1e-14)
