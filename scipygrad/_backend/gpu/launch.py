"""Launching the kernels of `kernels/*.cu`.

A kernel is compiled when it is first used with its types: a program needs a handful of some hundred
instances, and one takes 0.1 to 0.5 s. CuPy keeps the code on disk, so that this is done once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp
import numpy as np

KERNELS = Path(__file__).parent / "kernels"
THREADS = 256
LANES = (1, 2, 4, 8, 32)
NULL = np.int64(0)
"""A null pointer: CuPy takes any number of 8 bytes for one, but not None."""

_C_TYPES = {"f": "float", "d": "double", "F": "complex<float>", "D": "complex<double>",
            "i": "int", "l": "long long", "q": "long long"}  # fmt: skip
_VALUES = "fdFD"

NAMES = {
    "entrywise": ("gather", "gather_sum", "segment_sum", "differ"),
    "products": (
        "sum_lines", "sum_lines_of_block", "both_cotangents", "sampled_outer", "masked_product",
        "pairs_of_product", "segment_products", "find_slots", "product_left", "product_right",
    ),
    "triangular": ("substitute",),
    "extremes": ("segment_extreme",),
}  # fmt: skip
IN_GROUPS = frozenset(
    """
    sum_lines both_cotangents sampled_outer masked_product segment_products find_slots product_left
    product_right
    """.split()
)
"""Kernels in which groups of threads, one of `LANES`, share a result."""

_compiled: dict[Any, Any] = {}


def source(*stems: str) -> str:
    """The code of families of kernels, without CuPy's complex numbers, which it needs."""
    files = ("group.cuh", *(f"{stem}.cu" for stem in stems))
    return "\n".join((KERNELS / name).read_text(encoding="utf-8") for name in files)


@cache
def _with_complex(stem: str) -> str:
    return f"#include <cupy/complex.cuh>\n{source(stem)}"


def _compile(stem: str, name: str, value: Any, index: Any, lanes: int) -> Any:
    """A kernel for these types; CuPy's object serves all devices."""
    assert name in NAMES[stem]
    types = [_C_TYPES[np.dtype(value).char], _C_TYPES[np.dtype(index).char]]
    expression = f"{name}<{', '.join(types + [str(lanes)] * (lanes > 0))}>"
    module = cp.RawModule(
        code=_with_complex(stem), options=("--std=c++17",), name_expressions=(expression,)
    )
    return module.get_function(expression)


def launch(
    stem: str, name: str, value: Any, index: Any, n: int, *args: Any, lanes: int = 0
) -> None:
    """Run a kernel with one thread for each of n results, or with a group of `lanes` threads."""
    if not n:
        return
    key = name, value, index, lanes
    kernel = _compiled.get(key)
    if kernel is None:
        kernel = _compiled[key] = _compile(stem, name, value, index, lanes)
    refuse_other_devices(args)
    threads = n * lanes if lanes else n
    kernel(((threads + THREADS - 1) // THREADS,), (THREADS,), (*args, np.int64(n)))


def refuse_other_devices(args: Any) -> None:
    """Raise for arrays that the current device cannot read; a kernel would end in a CUDA error.

    (CuPy does so for its own kernels, not for those of others.)
    """
    here = cp.cuda.get_device_id()
    for x in args:
        if type(x) is cp.ndarray and x.data.device_id != here:
            raise ValueError(
                f"an array of device {x.data.device_id} in an operation on device {here}. Make "
                "that one current where its arrays are used: with x.device: ..."
            )


def common(*arrays: Any) -> list[Any]:
    """The arrays in one dtype that the kernels know, and in C order."""
    dtype = arrays[0].dtype
    if dtype.char not in _VALUES or any(a.dtype != dtype for a in arrays):
        dtype = np.result_type(*(a.dtype for a in arrays))
        if dtype.char not in _VALUES:
            dtype = np.result_type(dtype, np.float64)
        arrays = tuple(a.astype(dtype, copy=False) for a in arrays)
    return [a if a.flags.c_contiguous else cp.ascontiguousarray(a) for a in arrays]
