"""Every public name, and what it does to derivatives: the one table behind tests and docs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

NAMESPACES = ("sparse", "sparse.linalg", "sparse.csgraph")
STATES = ("traced", "plain", "not yet")


@dataclass(frozen=True)
class Entry:
    """State of one public name."""

    namespace: str
    name: str
    state: str
    wrt: tuple[str, ...] = ()
    note: str = ""
    gpu: bool = False  # else operands on a GPU are moved to the host

    def on_gpu(self) -> str:
        """Where it runs with operands on a GPU."""
        if self.state != "traced" or self.gpu:
            return "yes" if self.gpu else ""
        return "no" if self.name.partition("_")[0] in ("bsr", "dok", "lil") else "host"

    def line(self) -> str:
        """What stands in front of the docstring."""
        if self.state == "traced":
            text = f"Differentiable in {', '.join(self.wrt)}." if self.wrt else "Differentiable."
        elif self.state == "plain":
            text = "Not differentiated."
        else:
            text = "Not differentiable yet: raises NotImplementedError when an argument is traced."
        return f"{text} {self.note[:1].upper()}{self.note[1:]}." if self.note else text


TABLE: dict[tuple[str, str], Entry] = {}


def namespace_of(theirs: Any, name: str) -> str:
    """The public namespace of SciPy in which `theirs` is found under `name`."""
    for namespace in NAMESPACES:
        module = importlib.import_module(f"scipy.{namespace}")
        if getattr(module, name, None) is theirs:
            return namespace
    raise LookupError(f"{name} is not a public name of scipy.sparse")


def enter(
    theirs: Any, state: str, wrt: tuple[str, ...] = (), note: str = "", gpu: bool = False
) -> Entry:
    """Put a public name of SciPy into the table."""
    name = theirs.__name__
    entry = Entry(namespace_of(theirs, name), name, state, wrt, note, gpu)
    key = entry.namespace, name
    if key in TABLE:
        raise ValueError(f"{key} has a state already")
    TABLE[key] = entry
    return entry


def render_support() -> str:
    """The support table, as a page in Markdown."""
    for namespace in NAMESPACES:
        importlib.import_module(f"scipygrad.{namespace}")
    lines = [
        "# Support",
        "",
        "Made from the table in `scipygrad/_core/table.py`. *traced*: derivatives of every order, "
        "reverse and forward. *plain*: works on the values; there is no derivative to take. "
        "*not yet*: works untraced; with a traced argument it raises `NotImplementedError`. "
        "GPU: *yes*: runs where its operands lie; *host*: operands on a [GPU](gpu.md) are copied "
        "to the host for it, with a warning.",
        "",
    ]
    for namespace in NAMESPACES:
        entries = sorted(
            (e for e in TABLE.values() if e.namespace == namespace), key=lambda e: e.name.lower()
        )
        counts = ", ".join(f"{sum(e.state == s for e in entries)} {s}" for s in STATES)
        lines += [f"## scipygrad.{namespace}", "", counts, "",
                  "| name | state | differentiable in | GPU | remark |",
                  "|---|---|---|---|---|"]  # fmt: skip
        for e in entries:
            lines.append(
                f"| `{e.name}` | {e.state} | {', '.join(e.wrt)} | {e.on_gpu()} | {e.note} |"
            )
        lines.append("")
    lines += _method_lines()
    return "\n".join(lines) + "\n"


def member_state(name: str) -> tuple[str, str]:
    """State and reason of an attribute or method of the sparse classes."""
    from ..sparse._members import PLAIN
    from ..sparse._traced import TracedDok, TracedSparse

    if name in PLAIN:
        return "plain", PLAIN[name]
    known = hasattr(TracedSparse, name) or name in vars(TracedDok)
    return ("traced" if known else "not yet"), ""


def members_of_scipy() -> dict[str, tuple[str, ...]]:
    """Every public attribute, method and operator of SciPy's classes, and the classes it is in."""
    import scipy.sparse as sps

    from .traced import FORMATS

    found: dict[str, list[str]] = {}
    for cls in (f"{f}_{family}" for f in FORMATS for family in ("array", "matrix")):
        for name in dir(getattr(sps, cls)):
            if not name.startswith("_") or name.endswith("__"):
                found.setdefault(name, []).append(cls)
    return {name: tuple(classes) for name, classes in sorted(found.items())}


def _method_lines() -> list[str]:
    lines = [
        "## Attributes, methods and operators of the classes",
        "",
        "Those of `scipy.sparse`'s classes. A name that SciPy has in some formats only raises "
        "`AttributeError` in the others, traced too.",
        "",
        "| name | state | in | remark |",
        "|---|---|---|---|",
    ]  # fmt: skip
    for name, classes in members_of_scipy().items():
        state, reason = member_state(name)
        if reason == "Python's own":
            continue
        formats = sorted({cls.split("_")[0] for cls in classes})
        families = sorted({cls.split("_")[1] for cls in classes})
        where = "all" if len(formats) == 7 else " ".join(formats)
        where += "" if len(families) == 2 else f", {families[0]} only"
        lines.append(f"| `{name}` | {state} | {where} | {reason} |")
    return [*lines, ""]
