"""Kernels that go through entries one by one."""

from __future__ import annotations

import numpy as np

from .jit import kernel


def gather(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """``x[index]`` of a vector, zero where the index is negative."""
    out = np.empty(index.size, x.dtype)
    _gather(out, np.ascontiguousarray(x), index)
    return out


@kernel
def _gather(out, x, index):
    for k in range(index.size):
        i = index[k]
        out[k] = x[i] if i >= 0 else 0


def gather_sum(a, b, left: np.ndarray, right: np.ndarray, sign: int) -> np.ndarray:
    """``a[left] + sign * b[right]`` for vectors of one dtype, zero where an index is negative."""
    out = np.empty(left.size, a.dtype)
    combine = _gather_sum if sign > 0 else _gather_difference
    combine(out, np.ascontiguousarray(a), np.ascontiguousarray(b), left, right)
    return out


@kernel
def _gather_sum(out, a, b, left, right):
    for k in range(out.size):
        i, j = left[k], right[k]
        s = a[i] if i >= 0 else out.dtype.type(0)
        out[k] = s + b[j] if j >= 0 else s


@kernel
def _gather_difference(out, a, b, left, right):
    for k in range(out.size):
        i, j = left[k], right[k]
        s = a[i] if i >= 0 else out.dtype.type(0)
        out[k] = s - b[j] if j >= 0 else s


def share(g: np.ndarray, a: np.ndarray, b: np.ndarray, chosen: np.ndarray):
    """g where a is what was chosen of a and b, and g where b is: half of it each if both are."""
    left, right = np.empty_like(g), np.empty_like(g)
    _share(left.reshape(-1), right.reshape(-1), *(x.reshape(-1) for x in (g, a, b, chosen)))
    return left, right


@kernel
def _share(left, right, g, a, b, chosen):
    for k in range(g.size):
        is_a, is_b = a[k] == chosen[k], b[k] == chosen[k]
        if is_a and is_b:
            left[k] = right[k] = g[k] / 2
        elif is_a:
            left[k], right[k] = g[k], 0
        elif is_b:
            left[k], right[k] = 0, g[k]
        else:
            left[k] = right[k] = np.nan
