"""Damage to stores: whatever happens to the bytes, what is loaded is what was written, or nothing is."""

from __future__ import annotations

import random
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.study import DamagedStoreError, load, merge, recover
from hessorbit.study.cell import run_cell
from hessorbit.study.record import Cell, Record
from hessorbit.study.settings import Settings
from hessorbit.study.store import Store

STUDY = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4, 8], seeds=8, samples=30)
(KEY,) = STUDY.variants
ARRAYS = ("eigenvalues", "theta", "eigenvalues_at_tolerance", "theta_at_tolerance", "steps_recorded", "losses")


def numbers(cell: Cell) -> np.random.Generator:
    return np.random.default_rng([cell.width, cell.seed])


def written(cell: Cell) -> Record:
    """A record whose numbers follow from its cell: small arrays stay on their page, long ones go over many."""
    rng = numbers(cell)
    lengths = (cell.width, 4 * cell.width, cell.width, 4 * cell.width, *[int(rng.integers(1, 4000))] * 2)
    measurements = {"trace": rng.standard_normal(), "steps": int(rng.integers(1000)), "lambda_max": float("inf")}
    arrays = {name: rng.standard_normal(length) for name, length in zip(ARRAYS, lengths, strict=True)}
    error = "ValueError: Größe" if cell.seed == 7 else None
    return Record(cell, error, "2026-01-01T00:00:00+00:00", {"level": "v3"}, measurements, arrays)


def is_true(record: Record) -> bool:
    """Whether a record is bit for bit the one of its cell."""
    wanted = written(record.cell)
    measured = {name: value for name, value in record.measurements.items() if value == value}
    return (
        (record.error, record.finished, record.facts, measured)
        == (wanted.error, wanted.finished, wanted.facts, wanted.measurements)
        and record.arrays.keys() == wanted.arrays.keys()
        and all(record.arrays[name].tobytes() == wanted.arrays[name].tobytes() for name in ARRAYS)
    )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "study.sqlite"
    with Store.create_or_resume(path, STUDY) as store:
        store.put(*map(written, sorted(STUDY.cells())))
    return path


def flip_bits(data: bytearray, rng: random.Random, count: int) -> None:
    for _ in range(count):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def one_bit(data: bytearray, rng: random.Random) -> None:
    flip_bits(data, rng, 1)


def some_bits(data: bytearray, rng: random.Random) -> None:
    flip_bits(data, rng, rng.randrange(2, 200))


