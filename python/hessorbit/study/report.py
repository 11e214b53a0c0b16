"""Writes claims, figures, numbers and settings of a study as one HTML page that needs nothing else."""

from __future__ import annotations

import io
import warnings
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from .cells import StudyCells
from .claims import Factor
from .plots import FigureKind, figures, new_figure

if TYPE_CHECKING:
    from jinja2 import Environment

FACTS = ("hessorbit", "level", "compiler", "eigen", "openmp", "threads", "python", "numpy", "scipy", "platform")


@dataclass(frozen=True)
class Drawing:
    """A figure as it stands in the page."""

    name: str
    caption: str
    svg: str


def render(result: StudyCells) -> str:
    """Returns the page."""
    if result.settings.factors:
        return (
            environment()
            .get_template("grid.html")
            .render(
                result=result, title=result.settings.title, failures=result.failures, settings=result.settings.to_toml()
            )
        )
    template = environment().get_template("report.html")
    return template.render(
        result=result,
        title=result.settings.title,
        findings=result.claims(),
        theorem=str(result.theorem()),
        drawings=[drawing(kind, result) for kind in figures(result)],
        medians=medians(result),
        meanings=result.meanings,
        failures=result.failures,
        unmeasured=unmeasured(result),
        unreached=unreached(result),
        endings=endings(result),
        settings=result.settings.to_toml(),
        facts=common_facts(result),
        finished=max((record.finished for record in result.records), default="never"),
    )


def environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = files(__package__) / "templates"
    page = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page.filters.update(number=number, factor=factor, spread=spread, chance=chance)
    return page


def drawing(kind: FigureKind, result: StudyCells) -> Drawing:
    """Returns a figure as an SVG whose text is text, the same for the same result."""
    from matplotlib import rc_context

    figure, ax = new_figure()
    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": kind.name}), warnings.catch_warnings():
        # The page's own fonts are chosen by the browser; matplotlib's are for measuring only.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        kind.draw(result, ax)
        figure.savefig(text, format="svg", metadata={"Date": None, "Title": kind.caption})
    svg = text.getvalue()
    return Drawing(kind.name, kind.caption, svg[svg.index("<svg") :])


def medians(result: StudyCells) -> list[dict[str, Any]]:
    """Returns the median by width of every column that has values."""
    if result.table.empty:
        return []
    table = result.table.drop(columns="seed").astype(float).groupby("width").median().reindex(result.settings.widths)
    return [{"column": name, "values": column.tolist()} for name, column in table.items() if column.notna().any()]


def unmeasured(result: StudyCells) -> Counter[str]:
    """Returns what could not be measured, and in how many cells."""
    notes = [record.facts.get("not_measured", {}) for record in result.done]
    return Counter(f"{column}: {reason}" for note in notes for column, reason in note.items())


def unreached(result: StudyCells) -> int:
    """Returns the number of cells whose training ended at max_steps."""
    return int((result.table["reached"] == 0).sum())


def endings(result: StudyCells) -> dict[str, Counter[int]]:
    """Returns by kind of point and width how many students were brought to it, teachers and minima first."""
    found: dict[str, Counter[int]] = {"teacher": Counter(), "minimum": Counter()}
    for record in result.done:
        found.setdefault(record.facts["ending"], Counter())[record.cell.width] += 1
    return {kind: counts for kind, counts in found.items() if counts}


def common_facts(result: StudyCells) -> dict[str, str]:
    """Returns what the cells were computed with; where they differ, all that occurs."""
    return {name: ", ".join(sorted({str(record.facts.get(name)) for record in result.records})) for name in FACTS}


def number(value: float) -> str:
    """Writes four significant digits, and a dash for nan."""
    if not np.isfinite(value):
        return "–"
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e6 else f"{value:.4g}"


def factor(value: float) -> str:
    """Writes a factor per doubling of the width."""
    return f"×{value:.3g}" if np.isfinite(value) else "–"


def spread(factor: Factor | None) -> str:
    """Writes the interval of a factor."""
    if factor is None or np.isnan(factor.low):
        return "–"
    return " to ".join("∞" if end == np.inf else f"{end:.3g}" for end in (factor.low, factor.high))


def chance(p: float) -> str:
    """Writes a p-value."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"
