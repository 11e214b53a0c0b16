"""Every instruction level that this CPU has: the sweep over the number of samples, in a process of its own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from hessorbit import _cpu
from oracles import jets, sweep
from oracles.compare import assert_matches

USABLE = [level for level in _cpu.built_levels if level in _cpu.cpu_levels]

references = {name: cache(lambda problem=problem: jets.evaluate(problem)) for name, problem in sweep.problems().items()}


def run(level: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | {"HESSORBIT_LEVEL": level},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("level", USABLE)
def test_sweep(level: str, tmp_path: Path) -> None:
    output = tmp_path / "results"
    process = run(level, "-m", "oracles.sweep", str(output))
    assert process.returncode == 0, process.stderr
    for name, results in pickle.loads(output.read_bytes()).items():
        for count, values in zip(sweep.COUNTS, results, strict=True):
            assert_matches(values, references[name](), count, what=f"{level} {name}")


@pytest.mark.parametrize("level", USABLE)
def test_level_in_use(level: str) -> None:
    process = run(level, "-c", "from hessorbit import _core; print(_core.config()['level'])")
    assert process.stdout.strip() == level, process.stderr


@pytest.mark.parametrize("level", ["none", *(set(_cpu.built_levels) - set(_cpu.cpu_levels))])
def test_levels_that_cannot_run_are_refused(level: str) -> None:
    process = run(level, "-c", "import hessorbit")
    assert process.returncode == 1
    assert f"HESSORBIT_LEVEL={level!r}" in process.stderr
