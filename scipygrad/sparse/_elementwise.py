"""Entry by entry: + - * / between matrices and scalars, powers, absolute value, ufuncs.

Sums live on the union of the patterns, products on their intersection, whatever the values are:
where SciPy drops an entry that cancels to zero, an explicit zero stays, and its derivative.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from .._backend import backend
from .._core.device import beside, namespace, on_device, one_device, there
from .._core.engine import cast, is_sparse, isbox, primitive, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.npmatrix import as_ndarray, as_npmatrix, is_npmatrix
from .._core.pattern import Pattern, entries
from .._core.tags import Gather, coalesced, gather, paired, scatter, take
from .._core.traced import TracedBase, class_of_ours, entries_of, lift, make
from ._convert import as_format, to_dense
from ._matmul import _is_scalar, _matmul
from ._power import matrix_power, power

# ---- sums -------------------------------------------------------------------------------------


class Union(NamedTuple):
    """Two operands on the union of their patterns: with entries `a` and `b`, zero where missing."""

    a: Any
    b: Any
    pattern: Pattern
    cls: type

    def filled(self, data: Any) -> Any:
        """The matrix on the union that has these entries."""
        return make(self.pattern, data, self.cls)


def union(A: TracedBase, B: TracedBase, sign: int = 1) -> Union:
    """A and B on the pattern that A + B (A - B) has in SciPy when nothing cancels."""
    a, b, pattern, cls, left, right = union_maps(A, B, sign)
    return Union(gather(a, left), gather(b, right), pattern, cls)


def union_maps(A: TracedBase, B: TracedBase, sign: int) -> tuple[Any, Any, Pattern, type, Any, Any]:
    """The entries of both, and the union with the maps of either's entries to it."""
    one_device(entries_of(A), entries_of(B))
    A, B = coalesced(A), coalesced(B)
    p, q = A._pattern, B._pattern

    def build():
        if there(A):
            from . import _device_plans

            plan = _device_plans.union(A, B, sign)
            if plan is not None:
                return plan
        # One run of SciPy's operation shows both maps: A's tags are real parts, B's imaginary.
        left, right = p.matrix(p.tags + 0j, A._class), q.matrix(q.tags * 1j, B._class)
        C = left + right if sign > 0 else left - right
        tags = entries(C)
        of_A = Gather(tags.real.astype(np.intp) - 1, p.entries_shape, tags.shape)
        of_B = Gather(sign * tags.imag.astype(np.intp) - 1, q.entries_shape, tags.shape)
        return Pattern.of(C, own=True), class_of_ours(type(C)), of_A, of_B

    plan = p.plan(("add", there(A), sign, A._class, q, B._class), build)
    return entries_of(A), entries_of(B), *plan


@primitive(wrt=("a", "b"))
def union_sum(a, b, left, right, sign):
    """a ± b on the union of their patterns, in one pass."""
    if type(a) is not np.ndarray:
        out = backend(a, b).gather_sum(a.reshape(-1), b.reshape(-1), left, right, sign)
        return out.reshape(left.out_shape)
    dtype = np.result_type(a, b)
    a, b = (x.reshape(-1).astype(dtype, copy=False) for x in (a, b))
    if dtype.char in "fdFD":
        from .._backend.entrywise import gather_sum

        out = gather_sum(a, b, left.index, right.index, sign)
    else:
        a, b = take(a, left.index), take(b, right.index)
        out = a + b if sign > 0 else a - b
    return out.reshape(left.out_shape)


union_sum.keeps()


@union_sum.joint_vjp
def _(names, g, ans, a, b, left, right, sign):
    maps = {"a": lambda: scatter(g, left), "b": lambda: _signed(sign, scatter(g, right), right)}
    return [maps[name]() for name in names]


def _signed(sign: int, x: Any, plan: Gather) -> Any:
    """``sign * x`` of what `scatter` made by a plan: in place, if that is an array of its own."""
    if sign > 0:
        return x
    return np.negative(x, out=x) if type(x) is np.ndarray and not plan.identity else -x


@union_sum.joint_jvp
def _(names, tangents, ans, a, b, left, right, sign):
    dtype = anp.result_type(ans)
    tangents = [t if anp.result_type(t) == dtype else cast(t, dtype) for t in tangents]
    if len(names) == 2:
        return union_sum(*tangents, left, right, sign)
    if names[0] == "a":
        return gather(tangents[0], left)
    return gather(tangents[0] if sign > 0 else -tangents[0], right)


def add(A: TracedBase, B: TracedBase, sign: int) -> Any:
    """A + B or A - B."""
    a, b, pattern, cls, left, right = union_maps(A, B, sign)
    if left.identity and right.identity:
        a, b = gather(a, left), gather(b, right)
        return make(pattern, a + b if sign > 0 else a - b, cls)
    return make(pattern, union_sum(a, b, left, right, sign), cls)


