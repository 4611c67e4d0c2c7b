"""Memory of gradients of direct solves, measured in processes of their own."""

import subprocess
import sys

import pytest

MEASURE = """
import sys
import autograd.numpy as np
import scipy.sparse.linalg
from autograd import grad
import scipygrad.sparse.linalg as spla
from scipygrad.linalg import logdet
sys.path.insert(0, "tests")
from cases import grid

def highest():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

def factorisation(A):
    scipy.sparse.linalg.splu(A, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=1e-3,
                             options={"SymmetricMode": True})

def spsolve(A):
    grad(lambda A: np.sum(spla.spsolve(A, np.ones(A.shape[0])) ** 2))(A)

def determinant(A):
    grad(logdet)(A)

run = {f.__name__: f for f in (factorisation, spsolve, determinant)}[sys.argv[1]]
run(grid(40))
A = grid(int(sys.argv[2]))
before = highest()
run(A)
print(highest() - before)
"""


def peak(what, n):
    command = [sys.executable, "-c", MEASURE, what, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
@pytest.mark.parametrize("what, n", [("spsolve", 500), ("determinant", 200)])
def test_gradient_within_three_times_the_factorisation(what, n):
    assert peak(what, n) < 3 * peak("factorisation", n)
