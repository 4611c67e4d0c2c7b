"""The code on the pages of the documentation runs, and prints what the pages say.

Of a page, the blocks fenced with ```python are run from top to bottom, in one namespace. In those
with prompts the results are compared; warnings are errors. Code in other fences is only shown.
"""

import ast
import doctest
import re
import sys
import warnings
from pathlib import Path

import pytest

import scipygrad

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
import gallery  # noqa: E402
import inventories  # noqa: E402
import reference  # noqa: E402

EXAMPLES_OF_NAMES = ROOT / "docs" / "_ext" / "snippets.md"
NEWER = {"funm_multiply_krylov"}  # than the oldest SciPy that the tests run with
FENCE = re.compile(r"^( *)```(.*)$")
PAGES = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if not {"_build", "generated", "gallery"} & set(path.relative_to(ROOT).parts)
    and path != EXAMPLES_OF_NAMES
    and "```python" in path.read_text(encoding="utf-8")
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text):
    """Line number and text of each block of Python."""
    kind, start, lines = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if fence and kind is None:
            kind, start, lines = fence[2].strip(), number, []
        elif fence and not fence[2]:
            if kind == "python":
                yield start, "\n".join(lines) + "\n"
            kind = None
        else:
            lines.append(line)


def run(path, text=None):
    """Run a page, or a part of it; the report of what fails."""
    report = []
    names = {"__name__": "page"}
    runner = doctest.DocTestRunner(verbose=False, optionflags=OPTIONS)
    for line, code in blocks(text or path.read_text(encoding="utf-8")):
        if code.lstrip().startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(code, names, path.name, str(path), line)
            test.globs = names  # shared, not a copy: the next block goes on
            runner.run(test, out=report.append, clear_globs=False)
        else:
            tree = compile("\n" * line + code, str(path), "exec", flags=ast.PyCF_ONLY_AST)
            exec(compile(tree, str(path), "exec"), names)
    return report


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_code_on_the_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        report = run(path)
    assert not report, "\n" + "".join(report)


def examples_of_names():
    """The sections, each after the common beginning, at the lines where they stand."""
    top, *parts = re.split(r"^(?=## )", EXAMPLES_OF_NAMES.read_text(encoding="utf-8"), flags=re.M)
    gap = ""
    known = {name for _, name in reference.TABLE}
    for part in parts:
        names = part.splitlines()[0].removeprefix("## ")
        if known & set(names.split(", ")):
            yield pytest.param(top + gap + part, id=names)
        gap += "\n" * part.count("\n")


@pytest.mark.parametrize("text", list(examples_of_names()))
def test_example_of_a_name(text):
    report = run(EXAMPLES_OF_NAMES, text)
    assert not report, "\n" + "".join(report)


def test_a_wrong_result_is_noticed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 2\n```\n\n```python\n>>> x + 1\n4\n```\n")
    (text,) = run(page)
    assert "page.md" in text and "Got:\n    3" in text


def test_the_promise_on_the_landing_page(capsys):
    """Both programs run and print what they say; the second differs in what is marked."""
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    marks = r":emphasize-lines: ([\d,]+)\n\n"
    shown = re.findall(rf"```\{{code-block\}} python\n{marks}(.*?)```", text, re.S)
    (_, theirs), (marked, ours) = shown
    for code in (theirs, ours):
        exec(compile(code, "index.md", "exec"), {})
        (said,) = re.findall(r"# ([-\d, ]+)$", code, re.M)
        printed = re.findall(r"-?\d+\.?\d*", capsys.readouterr().out)
        assert [round(float(v), 9) for v in printed] == [float(v) for v in said.split(",")]
    lines = list(enumerate(zip(theirs.splitlines(), ours.splitlines(), strict=True), 1))
    assert [int(k) for k in marked.split(",")] == [k for k, (a, b) in lines if a != b]


@pytest.mark.parametrize("namespace", reference.NAMESPACES)
def test_every_public_name_is_listed_in_the_reference(namespace):
    listed = [name for names in reference.sections(namespace).values() for name in names]
    assert set(listed) == {name for space, name in reference.TABLE if space == namespace}


def test_own_names_are_all_in_the_reference():
    names = [name for names in reference.own_names().values() for name in names]
    modules = {"linalg", "sparse", "testing"}
    assert sorted(n for n in names if "." not in n) == sorted(set(scipygrad.__all__) - modules)


def test_examples_of_names_are_of_public_names():
    assert set(reference.snippets()) <= {name for _, name in reference.TABLE} | NEWER


def test_pages_know_all_that_the_table_says_about_gpus():
    assert {entry.on_gpu() for entry in reference.TABLE.values()} <= set(reference.ON_GPU)


def test_derivations_that_pages_lead_to_exist():
    stems = {stem for found in reference.DERIVATIONS.values() for stem in found}
    stems |= {"linalg_determinant"}  # from the page of the library's own names
    assert stems == {p.stem for p in (ROOT / "docs" / "derivations").glob("*.md")} - {"index"}


def test_gallery_has_a_place_for_every_example():
    assert {p.stem for p in (ROOT / "examples").glob("[!_]*.py")} <= set(gallery.ORDER)


def test_inventories_have_the_names_that_pages_link_to():
    lines = set(inventories.scipy_lines()) | set(inventories.numpy_lines())
    page = "reference/generated/{0}.html#$ -"
    for name, role in (
        ("scipy.sparse.csr_array", "class"), ("scipy.sparse.csr_array.tocsc", "method"),
        ("scipy.sparse.linalg.spsolve", "function"), ("numpy.exp", "function"),
    ):  # fmt: skip
        assert f"{name} py:{role} 1 {page.format(name)}" in lines
