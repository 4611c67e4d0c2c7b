"""The traced sparse matrix with all its operations: what a user's code holds while tracing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps

from .._core import arrays, errors
from .._core.engine import is_sparse, isbox, sparse_ufunc, strip
from .._core.traced import FORMATS, TracedBase, lift, plain, register
from ._assembly import Assembly
from ._convert import Convert
from ._elementwise import Elementwise
from ._extremum import Extremum
from ._index import Index
from ._matmul import Matmul
from ._members import STRUCTURE, VALUES
from ._reduce import Reduce


class TracedSparse(TracedBase, Matmul, Elementwise, Extremum, Index, Reduce, Convert, Assembly):
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
        return self._pattern.nnz

    size = nnz

    def _other_attribute(self, name: str) -> Any:
        if "_class" not in self.__dict__:
            raise AttributeError(name)
        if name in STRUCTURE:
            p = self._pattern
            return getattr(p.matrix(p.tags, self._class), name)
        if name in VALUES:
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
        if name == "shape" and self._is_matrix():  # arrays have no setter
            self.set_shape(value)
            return
        if name in STRUCTURE:
            raise AttributeError(
                f"{name} of a traced sparse matrix cannot be replaced: make a new matrix from "
                f"(data, indices, indptr)."
            )
        object.__setattr__(self, name, value)

    def set_shape(self, shape: Any) -> None:
        """Another shape with the same entries, in place."""
        reshaped = lift(self.reshape(shape))
        self._become(lift(reshaped.asformat(self.format)))

    # ---- as SciPy's --------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<traced {repr(plain(self)).lstrip('<')}"

    def __str__(self) -> str:
        return f"traced {plain(self)}"

    def __round__(self, ndigits: int = 0) -> Any:
        return round(plain(self), ndigits)

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
            if ufunc is np.square:
                return self * self
            if len(inputs) == 1 and hasattr(type(self), ufunc.__name__):
                return getattr(self, ufunc.__name__)()
        raise NotImplementedError(errors.not_yet(f"numpy.{ufunc.__name__}", ("x",)))

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func in NUMPY_PLAIN:
            return func(*strip(args), **strip(kwargs))
        of_traced = _NUMPY_FUNCTIONS.get(func)
        if of_traced is None or not is_sparse(args[0]):
            name = getattr(func, "__name__", str(func))
            raise NotImplementedError(errors.not_yet(f"numpy.{name}", ("a",)))
        if isinstance(of_traced, str):
            return getattr(lift(args[0]), of_traced)(*args[1:], **kwargs)
        return of_traced(*args, **kwargs)


def _inner_product(a: Any, b: Any, axes: Any = 2) -> Any:
    """Sum of the products of all entries: what `hessian_vector_product` asks `tensordot` for."""
    if not (is_sparse(a) and is_sparse(b) and a.shape == b.shape and axes == len(a.shape)):
        raise NotImplementedError(errors.not_yet("numpy.tensordot", ("a",)))
    a, b = lift(a), lift(b)
    if a._pattern is b._pattern:
        return anp.sum(a._data * b._data)
    return a.multiply(b).sum()


def _numpy_dot(a: Any, b: Any) -> Any:
    """`a * b`, which is what NumPy makes of two sparse operands."""
    if not (is_sparse(a) and is_sparse(b)):
        raise TypeError(
            "numpy.dot of a sparse and a dense operand: NumPy would make an array of sparse "
            "matrices of it. Write A @ x or A.dot(x)."
        )
    return lift(a) * b


_NUMPY_FUNCTIONS = {
    np.sum: "sum", np.mean: "mean", np.max: "max", np.amax: "max", np.min: "min", np.amin: "min",
    np.trace: "trace", np.transpose: "transpose", np.diagonal: "diagonal", np.copy: "copy",
    np.reshape: "reshape", np.real: "_real_part", np.imag: "_imaginary_part",
    np.round: "__round__", np.around: "__round__", np.dot: _numpy_dot,
    np.tensordot: _inner_product,
}  # fmt: skip
"""NumPy's functions of a sparse matrix: the method that does it, or a function."""

