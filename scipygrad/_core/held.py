"""How much is remembered about structures, and what of it is let go.

Everything is counted: index arrays, what was computed from them, plans with the patterns that they
are remembered by, and what grows as a plan is used (the inverse of a map, the slots of a product).
Counting takes a walk through all of it, which is made when enough has been added. What was used
last is kept.

How much is kept depends. Where every step has a structure of its own, what is kept is of no use,
and costs: the system hands out fresh memory page by page. So the limit is low at first, and is
raised when something that was let go is wanted again.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .layout import DEVICE_ARRAYS

BYTES_AT_FIRST, REMEMBERED_BYTES = 2**28, 2**30
COUNTED_EACH = 2**4
"""It is counted whenever this part of the limit has been added."""

clock: Callable[[], int] = itertools.count(1).__next__
"""Says when something was used; a later time is a larger number."""


class Holding(NamedTuple):
    """Something remembered that can be let go by itself."""

    used: int
    what: Any
    forget: Callable[[], Any]


_added = 0
_limit, _raised = BYTES_AT_FIRST, False
_lock = threading.Lock()


def missed() -> None:
    """Something is wanted again that was let go."""
    global _limit, _raised
    with _lock:
        if _limit < REMEMBERED_BYTES and not _raised:  # once until things are let go again
            _limit, _raised = 2 * _limit, True


def added(what: Any, holdings: Callable[[], Iterator[Holding]]) -> None:
    """Take note of something new; let the oldest go if it is too much with what is held."""
    global _added, _raised
    _added += bytes_of(what, set())
    limit = min(_limit, REMEMBERED_BYTES)
    if _added * COUNTED_EACH > limit:
        with _lock:
            _added, _raised = 0, False
            _let_go(holdings(), limit)


def _let_go(holdings: Iterator[Holding], limit: int) -> None:
    total, seen = 0, set[int]()
    for n, holding in enumerate(sorted(holdings, key=lambda holding: -holding.used)):
        if total <= limit:
            total += bytes_of(holding.what, seen)
        if total > limit and n:  # then all that are older, too
            holding.forget()


def bytes_of(what: Any, seen: set[int]) -> int:
    """Bytes of the arrays that `what` is made of, without those that were seen before.

    Plans that a pattern keeps are not looked at: they are held on their own account.
    """
    total, waiting = 0, [what]
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
            seen.add(id(x))
            total += x.nbytes
        elif isinstance(x, (tuple, list)):
            waiting.extend(x)
        elif t is dict:
            waiting.extend(x)
            waiting.extend(x.values())
        elif hasattr(x, "__dict__") and not isinstance(x, type) and not callable(x):
            seen.add(id(x))
            waiting.extend(v for k, v in vars(x).items() if k != "_plans")
    return total


_PLAIN = frozenset((int, float, complex, bool, str, bytes, type(None), type, slice, np.dtype))
