"""Matrices from dense, traced values: constructors, diagonals."""

from __future__ import annotations

import inspect
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._core.collect import array_of as _array
from .._core.engine import contains_traced, is_sparse, isbox, strip
from .._core.mirror import traced
from .._core.tags import transform
from .._core.traced import class_of_ours, lift
from ._convert import as_family, as_format


def construct(cls: type, *args: Any, **kwargs: Any) -> Any:
    """``cls(...)`` of a sparse class of ours when an argument is traced.

    `(data, ...)` keeps the given structure; a dense argument is stored whole, since structure
    does not depend on values while tracing.
    """
    bound = inspect.signature(cls.__init__).bind(None, *args, **kwargs)
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
    elif isinstance(arg1, tuple) and contains_traced(arg1[:1]) and len(arg1) in (2, 3):
        data, *structure = arg1
        structure = strip(structure)
        by_coords = len(arg1) == 2 and format != "dia"  # (data, (i, j)): duplicates are summed
        made = coo_class(family) if by_coords else cls
        blocksize = options.pop("blocksize", None) if by_coords else None
        A = transform(
            lambda tags: made((tags, *structure), **options), [_array(data)], None, duplicates=True
        )
        A = as_format(lift(A), format, blocksize)
    else:
        A = transform(lambda tags: cls(tags, **options), [_array(arg1)], None)
    return A if dtype is None else A.astype(dtype)


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


@traced(sps.diags, wrt=("diagonals",))
def diags(diagonals, offsets=0, shape=None, format=None, dtype=None):
    return _diagonals(sps.diags, diagonals, offsets, shape, format, dtype)


@traced(sps.diags_array, wrt=("diagonals",))
def diags_array(diagonals, /, *, offsets=0, shape=None, format=None, dtype=None):
    return _diagonals(sps.diags_array, diagonals, offsets, shape, format, dtype)


@traced(sps.spdiags, wrt=("data",))
def spdiags(data, diags, m=None, n=None, format=None):
    diags, m, n = strip((diags, m, n))
    key = ("spdiags", repr(np.asarray(diags).tolist()), repr((m, n)), format)
    return transform(lambda tags: sps.spdiags(tags, diags, m, n, format), [_array(data)], key)
