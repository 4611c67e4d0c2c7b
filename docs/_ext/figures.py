"""Figures of the performance page, for other pages: measured once, written once."""

import re

FIGURES = {  # name: how the row begins, and the column's heading
    "figure_matvec": (["A @ x, 2-D Poisson 1024²"], "value + gradients"),
    "figure_galerkin": (["P.T @ A @ P, 1024²"], "value + gradients"),
    "figure_spsolve": (["spsolve, 512², one right side"], "value + gradients"),
    "figure_lil": (["stiffness matrix: lil, entries"], "value + gradients"),
    "figure_adjoint": (["spsolve, 512², value + gradients", "its value alone"], "ratio"),
    "figure_pardiso": (["spsolve, 32³, value, pardiso", "SciPy's"], "ratio"),
}


def _cells(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def figures(page):
    """The figures by name, read from the tables of the page; a missing one is an error."""
    found, head, previous = {}, [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if re.match(r"\|[-:|]+\|$", line):
            head = _cells(previous)
        elif line.startswith("|"):
            for name, (start, column) in FIGURES.items():
                cells = _cells(line)
                if cells[: len(start)] == start and column in head:
                    found[name] = cells[head.index(column)]
        previous = line
    missing = set(FIGURES) - set(found)
    if missing:
        raise LookupError(f"{page} has no {[FIGURES[name][0] for name in missing]}")
    return found
