"""Every message the library raises: what was asked, what is possible, what to do."""

from __future__ import annotations


def no_rule(function: str, argument: str, kind: str, wrt: tuple[str, ...]) -> str:
    """No derivative of `function` with respect to `argument`."""
    return (
        f"{function}: no {kind} with respect to '{argument}'. "
        f"Differentiable arguments: {', '.join(wrt) or 'none'}. "
        f"If '{argument}' is constant here, pass a plain value instead of a traced one."
    )


def not_yet(function: str, arguments: tuple[str, ...]) -> str:
    """The whole of `function` has no derivative yet."""
    names = " and ".join(f"'{a}'" for a in arguments) or "its operand"
    return (
        f"{function} is not differentiable yet, and {names} is traced. Pass a plain value if it "
        f"is constant here (scipygrad.detach(x) takes one out of the trace), or write the "
        f"step with functions whose state in docs/support.md is 'traced'."
    )


def in_place_on_constant(ufunc: str) -> str:
    """NumPy was asked to write a traced value into a constant array."""
    return (
        f"An in-place '{ufunc}' would write a traced value into a constant array, and lose its "
        f"derivative. Make a new value instead: `A.data = A.data * v` for `A.data *= v`."
    )


class AdjointConvergenceWarning(RuntimeWarning):
    """An iterative solve inside a derivative did not converge: the derivative is inexact.

    To have it raised: ``warnings.simplefilter("error", scipygrad.AdjointConvergenceWarning)``.
    """
