"""Direct solves on a GPU by NVIDIA's cuDSS, through nvmath-python (extra ``gpu-direct``).

cuDSS solves with A, and not with Aᵀ: the adjoint has an analysis of its own, of Aᵀ. If A is
symmetric or Hermitian by its values, the factors of A serve for both.

What is kept. An analysis (`_cudss_analysis`) holds one factorisation at a time, in memory of the
size of the factors. A factorisation of ours (`Factors`) belongs to the closure of a result, and
there may be many of one structure: all steps of a time loop wait for the backward pass. If each
had an analysis, it would be made anew in each step, and the memory be full. So they share:
`Factors` is the entries and the right to use an analysis, which is asked whether it holds *these*
factors (by identity) and factorises again if not. A value with its gradient costs one numeric
factorisation of A and one of Aᵀ, as without sharing; a loop over many matrices at most one more of
each. Only if factors were made for the third time, because matrices of one structure take turns,
another analysis is made for them, up to `MOST_OF_ONE`.

What is trusted. cuDSS takes pivots within blocks, and replaces those that are nearly zero. So each
solution is checked by its residual, and refined; what is still inaccurate is solved by SuperLU.
A zero pivot is replaced by ε² times the largest entry; then the solution for a right side of no
particular form is up to 1/ε² as large as it, more than that of any matrix that is regular to
working precision. That is looked for once for each factorisation. SuperLU says the rest: it raises
or warns for a singular matrix as SciPy does. All that is decided upon comes to the host in one read
for each solve.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import cupy as cp
import cupyx.scipy.sparse as cps
import numpy as np

from .._backend import gpu
from .._core.pattern import Pattern
from ._cudss_analysis import Analysis, close_all, failures, free, lock, make_room
from ._packages import Unsuitable

MOST_OF_ONE = 4  # analyses of one structure
WIDEST = 64  # columns that are solved for together; fewer are filled up to a power of two


# ---- the structure ---------------------------------------------------------------------------


class _Structure:
    """What is needed of a pattern to have the matrix and its transpose in csr."""

    def __init__(self, pattern: Pattern) -> None:
        stored = pattern.view(pattern.tags)  # in csr, or in csc: its transpose in csr
        stored = stored if pattern.format == "csr" else stored.T
        other = stored.tocsc()
        self.n = stored.shape[0]
        self.rows = {True: (stored.indptr, stored.indices), False: (other.indptr, other.indices)}
        self.order = other.data - 1  # where the entries of the transpose are stored
        self.symmetric = all(map(np.array_equal, *self.rows.values()))
        self.suitable = (
            0 < stored.nnz < 2**31
            and stored.nnz == len(stored.indices)
            and stored.has_canonical_format
            and all(np.diff(indptr).all() for indptr, _ in self.rows.values())
        )

    def entries(self, data: Any, stored: bool) -> Any:
        """The entries in the order of the matrix as it is stored, or of its transpose."""
        return data if stored else data.take(gpu.moved(self, "order", self.order))

    def matrix(self, values: Any, stored: bool) -> Any:
        """The matrix, or its transpose, as one of CuPy's that has this very array of entries."""
        indptr, indices = (
            gpu.moved(self, f"{name} {stored}", a)
            for name, a in zip(("indptr", "indices"), self.rows[stored])
        )
        return cps.csr_matrix((values, indices, indptr), shape=(self.n, self.n))


# ---- factors ---------------------------------------------------------------------------------


