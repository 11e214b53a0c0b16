"""What the pages of reports have in common: their template, and figures as SVG in the page itself."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

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
    """Returns the environment of a package's templates, which may extend page.html of this one."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def source(name: str) -> str:
        owner = __package__ if name == "page.html" else package
        return (files(owner) / "templates" / name).read_text("utf-8")

    return Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def drawing(name: str, caption: str, draw: Callable[[Axes], Any], size: tuple[float, float] = SIZE) -> Drawing:
    """Returns a figure as an SVG whose text is text, the same for the same data."""
    from matplotlib import rc_context

    figure, ax = new_figure(size)
    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        # The page's own fonts are chosen by the browser; matplotlib's are for measuring only.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        draw(ax)
        figure.savefig(text, format="svg", metadata={"Date": None, "Title": caption})
    svg = text.getvalue()
    return Drawing(name, caption, svg[svg.index("<svg") :])
