"""Where a study keeps its cells: one SQLite file, one row per cell, each written in a transaction of its own.

A process killed at any moment leaves a file that holds every row it had committed. The file says what it is by its
application id and schema version, and which study it belongs to by the settings in it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Self

import numpy as np

from .measurements import COLUMNS as MEASURED
from .record import Cell, Record
from .settings import Settings

APPLICATION_ID = 0x684F7262  # "hOrb"
SCHEMA_VERSION = 1
BUSY_SECONDS = 60.0

ARRAYS = ("eigenvalues", "theta", "steps_recorded", "losses")
COLUMNS = ("width", "seed", "error", "finished", "facts", *MEASURED, *ARRAYS)

SCHEMA = (
    "CREATE TABLE study (settings TEXT NOT NULL, fingerprint TEXT NOT NULL)",
    f"""CREATE TABLE cells (
        width INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        error TEXT,              -- NULL unless the cell failed
        finished TEXT NOT NULL,  -- UTC
        facts TEXT NOT NULL,     -- JSON: versions, instruction level, threads
        {"".join(f"{name}, " for name in MEASURED)}
        {"".join(f"{name} BLOB, " for name in ARRAYS)} -- little-endian float64
        PRIMARY KEY (width, seed)
    )""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class Store:
    """The cells of one study; `create_or_resume` opens it for a study to run, `read` for what it holds."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.connection = connection
        self.name = name

    @classmethod
    def create_or_resume(cls, path: str | PathLike[str] | None, settings: Settings) -> Self:
        """Open the store of a study, made anew if there is none; in memory if path is None.

        Raises
        ------
        OSError
            If the file cannot be opened or written.
        ValueError
            If it is not the store of a study, or of a study with other settings.
        """
        name = ":memory:" if path is None else checked_path(path)
        with refusals(name):
            store = cls(sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None), name)
            with closed_on_error(store), store.transaction():
                if store.is_new():
                    store.create(settings)
                else:
                    store.identify()
                    store.extend(settings)
        return store

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Self:
        """Open a store to read it.

        Raises
        ------
        OSError
            If there is no such file, or it cannot be read.
        ValueError
            If it is not the store of a study.
        """
        name = checked_path(path)
        if not os.path.exists(name):
            raise FileNotFoundError(f"store {name!r} does not exist")
        # Not mode=ro: what a killed process left half-written has to be rolled back first.
        uri = f"{Path(name).resolve().as_uri()}?mode=rw"
        with refusals(name):
            store = cls(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None), name)
            with closed_on_error(store):
                store.identify()
        return store

    def is_new(self) -> bool:
        tables = self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return not tables and self.pragma("application_id") in (0, APPLICATION_ID)

    def create(self, settings: Settings) -> None:
        for statement in SCHEMA:
            self.connection.execute(statement)
        row = (settings.to_toml(), settings.fingerprint)
        self.connection.execute("INSERT INTO study VALUES (?, ?)", row)

    def identify(self) -> None:
        """Refuse a file that is not the store of a study, or not one of this version's."""
        if self.pragma("application_id") != APPLICATION_ID:
            raise ValueError(f"store {self.name!r} must be a file that a width study wrote; it is another database")
        version = self.pragma("user_version")
        columns = {name for _, name, *_ in self.connection.execute("PRAGMA table_info(cells)")}
        if version != SCHEMA_VERSION or columns != set(COLUMNS):
            other = ", ".join(sorted(columns ^ set(COLUMNS))) or "none"
            raise ValueError(
                f"store {self.name!r} was written by another version of hessorbit: its schema is {version}, here it is "
                f"{SCHEMA_VERSION}; columns that only one of them has: {other}. Start a new file"
            )

    def extend(self, settings: Settings) -> None:
        """Let the study have the cells of both configurations, which have to agree in everything else."""
        stored = self.settings
        if differences := settings.differences(stored):
            raise ValueError(
                f"store {self.name!r} belongs to a study with other settings: {'; '.join(differences)}. "
                f"Use its settings, or another file"
            )
        both = replace(
            stored,
            title=settings.title,
            widths=tuple(sorted({*stored.widths, *settings.widths})),
            seeds=max(stored.seeds, settings.seeds),
        )
        self.connection.execute("UPDATE study SET settings = ?", (both.to_toml(),))

    @property
    def settings(self) -> Settings:
        """The settings of the study whose cells these are."""
        (toml,) = self.connection.execute("SELECT settings FROM study").fetchone()
        return Settings.from_mapping(tomllib.loads(toml), f"store {self.name!r}")

    def pragma(self, name: str) -> int:
        return int(self.connection.execute(f"PRAGMA {name}").fetchone()[0])

    def done(self) -> set[Cell]:
        """The cells that are here and did not fail."""
        return {Cell(*row) for row in self.connection.execute("SELECT width, seed FROM cells WHERE error IS NULL")}

    def put(self, record: Record) -> None:
        """Write a row, in place of the one the cell may have from when it failed."""
        values = {
            "width": record.cell.width,
            "seed": record.cell.seed,
            "error": record.error,
            "finished": record.finished,
            "facts": json.dumps(record.facts),
            **record.measurements,
            **{name: np.asarray(array, "<f8").tobytes() for name, array in record.arrays.items()},
        }
        row = [values.get(name) for name in COLUMNS]
        marks = ", ".join("?" * len(row))
        with refusals(self.name), self.transaction():
            self.connection.execute(f"INSERT OR REPLACE INTO cells ({', '.join(COLUMNS)}) VALUES ({marks})", row)

    def contents(self) -> tuple[Settings, list[Record]]:
        """The settings of the study, and all rows."""
        return self.settings, self.records()

    def records(self) -> list[Record]:
        """All rows, by width and seed."""
        rows = self.connection.execute(f"SELECT {', '.join(COLUMNS)} FROM cells ORDER BY width, seed")
        return [record(dict(zip(COLUMNS, row, strict=True))) for row in rows]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else writes meanwhile."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def record(row: dict[str, Any]) -> Record:
    return Record(
        cell=Cell(row["width"], row["seed"]),
        error=row["error"],
        finished=row["finished"],
        facts=json.loads(row["facts"]),
        measurements={name: np.nan if row[name] is None else row[name] for name in MEASURED},
        arrays={name: np.frombuffer(row[name], "<f8") for name in ARRAYS if row[name] is not None},
    )


def checked_path(path: str | PathLike[str]) -> str:
    name = fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"store must be a path; got {path!r}")
    if os.path.isdir(name):
        raise IsADirectoryError(f"store {name!r} must be a file; it is a folder")
    return name


@contextmanager
def closed_on_error(store: Store) -> Iterator[None]:
    try:
        yield
    except BaseException:
        store.connection.close()
        raise


@contextmanager
def refusals(name: str) -> Iterator[None]:
    """SQLite's errors in the library's words: ValueError for a file that is no database, OSError for the rest."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(f"store {name!r} cannot be opened, read or written: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ValueError(f"store {name!r} must be a file that a width study wrote: {error}") from error
