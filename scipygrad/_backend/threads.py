"""Ranges of rows, and the threads that kernels work on them with.

Kernels release the GIL and get the first and last row that they are to do, so ordinary threads do.
(Numba's own threading layers are unsafe under fork, and when called from several threads.) How
many: NUMBA_NUM_THREADS, OMP_NUM_THREADS and their like, the limits of threadpoolctl, the cores
there are. The ranges depend on the matrix alone, so results have the same bits for any number.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

WORTH_A_THREAD = 2**17
"""Number of stored entries below which one thread is as fast."""

RANGES = 8

_VARIABLES = (
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip

Range = tuple[int, int]

# ---- how many ---------------------------------------------------------------------------------


def _from_environment() -> int:
    limits = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()]
    for name in _VARIABLES:
        value = os.environ.get(name, "").split(",")[0].strip()
        if value.isdigit() and int(value) > 0:
            limits.append(int(value))
    return min(n for n in limits if n)


_limit = _from_environment()
_controller: Any = None


def number_of_threads() -> int:
    """How many threads kernels may use now."""
    global _controller
    if _limit == 1 or "threadpoolctl" not in sys.modules:
        return _limit
    if _controller is None:
        _controller = sys.modules["threadpoolctl"].ThreadpoolController()
    # Its limits are kept by the libraries that it governs; NumPy's BLAS is one.
    now = [lib.get_num_threads() for lib in _controller.select(user_api="blas").lib_controllers]
    return max(1, min([_limit, *(n for n in now if n)]))


# ---- the pool ---------------------------------------------------------------------------------

_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def _get_pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, _limit - 1), "scipygrad")
        return _pool


def _forget_pool() -> None:
    """In a forked child: the threads of the parent are not there."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def run(kernel: Callable, phases: Sequence[Sequence[Range]], *args: Any) -> None:
    """``kernel(first, last, *args)`` for all ranges: those of one phase at the same time."""
    for ranges in phases:
        helpers = min(number_of_threads(), len(ranges)) - 1 if len(ranges) > 1 else 0
        if not helpers:
            for first, last in ranges:
                kernel(first, last, *args)
            continue
        waiting = deque(ranges)
        try:
            futures = [_get_pool().submit(_work, kernel, waiting, args) for _ in range(helpers)]
        except RuntimeError:  # the interpreter is about to end: no new threads
            futures = []
        try:
            _work(kernel, waiting, args)
        finally:
            waiting.clear()
            for future in futures:
                if not future.cancel():
                    future.result()


def _work(kernel: Callable, waiting: deque, args: tuple) -> None:
    while True:
        try:
            first, last = waiting.popleft()
        except IndexError:
            return
        kernel(first, last, *args)


# ---- the ranges -------------------------------------------------------------------------------


def _ranges(indptr: np.ndarray) -> list[Range]:
    """Ranges of rows with about the same number of entries."""
    rows = len(indptr) - 1
    if rows < 1 or indptr[-1] < WORTH_A_THREAD:
        return [(0, rows)]
    inner = np.searchsorted(indptr, np.linspace(0, indptr[-1], RANGES + 1)[1:-1])
    ends = [0, *sorted({int(i) for i in inner} - {0, rows}), rows]
    return list(zip(ends[:-1], ends[1:]))


def independent(indptr: np.ndarray) -> list[list[Range]]:
    """The phases of a kernel that writes to the rows it is given only."""
    return [_ranges(indptr)]


def scattering(indptr: np.ndarray, indices: np.ndarray) -> list[list[Range]]:
    """The phases of a kernel that adds something to each column that it meets in its rows.

    Ranges that are done at the same time have no columns in common. In a matrix whose entries are
    about the diagonal, every other range has none in common with the next but one.
    """
    ranges = _ranges(indptr)
    if len(ranges) < 3:
        return [[(0, len(indptr) - 1)]]
    phases = [ranges[::2], ranges[1::2]]
    if all(_disjoint(phase, indptr, indices) for phase in phases):
        return phases
    return [[(0, len(indptr) - 1)]]


def _disjoint(ranges: list[Range], indptr: np.ndarray, indices: np.ndarray) -> bool:
    columns = [indices[indptr[first] : indptr[last]] for first, last in ranges]
    spans = sorted((int(c.min()), int(c.max())) for c in columns if c.size)
    return all(left[1] < right[0] for left, right in zip(spans, spans[1:]))
