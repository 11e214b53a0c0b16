"""Figures and the page: complete, self-contained, the same every time."""

from __future__ import annotations

import html.parser
import itertools
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from hessorbit.plot.style import new_figure
from hessorbit.study import StudyResult, plots
from hessorbit.study.cell import failure
from hessorbit.study.claims import CLAIMS, Claim, Factor, Finding
from hessorbit.study.measurements import MEASUREMENTS
from hessorbit.study.report import render, spread, sure_together
from hessorbit.study.written import of_kind

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


@pytest.fixture(scope="module")
def page(result: StudyResult) -> str:
    return render(result)


def test_page_needs_nothing_else(page: str) -> None:
    references = References()
    references.feed(page)
    assert not references.found
    assert "@import" not in page
    assert "<script" not in page


def test_page_shows_everything(result: StudyResult, page: str) -> None:
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


def drawings(page: str) -> list[ElementTree.Element]:
    parts = page.split("<figure")[1:]
    return [ElementTree.fromstring(part[part.index("<svg") : part.index("</svg>") + 6]) for part in parts]


def test_figures_can_be_read_without_being_seen(result: StudyResult, page: str) -> None:
    """Each has words that stand for it, and a table behind it with the medians of what it shows."""
    labels = [drawing.attrib["aria-label"] for drawing in drawings(page)]
    assert all(drawing.attrib["role"] == "img" for drawing in drawings(page))
    median = result.table.loc[result.table["width"] == 4, "steps"].median()
    assert any("training steps against width" in label and f"{median:g}" in label for label in labels)
    assert page.count("<summary>The numbers</summary>") == len(labels) == len(plots.figures(result))
    behind = page[page.index('<figure id="steps">') : page.index('<figure id="spectra">')]
    assert f'<tr><th scope="row">4</th><td>{median:g}' in behind.replace("\n", "")


def test_colours_are_the_pages(page: str) -> None:
    """All that is drawn has a colour that the style sheet defines, for light and for dark."""
    figures = page[page.index("<figure") :]
    assert not re.findall(r"(?:fill|stroke): #(?!ffffff)\w+", figures)
    used = set(re.findall(r"var\(--(\w+)\)", page))
    light, dark = page.split("@media (prefers-color-scheme: dark)")[:2]
    for part in (light, dark[: dark.index("box-sizing")]):
        assert used <= set(re.findall(r"--([\w-]+): #", part)) | {"on"}


def test_unfinished_studies_and_failures_are_shown(study: ho.WidthStudy) -> None:
    bad = failure(study.cell(4, 0), ValueError("<odd & strange>"))
    page = render(StudyResult(study, [bad]))
    assert "14 of 15 cells are\nnot computed yet" in page
    assert "ValueError: &lt;odd &amp; strange&gt;" in page
    assert "<figure id" not in page


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((0.5, 0.9996), "0.5 to 0.9996"),
        ((1.00004, np.inf), "1.00004 to ∞"),
        ((1.0, 1.0), "1 to 1"),
        ((1 - 1e-12, 123.4), "1 to 123"),
    ],
)
def test_intervals_tell_on_which_side_of_1_they_end(ends: tuple[float, float], text: str) -> None:
    assert spread(Factor(0.9, *ends, p=0.03, n=6)) == text


HEADINGS = re.compile(r"<h([23])>(.*?)</h[23]>(.*?)(?=<h[23]>|</main>)", re.DOTALL)


def test_no_heading_is_empty(study: ho.WidthStudy) -> None:
    """Where every cell failed there is text below each heading, and no heading of what there is nothing of."""
    failed = [failure(cell, ArithmeticError("diverged")) for cell in study.cells()]
    for records in ([], failed):
        sections = {name: body for _, name, body in HEADINGS.findall(render(StudyResult(study, records)))}
        assert {"Conclusions", "The tests", "Settings"} <= set(sections)
        assert not {"Figures", "Medians over seeds", "Between neighbouring widths"} & set(sections)
        for body in sections.values():
            assert re.sub(r"<[^>]+>", "", body).strip()
        tables = re.findall(r"<table.*?</table>", "".join(sections.values()), re.DOTALL)
        assert all("<td" in each for each in tables)


