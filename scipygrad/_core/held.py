"""How much is remembered about structures, and what of it is let go.

Everything is counted: index arrays, what was computed from them, plans with the patterns that they
are remembered by, and what grows as a plan is used (the inverse of a map, the slots of a product).
Counting takes a walk through all of it, which is made when enough has been added. What was used
last is kept.

How much is kept depends. Where every step has a structure of its own, what is kept is of no use,
and costs: the system hands out fresh memory page by page. So the limit is low at first, and is
raised when something that was let go is wanted again.

The memory of a GPU is counted by itself, and its limit is a part of what there is: the same part of
the largest one, at first and when raised, as on the host.
"""

from __future__ import annotations

import functools
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .layout import DEVICE_ARRAYS

BYTES_AT_FIRST, REMEMBERED_BYTES = 2**28, 2**30
COUNTED_EACH = 2**4
"""It is counted whenever this part of the limit has been added."""
PART_OF_DEVICE = 4
"""On a GPU, at most one byte of so many is held."""

clock: Callable[[], int] = itertools.count(1).__next__
"""Says when something was used; a later time is a larger number."""


class Holding(NamedTuple):
    """Something remembered that can be let go by itself."""

    used: int
    what: Any
    forget: Callable[[], Any]


_added = _added_there = 0
_limit, _raised = BYTES_AT_FIRST, False
_devices: set[int] = set()  # that something was held on
_lock = threading.Lock()


def missed() -> None:
    """Something is wanted again that was let go."""
    global _limit, _raised
    with _lock:
        if _limit < REMEMBERED_BYTES and not _raised:  # once until things are let go again
            _limit, _raised = 2 * _limit, True


def added(what: Any, holdings: Callable[[], Iterator[Holding]]) -> None:
    """Take note of something new; let the oldest go if it is too much with what is held."""
    global _added, _added_there, _raised
    here, there = bytes_in_each(what, set())
    _added += here
    _added_there += there
    limit = min(_limit, REMEMBERED_BYTES)
    if _added * COUNTED_EACH > limit or (
        there and _added_there * COUNTED_EACH > _limit_there(limit)
    ):
        with _lock:
            _added, _added_there, _raised = 0, 0, False
            _let_go(holdings(), limit)


def _limit_there(limit: int) -> float:
    """The limit on a GPU that goes with one on the host."""
    return _device_memory() // PART_OF_DEVICE * min(limit / REMEMBERED_BYTES, 1)


@functools.cache
def _device_memory() -> int:
    return sys.modules["cupy"].cuda.Device().mem_info[1]


def _let_go(holdings: Iterator[Holding], limit: int) -> None:
    total, seen = 0, set[int]()
    total_there, limit_there = 0, 0.0
    waited = False
    for n, holding in enumerate(sorted(holdings, key=lambda holding: -holding.used)):
        if total <= limit and total_there <= limit_there:
            here, there = bytes_in_each(holding.what, seen)
            total, total_there = total + here, total_there + there
            if there and not limit_there:
                limit_there = _limit_there(limit)
        if n and (total > limit or total_there > limit_there):  # then all that are older, too
            if not waited:
                waited = True
                _wait_for_devices()
            holding.forget()


def _wait_for_devices() -> None:
    """Let all streams come to an end: one may still read what is let go, and CuPy gives its memory
    to the stream that it was allocated in."""
    for device in _devices:
        sys.modules["cupy"].cuda.Device(device).synchronize()


def bytes_of(what: Any, seen: set[int]) -> int:
    """Bytes of the arrays that `what` is made of, without those that were seen before."""
    return sum(bytes_in_each(what, seen))


def bytes_in_each(what: Any, seen: set[int]) -> tuple[int, int]:
    """The same, on the host and on GPUs.

    Plans that a pattern keeps are not looked at: they are held on their own account.
    """
    total, there, waiting = 0, 0, [what]
    while waiting:
        x = waiting.pop()
        t = type(x)
        if t is np.ndarray:
            while type(x.base) is np.ndarray:
                x = x.base
            if id(x) not in seen:
                seen.add(id(x))
                total += x.nbytes
        elif t in _PLAIN or id(x) in seen:
            continue
        elif t in DEVICE_ARRAYS:
            x = x if x.base is None else x.base
            if id(x) not in seen:
                seen.add(id(x))
                there += x.nbytes
                _devices.add(x.data.device_id)
        elif isinstance(x, (tuple, list)):
            waiting.extend(x)
        elif t is dict:
            waiting.extend(x)
            waiting.extend(x.values())
        elif hasattr(x, "__dict__") and not isinstance(x, type) and not callable(x):
            seen.add(id(x))
            waiting.extend(v for k, v in vars(x).items() if k != "_plans")
    return total, there


_PLAIN = frozenset((int, float, complex, bool, str, bytes, type(None), type, slice, np.dtype))
