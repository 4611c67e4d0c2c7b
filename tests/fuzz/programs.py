"""Random programs: operands, a few statements, and what SciPy makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

import autograd.numpy as anp
import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spsl
from hypothesis import strategies as st
from numpy._core._exceptions import UFuncTypeError

from .operands import Choose, Operand, Want, dense, dtype_of, kind_of, new_operand
from .operations import AVAILABLE, Operation

LONGEST = 5
LARGEST = {True: 1e3, False: 50.0}
"""Bound of values in double and in single precision: beyond, rounding would hide mistakes."""


@dataclass
class Statement:
    """One operation on named values."""

    operation: Operation
    out: str
    names: dict[str, str]  # of the operands, by their place in the operation
    params: dict[str, Any]
    sparse: CodeType
    text: str
    dense: CodeType | None = None

    @property
    def inputs(self) -> list[str]:
        """Names of the values that go in."""
        return [self.names[k] for k in self.operation.takes]


@dataclass
class Value:
    """A value of SciPy's run."""

    name: str
    value: Any
    traced: bool
    foreign: bool  # of plain SciPy objects only: stays SciPy's
    final: bool = False


@dataclass
class Program:
    """What is run. `expected`: SciPy's values; `raises`: the exception of the last statement."""

    operands: list[Operand] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    expected: dict[str, Any] = field(default_factory=dict)
    leaves: list[str] = field(default_factory=list)
    raises: type | None = None
    single: bool = False

    @property
    def traced(self) -> list[Operand]:
        """The operands that are differentiated."""
        return [x for x in self.operands if x.traced]

    def __repr__(self) -> str:
        return "\n" + self.script()

    def script(self) -> str:
        """The program as Python that runs by itself."""
        names = ", ".join(x.name for x in self.operands)
        traced = ", ".join(str(i) for i, x in enumerate(self.operands) if x.traced)
        lines = [PREAMBLE]
        lines += ["", "", f"def program(sp, spla, {names}):"]
        lines += [f"    {line}" for s in self.statements for line in s.text.splitlines()]
        total = " + ".join(f"weigh({x})" for x in self.leaves) or "0.0"
        lines += [f"    return {total}", "", "", "def operands(sp):"]
        for x in self.operands:
            source = x.source.replace("sp.", "sps.") if x.foreign else x.source
            lines.append(f"    {x.name} = {source}" + ("" if x.traced else "  # constant"))
        lines += [f"    return {names}{',' if len(self.operands) == 1 else ''}", "", ""]
        if self.raises:
            lines.append(f"# SciPy's last statement raises {self.raises.__name__}")
        lines += [
            "print(program(sps, spsl, *operands(sps)))",
            "ours = operands(scipygrad.sparse)",
            "f = partial(program, scipygrad.sparse, scipygrad.sparse.linalg)",
            f"for gradient in grad(lambda *x: f(*x), ({traced},))(*ours):",
            "    print(gradient.toarray() if hasattr(gradient, 'toarray') else gradient)",
        ]
        return "\n".join(lines)


PREAMBLE = '''\
from functools import partial

import autograd.numpy as np
import numpy as onp
import scipy.sparse as sps
import scipy.sparse.linalg as spsl
from autograd import grad

import scipygrad.sparse
import scipygrad.sparse.linalg


def weigh(y):
    """A number that depends on every element of y, not linearly."""
    y = y.toarray() if hasattr(y, "toarray") else y.A if hasattr(y, "A") else y
    k = onp.arange(onp.prod(np.shape(y), dtype=int)).reshape(np.shape(y))
    w = onp.cos(1 + k) + (1j * onp.sin(2 + k) if np.iscomplexobj(y) else 0)
    return np.real(np.sum(w.astype(np.result_type(y)) * y + 0.5 * y * y))'''

_names: dict[str, Any] = {}
exec(PREAMBLE, _names)
weigh = _names["weigh"]


SCIPY = {"np": anp, "onp": np, "sp": sps, "spla": spsl}
GROUP = 10
GROUPS = [AVAILABLE[i : i + GROUP] for i in range(0, len(AVAILABLE), GROUP)]
"""hypothesis likes to repeat what it has tried; programs about a few operations reach all."""

# ---- generation --------------------------------------------------------------------------------