def test_one_is_singular() -> None:
    study = ho.WidthStudy(inputs=1, teacher_width=1, widths=[1], seeds=1, samples=5, max_steps=1)
    alone = StudyResult(study, [failure(cell, ArithmeticError("diverged")) for cell in study.cells()])
    page = render(alone)
    assert "0 students of width 1,\n1 seed;" in page
    assert "1 of 1 cell failed" in page


def test_failures_are_listed_by_error(study: ho.WidthStudy) -> None:
    cells = [study.cell(4, 0), study.cell(4, 2), study.cell(8, 1)]
    failed = [failure(cell, ArithmeticError("diverged")) for cell in cells] + [failure(study.cell(2, 0), OSError("x"))]
    page = render(StudyResult(study, failed))
    assert "4 of 15 cells failed" in page
    assert "<li>width 4, seeds 0, 2; width 8, seed 1: ArithmeticError: diverged</li>" in page
    assert "<li>width 2, seed 0: OSError: x</li>" in page


def test_cells_from_before_columns_changed_are_named(tmp_path: Path) -> None:
    """Cells of the cross-entropy that do not say by which revision of columns they were measured are of the first."""
    shape = {"inputs": 2, "outputs": 2, "teacher_width": 2, "widths": [2, 3], "seeds": 1, "samples": 20, "max_steps": 5}
    new = ho.WidthStudy(**shape, loss="cross_entropy", rate_steps=0).run(executor="threads", progress=False)
    assert not new.changes()
    old = StudyResult(new.settings, [replace(record, facts={**record.facts}) for record in new.records])
    del old.records[0].facts["revision"]
    (change,) = old.changes()
    assert change.startswith("nearest_distance")
    assert old.changes()[change] == 1
    page = render(old)
    assert "1 of 2 cells were measured by an earlier version of hessorbit" in page
    assert "<dt>revision</dt><dd>2, not recorded</dd>" in page
    assert "earlier version" not in render(new)
    # What changed is about the cross-entropy alone.
    settings = ho.WidthStudy(**{**shape, "outputs": 1})
    assert not StudyResult(settings, [failure(settings.cell(2, 0), ValueError())]).changes()


def test_tails_are_losses_above_the_minimum(study: ho.WidthStudy) -> None:
    """The tail of a student is drawn as stored, over the loss of the mean less the teacher's own."""
    classes = ho.WidthStudy(
        inputs=2, outputs=3, teacher_width=2, widths=[2, 3], seeds=1, samples=40, max_steps=3000, loss="cross_entropy"
    )
    found = classes.run(executor="threads", progress=False)
    record = next(each for each in found.records if "tail_losses" in each.arrays)
    floor, baseline = record.measurements["floor"], record.measurements["baseline"]
    assert floor > 0.01
    lines = plots.plot_tails(found).get_lines()
    line = next(each for each in lines if each.get_label() == f"width {record.cell.width}")
    np.testing.assert_allclose(line.get_ydata(), record.arrays["tail_losses"] / (baseline - floor), rtol=1e-12)
    mpl.pyplot.close("all")


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
    _, ax = new_figure()
    assert plots.plot_trace(result, ax) is ax


@given(st.sets(st.integers(1, 5000), min_size=1, max_size=40))
def test_labels_of_widths_keep_apart(widths: set[int]) -> None:
    """By a twelfth of the axis; the largest width always has one, and so has any that is far enough from all others."""
    shown, least = plots.with_room(sorted(widths)), (max(widths) / min(widths)) ** (1 / 12) * (1 - 1e-12)
    assert shown[0] == max(widths)
    assert set(shown) <= widths
    assert all(wide / narrow >= least for wide, narrow in itertools.pairwise(shown))
    for width in widths - set(shown):
        assert any(max(width, other) / min(width, other) < least * (1 + 1e-9) for other in shown)


def test_numbers_along_an_axis() -> None:
    values = {0.01: "0.01", 0.5: "0.5", 1.0: "1", 5000.0: "5000", 1e4: "10⁴", 2e-7: "2·10⁻⁷", 1e-10: "10⁻¹⁰"}
    assert [plots.plain_number(value) for value in values] == list(values.values())


def test_nothing_to_plot(study: ho.WidthStudy) -> None:
    with pytest.raises(ValueError, match="no cell of the study is done"):
        StudyResult(study, []).plot()
    with pytest.raises(ValueError, match="no cell of the study is done"):
        StudyResult(ho.WidthStudy(**GRID, l2=[0.0, 0.1]), []).plot()


