"""The command `hessorbit reach` through its own small application, and the numbers behind it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from scipy import stats
from typer.testing import CliRunner

import hessorbit as ho
from hessorbit.cli.reach import reach
from hessorbit.minima import ReachByWidth, reach_by_width
from hessorbit.study.reach_figure import figure

app = typer.Typer()
app.command()(reach)

QUICK = ["--widths", "2,4,8", "--teacher-width", "2", "--inputs", "2", "--samples", "20", "--threads", "1"]


def run(folder: Path, *options: str) -> str:
    done = CliRunner().invoke(app, [*QUICK, "--plot", str(folder / "reach.png"), *options])
    assert done.exit_code == 0, done.output
    return done.output


def small(**options: object) -> ReachByWidth:
    teacher = ho.MLP([2, 2, 1], "tanh")
    theta = teacher.init(np.random.default_rng(0), "normal(1)")
    arguments = {"samples": 60, "rng": np.random.default_rng(1), **options}
    return reach_by_width(teacher, theta, [2, 4, 12], **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["torch", "he_normal"])
def test_prints_and_draws(tmp_path: Path, scheme: str) -> None:
    output = run(tmp_path, "--init", scheme)
    assert "For twice the width" in output
    assert "2 neurons and 2 inputs" in output
    assert ("bounds" in output.split("For twice")[0]) == (scheme == "he_normal")
    assert (tmp_path / "reach.png").read_bytes().startswith(b"\x89PNG")


def test_tables_hold_the_same_rows(tmp_path: Path) -> None:
    for name in ("rows.csv", "rows.json"):
        run(tmp_path, "--init", "normal(0.5)", "--table", str(tmp_path / name))
    rows = json.loads((tmp_path / "rows.json").read_text("utf-8"))
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [int(row["width"]) for row in written] == [row["width"] for row in rows] == [2, 4, 8]
    for text, row in zip(written, rows, strict=True):
        assert float(text["distance_median"]) == row["distance_median"]
        assert row["probability_low"] <= row["probability"] <= row["probability_high"]
        assert row["distance_lower_bound_median"] <= row["distance_median"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--widths", "2,x"], "--widths must be whole numbers"),
        (["--widths", "1,2"], "at least the teacher's width, 2; got 1"),
        (["--widths", "2,2"], "widths must differ"),
        (["--radius", "0"], "radius must be positive"),
        (["--samples", "0"], "samples must be at least 1"),
        (["--teachers", "0"], "teachers must be at least 1"),
        (["--teachers", "2", "--share", "0"], "share must be positive"),
        (["--activation", "identity"], "linear"),
        (["--init", "zeros"], "scheme must be one of"),
        (["--plot", "/no/such/folder/reach.png"], "cannot be written: there is no folder '/no/such/folder'"),
        (["--table", "/"], "--table '/' must be a file; it is a folder"),
    ],
)
def test_bad_options_are_one_line(options: list[str], message: str) -> None:
    done = CliRunner().invoke(app, [*QUICK, *options])
    assert done.exit_code == 2
    assert message in done.output
    assert done.output.startswith("hessorbit: ")
    assert done.output.count("\n") == 1


def test_one_teacher_is_an_example(tmp_path: Path) -> None:
    assert "One example" in run(tmp_path)


def test_several_teachers_have_verdicts_and_rows(tmp_path: Path) -> None:
    output = run(tmp_path, "--teachers", "2", "--table", str(tmp_path / "rows.csv"), "--samples", "10", "--verbose")
    assert "2 gelu teachers" in output
    assert "undecided" in output
    assert "One example" not in output
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["seed"]), int(row["width"])) for row in rows] == [(k, w) for k in range(2) for w in (2, 4, 8)]
    assert (tmp_path / "reach.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_are_those_of_single_searches() -> None:
    found = small(radius=2.0)
    teacher = ho.MLP([2, 2, 1], "tanh")
    theta = teacher.init(np.random.default_rng(0), "normal(1)")
    for each, chance, stream in zip(found.starts, found.chance, np.random.default_rng(1).spawn(3), strict=True):
        student = ho.MLP([2, each.width, 1], "tanh")
        starts = student.init(stream, "torch", size=60)
        # Both searches end within their tolerance of the exact squared distance, 1e-6 here.
        exact = ho.nearest_minimum(student, starts, teacher, theta)
        np.testing.assert_allclose(each.distance, exact.distance, rtol=1e-6)
        assert (each.distance_lower_bound <= exact.distance * (1 + 1e-12)).all()
        np.testing.assert_allclose(each.relative, each.distance / np.linalg.norm(starts, axis=1), rtol=1e-15)
        np.testing.assert_allclose(each.per_parameter * np.sqrt(student.num_parameters), each.distance, rtol=1e-15)
        hits = int((each.distance <= 2.0).sum())
        assert chance.estimate == hits / 60
        expected = stats.binomtest(hits, 60).proportion_ci(0.95, "exact")
        np.testing.assert_allclose(chance.interval, expected, atol=1e-9)
        assert chance.lower_bound is chance.upper_bound is None


def test_bounds_enclose_the_probability() -> None:
    found = small(init="normal(0.7)", samples=200, confidence=0.9999)
    for chance in found.chance:
        assert chance.lower_bound is not None
        assert chance.upper_bound is not None
        assert chance.lower_bound <= chance.interval[1]
        assert chance.upper_bound >= chance.interval[0]
    assert found.radius == pytest.approx(np.median([each.distance for each in found.starts]))


def test_bounds_can_be_left_out() -> None:
    found = small(init="normal(0.7)", samples=5, bounds=False)
    assert all(chance.lower_bound is chance.upper_bound is None for chance in found.chance)


def test_factor_per_doubling_is_the_slope_of_a_line() -> None:
    found = small()
    medians = [np.median(each.distance) for each in found.starts]
    slope = stats.linregress(np.log2(found.widths), np.log2(medians)).slope
    assert found.factor_per_doubling() == pytest.approx(2**slope, rel=1e-12)
    with pytest.raises(ValueError, match="measure must be one of"):
        found.factor_per_doubling("size")
    assert "width 12" in repr(found)


def test_panels_show_the_numbers() -> None:
    found = small(init="normal(0.7)")
    distance, measures, chance, distribution = figure(found).axes
    np.testing.assert_allclose(distance.lines[0].get_ydata(), [np.median(each.distance) for each in found.starts])
    assert [float(line.get_ydata()[0]) for line in measures.lines] == [1.0, 1.0, 1.0]
    assert "sampled, 95 % interval" in chance.get_legend_handles_labels()[1]
    assert len(distribution.lines) == len(found.widths) + 1
