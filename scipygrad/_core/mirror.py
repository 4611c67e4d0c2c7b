"""Public functions that are SciPy's when nothing is traced, and ours when something is."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from . import errors
from .device import contains_device, device_call, outline
from .engine import box_types, contains_traced, nested, strip
from .layout import DEVICE_ARRAYS, SparseLayout
from .table import Entry, enter

_modules = sys.modules

OURS: dict[type, type] = {}
"""Our class for each of SciPy's (filled by `scipygrad.sparse._classes`)."""

THEIRS: dict[type, type] = {}
"""SciPy's class for each of ours; not for classes that a user derives from ours."""

DICTIONARIES: set[type] = set()
"""Those of ours that are dictionaries (dok)."""


def own(x: Any) -> Any:
    """A result of SciPy's with its sparse matrices turned into ours (arrays are shared)."""
    t = type(x)
    cls = OURS.get(t)
    if cls is not None:
        if cls in DICTIONARIES:
            new = dict.__new__(cls)
            dict.update(new, dict.items(x))
        else:
            new = _new(cls)
        new.__dict__.update(x.__dict__)
        return new
    if (t is tuple or t is list) and not OURS.keys().isdisjoint(map(type, x)):
        return t(own(v) for v in x)
    return x


_new = object.__new__


def as_scipys(x: Any) -> Any:
    """A matrix of ours as one of SciPy's own class that has the same state; else `x` itself.

    For functions that only read from it, or write entries: what ours adds to a method is spared.
    """
    cls = THEIRS.get(type(x))
    if cls is None:
        return x
    if type(x) in DICTIONARIES:
        if dict.__len__(x):  # a SciPy whose dok is a dictionary, and does not have one
            return x
        new = dict.__new__(cls)
    else:
        new = _new(cls)
    new.__dict__ = x.__dict__
    return new


# Every public function looks at its arguments, so this is what an untraced call costs. What is
# certainly plain is told by its type; only if something is not, it is searched for traced values
# and for arrays on a GPU.
PLAIN: set[type] = {
    int, float, complex, bool, str, bytes, type(None), type, slice, np.float64, np.float32,
    np.complex128, np.int64, np.int32, np.random.Generator, np.random.RandomState,
}  # fmt: skip
"""Types whose objects are plain and hold nothing (our classes and SciPy's are added)."""


def all_plain(args: Iterable[Any]) -> bool:
    """Whether there is nothing but plain values among the arguments; False may be wrong."""
    for x in args:
        t = type(x)
        if t in PLAIN:
            continue
        if t is np.ndarray:
            if x.dtype.hasobject:
                return False
        elif not ((t is list or t is tuple) and (PLAIN.issuperset(map(type, x)) or all_plain(x))):
            return False
    return True


def detach(x: Any) -> Any:
    """`x` with values in place of traced arrays and matrices, which are constants.

    Parameters
    ----------
    x : array or sparse matrix, or anything else
        Tuples, lists and dicts are searched at any depth.

    Returns
    -------
    object
        The same without traces. Arrays can be written to. The entries of a sparse matrix are
        shared with the derivatives, and read-only: to write to them, take a ``copy()``.

    See Also
    --------
    to_scipy : the plain value, of SciPy's own class.

    Examples
    --------
    >>> import autograd, scipygrad
    >>> autograd.grad(lambda x: x * scipygrad.detach(x))(3.0)  # not 6
    np.float64(3.0)
    """
    return nested(_detached, x)


def _detached(x: Any) -> Any:
    plain_value = strip(x)
    copies = type(x) in box_types and isinstance(plain_value, np.ndarray)
    return plain_value.copy() if copies else plain_value


def to_scipy(x: Any) -> Any:
    """`x` with plain SciPy matrices in place of ours, and values in place of traced ones.

    Parameters
    ----------
    x : sparse array or matrix, or anything else
        Tuples, lists and dicts are searched at any depth.

    Returns
    -------
    object
        The same, where sparse matrices are of SciPy's own classes. Entries and index arrays are
        shared with `x`, but all are copied if index arrays are read-only there. Nothing of the
        result is differentiated.

    See Also
    --------
    detach : the plain value, of our classes.

    Examples
    --------
    >>> import scipygrad, scipygrad.sparse as sp
    >>> type(scipygrad.to_scipy(sp.eye_array(3, format="csr"))).__module__
    'scipy.sparse._csr'
    """
    return nested(_theirs, detach(x))


