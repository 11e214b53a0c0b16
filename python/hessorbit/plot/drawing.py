"""Draws figures as SVG whose colours a page decides, and into files.

Figures are drawn in the colours of a light page. In a page each colour becomes a variable of its style sheet, which has
another value on a dark one.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
DOTS_PER_INCH = 200

# Colours of style.py by the names of variables, and what they are on a dark page.
INK, GRID = "#1d2733", "#dddddd"
COLOURS = {
    INK: ("ink", "#e3e8ee"),
    GRID: ("line", "#363e48"),
    "#0072b2": ("blue", "#5cb8ff"),
    "#d55e00": ("orange", "#ff9552"),
    "#009e73": ("green", "#3ad3a5"),
    "#cc79a7": ("purple", "#e6a3c8"),
    "#555555": ("grey", "#a3adb8"),
    "#e69f00": ("yellow", "#f2c14e"),
}
LIGHTEST_OF_DARK = 0.3  # where the scale of widths begins on a dark page
WIDTH_SCALE = 0.9  # where it ends


def svg_of(figure: Figure, name: str, words: str, widths: int = 0) -> str:
    """Returns a figure as an SVG whose text is text, with words that stand for it; the same for the same figure.

    Its colours are the variables of `style_variables`, for so many widths.
    """
    from matplotlib import rc_context

    text = io.StringIO()
    fonts = rc_context({"svg.fonttype": "none", "svg.hashsalt": name})
    with fonts, warnings.catch_warnings(), np.errstate(over="ignore"):  # margins of logarithmic axes may leave float64
        # The page's own fonts are chosen by the browser; matplotlib's are for measuring only.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = re.sub(r'<g id="[^"]*"', "<g", svg[svg.index("<svg") :])  # names that other figures have too
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    for colour, (variable, _) in colours(widths).items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escaped(words)}" ', 1)


def colours(widths: int) -> dict[str, tuple[str, str]]:
    """Returns by colour of a light page its variable and the colour of a dark page."""
    scales = zip(width_scale(widths), width_scale(widths, LIGHTEST_OF_DARK), strict=True)
    return {**COLOURS, **{light: (f"w{i}", dark) for i, (light, dark) in enumerate(scales)}}


def style_variables(widths: int = 0) -> tuple[str, str]:
    """Returns the variables of a style sheet, for a light and for a dark page."""
    known = colours(widths)
    light = " ".join(f"--{name}: {colour};" for colour, (name, _) in known.items())
    return light, " ".join(f"--{name}: {dark};" for name, dark in known.values())


def escaped(words: str) -> str:
    from html import escape

    return escape(words, quote=True)


@contextmanager
def page_style() -> Iterator[None]:
    """Draws with no ground, and with ink in place of black."""
    from matplotlib import rc_context

    style: dict[Any, Any] = {"figure.facecolor": "none", "axes.facecolor": "none"}
    for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
        style[name] = INK
    with rc_context(style):
        yield


def written(draw: Callable[[Figure], object], kind: str) -> bytes:
    """Returns a drawing as a file of a format, the same for the same drawing."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(layout="constrained")
    file = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    with rc_context({"svg.hashsalt": "hessorbit", "svg.fonttype": "none", "pdf.fonttype": 42}):
        draw(figure)
        figure.savefig(file, format=kind, dpi=DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()


def width_scale(count: int, start: float = 0.0) -> list[str]:
    """Returns a colour for each width, dark for narrow and light for wide."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    places = [start + (WIDTH_SCALE - start) * i / max(count - 1, 1) for i in range(count)]
    return [to_hex(colormaps["viridis"](place)) for place in places]
