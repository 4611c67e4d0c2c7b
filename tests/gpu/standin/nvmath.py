"""A strict stand-in for nvmath-python's `DirectSolver` (cuDSS), for tests of the logic.

It refuses what versions 0.7 and 1.0 refuse, and what cuDSS does not say but wants: one thread at a
time, streams that wait for each other, a structure that stays as it was analysed. What is done is
counted. Factors are SciPy's; a pivot that is too small is replaced, as cuDSS does it.
"""

from __future__ import annotations

import dataclasses
import sys
import threading
import time
import types
import warnings
from collections import Counter
from importlib.machinery import ModuleSpec

import numpy as np
import scipy.linalg
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from . import cuda
from .array import device, ndarray
from .sparse import _Base

counts: Counter = Counter()
"""Analyses ("plan"), factorisations ("factorize"), solves ("solve"), and solvers freed ("free")."""

living: set[int] = set()
"""The solvers that hold memory."""

_busy = threading.Lock()


class Behaviour:
    """What a test may change: the error of solutions, the memory, the time that a call takes."""

    error = 0.0  # relative, of each solution
    room = 100  # solvers that there is memory for
    broken = ""  # what the constructor raises
    seconds = 0.0
    bytes = 0  # of one analysis


behaviour = Behaviour()


class cuDSSError(Exception):
    """An error of the library."""


class InvalidDirectSolverState(Exception):
    """A solver was used after it was freed."""


@dataclasses.dataclass
class DirectSolverOptions:
    """The options, and no others."""

    sparse_system_type: int = 0
    sparse_system_view: int = 0
    multithreading_lib: str | None = None
    logger: object = None
    blocking: object = "auto"
    handle: int | None = None


class _Config:
    __slots__ = ("pivot_eps", "pivot_eps_algorithm")

    def __init__(self):
        self.pivot_eps = 1e-13


def _alone(method):
    """One call at a time, in the order of streams."""

    def call(self, **kwargs):
        if not self._valid:
            raise InvalidDirectSolverState(
                "The DirectSolver object cannot be used after resources are free'd"
            )
        assert _busy.acquire(blocking=False), "cuDSS is not thread-safe"
        try:
            stream = cuda.get_current_stream()
            assert stream.follows(self._last), "this stream did not wait for the one before"
            result = method(self, **kwargs)
            time.sleep(behaviour.seconds)
            stream.ticks += 1
            self._last = stream, stream.ticks
            counts[method.__name__] += 1
            return result
        finally:
            _busy.release()

    return call


