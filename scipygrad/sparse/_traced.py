"""The traced sparse matrix with all its operations: what a user's code holds while tracing."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._core import errors
from .._core.engine import is_sparse, sparse_ufunc, strip
from .._core.traced import TracedBase, lift, plain, register
from ._assembly import Assembly
from ._convert import Convert
from ._elementwise import Elementwise
from ._index import Index
from ._matmul import Matmul
from ._reduce import Reduce

_STRUCTURE = frozenset((
    "indices", "indptr", "row", "col", "coords", "offsets", "blocksize", "has_sorted_indices",
    "has_canonical_format", "_shape_as_2d",
))  # fmt: skip
"""Attributes that the pattern alone decides."""

_PLAIN = frozenset((
    "count_nonzero", "nonzero", "getnnz", "argmax", "argmin", "check_format", "getformat",
    "get_shape", "getmaxprint", "__round__", "keys", "rows",
))  # fmt: skip
"""Methods whose results are whole numbers, names or structure."""


class TracedSparse(TracedBase, Matmul, Elementwise, Index, Reduce, Convert, Assembly):
    """A sparse matrix whose entries are traced by autograd.

    It stands for one of the fourteen classes: ``isinstance(A, sp.csr_array)`` is true of a traced
    csr_array. Made by autograd for a sparse argument of a differentiated function, by constructors
    from traced entries, and by every operation with a traced operand.
    """

    __array_priority__ = 110.0  # above ArrayBox's

    def _is_matrix(self) -> bool:
        return issubclass(self._class, sps.spmatrix)

    def _family(self) -> str:
        return "matrix" if self._is_matrix() else "array"

    # ---- structure ---------------------------------------------------------------------------

    def _outline(self) -> Any:
        """What knows shape and format, without making entries for it."""
        d = self.__dict__
        for name in ("_pattern", "_tags", "_constant", "_value"):
            if name in d:
                return d[name]
        return self._pattern

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the matrix."""
        return self._outline().shape

    @property
    def format(self) -> str:
        """Its format, as in SciPy."""
        return self._outline().format

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        """dtype of the entries."""
        d = self.__dict__
        if "_dtype" in d:
            return d["_dtype"]
        if "_constant" in d:
            return d["_constant"].dtype
        return anp.result_type(self._data)

    @property
    def nnz(self) -> int:
        """Number of stored entries, explicit zeros included."""
        p = self._pattern
        return len(p.coords[0])

    size = nnz

    def _other_attribute(self, name: str) -> Any:
        if "_class" not in self.__dict__:
            raise AttributeError(name)
        if name in _STRUCTURE:
            p = self._pattern
            return getattr(p.view(p.tags), name)
        if name in _PLAIN:
            return getattr(plain(self), name)
        if not hasattr(self._class, name):
            raise AttributeError(f"{self._class.__name__!r} object has no attribute {name!r}")
        if name.startswith("_"):
            raise AttributeError(name)
        if not callable(getattr(self._class, name)):
            raise NotImplementedError(errors.not_yet(f"{self._class.__name__}.{name}", ("self",)))

        def refuse(*args, **kwargs):
            raise NotImplementedError(errors.not_yet(f"{self._class.__name__}.{name}", ("self",)))

        return refuse

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "data":
            Assembly.data.fset(self, value)
            return
        if name == "shape":
            self._become(lift(self.reshape(value)))
            return
        if name in _STRUCTURE:
            raise AttributeError(
                f"{name} of a traced sparse matrix cannot be replaced: make a new matrix from "
                f"(data, indices, indptr)."
            )
        object.__setattr__(self, name, value)

    # ---- as SciPy's --------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<traced {repr(plain(self)).lstrip('<')}"

    def __str__(self) -> str:
        return f"traced {plain(self)}"

    def __len__(self) -> int:
        raise TypeError("sparse array length is ambiguous; use getnnz() or shape[0]")

    def __bool__(self) -> bool:
        return bool(plain(self))

    def __iter__(self):
        for i in range(self.shape[0]):
            yield self[i] if self._family() == "array" or self.ndim == 1 else self[i, :]

    def __eq__(self, other: Any) -> Any:
        return plain(self) == strip(other)

    def __ne__(self, other: Any) -> Any:
        return plain(self) != strip(other)

    def __lt__(self, other: Any) -> Any:
        return plain(self) < strip(other)

    def __gt__(self, other: Any) -> Any:
        return plain(self) > strip(other)

    def __le__(self, other: Any) -> Any:
        return plain(self) <= strip(other)

    def __ge__(self, other: Any) -> Any:
        return plain(self) >= strip(other)

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self):
        raise TypeError(
            "A traced sparse matrix cannot be pickled: its trace belongs to this process. Take its "
            "plain value, scipygrad.detach(A)."
        )

    def _real_part(self) -> Any:
        return self.real

    def _imaginary_part(self) -> Any:
        return self.imag

    # ---- NumPy's protocols -------------------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        # As for SciPy's sparse classes: not an array, so that operators ask us.
        whole = np.empty((), object)
        whole[()] = self
        return whole

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs:
            result = sparse_ufunc(ufunc, inputs)
            if result is not NotImplemented:
                return result
            if len(inputs) == 1 and hasattr(type(self), ufunc.__name__):
                return getattr(self, ufunc.__name__)()
        raise NotImplementedError(errors.not_yet(f"numpy.{ufunc.__name__}", ("x",)))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func is np.tensordot:
            return _inner_product(*args, **kwargs)
        method = _NUMPY_METHODS.get(func)
        if method is None or not is_sparse(args[0]):
            name = getattr(func, "__name__", str(func))
            raise NotImplementedError(errors.not_yet(f"numpy.{name}", ("a",)))
        return getattr(lift(args[0]), method)(*args[1:], **kwargs)


