"""SciPy's own functions, making our matrices.

A function of SciPy's that makes a matrix finds the class under its name in the module. The same
code, with our classes under these names, makes ours from the start: nothing is left to convert,
and the shortcuts past the constructors serve SciPy's code as well.
"""

from __future__ import annotations

from types import CellType, FunctionType
from typing import Any

from .._core.mirror import OURS
from . import _classes as _classes  # which fills OURS

_namespaces: dict[str, dict[str, Any]] = {}


def natively(theirs: Any) -> Any:
    """The function of SciPy's, written in Python, with our classes in place of SciPy's."""
    function = theirs
    while hasattr(function, "__wrapped__"):  # by SciPy's decorators
        function = function.__wrapped__
    return _rebuilt(theirs, function.__globals__, _namespace(function.__globals__))


def _namespace(module: dict[str, Any]) -> dict[str, Any]:
    """The module's names, where classes are ours and functions look up their names here."""
    ours = _namespaces.get(module["__name__"])
    if ours is None:
        ours = _namespaces[module["__name__"]] = dict(module)
        for name, value in module.items():
            if isinstance(value, type):
                ours[name] = OURS.get(value, value)
            elif isinstance(value, FunctionType):
                ours[name] = _rebuilt(value, module, ours)
    return ours


def _rebuilt(f: FunctionType, module: dict[str, Any], ours: dict[str, Any]) -> FunctionType:
    """`f`, a function of the module or a decorated one, with the names in `ours`."""
    of_module = f.__globals__ is module
    if not of_module and getattr(f, "__wrapped__", None) is None:
        return f  # imported from elsewhere
    closure = tuple(_cell(cell, module, ours) for cell in f.__closure__ or ())
    new = FunctionType(
        f.__code__, ours if of_module else f.__globals__, f.__name__, f.__defaults__, closure
    )
    new.__kwdefaults__ = f.__kwdefaults__
    return new


def _cell(cell: CellType, module: dict[str, Any], ours: dict[str, Any]) -> CellType:
    value = cell.cell_contents
    if isinstance(value, FunctionType) and value.__globals__ is module:
        return CellType(_rebuilt(value, module, ours))
    return cell
