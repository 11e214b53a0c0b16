"""What the pages of reports have in common: their template, and figures as SVG in the page itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .._extras import need
from .drawing import page_style, svg_of
from .style import SIZE, new_figure

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Drawing:
    """A figure as it stands in a page."""

    name: str
    caption: str
    svg: str


def environment(package: str) -> Environment:
    """Returns the environment of a package's templates, which may extend base.html of this one."""
    for library in ("jinja2", "matplotlib"):
        need(library, "a page")
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def source(name: str) -> str:
        owner = __package__ if name == "base.html" else package
        return (files(owner) / "templates" / name).read_text("utf-8")

    return Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def drawing(name: str, caption: str, draw: Callable[[Axes], Any], size: tuple[float, float] = SIZE) -> Drawing:
    """Returns a figure as an SVG whose colours are the page's; the caption stands for it where it is not seen."""
    with page_style():
        figure, ax = new_figure(size)
        draw(ax)
    return Drawing(name, caption, svg_of(figure, name, caption))
