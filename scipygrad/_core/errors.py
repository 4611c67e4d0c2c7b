"""Every message the library raises: what was asked, what is possible, what to do."""

from __future__ import annotations

from typing import Any


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


def refused(function: str, arguments: tuple[str, ...], advice: str) -> str:
    """`function` has no derivative, and would lose that of its traced argument."""
    names = " and ".join(f"'{a}'" for a in arguments)
    return (
        f"{function} has no derivative, and {names} is traced. To differentiate, {advice}. If it "
        f"is constant here, pass a plain value: scipygrad.detach(x) takes one out of the trace."
    )


def in_place_on_constant(ufunc: str) -> str:
    """NumPy was asked to write a traced value into a constant array."""
    return (
        f"An in-place '{ufunc}' would write a traced value into a constant array, and lose its "
        f"derivative. Make a new value instead: `A.data = A.data * v` for `A.data *= v`."
    )


def traced_array_assignment() -> str:
    """Something was written into a traced array."""
    return (
        "'ArrayBox' object does not support item assignment: it is traced, and cannot be written "
        "to. Make a new array, x = np.where(mask, value, x). For entries of a traced sparse matrix "
        "write A[i, j] = value, or A.data = np.where(mask, value, A.data)."
    )


def at_constant(ufunc: str) -> str:
    """`ufunc.at` was asked to write a traced value into a constant array."""
    return (
        f"numpy.{ufunc}.at would write a traced value into a constant array, and lose its "
        f"derivative. For numpy.add.at(x, i, v) of vectors write "
        f"x = x + np.bincount(i, v, minlength=len(x)), with autograd's np."
    )


def as_objects(shape: tuple[int, ...]) -> str:
    """NumPy takes a traced array apart."""
    return (
        f"NumPy makes an array of objects, one for each element, of a traced array of shape "
        f"{shape}, which is slow. K.dot(x) of a NumPy array K does so: write K @ x or "
        f"np.dot(K, x). So do some functions of numpy: take those of autograd.numpy."
    )


def npmatrix_function() -> str:
    """A function of autograd's was asked for a derivative of an np.matrix."""
    return (
        "Can't differentiate w.r.t. type <class 'numpy.matrix'>, which a function of an np.matrix "
        "gives. Operators (*, @, /, +, -) are differentiable beside an np.matrix M; for functions "
        "pass np.asarray(M)."
    )


def zero_weights(count: int) -> str:
    """A traced graph has stored zeros that may be no edges."""
    return (
        f"The traced graph has {count} stored entries that are 0: edges of weight 0. While "
        f"tracing, entries are stored that SciPy leaves out: all of a dense array, and those that "
        f"cancel. If these are no edges, hand over the dense array itself, or csgraph_from_dense "
        f"of it. If edges of weight 0 are meant, ignore this warning."
    )


def degenerate(function: str, what: str, places: Any) -> str:
    """A loss that is not differentiable where eigenvalues are equal."""
    return (
        f"{function}: the {what} belonging to {_both(places)} were differentiated one by one, but "
        "these count as equal: any basis of their space would do, and its vectors are no functions "
        "of the matrix. What does not depend on the basis can be differentiated: the sum of these "
        "eigenvalues, the projector onto their space, V @ V.conj().T if the computed V is "
        "orthonormal. Or perturb the matrix to part them."
    )


def nearly_degenerate(function: str, places: Any) -> str:
    """A derivative with a small difference of eigenvalues in the denominator."""
    return (
        f"{function}: {_both(places)} are nearly equal. The derivative of their vectors is "
        "inversely proportional to their distance, and has lost digits in proportion."
    )


def split_eigenvalues(function: str, places: Any) -> str:
    """Forward mode, in a direction that parts equal eigenvalues."""
    return (
        f"{function}: {_both(places)} count as equal, and this direction parts them. Their "
        "tangents and those of their vectors serve for functions that do not depend on the basis "
        "of the space (the sum of these eigenvalues, the projector), and for no others."
    )


def more_vectors(function: str, value: Any) -> str:
    """An eigenvalue has vectors that were not computed."""
    return (
        f"{function}: the eigenvalue {value:.6g} has further vectors that were not computed; so "
        "the computed ones are no functions of the matrix. Raise k until all its vectors are in."
    )


def nearly_more_vectors(function: str, value: Any) -> str:
    """An eigenvalue that was not computed is close to one that was."""
    return (
        f"{function}: an eigenvalue that was not computed is nearly equal to {value:.6g}. The "
        "derivative of the vector is inversely proportional to their distance, and has lost digits "
        "in proportion. Raise k until both are in, if the loss depends on their common space only."
    )


def defective(function: str, value: Any) -> str:
    """A matrix without enough eigenvectors."""
    return (
        f"{function}: the eigenvalue {value:.6g} is defective to working precision: its left and "
        "right vectors are orthogonal, and it is not differentiable. Perturb the matrix, or scale "
        "it (a diagonal similarity transform) if it is far from normal."
    )


def nearly_defective(function: str, value: Any) -> str:
    """An eigenvalue of enormous condition number."""
    return (
        f"{function}: the eigenvalue {value:.6g} is nearly defective (its left and right vectors "
        "are nearly orthogonal). Its derivatives are large, and have lost digits in proportion."
    )