class Factors:
    """Factors of a matrix on the device: of A in csc, or of Aᵀ if the pattern is csr.

    As with SuperLU's, `transposed` refers to the matrix that is factorised. A solution that is not
    accurate is given up (None).
    """

    def __init__(self, pattern: Pattern, data: Any) -> None:
        structure = pattern.plan("structure for cuDSS", partial(_Structure, pattern))
        if not structure.suitable or data.dtype.char not in "fdFD":
            raise Unsuitable
        self._structure, self._pattern, self._data = structure, pattern, data
        self._rows = pattern if pattern.format == "csc" else pattern.T  # what is factorised
        self._times: Counter = Counter()  # that it was factorised
        self.why = "the solution by cuDSS was not accurate"  # when it is given up
        self._known: tuple[bool, str] | None = None  # regular; "symmetric", "Hermitian" or neither
        self._first: bool | None = None  # whether the matrix as stored was solved with first
        eps = float(np.finfo(data.dtype).eps)
        self._eps, self._largest = eps, 1 / eps

        # A power of two, so that the scaled entries are exact and the largest is near to 1.
        _, exponent = cp.frexp(abs(data).max())
        self._scale = cp.ldexp(cp.ones((), abs(data).dtype), -exponent)
        ones = cp.ones(structure.n, abs(data).dtype)
        self._norms = [gpu.spmm(abs(data), ones, p).max() for p in (self._rows, self._rows.T)]

    def regular(self) -> bool:
        """Whether the matrix is regular to working precision."""
        if self._known is None:
            self._first = self._pattern.format == "csr"  # what a solve with A itself begins with
            try:
                self._take_note(self._growth(self._first, 1))
            except failures() as error:
                self.why = _reason(error)
                return False
        return self._regular()

    def _regular(self) -> bool:
        if not self._known[0]:
            self.why = "the matrix is singular to working precision"
        return self._known[0]

    def solve(self, b: Any, transposed: bool) -> Any:
        """x with A x = b, or Aᵀ x = b, as exact as a backward stable method makes it."""
        if b.dtype.kind == "c" and self._data.dtype.kind != "c":
            return self._solve_parts(b, transposed)
        if b.ndim not in (1, 2) or b.shape[0] != self._structure.n:
            raise ValueError(f"b of shape {b.shape} is of incompatible size")
        b = b.astype(self._data.dtype, copy=False)
        if not b.size:
            return cp.zeros_like(b)
        try:
            return self._refined(b, transposed)
        except failures() as error:
            self.why = _reason(error)
            return None

    def _solve_parts(self, b: Any, transposed: bool) -> Any:
        """The solution of a real matrix for the real and imaginary parts of b, side by side."""
        k = b.shape[1] if b.ndim == 2 else 1
        parts = cp.stack([b.real, b.imag], axis=1) if b.ndim == 1 else cp.hstack([b.real, b.imag])
        x = self.solve(parts, transposed)
        if x is None:
            return None
        x = x[:, :k] + 1j * x[:, k:]
        return x.reshape(b.shape)

    def _refined(self, b: Any, transposed: bool) -> Any:
        from ._factor import ACCEPTED, GOOD, REFINEMENTS

        x = self._unchecked(b, transposed)
        r, error = self._residual(x, b, transposed)
        for _ in range(REFINEMENTS):
            if error <= GOOD or not np.isfinite(error):
                break
            x = x + self._unchecked(r, transposed)
            r, error = self._residual(x, b, transposed)
        return x if error <= ACCEPTED else None

    def _residual(self, x: Any, b: Any, transposed: bool) -> tuple[Any, float]:
        """As in `_factor.Checked`; infinite if the matrix is found to be singular."""
        r = b - gpu.spmm(self._data, x, self._rows.T if transposed else self._rows)
        size = self._norms[transposed] * abs(x).max(axis=0) + abs(b).max(axis=0)
        error = (abs(r).max(axis=0) / cp.where(size == 0, cp.ones_like(size), size)).max()
        if self._known is None:
            growth = self._growth(transposed, _width(b.shape[1] if b.ndim == 2 else 1))
            error = self._take_note(growth, error)
        return r, float(error) / self._eps if self._regular() else np.inf

    def _unchecked(self, b: Any, transposed: bool) -> Any:
        """The solution as cuDSS gives it, by the factors that are there if these can serve."""
        if self._first is not None and transposed != self._first and self._known is not None:
            if self._known[1] == "symmetric":
                return self._by_blocks(b, self._first)
            if self._known[1] == "Hermitian":
                return self._by_blocks(b.conj(), self._first).conj()
        if self._first is None:
            self._first = transposed
        return self._by_blocks(b, transposed)

    def _by_blocks(self, b: Any, stored: bool) -> Any:
        k = b.shape[1] if b.ndim == 2 else 1
        width = _width(k)
        if k <= width:
            return self._with_analysis(stored, width, b)
        blocks = [b[:, i : i + width] for i in range(0, k, width)]
        return cp.concatenate([self._with_analysis(stored, width, c) for c in blocks], axis=1)

    # ---- what is found out about the matrix --------------------------------------------------

    def _growth(self, stored: bool, width: int) -> Any:
        """How large the solution for a right side of no particular form is: at most κ(A)."""
        b = 1 + 0.5 * cp.cos(cp.arange(self._structure.n, dtype=np.float64) ** 2)
        b = b.astype(self._data.dtype)
        return self._norms[stored] * abs(self._with_analysis(stored, width, b)).max()

    def _symmetry(self) -> list[Any]:
        """Whether A = Aᵀ, and A = Aᴴ, by their entries; nothing if their structures differ."""
        if not self._structure.symmetric:
            return []
        T = self._structure.entries(self._data, False)
        alike = (T == self._data).all()
        return [alike, (T.conj() == self._data).all() if T.dtype.kind == "c" else alike]

    def _take_note(self, growth: Any, error: Any = None) -> float:
        """Read what is to be known about A; and the error with it, which is returned."""
        found = [growth if error is None else error, growth, *self._symmetry()]
        read = cp.stack([x.astype(np.float64) for x in found]).get().tolist()
        kinds = [kind for kind, holds in zip(("symmetric", "Hermitian"), read[2:]) if holds]
        self._known = read[1] < self._largest, kinds[0] if kinds else ""
        return read[0]

    # ---- the analysis that it uses -----------------------------------------------------------

    def _with_analysis(self, stored: bool, width: int, b: Any) -> Any:
        """The solution for b by an analysis with room for `width` columns."""
        key = "cuDSS", stored, self._data.dtype.char, width, cp.cuda.get_device_id()
        pool = self._pattern.plan(key, list)  # (takes other locks, so before this one)
        with lock:
            free()
            try:
                x = self._holder(pool, stored, width).solve(b)
            except failures():  # perhaps for want of memory: once more with all that there is
                close_all()
                x = self._holder(pool, stored, width).solve(b)
        return x * self._scale

    def _holder(self, pool: list[Analysis], stored: bool, width: int) -> Analysis:
        """The analysis that holds these factors, made to do so if need be."""
        pool[:] = [a for a in pool if a.solver is not None]
        for analysis in pool:
            if analysis.owner() is self:
                return analysis
        values = self._structure.entries(self._data, stored) * self._scale
        self._times[stored, width] += 1
        idle = [a for a in pool if a.owner() is None]
        if not idle and pool:
            oldest = min(pool, key=lambda a: a.used)
            turns = max(f._times[stored, width] for f in (self, oldest.owner() or self))
            idle = [oldest] if turns < 3 or len(pool) >= MOST_OF_ONE else []
        if not idle:
            make_room()
            idle = [Analysis(self._structure.matrix(values, stored), width)]
            pool.append(idle[0])
        idle[0].factorise(values, self)
        return idle[0]


def _width(k: int) -> int:
    """The number of columns in which k are solved for."""
    return min(WIDEST, 1 << (k - 1).bit_length())


def _reason(error: BaseException) -> str:
    return f"cuDSS failed ({type(error).__name__}: {error})"
