r"""
Conductivity imaging with Gauss-Newton
======================================

Electrical impedance tomography: currents are driven through electrodes on the rim of a body, the
potentials at the electrodes are measured, and the conductivity :math:`\sigma` inside is wanted.

.. math:: -\nabla \cdot (\sigma \nabla v_j) = q_j, \qquad
          \min_m\ \tfrac12 \sum_j \Bigl\| \frac{P v_j(m) - d_j}{\varepsilon} \Bigr\|^2
          + \tfrac{\beta}{2} \| \nabla m \|^2, \qquad \sigma = e^m .

See Cheney, Isaacson and Newell (1999, "Electrical impedance tomography"); Haber, Ascher and
Oldenburg (2000, "On optimization techniques for solving nonlinear inverse problems") on Newton's
method and its variants here. A simulated chest with two lungs and a heart is to be recovered.

The model is a few lines of SciPy with all currents as columns of one ``spsolve``. Gauss-Newton
asks for products with the Jacobian and its transpose, Newton for products with the Hessian.
autograd makes all of them from these lines, and SciPy's ``lsqr`` and ``minimize`` take them.
"""

import autograd.numpy as np
import matplotlib.pyplot as plt
from _study import Study
from autograd import hessian_vector_product, make_jvp, make_vjp, value_and_grad

import scipygrad.sparse as sp
import scipygrad.sparse.linalg as spla

study = Study(__file__)
n = study.size(16, 64)  # cells in a row
count = study.size(16, 32)  # electrodes
rng = np.random.default_rng(0)

# %%
# The body and the electrodes
# ---------------------------
# Differences across the faces between cells, and the electrodes around the rim. Each of them has a
# weak contact to earth. Currents go between opposite electrodes and between those a quarter apart.

difference = sp.diags_array([-1.0, 1.0], offsets=[0, 1], shape=(n - 1, n))
D = sp.vstack([sp.kron(difference, sp.eye_array(n)), sp.kron(sp.eye_array(n), difference)]).tocsr()
to_faces = abs(D) / 2  # the mean of the two cells at a face

