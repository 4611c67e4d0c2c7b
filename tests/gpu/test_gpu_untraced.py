"""Nothing traced: values, classes and dtypes of the device are those of the host."""

import numpy as np
import pytest
from cases import CASES, grid

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device
from scipygrad._core.traced import TracedBase

from .test_gpu_cases import CSR_FOR_BSR, FORMATS, REFUSED

WRITES = {
    **dict.fromkeys(("set_entry", "set_row", "set_fancy", "add_entry"), NotImplementedError),
    "from_list": ValueError,
}
"""What needs numbers of the host, or a traced matrix, and raises."""


def elements(x):
    """What is in a container."""
    return [e for v in x for e in elements(v)] if isinstance(x, (tuple, list)) else [x]


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
@pytest.mark.parametrize("name", sorted(set(CASES) - set(REFUSED)))
def test_case(name, cp):
    case = CASES[name]
    for format in sorted(set(FORMATS) & set(case.formats)):
        for family in case.families:
            there = scipygrad.to_device(case.build(format, family, "float64"))
            if name in WRITES:
                with pytest.raises(WRITES[name]):
                    case.fun(*there, **case.kwargs)
                continue
            wanted = elements(case.fun(*case.build(format, family, "float64"), **case.kwargs))
            for got, w in zip(elements(case.fun(*there, **case.kwargs)), wanted):
                assert not isinstance(got, TracedBase)
                if hasattr(w, "format") and name not in CSR_FOR_BSR:
                    assert on_device(got) and type(scipygrad.to_host(got)) is type(w)
                got = scipygrad.to_host(got)
                got, w = (x.toarray() if hasattr(x, "toarray") else np.asarray(x) for x in (got, w))
                assert got.dtype == w.dtype and got.shape == w.shape
                np.testing.assert_allclose(got, w, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("format", ["csr", "csc", "coo", "dia"])
def test_astype(format, cp):
    """There is no derivative to lose; whole numbers are what CuPy's matrices do not have."""
    A = scipygrad.to_device(grid(3, seed=1).asformat(format))
    for dtype in (bool, "float32", complex):
        assert A.astype(dtype).dtype == dtype and type(A.astype(dtype)) is type(A)
    with pytest.raises(TypeError, match="entries of dtype int64 on a GPU"):
        A.astype(int)


@pytest.mark.parametrize("format", ["csr", "csc"])
def test_functions_of_matrices_give_matrices(format, cp):
    A = sp.csr_array(grid(3, seed=1) / 10).asformat(format)
    for function in (spla.expm, lambda A: spla.matrix_power(A, 3)):
        got, wanted = function(scipygrad.to_device(A)), function(A)
        assert not isinstance(got, TracedBase) and on_device(got)
        np.testing.assert_allclose(got.get().toarray(), wanted.toarray(), rtol=1e-10)