def test_report_writes_the_page(result: StudyResult, page: str, tmp_path: Path) -> None:
    """The same every time."""
    result.report(tmp_path / "study.html")
    assert (tmp_path / "study.html").read_text("utf-8") == page


SCRIPT = "<script>alert('1')</script>"


def test_script_is_escaped(result: StudyResult) -> None:
    """Whatever a user or an error writes is text in the page."""
    settings = ho.WidthStudy(**{**result.settings.as_dict(), "title": SCRIPT})
    bad = failure(settings.cell(4, 0), ValueError(SCRIPT))
    page = render(StudyResult(settings, [*result.records[1:], bad]))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 3  # title, heading, settings, failure


def test_an_old_page_survives_a_failure(study: ho.WidthStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = StudyResult(study, [])
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


GRID = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 2, "samples": 30, "max_steps": 60}


@pytest.fixture(scope="module")
def grid() -> StudyResult:
    with ThreadPoolExecutor(2) as executor:
        return ho.WidthStudy(**GRID, l2=[0.0, 0.01], title=SCRIPT).run(executor=executor)


def claims(grid: StudyResult) -> list[Claim]:
    return [finding.claim for finding in grid.parts["l2=0"].claims()]


def test_a_grid_has_a_page_for_each_claim(grid: StudyResult, tmp_path: Path) -> None:
    """They lead to each other and nowhere else, and every claim of every variant is on them."""
    grid.report(tmp_path / "study.html")
    pages = {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()}
    assert len(pages) == 1 + len(claims(grid))
    for page in pages.values():
        references = References()
        references.feed(page)
        assert set(references.found) <= set(pages)
        assert "<script" not in page
    home = References()
    home.feed(pages["study.html"])
    assert set(home.found) == set(pages) - {"study.html"}
    for finding in grid.claims():
        page = pages[f"study-{finding.claim.id.replace('_', '-')}.html"]
        assert f"<figure><h3>{finding.variant}</h3>" in page.replace("\n", "")
    assert len(drawings(pages["study-trace.html"])) == 2
    assert "The claim has no meaning here: l2 moves minima away from the teacher." in pages["study-nearest.html"]
    assert pages["study.html"].count("undecided</span>") == len(grid.claims())


def test_what_is_significant_in_a_whole_table() -> None:
    """Holm's multipliers count all of the table; a finding with an adjusted p of 1 counts as 1."""

    def finding(p: float, adjusted: float) -> Finding:
        return Finding(CLAIMS[0], Factor(0.5, 0.4, 0.6, p, 9), adjusted, "supported", "", (1, 1), (), None)

    cases = [finding(0.01, 0.02), finding(0.03, 0.03), finding(0.002, 1.0), finding(0.0125, 0.02)]
    assert sure_together(cases) == [True, False, False, True]


def test_figures_as_files(result: StudyResult, grid: StudyResult, tmp_path: Path) -> None:
    for kind, start in (("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")):
        assert of_kind(result, plots.FIGURES[3], kind).startswith(start)
    paths = grid.save_figures(tmp_path / "grid")
    assert [path.name for path in paths] == [f"{claim.id}.pdf" for claim in claims(grid)]
    assert all(path.read_bytes().startswith(b"%PDF") for path in paths)


def test_refused_figures(result: StudyResult, study: ho.WidthStudy, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"format must be one of .*pdf.*got 'xyz'"):
        result.save_figures(tmp_path / "no", "xyz")
    with pytest.raises(ValueError, match="no cell of the study is done"):
        StudyResult(study, []).save_figures(tmp_path / "no")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(("name", "read"), [("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)])
def test_tables_as_files(name: str, read: Callable[[Path], pd.DataFrame], grid: StudyResult, tmp_path: Path) -> None:
    grid.save_table(tmp_path / name)
    table = read(tmp_path / name)
    assert list(table.columns[:3]) == ["width", "seed", "l2"]
    pd.testing.assert_frame_equal(table, grid.table, check_dtype=False)
    with pytest.raises(ValueError, match=r"ends in \.csv or \.parquet; got \.xlsx"):
        grid.save_table(tmp_path / "t.xlsx")


def test_a_plot_of_a_grid(grid: StudyResult) -> None:
    axes = grid.plot()
    assert len(axes) == 2 * len(claims(grid))
    assert len({ax.get_title() for ax in axes}) == 2
    mpl.pyplot.close("all")
