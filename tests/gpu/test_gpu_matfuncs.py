"""Functions of matrices on the device: as on the host, values and derivatives."""

import agreement
import autograd.numpy as np
import numpy as onp
import pytest
from autograd import grad, hessian_vector_product, make_jvp

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device

N = 12


def matrix(dtype="float64", scale=1.0, seed=0):
    """Clearly not symmetric."""
    rng = onp.random.default_rng(seed)
    X = rng.standard_normal((N, N)) * (rng.random((N, N)) < 0.3)
    if onp.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal((N, N)) * (rng.random((N, N)) < 0.3)
    return sp.csr_array((X * scale).astype(dtype))


def block(dtype="float64", columns=2, seed=1):
    rng = onp.random.default_rng(seed)
    X = rng.standard_normal((N, columns) if columns else N)
    if onp.dtype(dtype).kind == "c":
        X = X + 1j * rng.standard_normal(X.shape)
    return X.astype(dtype)


def close(got, wanted, rtol=1e-10):
    """The same numbers and dtype, on the device."""
    agreement.close(got, wanted, rtol)


TIMES = {"one": {}, "grid": {"start": 0.2, "stop": 1.5, "num": 4, "endpoint": True}}


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("scale, columns", [(0.0, 2), (0.3, None), (4.0, 3)])
def test_expm_multiply(times, dtype, scale, columns, cp):
    A, B = matrix(dtype, scale), block(dtype, columns)
    close(spla.expm_multiply(*scipygrad.to_device((A, B)), **TIMES[times]),
          spla.expm_multiply(A, B, **TIMES[times]))  # fmt: skip

    def loss(A, B):
        return np.sum(np.abs(spla.expm_multiply(A, B, **TIMES[times])) ** 2)

    moved = scipygrad.to_device((A, B))
    for got, wanted in zip(grad(loss, (0, 1))(*moved), grad(loss, (0, 1))(A, B)):
        close(got, wanted)
    for k, tangent in enumerate((A * 0.5, B * 0.5)):
        got = make_jvp(loss, k)(*moved)(scipygrad.to_device(tangent))[1]
        wanted = make_jvp(loss, k)(A, B)(tangent)[1]
        onp.testing.assert_allclose(float(got), wanted, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "complex64"])
def test_expm_multiply_in_single_precision(dtype, cp):
    A, B = matrix(dtype, 0.3), block(dtype)

    def loss(A):
        return np.sum(np.abs(spla.expm_multiply(A, scipygrad.to_device(B) if on_device(A) else B)))

    close(grad(loss)(scipygrad.to_device(A)), grad(loss)(A), 1e-5)


def test_times_are_numbers_of_the_host(cp):
    A, B = scipygrad.to_device((matrix(), block()))

    def loss(stop, A, B):
        X = spla.expm_multiply(A, B, start=0.0, stop=stop, num=3, endpoint=True)
        return np.sum(X**2)

    got = grad(loss)(0.8, A, B)
    assert not on_device(got)
    assert got == pytest.approx(grad(loss)(0.8, *scipygrad.to_host((A, B))), rel=1e-10)


def test_second_order(cp):
    A, B = matrix(scale=0.5), block()

    def loss(A, B):
        return np.sum(spla.expm_multiply(A, B) ** 3)

    wanted = hessian_vector_product(loss)(A, B, A * 0.3)
    close(hessian_vector_product(loss)(*scipygrad.to_device((A, B, A * 0.3))), wanted, 1e-9)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia", "dense"])
def test_formats(format, cp):
    A = matrix(scale=0.5)
    A = A.toarray() if format == "dense" else A.asformat(format)
    B = block()

    def loss(A, B):
        return np.sum(spla.expm_multiply(A, B) ** 2)

    close(grad(loss)(*scipygrad.to_device((A, B))), grad(loss)(A, B))


def test_sparse_block_is_the_hosts(cp):
    A, B = matrix(), sp.csr_array(block() * (block(seed=2) > 0))
    with pytest.warns(scipygrad.HostWarning, match="with a sparse B"):
        got = spla.expm_multiply(*scipygrad.to_device((A, B)))
    close(got, spla.expm_multiply(A, B))


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
def test_bad_shapes_raise_as_in_scipy(cp):
    A, B = scipygrad.to_device((matrix(), block()))
    with pytest.raises(ValueError, match="incompatible"):
        spla.expm_multiply(A, B[:5])


