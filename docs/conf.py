"""Sphinx configuration. The pages describe the installed package, and its scripts run while they are built."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

import hessorbit

HERE = Path(__file__).parent

project = "hessorbit"
author = "hessorbit contributors"
copyright = author
version = release = hessorbit.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax lies beside the pages, which need no network
    "sphinx_gallery.gen_gallery",
    "numpydoc",
    "myst_parser",
]
exclude_patterns = ["_build", "gallery/examples", "gallery/generated/index.rst"]
templates_path = ["_templates"]

default_role = "obj"  # of names between single backticks
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"
numpydoc_show_class_members = False


def style(gallery: dict[str, Any], script: str) -> None:
    """Give every script of the gallery the pictures' style, whatever the one before has set."""
    plt.style.use(["default", HERE / "figures" / "pages.mplstyle"])


def runs() -> str:
    """The scripts that run here: those that train with another library only where it is."""
    here = all(importlib.util.find_spec(name) for name in ("torch", "sklearn", "flint"))
    return r".*\.py" if here else r"^(?!.*digits).*\.py"


suppress_warnings = ["config.cache"]  # the function above cannot be kept between builds, and need not be
sphinx_gallery_conf = {
    "examples_dirs": "gallery/examples",
    "gallery_dirs": "gallery/generated",
    "filename_pattern": runs(),
    "backreferences_dir": "gallery/generated/of",
    "doc_module": ("hessorbit",),
    "reference_url": {"hessorbit": None},
    "reset_modules": (style,),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,
    "download_all_examples": False,
    "capture_repr": (),
}

html_theme = "pydata_sphinx_theme"
html_title = f"hessorbit {release}"
html_theme_options = {
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "icon_links": [{"name": "Source", "url": "https://github.com/hessorbit/hessorbit", "icon": "fa-brands fa-github"}],
    "show_prev_next": True,
}
# These pages have no others below them, and so nothing to show beside themselves.
html_sidebars = {
    page: [] for page in ("index", "install", "theory", "paper", "performance", "comparison", "search", "genindex")
}
html_static_path = ["_static"]
html_css_files = ["pages.css"]


def without_last_line(app: Any, name: str, source: list[str]) -> None:
    """Leave out the empty line that ends what an example prints, which doctest needs and a reader does not."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def setup(app: Any) -> None:
    app.connect("source-read", without_last_line)
