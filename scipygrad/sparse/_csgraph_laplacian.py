"""The Laplacian of a graph: SciPy's formulas in traced operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse.csgraph as csg

from .._core.engine import cast, is_sparse, isbox, strip
from .._core.mirror import own, traced
from .._core.traced import entries_of, lift, make
from ._convert import as_format

_FORMS = ("array", "function", "lo")


def _untraced(*args: Any, **kwargs: Any) -> Any:
    """SciPy's Laplacian; an operator becomes one of ours, for traced vectors."""
    result = csg.laplacian(*args, **kwargs)
    if kwargs.get("form") != "lo":
        return result
    theirs, *diagonal = result if isinstance(result, tuple) else (result,)
    product = csg.laplacian(*args, **{**kwargs, "form": "function"})
    operator = _operator(product[0] if diagonal else product, theirs.shape, theirs.dtype)
    return (operator, *diagonal) if diagonal else operator


def _operator(product: Callable, shape: tuple[int, int], dtype: np.dtype) -> Any:
    from ..linalg import LinearOperator  # loaded when needed, as in SciPy

    return LinearOperator(shape, matvec=product, matmat=product, dtype=dtype)


@traced(
    csg.laplacian,
    wrt=("csgraph",),
    note="the scale 1 of a vertex of degree 0 is a constant",
    untraced=_untraced,
)
def laplacian(
    csgraph,
    normed=False,
    return_diag=False,
    use_out_degree=False,
    *,
    copy=True,
    form="array",
    dtype=None,
    symmetrized=False,
):
    # Never in place, whatever `copy` says: what is traced is not modified.
    shape = getattr(csgraph, "shape", ())
    if not _is_graph(csgraph) or len(shape) != 2 or shape[0] != shape[1] or form not in _FORMS:
        return own(  # which raises
            csg.laplacian(
                strip(csgraph), normed, return_diag, use_out_degree,
                form=form, dtype=dtype, symmetrized=symmetrized,
            )
        )  # fmt: skip
    dtype = np.dtype(csgraph.dtype if dtype is None else dtype)
    axis = 1 if use_out_degree else 0
    if form == "array":
        make_laplacian = _sparse if is_sparse(csgraph) else _dense
    else:
        make_laplacian = _function
    if not is_sparse(csgraph):
        csgraph = cast(csgraph, csgraph.dtype)  # for the dtype of its cotangent
    L, d = make_laplacian(csgraph, normed, axis, dtype, symmetrized)
    if form == "lo":
        L = _operator(L, shape, dtype)
    return (L, d) if return_diag else L


def _is_graph(x: Any) -> bool:
    return is_sparse(x) or (isbox(x) and isinstance(strip(x), np.ndarray))


def _sparse(graph: Any, normed: bool, axis: int, dtype: np.dtype, symmetrized: bool) -> Any:
    A = as_format(lift(graph), "coo") if graph.format in ("lil", "dok") else lift(graph)
    if symmetrized:
        A = lift(A + A.T.conj())
    degrees = _sums(A, axis) - A.diagonal()
    if normed or A.format != "dia":
        A = as_format(A, "coo")
    if normed:
        scale, isolated = _scale(degrees)
        rows, columns = A._pattern.coords
        data, diagonal = entries_of(A) / scale[rows] / scale[columns], 1 - isolated
    else:
        scale, data, diagonal = degrees, entries_of(A), degrees
    L = make(A._pattern, -data, A._class)
    L.setdiag(diagonal)
    return (L if L.dtype == dtype else L.astype(dtype)), _in(dtype, scale)


def _dense(graph: Any, normed: bool, axis: int, dtype: np.dtype, symmetrized: bool) -> Any:
    A = graph + anp.conj(graph.T) if symmetrized else graph
    on_diagonal = np.eye(len(graph), dtype=bool)
    A = anp.where(on_diagonal, 0, A)
    degrees = anp.sum(A, axis=axis)
    if normed:
        scale, isolated = _scale(degrees)
        A, diagonal = A / scale / scale[:, None], (1 - isolated).astype(graph.dtype)
    else:
        scale, diagonal = degrees, degrees
    return _in(dtype, anp.diag(diagonal) - A), _in(dtype, scale)


def _scale(degrees: Any) -> tuple[Any, np.ndarray]:
    """Square roots of the degrees, 1 (a constant) for degree 0, and where that is."""
    isolated = strip(degrees) == 0
    # A square root of 0, even if not used, would give the derivative 0 * inf.
    return anp.sqrt(anp.where(isolated, 1, degrees)), isolated


def _function(graph: Any, normed: bool, axis: int, dtype: np.dtype, symmetrized: bool) -> Any:
    sums = _sums(graph, axis)
    diagonal = lift(graph).diagonal() if is_sparse(graph) else anp.diag(graph)
    degrees = sums - diagonal
    if symmetrized:
        sums = sums + _sums(graph, 1 - axis)
        degrees = sums - diagonal - diagonal
    product = _product(graph, sums, symmetrized)
    if not normed:
        return product, _in(dtype, degrees)
    scale, _ = _scale(degrees)
    inverse = 1.0 / scale[:, None]
    return lambda v: inverse * product(v * inverse), _in(dtype, scale)


def _product(A: Any, sums: Any, symmetrized: bool) -> Callable:
    """V ↦ (diag(sums) - A) V, or with A + Aᴴ in place of A; V has two dimensions, as in SciPy."""
    d = sums[:, None]
    if symmetrized:
        return lambda v: v * d - A @ v - anp.conj(anp.transpose(anp.conj(v)) @ A).T
    return lambda v: v * d - A @ v


def _sums(A: Any, axis: int) -> Any:
    if not is_sparse(A):
        return anp.sum(A, axis=axis)
    total = lift(A).sum(axis=axis)
    return total.A1 if lift(A)._is_matrix() else total


def _in(dtype: np.dtype, x: Any) -> Any:
    """In the dtype asked for; whole numbers would cut the derivative off, and raise."""
    if dtype.kind not in "fc":
        raise TypeError(
            f"laplacian: dtype={dtype} of a traced graph would lose its derivative. Leave dtype "
            "out, or convert a plain graph (scipygrad.detach)."
        )
    return cast(x, dtype)  # also brings cotangents into their dtype, which autograd's rules do not
