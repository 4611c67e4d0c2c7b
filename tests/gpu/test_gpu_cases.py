"""The table of operations (`cases.py`) on the device: as on the host, value and derivatives."""

import numpy as np
import pytest
from autograd import make_jvp, make_vjp
from autograd.extend import vspace
from cases import CASES, DTYPES

import scipygrad
from scipygrad._core.device import on_device

FORMATS = ("csr", "csc", "coo", "dia")
REFUSED = {
    **dict.fromkeys(("tobsr", "tolil", "todok", "expand_dims", "bsr_from_data"),
                    "There are csr, csc, coo and dia"),
    **dict.fromkeys(("coo_duplicates", "coo_duplicates_squared", "coo_duplicates_csr"),
                    "one lies in the host's memory"),
    **dict.fromkeys(("lil_assembly", "dok_assembly"), "Implicit conversion to a NumPy array"),
}  # fmt: skip
"""Cases with a format or a shape that there is not on a GPU, or with arrays of host and device.

Into a lil or dok, which are the host's, CuPy lets nobody write its numbers.
"""
CSR_FOR_BSR = {"kron"}


def close(got, wanted, dtype):
    """Numbers, structure and dtype are those of the host."""
    got = scipygrad.to_host(got)
    if hasattr(wanted, "format"):
        assert type(got) is type(wanted)
        got, wanted = got.toarray(), wanted.toarray()
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.dtype == wanted.dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    scale = np.abs(wanted).max(initial=1.0)
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * scale)


def _dense(value, tangent, *wanted):
    """Where the host chooses bsr, csr on the device."""
    assert scipygrad.to_host(value).format in ("csr", wanted[0].format)
    value, tangent = value.toarray(), tangent.toarray()
    return value, tangent, wanted[0].toarray(), wanted[1], wanted[2].toarray()


def ones(arguments):
    """A tangent; numbers are numbers."""
    return tuple(v if np.ndim(v) or hasattr(v, "format") else v[()]
                 for v in vspace(arguments).ones())  # fmt: skip


def on_host(function, arguments):
    """Value, gradient, and tangent; None where the case has no such input on the host either."""
    try:
        vjp, value = make_vjp(function)(arguments)
        cotangent = vspace(value).ones()
        tangent = make_jvp(function)(arguments)(ones(arguments))[1]
        return value, vjp(cotangent), tangent
    except NotImplementedError:
        return None


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
@pytest.mark.parametrize("name", CASES)
def test_case(name, cp):
    """Every format that CuPy has, every dtype; arrays and matrices in turn."""
    case = CASES[name]
    checked = 0
    for k, format in enumerate(f for f in FORMATS if f in case.formats):
        for dtype in set(DTYPES) & set(case.dtypes):
            arguments = case.build(format, case.families[k % len(case.families)], dtype)

            def function(arguments):
                return case.fun(*arguments, **case.kwargs)

            if name in REFUSED:
                with pytest.raises(TypeError, match=REFUSED[name]):
                    function(scipygrad.to_device(arguments))
                checked += 1
                continue
            wanted = on_host(function, arguments)
            if wanted is None:
                continue
            moved = scipygrad.to_device(arguments)
            vjp, value = make_vjp(function)(moved)
            gradient = vjp(vspace(value).ones())
            tangent = make_jvp(function)(moved)(ones(moved))[1]
            assert on_device(value) and on_device(tangent)
            for given, got in zip(moved, gradient):
                assert on_device(got) == on_device(given)
            if name in CSR_FOR_BSR:
                value, tangent, *wanted = _dense(value, tangent, *wanted)
            close(value, wanted[0], dtype)
            for got, host in zip(gradient, wanted[1]):
                close(got, host, dtype)
            close(tangent, wanted[2], dtype)
            checked += 1
    assert checked or not set(FORMATS) & set(case.formats)