class _Generator:
    """Chooses statements and runs them on SciPy at once, so that the next can build on them."""

    def __init__(self, choose: Choose, focus: Sequence[Operation]) -> None:
        self.choose = choose
        self.focus = focus
        self.program = Program()
        self.values: list[Value] = []
        self.operands: dict[str, Operand] = {}

    def run(self) -> Program:
        program = self.program
        length = self.choose.integer(1, LONGEST)
        for _ in range(3 * length):
            if len(program.statements) == length or program.raises:
                break
            self.statement()
        used = {name for s in program.statements for name in s.inputs}
        program.operands = [x for name, x in self.operands.items() if name in used]
        results = [v for v in self.values if v.name in program.expected and v.name not in used]
        program.leaves = [v.name for v in results if v.traced]
        return program

    def statement(self) -> None:
        others = self.program.statements and self.choose.chance(60)
        operation = self.choose.one(AVAILABLE if others else self.focus)
        taken: dict[str, Value] = {}
        for place, want in operation.takes.items():
            if not isinstance(want, Want):
                want = want(*(v.value for v in taken.values()))
            value = self.value(want, first=not taken)
            if value is None:
                return
            taken[place] = value
        values = [v.value for v in taken.values()]
        params = {name: pick(self.choose, *values) for name, pick in operation.params.items()}
        names = {place: v.name for place, v in taken.items()}
        statement = _statement(operation, f"v{len(self.program.expected) + 1}", names, params)
        traced = any(v.traced for v in taken.values())
        try:
            result = self.on_scipy(statement)
        except Exception as e:  # whatever SciPy raises has to be raised by us
            casting = isinstance(e, UFuncTypeError)  # a real dia plus a complex one (1.17)
            if self.choose.chance(30) and traced and not casting:
                self.program.raises = type(e)
                self.program.statements.append(statement)
            return
        empty = kind_of(result) == "sparse" and not result.nnz
        if not _acceptable(result) or (empty and operation.never_empty):
            return
        self.program.statements.append(statement)
        self.program.expected[statement.out] = result
        self.program.single |= any(dtype_of(x).char in "fF" for x in (result, *values))
        foreign = not traced and any(v.foreign for v in taken.values())
        self.values.append(Value(statement.out, result, traced, foreign, operation.final))

    def on_scipy(self, statement: Statement) -> Any:
        names = {n: x.evaluate(sps) for n, x in self.operands.items() if n in statement.inputs}
        return run_on_scipy(statement, {**self.program.expected, **names})

    def value(self, want: Want, first: bool) -> Value | None:
        usable = [v for v in reversed(self.values) if not v.final and not (want.own and v.foreign)]
        fitting = [v for v in usable if want.accepts(v.value)]
        if fitting and self.choose.chance(75 if first else 50):
            return self.choose.one(fitting)
        n = len(self.operands)
        name = f"{'abcdefghijklm'[n % 13]}{n // 13 or ''}"
        none_yet = not self.program.statements
        traced = (first and none_yet) or self.choose.chance(60 if first else 50)
        x = new_operand(self.choose, want, name, traced)
        value = Value(name, x.evaluate(sps), traced, x.foreign)
        if not want.accepts(value.value):
            return None
        self.operands[name] = x
        self.values.append(value)
        return value


def run_on_scipy(statement: Statement, values: dict[str, Any]) -> Any:
    """The result of a statement on SciPy, of copies of the values.

    SciPy's methods may sort their operands or sum their duplicates; ours leave operands alone.
    """
    names = {**SCIPY, **{name: _copied(values[name]) for name in statement.inputs}}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        exec(statement.sparse, names)
    return names[statement.out]


def _copied(x: Any) -> Any:
    return x.copy() if kind_of(x) != "scalar" else x


def _acceptable(result: Any) -> bool:
    if kind_of(result) == "sparse" and len(result.shape) > 2:
        return False
    x = dense(result)
    return (
        x.dtype.kind in "fciu"
        and x.size <= 150
        and bool((np.abs(x) < LARGEST[x.dtype.char not in "fF"]).all())
    )


_compiled: dict[str, CodeType] = {}


def compiled(text: str) -> CodeType:
    """The code of a statement; programs share them."""
    if text not in _compiled:
        if len(_compiled) > 5000:
            _compiled.clear()
        _compiled[text] = compile(text, "<program>", "exec")
    return _compiled[text]


def _statement(operation: Operation, out: str, names: dict, params: dict) -> Statement:
    text = operation.sparse.format(out=out, **names, **params)
    if "{out}" not in operation.sparse:
        text = f"{out} = {text}"
    reference = f"{out} = {operation.dense.format(**names, **params)}"
    return Statement(operation, out, names, params, compiled(text), text, compiled(reference))


@st.composite
def programs(draw: Any, focus: Sequence[Operation]) -> Program:
    """Programs that start with one of the operations `focus`, which come more often later, too.

    Operands fit; a program that SciPy refuses ends in the statement that it refuses.
    """
    return _Generator(Choose(draw), focus).run()
