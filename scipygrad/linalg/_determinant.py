"""Determinants of sparse matrices, by their logarithm: additions to SciPy's names.

From L U = P A Q:  log det A = Σ log u_ii, up to signs. Its derivative is tr(A⁻¹ Ȧ), so the gradient
is A⁻ᵀ on the stored entries. These few entries of the inverse come from L and U by the recurrence
of Takahashi, at about the cost of the factorisation; A⁻¹ itself is never formed.

All derivatives are entries of chains A⁻ᵀ G₁ᵀ A⁻ᵀ ⋯ Gₘᵀ A⁻ᵀ, with sparse G, which are closed under
differentiation (docs/derivations/linalg_determinant.md).
"""

from __future__ import annotations

import threading
import warnings
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from .._core.device import array_to_device, on_device, say_host, to_host
from .._core.engine import is_sparse, primitive, strip
from .._core.pattern import Pattern
from .._core.traced import entries_to_keep, lift
from ..sparse._convert import as_format
from ._factor import GOOD, LU, Factorised, canonical, default_factors, symmetric_factors

COLUMNS = 32  # of chains, that are dense at one time
FILL = 4  # how much larger than the factors a structure may be that is closed by symmetry


class Determinant(Factorised):
    """SuperLU's factors of A (None if A is singular), and what is read off them once."""

    def __init__(self, pattern: Pattern) -> None:
        super().__init__(pattern)
        self._entries: tuple[np.ndarray, np.ndarray] | None = None
        self._lock = threading.Lock()

    def factors(self, data: np.ndarray) -> Any:
        kept = self._of
        if kept is not None and kept[0] is data:
            return kept[1]
        try:
            return self._make(data, lambda A: _accurate(A, self.pattern))
        except RuntimeError as error:
            if "singular" not in str(error):
                raise
            self.keep(data, None)
            return None

    def sign_and_log(self, data: np.ndarray) -> tuple[Any, Any]:
        """det A / abs(det A) and log abs(det A)."""
        real = np.zeros(0, data.dtype).real.dtype.type
        if not len(self.pattern.arrays[0]) - 1:
            return data.dtype.type(1), real(0)
        factors = self.factors(data)
        if factors is None:
            return data.dtype.type(0), real(-np.inf)
        u, permutations = factors.diagonal, _parity(factors.lu.perm_r) * _parity(factors.lu.perm_c)
        sign = permutations * np.prod(u / abs(u))
        return data.dtype.type(sign), real(np.log(abs(u.astype(complex))).sum())

    def inverse_entries(self, data: np.ndarray) -> np.ndarray:
        """The entries of A⁻ᵀ on the pattern of A."""
        with self._lock:  # L and U are there once only
            kept = self._entries
            if kept is None or kept[0] is not data:
                kept = self._entries = data, self._find_entries(data)
            return kept[1]

    def _find_entries(self, data: np.ndarray) -> np.ndarray:
        factors = self.factors(data)
        if factors is None:
            warnings.warn("Matrix is exactly singular", spla.MatrixRankWarning, stacklevel=2)
            return np.full(data.shape, np.nan, data.dtype)
        A = self.matrix(data)
        rows = factors.lu.perm_r[A.indices]
        columns = np.repeat(factors.lu.perm_c, np.diff(A.indptr))
        entries = _selected(factors, rows, columns)
        return self.chain(data) if entries is None else entries

    def chain(self, data: np.ndarray, *gs: np.ndarray) -> np.ndarray:
        """The entries of A⁻ᵀ G₁ᵀ A⁻ᵀ ⋯ Gₘᵀ A⁻ᵀ on the pattern of A, by solves."""
        n = self.pattern.shape[0]
        out = np.empty(data.shape, np.result_type(data, *gs))
        i, j = self.pattern.coords
        by_column = np.argsort(j, kind="stable")
        starts = np.searchsorted(j[by_column], np.arange(0, n + COLUMNS, COLUMNS))
        factors = [self.pattern.view(g).T for g in reversed(gs)]
        for first, p, q in zip(range(0, n, COLUMNS), starts, starts[1:]):
            width = min(COLUMNS, n - first)
            Y = np.zeros((n, width), data.dtype, order="F")
            Y[first : first + width] = np.eye(width)
            Y = self.solve(data, Y, True)
            for G in factors:
                Y = self.solve(data, G @ Y, True)
            block = by_column[p:q]
            out[block] = Y[i[block], j[block] - first]
        return out


class Factors(LU):
    """SuperLU's factors, with those of their entries that a determinant needs."""

    def __init__(self, factors: LU) -> None:
        super().__init__(factors.lu, factors.complex)
        self.diagonal = self.lu.U.diagonal()

    def release(self) -> None:
        """Give back the memory of L and U in csc, which SuperLU keeps beside its own factors."""
        for M in (self.lu.L, self.lu.U):
            M.data, M.indices = M.data[:0].copy(), M.indices[:0].copy()