NUMPY_PLAIN = frozenset((
    np.shape, np.ndim, np.size, np.argmax, np.argmin, np.nonzero, np.iscomplexobj, np.isrealobj,
    np.result_type, np.common_type, np.can_cast, np.may_share_memory, np.shares_memory,
))  # fmt: skip
"""Those whose results are structure, kinds of numbers or indices."""


_NOTHING = object()


class TracedDok(TracedSparse, dict):
    """The same for dok, whose classes are dicts of the entries."""

    __iter__ = TracedSparse.__iter__
    __setitem__ = Assembly.__setitem__
    __getitem__ = Index.__getitem__

    def _by_key(self) -> Any:
        """The dict that holds, for each key, the number of its entry."""
        self._start_assembly()
        self._forget()
        return self._tags._dict

    def __contains__(self, key: Any) -> bool:
        if "_tags" not in self.__dict__:
            self._start_assembly()
        return key in self._pending or key in self._tags._dict

    def __len__(self) -> int:
        return len(self._by_key())

    def __delitem__(self, key: Any, /) -> None:
        del self._by_key()[key]

    def __reversed__(self) -> Any:
        raise TypeError(f"reversed is not defined for {self._class.__name__} type")

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
        if key in self and key in self._pending:
            return self[key]
        tag = self._tags.get(key, None)  # SciPy's, which looks at the key
        return default if tag is None else self._value_of(int(tag))

    def clear(self) -> None:
        """Remove all entries."""
        self._by_key().clear()

    def pop(self, key: Any, default: Any = _NOTHING, /) -> Any:
        """Remove the entry at a key, and return it; `default`, if given, where there is none."""
        if default is not _NOTHING and key not in self._by_key():
            return default
        return self._value_of(int(self._by_key().pop(key)))

    def popitem(self) -> Any:
        """Remove the entry that was inserted last; return its key and value."""
        key, tag = self._by_key().popitem()
        return key, self._value_of(int(tag))

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """The entry at `key`, which is set to `default` if there is none."""
        entries = self._by_key()
        if key not in entries:
            if default is None:
                raise TypeError("setdefault: an entry of a traced matrix is a number, not None")
            entries[key] = self._tagged_number(default)
        return self._value_of(int(entries[key]))

    def update(self, val: Any) -> None:  # type: ignore[override]  # as SciPy's
        """Set entries from a dict, another dok, or pairs of keys and values."""
        pairs = [*(val.items() if isinstance(val, dict) else val)]
        self._by_key()
        # SciPy's `update` raises for keys that cannot be, before anything is changed.
        self._tags.update([(key, self._tagged_number(v)) for key, v in pairs])

    def fromkeys(self, iterable: Any, value: Any = 1, /) -> Any:  # type: ignore[override]
        """A new matrix with the same entry at all keys."""
        keys = list(iterable)
        if not isbox(value):
            return self._class.fromkeys(keys, value)
        A = lift(self._class.fromkeys(keys, np.asarray(strip(value))[()]))
        A._by_key().update(dict.fromkeys(keys, A._tagged_number(value)))
        return A

    def _no_union(self, other: Any) -> Any:
        names = f"{self._class.__name__} and {getattr(other, '_class', type(other)).__name__}"
        raise TypeError(f"unsupported operand type for |: {names}")

    __or__ = __ror__ = __ior__ = _no_union


class _WhereSciPyHasIt:
    """A method that SciPy has in some of its classes: an AttributeError in the others."""

    def __init__(self, method: Callable) -> None:
        self.method = method

    def __get__(self, A: Any, owner: type) -> Any:
        if A is None:
            return self.method
        if not hasattr(A._class, self.method.__name__):
            raise AttributeError(self.method.__name__)
        return self.method.__get__(A, owner)


def _hide_where_missing(cls: type) -> None:
    classes = [getattr(sps, f"{f}_{family}") for f in FORMATS for family in ("array", "matrix")]
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        if (
            not name.startswith("_")
            and inspect.isfunction(method)
            and method.__name__ == name
            and not all(hasattr(theirs, name) for theirs in classes)
        ):
            setattr(cls, name, _WhereSciPyHasIt(method))


_hide_where_missing(TracedSparse)
arrays.install()
register("object", TracedSparse)
register("dict", TracedDok)