class DirectSolver:
    """Stand-in for `nvmath.sparse.advanced.DirectSolver`, of one system with operands on a GPU."""

    def __init__(self, a, b, *, options=None, execution=None, stream=None):
        if behaviour.broken:
            raise RuntimeError(behaviour.broken)
        options = DirectSolverOptions(**options) if isinstance(options, dict) else options
        if options is not None and options.blocking not in (True, "auto"):
            raise ValueError("The value specified for 'blocking' must be either True or 'auto'.")
        if type(a).__module__.partition(".")[0] != "cupyx" or not isinstance(a, _Base):
            raise TypeError("The LHS must be an N-D sparse CSR array/tensor")
        if a.format != "csr":
            raise TypeError(f"DirectSolver does not support {a.format} sparse format.")
        if type(b) is not ndarray:
            raise TypeError("The LHS package cupyx and RHS package are not compatible")
        if a.shape[0] != a.shape[1]:
            raise TypeError("The LHS must be a CSR matrix of shape (N, N)")
        if a.indptr.dtype != np.int32 or a.indices.dtype != np.int32:
            raise TypeError(f"The index type {a.indices.dtype} is not supported.")
        if a.dtype.char not in "fdFD":
            raise TypeError(f"The dtype (value type) {a.dtype} is not supported.")
        if b.ndim > 2 or not _column_major(b._here()):
            raise TypeError("The RHS must be a matrix or vector with col-major layout")
        if b.shape[0] != a.shape[0]:
            raise TypeError("The extent N is not consistent between the LHS and RHS.")
        if a.dtype != b.dtype:
            raise TypeError(f"The LHS dtype {a.dtype} does not match the RHS dtype {b.dtype}.")
        self._shape, self._logger = a.shape, options and options.logger
        self._pointers(a)
        self._b = b
        self._config = _Config()
        self._planned = self._factors = self._last = None
        self._valid = True
        living.add(id(self))
        if self._logger is None or self._logger.isEnabledFor(30):
            warnings.warn("No multithreading interface library was specified", stacklevel=2)

    def _pointers(self, a):
        """It is the memory that is remembered: a new array in `a.data` is not seen."""
        self._indptr, self._indices, self._values = a.indptr, a.indices, a.data

    factorization_config = property(lambda self: self._config)

    @property
    def plan_info(self):
        """In the thread that imported nvmath-python only."""
        if threading.current_thread() is not threading.main_thread():
            raise AttributeError("'_thread._local' object has no attribute 'size_written'")
        return types.SimpleNamespace(
            memory_estimates=types.SimpleNamespace(permanent_device_memory=behaviour.bytes)
        )

    factorization_info = property(lambda self: self.plan_info and types.SimpleNamespace())

    def reset_operands(self, *, a=None, b=None, stream=None):
        if a is not None:
            if a.shape != self._shape or a.data.size != self._values.size:
                raise TypeError("The shape of 'a' doesn't match the original one")
            if a.dtype != self._values.dtype:
                raise TypeError("The dtype for 'a' doesn't match the original one")
            self._pointers(a)
            self._planned = self._factors = None
        if b is not None:
            if (b.shape, b.strides, b.dtype) != (self._b.shape, self._b.strides, self._b.dtype):
                raise TypeError("The shape of 'b' doesn't match the original one")
            self._b = b

    @_alone
    def plan(self, *, stream=None):
        if len(living) > behaviour.room:
            raise cuDSSError("ALLOC_FAILED")
        self._planned = self._indptr._host.copy(), self._indices._host.copy()
        self._factors = None

    @_alone
    def factorize(self, *, stream=None):
        if self._planned is None:
            raise RuntimeError("Factorization cannot be performed before plan() has been called.")
        indptr, indices = self._indptr._host, self._indices._host
        assert all(map(np.array_equal, self._planned, (indptr, indices)))
        A = sps.csr_array((self._values._host.copy(), indices, indptr), self._shape)
        assert A.has_canonical_format
        self._factors = _factors(A, self._config.pivot_eps)

    @_alone
    def solve(self, *, stream=None):
        if self._factors is None:
            raise RuntimeError("Solver cannot be performed before factorize() has been called.")
        x = self._factors(self._b._here())
        x = x * (1 + behaviour.error * np.cos(np.arange(x.size)).reshape(x.shape))
        return device(np.asfortranarray(x.astype(self._b.dtype)))

    def free(self):
        if self._valid:
            counts["free"] += 1
            living.discard(id(self))
            self._valid, self._values, self._b = False, None, None


def _column_major(b):
    strides = [s // b.itemsize for s in b.strides]
    return strides[0] == 1 and (b.ndim == 1 or strides[1] >= b.shape[0])


def _factors(A, pivot_eps):
    """A function that solves; pivots below `pivot_eps` are replaced by it."""
    try:
        lu = spla.splu(A.tocsc())
        if (abs(lu.U.diagonal()) >= pivot_eps).all():
            return lu.solve
    except RuntimeError:
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lu, pivots = scipy.linalg.lu_factor(A.toarray(), check_finite=False)
    small = np.flatnonzero(~(abs(lu.diagonal()) >= pivot_eps))
    lu[small, small] = pivot_eps
    return lambda b: scipy.linalg.lu_solve((lu, pivots), b, check_finite=False)


def modules():
    """The modules by name."""
    made = {}
    for name in ("nvmath", "nvmath.sparse", "nvmath.sparse.advanced", "nvmath.bindings",
                 "nvmath.bindings.cudss"):  # fmt: skip
        made[name] = types.ModuleType(name)
        made[name].__spec__ = ModuleSpec(name, None)
        made[name].__path__ = []
    made["nvmath.sparse.advanced"].DirectSolver = DirectSolver
    made["nvmath.bindings.cudss"].cuDSSError = cuDSSError
    return made


def install(monkeypatch):
    """For one test: as if nvmath-python were installed."""
    from scipygrad.linalg import _cudss_analysis

    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(_cudss_analysis, "_nvmath", None)
    for name in ("error", "room", "broken", "seconds", "bytes"):
        monkeypatch.setattr(behaviour, name, getattr(Behaviour, name))
    counts.clear()
