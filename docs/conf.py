"""Sphinx configuration. The pages describe the installed package."""

import hessorbit

project = "hessorbit"
author = "hessorbit contributors"
copyright = author
version = release = hessorbit.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.mathjax", "numpydoc", "myst_parser"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"hessorbit {release}"
html_theme_options = {"header_links_before_dropdown": 7}
html_static_path = ["_static"]
html_css_files = ["pages.css"]
