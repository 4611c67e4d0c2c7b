"""Arrays of constant matrices that a derivative still needs.

A rule keeps the arrays of a constant operand, not copies. As long as it does, writing into them
would silently change the derivative, so they are read-only for that time: `A.data[k] = v` raises,
and the in-place methods of our classes copy first. What a rule gets is a view; when the last rule
has let it go, the array can be written to again.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

_views: dict[int, weakref.ref[np.ndarray]] = {}  # by id of the captured array, which they keep
_frozen: dict[int, list] = {}  # by id: [array, number of captures that need it]
_thawing: list[np.ndarray] = []  # views of arrays that are still frozen, to be writable after them
_lock = threading.RLock()  # a view may be collected, and so released, anywhere


class Kept:
    """An array as seen through its owner: views of `np.asarray(Kept(...))` keep that alive."""

    def __init__(self, owner: Any, array: np.ndarray) -> None:
        self.owner, self.array = owner, array
        self.__array_interface__ = array.__array_interface__


def capture(array: np.ndarray) -> np.ndarray:
    """A view of an array of a constant matrix, for a rule to keep."""
    with _lock:
        known = _views.get(id(array))
        view = None if known is None else known()
        if view is not None:
            return view
        if not array.flags.writeable:
            return array
        memory = [array]
        while isinstance(memory[-1].base, np.ndarray):  # the user's array, say
            memory.append(memory[-1].base)
        if isinstance(memory[-1].base, Kept):  # a view of what is captured already
            return array
        # Not array.view(): NumPy lets views of a view forget it, here they have to keep it alive.
        view = np.asarray(Kept(None, array))
        for a in memory:
            if id(a) in _frozen:
                _frozen[id(a)][1] += 1
            elif a.flags.writeable:
                _frozen[id(a)] = [a, 1]
                a.flags.writeable = False
        key = id(array)
        _views[key] = weakref.ref(view, lambda ref: _release(key, ref, memory))
        return view


def _release(key: int, ref: weakref.ref, memory: list[np.ndarray]) -> None:
    with _lock:
        if _views.get(key) is ref:  # no other capture has come in between
            del _views[key]
        for a in memory:
            if id(a) in _frozen:
                _frozen[id(a)][1] -= 1
                if not _frozen[id(a)][1]:
                    del _frozen[id(a)]
                    _thawing.append(a)
        waiting = sorted(_thawing, key=lambda a: isinstance(a.base, np.ndarray))  # bases first
        _thawing.clear()
        for a in waiting:
            try:
                a.flags.writeable = True
            except ValueError:
                _thawing.append(a)


def is_captured(A: Any) -> bool:
    """Whether a rule still holds the entries of `A`."""
    return bool(_frozen) and id(A.__dict__.get("data")) in _frozen
