"""What `gpu.py` and `gpu_profile.py` share: CuPy, times, memory, and where they were measured."""

import gc
import os
import platform
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def keep_to(cores):
    """Start this program anew on so many cores, so that libraries count no more of them."""
    if hasattr(os, "sched_getaffinity") and len(allowed := sorted(os.sched_getaffinity(0))) > cores:
        os.sched_setaffinity(0, allowed[:cores])
        os.execv(sys.executable, [sys.executable, *sys.argv])


def get_cupy(stand_in):
    """CuPy, or the tests' stand-in for it."""
    if stand_in:
        sys.path.insert(0, str(ROOT / "tests" / "gpu"))
        import standin

        return standin.install()
    import cupy

    return cupy


def where(cp, real):
    """Device and host, in words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    on = f"host: {platform.machine()}, {cores} cores used, Python {platform.python_version()}"
    if not real:
        return f"stand-in for CuPy: THESE TIMES MEAN NOTHING; {on}"
    runtime = cp.cuda.runtime
    name = runtime.getDeviceProperties(cp.cuda.Device().id)["name"].decode()
    versions = f"CuPy {cp.__version__}, CUDA {runtime.runtimeGetVersion()}"
    return f"{name}, {versions}, driver {runtime.driverGetVersion()}; {on}"


# ---- times and memory ---------------------------------------------------------------------------


class Clock:
    """Median time of a function, on the device or on the host."""

    def __init__(self, cp, real, repeats=20, seconds=5.0):
        self.cp, self.real = cp, real
        self.repeats, self.seconds = (repeats, seconds) if real else (1, 0.0)

    def _median(self, measure, warm):
        for _ in range(warm if self.real else 0):
            measure()
        times, end = [], time.perf_counter() + self.seconds
        while not times or (len(times) < self.repeats and time.perf_counter() < end):
            times.append(measure())
        return statistics.median(times)

    def device(self, f):
        """Seconds between two events around the function."""
        if not self.real:
            return self.host(f)
        cuda = self.cp.cuda

        def measure():
            start, stop = cuda.Event(), cuda.Event()
            start.record()
            f()
            stop.record()
            stop.synchronize()
            return cuda.get_elapsed_time(start, stop) / 1e3

        return self._median(measure, warm=3)

    def host(self, f):
        """Seconds on the host."""
        return self._median(lambda: self.once(f, wait=False), warm=1)

    def once(self, f, wait=True):
        """Seconds of one call, and of what it started on the device."""
        start = time.perf_counter()
        f()
        if wait and self.real:
            self.cp.cuda.get_current_stream().synchronize()
        return time.perf_counter() - start


def bandwidth(cp, clock):
    """Bytes per second of a copy and of STREAM's triad, a = b + s c, on the device."""
    n = 2**27 if clock.real else 2**10
    a, b, c = (cp.zeros(n) for _ in range(3))

    def copy():
        a[...] = b

    found = {"copy": 2 * a.nbytes / clock.device(copy)}
    if hasattr(cp, "ElementwiseKernel"):
        kernel = cp.ElementwiseKernel("T b, T c, T s", "T a", "a = b + s * c", "triad")
        found["triad"] = 3 * a.nbytes / clock.device(lambda: kernel(b, c, 3.0, a))
    return found


def peak_bytes(clock, f):
    """How much more of CuPy's pool than before is used at most while the function runs."""
    if not clock.real:
        return None

    class Peak(clock.cp.cuda.MemoryHook):
        name, used, most = "Peak", 0, 0

        def malloc_postprocess(self, device_id, size, mem_size, mem_ptr, pmem_id):
            self.used += mem_size if mem_ptr else 0
            self.most = max(self.most, self.used)

        def free_postprocess(self, device_id, mem_size, mem_ptr, pmem_id):
            self.used -= mem_size

    gc.collect()
    with Peak() as peak:
        f()
    return peak.most
