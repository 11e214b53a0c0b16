"""The pages about the paper and about rates hold what their script computes."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(DOCS / "simulations" / "paper.py"))


@pytest.fixture(scope="module")
def pages() -> str:
    return "\n".join(DOCS.joinpath(name).read_text("utf-8") for name in ("paper.md", "rates.md"))


def rows(table: str) -> list[list[str]]:
    """The cells of a table in Markdown, without its headings."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def stands(script: dict[str, Any], pages: str, name: str) -> list[list[str]]:
    (place,) = script["place_of"](name).findall(pages)
    return rows(place)


def test_every_table_has_its_place(script: dict[str, Any], pages: str) -> None:
    for name in script["TABLES"]:
        assert len(stands(script, pages, name)) >= 3
    assert pages.count("<!-- table: ") == len(script["TABLES"])


def test_spectra(script: dict[str, Any], pages: str) -> None:
    """Where nothing is lost the deviation is rounding, a different one on each machine: at most P eps, for P = 31."""
    (computed,) = rows(script["spectra"](None, widths=[6]))
    printed = stands(script, pages, "spectra")[0]
    assert computed[:3] == printed[:3]
    assert float(computed[4]) == pytest.approx(float(printed[4]), rel=0.02)
    for column in (3, 5):
        assert float(computed[column]) < 1e-14
        assert float(printed[column]) < 1e-14


def test_best(script: dict[str, Any], pages: str) -> None:
    """Medians of certified minima, which are found to 1e-4."""
    computed = rows(script["best"](None, activations=["erf"], widths=[3, 6]))
    printed = stands(script, pages, "best")[:2]
    for mine, theirs in zip(computed, printed, strict=True):
        assert mine[:2] == theirs[:2]
        for a, b in zip(mine[2:5], theirs[2:5], strict=True):
            assert float(a) == pytest.approx(float(b), rel=0.01)
        assert mine[6] == theirs[6]
