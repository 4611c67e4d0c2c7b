"""What multigrid_relaxation compares: residual histories, and PyAMG's own relaxations.

Ordinary SciPy code; nothing in it is differentiated.
"""

import copy

import numpy as np
import pyamg
import scipy.sparse.linalg as spla


def history(A, b, cycle, tolerance=1e-8, most=100):
    """Relative residuals of x ← x + cycle(b − A x)."""
    x, residuals = np.zeros_like(b), [1.0]
    while residuals[-1] > tolerance and len(residuals) <= most:
        x = x + cycle(b - A @ x)
        residuals.append(np.linalg.norm(b - A @ x) / np.linalg.norm(b))
    return residuals


def history_of_gmres(A, b, cycle, tolerance=1e-8):
    """Relative residuals of GMRES, preconditioned by the cycle from the right."""
    residuals = [1.0]
    preconditioned = spla.LinearOperator(A.shape, matvec=lambda r: A @ cycle(r), dtype=float)
    spla.gmres(
        preconditioned, b, rtol=tolerance, restart=100, maxiter=1, callback_type="pr_norm",
        callback=residuals.append,
    )  # fmt: skip
    return residuals


def relaxed_by(solver, smoother, **options):
    """PyAMG's cycle with one of PyAMG's relaxations, before and after."""
    solver = copy.deepcopy(solver)
    pyamg.relaxation.smoothing.change_smoothers(solver, (smoother, options), (smoother, options))
    return solver.aspreconditioner().matvec
