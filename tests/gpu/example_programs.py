"""The examples as programs: functions of theirs with what they need, on the host or a device."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import scipygrad

EXAMPLES = Path(__file__).parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))

STUDY = SimpleNamespace(size=lambda small, full: small)
"""In place of the examples' `study`: everything at its small size."""


def program(name, *wanted, **given):
    """The names `wanted` of examples/NAME.py, and whatever they need, as it stands there.

    Names in `given` have that value instead. Of the file, only the statements are run on which
    what is wanted depends, and of those none that follow the last of it.
    """
    path, given = EXAMPLES / f"{name}.py", {"study": STUDY, **given}
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    last = max(k for k, s in enumerate(statements) if _defines(s) & set(wanted))
    needed, kept = set(wanted), []
    while more := [s for s in statements[: last + 1]
                   if _defines(s) & needed - set(given) and s not in kept]:  # fmt: skip
        kept += more
        needed |= set().union(*map(_needs, more))
    return Program([s for s in statements if s in kept], given, path)


class Program:
    """Statements that were run, and the names that they have defined."""

    def __init__(self, statements, names, path):
        self._statements, self._path = statements, path
        self._names = dict(names)
        exec(compile(ast.Module(statements, []), path, "exec"), self._names)

    def __getattr__(self, name):
        return self._names[name]

    def moved(self, **given):
        """The same functions, with arrays and matrices on the device; not those in `given`."""
        names = {k: moved(v) for k, v in self._names.items() if k != "__builtins__"} | given
        functions = [s for s in self._statements if isinstance(s, ast.FunctionDef)]
        return Program(functions, names, self._path)


def moved(x):
    """An object on the device, if it is an array, a matrix, or a container of such."""
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*scipygrad.to_device(tuple(x)))
    if isinstance(x, np.ndarray):
        return scipygrad.to_device(x) if x.dtype.kind in "biufc" else x
    known = isinstance(x, (tuple, list, dict)) or scipygrad.sparse.issparse(x)
    return scipygrad.to_device(x) if known else x


def _defines(statement):
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(a.asname or a.name).partition(".")[0] for a in statement.names}
    if not isinstance(statement, (ast.Assign, ast.AugAssign, ast.For)):
        return set()
    places = [n for n in ast.walk(statement) if isinstance(n, (ast.Subscript, ast.Name))]
    stored = [n for n in places if isinstance(n.ctx, ast.Store)]
    return {n.id for p in stored for n in ast.walk(getattr(p, "value", p))
            if isinstance(n, ast.Name)}  # fmt: skip


def _needs(statement):
    """Names that it reads from outside."""
    names = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
    read = {n.id for n in names if isinstance(n.ctx, ast.Load)}
    if not isinstance(statement, ast.FunctionDef):
        return read
    own = {a.arg for a in ast.walk(statement) if isinstance(a, ast.arg)}
    return read - own - {n.id for n in names if isinstance(n.ctx, ast.Store)}
