"""Once a structure is known, nothing goes between host and device."""

from pathlib import Path

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import make_jvp, make_vjp, value_and_grad
from autograd.extend import vspace
from cases import CASES, grid, numbers

import scipygrad
import scipygrad.sparse as sp

from .test_gpu_cases import REFUSED, ones


@pytest.fixture
def transfers(request, cp, monkeypatch):
    """Copies and waits: counted by the stand-in, or where all of CuPy's pass."""
    if "standin" in type(cp).__module__:
        yield request.getfixturevalue("transfers")
        return
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "asv_bench"))
    import gpu_profile

    with gpu_profile.transfers(cp, real=True) as counts:
        yield counts


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


NUMBERS_OF_THE_HOST = dict.fromkeys(
    ("scale", "rscale", "divide_scalar", "in_place", "scale_data", "maximum_scalar",
     "minimum_scalar", "set_entry", "add_entry", "set_row", "set_fancy", "setdiag", "setdiag_k",
     "from_list"),
    "a traced number of the host: it goes there, its gradient back",
)  # fmt: skip
SOLVES = dict.fromkeys(
    ("spsolve", "spsolve_csr", "spsolve_block", "splu", "splu_T", "splu_H", "factorized",
     "spsolve_triangular", "spsolve_triangular_upper", "spsolve_sparse"),
    "a number is read that says whether the solution is accurate, or a pivot zero",
)  # fmt: skip
ON_THE_HOST = dict.fromkeys(
    ("lil_assembly", "dok_assembly", "inv", "find"),
    "they run there",
)  # fmt: skip
COPIES = NUMBERS_OF_THE_HOST | SOLVES | ON_THE_HOST
"""Why something is copied in every step; what is not among them copies nothing."""


def value_and_gradient(function, operands):
    vjp, value = make_vjp(function)(operands)
    vjp(vspace(value).ones())


def value_and_tangent(function, operands):
    make_jvp(function)(operands)(ones(operands))


@pytest.mark.filterwarnings("ignore::scipygrad.HostWarning")
@pytest.mark.parametrize("name", sorted(set(CASES) - set(REFUSED)))
@pytest.mark.parametrize("step", [value_and_gradient, value_and_tangent])
def test_no_copies_in_the_second_step_of_any_operation(name, step, transfers):
    """The table of operations, in reverse and forward mode."""
    case, found = CASES[name], {}
    for format in sorted({"csr", "csc", "coo", "dia"} & set(case.formats)):
        operands = scipygrad.to_device(case.build(format, case.families[0], "float64"))
        for _ in range(2):
            transfers.clear()
            step(lambda x: case.fun(*x, **case.kwargs), operands)
        found[format] = {k: n for k, n in transfers.items() if n}
    if name not in COPIES:
        assert not any(found.values()), found
    elif found and step is value_and_gradient:
        assert any(found.values()), "it is not to be listed any more"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.filterwarnings("ignore:cupyx.allow_synchronize will be removed")
def test_no_synchronisation_on_a_gpu(step, cp):
    """On a device, CuPy itself refuses what would wait for it."""
    cupyx = pytest.importorskip("cupyx")
    if not hasattr(cupyx, "allow_synchronize"):
        pytest.skip("there is no device to wait for, or a CuPy that has dropped allow_synchronize")
    loss, A = step()
    value_and_grad(loss)(A)
    with cupyx.allow_synchronize(False):
        value_and_grad(loss)(A)


@pytest.mark.parametrize("rows", [[3, 0, 4], [True, False, False] * 3])
def test_slices_by_index_arrays_on_the_device(rows, cp):
    """They are copied to the host, since structure depends on them."""
    A = grid(3, seed=1).tocsr()

    def loss(A, rows):
        return (A[rows][:, rows].power(2)).sum()

    host = value_and_grad(loss)(A, onp.array(rows))
    value, gradient = value_and_grad(loss)(*scipygrad.to_device((A, onp.array(rows))))
    assert float(value) == pytest.approx(float(host[0]))
    onp.testing.assert_allclose(gradient.get().toarray(), host[1].toarray())