def bit_of_a_page_header(data: bytearray, rng: random.Random) -> None:
    """Where SQLite's own structure is: the start of a page, and all of the first."""
    page = rng.randrange(len(data) // 4096)
    data[page * 4096 + rng.randrange(4096 if page == 0 else 24)] ^= 1 << rng.randrange(8)


def cut_off(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(1, len(data)) :]


def cut_at_a_page(data: bytearray, rng: random.Random) -> None:
    del data[4096 * rng.randrange(1, len(data) // 4096) :]


def zeros(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data))
    length = min(rng.randrange(1, 20_000), len(data) - start)
    data[start : start + length] = bytes(length)


def swapped_pages(data: bytearray, rng: random.Random) -> None:
    a, b = (4096 * page for page in rng.sample(range(len(data) // 4096), 2))
    data[a : a + 4096], data[b : b + 4096] = data[b : b + 4096], data[a : a + 4096]


DAMAGES = (one_bit, some_bits, bit_of_a_page_header, cut_off, cut_at_a_page, zeros, swapped_pages)
CASES = 60


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_or_harmless(
    damage: Callable[[bytearray, random.Random], None], original: Path, tmp_path: Path
) -> None:
    """Every case loads exactly what was written or is refused by name, and only true rows are recovered."""
    rng = random.Random(damage.__name__)
    refused = 0
    for case in range(CASES):
        data = bytearray(original.read_bytes())
        damage(data, rng)
        path = tmp_path / f"{case}.sqlite"
        path.write_bytes(data)
        error = None
        try:
            result = load(path)
        except ValueError as caught:
            error = caught
        if error is None:
            assert [record.cell for record in result.records] == sorted(STUDY.cells())
            assert all(map(is_true, result.records))
            assert result.settings.as_dict() == STUDY.as_dict()
        else:
            refused += 1
            assert str(path) in str(error)
            assert "\n" not in str(error)
            check_recovery(path, error)
        check_resuming(path)
    assert refused > CASES / 3


def check_resuming(path: Path) -> None:
    """A run on the file goes on from true rows, or is refused by name."""
    message = ""
    try:
        with Store.create_or_resume(path, STUDY) as store:
            _, records = store.read_contents()
    except (ValueError, OSError) as error:
        message = str(error)
    if message:
        assert str(path) in message
    else:
        assert len(records) == len(STUDY.cells())
        assert all(map(is_true, records))


def check_recovery(path: Path, error: ValueError) -> None:
    target = path.with_suffix(".recovered")
    if not isinstance(error, DamagedStoreError) or "none of its rows is intact" in str(error):
        with pytest.raises(ValueError, match="no intact row"):
            recover(path, target)
        assert not target.exists()
        return
    recovery = recover(path, target)
    saved = load(target)
    assert f"{recovery.rows} row{' is' if recovery.rows == 1 else 's are'} intact" in str(error)
    assert len(saved.records) == recovery.rows > 0
    assert all(map(is_true, saved.records))
    assert saved.settings.determining() == STUDY.determining()
    if recovery.lost is not None:
        assert recovery.lost == len(STUDY.cells()) - recovery.rows


def test_measurements_can_be_read_by_sql(original: Path) -> None:
    """Those of every cell, infinite ones included."""
    query = "SELECT width, seed, json_extract(measurements, '$.trace'), json_extract(measurements, '$.lambda_max')"
    with sqlite3.connect(original) as connection:
        rows = connection.execute(f"{query} FROM cells").fetchall()
    connection.close()
    assert len(rows) == 24
    for width, seed, trace, largest in rows:
        assert trace == written(STUDY.cell(width, seed)).measurements["trace"]
        assert largest == float("inf")


def test_an_intact_store_is_copied(original: Path, tmp_path: Path) -> None:
    recovery = recover(original, tmp_path / "copy.sqlite")
    assert (recovery.rows, recovery.lost) == (24, 0)
    copy = load(tmp_path / "copy.sqlite")
    assert all(map(is_true, copy.records))
    assert copy.settings.as_dict() == STUDY.as_dict()


def test_a_retried_cell_is_recovered_as_it_is(tmp_path: Path) -> None:
    """Not as the row that said it failed, which may still lie in the file."""
    path = tmp_path / "study.sqlite"
    cell = Cell(2, 0, KEY)
    with Store.create_or_resume(path, STUDY) as store:
        for seed in range(4):
            error = "ValueError: " + "x" * 20_000
            store.put(Record(Cell(2, seed, KEY), error, "2026-01-01T00:00:00+00:00", {}, {}, {}))
        store.put(written(cell))
    assert recover(path, tmp_path / "new.sqlite").rows == 4
    saved = {record.cell: record for record in load(tmp_path / "new.sqlite").records}
    assert is_true(saved[cell])


def test_variants_are_recovered_without_the_row_of_the_study(tmp_path: Path) -> None:
    """Rows say by themselves which variant they are of."""
    path = tmp_path / "grid.sqlite"
    grid = ho.WidthStudy(**{**STUDY.as_dict(), "seeds": 2, "activation": ["erf", "tanh"], "l2": [0.0, 0.1]})
    with Store.create_or_resume(path, grid) as store:
        store.put(*(replace(written(cell), error=None) for cell in grid.cells()))
    damaged = path.read_bytes().replace(b"title = ", b"titel = ")
    path.write_bytes(damaged)
    with pytest.raises(DamagedStoreError, match="the settings in it do not match their checksum; 24 rows are intact"):
        load(path)
    recovery = recover(path, tmp_path / "new.sqlite")
    saved = load(tmp_path / "new.sqlite")
    assert (recovery.rows, recovery.lost, saved.missing) == (24, None, 0)
    assert saved.settings.determining() == grid.determining()
    assert all(map(is_true, saved.records))


def test_refused_recoveries(original: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        recover(tmp_path / "missing.sqlite", tmp_path / "new.sqlite")
    with pytest.raises(FileExistsError, match="into must be the path of a new file"):
        recover(original, original)
    other = tmp_path / "notes.txt"
    other.write_text("no database " * 1000, "utf-8")
    with pytest.raises(ValueError, match="no intact row"):
        recover(other, tmp_path / "new.sqlite")
    assert not (tmp_path / "new.sqlite").exists()


def test_a_store_of_the_old_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE study (configuration TEXT NOT NULL, fingerprint TEXT NOT NULL)")
        connection.execute("CREATE TABLE cells (width INTEGER, seed INTEGER, trace, PRIMARY KEY (width, seed))")
        connection.execute("INSERT INTO cells VALUES (5, 0, 1.5)")
        connection.execute(f"PRAGMA application_id = {0x684F7262}")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    for opened in (load, lambda path: Store.create_or_resume(path, STUDY)):
        with pytest.raises(ValueError, match=r"old\.sqlite.*schema is 1.*read it with the version that wrote it"):
            opened(path)


OLD = {"inputs": 2, "teacher_width": 2, "widths": (2, 4), "seeds": 1, "samples": 30, "max_steps": 60}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss_tolerance": 100.0}, "loss_tolerance must be below 1, the loss of predicting the mean; got 100.0"),
        ({"grow_from": 2, "grow_at": "70"}, "grow_at must be at most max_steps = 60; got '70'"),
    ],
)
def test_stores_keep_what_is_not_run_any_more(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Earlier versions ran studies in which nothing is trained, or grows; what they stored can be read and merged."""
    settings = Settings(**OLD, **given)
    paths = [tmp_path / name for name in ("one.sqlite", "two.sqlite")]
    for path, cell in zip(paths, settings.cells(), strict=True):
        with Store.create_or_resume(path, settings) as store:
            store.put(run_cell(settings, cell))
    assert merge(paths, tmp_path / "all.sqlite").missing == 0
    assert recover(paths[0], tmp_path / "new.sqlite").rows == 1
    found = load(tmp_path / "all.sqlite")
    assert found.table["steps"].to_list() == ([0, 0] if "loss_tolerance" in given else [60, 60])
    found.report(tmp_path / "page.html")
    with pytest.raises(ValueError, match=re.escape(message)):
        ho.WidthStudy(**OLD, **given)


@pytest.mark.parametrize("size", [100, 4096, 5000])
def test_a_store_cut_off_before_its_rows_is_called_damaged(size: int, original: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.sqlite"
    path.write_bytes(original.read_bytes()[:size])
    with pytest.raises(DamagedStoreError, match="none of its rows is intact, so delete it, or use another file"):
        load(path)


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    """SQLite makes one before it writes anything, and may be killed then."""
    path = tmp_path / "study.sqlite"
    path.touch()
    with pytest.raises(ValueError, match="must be a file that a width study wrote"):
        load(path)
    Store.create_or_resume(path, STUDY).connection.close()
    assert load(path).missing == 24


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    cells = STUDY.cells()
    with Store.create_or_resume(path, STUDY) as store:
        store.put(written(cells[0]))
        pages = store.pragma("page_count")
        store.pragma(f"max_page_count = {pages}")
        with pytest.raises(OSError, match="cannot be written, as the disk is full; the rows in it are kept"):
            store.put(written(cells[1]))
        # The connection is usable again when there is space.
        store.pragma("max_page_count = 1000000")
        store.put(written(cells[2]))
    assert sorted(record.cell for record in load(path).records) == sorted([cells[0], cells[2]])


WRITER = """
import sys
from test_store import STUDY, Store, written
with Store.create_or_resume(sys.argv[1], STUDY) as store:
    print("ready", flush=True)
    while True:
        for cell in STUDY.cells():
            store.put(written(cell))
            print(cell.width, cell.seed, flush=True)
"""


def test_killed_at_thirty_random_moments(tmp_path: Path) -> None:
    """Every row that was reported as written is there each time, and true."""
    path, rng = tmp_path / "study.sqlite", random.Random(30)
    reported: set[Cell] = set()
    for _ in range(30):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.2))
            process.kill()
            lines = process.stdout.read().splitlines(keepends=True)
        reported |= {Cell(*map(int, line.split()), KEY) for line in lines if line.endswith("\n")}
        records = load(path).records
        assert {record.cell for record in records} >= reported
        assert all(map(is_true, records))
    assert reported