cells, k = np.arange(n * n).reshape(n, n), np.arange(n - 1)
rim = np.concatenate([cells[k, 0], cells[-1, k], cells[-1 - k, -1], cells[0, -1 - k]])
electrodes = rim[np.arange(count) * len(rim) // count]
P = sp.eye_array(n * n, format="csr")[electrodes]
earth = 1e-3 * P.T @ P

e = np.arange(count)
plus, minus = np.concatenate([e, e]), np.concatenate([e + count // 2, e + count // 4]) % count
Q = (P[plus] - P[minus]).T.toarray()

# %%
# The model
# ---------


def potentials(m):
    sigma = sp.diags_array(np.exp(to_faces @ m))
    K = D.T @ sigma @ D + earth
    return P @ spla.spsolve(K.tocsc(), Q)


x, y = np.meshgrid(*2 * [(np.arange(n) + 0.5) / n], indexing="ij")


def ellipse(x0, y0, width, height):
    return ((x - x0) / width) ** 2 + ((y - y0) / height) ** 2 < 1


truth = np.zeros((n, n))
truth[ellipse(0.27, 0.5, 0.15, 0.28) | ellipse(0.73, 0.5, 0.15, 0.28)] = np.log(0.25)  # the lungs
truth[ellipse(0.5, 0.72, 0.13, 0.13)] = np.log(4.0)  # the heart
exact = potentials(truth.ravel())
noise = 0.01 * np.std(exact)
data = exact + noise * rng.normal(size=exact.shape)
beta = 10.0


def residual(m):
    return np.append((potentials(m) - data) / noise, np.sqrt(beta) * (D @ m))


def objective(m):
    return 0.5 * np.sum(residual(m) ** 2)


# %%
# Gauss-Newton
# ------------
# Each step is a linear least-squares problem, :math:`\min_s \|J s + r\|`, and ``lsqr`` wants
# :math:`J v` and :math:`J^T u` only. ``make_vjp`` runs the model once and gives
# :math:`u \mapsto J^T u`; every product reuses the factors of :math:`K`. As this is linear in
# :math:`u`, its own ``make_vjp`` is :math:`v \mapsto J v`, on the same factors. Forward mode,
# ``make_jvp(residual)(m)(v)``, gives the same product, but runs the model again for each
# :math:`v`.


def jacobian(m):
    transposed, r = make_vjp(residual)(m)
    forward, _ = make_vjp(transposed)(r)
    return spla.LinearOperator((r.size, m.size), matvec=forward, rmatvec=transposed), r


start = np.zeros(n * n)
training = study.training(study.size(8, 10), "Gauss-Newton", m=start, objectives=[])
for _ in training:
    J, r = jacobian(training.m)
    step, _, products = spla.lsqr(J, -r, atol=1e-6, btol=1e-6)[:3]
    training.m = training.m + step
    training.objectives.append(r @ r / 2)
recovered = training.m

# %%
# Newton with the true Hessian
# ----------------------------
# ``hessian_vector_product`` differentiates the gradient once more; SciPy's ``trust-ncg`` is
# Newton's method with conjugate gradients in a trust region.

hessp = hessian_vector_product(objective)
by_newton, newton_objectives = study.minimize(
    value_and_grad(objective), start, 80, "Newton", method="trust-ncg", hessp=hessp
)

# %%
# The adjoint by hand
# -------------------
# The gradient needs the adjoint potentials :math:`W`. A product with the Hessian needs the
# derivatives of :math:`V` and of :math:`W`, and a good deal of care.
# The adjoint by hand takes 12 lines, the second derivative included; products with :math:`J` and
# :math:`J^T` would come on top.


def adjoint_by_hand(m, t):
    s, s_t = np.exp(to_faces @ m), to_faces @ t
    lu = spla.splu((D.T @ sp.diags_array(s) @ D + earth).tocsc())
    V = lu.solve(Q)
    W = lu.solve(P.T @ (P @ V - data) / noise**2, trans="T")
    DV, DW = D @ V, D @ W
    faces = -s * np.sum(DV * DW, axis=1)
    gradient = to_faces.T @ faces + beta * (D.T @ (D @ m))
    ds = (s * s_t)[:, None]
    dV = -lu.solve(D.T @ (ds * DV))
    dW = lu.solve(P.T @ (P @ dV) / noise**2 - D.T @ (ds * DW), trans="T")
    d_faces = faces * s_t - s * np.sum((D @ dV) * DW + DV * (D @ dW), axis=1)
    return gradient, to_faces.T @ d_faces + beta * (D.T @ (D @ t))


# %%
# The pictures
# ------------

fig, axes = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for axis, m, title in zip(axes, (truth, recovered), ("true", "recovered"), strict=False):
    image = axis.imshow(
        m.reshape(n, n).T, origin="lower", extent=(0, 1, 0, 1), cmap="PuOr", vmin=-1.6, vmax=1.6
    )
    axis.set(title=f"{title} conductivity", xticks=[], yticks=[])
axes[0].plot(x.flat[electrodes], y.flat[electrodes], "k.")
axes[0].set_xlabel("dots: electrodes")
bar = fig.colorbar(image, ax=axes[:2], label=r"$\sigma$ / $\sigma_0$", ticks=np.log([0.25, 1, 4]))
bar.ax.set_yticklabels(["1/4", "1", "4"])
best = min(training.objectives[-1], newton_objectives[-1], objective(recovered)) * (1 - 1e-9)
axes[2].semilogy(np.array(training.objectives) - best, "o-", label="Gauss-Newton")
axes[2].semilogy(np.array(newton_objectives) - best, "s-", label="Newton (trust-ncg)")
axes[2].set(xlabel="iteration", ylabel="objective - its minimum", title="convergence")
axes[2].legend()
study.show()

# %%
# The numbers
# -----------
# The data are explained to within their noise, the two methods agree, and so do all the ways to a
# derivative.

misfit = np.mean(((potentials(recovered) - data) / noise) ** 2)
correlation = np.corrcoef(recovered, truth.ravel())[0, 1]
apart = np.linalg.norm(recovered - by_newton) / np.linalg.norm(by_newton)
print(f"{data.size} data, {n * n} unknowns: misfit {misfit:.3f} (noise: 1), "
      f"correlation with the truth {correlation:.3f}")  # fmt: skip
print(f"objective {training.objectives[0]:.0f} -> {objective(recovered):.4f} in "
      f"{len(training.objectives)} Gauss-Newton steps, {newton_objectives[-1]:.4f} in "
      f"{len(newton_objectives) - 1} Newton steps; solutions differ by {apart:.1e}")  # fmt: skip

t = rng.normal(size=n * n)
J, r = jacobian(by_newton / 2)
pairs = {
    "gradient": (J.rmatvec(r), adjoint_by_hand(by_newton / 2, t)[0]),
    "Hessian product": (hessp(by_newton / 2, t), adjoint_by_hand(by_newton / 2, t)[1]),
    "Jacobian product": (J.matvec(t), make_jvp(residual)(by_newton / 2)(t)[1]),
}
for name, (ours, other) in pairs.items():
    error = np.linalg.norm(ours - other) / np.linalg.norm(other)
    print(f"{name}: relative difference {error:.0e}")
    assert error < 1e-8
assert 0.7 < misfit < 1.2 and correlation > 0.8 and apart < 0.02
assert np.all(np.diff(training.objectives) < 1e-4 * training.objectives[-1])
