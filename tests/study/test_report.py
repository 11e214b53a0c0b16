"""Figures and the page: complete, self-contained, the same every time."""

from __future__ import annotations

import html.parser
import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

import hessorbit as ho
from hessorbit.study import StudyResult, plots
from hessorbit.study.cell import failure
from hessorbit.study.measurements import MEASUREMENTS
from hessorbit.study.report import render

mpl.use("agg")


class References(html.parser.HTMLParser):
    """What a page loads from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and value and not value.startswith("#"):
                self.found.append(value)


def test_page_needs_nothing_else(result: StudyResult) -> None:
    page = render(result)
    references = References()
    references.feed(page)
    assert not references.found
    assert "@import" not in page
    assert "<script" not in page


def test_page_shows_everything(result: StudyResult) -> None:
    page = render(result)
    for kind in plots.figures(result):
        assert f'<figure id="{kind.name}">' in page
    for finding in result.claims():
        assert finding.claim.sentence in page
        assert f'class="verdict {finding.verdict.replace(" ", "-")}"' in page
        assert finding.claim.test in page
    assert str(result.theorem()).replace("'", "&#39;") in page
    for entry in MEASUREMENTS:
        assert (f"<code>{entry.column}</code>" in page) == result.table[entry.column].notna().any()
    assert "teacher_width = 2" in page


def test_page_is_the_same_every_time(result: StudyResult) -> None:
    assert render(result) == render(result)


def test_figures_are_well_formed(result: StudyResult) -> None:
    page = render(result)
    for part in page.split("<figure")[1:]:
        ElementTree.fromstring(part[part.index("<svg") : part.index("</svg>") + 6])


def test_unfinished_studies_and_failures_are_shown(study: ho.WidthStudy) -> None:
    bad = failure(study.cell(4, 0), ValueError("<odd & strange>"))
    page = render(StudyResult(study, [bad]))
    assert "14 of 15 cells are\nnot computed yet" in page
    assert "ValueError: &lt;odd &amp; strange&gt;" in page
    assert "<figure id" not in page


def test_lines_are_medians(result: StudyResult) -> None:
    ax = plots.plot_lambda_max(result)
    (line,) = [line for line in ax.get_lines() if line.get_label() == "where training ended"]
    column = "lambda_max_at_tolerance"
    expected = [result.table.loc[result.table["width"] == width, column].median() for width in (2, 4, 8)]
    np.testing.assert_allclose(line.get_xydata(), np.column_stack([(2, 4, 8), expected]))


def test_plot_draws_all_figures(result: StudyResult) -> None:
    axes = result.plot()
    assert len(axes) == len(plots.figures(result))
    assert len({ax.figure for ax in axes}) == 1
    assert all(ax.get_title() and ax.get_xlabel() for ax in axes)
    mpl.pyplot.close("all")


def test_axes_of_ones_own(result: StudyResult) -> None:
    _, ax = plots.new_figure()
    assert plots.plot_trace(result, ax) is ax


def test_nothing_to_plot(study: ho.WidthStudy) -> None:
    with pytest.raises(ValueError, match="no cell of the study is done"):
        StudyResult(study, []).plot()


def test_report_writes_the_page(result: StudyResult, tmp_path: Path) -> None:
    result.report(tmp_path / "study.html")
    assert (tmp_path / "study.html").read_text("utf-8") == render(result)


SCRIPT = "<script>alert('1')</script>"


def test_script_is_escaped(result: StudyResult) -> None:
    """Whatever a user or an error writes is text in the page."""
    settings = ho.WidthStudy(**{**result.settings.as_dict(), "title": SCRIPT})
    bad = failure(settings.cell(4, 0), ValueError(SCRIPT))
    page = render(StudyResult(settings, [*result.records[1:], bad]))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 3  # title, heading, settings, failure


def test_an_old_page_survives_a_failure(result: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.html"
    path.write_text("old", "utf-8")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device; the file that was there is kept"):
            result.report(path)
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]
    result.report(path)
    assert path.read_text("utf-8") == render(result)


def test_counts_are_integers(result: StudyResult) -> None:
    counts = ("width", "seed", "parameters", "reached", "steps", "at_minimum", "num_negative_at_tolerance")
    assert all(result.table[name].dtype == np.int64 for name in counts)
    lost = StudyResult(result.settings, [replace(result.records[0], measurements={"trace": 1.0})])
    assert str(lost.table["steps"].dtype) == "Int64"
    assert lost.table["steps"].isna().all()
