"""Sphinx configuration; what can be known from the library is written by `_ext`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from figures import figures  # noqa: E402
from inventories import write_inventories  # noqa: E402
from reference import write_reference  # noqa: E402

import scipygrad  # noqa: E402

project = "scipygrad"
author = "The scipygrad developers"
copyright = f"2026, {author}"
version = release = scipygrad.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax from the site itself: pages can be read without a network
    "numpydoc",
    "myst_parser",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_ext", "gallery/*.ipynb"]
nitpicky = True
nitpick_ignore = [("py:class", "RuntimeWarning"), ("py:class", "UserWarning")]  # Python's

myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "substitution"]
myst_substitutions = figures(HERE / "performance.md")
myst_heading_anchors = 3
autodoc_typehints = "none"  # the docstrings say it better
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
toc_object_entries = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# The inventories are made here, from the installed packages: the build needs no network.
intersphinx_mapping = write_inventories(HERE / "generated")

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",  # run all of them
    "ignore_pattern": r"(^|[/\\])_[^/\\]*\.py$",
    "within_subsection_order": "gallery.Order",
    "reset_argv": "gallery.arguments",
    "abort_on_example_error": True,
    "doc_module": ("scipygrad",),
    "backreferences_dir": "generated/backreferences",
    "capture_repr": (),
    "image_srcset": ["2x"],
    "thumbnail_size": (500, 350),
    "remove_config_comments": True,
    "download_all_examples": False,
    "notebook_extensions": (),  # a notebook alone would lack `_study.py`
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": float("inf"),
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"scipygrad {version}"
html_static_path = ["_static"]
html_css_files = ["scipygrad.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "scipygrad"},
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": {
        "*": ["page-toc"],
        "derivations/*": ["page-toc"],
        "reference/**": ["page-toc"],
        "gallery/*": [],
        "index": [],
    },
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {page: [] for page in ("index", "performance", "changelog", "contributing")}

write_reference(HERE)
