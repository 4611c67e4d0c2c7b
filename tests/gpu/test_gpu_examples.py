"""The functions of the examples, on the device: value and gradient are those of the host.

The same functions run, with no other change than where their operands lie.
"""

import copy

import autograd.numpy as np
import numpy as onp
import pytest
from autograd import hessian_vector_product, value_and_grad
from example_programs import moved, program

import scipygrad
import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla
from scipygrad._core.device import on_device


def same(got, wanted, rtol=1e-10):
    """The same numbers, in containers of any kind."""
    if isinstance(wanted, dict):
        got, wanted = ([x[k] for k in wanted] for x in (got, wanted))
    if isinstance(wanted, (tuple, list)):
        assert len(got) == len(wanted)
        for g, w in zip(got, wanted):
            same(g, w, rtol)
        return
    got, wanted = (x.toarray() if hasattr(x, "format") else x for x in (got, wanted))
    onp.testing.assert_allclose(
        scipygrad.to_host(got), wanted, rtol=rtol, atol=rtol * onp.abs(wanted).max(initial=0.0)
    )


def both(host, there, *arguments, rtol=1e-10):
    """Value and gradient in the first argument, on the device as on the host."""
    value, gradient = value_and_grad(there)(*map(moved, arguments))
    assert on_device(value)
    same((value, gradient), value_and_grad(host)(*arguments), rtol)


def test_sparse_approximate_inverse(cp):
    """A few steps of gradient descent, with assignments to `M.data`."""

    def learned(example):
        M = example.A * 0
        M.setdiag(1 / example.A.diagonal())
        for _ in range(3):
            value, G = value_and_grad(example.loss)(M)
            M.data = M.data - 0.02 * G.data
        return value, M

    example = program("sparse_approximate_inverse", "loss")
    value, M = learned(example.moved())
    assert on_device(value) and on_device(M)
    same((value, M), learned(example))


def test_jacobi_weights(cp):
    """`sp.eye(N)` has no operand that says where it is to be: it has to be moved."""
    example = program("jacobi_weights", "frobenius_loss", "square", "sp")
    start = sp.diags(onp.ones(example.square.shape[0]))
    there = example.moved()
    with pytest.raises(TypeError, match="scipygrad.to_device"):
        there.frobenius_loss(there.square)(moved(start))

    class Moved:
        diags = staticmethod(sp.diags)

        @staticmethod
        def eye(n):
            return scipygrad.to_device(sp.eye(n))

    there = example.moved(sp=Moved)
    both(example.frobenius_loss(example.square), there.frobenius_loss(there.square), start)


def test_schwarz(cp):
    """The graph network, a factorisation, and iterations with it."""
    import _schwarz

    A, points = _schwarz.poisson(8)
    d = _schwarz.decompose(A, _schwarz.partition(points, 20))
    rng = onp.random.default_rng(0)
    weights = _schwarz.initial_weights(rng)
    weights["out"] = 0.1 * rng.standard_normal(len(weights["out"]))
    both(_schwarz.loss, _schwarz.loss, weights, d, _schwarz.unit_vectors(rng, 64, 4), 3)


def test_heavy_ball_with_numbers_of_the_host(cp):
    """The parameters are numbers of the host; so is their gradient."""
    example = program("heavy_ball", "loss")
    there, pair = example.moved(), onp.array([0.2, 0.5])
    value, gradient = value_and_grad(there.loss)(pair)
    assert on_device(value) and type(gradient) is onp.ndarray
    same((value, gradient), value_and_grad(example.loss)(pair))


def test_heavy_ball_with_parameters_on_the_device(cp):
    example = program("heavy_ball", "loss_of_pairs")
    pairs = onp.linspace(0.1, 0.4, 2 * example.few)
    both(example.loss_of_pairs, example.moved().loss_of_pairs, pairs)


def test_conductivity(cp):
    """Also second derivatives: products with the Hessian."""
    example = program("conductivity", "objective")
    there = example.moved()
    m, v = 0.1 * onp.random.default_rng(0).standard_normal((2, example.n**2))
    both(example.objective, there.objective, m)
    product = hessian_vector_product(there.objective)(*moved((m, v)))
    same(product, hessian_vector_product(example.objective)(m, v))


def test_photonics(cp):
    """Complex matrices; what they are made of lies in objects, which are moved by hand."""
    example = program("photonics", "loss")

    def there(channel):
        new = copy.copy(channel)
        vars(new).update({k: moved(v) for k, v in vars(channel).items()})
        return new

    start = onp.linspace(0.2, 0.8, len(example.pixels))
    loss = example.moved(channels=[there(c) for c in example.channels]).loss
    both(example.loss, loss, start, 8.0)


def test_topology_optimization(cp):
    """Assembly from element matrices, and slices by index arrays, which lie on the device, too."""
    example = program("topology_optimization", "compliance", "volume")
    there, x = example.moved(), onp.linspace(0.2, 0.8, example.nx * example.ny)
    both(example.compliance, there.compliance, x, rtol=1e-8)
    both(example.volume, there.volume, x)


def test_multigrid_relaxation(cp):
    """PyAMG's matrices, some of them in bsr, are moved as csr."""
    pyamg = pytest.importorskip("pyamg")
    example = program("multigrid_relaxation", "loss", "jacobi", "hierarchy")
    solver = pyamg.smoothed_aggregation_solver(
        example.A.tocsr(), max_levels=3, max_coarse=20, symmetry="nonsymmetric"
    )
    levels, coarsest = example.hierarchy(solver)
    M = [example.jacobi(A, 0.7) for A, _, _ in levels]
    z = onp.random.default_rng(0).standard_normal((example.A.shape[0], 3))
    levels_there = [tuple(scipygrad.to_device(m.tocsr()) for m in level) for level in levels]
    coarsest_there = spla.splu(scipygrad.to_device(sp.csc_array(solver.levels[-1].A)))
    got = value_and_grad(example.moved().loss)(
        moved(M), levels_there, coarsest_there, scipygrad.to_device(z), 2
    )
    assert all(map(on_device, got[1]))
    same(got, value_and_grad(example.loss)(M, levels, coarsest, z, 2))


def test_quantum_control(cp):
    """Actions of exponentials of complex matrices that are made of traced numbers."""
    example = program("quantum_control", "loss", "start")
    both(example.loss, example.moved().loss, example.start, rtol=1e-8)


def test_drum(cp):
    """Eigenvalues of a pencil, which are the host's to find, and it is said."""
    example = program("drum", "closeness", "start")
    with pytest.warns(scipygrad.HostWarning, match="eigsh with these options"):
        both(example.closeness, example.moved().closeness, example.start, 1, rtol=1e-8)


def test_graph_laplacian(cp):
    """The Laplacian is made on the host, and it is said; the exponential acts on the device."""
    example = program("graph_laplacian", "loss", "start")
    with pytest.warns(scipygrad.HostWarning, match="^laplacian of"):
        both(example.loss, example.moved().loss, example.start, rtol=1e-8)


def test_a_mixture_is_refused_by_name(cp):
    """The host's matrix and the device's vector: the message has the call that mends it."""
    example = program("heavy_ball", "heavy_ball")
    x = scipygrad.to_device(onp.ones(example.n**2))
    with pytest.raises(TypeError, match=r"scipygrad\.to_device"):
        np.sum(list(example.heavy_ball([0.1], [0.2], x))[0])