_NUMPY_METHODS = {
    np.sum: "sum", np.mean: "mean", np.trace: "trace", np.transpose: "transpose",
    np.diagonal: "diagonal", np.dot: "dot", np.copy: "copy", np.reshape: "reshape",
    np.real: "_real_part", np.imag: "_imaginary_part",
}  # fmt: skip


def _inner_product(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of the products of all entries: what `hessian_vector_product` asks `tensordot` for."""
    if not (is_sparse(a) and is_sparse(b) and a.shape == b.shape and axes == len(a.shape)):
        raise NotImplementedError(errors.not_yet("numpy.tensordot", ("a",)))
    a, b = lift(a), lift(b)
    if a._pattern is b._pattern:
        return anp.sum(a._data * b._data)
    return a.multiply(b).sum()


class TracedDok(TracedSparse, dict):
    """The same for dok, whose classes are dicts of the entries."""

    __iter__ = TracedSparse.__iter__
    __setitem__ = Assembly.__setitem__
    __getitem__ = Index.__getitem__

    def _by_key(self) -> Any:
        self._start_assembly()
        return self._tags

    def __contains__(self, key: Any) -> bool:
        return key in self._by_key()

    def __len__(self) -> int:
        return len(self._by_key())

    def __delitem__(self, key: Any) -> None:
        del self._by_key()[key]
        self._forget()

    def keys(self) -> Any:
        """Coordinates of the stored entries."""
        return self._by_key().keys()

    def values(self) -> Any:
        """The stored entries."""
        return [self._value_of(int(tag)) for tag in self._by_key().values()]

    def items(self) -> Any:
        """Coordinates and entries."""
        return list(zip(self.keys(), self.values()))

    def get(self, key: Any, default: Any = 0.0) -> Any:
        """The entry at `key`, or `default` where none is stored."""
        tag = self._by_key().get(key, 0)
        return self._value_of(int(tag)) if tag else default

    def _refused(name: str) -> Any:  # noqa: N805 (runs in the class body)
        def method(self, *args, **kwargs):
            raise NotImplementedError(errors.not_yet(f"dok.{name}", ("self",)))

        method.__name__ = name
        return method

    clear, pop, popitem = _refused("clear"), _refused("pop"), _refused("popitem")
    setdefault, update, fromkeys = map(_refused, ("setdefault", "update", "fromkeys"))
    __or__ = __ror__ = __ior__ = _refused("|")
    del _refused


def structural_names() -> list[str]:
    """Names of attributes and methods that concern structure, or give whole numbers."""
    return sorted(n for n in _STRUCTURE | _PLAIN if not n.startswith("_"))


register("object", TracedSparse)
register("dict", TracedDok)
