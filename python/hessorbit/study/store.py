"""Where a study keeps its cells: one SQLite file, one row per cell, each written in a transaction of its own.

A process killed at any moment leaves a file that holds every row it had committed. Whenever a file is opened, SQLite
checks its structure, and the checksums (rows.py) show whether every row is there as it was written.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import Self

from .. import _files
from .._words import number_of
from .checksums import replaced, total
from .damage import UnsoundError, explained_damage
from .record import Cell, Record
from .rows import (
    APPLICATION_ID,
    CELL_COLUMNS,
    PAGE_BYTES,
    SAME_CELL,
    SCHEMA_VERSION,
    STUDY_COLUMNS,
    TABLES,
    Row,
    cell_row,
    is_intact,
    record_of,
    settings_of,
    study_row,
)
from .settings import Settings

BUSY_SECONDS = 60.0
MEMORY = ":memory:"


class Store:
    """The cells of one study; `create_or_resume` opens it for a study to run, `read` for what it holds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.connection = self.connect()

    def connect(self) -> sqlite3.Connection:
        """Returns a connection to the file, which is made if there is none."""
        connection = sqlite3.connect(self.name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        # Bytes that a damaged file calls text are for the checksums to find.
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        return connection

    @contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """Opens another connection for a while, such as for another thread."""
        with closing(self.connect()) as connection:
            yield connection

    @classmethod
    def create_or_resume(cls, path: str | PathLike[str] | None, settings: Settings) -> Self:
        """Opens the store of a study, made anew if there is none; in memory if path is None.

        Raises
        ------
        OSError
            If the file cannot be opened or written.
        ValueError
            If it is damaged, not the store of a study, or of a study with other settings.
        """
        name = MEMORY if path is None else checked_path(path)
        with explained_damage(name):
            store = cls(name)
            with closed_on_error(store):
                store.connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                with store.transaction():
                    if store.is_empty():
                        store.create(settings)
                    else:
                        store.check()
                        store.extend(settings)
        return store

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Self:
        """Opens a store to read it.

        Raises
        ------
        OSError
            If there is no such file, or it cannot be read.
        ValueError
            If it is damaged, or not the store of a study.
        """
        name = checked_path(path)
        if not os.path.exists(name):
            raise FileNotFoundError(f"store {name!r} does not exist; check the path")
        with explained_damage(name):
            store = cls(name)
            with closed_on_error(store), store.transaction("DEFERRED"):
                store.check()
        return store

    def is_empty(self) -> bool:
        """Says whether nothing was ever written to the file."""
        return self.name == MEMORY or Path(self.name).stat().st_size == 0

    def create(self, settings: Settings) -> None:
        """Makes the tables of a study without cells."""
        for table in TABLES.values():
            self.connection.execute(table)
        self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self.connection.execute("INSERT INTO study VALUES (?, ?, ?, ?)", study_row(settings, 0, total([])))

    def check(self) -> None:
        """Refuses a file that is not the store of a study, or in which anything is not as it was written."""
        if self.is_empty():  # as where a process was killed before its first row
            raise UnsoundError("it is empty", "run its study again, or leave it out")
        if self.pragma("application_id") != APPLICATION_ID:
            raise UnsoundError("it is another database")
        if (version := self.pragma("user_version")) != SCHEMA_VERSION:
            raise UnsoundError(
                f"its schema is {version}, and this version of hessorbit has {SCHEMA_VERSION}",
                "read it with the version that wrote it, or start a new file",
            )
        if (fault := self.pragma("integrity_check(1)")) != "ok":
            raise UnsoundError(f"SQLite finds {fault!r}")
        tables = dict(self.connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        if tables != TABLES:
            raise UnsoundError(
                "its tables have other columns than those of this version of hessorbit",
                "read it with the version that wrote it, or start a new file",
            )
        self.contents()

    def contents(self) -> tuple[Settings, list[Record]]:
        """Returns the settings of the study and the records of all cells, by width and seed, after a check of each."""
        row = self.study_row()
        rows = self.connection.execute(f"SELECT {', '.join(CELL_COLUMNS)} FROM cells").fetchall()
        if bad := sum(not is_intact(CELL_COLUMNS, each) for each in rows):
            raise UnsoundError(f"checksums do not fit {bad} of its {number_of(len(rows), 'row')}")
        if row[2:] != (len(rows), total(each[0] for each in rows)):
            written = number_of(row[2], "row was", "rows were")
            raise UnsoundError(f"{written} written to it, and it has {len(rows)}, not all the same ones")
        return settings_of(row, f"store {self.name!r}"), sorted(map(record_of, rows), key=lambda each: each.cell)

    def read_contents(self) -> tuple[Settings, list[Record]]:
        """Returns the contents at one moment, while others may write."""
        with self.transaction("DEFERRED"):
            return self.contents()

    def study_row(self) -> Row:
        """Returns the row of the study, after a check of it."""
        rows: list[Row] = self.connection.execute(f"SELECT {', '.join(STUDY_COLUMNS)} FROM study").fetchall()
        if len(rows) != 1 or not is_intact(STUDY_COLUMNS, rows[0]):
            raise UnsoundError("the settings in it do not match their checksum")
        return rows[0]

    def write_study_row(self, row: Row) -> None:
        self.connection.execute(f"UPDATE study SET ({', '.join(STUDY_COLUMNS)}) = (?, ?, ?, ?)", row)

    @property
    def settings(self) -> Settings:
        """The settings of the study whose cells these are."""
        return settings_of(self.study_row(), f"store {self.name!r}")

    def extend(self, settings: Settings) -> None:
        """Lets the study have the cells of both settings, which have to agree in what neither has a list of."""
        stored = self.settings
        if differences := settings.differences(stored):
            raise ValueError(
                f"store {self.name!r} belongs to a study with other settings: {'; '.join(differences)}. "
                f"Use its settings, another file, or a list of both"
            )
        self.write_study_row(study_row(settings.joined(stored), *self.study_row()[2:]))

    def pragma(self, name: str) -> int | str:
        """Returns the value of a pragma."""
        value: int | str = self.connection.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    def done(self) -> set[Cell]:
        """Returns the cells that are here and did not fail."""
        return {cell for cell, (done, _) in self.states().items() if done}

    def states(self) -> dict[Cell, tuple[bool, str]]:
        """Returns of every cell that is here whether it did not fail, and the checksum of its row."""
        with explained_damage(self.name):
            query = "SELECT width, seed, variant, error IS NULL, checksum FROM cells"
            rows = self.connection.execute(query).fetchall()
        return {Cell(*row[:3]): (bool(row[3]), row[4]) for row in rows}

    def state(self, cell: Cell) -> tuple[bool, str] | None:
        """Returns the same of one cell, and None if it is not here."""
        with explained_damage(self.name):
            query = f"SELECT error IS NULL, checksum FROM cells WHERE {SAME_CELL}"
            row = self.connection.execute(query, cell).fetchone()
        return row and (bool(row[0]), row[1])

    def put(self, *records: Record) -> None:
        """Writes rows in one transaction, in place of those that their cells may have, and ends the leases on them."""
        with self.transaction():
            study = self.study_row()
            settings = settings_of(study, f"store {self.name!r}")
            count, sum_ = study[2:]
            for record in records:
                row = cell_row(record, settings)
                old = self.replace_row(record.cell, row)
                count, sum_ = count + (old is None), replaced(sum_, old, row[0])
            self.write_study_row(study_row(settings, count, sum_))

    def replace_row(self, cell: Cell, row: Row) -> str | None:
        """Writes the row of a cell, and returns the checksum of the one that it replaces."""
        old = self.connection.execute(f"SELECT checksum FROM cells WHERE {SAME_CELL}", cell).fetchone()
        marks = ", ".join("?" * len(row))
        self.connection.execute(f"INSERT OR REPLACE INTO cells ({', '.join(CELL_COLUMNS)}) VALUES ({marks})", row)
        self.connection.execute(f"DELETE FROM leases WHERE {SAME_CELL}", cell)
        return None if old is None else str(old[0])

    @contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Does all or nothing; nobody else writes meanwhile."""
        with explained_damage(self.name):
            self.connection.execute(f"BEGIN {kind}")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # SQLite ends the transaction itself when a disk is full.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def checked_path(path: str | PathLike[str], argument: str = "store") -> str:
    name = os.fspath(_files.path_of(path, argument))
    if os.path.isdir(name):
        raise IsADirectoryError(f"{argument} {name!r} must be a file; it is a folder")
    return name


@contextmanager
def closed_on_error(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.connection.close()
        raise
