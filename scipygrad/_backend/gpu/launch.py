"""Launching the kernels of `kernels/*.cu`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp
import numpy as np

KERNELS = Path(__file__).parent / "kernels"
THREADS = 256
_C_TYPES = {"f": "float", "d": "double", "F": "complex<float>", "D": "complex<double>",
            "i": "int", "l": "long long", "q": "long long"}  # fmt: skip
_VALUES, _INDICES = "fdFD", "iq"


@cache
def _module(stem: str, names: tuple[str, ...]) -> Any:
    """The kernels of a file, for all types of entries and indices."""
    code = "#include <cupy/complex.cuh>\n" + (KERNELS / f"{stem}.cu").read_text(encoding="utf-8")
    expressions = [
        f"{name}<{_C_TYPES[t]}, {_C_TYPES[i]}>" for name in names for t in _VALUES for i in _INDICES
    ]
    return cp.RawModule(code=code, options=("--std=c++17",), name_expressions=expressions)


NAMES = {
    "entrywise": ("gather", "gather_sum", "segment_sum", "differ"),
    "products": ("sampled_outer", "segment_products"),
}


def launch(stem: str, name: str, value: Any, index: Any, n: int, *args: Any) -> None:
    """Run a kernel with one thread for each of n results."""
    if not n:
        return
    types = f"{_C_TYPES[np.dtype(value).char]}, {_C_TYPES[np.dtype(index).char]}"
    kernel = _module(stem, NAMES[stem]).get_function(f"{name}<{types}>")
    kernel(((n + THREADS - 1) // THREADS,), (THREADS,), (*args, np.int64(n)))


def common(*arrays: Any) -> list[Any]:
    """The arrays in one dtype that the kernels know, and in C order."""
    dtype = np.result_type(*(a.dtype for a in arrays))
    if dtype.char not in _VALUES:
        dtype = np.result_type(dtype, np.float64)
    return [cp.ascontiguousarray(a.astype(dtype, copy=False)) for a in arrays]
