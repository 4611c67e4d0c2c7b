"""Products and autograd.numpy.linalg on CuPy's arrays: rules that would make arrays of NumPy's.

Those of linalg are autograd's formulas (eigh: M. Giles, An extended collection of matrix derivative
results; eig: C. Boeddeker et al., arXiv 1701.00392, (4.77); cholesky: I. Murray, arXiv 1602.07527;
svd: J. Townsend, Differentiating the singular value decomposition, and arXiv 1909.02659).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.numpy import linalg, numpy_vjps

from .device import on_device, refuse_mixed
from .device_numpy import Rules, inverse, parse_einsum_input
from .engine import getval, like

# ---- products ---------------------------------------------------------------------------------


def _contracted(x: Any, y: Any, axes_of_x: list[int], axes_of_y: list[int]) -> Any:
    """Their product, summed over pairs of axes."""
    if not anp.ndim(x) or not anp.ndim(y):
        return x * y
    return anp.tensordot(x, y, (axes_of_x, axes_of_y))


def _axes_of_tensordot(A: Any, B: Any, axes: Any) -> tuple[list[int], list[int]]:
    """The axes that are summed over, of each."""
    if np.ndim(axes) == 0:
        n = int(axes)
        return [*range(anp.ndim(A) - n, anp.ndim(A))], [*range(n)]
    left, right = ([int(i) for i in np.atleast_1d(a)] for a in axes)
    return [i % anp.ndim(A) for i in left], [i % anp.ndim(B) for i in right]


def _tensordot_left(g: Any, ans: Any, A: Any, B: Any, axes: Any = 2) -> Any:
    """Ā: g and B summed over the axes that only B has; then its axes in A's order."""
    left, right = _axes_of_tensordot(A, B, axes)
    free_A = [i for i in range(anp.ndim(A)) if i not in left]
    free_B = [i for i in range(anp.ndim(B)) if i not in right]
    if not anp.ndim(A):
        return anp.sum(g * B)
    made = _contracted(g, B, [*range(len(free_A), anp.ndim(g))], free_B)
    order = free_A + [left[right.index(i)] for i in sorted(right)]  # the axes of `made`
    return anp.transpose(made, inverse(order))


def _tensordot_right(g: Any, ans: Any, A: Any, B: Any, axes: Any = 2) -> Any:
    left, right = _axes_of_tensordot(A, B, axes)
    free_A = [i for i in range(anp.ndim(A)) if i not in left]
    free_B = [i for i in range(anp.ndim(B)) if i not in right]
    if not anp.ndim(B):
        return anp.sum(g * A)
    made = _contracted(A, g, free_A, [*range(len(free_A))])
    order = [right[left.index(i)] for i in sorted(left)] + free_B
    return anp.transpose(made, inverse(order))


def _axes_of_dot(A: Any, B: Any) -> tuple[list[int], list[int]]:
    """dot sums over the last axis of A and the last but one of B."""
    if not anp.ndim(A) or not anp.ndim(B):
        return [], []
    return [anp.ndim(A) - 1], [max(anp.ndim(B) - 2, 0)]


def _axes_of_inner(A: Any, B: Any) -> tuple[list[int], list[int]]:
    """inner sums over the last axes of both."""
    if not anp.ndim(A) or not anp.ndim(B):
        return [], []
    return [anp.ndim(A) - 1], [anp.ndim(B) - 1]


def _dot_left(g: Any, ans: Any, A: Any, B: Any) -> Any:
    return _tensordot_left(g, ans, A, B, _axes_of_dot(A, B))


def _dot_right(g: Any, ans: Any, A: Any, B: Any) -> Any:
    return _tensordot_right(g, ans, A, B, _axes_of_dot(A, B))


def _inner_left(g: Any, ans: Any, A: Any, B: Any) -> Any:
    return _tensordot_left(g, ans, A, B, _axes_of_inner(A, B))


def _inner_right(g: Any, ans: Any, A: Any, B: Any) -> Any:
    return _tensordot_right(g, ans, A, B, _axes_of_inner(A, B))


def _outer_left(g: Any, ans: Any, a: Any, b: Any) -> Any:
    return anp.reshape(anp.matmul(g, anp.ravel(b)), anp.shape(a))


def _outer_right(g: Any, ans: Any, a: Any, b: Any) -> Any:
    return anp.reshape(anp.matmul(anp.ravel(a), g), anp.shape(b))


def _einsum(argnum: int, ans: Any, operands: tuple, kwargs: dict) -> Callable:
    """The cotangent of an operand: g and the other operands, summed over what it has not.

    A subscript that only this operand has is one that it is summed over: g has the same value at
    all places of it, and is broadcast.
    """
    subscripts, out, _ = parse_einsum_input(*operands)
    of = subscripts.split(",")
    by_name = isinstance(operands[0], str)
    arrays = operands[1:] if by_name else operands[0 : 2 * len(of) : 2]
    k = argnum - 1 if by_name else argnum // 2
    others = [i for i in range(len(of)) if i != k]
    known = set(out).union(*(of[i] for i in others))
    shared = "".join(c for c in of[k] if c in known)
    equation = f"{','.join([out, *(of[i] for i in others)])}->{shared}"
    alone = tuple(i for i, c in enumerate(of[k]) if c not in known)
    x = arrays[k]
    meta = anp.metadata(x)

    def vjp(g):
        made = anp.einsum(equation, g, *(arrays[i] for i in others))
        for i in alone:
            made = anp.expand_dims(made, i)
        if alone:
            sizes = (anp.shape(x)[i] if i in alone else n for i, n in enumerate(anp.shape(made)))
            made = anp.broadcast_to(made, tuple(sizes))
        return like(numpy_vjps.unbroadcast(made, meta), x)

    return vjp


