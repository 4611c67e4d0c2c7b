"""Once a structure is known, nothing goes between host and device."""

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import value_and_grad
from cases import grid, numbers

import scipygrad
import scipygrad.sparse as sp


def approximate_inverse():
    """A step of the sparse approximate inverse."""
    A = scipygrad.to_device(grid(6, seed=1).tocsr())
    identity = scipygrad.to_device(sp.eye(36, format="csr"))
    return lambda M: (identity - M @ A).power(2).sum(), A


def product():
    A = scipygrad.to_device(grid(6, seed=1).tocsr())
    x = scipygrad.to_device(numbers(36, "float64", 2))
    return lambda A: np.sum((A @ x) ** 2), A


def sums_and_slices():
    A = scipygrad.to_device(grid(6, seed=1).tocsr())
    B = scipygrad.to_device(grid(6, seed=2).tocsc())
    return lambda A: np.sum((A[3:, :20] + B[3:, :20]).multiply(A[3:, 2:22]).sum(axis=0) ** 2), A


STEPS = [approximate_inverse, product, sums_and_slices]


@pytest.mark.parametrize("step", STEPS)
def test_no_copies_after_the_first_step(step, transfers):
    loss, A = step()
    value_and_grad(loss)(A)
    transfers.clear()
    value, gradient = value_and_grad(loss)(A)
    assert not transfers
    assert onp.isfinite(float(value)) and gradient.nnz == A.nnz


@pytest.mark.parametrize("step", STEPS)
def test_no_synchronisation_on_a_gpu(step, cp):
    """On a device, CuPy itself refuses what would wait for it."""
    cupyx = pytest.importorskip("cupyx")
    if not hasattr(cupyx, "allow_synchronize"):
        pytest.skip("the stand-in has no device to wait for")
    loss, A = step()
    value_and_grad(loss)(A)
    with cupyx.allow_synchronize(False):
        value_and_grad(loss)(A)


def test_benchmarks_run(tmp_path):
    """`asv_bench/gpu.py`, on the stand-in; on a GPU it is run by `python dev.py gpu`."""
    import subprocess
    import sys
    from pathlib import Path

    script = Path(__file__).parents[2] / "asv_bench" / "gpu.py"
    report = tmp_path / "report.md"
    command = [sys.executable, script, "--stand-in", "--report", report]
    subprocess.run(command, check=True, capture_output=True)
    text = report.read_text(encoding="utf-8")
    assert "THESE TIMES MEAN NOTHING" in text and text.count("\n|") == 9
