"""The command line, called as a user would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import hessorbit as ho
from hessorbit.cli.app import app
from hessorbit.study import load

SMALL = ["--widths", "2,4", "--seeds", "2", "--set", "inputs=2", "--set", "teacher_width=2", "--set", "samples=30",
         "--set", "max_steps=50", "--workers", "1"]  # fmt: skip


def hessorbit(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_study_then_report(folder: Path) -> None:
    result = hessorbit("study", *SMALL)
    assert result.exit_code == 0, result.output
    assert "Rows are in study.sqlite, the figures in study.html." in result.output
    assert "undecided" in result.output
    assert len(load("study.sqlite").records) == 4
    assert folder.joinpath("study.html").stat().st_size > 10_000

    again = hessorbit("report", "study.sqlite", "--report", "other.html", "--csv", "table.csv")
    assert again.exit_code == 0, again.output
    assert folder.joinpath("other.html").read_bytes() == folder.joinpath("study.html").read_bytes()
    assert len(folder.joinpath("table.csv").read_text("utf-8").splitlines()) == 5


def test_show_prints_settings_that_can_be_read_back(folder: Path) -> None:
    result = hessorbit("study", "--show", "--preset", "quick", "--set", "activation=tanh", "--set", 'title="A: b"')
    assert result.exit_code == 0
    folder.joinpath("mine.toml").write_text(result.output, "utf-8")
    expected = ho.WidthStudy.preset("quick", activation="tanh", title="A: b")
    assert ho.WidthStudy.from_toml("mine.toml") == expected
    assert hessorbit("study", "--show", "--settings", "mine.toml").output == result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--widths", "2,x"], "--widths must be whole numbers"),
        (["--widths", "0"], "widths"),
        (["--set", "samples"], "--set must be NAME=VALUE"),
        (["--set", "sample=3"], "there is no setting 'sample'; did you mean samples"),
        (["--set", "samples=1.5"], "samples"),
        (["--preset", "huge"], "preset must be one of"),
        (["--settings", "missing.toml"], "missing.toml"),
        (["--report", "nowhere/study.html"], "no folder"),
        (["--workers", "0"], "workers must be at least 1"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str) -> None:
    result = hessorbit("study", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.startswith("hessorbit: ")
    assert "Traceback" not in result.output


def test_report_without_a_store() -> None:
    result = hessorbit("report")
    assert result.exit_code == 2
    assert "store 'study.sqlite' does not exist" in result.output


def test_info() -> None:
    result = hessorbit("info")
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.output.splitlines()} == set(ho.configuration())


def test_help_names_the_commands() -> None:
    result = hessorbit("--help")
    for command in ("study", "report", "reach", "info"):
        assert command in result.output
    assert "--preset" in hessorbit("study", "--help").output
