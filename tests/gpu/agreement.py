"""What is computed on the device, against the host."""

import numpy as np

import scipygrad
from scipygrad._core.device import on_device


def close(got, wanted, rtol, atol=None):
    """The same numbers, class and dtype, on the device; without `atol` of the largest's size."""
    assert on_device(got)
    got = scipygrad.to_host(got)
    assert got.dtype == wanted.dtype
    if hasattr(wanted, "format"):
        assert type(got) is type(wanted)
        got, wanted = got.toarray(), wanted.toarray()
    assert got.shape == wanted.shape
    atol = rtol * np.abs(wanted).max() if atol is None else atol
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol)