def _theirs(x: Any) -> Any:
    if not isinstance(x, SparseLayout):
        return x
    cls = next(theirs for theirs in type(x).__mro__ if theirs in OURS)
    if issubclass(cls, dict):
        new = dict.__new__(cls)
        dict.update(new, dict.items(x))
    else:
        new = object.__new__(cls)
    new.__dict__.update({k: _writable(v) for k, v in x.__dict__.items()})
    if any(new.__dict__.get(k) is not x.__dict__.get(k) for k in ("indices", "indptr", "coords")):
        # SciPy sorts indices and entries together: those of x, which keeps its indices, stay.
        new.__dict__["data"] = _own(x.__dict__["data"], new.__dict__["data"])
    return new


def _own(before: Any, after: Any) -> Any:
    return before.copy() if after is before else after


def _writable(x: Any) -> Any:
    if type(x) is tuple:  # coords
        return tuple(map(_writable, x))
    return x.copy() if type(x) is np.ndarray and not x.flags.writeable else x


def _finish(ours: Callable, theirs: Callable, entry: Entry, implementation: Any = None) -> Any:
    functools.update_wrapper(ours, theirs)
    ours.__module__ = f"scipygrad.{entry.namespace}"
    ours.__doc__ = f"{entry.line()}\n\n{inspect.cleandoc(theirs.__doc__ or '')}"
    ours.__signature__ = inspect.signature(theirs)  # type: ignore[attr-defined]
    ours.traced_implementation = implementation  # type: ignore[attr-defined]
    return ours


def traced(
    theirs: Callable,
    wrt: tuple[str, ...],
    note: str = "",
    untraced: Callable | None = None,
    gpu: bool = False,
) -> Callable[[Callable], Callable]:
    """Declare how SciPy's function `theirs` is traced.

    The decorated function has the same signature and is called when an argument is traced;
    otherwise SciPy's is (or `untraced`, which wraps it). `gpu`: it runs on a GPU, traced or not;
    else operands on a GPU are moved to the host for it.
    """
    entry = enter(theirs, "traced", wrt, note, gpu)
    plain_function = untraced or theirs

    def declare(implementation: Callable) -> Callable:
        def ours(*args, **kwargs):
            if all_plain(args):
                if not kwargs:
                    return own(plain_function(*args))
                if all_plain(kwargs.values()):
                    return own(plain_function(*args, **kwargs))
            if contains_traced(args, kwargs):
                if DEVICE_ARRAYS and contains_device((args, kwargs)):
                    return device_call(entry, implementation, args, kwargs)
                return implementation(*args, **kwargs)
            if "cupy" in _modules and contains_device((args, kwargs)):
                return device_call(entry, ours, args, kwargs, implementation)
            return own(plain_function(*args, **kwargs))

        return _finish(ours, theirs, entry, implementation)

    return declare


def plain(
    theirs: Callable,
    why: str,
    instead: Callable | None = None,
    strips: bool = True,
    refuses: str = "",
) -> Callable:
    """SciPy's function for which a derivative makes no sense.

    `instead` is called for it, if given. Traced arguments become values, unless not `strips`. If
    the values alone would lose a derivative, `refuses` says what to do, and traced arguments raise.
    """
    entry = enter(theirs, "plain", note=why)
    function = instead or theirs

    def ours(*args, **kwargs):
        if all_plain(args):
            if not kwargs:
                return own(function(*args))
            if all_plain(kwargs.values()):
                return own(function(*args, **kwargs))
        if refuses and contains_traced(args, kwargs):
            names = _traced_names(theirs, args, kwargs)
            raise NotImplementedError(errors.refused(entry.name, names, refuses))
        if strips and contains_traced(args, kwargs):
            args, kwargs = strip(args), strip(kwargs)
        if "cupy" in _modules and contains_device((args, kwargs)):
            if not entry.name.startswith("is"):
                return device_call(entry, ours, args, kwargs)
            args, kwargs = outline(args), outline(kwargs)
        return own(function(*args, **kwargs))

    return _finish(ours, theirs, entry)


def not_yet(theirs: Callable, note: str = "") -> Callable:
    """SciPy's function that has no rule yet: a traced argument raises."""
    entry = enter(theirs, "not yet", note=note)

    def ours(*args, **kwargs):
        if contains_traced(args, kwargs):
            raise NotImplementedError(
                errors.not_yet(entry.name, _traced_names(theirs, args, kwargs))
            )
        return own(theirs(*args, **kwargs))

    return _finish(ours, theirs, entry)


def _traced_names(theirs: Callable, args: tuple, kwargs: dict) -> tuple[str, ...]:
    bound = inspect.signature(theirs).bind(*args, **kwargs)
    return tuple(k for k, v in bound.arguments.items() if contains_traced((v,)))


def constant_class(theirs: type, why: str) -> type:
    """A class of SciPy's that is passed on as it is."""
    enter(theirs, "plain", note=why)
    return theirs