def _add_dense(A: TracedBase, D: Any, sign_A: int, sign_D: int) -> Any:
    # SciPy's dok adds np.matrix to an array; the other formats make their own kind of it.
    as_matrix = A._is_matrix() or (A.format == "dok" and sign_A == sign_D and is_npmatrix(D))
    D = as_ndarray(D)
    if np.broadcast_shapes(A.shape, anp.shape(D)) != A.shape:
        raise ValueError("inconsistent shapes")
    dense, D = to_dense(A), _beside(A, D)
    one_device(dense, D)
    total = (dense if sign_A > 0 else -dense) + (D if sign_D > 0 else -D)
    return as_npmatrix(total) if as_matrix else total


def _sum(A: TracedBase, other: Any, sign_A: int, sign_other: int, verb: str) -> Any:
    if is_sparse(other):
        B = lift(other)
        if A.shape != B.shape:
            raise ValueError("inconsistent shapes")
        return (
            add(A, B, 1)
            if sign_A == sign_other == 1
            else (add(A, B, -1) if sign_A == 1 else add(B, A, -1))
        )
    if _is_scalar(other):
        if isbox(other) or other != 0:
            raise NotImplementedError(f"{verb} a nonzero scalar is not supported by sparse arrays")
        return A.copy() if sign_A == 1 else -A
    if isbox(other) or isinstance(other, np.ndarray) or type(other) in DEVICE_ARRAYS:
        return _add_dense(A, other, sign_A, sign_other)
    return NotImplemented


# ---- products and quotients -------------------------------------------------------------------


def scale(A: TracedBase, s: Any) -> Any:
    """A s for a scalar."""
    return make(A._pattern, entries_of(A) * _beside(A, s), A._class)


def _beside(A: TracedBase, x: Any) -> Any:
    """A dense operand for the entries of A; if traced, in the dtype that the result will have.

    autograd's rules leave a cotangent in the dtype of the result; `cast` brings it back.
    """
    x = beside(x, A)
    if type(x) in DEVICE_ARRAYS:
        return x
    if not isbox(x):
        return np.asarray(x)[()] if not np.isscalar(x) else x
    dtype = np.result_type(A.dtype, anp.result_type(x))
    return x if anp.result_type(x) == dtype else cast(x, dtype)


def _in_dtype(A: Any, dtype: np.dtype) -> Any:
    """The result of an in-place operation, which keeps the dtype of the matrix."""
    if not np.can_cast(A.dtype, dtype, "same_kind"):
        raise TypeError(f"an in-place operation cannot turn a {dtype} matrix into {A.dtype}")
    return A.astype(dtype)


def multiply(A: TracedBase, other: Any) -> Any:
    """Entrywise product with a sparse or dense operand, broadcast as SciPy does."""
    if _is_scalar(other):
        return scale(A, other)
    if is_sparse(other):
        return paired(lambda M, N: M.multiply(N), A, lift(other), "multiply")
    D = other if isbox(other) or type(other) in DEVICE_ARRAYS else np.asarray(other)
    return paired(lambda M, N: M.multiply(N), A, D, "multiply")


def divide(A: TracedBase, other: Any) -> Any:
    """Entrywise quotient A / other."""
    if _is_scalar(other):
        if A.format in ("lil", "dok"):  # they divide; the others multiply by the reciprocal
            return make(A._pattern, entries_of(A) / _beside(A, other), A._class)
        return scale(_as_float(A), 1 / other)
    if is_sparse(other):
        return _quotient(_as_float(A), lift(other))
    D = other if isbox(other) or type(other) in DEVICE_ARRAYS else np.asarray(other)
    return multiply(A, 1 / D)


def _nan_outside(both: Any, dense: Any, dtype: np.dtype) -> Any:
    """An array beside `dense`: zeros where something is stored, nan elsewhere."""
    if on_device(dense):
        xp = namespace(strip(dense))
        inside = to_dense(lift(both.filled(xp.ones(both.pattern.entries_shape, dtype))))
        return xp.where(inside == 0, np.nan, 0.0).astype(dtype)
    outside = np.full(dense.shape, np.nan, dtype)
    outside[both.pattern.coords] = 0
    return outside


def _quotient(A: TracedBase, B: TracedBase) -> Any:
    """A / B of sparse matrices: a dense array, as in SciPy, since it is nan where neither is."""
    if A.shape != B.shape:
        raise ValueError(f"inconsistent shapes {A.shape} and {B.shape}")
    shape = A.shape
    if A.ndim > 2:
        A, B = lift(A.reshape((1, -1))), lift(B.reshape((1, -1)))
    both = union(as_format(A, "csr"), as_format(B, "csr"))
    with np.errstate(divide="ignore", invalid="ignore"):
        q = both.a / both.b
    dense = to_dense(lift(both.filled(q)))
    dtype = np.result_type(A.dtype)
    if anp.result_type(dense).kind == "c" and dtype.kind != "c":
        warnings.warn(
            "Casting complex values to real discards the imaginary part",
            np.exceptions.ComplexWarning,
            stacklevel=4,
        )
    total = anp.reshape(cast(dense, dtype) + _nan_outside(both, dense, dtype), shape)
    return as_npmatrix(total) if A._is_matrix() else total


