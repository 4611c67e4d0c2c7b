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


def gather_extreme(a, b, left: np.ndarray, right: np.ndarray, largest: bool) -> np.ndarray:
    """The larger (smaller) of ``a[left]`` and ``b[right]``, which are zero for negative indices."""
    out = np.empty(left.size, a.dtype)
    find = _gather_largest if largest else _gather_smallest
    find(out, np.ascontiguousarray(a), np.ascontiguousarray(b), left, right)
    return out


@kernel
def _gather_largest(out, a, b, left, right):
    for k in range(out.size):
        i, j = left[k], right[k]
        x = a[i] if i >= 0 else out.dtype.type(0)
        y = b[j] if j >= 0 else out.dtype.type(0)
        out[k] = x if x >= y or x != x else y


@kernel
def _gather_smallest(out, a, b, left, right):
    for k in range(out.size):
        i, j = left[k], right[k]
        x = a[i] if i >= 0 else out.dtype.type(0)
        y = b[j] if j >= 0 else out.dtype.type(0)
        out[k] = x if x <= y or x != x else y


def scatter_share(g, a, b, left: np.ndarray, right: np.ndarray, chosen: np.ndarray):
    """The transpose of `gather_extreme`: where both are the extreme, each has half of it."""
    a_bar, b_bar = np.zeros_like(a), np.zeros_like(b)
    arrays = map(np.ascontiguousarray, (g, a, b))
    _scatter_share(a_bar, b_bar, *arrays, left, right, chosen)
    return a_bar, b_bar


@kernel
def _scatter_share(a_bar, b_bar, g, a, b, left, right, chosen):
    zero = g.dtype.type(0)
    for k in range(g.size):
        i, j = left[k], right[k]
        is_a = (a[i] if i >= 0 else zero) == chosen[k]
        is_b = (b[j] if j >= 0 else zero) == chosen[k]
        if is_a and is_b:
            both = g[k] / 2
            if i >= 0:
                a_bar[i] += both
            if j >= 0:
                b_bar[j] += both
        elif is_a:
            if i >= 0:
                a_bar[i] += g[k]
        elif is_b:
            if j >= 0:
                b_bar[j] += g[k]
        else:
            if i >= 0:
                a_bar[i] = np.nan
            if j >= 0:
                b_bar[j] = np.nan