def test_operands_of_host_and_device(cp):
    with pytest.raises(TypeError, match="one lies in the host's memory"):
        spla.expm_multiply(scipygrad.to_device(matrix()), block())


def test_decreasing_times_raise(cp):
    with pytest.raises(NotImplementedError, match="the times decrease"):
        spla.expm_multiply(*scipygrad.to_device((matrix(), block())), 1.0, 0.0, 3)


# ---- expm, powers ----------------------------------------------------------------------------


def on_closure(dtype="float64", scale=1.0):
    """Whose powers stay sparse: a chain of blocks that lead one way."""
    chain = sp.csr_array(matrix(dtype, scale) * 0)
    A = sp.block_diag([matrix(dtype, scale)[:3, :3] + sp.eye_array(3)] * 9, format="csr")
    return (sp.csr_array(A) * scale).astype(chain.dtype)


@pytest.mark.parametrize("build", [matrix, on_closure])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_expm(build, dtype, scale, cp):
    A = build(dtype, scale)
    D = scipygrad.to_device(A)
    got, wanted = spla.expm(D), spla.expm(A)
    assert type(scipygrad.to_host(got)) is type(wanted)
    close(got.toarray(), wanted.toarray())

    def loss(A):
        return np.sum(np.abs(spla.expm(A).toarray()) ** 2)

    close(grad(loss)(D), grad(loss)(A))
    got = make_jvp(loss)(D)(D * 0.5)[1]
    onp.testing.assert_allclose(float(got), make_jvp(loss)(A)(A * 0.5)[1], rtol=1e-10)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dense"])
def test_expm_of_formats(format, cp):
    A = matrix(scale=0.5)
    A = A.toarray() if format == "dense" else A.asformat(format)
    close(spla.expm(scipygrad.to_device(A)), spla.expm(A))


def test_expm_in_single_precision(cp):
    A = matrix("float32", 0.5)
    close(spla.expm(scipygrad.to_device(A)).toarray(), spla.expm(A).toarray(), 1e-5)


def test_second_order_of_expm(cp):
    A = on_closure(scale=0.5)

    def loss(A):
        return spla.expm(A).power(2).sum()

    close(hessian_vector_product(loss)(*scipygrad.to_device((A, A * 0.3))),
          hessian_vector_product(loss)(A, A * 0.3), 1e-9)  # fmt: skip


@pytest.mark.parametrize("power", [0, 1, 2, 5])
@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_matrix_power(power, dtype, cp):
    A = matrix(dtype)
    D = scipygrad.to_device(A)
    close(spla.matrix_power(D, power).toarray(), spla.matrix_power(A, power).toarray())
    close(spla.matrix_power(D, power).toarray(), (sp.csr_matrix(A) ** power).toarray())

    def loss(A):
        return np.sum(np.abs(spla.matrix_power(A, power).toarray()) ** 2)

    if power:
        close(grad(loss)(D), grad(loss)(A))


def test_powers_that_are_no_whole_numbers_raise(cp):
    with pytest.raises((TypeError, ValueError)):
        spla.matrix_power(scipygrad.to_device(matrix()), 0.5)


# ---- determinants ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
def test_determinants_are_the_hosts(dtype, cp):
    A = matrix(dtype) + 3 * sp.eye_array(N, format="csr", dtype=dtype)
    D = scipygrad.to_device(A)
    with pytest.warns(scipygrad.HostWarning, match="logdet"):
        close(scipygrad.linalg.logdet(D), onp.asarray(scipygrad.linalg.logdet(A)), 1e-12)
    with pytest.warns(scipygrad.HostWarning, match="slogdet"):
        got = scipygrad.linalg.slogdet(D)
    for g, wanted in zip(got, scipygrad.linalg.slogdet(A)):
        close(g, onp.asarray(wanted), 1e-12)

    def loss(A):
        return scipygrad.linalg.slogdet(A).logabsdet ** 2

    with pytest.warns(scipygrad.HostWarning):
        close(grad(loss)(D), grad(loss)(A))