def infinite_eigenvalue(function: str) -> str:
    """The pencil has an infinite eigenvalue."""
    return (
        f"{function}: an eigenvalue is not finite (M is singular), and has no derivative. Ask for "
        "finite ones only, with sigma and a smaller k."
    )


def zero_singular_value() -> str:
    """Singular values are not differentiable at 0."""
    return (
        "svds: a singular value is 0. It has a kink there, as an absolute value has, and its "
        "vectors u and v have nothing to do with each other: neither is differentiable. Leave "
        "that one out of the loss, or ask for fewer."
    )


def other_eigenvalues(function: str) -> str:
    """A second call of SciPy's function found others than the first one."""
    return (
        f"{function}: with return_eigenvectors=False, the vectors that a derivative needs come "
        "from a second call, and that found other eigenvalues. Call with "
        "return_eigenvectors=True, or give the starting vector v0."
    )


def traced_operator(function: str, argument: str) -> str:
    """Eigenvalues of an operator that depends on traced values."""
    return (
        f"{function} is not differentiable yet in what an operator '{argument}' is made of. Pass a "
        f"sparse matrix, or scipygrad.detach({argument}) if it is constant here."
    )


def operator_not_factored(function: str, names: tuple[str, ...]) -> str:
    """A derivative that needs a factorisation, of an operator."""
    return (
        f"{function}: this derivative needs a factorisation, and {' and '.join(names)} is an "
        "operator. Pass a sparse matrix instead. (First derivatives of the eigenvalues alone of a "
        "Hermitian problem do with an operator.)"
    )


def traced_constraints() -> str:
    """lobpcg with constraints that change."""
    return (
        "lobpcg: with constraints Y there is no derivative in Y or B, which both change what the "
        "vectors are orthogonal to. If they are constant here, pass scipygrad.detach(Y) and "
        "scipygrad.detach(B)."
    )


def phase(function: str) -> str:
    """A loss that depends on something arbitrary."""
    return (
        f"{function}: the loss depends on the phase of a complex vector, which is arbitrary. The "
        "derivative is that with the phase held fixed. Fix the phase in the loss, "
        "v * np.exp(-1j * np.angle(v[i])), or take what does not depend on it, as np.abs(v)."
    )


def _both(places: Any) -> str:
    return " and ".join(f"the eigenvalue {x:.6g}" for x in places)


def mixed(*types: type) -> str:
    """Arrays of host and device in one operation."""
    here, there = (f"{t.__module__}.{t.__name__}" for t in types)
    return (
        f"An operation got a {here} and a {there}: one lies in the host's memory, the other on a "
        f"GPU. Move one of them: scipygrad.to_device(x) puts it on the GPU (cupy.asarray(x) a "
        f"constant array), scipygrad.to_host(x) into the host's memory."
    )


def no_device_format(format: str) -> str:
    """A format that there is not on a GPU."""
    return (
        f"There are csr, csc, coo and dia matrices of two dimensions on a GPU, and no {format} of "
        f"this shape. Assemble it on the host, convert it, and move that: "
        f"scipygrad.to_device(A.tocsr())."
    )


class NearlyDegenerateWarning(RuntimeWarning):
    """Eigenvalues are so close that derivatives have lost half of their digits, or more.

    To have it raised: ``warnings.simplefilter("error", scipygrad.NearlyDegenerateWarning)``.
    """


class PhaseWarning(RuntimeWarning):
    """The loss depends on the arbitrary phase of a complex eigenvector or singular vector."""


class HostWarning(UserWarning):
    """A function that CuPy lacks ran on the host, with its operands copied there and back."""


class ZeroWeightWarning(UserWarning):
    """A traced graph has stored zeros: edges of weight 0, perhaps not meant as edges."""


class AdjointConvergenceWarning(RuntimeWarning):
    """An iterative solve inside a derivative did not converge: the derivative is inexact.

    To have it raised: ``warnings.simplefilter("error", scipygrad.AdjointConvergenceWarning)``.
    """


def no_cotangent(given: type, pattern: Any) -> str:
    """Something else was given for the cotangent or tangent of a sparse matrix."""
    return (
        f"A cotangent or tangent of a sparse matrix of shape {pattern.shape} is needed, not "
        f"{given.__name__}: give a sparse matrix, or an array of that shape."
    )


def other_shape(
    given: tuple[int, ...], shape: tuple[int, ...], what: str = "a sparse matrix"
) -> str:
    """A cotangent or tangent has not the shape of what it belongs to."""
    return (
        f"A cotangent or tangent of {what} has its shape, {tuple(shape)}; here it has "
        f"the shape {tuple(given)}."
    )


def other_tangent(pattern: Any) -> str:
    """A tangent has entries where the matrix has none, or the matrix has several for one place."""
    why = (
        "stores several entries for one place"
        if pattern.duplicated
        else "stores no entries at some places where the tangent has them"
    )
    return (
        f"The matrix {why}. Derivatives are taken with respect to stored entries, so a tangent "
        "needs the structure of its matrix: `V = A.copy(); V.data[:] = ...`."
    )
