"""Matrices from dense, traced values: constructors, diagonals."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._core import errors
from .._core.collect import array_of as _array
from .._core.device import contains_device, host, on_device, refuse_mixed, to_device
from .._core.engine import contains_traced, is_sparse, isbox, strip
from .._core.layout import DEVICE_ARRAYS
from .._core.mirror import traced
from .._core.tags import arranged, transform
from .._core.traced import TracedBase, class_of_ours, constant, lift
from ._convert import as_family, as_format
from ._natively import natively


def construct(cls: type, *args: Any, **kwargs: Any) -> Any:
    """``cls(...)`` of a sparse class of ours when an argument is traced.

    `(data, ...)` keeps the given structure; a dense argument is stored whole, since structure
    does not depend on values while tracing.
    """
    bound = _signature(cls).bind(None, *args, **kwargs)
    options = {k: strip(v) for k, v in bound.arguments.items() if k not in ("self", "arg1")}
    dtype = options.pop("dtype", None)
    options.pop("copy", None)
    arg1 = bound.arguments["arg1"]
    format, family = cls.__name__.split("_")
    if is_sparse(arg1):
        A = lift(arg1)
        blocksize = options.pop("blocksize", None)
        if options.get("shape") not in (None, A.shape):
            raise ValueError(f"inconsistent shapes: {A.shape} was given, shape={options['shape']}")
        A = as_family(as_format(A, format, blocksize), family)
    elif isinstance(arg1, tuple) and len(arg1) in (2, 3) and _has_entries(arg1):
        data, *structure = arg1
        structure = strip(structure)
        by_coords = len(arg1) == 2 and format != "dia"  # (data, (i, j)): duplicates are summed
        made = coo_class(family) if by_coords else cls
        blocksize = options.pop("blocksize", None) if by_coords else None
        if on_device(data):
            from ._device_structures import constructed

            A = constructed(made, _array(data), structure, options)
            if A is not None:
                return _finished(as_format(lift(A), format, blocksize), dtype)
        structure = _structure(data, structure)
        A = arranged(lambda tags: made((tags, *structure), **options), _array(data))
        A = as_format(lift(A), format, blocksize)
    elif on_device(arg1) and not isbox(arg1):  # as CuPy: the elements that are not zero
        A = to_device(cls(host(arg1), **options))
    else:
        A = transform(lambda tags: cls(tags, **options), [_array(arg1)], None)
    return _finished(A, dtype)


def _finished(A: Any, dtype: Any) -> Any:
    A = A if dtype is None else A.astype(dtype)
    plain = constant(A) if isinstance(A, TracedBase) else None
    return A if plain is None else plain


@functools.cache
def _signature(cls: type) -> inspect.Signature:
    return inspect.signature(cls.__init__)


def _has_entries(arg1: tuple) -> bool:
    return contains_traced(arg1[:1]) or on_device(arg1[0])


def _structure(data: Any, structure: list[Any]) -> list[Any]:
    """Index arrays on the host; they have to lie where the entries do."""
    if on_device(data):
        refuse_mixed(structure)
        return host(structure)
    if contains_device(structure):
        raise TypeError(errors.mixed(np.ndarray, *DEVICE_ARRAYS))
    return structure


def coo_class(family: str) -> type:
    """Our coo_array or coo_matrix."""
    return class_of_ours(getattr(sps, f"coo_{family}"))


def _diagonal_operands(diagonals: Any) -> list[Any]:
    if isbox(diagonals) and anp.ndim(diagonals) == 0:
        return [diagonals]
    return [_array(d) for d in diagonals]


def _diagonals(function: Any, diagonals: Any, offsets: Any, shape: Any, format: Any, dtype: Any):
    offsets = strip(offsets)
    if np.ndim(offsets) == 0:
        # SciPy: with one offset, `diagonals` may be the diagonal itself.
        single = (
            anp.ndim(diagonals) == 1
            if isbox(diagonals)
            else not (len(diagonals) == 1 and anp.ndim(diagonals[0]) >= 1)
        )
        operands = [_array(diagonals)] if single else [_array(diagonals[0])]
        offsets = [offsets]
    else:
        operands = _diagonal_operands(diagonals)
    key = (function.__name__, repr(list(np.atleast_1d(offsets))), repr(shape), format)
    A = transform(
        lambda *tags: function(
            list(tags), offsets=offsets, shape=shape, format=format, dtype=np.int64
        ),
        operands,
        key,
    )
    return A if dtype is None else A.astype(dtype)


@traced(sps.diags, wrt=("diagonals",), gpu=True, untraced=natively(sps.diags))
def diags(diagonals, offsets=0, shape=None, format=None, dtype=None):
    return _diagonals(sps.diags, diagonals, offsets, shape, format, dtype)


@traced(sps.diags_array, wrt=("diagonals",), gpu=True, untraced=natively(sps.diags_array))
def diags_array(diagonals, /, *, offsets=0, shape=None, format=None, dtype=None):
    return _diagonals(sps.diags_array, diagonals, offsets, shape, format, dtype)


@traced(sps.spdiags, wrt=("data",), gpu=True, untraced=natively(sps.spdiags))
def spdiags(data, diags, m=None, n=None, format=None):
    diags, m, n = strip((diags, m, n))
    key = ("spdiags", repr(np.asarray(diags).tolist()), repr((m, n)), format)
    return transform(lambda tags: sps.spdiags(tags, diags, m, n, format), [_array(data)], key)
