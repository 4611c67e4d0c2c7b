"""What CuPy 14.2's functions accept: their signatures, and where they are stricter than NumPy's.

A call that CuPy would refuse is refused here, with the same class of exception where that is known.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path

import numpy as np


@cache
def signatures():
    """Signatures by name: `sum`, `linalg.solve`, `fft.fft`, `ndarray.sum`."""
    found = {}
    for line in (Path(__file__).parent / "signatures.txt").read_text(encoding="utf-8").splitlines():
        name, _, parameters = line.partition("(")
        made = {}
        exec(f"def f({parameters}: pass", made)
        found[name] = inspect.signature(made["f"])
    return found


ARRAYS = frozenset("a ary arr arr1 arr2 array condition f keys m M ndarray x x1 x2 z A".split())
"""Parameters that have to be arrays of CuPy's: its functions call methods of them."""

TAKES_ANYTHING = frozenset(
    """
    array array_repr array_str array2string asanyarray asarray asarray_chkfinite copy fromfunction
    isscalar ndim shape size iscomplexobj isrealobj format_float_positional format_float_scientific
    base_repr binary_repr can_cast result_type bartlett blackman hamming hanning kaiser tri eye
    identity min_scalar_type
    """.split()
)

BOTH_ARRAYS = frozenset(
    """
    dot vdot inner outer tensordot matmul cross convolve correlate linalg.solve linalg.lstsq
    linalg.tensorsolve linalg.cross linalg.matmul
    """.split()
)
"""Functions whose second argument has to be one, too."""

_PYTHONS = (int, float, complex)

JOINED = frozenset(
    "concat concatenate stack hstack vstack dstack column_stack row_stack broadcast_arrays".split()
)
"""Functions of several arrays, all of them CuPy's."""


WAIT_FOR_A_NUMBER = frozenset(
    """
    nonzero flatnonzero argwhere unique unique_all unique_counts unique_inverse unique_values
    union1d intersect1d setdiff1d setxor1d bincount extract histogram digitize percentile quantile
    ndarray.nonzero real_if_close
    """.split()
)
"""Functions that read a number from the device, such as the size of what they return."""


def waits(name, args, kwargs, is_array):
    """Whether a call reads a number from the device."""
    if name in WAIT_FOR_A_NUMBER:
        return True
    if name in ("repeat", "ndarray.repeat"):
        return any(map(is_array, args[name == "repeat" :])) or is_array(kwargs.get("repeats"))
    if name == "where":
        return len(args) + len(kwargs) == 1
    return name == "linspace" and any(map(is_array, args[:2]))


def check(name, args, kwargs, is_array):
    """Raise for a call that CuPy refuses."""
    signature = signatures().get(name)
    if signature is None:
        return
    given = signature.bind(*args, **kwargs).arguments
    if name.startswith("ndarray."):
        _check_values(name, given)
        return
    if name not in TAKES_ANYTHING:
        for p in given:
            if p in ARRAYS and (name, p) != ("where", "x") and not is_array(given[p]):
                raise TypeError(f"cupy.{name}: {p} is not a cupy.ndarray but a {type(given[p])}")
    if name in BOTH_ARRAYS:
        two = given.get("args") or tuple(given.values())[:2]
        if not all(map(is_array, two)):
            raise TypeError(f"cupy.{name}: {[type(x) for x in two]}")
    if name == "searchsorted" and not (is_array(given["v"]) or isinstance(given["v"], _PYTHONS)):
        raise NotImplementedError("Only python scalars or ndarrays are supported for v")
    if name in JOINED:
        _check_joined(name, tuple(given.values())[0], is_array)
    if name == "einsum" and not all(
        is_array(x) or isinstance(x, (str, list)) for x in given["operands"]
    ):
        raise TypeError("cupy.einsum of something else than cupy.ndarray")
    _check_values(name, given)


def _check_joined(name, parts, is_array):
    if not all(map(is_array, parts)):
        raise TypeError("Only cupy arrays can be concatenated")
    if name in ("concat", "concatenate") and not all(x.ndim for x in parts):
        raise TypeError("zero-dimensional arrays cannot be concatenated")


def _check_values(name, given):
    short = name.rpartition(".")[2]
    if short in ("reshape", "ravel", "flatten") and "order" in given:
        len(given["order"])  # as CuPy does: None is a TypeError
    if short in ("sort", "argsort") and given.get("kind") not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    if name == "tensordot" and not (given["a"].ndim and given["b"].ndim):
        if given.get("axes", 2) not in (0, ((), ())):
            raise ValueError("An input is zero-dim while axes has dimensions")
    if name == "ndarray.view" and isinstance(given.get("dtype"), type):
        if not issubclass(given["dtype"], np.generic):
            raise TypeError("a view of another class, which CuPy takes for a dtype, of objects")
    if name == "ndarray.astype" and (given.get("casting"), given.get("subok")) != (None, None):
        raise TypeError("casting is not supported yet")
    if name.startswith("linalg."):
        _check_linalg(short, given)


def _check_linalg(name, given):
    for x in given.values():
        if getattr(x, "dtype", None) == np.float16 and name != "eigh":
            raise TypeError("float16 is unsupported in linalg")
    if name == "solve":
        a, b = given["a"], given["b"]
        if b.ndim > 1 and a.shape[:-1] != b.shape[:-1]:
            raise ValueError(
                "a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b"
            )
