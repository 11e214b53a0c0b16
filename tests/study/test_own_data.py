"""Data of one's own: what files may hold, what is made of it, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hessorbit as ho
from hessorbit.study import load
from hessorbit.study.task import DataTask, make_task

SMALL = {"widths": [2, 4], "seeds": 1, "max_steps": 30, "loss_tolerance": 0.1}
RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 3)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 1.0]
Y = np.sin(X[:, :1]) + X[:, 1:2] ** 2
CLASSES = np.where(X[:, 0] > 0, "yes", np.where(X[:, 1] > 0, "no", "may be"))


def table() -> pd.DataFrame:
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=Y[:, 0], kind=CLASSES)


def written(folder: Path, kind: str) -> Path:
    path = folder / f"data.{kind}"
    if kind == "npz":
        np.savez(path, x=X, y=Y[:, 0])
    elif kind == "csv":
        table().drop(columns="kind").to_csv(path, index=False)
    else:
        table().drop(columns="kind").to_parquet(path)
    return path


def data_task(study: ho.WidthStudy, seed: int = 0) -> DataTask:
    task = make_task(study, seed)
    assert isinstance(task, DataTask)
    return task


@pytest.mark.parametrize("kind", ["npz", "csv", "parquet"])
def test_files(kind: str, tmp_path: Path) -> None:
    study = ho.WidthStudy(**SMALL, data=str(written(tmp_path, kind)))
    assert (study.inputs, study.outputs, study.samples) == (3, 1, 40)
    task = data_task(study)
    assert (task.seen.x.shape, task.unseen.x.shape) == ((40, 3), (10, 3))
    np.testing.assert_allclose(task.seen.x.mean(axis=0), 0.0, atol=1e-14)
    np.testing.assert_allclose(task.seen.x.std(axis=0), 1.0, rtol=1e-14)
    assert task.baseline == pytest.approx(0.5, rel=1e-14)  # half the variance of the targets, which is 1
    # Every row is there once, up to the scale of its columns.
    rows = np.concatenate([task.seen.x, task.unseen.x])
    correlation = [np.corrcoef(np.sort(rows[:, j]), np.sort(X[:, j]))[0, 1] for j in range(3)]
    np.testing.assert_allclose(correlation, 1.0, rtol=1e-12)
    assert not np.array_equal(data_task(study, 1).seen.x, task.seen.x)


def test_labels_of_any_kind(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    table().drop(columns="y").to_csv(path, index=False)
    study = ho.WidthStudy(**SMALL, data=str(path), target="kind", loss="cross_entropy")
    assert (study.inputs, study.outputs) == (3, 3)
    task = data_task(study)
    counts = np.bincount(np.concatenate([task.seen.y, task.unseen.y]))
    assert counts.tolist() == [(name == CLASSES).sum() for name in ("may be", "no", "yes")]
    shares = np.bincount(task.seen.y) / 40
    assert task.baseline == pytest.approx(-(shares * np.log(shares)).sum(), rel=1e-14)
    assert study.has_labels


def test_several_columns_of_targets(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    table().drop(columns="kind").to_csv(path, index=False)
    study = ho.WidthStudy(**SMALL, data=str(path), target="c, y", samples=20)
    assert (study.inputs, study.outputs) == (2, 2)
    assert data_task(study).seen.y.shape == (20, 2)


def test_a_study_of_a_file(tmp_path: Path) -> None:
    """It runs, is read where the file is not, and goes on only with the same file."""
    path, store = written(tmp_path, "csv"), tmp_path / "study.sqlite"
    study = ho.WidthStudy(**SMALL, data=str(path))
    with ThreadPoolExecutor(1) as executor:
        result = study.run(store, executor=executor)
        assert not result.failures
        assert result.table["best_condition"].isna().all()
        assert {note["best_condition"] for note in (record.facts["not_measured"] for record in result.done)} == {
            "ValueError: data of one's own have no teacher"
        }
        assert "nearest" not in {finding.claim.id for finding in result.claims()}
        moved = path.rename(tmp_path / "moved.csv")
        assert load(store).table["steps"].tolist() == result.table["steps"].tolist()
        again = ho.WidthStudy(**{**SMALL, "seeds": 2}, data=str(moved)).run(store, executor=executor)
        assert (len(again.records), len(again.failures)) == (4, 0)
        moved.write_text(moved.read_text("utf-8").replace("1", "2"), "utf-8")
        with pytest.raises(ValueError, match="other settings: data_digest"):
            ho.WidthStudy(**SMALL, data=str(moved)).run(store, executor=executor)
        failed = ho.WidthStudy(**{**SMALL, "seeds": 3}, samples=40, data=str(moved), data_digest=study.data_digest)
        messages = set(failed.run(executor=executor).failures.values())
    assert messages == {
        f"ValueError: data {str(moved)!r} has changed since the study was set up; put its former content back"
    }


@pytest.mark.parametrize(
    ("name", "write", "settings", "message"),
    [
        ("a.txt", None, {}, r"data must be a file that ends in \.npz, \.csv, \.parquet; got"),
        ("a.csv", None, {}, "does not exist"),
        ("a.csv", "a,b\n1,2\n3,4\n", {}, "must have the target's columns y and columns of inputs; it has a, b"),
        ("a.csv", "y\n1\n2\n", {}, "must have the target's columns y and columns of inputs; it has y"),
        ("a.csv", "a,y\n1,2\nx,4\n", {}, "must hold numbers as inputs"),
        ("a.csv", "a,y\n1,2\n3,\n", {}, "must hold finite numbers as target 'y'; row 1 has none"),
        ("a.csv", "a,y\n" + "1,2\n" * 10, {"samples": 9}, "samples must be at most 8 with data .* 10 rows.*got 9"),
        ("a.csv", "a,y\n" + "1,2\n" * 10, {"samples": "infinite"}, "samples must be at most 8"),
        (
            "a.csv",
            "a,y\n1,x\n2,\n",
            {"loss": "cross_entropy"},
            "must have a class as target 'y' in every row; row 1",
        ),
        ("a.csv", "a,y\n1,x\n2,x\n", {"loss": "cross_entropy"}, "outputs must be at least 2, one for each class"),
        ("a.csv", "", {}, "cannot be read: No columns"),
        ("a.npz", "no archive", {}, "is damaged, or no npz file of plain arrays, as numpy.savez writes$"),
    ],
)
def test_refused_files(name: str, write: str | None, settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if write is not None:
        path.write_text(write, "utf-8")
    with pytest.raises((ValueError, OSError), match=message) as caught:
        ho.WidthStudy(**SMALL, data=str(path), **settings)
    assert "\n" not in str(caught.value)


def test_refused_arrays(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=X, y=Y[:-1])
    with pytest.raises(ValueError, match=r"inputs of shape \(N, d\).*got \(50, 3\) and \(49, 1\)"):
        ho.WidthStudy(**SMALL, data=str(path))
    np.savez(path, x=X, z=X, y=Y)
    with pytest.raises(ValueError, match="must hold two arrays, inputs and the target 'y'; it has x, z, y"):
        ho.WidthStudy(**SMALL, data=str(path))
