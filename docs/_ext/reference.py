"""A page for every public name, from the library's table: what is differentiable, and in what.

SciPy's text on arguments and results is not repeated; each page links to SciPy's. `snippets.md` has
short examples for some names; `tests/test_docs.py` runs them.
"""

import importlib
import inspect
import re
from pathlib import Path

import scipygrad.linalg  # (fills the table)
import scipygrad.sparse.csgraph
from scipygrad._core.table import NAMESPACES, TABLE, member_state, members_of_scipy, render_support
from scipygrad._core.traced import FORMATS

SNIPPETS = Path(__file__).with_name("snippets.md")
TITLES = {
    "sparse": "Matrices", "sparse.linalg": "Linear algebra", "sparse.csgraph": "Graphs",
}  # fmt: skip
DERIVATIONS = {  # the file that has the rules, and where they are derived
    "sparse": ("matmul",),  # the classes
    "linalg._direct": ("linalg_implicit", "linalg_direct"),
    "linalg._inverse": ("linalg_direct",),
    "linalg._triangular": ("linalg_implicit",),
    "linalg._krylov": ("linalg_implicit", "linalg_krylov"),
    "linalg._leastsq": ("linalg_leastsq",),
    "linalg._operator": ("linalg_operator",),
    "linalg._eigen": ("linalg_eigen",),
    "linalg._svd": ("linalg_eigen",),
    "linalg._expm": ("linalg_matfuncs",),
    "linalg._expm_multiply": ("linalg_matfuncs",),
    "linalg._funm": ("linalg_matfuncs",),
    "linalg._norm": ("linalg_matfuncs",),
    "linalg._matfuncs": ("matmul",),
    "sparse._csgraph_paths": ("csgraph",),
    "sparse._csgraph_trees": ("csgraph",),
    "sparse._csgraph_laplacian": ("csgraph",),
}
CLASSES = [f"{format}_{family}" for format in FORMATS for family in ("array", "matrix")]
DIFFERENCES = {  # the section of differences.md
    "sparse": ("structure", "Structure"),
    "sparse.linalg": ("solvers", "Solvers"),
    "sparse.csgraph": ("graphs", "Graphs"),
}
ON_GPU = {
    "": "",
    "yes": "With operands [on a GPU](/gpu.md), it runs there.",
    "no": "It is not there [on a GPU](/gpu.md).",
    "host": "Operands [on a GPU](/gpu.md) are copied to the host for it, with a warning.",
}
OWN = {  # the library's own names by section; others of `scipygrad.__all__` are in the last ones
    "Values": ("", ["detach", "to_scipy"]),
    "Devices": ("", ["to_device", "to_host"]),
    "Non-linear systems": ("[How to use it](/newton.md).", ["implicit"]),
    "Determinants": (
        "[Derivation](/derivations/linalg_determinant.md).", ["linalg.slogdet", "linalg.logdet"],
    ),
    "Testing": ("", ["testing.check_op"]),
    "Others": ("", []),
    "Warnings": ("", []),
}  # fmt: skip


def own_names():
    """The names in `OWN` that there are, and all others, by section."""
    modules = {"linalg", "sparse", "testing"}
    found = {}
    left = set(scipygrad.__all__) - modules
    for section, (_, names) in OWN.items():
        found[section] = [n for n in names if "." in n or n in left]
        left -= set(names)
    for name in sorted(left):
        warning = inspect.isclass(getattr(scipygrad, name))
        found["Warnings" if warning else "Others"].append(name)
    return found


def _own():
    """The page of the library's own names."""
    lines = [
        "# The library's own names", "",
        "What SciPy does not have. `scipygrad.linalg` holds the same objects as "
        "`scipygrad.sparse.linalg`, and the two determinants besides.", "",
    ]  # fmt: skip
    for section, names in own_names().items():
        if names:
            kind = "exception" if section == "Warnings" else "function"
            lines += [f"## {section}", "", OWN[section][0], "", "```{eval-rst}"]
            for name in names:
                lines += [f".. auto{kind}:: scipygrad.{name}", ""]
            lines += ["```", ""]
    return "\n".join(lines)


def snippets():
    """What all examples of `snippets.md` begin with, and the examples by name."""
    top, *parts = re.split(r"^## (.+)$", SNIPPETS.read_text(encoding="utf-8"), flags=re.M)
    (start,) = re.findall(r"```python\n(.*?)```", top, re.S)
    found = {}
    for names, text in zip(parts[::2], parts[1::2]):
        for name in names.split(", "):
            found[name] = text.strip().replace("```python\n", f"```python\n{start}", 1)
    return found


def sections(namespace):
    """SciPy's own headings, and the names under each."""
    found, previous, name_list = {}, "", None
    for line in importlib.import_module(f"scipy.{namespace}").__doc__.splitlines():
        if previous.strip() and re.fullmatch(r"\s*([-=^])\1{3,}\s*", line):
            heading, name_list = previous.strip(), None
        elif ":toctree: generated/" in line:
            name_list = found.setdefault(heading, [])
        elif name_list is not None and line.strip():
            if line[0].isspace():
                name_list.append(line.split()[0])
            else:
                name_list = None
        previous = line
    listed = {name for names in found.values() for name in names}
    rest = [name for space, name in TABLE if space == namespace and name not in listed]
    if rest:  # SciPy 1.18 has them on a page of their own
        found["The interface of sparse matrices"] = rest
    return found


