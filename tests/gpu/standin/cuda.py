"""`cupy.cuda`, as far as the library asks which device is meant, and how much memory it has."""

from __future__ import annotations

import threading
import types
import weakref

current = [0]
MEMORY = 2**34


class Device:
    """Stand-in for `cupy.cuda.Device`."""

    def __init__(self, device=None):
        self.id = current[-1] if device is None else int(device)

    def __enter__(self):
        current.append(self.id)
        return self

    def __exit__(self, *args):
        current.pop()

    def use(self):
        current[-1] = self.id

    def synchronize(self):
        for stream in _all:
            stream.synchronize()

    def __int__(self):
        return self.id

    def __eq__(self, other):
        return isinstance(other, Device) and self.id == other.id

    def __repr__(self):
        return f"<CUDA Device {self.id}>"

    @property
    def mem_info(self):
        return MEMORY // 2, MEMORY


def get_device_id():
    """The current device."""
    return current[-1]


class Event:
    """Stand-in for `cupy.cuda.Event`: how far a stream was when it was recorded."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.recorded = None

    def record(self, stream=None):
        stream = stream or get_current_stream()
        self.recorded = stream, stream.ticks

    def synchronize(self):
        if self.recorded is not None:
            stream, ticks = self.recorded
            stream.done = max(ticks, stream.done)


class Stream:
    """Stand-in for `cupy.cuda.Stream`. All is done at once; that others waited can be checked."""

    def __init__(self, null=False, non_blocking=False, ptds=False):
        self.ticks, self.done, self._waited = 0, 0, {}
        _all.add(self)

    def __enter__(self):
        _streams().append(self)
        return self

    def __exit__(self, *args):
        _streams().pop()

    def record(self, event=None):
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event):
        if event.recorded is not None:
            stream, ticks = event.recorded
            self._waited[stream] = max(ticks, self._waited.get(stream, 0))

    def synchronize(self):
        self.done = self.ticks

    def follows(self, place):
        """Whether what is done here from now on is done after a place (stream, ticks)."""
        if place is None or place[0] is self:
            return True
        return max(place[0].done, self._waited.get(place[0], 0)) >= place[1]


_all: weakref.WeakSet[Stream] = weakref.WeakSet()
_null, _by_thread = Stream(), threading.local()


def _streams():
    if not hasattr(_by_thread, "streams"):
        _by_thread.streams = [_null]
    return _by_thread.streams


def get_current_stream(device_id=-1):
    """The current stream of this thread."""
    return _streams()[-1]


def written():
    """The place in the current stream of an array that is written now."""
    stream = get_current_stream()
    stream.ticks += 1
    return stream, stream.ticks


class MemoryPool:
    """Stand-in for `cupy.cuda.MemoryPool`: nothing is kept for later."""

    def free_bytes(self):
        return 0

    def used_bytes(self):
        return 0

    def total_bytes(self):
        return 0


def module():
    """The module."""
    m = types.ModuleType("cupy.cuda")
    m.Device, m.get_device_id, m.MemoryPool = Device, get_device_id, MemoryPool
    m.Event, m.Stream, m.get_current_stream = Event, Stream, get_current_stream
    m.runtime = types.ModuleType("cupy.cuda.runtime")
    m.runtime.memGetInfo = lambda: Device().mem_info
    m.runtime.getDevice = get_device_id
    m.runtime.getDeviceCount = lambda: 2
    return m
