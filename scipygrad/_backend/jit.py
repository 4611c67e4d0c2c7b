"""How kernels are compiled, and what their operands are brought to."""

from __future__ import annotations

import os
import tempfile

import numba
import numpy as np

if not os.access(os.path.dirname(__file__), os.W_OK) and "NUMBA_CACHE_DIR" not in os.environ:
    numba.config.CACHE_DIR = os.path.join(tempfile.gettempdir(), "scipygrad-numba")

kernel = numba.njit(nogil=True, cache=True, error_model="numpy")

# Sums over columns may be taken in any order and with fused multiply-add, so that they run in
# vector registers; inf and nan mean what they mean.
kernel_over_columns = numba.njit(
    nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "nsz", "contract"}
)


def common(*arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays in one dtype and in C order."""
    dtype = np.result_type(*arrays)
    return [np.ascontiguousarray(a, dtype=dtype) for a in arrays]


def unsigned(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Index arrays as unsigned: spares kernels the test for a negative index at every access."""
    return tuple(np.ascontiguousarray(a).view(f"u{a.itemsize}") for a in arrays)