def _signature(x, theirs):
    """The signature as one writes it."""
    if inspect.isclass(x) and issubclass(x, BaseException):
        return ""
    try:
        signature = inspect.signature(theirs)
        if any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
            signature = inspect.signature(theirs.__init__)  # a class with a `__new__` of its own
            rest = [p for name, p in signature.parameters.items() if name != "self"]
            signature = signature.replace(parameters=rest)
    except (TypeError, ValueError):
        return ""
    text = re.sub(r"<class '(?:builtins\.)?([\w.]+)'>", r"\1", str(signature))
    return re.sub(r"<object object[^>]*>", "...", text)


def _kind(x):
    if inspect.isclass(x):
        return "exception" if issubclass(x, BaseException) else "class"
    return "function"


def _origin(x):
    """The file with the rules of `x`, without the package's name."""
    implementation = getattr(x, "traced_implementation", None)
    return (implementation or x).__module__.removeprefix("scipygrad.")


def _members(name):
    """What the methods and attributes of a class do to derivatives, as a table."""
    lines = ["| method or attribute | state | remark |", "|---|---|---|"]
    for member, classes in members_of_scipy().items():
        if name in classes and not member.startswith("_"):
            state, reason = member_state(member)
            link = f"{{py:obj}}`{member} <scipy.sparse.{name}.{member}>`"
            lines.append(f"| {link} | {state} | {reason} |")
    return [
        "## Methods and attributes", "",
        "They are SciPy's; the links lead to its pages. Operators are on the "
        "[support page](#classes).", "", *lines, "",
    ]  # fmt: skip


def _description(entry, x, theirs):
    """The signature, what is differentiable, and where SciPy describes the rest."""
    full, kind = f"{entry.namespace}.{entry.name}", _kind(x)
    state, _, remark = entry.line().partition(". ")
    if x is theirs:
        text = f"It is SciPy's own: {{py:obj}}`scipy.{full}`."
    elif kind == "function":
        text = f"Arguments and results are those of {{py:obj}}`scipy.{full}`."
    else:
        text = f"A class that behaves as {{py:obj}}`scipy.{full}`."
    return [
        f"````{{py:{kind}}} scipygrad.{full}{_signature(x, theirs)}", "",
        f"**{state.rstrip('.')}.** {remark}", "", f"{text} {ON_GPU[entry.on_gpu()]}", "````", "",
    ]  # fmt: skip


def _read_on(entry, x):
    """Links to what is written about a traced name elsewhere."""
    anchor, title = DIFFERENCES[entry.namespace]
    links = [f"[what is different from SciPy: {title}](../../differences.md#{anchor})"]
    stems = DERIVATIONS.get(_origin(x), ())
    links += [f"derivation: {{doc}}`/derivations/{stem}`" for stem in stems]
    return ["**Read on:** " + " · ".join(links), ""]


def _page(entry, snippet):
    x = getattr(importlib.import_module(f"scipygrad.{entry.namespace}"), entry.name)
    theirs = getattr(importlib.import_module(f"scipy.{entry.namespace}"), entry.name)
    lines = [f"# {entry.name}", "", *_description(entry, x, theirs)]
    if snippet:
        lines += ["```{rubric} Example", "```", "", snippet, ""]
    if entry.state == "traced":
        lines += _read_on(entry, x)
    lines += [
        "```{eval-rst}",
        f".. minigallery:: scipygrad.{entry.namespace}.{entry.name}",
        f"   :add-heading: Gallery examples with {entry.name}",
        "   :heading-level: -",
        "```",
        "",
    ]
    if entry.name in CLASSES:
        lines += _members(entry.name)
    return "\n".join(lines)


def _namespace(namespace, entries):
    lines = [
        f"# {TITLES[namespace]}: `scipygrad.{namespace}`", "",
        f"Names and order are those of {{py:mod}}`scipy.{namespace}`.", "",
    ]  # fmt: skip
    for heading, names in sections(namespace).items():
        title = heading if heading != "Contents" else "Functions"
        lines += [f"## {title}", "", "| name | derivatives |", "|---|---|"]
        for name in names:
            line = entries[name].line()
            lines.append(f"| {{py:obj}}`{name} <scipygrad.{namespace}.{name}>` | {line} |")
        lines.append("")
    lines += ["```{toctree}", ":hidden:", ""]
    lines += [f"{name} <scipygrad.{namespace}.{name}>" for name in sorted(entries, key=str.lower)]
    return "\n".join([*lines, "```", ""])


def _write(path, text):
    """Write a file, unless it is there already: Sphinx reads again what is newer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _support():
    """The support table, with links to the pages of the names."""
    text, namespace = [], ""
    for line in render_support().splitlines():
        heading = re.match(r"## scipygrad\.([\w.]+)", line)
        namespace = heading[1] if heading else namespace if line[:2] != "##" else ""
        if line.startswith("## Attributes"):
            text.append("(classes)=")
        if namespace:
            link = rf"| {{py:obj}}`\1 <scipygrad.{namespace}.\1>` |"
            line = re.sub(r"^\| `(\w+)` \|", link, line)
        text.append(line)
    return "\n".join(text) + "\n"


def write_reference(docs):
    """Write the pages below `docs`."""
    folder, examples = docs / "reference" / "generated", snippets()
    pages = {"own.md": _own()}
    for namespace in NAMESPACES:
        entries = {e.name: e for e in TABLE.values() if e.namespace == namespace}
        pages[f"{namespace}.md"] = _namespace(namespace, entries)
        for name, entry in entries.items():
            pages[f"scipygrad.{namespace}.{name}.md"] = _page(entry, examples.get(name))
    for name, text in pages.items():
        _write(folder / name, text)
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    _write(docs / "support.md", _support())
