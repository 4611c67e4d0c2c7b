"""
Inverse design of a photonic demultiplexer
==========================================

Light of two wavelengths comes in through one waveguide; each is to leave through a waveguide of its
own. In between is a square in which silicon nitride may be placed at will. The electric field
:math:`E_z` of a wave with vacuum wave number :math:`k_0 = 2\\pi/\\lambda` solves

.. math:: A(\\varepsilon)\\, E = b, \\qquad
          A(\\varepsilon) = D_x + D_y + k_0^2 \\operatorname{diag}(\\varepsilon),

where :math:`D_x, D_y` are second differences in stretched, complex coordinates: near the boundary
they absorb what arrives there (perfectly matched layers), and make :math:`A` complex and neither
Hermitian nor symmetric. What is maximised is the power that each wavelength carries into the mode
of its waveguide, real functions of complex fields. The gradient with respect to thousands of pixels
is that of ``spsolve``: one more solve for each wavelength, with the factors that are there.

Discretisation: W. Shin, S. Fan (2012), *Choice of the perfectly matched layer boundary condition
for frequency-domain Maxwell's equations solvers*. The problem is from A. Y. Piggott et al. (2015),
*Inverse design and demonstration of a compact and broadband on-chip wavelength demultiplexer*; the
projection of densities from F. Wang, B. S. Lazarov, O. Sigmund (2011), *On projection methods,
convergence and robust formulations in topology optimization*.
"""

import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Study
from autograd import grad, value_and_grad
from scipy.spatial import KDTree

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)
h = study.size(0.08, 0.04)  # pixel, in micrometres
side = study.size(2.56, 4.0)  # of the square that is designed
width, margin = 0.32, 1.28  # of the waveguides; around the square, the outer half absorbs
air, nitride = 1.0, 2.0**2  # permittivities; silicon nitride
wavelengths = (1.3, 1.55)

# %%
# Where things are
# ----------------
# A field is an array over :math:`(x, y)`, flattened.

N = round((side + 2 * margin) / h)  # pixels in each direction
along = (np.arange(N) + 0.5) * h - (side / 2 + margin)  # their centres; the square is around 0
X, Y = np.meshgrid(along, along, indexing="ij")


def waveguide(y):
    """Where a waveguide at height y is, along all x."""
    return np.abs(Y - y) < width / 2


heights = (side / 4, -side / 4)  # of the two waveguides on the right
square = (np.abs(X) < side / 2) & (np.abs(Y) < side / 2)
guides = (waveguide(0) & (X < 0)) | ((waveguide(heights[0]) | waveguide(heights[1])) & (X > 0))
background = np.where(guides & ~square, nitride, air).ravel()
inlet, outlet = (np.argmin(np.abs(along - x)) for x in (-side / 2 - 0.4, side / 2 + 0.4))

# %%
# The equation
# ------------
# In a layer, :math:`\partial_x` is divided by :math:`1 + i \sigma(x) / k_0`: a wave that leaves
# decays. Differences live on edges between pixels, so :math:`D_x` divides twice, at edges and at
# centres.


def second_difference(k0):
    """The second derivative along one axis, in stretched coordinates."""

    def stretch(x):
        depth = np.maximum(0, np.abs(x) - side / 2 - margin / 2) / (margin / 2)
        return 1 + 30j * depth**3 / k0

    G = sp.diags([-1 / h, 1 / h], [0, 1], shape=(N - 1, N))
    edges = (along[1:] + along[:-1]) / 2
    return sp.diags(-1 / stretch(along)) @ G.T @ sp.diags(1 / stretch(edges)) @ G


def mode(permittivity, k0):
    """The guided mode of a cross section."""
    D = sp.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(N, N)) / h**2
    _, phi = spla.eigsh(D + sp.diags(k0**2 * permittivity), k=1, which="LA")
    return phi[:, 0]


