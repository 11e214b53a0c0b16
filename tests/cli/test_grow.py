"""The command `hessorbit grow`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import hessorbit as ho
from hessorbit.cli.app import app
from hessorbit.study import load

SMALL = ["--from", "2", "--to", "4", "--at", "10,20", "--seeds", "2", "--inputs", "2", "--teacher-width", "2",
         "--max-steps", "40", "--workers", "1"]  # fmt: skip


def hessorbit(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "120"})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_grows_keeps_and_goes_on(folder: Path) -> None:
    result = hessorbit("grow", *SMALL, "--csv", "growth.csv", "--verbose")
    assert result.exit_code == 0, result.output
    for part in ("noisy split", "narrow alone", "wide from scratch", "Rows are in growth.sqlite"):
        assert part in result.output
    rows = load("growth.sqlite").table
    assert rows["steps_grown_best"].tolist() == [40, 40]
    assert len(folder.joinpath("growth.csv").read_text("utf-8").splitlines()) == 3
    assert "Growing by the best split" in folder.joinpath("growth.html").read_text("utf-8")

    again = hessorbit("grow", *SMALL, "--seeds", "3", "--quiet")
    assert again.exit_code == 0, again.output
    assert len(load("growth.sqlite").records) == 3


def test_a_way_that_always_diverges_has_a_dash(folder: Path) -> None:
    result = hessorbit("grow", *SMALL, "--noise", "1e200", "--set", "samples=30")
    assert result.exit_code == 0, result.output
    (row,) = [line for line in result.output.splitlines() if line.startswith("│ noisy split")]
    assert "–" in row
    assert (folder / "growth.html").is_file()


def test_lists_make_variants() -> None:
    shown = hessorbit("grow", "--optimizer", "gd,adam", "--activation", "tanh", "--at", "200,400", "--show").output
    assert 'optimizer = ["gd", "adam"]' in shown
    assert 'grow_at = "200,400"' in shown


def test_it_runs_the_preset() -> None:
    result = hessorbit("grow", "--show")
    assert result.output == hessorbit("study", "--preset", "growth", "--show").output
    assert ho.WidthStudy.preset("growth").grow_from == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--to", "2,8"], "--to must be widths above that of --from, 2; got 2"),
        (["--to", "x"], "--to must be whole numbers"),
        (["--at", "20,10"], "grow_at must increase"),
        (["--at", "soon"], "whole numbers of steps between commas"),
        (["--optimizer", "sgdd"], "optimizer must be one of"),
        (["--set", "grow_from=0", "--set", "grow_at="], "--from must be a width"),
        (["--csv", "table.txt"], "must end in .csv"),
        (["--report", "growth.sqlite"], "must be different files"),
    ],
)
def test_bad_options_are_one_line(options: list[str], message: str) -> None:
    result = hessorbit("grow", *SMALL, *options)
    assert result.exit_code == 2
    assert message in result.output
    assert result.output.startswith("hessorbit: ")


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_keeps_what_is_finished(number: int, status: int, folder: Path) -> None:
    many = [*SMALL[:-6], "--seeds", "500", "--max-steps", "300", "--workers", "1", "--verbose"]
    command = [sys.executable, "-m", "hessorbit", "grow", *many]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=folder, text=True) as process:
        assert process.stderr is not None
        while "done" not in process.stderr.readline():
            assert process.poll() is None
            time.sleep(0.01)
        os.kill(process.pid, number)
        said = process.stderr.read()
    assert process.returncode == status
    assert said.splitlines()[-1].startswith("Interrupted. Finished rows are stored")
    assert load("growth.sqlite").records
