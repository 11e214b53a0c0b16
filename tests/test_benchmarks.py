"""A slow-down between two builds is found, noise is not; tables of the documentation are those of the history."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "python"


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """Modules of the benchmarks, which are scripts and no package."""
    names = ("timing", "rows", "summary", "history", "regressions", "report", "counts", "limits")
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)


STEADY = (1.00, 1.01, 0.99, 1.00, 1.02, 0.98, 1.00)
NOISY = (1.0, 1.4, 0.8, 1.3, 0.7, 1.1, 0.9)


@pytest.mark.parametrize(
    ("old", "new", "slower"),
    [
        (STEADY, STEADY, False),
        (STEADY, tuple(1.12 * t for t in STEADY), False),  # less than 15 %
        (STEADY, tuple(1.2 * t for t in STEADY), True),
        (STEADY, tuple(0.5 * t for t in STEADY), False),
        (NOISY, tuple(1.2 * t for t in NOISY), False),  # of 7 turns with quartiles at 0.85 and 1.2, ± 37 %
        (NOISY, tuple(2.0 * t for t in NOISY), True),
        ((1.0,), (1.3,), True),
    ],
)
def test_slow_downs(modules: dict[str, ModuleType], old: tuple[float], new: tuple[float], slower: bool) -> None:
    times, change_of = modules["timing"].Times, modules["regressions"].Change
    change = change_of("a call", times(old), times(new))
    assert change.slower() is slower
    assert ("| slower |" in modules["regressions"].table([change])) is slower


def test_calls_that_one_build_lacks_are_named(modules: dict[str, ModuleType]) -> None:
    change = modules["regressions"].Change("a call", None, None, "AttributeError: no such function")
    assert not change.slower()
    assert "AttributeError" in modules["regressions"].table([change])


def test_newest_rows_of_a_machine(modules: dict[str, ModuleType]) -> None:
    def run(day: int, processor: str, **medians: float) -> dict[str, object]:
        rows = [
            {"contest": name, "case": "a", "rival": "", "ours": {"median": t, "spread": 0.0, "turns": 3}}
            for name, t in medians.items()
        ]
        about = {"processor": processor, "cores": 2, "threads": 2, "level": "v4"}
        return {"date": f"2026-01-{day:02d}", "commit": f"{day}", "machine": about, "rows": rows}

    runs = [
        run(1, "one", hessian=1.0, gradient=2.0, loss=3.0),
        run(2, "other", hessian=9.0),
        run(3, "one", hessian=0.5),
    ]
    rows, used = modules["history"].newest(runs)
    assert {row["contest"]: row["ours"]["median"] for row in rows} == {"hessian": 0.5, "gradient": 2.0, "loss": 3.0}
    assert [record["commit"] for record in used] == ["1", "3"]
    rows, used = modules["history"].newest(runs, "other")
    assert [record["commit"] for record in used] == ["2"]
    with pytest.raises(SystemExit, match="no run on third"):
        modules["history"].newest(runs, "third")


def test_pages_say_what_the_history_does(modules: dict[str, ModuleType]) -> None:
    for page, name, text in modules["report"].parts():
        assert modules["report"].filled(page, name, text) == page.read_text("utf-8"), f"run report.py: {name}"


def test_contestants_answer_from_processes_of_their_own(modules: dict[str, ModuleType]) -> None:
    timing = modules["timing"]
    pace = timing.Pace(turns=2, seconds=1.0)
    maker = partial(partial, sum, (1.0, 2.0))
    times = timing.contest({"a": maker, "b": maker}, pace=pace, pythons={"b": sys.executable})
    assert all(len(each.turns) == 2 and min(each.turns) > 0 for each in times.values())
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        timing.contest({"a": partial(divmod, 1, 0)}, pace=pace)


def test_every_contest_is_named_once_by_its_commit(modules: dict[str, ModuleType]) -> None:
    def run(commit: str, day: int, *contests: tuple[str, str]) -> Any:
        rows = [{"contest": contest, "rival": rival} for contest, rival in contests]
        return {"commit": commit, "date": f"2026-01-{day:02}T12:00:00", "rows": rows}

    runs = [
        run("c1", 1, ("Hessian", "jax"), ("Hessian", "torch"), ("Hessian", "dsyrk"), ("certify", "")),
        run("c2", 2, ("gradient", "jax"), ("canonical", "a budget")),
        run("c2", 2, ("spectrum", "")),
        run("c3", 3, ("certify", "")),
    ]
    rows = [row for run in runs[1:] for row in run["rows"]] + runs[0]["rows"][:3]
    assert modules["report"].origins(rows, runs) == (
        "Measured at commit c3 on 2026-01-03. At c2 on 2026-01-02: spectrum; gradient against jax; canonical. "
        "At c1 on 2026-01-01: Hessian against jax, torch and dsyrk."
    )
    assert modules["report"].origins(rows[:1], runs) == "Measured at commit c2 on 2026-01-02."


def test_limits_of_the_page_are_those_of_the_counts(modules: dict[str, ModuleType]) -> None:
    """Of the first machine, whose limits have one rate; they are written in three digits, to half of one per cent."""
    page = (FOLDER.parents[1] / "docs" / "performance.md").read_text("utf-8")
    rates, kind = [], ""
    for line in page.partition("\n## Cell by cell\n")[2].partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if "Zen 4" in cells:
            kind = "hessian" if cells[0] == "Hessian" else "gradient"
        elif found := re.search(r"\((.*)\)", cells[0]) if line.startswith("|") else None:
            *sizes, samples = map(int, found[1].split(","))
            words = tuple(re.findall("gelu|relu|classes", cells[0].replace("cross-entropy", "classes")))
            limit, unit = cells[2].split()
            case = modules["limits"].Case(kind, tuple(sizes), samples, words)
            rates.append(case.multiply_adds / (float(limit) * {"µs": 1e-6, "ms": 1e-3}[unit]))
    assert len(rates) == 27
    assert max(rates) <= 1.01 * min(rates)


def test_cases_are_read_from_their_names(modules: dict[str, ModuleType]) -> None:
    case = modules["limits"].Case.named("hessian/10_64_64_3_1000_gelu_classes")
    assert (case.kind, case.sizes, case.samples, case.words) == ("hessian", (10, 64, 64, 3), 1000, ("gelu", "classes"))
    assert str(case) == "(10, 64, 64, 3, 1000) gelu classes"
    records = {"rate_of_registers": {"multiply_adds": 1e9}, "descent/gd_1_1_1_1": {"seconds": 1e-7}}
    # Two weights by three, less one in the first layer, and two biases by two are 9; tanh with its slope has 16.
    assert modules["limits"].lines(records) == [["descent", "(1, 1, 1, 1) gd", "100 ns", "25 ns", "0.25"]]