def field(eps, channel):
    """The electric field in the permittivity eps."""
    A = (channel.laplacian + sp.diags(channel.k0**2 * eps)).tocsc()
    return spla.spsolve(A, channel.source)


class Channel:
    """One wavelength: its operator, its source, the mode that it is to leave in."""

    def __init__(self, wavelength, y):
        self.k0 = 2 * np.pi / wavelength
        D, identity = second_difference(self.k0), sp.eye(N)
        self.laplacian = sp.kron(D, identity) + sp.kron(identity, D)
        self.source = self.profile(0, inlet).astype(complex)
        self.target = self.profile(y, outlet)
        straight = field(np.where(waveguide(0), nitride, air).ravel(), self)
        self.power = np.abs(self.profile(0, outlet) @ straight) ** 2  # what a waveguide carries

    def profile(self, y, column):
        """The mode of a waveguide at height y, in one column of pixels."""
        section = np.where(np.abs(along - y) < width / 2, nitride, air)
        phi = np.zeros((N, N))
        phi[column] = mode(section, self.k0)
        return phi.ravel()


channels = [Channel(*pair) for pair in zip(wavelengths, heights)]

# %%
# The design
# ----------
# Each pixel of the square has a variable between 0 and 1. A mean over neighbours forbids details
# that are too fine to make, and a smooth step pushes the mean towards 0 or 1.

pixels = np.flatnonzero(square)
tree = KDTree(np.column_stack([X.ravel(), Y.ravel()])[pixels])
near = tree.sparse_distance_matrix(tree, radius := 0.16, output_type="ndarray")
F = sp.csr_array((radius - near["v"], (near["i"], near["j"])), shape=(len(pixels), len(pixels)))
F = sp.diags_array(1 / F.sum(axis=1)) @ F
place = sp.eye_array(N * N, format="csc")[:, pixels]  # from the square to the whole domain


def permittivity(theta, beta):
    """The permittivity everywhere; beta: how sharp the step is."""
    density = 0.5 + np.tanh(beta * (F @ theta - 0.5)) / (2 * np.tanh(beta / 2))
    return background + (nitride - air) * (place @ density)


def transmissions(eps):
    """The part of the power of each wavelength that leaves where it should."""
    return [np.abs(c.target @ field(eps, c)) ** 2 / c.power for c in channels]


def loss(theta, beta):
    """Power that goes elsewhere, a mean over the wavelengths."""
    return 1 - sum(transmissions(permittivity(theta, beta))) / len(channels)


# %%
# Optimisation
# ------------
# L-BFGS, with a sharper step in each round.

theta = np.full(len(pixels), 0.5)
betas, losses = (2, 8, 32), []
for beta in betas:
    theta, more = study.minimize(
        lambda theta, beta=beta: value_and_grad(loss)(theta, beta), theta,
        steps=study.size(15, 60), name=f"sharpness {beta}", bounds=[(0, 1)] * len(theta),
    )  # fmt: skip
    losses.append(more)
before, after = permittivity(np.full(len(pixels), 0.5), beta), permittivity(theta, beta)
grey = np.mean((after > 1.1 * air) & (after < 0.9 * nitride)) / np.mean(square)

print(f"{N} x {N} pixels, {len(pixels)} of them designed, {grey:.1%} of those neither nor")
for name, eps in (("before", before), ("after", after)):
    shares = zip(wavelengths, transmissions(eps))
    print(f"{name:6s}", *(f"{share:.1%} of {length} um" for length, share in shares), sep="   ")

# %%
# Before and after
# ----------------
# The field is :math:`|E_z|`; lines are the borders of the nitride.

