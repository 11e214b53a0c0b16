"""Parts of a study, each in a store of its own, and the store that they are merged into."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

import hessorbit as ho
from hessorbit.study import load, merge
from hessorbit.study.record import Record
from hessorbit.study.store import Store

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 3, "samples": 30, "max_steps": 60}
STUDY = ho.WidthStudy(**SMALL)


def shard(store: Path, index: int, count: int, study: ho.WidthStudy = STUDY) -> Path:
    with ThreadPoolExecutor(1) as executor:
        study.run(store, executor=executor, shard=(index, count))
    return store


def record(seed: int, value: float, *, error: str | None = None, finished: str = "2026-01-01T00:00:00+00:00") -> Record:
    return Record(STUDY.cell(2, seed), error, finished, {}, {"trace": value}, {})


def written(path: Path, *records: Record) -> Path:
    with Store.create_or_resume(path, STUDY) as store:
        store.put(*records)
    return path


def test_parts_are_the_whole(tmp_path: Path) -> None:
    parts = [shard(tmp_path / f"{i}.sqlite", i, 4) for i in (1, 2, 3, 4)]
    cells = [record.cell for part in parts for record in load(part).records]
    assert sorted(cells) == sorted(STUDY.cells())
    # Six cells in four parts: two each of the first two, of which one is wide.
    assert [[cell.width for cell in sorted(r.cell for r in load(part).records)] for part in parts] == [
        [2, 4], [2, 4], [4], [2]]  # fmt: skip
    result = merge(parts, tmp_path / "all.sqlite")
    assert (result.cells, result.missing, result.twice) == (6, 0, 0)
    assert result.message == f"6 cells are in {tmp_path / 'all.sqlite'}, none of the study is missing."
    with ThreadPoolExecutor(1) as executor:
        whole = STUDY.run(executor=executor)
    merged = load(tmp_path / "all.sqlite")
    for mine, other in zip(merged.records, sorted(whole.records, key=lambda each: each.cell), strict=True):
        assert mine.cell == other.cell
        assert mine.arrays["theta_at_tolerance"].tobytes() == other.arrays["theta_at_tolerance"].tobytes()
    assert all(load(part).missing == 6 - len(load(part).records) for part in parts)


def test_the_newest_revision_of_columns_is_kept(tmp_path: Path) -> None:
    """A cell that was measured before columns changed their meaning gives way to one from after."""
    old, new = record(0, 1.0), replace(record(0, 2.0, finished="2026-02-02T00:00:00+00:00"), facts={"revision": 2})
    parts = [written(tmp_path / "old.sqlite", old), written(tmp_path / "new.sqlite", new)]
    for index, order in enumerate((parts, parts[::-1])):
        merge(order, tmp_path / f"{index}.sqlite")
        assert load(tmp_path / f"{index}.sqlite").records[0].measurements == {"trace": 2.0}


def test_a_store_of_a_job_that_never_began(tmp_path: Path) -> None:
    """SQLite makes an empty file first; a process killed then leaves it."""
    (tmp_path / "2.sqlite").touch()
    parts = [written(tmp_path / "1.sqlite", record(0, 1.0)), tmp_path / "2.sqlite"]
    with pytest.raises(ValueError, match=r"2\.sqlite' .*; it is empty, so run its study again, or leave it out"):
        merge(parts, tmp_path / "all.sqlite")
    assert not (tmp_path / "all.sqlite").exists()


def test_a_store_is_added_to(tmp_path: Path) -> None:
    first = written(tmp_path / "1.sqlite", record(0, 1.0))
    second = written(tmp_path / "2.sqlite", record(1, 2.0))
    merge([second], first)
    again = merge([second], first)
    assert (again.cells, again.twice) == (2, 0)
    assert [each.measurements["trace"] for each in load(first).records] == [1.0, 2.0]
    assert len(load(second).records) == 1


def test_which_of_two_is_kept(tmp_path: Path) -> None:
    """What did not fail, and of this the oldest, whatever the order of the stores."""
    late, early = "2026-01-03T00:00:00+00:00", "2026-01-02T00:00:00+00:00"
    a = written(tmp_path / "a.sqlite", record(0, 1.0, error="failed"), record(1, 1.0, finished=late), record(2, 1.0))
    b = written(tmp_path / "b.sqlite", record(0, 2.0, finished=late), record(1, 2.0, finished=early))
    for name, order in (("ab", [a, b]), ("ba", [b, a])):
        result = merge(order, tmp_path / name)
        assert (result.cells, result.twice, result.missing) == (3, 1, 3)
        assert [(each.error, each.measurements["trace"]) for each in load(tmp_path / name).records] == [
            (None, 2.0), (None, 2.0), (None, 1.0)]  # fmt: skip


def test_variants_and_widths_are_joined(tmp_path: Path) -> None:
    wide = ho.WidthStudy(**{**SMALL, "widths": [3], "seeds": 1})
    grid = ho.WidthStudy(**{**SMALL, "seeds": 1, "activation": ["erf", "tanh"]})
    parts = [shard(tmp_path / "a.sqlite", 1, 1, wide), shard(tmp_path / "b.sqlite", 1, 1, grid)]
    result = merge(parts, tmp_path / "all.sqlite")
    merged = load(tmp_path / "all.sqlite")
    assert merged.settings.widths == (2, 3, 4)
    assert list(merged.parts) == ["activation=erf", "activation=tanh"]
    assert (result.cells, result.missing, merged.missing) == (5, 1, 1)


def test_refused_merges(tmp_path: Path) -> None:
    first = written(tmp_path / "1.sqlite", record(0, 1.0))
    other = shard(tmp_path / "2.sqlite", 1, 1, ho.WidthStudy(**{**SMALL, "samples": 31, "seeds": 1}))
    with pytest.raises(ValueError, match=r"of one study; '2\.sqlite' has other settings than '1\.sqlite': samples"):
        merge([first, other], tmp_path / "all.sqlite")
    with pytest.raises(ValueError, match="stores must name at least one store"):
        merge([], tmp_path / "all.sqlite")
    with pytest.raises(TypeError, match="stores must be a sequence of paths"):
        merge(str(first), tmp_path / "all.sqlite")
    with pytest.raises(FileNotFoundError, match=r"missing\.sqlite' does not exist"):
        merge([first, tmp_path / "missing.sqlite"], tmp_path / "all.sqlite")
    with sqlite3.connect(first) as connection:
        connection.execute("UPDATE cells SET finished = 'never'")
    connection.close()
    with pytest.raises(ValueError, match="checksums do not fit 1 of its 1 row"):
        merge([first], tmp_path / "all.sqlite")
    assert not (tmp_path / "all.sqlite").exists()


@pytest.mark.parametrize("part", [(0, 2), (3, 2), (1, 0), (1.5, 2), 3, (1, 2, 3)])
def test_refused_parts(part: object) -> None:
    with pytest.raises((ValueError, TypeError), match="shard"):
        STUDY.run(shard=part)  # type: ignore[arg-type]
