"""Writes claims, figures, numbers and settings of a study as HTML pages that need nothing else.

A study of plain settings has one page. One of variants has a page that says where each claim holds, and beside it a
page for each claim, with the same figure for every variant.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from .._words import number_of, those
from ..plot import pages as templates
from ..plot.drawing import page_style, style_variables, svg_of
from ..plot.style import SIZE, new_figure
from .cells import StudyCells
from .checks import INFINITE
from .claims import Claim, Factor, Finding
from .factors import brief
from .numbers import Numbers, number, numbers_by_width
from .plots import FigureKind, claims_shown, draw_all, figures, series_of
from .settings import Settings
from .statistics import LEVEL, holm

if TYPE_CHECKING:
    from jinja2 import Environment

FACTS = ("hessorbit", "revision", "level", "compiler", "eigen", "openmp", "threads", "python", "numpy", "scipy")
SMALL = (3.4, 2.6)  # inches, of a figure beside others
VERDICTS = ("supported", "contradicted", "not monotone", "undecided")


@dataclass(frozen=True)
class Drawing(templates.Drawing):
    """A figure as it stands in a page, with its numbers."""

    numbers: Numbers


def pages(result: StudyCells, path: PurePath) -> dict[str, str]:
    """Returns the pages of a study by the names of files beside each other; the first one is to be opened."""
    if not result.settings.factors:
        return {path.name: render(result)}
    names = {claim: f"{path.stem}-{claim.id.replace('_', '-')}{path.suffix}" for claim in claims_shown(result)}
    found = {path.name: grid_page(result, names)}
    return found | {name: claim_page(result, claim, path.name) for claim, name in names.items()}


def render(result: StudyCells) -> str:
    """Returns the page of a study of plain settings."""
    return page(
        "report.html",
        result,
        drawings=[drawing(kind, result) for kind in figures(result)],
        medians=medians(result),
        meanings=result.meanings,
        unmeasured=unmeasured(result),
        unreached=unreached(result),
        endings=endings(result),
        steps=list(pairwise(result.settings.widths)),
    )


def grid_page(result: StudyCells, names: dict[Claim, str]) -> str:
    """Returns the page that says where each claim holds."""
    table: dict[str, dict[Claim, tuple[Finding, bool]]] = {words: {} for words in result.parts}
    for finding, sure in zip(result.claims(), sure_together(result.claims()), strict=True):
        table[finding.variant][finding.claim] = finding, sure
    counts = {claim: Counter(row[claim][0].verdict for row in table.values() if claim in row) for claim in names}
    return page("grid.html", result, names=names, table=table, counts=counts)


def sure_together(findings: list[Finding]) -> list[bool]:
    """Returns which findings are still significant if the p-values of all are adjusted together."""
    p = np.array([each.factor.p if each.adjusted < 1 else 1.0 for each in findings])
    return [bool(adjusted <= LEVEL) for adjusted in holm(p)]


def claim_page(result: StudyCells, claim: Claim, home: str) -> str:
    """Returns the page of a claim, with a figure for each variant."""
    multiples = small_multiples(result, claim)
    return page("claim.html", result, claim=claim, home=home, multiples=multiples)


def page(template: str, result: StudyCells, **values: Any) -> str:
    """Returns a page from its template, with what all have."""
    light, dark = style_variables(len(result.settings.widths))
    return (
        environment()
        .get_template(template)
        .render(
            result=result,
            title=result.settings.title,
            about=about(result.settings),
            findings=result.claims(),
            theorem=result.theorem(),
            errors=errors(result),
            changes=result.changes(),
            cells=len(result.settings.cells()),
            settings=result.settings.to_toml(),
            facts=common_facts(result),
            finished=max((record.finished for record in result.records), default="never"),
            light=light,
            dark=dark,
            verdicts=VERDICTS,
            **values,
        )
    )


def environment() -> Environment:
    found = templates.environment(__package__)
    found.filters.update(number=number, factor=factor, spread=spread, chance=chance, number_of=number_of, those=those)
    return found


def about(settings: Settings) -> str:
    """Says in a sentence what students learn."""
    lists = dict(settings.factors)

    def said(name: str) -> str:
        return " or ".join(map(brief, lists.get(name, (getattr(settings, name),))))

    if settings.data_digest:
        return f"Students learn {said('samples')} rows of {PurePath(settings.data).name}."
    what = "infinitely many" if said("samples") == INFINITE else said("samples")
    neurons = f"{said('activation')} neuron{'' if said('teacher_width') == '1' else 's'}"
    teacher = f"{said('teacher_width')} {neurons} with outgoing weights of ±{said('teacher_scale')}"
    return f"Students learn from {what} samples what teachers of {teacher} compute, a teacher for each seed."


def errors(result: StudyCells) -> dict[str, list[str]]:
    """Returns by what went wrong in which cells it did: those of a variant and width together."""
    seeds: dict[str, dict[str, list[int]]] = {}
    for cell, error in result.failures.items():
        place = ", ".join(filter(None, [result.settings.words(cell.variant), f"width {cell.width}"]))
        seeds.setdefault(error, {}).setdefault(place, []).append(cell.seed)
    return {error: [f"{place}, {those('seed', each)}" for place, each in at.items()] for error, at in seeds.items()}


def drawing(kind: FigureKind, result: StudyCells) -> Drawing:
    """Returns a figure as an SVG."""
    with page_style():
        figure, ax = new_figure(SIZE)
        kind.draw(result, ax)
    found = kind.numbers(result)
    words = f"{ax.get_title()}, {ax.get_ylabel()} against {ax.get_xlabel()}. {found.said()}"
    return Drawing(kind.name, kind.caption, svg_of(figure, kind.name, words, len(result.settings.widths)), found)


def small_multiples(result: StudyCells, claim: Claim) -> list[tuple[Finding | None, Drawing]]:
    """Returns for each variant what is found about a claim, and its figure; all have the same axes."""
    series = series_of(claim)
    columns = [each.column for each in series if each.column in result.table]
    values = result.table[columns].to_numpy(float)
    values = values[np.isfinite(values) & (values > 0)]
    multiples = []
    for index, (words, part) in enumerate(result.parts.items()):
        finding = next((each for each in part.judged if each.claim == claim), None)
        with page_style():
            figure, ax = new_figure(SMALL)
            draw_all(part, ax, series, "", claim.column)
            if len(values):
                ax.set_ylim(values.min() / 1.2, values.max() * 1.2)
        found = numbers_by_width(part, [(each.column, each.label) for each in series])
        said = f"{claim.sentence}, {words}: {claim.column} against width. {found.said()}"
        svg = svg_of(figure, f"{claim.id}-{index}", said, len(result.settings.widths))
        multiples.append((finding, Drawing(words, "", svg, found)))
    return multiples


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
    if not result.records:
        return {}
    names = (*FACTS, "platform")
    found = {name: {str(record.facts.get(name, "not recorded")) for record in result.records} for name in names}
    return {name: ", ".join(sorted(values)) for name, values in found.items()}


def factor(value: float) -> str:
    """Writes a factor per doubling of the width."""
    return f"×{value:.3g}" if np.isfinite(value) else "–"


def spread(factor: Factor | None) -> str:
    """Writes the interval of a factor."""
    if factor is None or np.isnan(factor.low):
        return "–"
    return " to ".join(map(end_of_interval, (factor.low, factor.high)))


def end_of_interval(end: float) -> str:
    """Writes three digits, and as many as tell on which side of 1 it is."""
    if end == np.inf:
        return "∞"
    texts = [f"{end:.{digits}g}" for digits in range(3, 10)]
    return next((text for text in texts if text != "1"), "1")


def chance(p: float) -> str:
    """Writes a p-value."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"
