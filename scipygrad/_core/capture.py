"""Constant matrices that a derivative still needs.

A rule keeps the entries of a constant operand, not a copy. As long as it does, writing into them
would silently change the derivative, so the array is read-only for that time: `A.data[k] = v`
raises, and the in-place methods of our classes copy first. What a rule gets is a view; when the
last rule has let it go, the array can be written to again.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

_captured: dict[int, tuple[weakref.ref[np.ndarray], np.ndarray]] = {}
_released: list[np.ndarray] = []  # those that are views of arrays still captured wait here


class Kept:
    """An array as seen through its owner: views of `np.asarray(Kept(...))` keep that alive."""

    def __init__(self, owner: Any, array: np.ndarray) -> None:
        self.owner, self.array = owner, array
        self.__array_interface__ = array.__array_interface__


def capture(entries: np.ndarray) -> np.ndarray:
    """A view of the entries of a constant matrix, for a rule to keep."""
    key = id(entries)
    if key in _captured:
        view = _captured[key][0]()
        if view is not None:
            return view
    if not entries.flags.writeable:
        return entries
    # Not entries.view(): NumPy lets views of a view forget it, here they have to keep it alive.
    view = np.asarray(Kept(None, entries))

    def release(ref: weakref.ref) -> None:
        # Another capture may have come between the view's end and this call.
        if key in _captured and _captured[key][0] is ref:
            _released.append(_captured.pop(key)[1])
            _make_writable()

    _captured[key] = weakref.ref(view, release), entries
    entries.flags.writeable = False
    return view


def _make_writable() -> None:
    waiting = _released[:]
    _released.clear()
    for array in waiting:
        try:
            array.flags.writeable = True
        except ValueError:
            _released.append(array)


def is_captured(A: Any) -> bool:
    """Whether a rule still holds the entries of `A`."""
    return bool(_captured) and id(A.__dict__.get("data")) in _captured
