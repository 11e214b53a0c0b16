"""Measurements of the user's own: in the table, the store and the page, from worker processes, and refused by name."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.study import load
from hessorbit.study.report import render
from hessorbit.study.student import Student

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 1, "samples": 40, "max_steps": 50}


def sharpness(student: Student) -> float:
    """Largest eigenvalue where training ended, computed by NumPy."""
    return float(np.linalg.eigvalsh(student.objective.hessian(student.trained.theta))[-1])


def impossible(student: Student) -> float:
    raise LookupError(f"nothing at seed {student.seed}")


def test_columns_in_table_store_and_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, store = ho.WidthStudy(**SMALL), tmp_path / "study.sqlite"
    own = {"sharpness": sharpness, "impossible": impossible}
    result = study.run(store, executor="threads", measurements=own, progress=False)
    np.testing.assert_allclose(result.table["sharpness"], result.table["lambda_max_at_tolerance"], rtol=1e-10)
    assert result.table["impossible"].isna().all()
    assert load(store).table.equals(result.table)
    monkeypatch.setattr("hessorbit.study.report.figures", lambda result: [])  # which take most of the time
    page = render(load(store))
    assert "Largest eigenvalue where training ended, computed by NumPy (<code>sharpness</code>)" in page
    assert "impossible: LookupError: nothing at seed 0 (2)" in page


def test_worker_processes_compute_them() -> None:
    with ProcessPoolExecutor(1) as executor:
        study = ho.WidthStudy(**{**SMALL, "widths": [2]})
        result = study.run(executor=executor, measurements={"sharpness": sharpness}, progress=False)
    assert not result.failures
    assert result.table["sharpness"].notna().all()


def test_a_store_without_them_is_refused(tmp_path: Path) -> None:
    study, store = ho.WidthStudy(**SMALL), tmp_path / "study.sqlite"
    study.run(store, executor="threads", progress=False)
    with pytest.raises(ValueError, match=r"2 finished cells without the measurement 'sharpness'.*another file"):
        study.run(store, executor="threads", measurements={"sharpness": sharpness}, progress=False)


@pytest.mark.parametrize(
    ("measurements", "error", "message"),
    [
        ({"local": lambda student: 1.0}, TypeError, r"measurements\['local'\] must be importable by worker processes"),
        ({"trace": sharpness}, ValueError, "there is a column or setting 'trace'"),
        ({"optimizer": sharpness}, ValueError, "there is a column or setting 'optimizer'"),
        ({"two words": sharpness}, ValueError, "identifiers.*'two words'"),
        ({"number": 3}, TypeError, r"measurements\['number'\] must be a function"),
        ([sharpness], TypeError, "measurements must be a dict"),
    ],
)
def test_refused(measurements: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ho.WidthStudy(**SMALL).run(measurements=measurements)


def test_threads_take_any_function() -> None:
    study = ho.WidthStudy(**{**SMALL, "widths": [2]})
    result = study.run(executor="threads", measurements={"one": lambda student: 1}, progress=False)
    assert result.table["one"].tolist() == [1.0]
    assert result.meanings["one"] == "a measurement of one's own"