def _accurate(A: Any, pattern: Pattern) -> Factors:
    """Factors with pivots from the diagonal, if they need no refinement; else SciPy's default."""
    checked = symmetric_factors(A, pattern, small=1)
    if checked is not None:
        b = A @ np.ones(A.shape[0], A.dtype)
        if checked.residual(checked.unchecked(b, False), b, False)[1] <= GOOD:
            return Factors(checked.factors)
    return Factors(default_factors(A))


def _parity(permutation: np.ndarray) -> int:
    """1 for an even permutation, -1 for an odd one."""
    from scipy.sparse.csgraph import connected_components

    n = len(permutation)
    graph = sps.csr_array((np.ones(n, bool), permutation, np.arange(n + 1)), shape=(n, n))
    return 1 - 2 * ((n - connected_components(graph, return_labels=False)) % 2)


# ---- entries of the inverse, from L and U ------------------------------------------------------


class Factor(NamedTuple):
    """A triangular factor: L by columns, U by rows."""

    indptr: np.ndarray
    indices: np.ndarray
    data: np.ndarray


def _selected(factors: Factors, rows: np.ndarray, columns: np.ndarray) -> np.ndarray | None:
    """Z[columns[p], rows[p]] of Z = (L U)⁻¹; None if that would take too much memory.

    The recurrence needs a closed structure. That of L and U is closed, but SciPy leaves out of them
    what is exactly 0, be it by cancellation. So for pivots from the diagonal the structure is found
    anew, and for others if it turns out that something is missing.
    """
    lu, entries = factors.lu, None
    lu.L.sort_indices()
    if not np.array_equal(lu.perm_r, lu.perm_c):
        U = lu.U.tocsr()
        left = Factor(lu.L.indptr, lu.L.indices, lu.L.data.copy())
        entries = _recurrence(factors, left, Factor(U.indptr, U.indices, U.data), rows, columns)
    if entries is None:
        closed = _closed(lu, rows, columns)
        factors.release()
        entries = None if closed is None else _recurrence(factors, *closed, rows, columns)
    return entries


