"""Recovers a damaged store: writes every row that is intact to a new store."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from .._words import number_of
from .record import Cell, Record
from .rows import CELL_COLUMNS, STUDY_COLUMNS, Row, is_intact, record_of, settings_in, settings_of
from .salvage import salvaged_rows
from .settings import Settings, as_settings
from .store import Store, checked_path

SETTINGS = CELL_COLUMNS.index("settings")


@dataclass(frozen=True)
class Recovery:
    """A recovery says what `recover` saved.

    Attributes
    ----------
    rows : int
        Number of intact rows, which the new store has.
    lost : int or None
        Number of rows that were in the damaged store and are not in the new one; None if the row that counts them is
        lost.
    message : str
        The same in a sentence.

    Examples
    --------
    >>> from hessorbit.study import Recovery
    >>> recovery = Recovery(rows=7, lost=1, message="7 rows were saved, and 1 is lost")
    >>> recovery.rows, recovery.lost
    (7, 1)
    """

    rows: int
    lost: int | None
    message: str


def recover(store: str | PathLike[str], into: str | PathLike[str]) -> Recovery:
    """Writes the intact rows of a store to a new one, and returns how many there are.

    The rows that were lost are computed when the study is run again with the new store.

    Parameters
    ----------
    store : path
        Damaged SQLite file of a study; it is not changed.
    into : path
        File to make.

    Returns
    -------
    Recovery

    Raises
    ------
    OSError
        If the store cannot be read, or the new file exists or cannot be written.
    ValueError
        If there is no intact row in the store.

    Notes
    -----
    A row is intact if its checksum of 128 bits says so. Title, widths and number of seeds come from the store; where
    their own checksum fails, they are those of the rows.

    Examples
    --------
    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from pathlib import Path
    >>> import hessorbit as ho
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     store = Path(folder, "study.sqlite")
    ...     result = study.run(store, executor=executor)
    ...     recovery = ho.study.recover(store, Path(folder, "new.sqlite"))
    >>> recovery.rows, recovery.lost
    (2, 0)
    """
    source, target = checked_path(store), checked_path(into, "into")
    if not os.path.isfile(source):
        raise FileNotFoundError(f"store {source!r} does not exist; check the path")
    if os.path.exists(target):
        raise FileExistsError(f"into must be the path of a new file; {target!r} exists")
    roll_back(source)
    rows = list(salvaged_rows(source))
    settings, records = intact_records([row for row in rows if is_intact(CELL_COLUMNS, row)], source)
    studies = [row for row in rows if is_intact(STUDY_COLUMNS, row)]
    # A page that SQLite no longer uses may hold an older row of the study, which counts fewer cells.
    study = max(studies, key=lambda row: row[2], default=None)
    if study is not None:
        settings = settings_of(study, f"store {source!r}")
    write(settings, records, target)
    lost = None if study is None else max(0, study[2] - len(records))
    return Recovery(len(records), lost, sentence(len(records), lost, target))


def roll_back(source: str) -> None:
    """Lets SQLite take back what a killed process left half-written, if it can."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(source)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def intact_records(rows: list[Row], source: str) -> tuple[Settings, list[Record]]:
    """Returns the records in intact rows, one per cell, and the settings that they say."""
    if not rows:
        raise ValueError(f"store {source!r} has no intact row that a width study of this version wrote")
    best: dict[Cell, Record] = {}
    for record in map(record_of, rows):
        # A failed cell was tried again: its old row may lie about on a page that SQLite no longer uses.
        if record.cell not in best or standing(record) > standing(best[record.cell]):
            best[record.cell] = record
    variants = [settings_in(text, f"store {source!r}") for text in sorted({row[SETTINGS] for row in rows})]
    widths, seeds = sorted({cell.width for cell in best}), 1 + max(cell.seed for cell in best)
    settings = replace(spanned(variants), widths=tuple(widths), seeds=seeds)
    return settings, [best[cell] for cell in sorted(best) if cell.variant in settings.variants]


def spanned(variants: list[Settings]) -> Settings:
    """Returns the study whose factors have all values of some variants."""
    found = [variant.determining() for variant in variants]
    lists = {name: tuple(dict.fromkeys(each[name] for each in found)) for name in found[0]}
    return Settings(**as_settings(lists))


def standing(record: Record) -> tuple[bool, str]:
    """Orders the records of a cell: one that did not fail comes last, and then the newest."""
    return record.error is None, record.finished


def write(settings: Settings, records: list[Record], target: str) -> None:
    """Makes a store with these records, or none."""
    try:
        with Store.create_or_resume(target, settings) as store:
            store.put(*records)
    except BaseException:
        with suppress(OSError):  # where the path is none, there is nothing to take away
            Path(target).unlink(missing_ok=True)
        raise


def sentence(rows: int, lost: int | None, target: str) -> str:
    missing = "how many were lost is not known" if lost is None else number_of(lost, "was lost", "were lost")
    return (
        f"{number_of(rows, 'intact row is', 'intact rows are')} in {target}, {missing}; the same study with this store "
        f"computes what is missing."
    )
