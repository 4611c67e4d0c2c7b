"""The examples run as a user runs them, and their numbers hold."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    "name, arguments, shown",
    [
        ("jacobi_weights", [], "inside 0.658677  ends 0.792424"),
        ("sparse_approximate_inverse", ["--n", "64"], "64² grid, 20224 stored entries"),
    ],
)
def test_example(name, arguments, shown, tmp_path):
    """Each ends in assertions about its numbers, and draws its picture."""
    picture = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments, "--plot", picture],
        capture_output=True, text=True, timeout=300, check=False, encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_weights_after_fifty_steps():
    """The figures that the problem is known by, from the example's own functions."""
    import numpy as np

    import scipygrad.sparse as sp

    example = runpy.run_path(str(EXAMPLES / "jacobi_weights.py"))
    loss = example["frobenius_loss"](16)
    Omega, losses = example["adam"](loss, sp.diags(np.ones(16)), steps=50)
    assert Omega.diagonal()[8] == pytest.approx(0.658677, abs=5e-7)
    assert Omega.diagonal()[0] == pytest.approx(0.792424, abs=5e-7)
    assert losses[0] == pytest.approx(7.5) and loss(Omega) < 0.7 * losses[0]


def test_gradient_of_the_approximate_inverse_stays_on_the_pattern():
    import numpy as np
    from autograd import grad

    import scipygrad.sparse as sp

    example = runpy.run_path(str(EXAMPLES / "sparse_approximate_inverse.py"))
    A = example["poisson"](12)
    M, losses = example["approximate_inverse"](A, steps=5)
    identity = sp.eye(A.shape[0], format="csr")
    g = grad(lambda M: (identity - M @ A).power(2).sum())(M)
    assert type(g) is type(M) and np.array_equal(g.indices, A.indices)
    D = -2 * (np.eye(A.shape[0]) - (M @ A).toarray()) @ A.toarray().T
    np.testing.assert_allclose(g.toarray(), D * (A.toarray() != 0), rtol=1e-10, atol=1e-12)
