"""What cuDSS keeps on a GPU, by nvmath-python's `DirectSolver`: its memory, threads, and streams.

cuDSS analyses a structure (ordering, symbolic factorisation: the long part), factorises numbers
and solves; one `DirectSolver` holds one analysis and one factorisation. Analyses are shared by all
factorisations of a structure (`_cudss` says how). They are kept while their pattern is, up to a
number and to a part of the device's memory in all; then that one is freed which was not used for
longest, and all of them if memory runs out.

Versions 0.7 and 1.0 of nvmath-python were read for this. To both,

- a matrix that replaces another has a new structure: so entries are written into the array of the
  first matrix, whose memory is what cuDSS knows;
- right sides have the shape and layout of the first one: columns in Fortran's order;
- cuDSS is not safe to call from several threads: one at a time does, whichever object is meant;
- what is known about an analysis can be read in the thread alone that imported the module.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import cupy as cp
import numpy as np

from .._core.held import clock

MOST = 32  # analyses that are kept
PART_OF_MEMORY = 0.5  # of the device's, that they may fill

lock = threading.RLock()
_kept: list[weakref.ref[Analysis]] = []
_freed: deque[tuple[Any, Any]] = deque()
_log = logging.getLogger("scipygrad.cudss")  # nvmath warns of what is no news, and waits to time
_log.setLevel(logging.ERROR)
_nvmath: Any = None  # the class of the solver, and what it raises; False: not to be had


def nvmath() -> Any:
    """The class `DirectSolver` and the errors that mean that it failed, or False."""
    global _nvmath
    if _nvmath is None:
        _nvmath = False
        if find_spec("nvmath") is not None:
            try:
                solver = import_module("nvmath.sparse.advanced").DirectSolver
                cudss = import_module("nvmath.bindings.cudss")
                _nvmath = solver, (cudss.cuDSSError, RuntimeError, MemoryError)
            except Exception as error:  # whatever it says where a library is missing
                from ._factor import say_on_host

                say_on_host(f"nvmath-python is installed, but could not be loaded ({error})")
    return _nvmath


def failures() -> tuple[type[BaseException], ...]:
    """What is raised for want of memory, of a library, or for a matrix that cuDSS cannot take."""
    return nvmath()[1]


class Analysis:
    """An analysed structure in cuDSS, for right sides of one width, and the factors that it holds.

    It has slots, so that its memory does not count as that of plans: it has a limit of its own.
    """

    __slots__ = (
        "__weakref__",
        "b",
        "bytes",
        "done",
        "matrix",
        "owner",
        "release",
        "solver",
        "used",
    )

    def __init__(self, matrix: Any, width: int) -> None:
        n, dtype = matrix.shape[0], matrix.dtype
        self.matrix = matrix
        self.b = cp.zeros(n, dtype) if width == 1 else cp.zeros((n, width), dtype, order="F")
        self.owner: Callable[[], Any] = _nobody  # whose factors they are
        self.used = clock()
        self.done = cp.cuda.Event(disable_timing=True)  # after the last use, in whatever stream
        self.solver = nvmath()[0](matrix, self.b, options={"logger": _log})
        self.release = weakref.finalize(self, _free_soon, self.solver, self.done)
        self.release.atexit = False
        try:
            self.solver.factorization_config.pivot_eps = float(np.finfo(dtype).eps) ** 2
            self.solver.plan()
            self.bytes = _bytes(self.solver)
        except BaseException:
            self.close()
            raise
        _kept.append(weakref.ref(self))

    def factorise(self, values: Any, owner: Any) -> None:
        """Take the factors of these entries."""
        self.owner = _nobody
        stream = cp.cuda.get_current_stream()
        stream.wait_event(self.done)
        if values is not self.matrix.data:
            self.matrix.data[...] = values
        self.solver.factorize()
        self.done.record(stream)
        self.owner = weakref.ref(owner)

    def solve(self, b: Any) -> Any:
        """The solution for one right side, or for as many columns as there is room for."""
        stream = cp.cuda.get_current_stream()
        stream.wait_event(self.done)
        self.used = clock()
        k = b.shape[1] if b.ndim == 2 else 1
        if self.b.ndim == 1:
            self.b[...] = b.ravel()
        else:
            self.b[:, :k] = b.reshape(-1, k)  # (whatever the others are)
        x = self.solver.solve()
        self.done.record(stream)
        if self.b.ndim == 1:
            return x.reshape(b.shape)
        return x[:, :k] if b.ndim == 2 else x[:, 0]

    def close(self) -> None:
        """Give the memory back."""
        self.owner, self.solver = _nobody, None
        self.release()


def _nobody() -> None:
    return None


def _bytes(solver: Any) -> int:
    """What cuDSS needs for the factors; 0 if this thread may not know."""
    try:
        return int(solver.plan_info.memory_estimates.permanent_device_memory)
    except AttributeError:
        return 0


# ---- memory ----------------------------------------------------------------------------------


def _free_soon(solver: Any, done: Any) -> None:
    """Free it, now or when another thread is ready: a finalizer waits for no lock."""
    _freed.append((solver, done))
    if lock.acquire(blocking=False):
        try:
            free()
        finally:
            lock.release()


def free() -> None:
    """Free what waits for it (with the lock)."""
    while _freed:
        solver, done = _freed.popleft()
        done.synchronize()
        solver.free()


def _living() -> list[Analysis]:
    """All that are kept, the one first that was not used for longest."""
    living = [a for a in (ref() for ref in _kept) if a is not None and a.solver is not None]
    _kept[:] = map(weakref.ref, living)
    return sorted(living, key=lambda a: a.used)


def make_room(wanted: int = 1) -> None:
    """Close the oldest, so that there may be so many more (with the lock)."""
    living = _living()
    room = PART_OF_MEMORY * cp.cuda.Device().mem_info[1]
    while living and (len(living) + wanted > MOST or sum(a.bytes for a in living) > room):
        living.pop(0).close()


def close_all() -> None:
    """Free all memory that cuDSS holds."""
    with lock:
        for analysis in _living():
            analysis.close()
        free()
