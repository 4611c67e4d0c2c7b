"""Inventories for intersphinx, made from what is installed.

SciPy's and NumPy's pages have regular names, so that links to them can be made, and references
checked, without fetching the inventories of their sites.
"""

import importlib
import inspect
import re
import zlib

import numpy as np

SCIPY = "https://docs.scipy.org/doc/scipy/"
NUMPY = "https://numpy.org/doc/stable/"
SCIPY_MODULES = (
    "scipy.sparse", "scipy.sparse.linalg", "scipy.sparse.csgraph", "scipy.linalg", "scipy.optimize",
)  # fmt: skip
_AUTOSUMMARY = re.compile(r"\.\. autosummary::\n\s+:toctree: generated/\n((?:\s*\n|\s+\S.*\n)+)")


def names_with_a_page(module):
    """The names that SciPy's own reference lists: it writes one page for each."""
    loaded = importlib.import_module(module)
    blocks = _AUTOSUMMARY.findall(loaded.__doc__)
    names = {line.split()[0] for b in blocks for line in b.splitlines() if line.strip()}
    if module == "scipy.sparse":  # SciPy 1.18 lists the names around `*_matrix` on another page
        names |= {name for name in loaded.__all__ if callable(getattr(loaded, name))}
    return sorted(names)


def _role(x):
    if inspect.isclass(x):
        return "exception" if issubclass(x, BaseException) else "class"
    return "function"


def _lines(name, x, page="reference/generated/{}.html#$"):
    """The lines of an object and, if it is a class, of its members."""
    role = _role(x)
    yield f"{name} py:{role} 1 {page.format(name)} -"
    if role != "class":
        return
    for member in dir(x):
        if not member.startswith("_"):
            kind = "method" if callable(getattr(x, member)) else "attribute"
            yield f"{name}.{member} py:{kind} 1 {page.format(f'{name}.{member}')} -"


def scipy_lines():
    """An inventory of SciPy's sparse code and what is used beside it."""
    for module in SCIPY_MODULES:
        page = module.removeprefix("scipy.")
        yield f"{module} py:module 0 reference/{page}.html#module-$ -"
        loaded = importlib.import_module(module)
        for name in names_with_a_page(module):
            if hasattr(loaded, name):
                yield from _lines(f"{module}.{name}", getattr(loaded, name))


def numpy_lines():
    """An inventory of NumPy's functions, arrays, and number types."""
    for module in ("numpy", "numpy.linalg"):
        loaded = importlib.import_module(module)
        for name in loaded.__all__:
            x = getattr(loaded, name)
            if inspect.isclass(x) and issubclass(x, np.generic):
                yield f"{module}.{name} py:class 1 reference/arrays.scalars.html#$ -"
            elif callable(x):
                yield from _lines(f"{module}.{name}", x)


def _write(path, project, version, lines):
    head = (
        "# Sphinx inventory version 2\n"
        f"# Project: {project}\n# Version: {version}\n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    body = zlib.compress("".join(f"{line}\n" for line in lines).encode())
    path.write_bytes(head.encode() + body)


def write_inventories(folder):
    """Write the inventories into `folder`; the mapping for intersphinx."""
    scipy = importlib.import_module("scipy")
    _write(folder / "scipy.inv", "SciPy", scipy.__version__, scipy_lines())
    _write(folder / "numpy.inv", "NumPy", np.__version__, numpy_lines())
    return {
        "scipy": (SCIPY, str(folder / "scipy.inv")),
        "numpy": (NUMPY, str(folder / "numpy.inv")),
    }
