"""Arrays of constant matrices that a derivative still needs.

A rule keeps the arrays of a constant operand, not copies. As long as it does, writing into them
would silently change the derivative, so they are read-only for that time: `A.data[k] = v` raises,
and the in-place methods of our classes copy first. What a rule gets is a view; when the last rule
has let it go, the array can be written to again.

CuPy has no read-only arrays. There, entries that nobody but their matrix can reach are lent to the
rules, and copied when somebody asks for them; all others are copied at once.
"""

from __future__ import annotations

import sys
import threading
import weakref
from functools import partial
from typing import Any

import numpy as np

from .layout import DEVICE_ARRAYS

_views: dict[int, weakref.ref[np.ndarray]] = {}  # by id of the captured array, which they keep
_frozen: dict[int, list] = {}  # by id: [array, number of captures that need it]
_ours: set[int] = set()  # ids of the views
_thawing: list[np.ndarray] = []  # views of arrays that are still frozen, to be writable after them
_EXPORTED = frozenset("fdFDbBhHiIlLqQ?")  # what Python's memoryviews know
_lock = threading.RLock()  # a view may be collected, and so released, anywhere


class Kept:
    """An array as seen through its owner: views of `np.asarray(Kept(...))` keep that alive."""

    def __init__(self, owner: Any, array: np.ndarray) -> None:
        self.owner, self.array = owner, array
        self.__array_interface__ = array.__array_interface__


def capture(array: np.ndarray) -> np.ndarray:
    """A view of an array of a constant matrix, for a rule to keep; a copy of one on a GPU."""
    if type(array) in DEVICE_ARRAYS:
        return array.copy()
    key = id(array)
    with _lock:
        known = _views.get(key)
        view = None if known is None else known()
        if view is not None:
            return view
        if not (array.flags.writeable or key in _frozen or _is_waiting(array)):
            return array  # read-only for good
        memory = [array]
        base = array.base
        while isinstance(base, np.ndarray):  # the user's array, say
            memory.append(base)
            base = base.base
        if base is not None and id(memory[-1]) in _ours:  # a view of what is captured already
            return array
        # Not array.view(): NumPy lets views of a view forget it, here they have to keep it alive.
        view = np.asarray(memoryview(array) if array.dtype.char in _EXPORTED else Kept(None, array))
        for a in memory:
            frozen = _frozen.get(id(a))
            if frozen is not None:
                frozen[1] += 1
            elif a.flags.writeable or _is_waiting(a):
                _thawing[:] = (b for b in _thawing if b is not a)
                _frozen[id(a)] = [a, 1]
                a.setflags(write=False)
        _views[key] = weakref.ref(view, partial(_release, key, id(view), memory))
        _ours.add(id(view))
        return view


def _is_waiting(array: np.ndarray) -> bool:
    return any(a is array for a in _thawing)


def _release(key: int, view: int, memory: list[np.ndarray], ref: weakref.ref) -> None:
    with _lock:
        _ours.discard(view)
        if _views.get(key) is ref:  # no other capture has come in between
            del _views[key]
        for a in memory:
            frozen = _frozen.get(id(a))
            if frozen is not None:
                frozen[1] -= 1
                if not frozen[1]:
                    del _frozen[id(a)]
                    _thawing.append(a)
        waiting = _thawing[:]
        _thawing.clear()
        if len(waiting) > 1:
            waiting.sort(key=lambda a: isinstance(a.base, np.ndarray))  # bases first
        for a in waiting:
            try:
                a.setflags(write=True)
            except ValueError:
                _thawing.append(a)


def is_captured(A: Any) -> bool:
    """Whether a rule still holds the entries of `A`."""
    return bool(_frozen) and id(A.__dict__.get("data")) in _frozen


# ---- on a GPU --------------------------------------------------------------------------------
# Who can reach an array is told by the number of references to it: a variable, another matrix, the
# tape, and every view (which refers to the array that owns the memory) has one.

_lent: dict[int, weakref.ref[Any]] = {}  # by id of the arrays that own the memory of what is lent


def lend(state: dict[str, Any]) -> Any:
    """The entries in the state of a matrix on a GPU, for a rule to keep."""
    with _lock:
        array = state["_data"]
        if is_lent(array):
            return array
        del array  # which would count
        if not _alone(state):
            return state["_data"].copy()
        owner = _owner(state["_data"])
        key = id(owner)
        _lent[key] = weakref.ref(owner, lambda _: _lent.pop(key, None))
        return state["_data"]


def expose(state: dict[str, Any]) -> Any:
    """The entries in the state of a matrix on a GPU, for others to read and write."""
    with _lock:
        if not _lent or not is_lent(state["_data"]):
            return state["_data"]
        if _alone(state):  # the rules have let it go
            del _lent[id(_owner(state["_data"]))]
        else:
            state["_data"] = state["_data"].copy()
        return state["_data"]


def is_lent(array: Any) -> bool:
    """Whether a rule may hold this array of a GPU, which then must not get out."""
    owner = _owner(array)
    known = _lent.get(id(owner))
    return known is not None and known() is owner


def private(array: Any) -> Any:
    """An array that may get out: a copy of what is lent."""
    return array.copy() if type(array) in DEVICE_ARRAYS and is_lent(array) else array


def _owner(array: Any) -> Any:
    return array if array.base is None else array.base


def _alone(state: dict[str, Any]) -> bool:
    """Whether nothing but this state refers to the array `_data` in it, or to its memory."""
    if sys.getrefcount(state["_data"]) > _ONE:
        return False
    return state["_data"].base is None or sys.getrefcount(state["_data"].base) <= _ONE


_EXAMPLE = {"_data": object()}
_ONE = sys.getrefcount(_EXAMPLE["_data"])  # which differs between versions of Python
