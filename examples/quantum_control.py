r"""
A pulse that turns a chain of spins
===================================

A chain of :math:`n` spins with exchange coupling is held by its first spin only: there, two fields
:math:`x(t)` and :math:`z(t)` can be varied.

.. math:: i \dot\psi = \bigl( H_0 + x(t)\, X_1 + z(t)\, Z_1 \bigr) \psi, \qquad
          H_0 = \tfrac12 \sum_{i=1}^{n-1} (X_i X_{i+1} + Y_i Y_{i+1})

All spins point up. Which pulse makes all of them point down? Fields that are constant on short
intervals, their gradient from one pass forward and one back, and a quasi-Newton method: this is
GRAPE (Khaneja, Reiss, Kehlet, Schulte-Herbrüggen and Glaser 2005, "Optimal control of coupled
spin dynamics: design of NMR pulse sequences by gradient ascent algorithms"). On what can be done
from the end of a chain, see Burgarth, Bose, Bruder and Giovannetti (2009, "Local controllability of
quantum networks").

The state has :math:`2^n` complex components, and moves by ``expm_multiply``.
"""

import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Study
from autograd import value_and_grad

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)
n = study.size(3, 8)  # spins
duration, intervals = study.size((8.0, 16), (40.0, 80))
dt = duration / intervals
rng = np.random.default_rng(0)

# %%
# The spins
# ---------
# Operators on one of the spins are Kronecker products, as in any textbook.


def on(operator, i):
    return sp.kron(sp.kron(sp.eye_array(2**i), operator), sp.eye_array(2 ** (n - 1 - i)), "csr")


X, Z = sp.csr_array([[0.0, 1.0], [1.0, 0.0]]), sp.csr_array([[1.0, 0.0], [0.0, -1.0]])
raising = sp.csr_array([[0.0, 1.0], [0.0, 0.0]])
exchange = sum(on(raising, i) @ on(raising.T, i + 1) for i in range(n - 1))
H0, controls = exchange + exchange.T, [on(X, 0), on(Z, 0)]
up, down = np.eye(2**n)[[0, -1]]

# %%
# The pulse
# ---------
# One ``expm_multiply`` for each interval; the matrix depends on the fields.


def evolve(pulse):
    states = [up]
    for x, z in pulse:
        H = H0 + x * controls[0] + z * controls[1]
        states.append(spla.expm_multiply(-1j * dt * H, states[-1]))
    return states


def infidelity(pulse):
    return 1 - np.abs(down @ evolve(pulse)[-1]) ** 2


def loss(fields):
    return infidelity(fields.reshape(intervals, 2))


start = 0.5 * rng.normal(size=2 * intervals)
fields, losses = study.minimize(value_and_grad(loss), start, study.size(30, 150))
pulse = fields.reshape(intervals, 2)

# %%
# The adjoint by hand
# -------------------
# The derivative of :math:`e^A \psi` is the upper half of :math:`\exp \begin{pmatrix} A & E \\ 0 & A
# \end{pmatrix} \begin{pmatrix} 0 \\ \psi \end{pmatrix}`, one for each field and interval.
# The adjoint by hand takes 13 lines. The usual formula, with :math:`-i\, \Delta t\, H_c \psi`
# instead, is shorter, but right only for short intervals, or where :math:`H_c` and :math:`H`
# commute.


def adjoint_by_hand(pulse):
    states = evolve(pulse)
    overlap = down @ states[-1]
    gradient = np.zeros_like(pulse)
    costate = down.astype(complex)
    for k in reversed(range(intervals)):
        A = -1j * dt * (H0 + pulse[k, 0] * controls[0] + pulse[k, 1] * controls[1])
        for c in range(2):
            pair = sp.block_array([[A, -1j * dt * controls[c]], [None, A]], format="csr")
            moved = spla.expm_multiply(pair, np.append(np.zeros(2**n), states[k]))
            change = costate.conj() @ moved[: 2**n]
            gradient[k, c] = -2 * np.real(np.conj(overlap) * change)
        costate = spla.expm_multiply(A.conj().T, costate)
    return gradient


def short_intervals(pulse):  # the usual formula
    states = evolve(pulse)
    gradient, costate = np.zeros_like(pulse), down * (down @ states[-1])
    for k in reversed(range(intervals)):
        for c in range(2):
            change = -1j * dt * controls[c] @ states[k + 1]
            gradient[k, c] = -2 * np.real(costate.conj() @ change)
        H = H0 + pulse[k, 0] * controls[0] + pulse[k, 1] * controls[1]
        costate = spla.expm_multiply(1j * dt * H, costate)
    return gradient


# %%
# What the spins do
# -----------------
# The turn starts where the fields are and runs back and forth along the chain.

states = np.array(evolve(pulse))
spins = np.array([np.abs(states) ** 2 @ on(Z, i).diagonal() for i in range(n)])
times = dt * np.arange(intervals + 1)
fig, axes = plt.subplots(
    2, 1, figsize=(8, 5.2), sharex=True, height_ratios=[1, 1.4], layout="constrained"
)
axes[0].stairs(pulse[:, 0], times, label="$x$", color="tab:blue", baseline=None)
axes[0].stairs(pulse[:, 1], times, label="$z$", color="tab:orange", baseline=None)
axes[0].set(ylabel="field at spin 1", title=f"A pulse at one end turns {n} spins")
axes[0].margins(x=0, y=0.25)
axes[0].legend(loc="upper right", ncols=2)
image = axes[1].pcolormesh(times, np.arange(1, n + 1), spins, cmap="PuOr", vmin=-1, vmax=1)
axes[1].set(xlabel="time (units of 1 / coupling)", ylabel="spin", yticks=np.arange(1, n + 1))
axes[1].invert_yaxis()
fig.colorbar(image, ax=axes[1], label=r"$\langle Z_i \rangle$: up 1, down $-1$")

fig, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
axis.semilogy(losses)
axis.set(xlabel="L-BFGS iteration", ylabel="1 - fidelity", title="convergence")
study.show()

# %%
# The numbers
# -----------

print(f"{n} spins, {intervals} intervals: infidelity {losses[0]:.4f} -> {losses[-1]:.1e} in "
      f"{len(losses) - 1} iterations, largest <Z> at the end {spins[:, -1].max():.8f}")  # fmt: skip
halfway = (start.reshape(intervals, 2) + pulse) / 2
gradient, by_hand = value_and_grad(infidelity)(halfway)[1], adjoint_by_hand(halfway)
error = np.linalg.norm(by_hand - gradient) / np.linalg.norm(gradient)
of_usual = np.linalg.norm(short_intervals(halfway) - gradient) / np.linalg.norm(gradient)
print(f"gradient: the adjoint by hand differs by {error:.0e}, the usual formula by {of_usual:.0%}")
assert losses[0] > 0.9 and losses[-1] < 1e-4
assert np.all(spins[:, 0] == 1) and np.all(spins[:, -1] < -0.999)
assert error < 1e-8 < of_usual
assert np.allclose(np.linalg.norm(states, axis=1), 1, rtol=0, atol=1e-11)
