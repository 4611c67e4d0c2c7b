"""Random programs on a GPU: what does not raise gives the host's value, gradient and tangent.

The programs are those of `tests/fuzz`, as far as their operands have a place on a GPU. Most of them
make arrays of the host, too, or matrices that there are not: these have to raise.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sps
from autograd import make_jvp, make_vjp
from autograd.extend import vspace
from fuzz.checks import OURS
from fuzz.programs import GROUPS, programs, weigh
from hypothesis import HealthCheck, given, seed, settings

import scipygrad
import scipygrad.sparse as sp
from scipygrad._core import pattern

FORMATS = ("csr", "csc", "coo", "dia")
PROGRAMS = 40  # of each group of operations


def has_a_place(x):
    """Whether there are such values on a GPU."""
    if not sps.issparse(x):
        return True
    return x.format in FORMATS and len(x.shape) == 2 and x.dtype.char in "fdFD"


def derivatives(program, operands):
    """Value, gradients, and tangent, on the host."""
    argnum = tuple(i for i, x in enumerate(program.operands) if x.traced)

    def total(*values):
        names = OURS | {x.name: v for x, v in zip(program.operands, values)}
        for s in program.statements:
            exec(s.sparse, names)
        return sum((weigh(scipygrad.to_host(names[x])) for x in program.leaves), 0.0)

    vjp, value = make_vjp(total, argnum)(*operands)
    directions = tuple(vspace(operands[i]).ones() for i in argnum)
    tangent = make_jvp(total, argnum)(*operands)(directions)[1]
    return value, tangent, *map(dense, vjp(1.0))


def dense(x):
    """A gradient as an array of the host."""
    x = scipygrad.to_host(x)
    return x.toarray() if hasattr(x, "toarray") else np.asarray(x)


def moved(x):
    return scipygrad.to_device(x) if np.ndim(x) or sps.issparse(x) else x


def outcome(program):
    """How often it was compared."""
    plain = [x.evaluate(sps) for x in program.operands]
    if not program.traced or program.raises or not all(map(has_a_place, plain)):
        return 0
    operands = [x.evaluate(sps if x.foreign else sp) for x in program.operands]
    try:
        wanted = derivatives(program, operands)
    except (ValueError, NotImplementedError, TypeError, np.linalg.LinAlgError):
        return 0
    pattern._by_sample.clear()
    try:
        got = derivatives(program, list(map(moved, operands)))
    except (TypeError, NotImplementedError):  # what is not to be had there
        return 0
    tolerance = 1e-3 if program.single else 1e-7
    for a, b in zip(got, wanted):
        assert np.shape(a) == np.shape(b)
        size = np.abs(b[np.isfinite(b)] if np.ndim(b) else b).max(initial=1)
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * size)
    return 1


def compare(group):
    """How many programs about these operations were compared."""
    compared = 0

    @seed(group)
    @settings(max_examples=PROGRAMS, deadline=None, database=None, print_blob=False,
              report_multiple_bugs=False, suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(programs(GROUPS[group]))
    def run(program):
        nonlocal compared
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            compared += outcome(program)

    run()
    return compared


@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_random_programs(group, cp):
    assert compare(group)


def test_a_defect_is_found(cp, monkeypatch):
    """The comparison can fail."""
    from scipygrad._backend import gpu

    right = gpu.gather
    monkeypatch.setattr(gpu, "gather", lambda x, plan: 1.001 * right(x, plan))
    with pytest.raises(AssertionError):
        for group in range(len(GROUPS)):
            compare(group)