def einsum_maker(theirs: Callable) -> Callable:
    """autograd's table entry for einsum, and ours on a GPU."""

    def make(argnums, ans, args, kwargs):
        if not on_device(ans):
            return theirs(argnums, ans, args, kwargs)
        refuse_mixed(map(getval, args))  # CuPy's einsum would copy what is the host's
        vjps = [_einsum(i, ans, args, kwargs) for i in argnums]
        return lambda g: tuple(vjp(g) for vjp in vjps)

    return make


# ---- linalg -----------------------------------------------------------------------------------


def _T(x: Any) -> Any:
    return anp.swapaxes(x, -1, -2)


def _eye(x: Any) -> Any:
    """The identity beside the columns of x, in its precision."""
    dtype = anp.result_type(x)
    return sys.modules["cupy"].eye(anp.shape(x)[-1], dtype=dtype.type(0).real.dtype)


def _product(*factors: Any) -> Any:
    total = factors[0]
    for x in factors[1:]:
        total = anp.matmul(total, x)
    return total


def _differences(w: Any) -> Any:
    """w[j] - w[i]."""
    return w[..., None, :] - w[..., :, None]


def _pinv(g: Any, P: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    PT = _T(P)
    first = _product(P, PT, g)
    second = _product(g, PT, P)
    outside = first - _product(first, x, P) + second - _product(P, x, second)
    return _T(outside - _product(P, _T(g), P))


def _eigh(g: Any, ans: Any, x: Any, UPLO: str = "L") -> Any:
    (w, v), (of_w, of_v) = ans, g
    vT, vc = _T(v), anp.conj(v)
    made = _product(vc * of_w[..., None, :], vT)
    if anp.any(getval(of_v)):  # without vectors, equal values do no harm
        eye = _eye(x)
        F = (1 - eye) / (_differences(w) + eye)
        made = made + _product(vc, F * _product(vT, of_v), vT)
    both = made + anp.conj(_T(made))  # eigh reads one triangle
    triangle = anp.tril(both, -1) if UPLO == "L" else anp.triu(both, 1)
    return anp.real(made) * _eye(x) + triangle


def _eig(g: Any, ans: Any, x: Any) -> Any:
    (w, v), (of_w, of_v) = ans, g
    eye, vT = _eye(x), _T(v)
    f = 1 / (_differences(w) + 1e-20) * (1 - eye)
    along = _product(vT, of_v)
    scaled = f * _product(_product(vT, anp.conj(v)), anp.real(along) * eye)
    made = _product(linalg.inv(vT), of_w[..., None, :] * eye + f * along - scaled, vT)
    return made if anp.iscomplexobj(x) else anp.real(made)


def _cholesky(g: Any, L: Any, x: Any) -> Any:
    X = anp.tril(_product(_T(L), g)) / (1 + _eye(x))
    S = linalg.solve(_T(L), _T(linalg.solve(_T(L), _T(X))))
    return (S + _T(S)) / 2


def _svd(g: Any, ans: Any, x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    if not compute_uv:
        u, _, vh = linalg.svd(x, full_matrices=False)
        return _product(anp.conj(u) * g[..., None, :], anp.conj(vh))
    if full_matrices:
        raise NotImplementedError("Gradient of svd not implemented for full_matrices=True")
    (u, s, vh), (of_u, of_s, of_vh) = ans, g
    v, of_v = anp.conj(_T(vh)), anp.conj(_T(of_vh))
    m, n = anp.shape(x)[-2:]
    eye = _eye(u)
    f = 1 / (_differences(s**2) + eye)
    row = s[..., None, :]
    in_u, in_v = _product(_T(u), of_u), _product(_T(v), of_v)
    made = f * (in_u - anp.conj(_T(in_u))) * row
    made = made + eye * of_s[..., :, None]
    made = made + s[..., :, None] * (f * (in_v - anp.conj(_T(in_v))))
    if anp.iscomplexobj(u):
        made = made + 1j * anp.imag(eye * in_u) / row
    made = _product(anp.conj(u), made, _T(v))
    if m < n:  # what of v lies outside the rows of x
        outside = _product(u / row, _T(of_v))
        made = made + anp.conj(outside - _product(outside, v, anp.conj(_T(v))))
    if m > n:
        outside = _product(v / row, _T(of_u))
        made = made + _T(outside - _product(outside, u, anp.conj(_T(u))))
    return made


VJPS: Rules = {
    anp.dot: {0: _dot_left, 1: _dot_right},
    anp.inner: {0: _inner_left, 1: _inner_right},
    anp.outer: {0: _outer_left, 1: _outer_right},
    anp.tensordot: {0: _tensordot_left, 1: _tensordot_right},
    linalg.pinv: {0: _pinv},
    linalg.eigh: {0: _eigh},
    linalg.eig: {0: _eig},
    linalg.cholesky: {0: _cholesky},
    linalg.svd: {0: _svd},
}
"""Rules that stand for autograd's on a GPU."""