def _recurrence(
    factors: Factors, left: Factor, right: Factor, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray | None:
    from .._backend.elimination import read_selected, selected_inverse

    diagonal = factors.diagonal
    z, out = np.empty_like(diagonal), np.empty(len(rows), diagonal.dtype)
    closed = selected_inverse(diagonal, z, *left, *right)
    return out if closed and read_selected(out, rows, columns, z, *left, *right) else None


def _closed(lu: Any, rows: np.ndarray, columns: np.ndarray) -> tuple[Factor, Factor] | None:
    """L and U on the structure of a Cholesky factor; None if it is much larger than theirs."""
    from .._backend.elimination import fill, spread, spread_transposed

    n, index = lu.shape[0], lu.L.indptr.dtype
    ij = np.r_[rows, columns], np.r_[columns, rows]
    A = sps.coo_array((np.ones(2 * len(rows), bool), ij), shape=(n, n)).tocsc()
    limit = min(FILL * max(lu.L.nnz, lu.U.nnz), np.iinfo(index).max - n)
    indptr, indices = fill(A.indptr.astype(index), A.indices.astype(index), limit)
    if len(indptr) <= n:
        return None
    S = sps.csc_array((np.ones(len(indices), bool), indices, indptr), shape=(n, n))
    S.sort_indices()
    left, right = (Factor(S.indptr, S.indices, np.zeros(S.nnz, lu.L.dtype)) for _ in "LU")
    spread(left.data, left.indptr, left.indices, lu.L.data, lu.L.indptr, lu.L.indices)
    spread_transposed(right.data, right.indptr, right.indices, lu.U.data, lu.U.indptr, lu.U.indices)
    return left, right


# ---- log det A -------------------------------------------------------------------------------


@primitive(wrt=("data",))
def log_determinant(data, solver):
    """log abs(det A); for a complex matrix log det A."""
    sign, size = solver.sign_and_log(data)
    return size if data.dtype.kind != "c" else data.dtype.type(size + 1j * np.angle(sign))


@log_determinant.vjp("data")  # Ā = ḡ A⁻ᵀ on the stored entries
def _(g, ans, data, solver):
    return g * inverse_chain(data, solver)


@log_determinant.jvp("data")  # tr(A⁻¹ Ȧ)
def _(t, ans, data, solver):
    return anp.sum(inverse_chain(data, solver) * t)


# ---- C = A⁻ᵀ G₁ᵀ A⁻ᵀ ⋯ Gₘᵀ A⁻ᵀ on the pattern of A --------------------------------------------


@primitive(wrt=("data", "gs"))
def inverse_chain(data, solver, *gs):
    """The entries of A⁻ᵀ G₁ᵀ A⁻ᵀ ⋯ Gₘᵀ A⁻ᵀ on the pattern of A; without any G, those of A⁻ᵀ."""
    return solver.chain(data, *gs) if gs else solver.inverse_entries(data)


@inverse_chain.joint_jvp  # the derivative of A⁻ᵀ puts in another factor:  -A⁻ᵀ Ȧᵀ A⁻ᵀ
def _(positions, tangents, ans, data, solver, *gs):
    terms = []
    for position, t in zip(positions, tangents):
        if position == 0:
            terms += [-inverse_chain(data, solver, *gs[:k], t, *gs[k:])
                      for k in range(len(gs) + 1)]  # fmt: skip
        else:
            k = position - 2
            terms.append(inverse_chain(data, solver, *gs[:k], t, *gs[k + 1 :]))
    return sum(terms[1:], terms[0])


@inverse_chain.joint_vjp  # the trace of Hᵀ C, turned round until the factor asked for stands first
def _(positions, g, ans, data, solver, *gs):
    grads = []
    for position in positions:
        if position == 0:
            terms = [-inverse_chain(data, solver, *gs[k:], g, *gs[:k]) for k in range(len(gs) + 1)]
            grads.append(sum(terms[1:], terms[0]))
        else:
            k = position - 2
            grads.append(inverse_chain(data, solver, *gs[k + 1 :], g, *gs[:k]))
    return grads


# ---- the functions ---------------------------------------------------------------------------


class SlogdetResult(NamedTuple):
    """Sign and logarithm of the absolute value of a determinant."""

    sign: Any
    logabsdet: Any


def _system(name: str, A: Any) -> tuple[Any, Determinant]:
    if not is_sparse(A):
        raise TypeError(
            f"{name}: the matrix must be sparse, not {type(A).__name__}. Make it so, "
            "sp.csc_array(A), or use autograd.numpy.linalg.slogdet."
        )
    A = lift(A)
    if len(A.shape) != 2 or A.shape[0] != A.shape[1]:
        raise ValueError(f"{name}: the matrix must be square, not of shape {A.shape}")
    A = canonical(A if A.format in ("csr", "csc") else as_format(A, "csc"))
    return entries_to_keep(A), Determinant(A._pattern)


def slogdet(A: Any) -> SlogdetResult:
    """Sign and logarithm of the absolute value of the determinant of a sparse matrix.

    An addition to SciPy's names; `numpy.linalg.slogdet` for sparse matrices. Differentiable in A,
    to every order; the gradient, entries of the inverse transpose, is on the stored entries of A.

    Parameters
    ----------
    A : sparse matrix or array
        Square, of any format. SuperLU factorises it, once for the value and all derivatives; one
        on a GPU is copied to the host for it, with a `HostWarning`.

    Returns
    -------
    sign : number
        det A / abs(det A): 1 or -1 for a real matrix, on the unit circle for a complex one (and
        then differentiable too); 0 if A is singular.
    logabsdet : float
        log abs(det A); -inf if A is singular.

    See Also
    --------
    logdet : log det A

    Notes
    -----
    The gradient costs about as much as the factorisation. A further derivative, such as a
    Hessian-vector product, costs two solves for each row of A.

    Examples
    --------
    >>> import scipygrad as sg
    >>> from autograd import grad
    >>> A = sg.sparse.csr_array([[2.0, 1.0], [0.0, -4.0]])
    >>> sign, logabsdet = sg.linalg.slogdet(A)
    >>> print(sign, round(float(logabsdet), 6))
    -1.0 2.079442
    >>> print(grad(lambda A: sg.linalg.slogdet(A).logabsdet)(A).toarray())
    [[ 0.5   0.  ]
     [ 0.   -0.25]]
    """
    if on_device(A):
        say_host("slogdet")
        return SlogdetResult(*map(array_to_device, slogdet(to_host(A))))
    data, solver = _system("slogdet", A)
    sign, _ = solver.sign_and_log(strip(data))
    log = log_determinant(data, solver)
    if anp.result_type(data).kind != "c":
        return SlogdetResult(sign, log)
    return SlogdetResult(sign if sign == 0 else anp.exp(1j * anp.imag(log)), anp.real(log))


def logdet(A: Any) -> Any:
    """Logarithm of the determinant of a sparse matrix.

    An addition to SciPy's names. Differentiable in A, as `slogdet` is.

    Parameters
    ----------
    A : sparse matrix or array
        Square, of any format.

    Returns
    -------
    number
        log det A, the principal value for a complex matrix. For a real one it is nan, with a
        RuntimeWarning, if the determinant is negative; use `slogdet` then. -inf if A is singular.

    See Also
    --------
    slogdet : sign and logarithm of the absolute value

    Examples
    --------
    >>> import scipygrad as sg
    >>> from autograd import grad
    >>> A = sg.sparse.csc_array([[2.0, 1.0], [1.0, 4.0]])
    >>> round(float(sg.linalg.logdet(A)), 6)
    1.94591
    >>> grad(sg.linalg.logdet)(A).toarray().round(3)
    array([[ 0.571, -0.143],
           [-0.143,  0.286]])
    """
    if on_device(A):
        say_host("logdet")
        return array_to_device(logdet(to_host(A)))
    data, solver = _system("logdet", A)
    log = log_determinant(data, solver)
    if anp.result_type(data).kind == "c":
        return log
    sign, _ = solver.sign_and_log(strip(data))
    if sign < 0:
        warnings.warn("logdet: the determinant is negative; slogdet gives its sign",
                      RuntimeWarning, stacklevel=2)  # fmt: skip
        return log * np.nan
    return log
