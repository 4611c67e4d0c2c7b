"""Sphinx configuration; `support.md` is written from the library's own table."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import scipygrad  # noqa: E402
import scipygrad.linalg  # noqa: E402, F401  (fills the table)
import scipygrad.sparse.csgraph  # noqa: E402, F401
from scipygrad._core.table import render_support  # noqa: E402

project = "scipygrad"
author = "The scipygrad developers"
copyright = f"2026, {author}"
version = release = scipygrad.__version__

extensions = ["sphinx.ext.autodoc", "numpydoc", "myst_parser"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
exclude_patterns = ["_build", "generated"]

html_theme = "pydata_sphinx_theme"
html_title = f"scipygrad {version}"
html_theme_options = {"show_toc_level": 2, "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False


def _write_support() -> None:
    page, text = HERE / "support.md", render_support()
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


_write_support()