fig, axes = plt.subplots(2, 3, figsize=(10, 6.4), layout="constrained", sharex=True, sharey=True)
border = air + 0.6 * (nitride - air)
frame = {"extent": 2 * (along[0] - h / 2, along[-1] + h / 2), "origin": "lower"}
for row, name, eps in zip(axes, ("before", "after"), (before, after)):
    row[0].imshow(eps.reshape(N, N).T, cmap="gray_r", **frame)
    row[0].set(title=f"{name}: nitride black, air white", ylabel="y (µm)")
    for ax, c, length, share in zip(row[1:], channels, wavelengths, transmissions(eps)):
        size = np.abs(field(eps, c)).reshape(N, N).T / np.sqrt(c.power)
        ax.imshow(size, cmap="inferno", vmin=0, vmax=0.8 * size[:, : N // 3].max(), **frame)
        ax.contour(X, Y, eps.reshape(N, N), [border], colors="w", linewidths=0.4)
        where = "upper" if c is channels[0] else "lower"
        ax.set_title(f"{length} µm: {share:.0%} to the {where} right")
for ax in axes[-1]:
    ax.set_xlabel("x (µm)")

fig.suptitle("A demultiplexer: permittivity and field before and after optimisation")

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
start = 0
for more, beta, color in zip(losses, betas, ("#56b4e9", "#0072b2", "#000000")):
    ax.semilogy(start + np.arange(len(more)), more, color=color, label=f"sharpness {beta}")
    start += len(more) - 1
ax.set(xlabel="L-BFGS step", ylabel="power that goes elsewhere", title="Demultiplexer")
ax.legend()
study.show()

# %%
# The gradient, by hand
# ---------------------
# With :math:`a = m^T E` for a mode :math:`m` and :math:`A^T w = m`, a change of the permittivity
# changes :math:`a` by :math:`-k_0^2 \sum_j w_j E_j \, d\varepsilon_j`, and :math:`|a|^2` by
# :math:`2 \operatorname{Re}(\bar a \, da)`: transposed, not Hermitian, solves. Step, filter and
# placement have to be taken apart in reverse order.
# The adjoint by hand takes 12 lines.


def adjoint_by_hand(theta, beta):
    """The gradient of the loss, as one writes it with NumPy and SciPy."""
    eps, d_eps = permittivity(theta, beta), 0
    for c in channels:
        lu = spla.splu((c.laplacian + sp.diags(c.k0**2 * eps)).tocsc())
        E = lu.solve(c.source)
        a = c.target @ E
        w = lu.solve(c.target.astype(complex), trans="T")
        d_a = -(c.k0**2) * w * E
        d_eps = d_eps - 2 * np.real(np.conj(a) * d_a) / c.power / len(channels)
    d_density = (nitride - air) * (place.T @ d_eps)
    step = np.tanh(beta * (F @ theta - 0.5))
    d_mean = d_density * beta * (1 - step**2) / (2 * np.tanh(beta / 2))
    return F.T @ d_mean


rng = np.random.default_rng(0)
theta, beta, direction = rng.uniform(size=len(pixels)), 8, rng.standard_normal(len(pixels))
by_grad, by_hand = grad(loss)(theta, beta), adjoint_by_hand(theta, beta)
t = 1e-5
slope = (loss(theta + t * direction, beta) - loss(theta - t * direction, beta)) / (2 * t)
against_hand = np.linalg.norm(by_grad - by_hand) / np.linalg.norm(by_hand)
against_differences = abs(by_grad @ direction / slope - 1)
print(f"gradient against the adjoint by hand: {against_hand:.1e}, "
      f"against differences: {against_differences:.1e}")  # fmt: skip

# %%
# The matrix is far from Hermitian and from symmetric, so a gradient with a wrong transpose or
# conjugate would show. Nearly all power goes where it should.

c = channels[0]
A = (c.laplacian + sp.diags(c.k0**2 * after)).tocsc()
assert spla.norm(A - A.T) > 0.01 * spla.norm(A) and spla.norm(A - A.conj().T) > 0.1 * spla.norm(A)
assert against_hand < 1e-9 and against_differences < 1e-6
assert max(transmissions(before)) < 0.4 and 0.85 < min(transmissions(after)) < 1
