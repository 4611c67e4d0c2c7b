"""What is kept on a device, in several streams and on several devices.

CuPy orders nothing between streams. Who makes an array in one stream and reads it in another has to
wait for it: for the user's arrays the user, for what is kept of structures the library. The
stand-in refuses to read an array in a stream that did not wait for what was written.
"""

import numpy as np
import pytest
from autograd import grad, make_jvp, make_vjp
from autograd.extend import vspace
from cases import CASES, grid, numbers
from structures import fresh, on_device, random
from test_gpu_cases import FORMATS, REFUSED, ones

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core import held, pattern

M, N = 40, 31


def in_two_streams(cp, f):
    """f() in one stream, and then in another that knows nothing of it."""
    results = []
    for _ in range(2):
        with cp.cuda.Stream(non_blocking=True):
            results.append(f())
    cp.cuda.Device().synchronize()
    return results


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
@pytest.mark.parametrize("name", [name for name in CASES if name not in REFUSED])
def test_case(name, cp):
    """Plans, maps and patterns that one stream has made serve in another."""
    case = CASES[name]
    dtype = next(iter(case.dtypes))
    for k, format in enumerate(f for f in FORMATS if f in case.formats):
        fresh()

        def run():
            arguments = case.build(format, case.families[k % len(case.families)], dtype)  # noqa: B023
            moved = scipygrad.to_device(arguments)

            def function(arguments):
                return case.fun(*arguments, **case.kwargs)

            try:
                vjp, value = make_vjp(function)(moved)
                vjp(vspace(value).ones())
                make_jvp(function)(moved)(ones(moved))
            except NotImplementedError:
                return

        in_two_streams(cp, run)


def solve_all(cp, A, b):
    A = scipygrad.to_device(A)
    triangle = sp.tril(A, format="csr")
    f = grad(lambda A, b: (spla.spsolve_triangular(triangle, b) * spla.spsolve(A, b)).sum(), (0, 1))
    return f(A, cp.asarray(b))


def test_solves(cp):
    A = grid(4, seed=1).tocsc()
    b = numbers(A.shape[0], "float64", seed=2)
    first, second = in_two_streams(cp, lambda: solve_all(cp, A, b))
    np.testing.assert_array_equal(first[0].get().toarray(), second[0].get().toarray())


def test_factors_serve_in_another_stream(cp):
    A = scipygrad.to_device(grid(4, seed=1).tocsc())
    cp.cuda.Device().synchronize()
    with cp.cuda.Stream(non_blocking=True):
        lu = spla.splu(A)
    with cp.cuda.Stream(non_blocking=True):
        lu.solve(cp.ones(A.shape[0]))


def test_index_arrays_of_a_matrix_are_complete(cp):
    A = on_device(random("csr", M, N, 1), cp)
    with cp.cuda.Stream(non_blocking=True):
        A.indices, A.indptr  # noqa: B018
    with cp.cuda.Stream(non_blocking=True):
        assert int(A.indices.max()) < N and int(A.indptr[-1]) == A.nnz


@pytest.mark.parametrize("wait", [True, False])
def test_the_check_itself(cp, wait):
    """An array that another stream does not wait for is refused."""
    if not hasattr(cp.ndarray, "_read"):
        pytest.skip("CuPy does not look")
    with cp.cuda.Stream(non_blocking=True) as stream:
        x = cp.ones(3) * 2
        if wait:
            stream.synchronize()
    with cp.cuda.Stream(non_blocking=True):
        if wait:
            assert (x + 1).shape == (3,)
        else:
            with pytest.raises(RuntimeError, match="another stream"):
                x + 1


def test_all_streams_are_done_before_anything_is_let_go(cp, monkeypatch):
    """Memory that is let go may be given to another stream than the one that still reads it."""
    monkeypatch.setattr(held, "_device_memory", lambda: 2**20)
    calls, wait = [], held._wait_for_devices
    monkeypatch.setattr(
        held, "_wait_for_devices", lambda: (calls.append(len(held_there())), wait())
    )
    for seed in range(100, 112):
        A = on_device(random("csr", 2 * M, 2 * N, seed), cp)
        A @ A.T  # noqa: B018
    assert calls and max(calls) > len(held_there())


def test_waiting_for_devices_is_for_all_streams(cp):
    with cp.cuda.Stream(non_blocking=True):
        A = on_device(random("csr", M, N, 1), cp)
        A.tocsc()
        x = cp.ones(3) * 2
    held._wait_for_devices()
    assert held._devices >= {A.device.id}
    np.testing.assert_array_equal(x.get(), 2)


def held_there():
    """What is remembered on the device."""
    return [h for h in pattern._holdings() if held.bytes_in_each(h.what, set())[1]]


# ---- devices ----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*Peer access has been activated")
@pytest.mark.parametrize("what", ["product", "sum", "gradient", "solve", "eigenvalues", "factors"])
def test_arrays_of_another_device_are_copied_or_refused(what, cp):
    """A kernel that read them would end in an illegal memory access, and the process with it."""
    if cp.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("there is one device")
    A = scipygrad.to_device(sp.tril(grid(4, seed=1), format="csc"))
    x = cp.ones(A.shape[0])
    B = grid(9, seed=1)
    lu, H = spla.splu(A), scipygrad.to_device((B + B.T).tocsr())
    calls = {
        "product": lambda: A @ cp.ones(A.shape[1]),
        "sum": lambda: (A + 2 * A.T.tocsc()).data,
        "gradient": lambda: grad(lambda x: (A @ x).sum())(x),
        "solve": lambda: spla.spsolve_triangular(A, cp.ones(A.shape[0])),
        "eigenvalues": lambda: spla.eigsh(H, 2)[0],
        "factors": lambda: lu.solve(cp.ones(A.shape[0])),
    }
    wanted = calls[what]()
    with cp.cuda.Device(1):
        try:
            got = calls[what]()
        except ValueError as error:
            assert "device" in str(error)
        else:
            np.testing.assert_allclose(got.get(), wanted.get(), rtol=1e-10)
    assert calls[what]().device.id == 0


def test_triangles_on_two_devices(cp):
    if cp.cuda.runtime.getDeviceCount() < 2:
        pytest.skip("there is one device")
    A = sp.tril(grid(4, seed=1).tocsr(), format="csr")
    results = []
    for device in (0, 1):
        with cp.cuda.Device(device):
            T, b = scipygrad.to_device(A), cp.asarray(numbers(A.shape[0], "float64", seed=2))
            g = grad(lambda T: spla.spsolve_triangular(T, b, unit_diagonal=True).sum())(T)  # noqa: B023
            assert g.device.id == device
            results.append(g.get().toarray())
    np.testing.assert_array_equal(*results)
