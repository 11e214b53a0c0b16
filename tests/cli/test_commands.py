"""The command line, called as a user would."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import hessorbit as ho
from hessorbit import cli
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
        (["--teacher-width", "two"], "teacher_width must be an integer; got 'two'"),
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


def test_parts_and_variants(folder: Path) -> None:
    """Values between commas are variants; parts go into stores of their own, and into one in the end."""
    grid = [*SMALL, "--activation", "erf,tanh", "--seeds", "1", "--executor", "threads"]
    for part in ("1", "2"):
        done = hessorbit("study", *grid, "--shard", f"{part}/2", "--store", f"{part}.sqlite", "--csv", f"{part}.csv")
        assert done.exit_code == 0, done.output
        assert "2 missing" in done.output
    merged = hessorbit("merge", "1.sqlite", "2.sqlite", "--into", "all.sqlite")
    assert merged.output == "4 cells are in all.sqlite, none of the study is missing.\n"
    result = load("all.sqlite")
    assert result.settings.factors == (("activation", ("erf", "tanh")),)
    lines = [folder.joinpath(f"{part}.csv").read_text("utf-8").splitlines() for part in ("1", "2")]
    assert [len(each) for each in lines] == [3, 3]
    assert lines[0][0].startswith("width,seed,activation,parameters")
    shown = tomllib.loads(hessorbit("study", "--show", *grid, "--set", "l2=[0, 0.1]").output)
    assert (shown["activation"], shown["l2"]) == (["erf", "tanh"], [0.0, 0.1])
    scaled = tomllib.loads(hessorbit("study", "--show", "--teacher-scale", "1,3", "--teacher-width", "2,3").output)
    assert (scaled["teacher_scale"], scaled["teacher_width"]) == ([1.0, 3.0], [2, 3])
    growing = hessorbit("study", "--show", "--set", "grow_at=20,40", "--set", "grow_from=3").output
    assert tomllib.loads(growing)["grow_at"] == "20,40"


def test_data_of_ones_own(folder: Path) -> None:
    x = np.random.default_rng(0).standard_normal((30, 2))
    np.savez(folder / "mine.npz", inputs=x, wanted=x[:, 0] * x[:, 1])
    done = hessorbit("study", "--widths", "2,3", "--seeds", "1", "--data", "mine.npz", "--target", "wanted",
                     "--set", "max_steps=30", "--workers", "1")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert load("study.sqlite").settings.samples == 24


def test_help_names_the_commands() -> None:
    result = hessorbit("--help")
    for command in ("study", "report", "merge", "reach", "recover", "info"):
        assert command in result.output
    assert "--preset" in hessorbit("study", "--help").output


def test_settings_of_the_networks_have_options_of_their_own() -> None:
    options = ["--activation", "tanh", "--init", "he_normal", "--inputs", "3", "--outputs", "2", "--no-bias",
               "--teacher-width", "4", "--teacher-scale", "2"]  # fmt: skip
    shown = tomllib.loads(hessorbit("study", "--show", *options).output)
    wanted = {"activation": "tanh", "init": "he_normal", "inputs": 3, "outputs": 2, "bias": False, "teacher_width": 4,
              "teacher_scale": 2.0}  # fmt: skip
    assert {name: shown[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "--report", "study.pdf"], "--report 'study.pdf' must end in .html or .htm"),
        (["study", "--store", "a.html", "--report", "a.html"], "must be different files"),
        (["report", "--csv", "q.parquet"], "--csv 'q.parquet' must end in .csv"),
        (["study", "--csv", "q.parquet"], "--csv 'q.parquet' must end in .csv"),
        (["study", "--parquet", "q.csv"], "--parquet 'q.csv' must end in .parquet"),
        (["report", "--figures", "f", "--format", "xyz"], "--format must be one of"),
        (["study", "--executor", "dusk"], "executor must be processes, threads, dask or dask://host:port; got 'dusk'"),
        (["study", "--shard", "0/4"], "--shard must be I/N, the I-th of N parts"),
        (["study", "--shard", "5/4"], "--shard must be I/N"),
        (["study", "--data", "missing.csv"], "data 'missing.csv' does not exist"),
        (["study", "--set", "optimizer=adam,sgd"], "sgd"),
        (["merge", "missing.sqlite"], "'missing.sqlite' does not exist"),
        (["report", "study.sqlite", "--report", "study.sqlite"], "must be different files"),
        (["reach", "--plot", "x.xyz"], "--plot 'x.xyz' must end in .png or .svg or .pdf"),
        (["reach", "--table", "x.xlsx"], "--table 'x.xlsx' must end in .csv or .json"),
        (["reach", "--widths", "5,1000000000000"], "1000000000000"),
        (["study", "--set", "widths=" + "[" * 5000], "--set widths must be a plain value"),
        (["recover", "missing.sqlite", "--into", "new.sqlite"], "'missing.sqlite' does not exist"),
    ],
)
def test_files_are_refused_before_anything_is_computed(arguments: list[str], message: str) -> None:
    result = hessorbit(*arguments)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert message in result.output


def test_a_line_for_every_student(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert hessorbit("study", *SMALL, "--verbose").exit_code == 0
    assert "width 2, seed 1: done (4 of 4)" in caplog.messages
    caplog.clear()
    assert hessorbit("study", *SMALL, "--quiet", "--store", "other.sqlite").exit_code == 0
    assert not caplog.messages


def test_a_damaged_store_is_recovered(folder: Path) -> None:
    assert hessorbit("study", *SMALL).exit_code == 0
    with sqlite3.connect("study.sqlite") as connection:
        connection.execute("UPDATE cells SET finished = 'never' WHERE (width, seed) = (4, 1)")
    connection.close()
    refused = hessorbit("report")
    assert refused.exit_code == 2
    assert "store 'study.sqlite' is damaged" in refused.output
    assert "`hessorbit recover study.sqlite --into NEW` writes what is intact to a new store" in refused.output
    recovered = hessorbit("recover", "study.sqlite", "--into", "new.sqlite")
    assert recovered.exit_code == 0
    assert recovered.output.startswith("3 intact rows are in new.sqlite, 1 was lost")
    assert hessorbit("study", *SMALL, "--store", "new.sqlite").exit_code == 0
    assert load("new.sqlite").missing == 0


def test_as_a_module() -> None:
    def output(*arguments: str) -> str:
        command = [sys.executable, "-m", "hessorbit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert output("--version") == f"hessorbit {ho.__version__}\n"
    assert "python -m hessorbit [OPTIONS] COMMAND" in output("--help")


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "NEEDED", ("typer", "no_such_package"))
    with pytest.raises(SystemExit, match=r'not installed \(no_such_package\): pip install "hessorbit\[study\]"'):
        cli.main()


def test_a_file_is_no_folder(folder: Path) -> None:
    (folder / "file").touch()
    for option, name in (("--report", "file/a/page.html"), ("--csv", "file/table.csv")):
        result = hessorbit("study", *SMALL, option, name)
        assert result.exit_code == 2
        assert "/file' is a file, not a folder" in result.output.replace("\n", "")


def test_a_table_goes_to_a_device(folder: Path) -> None:
    """Whose name does not tell the format."""
    hessorbit("study", *SMALL)
    command = [sys.executable, "-m", "hessorbit", "report", "study.sqlite", "--csv", "/dev/stdout"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
    assert "width,seed,parameters" in result.stdout
