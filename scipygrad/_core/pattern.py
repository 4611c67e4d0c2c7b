"""Where the stored entries of a sparse matrix are: `Pattern`.

A pattern is immutable and shared by an operand, its gradient and everything computed entry by
entry from it. What is derived from it (row numbers, the result structure of a product, the map of
a slice, ...) is kept on it and computed once.

A pattern owns its index arrays: those of a user's matrix are copied, and compared entry by entry
whenever the matrix is met again. A cached plan can therefore never serve other indices than those
it was made from, even if the user writes into `A.indices`. Matrices made from a pattern get
read-only views of its arrays; they are recognised by identity, without a comparison.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property, partial
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np
import scipy.sparse as sps

from .held import Holding, added, clock, missed
from .layout import DEVICE_ARRAYS, DEVICE_MATRICES

PLANS_PER_PATTERN = 2**14
REMEMBERED_PATTERNS = 2**14
MOST_NOTED = 4096

COMPRESSED = ("csr", "csc", "bsr")


def _index_arrays(A: Any) -> tuple[np.ndarray, ...]:
    """The arrays that say where the stored entries of a plain sparse matrix are."""
    if A.format in COMPRESSED:
        return A.indptr, A.indices
    if A.format == "coo":
        return tuple(A.coords)
    if A.format == "dia":
        return (A.offsets,)
    if A.format == "lil":
        indptr = np.zeros(A.shape[0] + 1, np.int64)
        np.cumsum([len(row) for row in A.rows], out=indptr[1:])
        indices = np.fromiter((j for row in A.rows for j in row), np.int64, indptr[-1])
        return indptr, indices
    keys = list(A.keys())  # dok: in the order of insertion
    if len(A.shape) == 1:
        return (np.array([k[0] if isinstance(k, tuple) else k for k in keys], np.int64),)
    return tuple(np.array(keys, np.int64).reshape(len(keys), len(A.shape)).T.copy())


def entries(A: Any) -> np.ndarray:
    """The stored entries of a plain sparse matrix, in storage order."""
    if A.format == "lil":
        values = [v for row in A.data for v in row]
        return np.array(values, A.dtype) if values else np.zeros(0, A.dtype)
    if A.format == "dok":
        return np.fromiter(A.values(), A.dtype, len(A.keys()))
    d = A.__dict__
    return d["_data"] if "_data" in d else A.data  # on a GPU, reading `A.data` exposes them


class Pattern:
    """Format, shape and index arrays of a sparse matrix; compared by identity."""

    born: tuple[Any, ...] | None = None
    """The index arrays of a pattern that was found on a GPU (`_core.device_pattern`)."""

    def __init__(self, A: Any, arrays: tuple[np.ndarray, ...], entries_shape: tuple[int, ...]):
        self._begin(A.format, A.shape, entries_shape)
        self.arrays = arrays
        self.views = tuple(a.view() for a in arrays)
        for v in self.views:
            v.flags.writeable = False
        # For classes of SciPy's that have extra attributes, whatever they are, these are kept.
        self._template = {
            k: v
            for k, v in A.__dict__.items()
            if k not in ("data", "dtype", "rows", "_dict") and not k.startswith("_has_")
        }
        if self.format in COMPRESSED:
            self._template["indptr"], self._template["indices"] = self.views
        elif self.format == "coo":
            self._template["coords"] = self.views
        elif self.format == "dia":
            self._template["offsets"] = self.views[0]

    def _begin(self, format: str, shape: tuple[int, ...], entries_shape: tuple[int, ...]) -> None:
        self.format, self.shape, self.entries_shape = format, shape, entries_shape
        self._plans: dict[Hashable, list[Any]] = {}  # the plan, and when it was used
        self._forgotten: set[int] = set()  # hashes of the keys of plans that were let go
        self._lock = threading.Lock()
        self._number = self._used = clock()  # when it was made: no other pattern has that
        self._transpose: Pattern | Callable[[], Pattern | None] = _nothing
        _living[id(self)] = self

    def __repr__(self) -> str:
        return f"<Pattern of a {self.shape} {self.format} matrix, {self.size} stored entries>"

    # ---- one pattern for one structure -------------------------------------------------------

    @staticmethod
    def of(A: Any, own: bool = False) -> Pattern:
        """The pattern of a plain sparse matrix; `own`: its index arrays may be taken over."""
        if type(A) in DEVICE_MATRICES:
            from ..sparse import _device

            return _device.pattern_of(A)
        arrays = _index_arrays(A)
        known = _by_view.get(id(arrays[0])) if arrays else None
        if known is not None and known._has_views(A, arrays):
            known._used = clock()
            return known
        shape = entries(A).shape if A.format in ("lil", "dok") else A.data.shape
        key = (A.format, A.shape, shape, *map(_sample, arrays))
        for p in _by_sample.get(key, ()):
            if all(map(_same, p.arrays, arrays)):
                p._used = clock()
                return p
        if not own and A.format not in ("lil", "dok"):
            arrays = tuple(a.copy() for a in arrays)
        p = Pattern(A, tuple(map(_writable, arrays)), shape)
        _by_view[id(p.views[0])] = p
        if hash(key) in _forgotten:
            missed()
        _remember(key, p)
        return p

    def _has_views(self, A: Any, arrays: tuple[np.ndarray, ...]) -> bool:
        return (
            self.format == A.format
            and self.shape == A.shape
            and len(arrays) == len(self.views)
            and all(a is v for a, v in zip(arrays, self.views))
            and self.entries_shape == A.data.shape
        )

    def equals(self, other: Pattern) -> bool:
        """Whether the two are the same, entry by entry: two may be, if one was let go."""
        return self is other or (
            (self.format, self.shape) == (other.format, other.shape)
            and self.entries_shape == other.entries_shape
            and all(map(np.array_equal, self.arrays, other.arrays))
        )

    # ---- matrices over this pattern ----------------------------------------------------------

    def matrix(self, data: np.ndarray, cls: type) -> Any:
        """The matrix of class `cls` with these entries (not checked; copied for SciPy's own)."""
        if type(data) in DEVICE_ARRAYS:
            from ..sparse import _device

            return _device.device_matrix(self, data, cls)
        if self.format in ("lil", "dok"):
            return self._assembled(data, cls)
        A = object.__new__(cls)
        A.__dict__.update(self._template)
        A.__dict__["data"] = data
        if cls.__module__.startswith("scipy."):
            # SciPy's own classes write index arrays in place (sort_indices, ...), not to ours, and
            # move the entries with them: not those of others, who keep their index arrays.
            A.__dict__["data"] = data.copy()
            for name in ("indptr", "indices", "offsets"):
                if name in A.__dict__:
                    A.__dict__[name] = A.__dict__[name].copy()
            if "coords" in A.__dict__:
                A.__dict__["coords"] = tuple(c.copy() for c in self.arrays)
        return A

    def view(self, data: np.ndarray) -> Any:
        """A plain SciPy array with these entries, for reading only."""
        A = object.__new__(getattr(sps, f"{self.format}_array"))
        A.__dict__.update(self._template)
        A.__dict__["data"] = data
        return A

    def _assembled(self, data: np.ndarray, cls: type) -> Any:
        A = cls(self.shape, dtype=data.dtype)
        values = data.tolist() if data.dtype.kind in "iufcb" and data.dtype.itemsize > 4 else data
        if self.format == "dok":
            keys = (
                self.arrays[0].tolist()
                if len(self.shape) == 1
                else zip(*(c.tolist() for c in self.arrays))
            )
            A._dict.update(zip(keys, data))
            return A
        indptr, indices = self.arrays[0].tolist(), self.arrays[1].tolist()
        for i in range(len(indptr) - 1):
            A.rows[i] = indices[indptr[i] : indptr[i + 1]]
            A.data[i] = list(values[indptr[i] : indptr[i + 1]])
        return A

    @property
    def size(self) -> int:
        """Number of stored entries, those outside the matrix (padding of dia) included."""
        return int(np.prod(self.entries_shape, dtype=np.int64))

    @cached_property
    def tags(self) -> np.ndarray:
        """1, 2, ... in place of the entries: what an operation does to them shows where they go."""
        return np.arange(1, self.size + 1, dtype=np.int64).reshape(self.entries_shape)

    # ---- where the entries are ---------------------------------------------------------------

    @cached_property
    def _located(self) -> tuple[tuple[np.ndarray, ...], np.ndarray | None]:
        """Coordinates of the entries inside the matrix, and their storage positions."""
        a = self.arrays
        if self.format in ("coo", "dok"):
            return a, None
        if self.format == "dia":
            length = self.entries_shape[1]
            cols = np.broadcast_to(np.arange(length), self.entries_shape)
            rows = cols - a[0][:, None].astype(np.int64)
            inside = (rows >= 0) & (rows < self.shape[0]) & (cols < self.shape[1])
            return (rows[inside], cols[inside]), np.flatnonzero(inside)
        indptr, indices = a
        n = int(indptr[-1])
        major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        stored = None if n == len(indices) else np.arange(n)
        if self.format == "bsr":
            _, r, c = self.entries_shape
            rows = (major[:, None, None] * r + np.arange(r)[:, None]) + np.zeros((1, 1, c), int)
            cols = (indices[:n, None, None].astype(np.int64) * c + np.arange(c)) + np.zeros(
                (1, r, 1), int
            )
            return (rows.ravel(), cols.ravel()), stored if stored is None else np.arange(n * r * c)
        minor = indices[:n]
        if len(self.shape) == 1:
            return (minor,), stored
        return ((minor, major) if self.format == "csc" else (major, minor)), stored

    @property
    def coords(self) -> tuple[np.ndarray, ...]:
        """Coordinates of the entries that lie inside the matrix, in storage order."""
        return self._located[0]

    @cached_property
    def inside(self) -> np.ndarray | None:
        """Storage positions of the entries that lie inside the matrix; None for all."""
        if self.format in ("csr", "csc") and self.arrays[0][-1] == self.arrays[1].size:
            return None
        return self._located[1]

    @cached_property
    def nnz(self) -> int:
        """Number of entries that lie inside the matrix."""
        inside = self.inside
        return self.size if inside is None else inside.size

    @property
    def index_dtype(self) -> np.dtype:
        """The dtype of the index arrays."""
        return self.arrays[0].dtype

    @cached_property
    def flat(self) -> np.ndarray:
        """Row-major position in the dense matrix of every entry inside."""
        return (
            np.ravel_multi_index(self.coords, self.shape)
            if self.coords[0].size
            else (np.zeros(0, np.intp))
        )

    @cached_property
    def duplicated(self) -> bool:
        """Whether some position is stored more than once."""
        if self.format in ("lil", "dok", "dia"):
            return False
        if self.format in ("csr", "csc"):
            nothing = np.broadcast_to(np.False_, self.entries_shape)
            if self.view(nothing).has_canonical_format:
                return False
        if "_on_device" in self.__dict__ and self.format in ("csr", "csc", "coo"):
            from ..sparse import _device_plans

            return _device_plans.duplicated(self)
        return len(np.unique(self.flat)) < len(self.flat)

    @property
    def T(self) -> Pattern:
        """The transpose, with the entries in the same order (csr, csc and coo only)."""
        t = self.known_transpose()
        if t is None:
            t = self._transposed()
            t._transpose = ref(self)  # weak, so that both are let go with the last user of this
            self._transpose = t
        return t

    def known_transpose(self) -> Pattern | None:
        """The transpose, if there is one already."""
        known = self._transpose
        return known if isinstance(known, Pattern) else known()

    def _transposed(self) -> Pattern:
        arrays = self.arrays[::-1] if self.format == "coo" else self.arrays
        nothing = np.broadcast_to(np.False_, self.entries_shape)
        t = Pattern(self.view(nothing).T, arrays, self.entries_shape)
        _by_view[id(t.views[0])] = t
        return t

    # ---- plans -------------------------------------------------------------------------------

    def plan(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """`build()`, remembered under `key` (which must say all that `build` depends on)."""
        kept = self._plans.get(key)
        if kept is not None:
            kept[1] = self._used = clock()
            return kept[0]
        if self._forgotten and _lasting(key) in self._forgotten:
            missed()
        plan = build()
        with self._lock:
            self._plans[key] = [plan, clock()]
            if len(self._plans) > PLANS_PER_PATTERN:
                _halve(self._plans, lambda kept: kept[1])
        added((key, plan), _holdings)
        return plan

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            self._plans.pop(key, None)
            _note(_lasting(key), self._forgotten)


# ---- the table of patterns -------------------------------------------------------------------
# Found by a sample of the index arrays, taken only after a full comparison. The most recently used
# are kept alive, so that a loop that makes a new matrix in each step meets its plans again.

_lock = threading.Lock()
_living: WeakValueDictionary[int, Pattern] = WeakValueDictionary()
_by_view: WeakValueDictionary[int, Pattern] = WeakValueDictionary()
_by_sample: dict[Hashable, list[Pattern]] = {}
_forgotten: set[int] = set()  # hashes of keys of patterns that were let go

_memcmp = (ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)).memcmp
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_FEW_BYTES = 2**14  # are compared faster as strings


def _sample(a: np.ndarray) -> Hashable:
    return a.dtype.char, a.size, a[:: a.size // 8 or 1].tobytes()


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether all elements are equal: no temporary arrays, and done at the first difference."""
    if a is b:
        return True
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.nbytes <= _FEW_BYTES:
        return a.tobytes() == b.tobytes()
    if a.flags.c_contiguous and b.flags.c_contiguous:
        return _memcmp(a.ctypes.data, b.ctypes.data, a.nbytes) == 0
    return np.array_equal(a, b)


def _writable(a: np.ndarray) -> np.ndarray:
    return a if a.flags.writeable and a.flags.c_contiguous else a.copy()


def _remember(key: Hashable, p: Pattern) -> None:
    with _lock:
        _by_sample.setdefault(key, []).append(p)
        if len(_by_sample) > REMEMBERED_PATTERNS:
            _halve(_by_sample, _last_used)
    added(p, _holdings)


def noted(what: Any) -> None:
    """Count what is kept with a pattern or a plan later on."""
    added(what, _holdings)


def _halve(known: dict, used: Callable[[Any], int]) -> None:
    """Drop the half that was not used for longest: at once, since looking for it takes time."""
    oldest_first = sorted(known.items(), key=lambda item: used(item[1]))
    for key, _ in oldest_first[: len(known) // 2]:
        known.pop(key, None)


def _last_used(patterns: list[Pattern]) -> int:
    return max(p._used for p in patterns)


def _forget(key: Hashable) -> None:
    with _lock:
        _by_sample.pop(key, None)
        _note(hash(key), _forgotten)


def _note(number: int, forgotten: set[int]) -> None:
    if len(forgotten) >= MOST_NOTED:
        forgotten.clear()
    forgotten.add(number)


def _lasting(key: Hashable) -> int:
    """A hash of the key of a plan; that of a pattern is its address, which comes again."""
    if isinstance(key, tuple):
        return hash(tuple(map(_lasting, key)))
    return key._number if isinstance(key, Pattern) else hash(key)


def _holdings() -> Iterator[Holding]:
    """All that is remembered: patterns in the table, and the plans of all patterns."""
    with _lock:
        table = [(key, _last_used(known), known) for key, known in _by_sample.items()]
    for key, used, known in table:
        yield Holding(used, known, partial(_forget, key))
    for p in filter(None, (living() for living in _living.valuerefs())):
        with p._lock:
            plans = list(p._plans.items())
        for key, (plan, used) in plans:
            yield Holding(used, (key, plan), partial(p._forget, key))


def _nothing() -> Pattern | None:
    return None