def _as_float(A: TracedBase) -> TracedBase:
    """What SciPy divides: float64 for all that this can hold, float32 included."""
    if not np.can_cast(A.dtype, np.float64):
        return A
    return lift(make(A._pattern, cast(entries_of(A), np.float64), A._class))


# ---- functions of the entries -----------------------------------------------------------------


def entrywise(A: TracedBase, f: Callable[[Any], Any], *, linear: bool = False) -> Any:
    """f of every entry; duplicates are summed before unless f is linear."""
    if A.format in ("lil", "dok"):
        A = as_format(A, "csr")
    if not linear:
        A = coalesced(A)
    # Of our class: f may be one without derivative, of a traced matrix of SciPy's.
    return make(A._pattern, f(entries_of(A)), class_of_ours(A._class))


class Elementwise:
    """Arithmetic, powers and functions of the entries."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return _sum(self, other, 1, 1, "adding")

    def __radd__(self, other: Any) -> Any:
        if is_sparse(other):  # a plain one of SciPy's, whose class decides as it does on the left
            return _sum(lift(other), self, 1, 1, "adding")
        return _sum(self, other, 1, 1, "adding")

    def __sub__(self, other: Any) -> Any:
        return _sum(self, other, 1, -1, "subtracting")

    def __rsub__(self, other: Any) -> Any:
        return _sum(self, other, -1, 1, "subtracting from")

    def __mul__(self, other: Any) -> Any:
        if self._is_matrix() and not _is_scalar(other):
            return _matmul(self, other)
        return multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        if is_sparse(other):  # a plain one of SciPy's, whose family says what `*` is
            return lift(other) * self
        if self._is_matrix() and not _is_scalar(other):
            return self.__rmatmul__(other)
        return multiply(self, other)

    def __truediv__(self, other: Any) -> Any:
        return divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        if is_sparse(other):
            return divide(lift(other), self)
        return NotImplemented

    def __rpow__(self, other: Any) -> Any:
        return NotImplemented

    def __pow__(self, power: Any) -> Any:
        return matrix_power(self, power) if self._is_matrix() else self.power(power)

    def __neg__(self) -> Any:
        A = as_format(self, "csr") if self.format == "lil" else self
        return make(A._pattern, -entries_of(A), A._class)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return entrywise(self, anp.abs)

    def multiply(self, other: Any) -> Any:
        """Entrywise product."""
        return multiply(self, other)

    def power(self, n: Any, dtype: Any = None) -> Any:
        """Entrywise power."""
        if not _is_scalar(n):
            raise NotImplementedError("input is not scalar")
        if not strip(n):
            raise NotImplementedError(
                "zero power is not supported as it would densify the matrix.\n"
                "Use `np.ones(A.shape, dtype=A.dtype)` for this case."
            )
        A = self if dtype is None else lift(self.astype(dtype))
        if isbox(n):
            return entrywise(A, lambda data: data ** _beside(A, n))
        return entrywise(A, lambda data: power(data, _beside(A, n)))

    def conjugate(self, copy: bool = True) -> Any:
        """Complex conjugate."""
        if self.dtype.kind != "c":
            return self.copy() if copy else self
        return entrywise(self, anp.conj, linear=True)

    conj = conjugate

    def getH(self) -> Any:
        """Conjugate transpose."""
        return self.conjugate().transpose()

    real = property(lambda self: entrywise(self, anp.real, linear=True))
    imag = property(lambda self: entrywise(self, anp.imag, linear=True))

    def __imul__(self, other: Any) -> Any:
        if not _is_scalar(other):
            return NotImplemented
        self._become(lift(_in_dtype(scale(self, other), self.dtype)))
        return self

    def __itruediv__(self, other: Any) -> Any:
        if not _is_scalar(other):
            return NotImplemented
        self._become(lift(_in_dtype(scale(self, 1 / other), self.dtype)))
        return self

    # NumPy's unary functions that leave zeros zero, as methods (SciPy's list).
    def _ufunc(f: Callable[[Any], Any]) -> Any:  # noqa: N805 (runs in the class body)
        def method(self):
            return entrywise(self, f)

        method.__name__ = f.__name__
        method.__doc__ = f"Element-wise {f.__name__}."
        return method

    arcsin, arcsinh = _ufunc(anp.arcsin), _ufunc(anp.arcsinh)
    arctan, arctanh = _ufunc(anp.arctan), _ufunc(anp.arctanh)
    ceil, floor, rint, trunc = map(_ufunc, (anp.ceil, anp.floor, anp.rint, anp.trunc))
    deg2rad, rad2deg = _ufunc(anp.deg2rad), _ufunc(anp.rad2deg)
    expm1, log1p = _ufunc(anp.expm1), _ufunc(anp.log1p)
    sign, sin, sinh, sqrt = map(_ufunc, (anp.sign, anp.sin, anp.sinh, anp.sqrt))
    tan, tanh = _ufunc(anp.tan), _ufunc(anp.tanh)
    del _ufunc
