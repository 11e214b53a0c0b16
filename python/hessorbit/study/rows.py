"""What the tables of a store look like, and how settings and records become rows and rows become them again.

    study    one row: the settings of the study, how many cells there are, and the total of their checksums
    cells    a row per cell; it repeats the settings that determine it, so that it means something by itself, and its
             measurements and arrays go by name, so that a store may hold any
    leases   which run computes which cell (leases.py); worth nothing when no run is alive

The first column of `study` and `cells` is the checksum of the others.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np

from .checksums import Value, checksum
from .record import Cell, Record
from .settings import Settings
from .toml_text import parsed

APPLICATION_ID = 0x684F7262  # "hOrb"
SCHEMA_VERSION = 4
PAGE_BYTES = 4096

KEY = ("width", "seed", "variant")
CELL_COLUMNS = ("checksum", *KEY, "error", "finished", "facts", "settings", "measurements", "lengths", "arrays")
STUDY_COLUMNS = ("checksum", "settings", "count", "total")

TABLES = {
    "study": "CREATE TABLE study (checksum TEXT, settings TEXT, count INTEGER, total TEXT)",
    "cells": """CREATE TABLE cells (
        checksum TEXT,
        width INTEGER,
        seed INTEGER,
        variant TEXT,       -- fingerprint of the settings that determine the cell
        error TEXT,         -- NULL unless the cell failed
        finished TEXT,      -- UTC
        facts TEXT,         -- JSON: versions, instruction level, threads
        settings TEXT,      -- TOML: those that determine the cell
        measurements TEXT,  -- JSON; null where one has no meaning
        lengths TEXT,       -- JSON: how many numbers each array has
        arrays BLOB,        -- little-endian float64, one array behind the other
        PRIMARY KEY (width, seed, variant)
    )""",
    "leases": """CREATE TABLE leases (
        width INTEGER,
        seed INTEGER,
        variant TEXT,
        owner TEXT,
        host TEXT,
        pid INTEGER,
        expires REAL,    -- seconds since 1970
        PRIMARY KEY (width, seed, variant)
    )""",
}

SAME_CELL = "(width, seed, variant) = (?, ?, ?)"

Row = tuple[Any, ...]  # of values that SQLite keeps


def study_row(settings: Settings, count: int, total: str) -> Row:
    """Returns the row of the table `study`."""
    return sealed(STUDY_COLUMNS, (settings.to_toml(), count, total))


def cell_row(record: Record, settings: Settings) -> Row:
    """Returns the row of a record; `settings` are those of the study."""
    arrays = {name: np.asarray(array, "<f8").ravel() for name, array in record.arrays.items()}
    values: dict[str, Value] = {
        **record.cell._asdict(),
        "error": record.error,
        "finished": record.finished,
        "facts": json.dumps(record.facts),
        "settings": settings.variants[record.cell.variant].determining_toml(),
        "measurements": numbers_as_json(record.measurements),
        "lengths": json.dumps({name: len(array) for name, array in arrays.items()}),
        "arrays": b"".join(array.tobytes() for array in arrays.values()),
    }
    return sealed(CELL_COLUMNS, tuple(values.get(name) for name in CELL_COLUMNS[1:]))


def numbers_as_json(values: dict[str, float]) -> str:
    """Returns numbers as JSON that SQLite reads too: nan as null, and infinity as a number that no float64 holds."""
    text = json.dumps({name: None if x != x else x for name, x in values.items()})
    return text.replace(": Infinity", ": 9e999").replace(": -Infinity", ": -9e999")


def sealed(columns: tuple[str, ...], values: Row) -> Row:
    """Returns values behind their checksum."""
    return (checksum(",".join(columns), values), *values)


def is_intact(columns: tuple[str, ...], row: Row) -> bool:
    """Says whether a row is what was written."""
    return len(row) == len(columns) and row[0] == checksum(",".join(columns), row[1:])


def settings_of(row: Row, source: str) -> Settings:
    """Returns the settings in an intact row of `study`."""
    return settings_in(row[1], source)


@lru_cache(maxsize=16)
def settings_in(text: str, source: str) -> Settings:
    """Returns the settings in a TOML text."""
    return Settings.from_mapping(parsed(text.encode(), source), source)


def record_of(row: Row) -> Record:
    """Returns the record in an intact row of `cells`."""
    values: dict[str, Any] = dict(zip(CELL_COLUMNS, row, strict=True))
    lengths: dict[str, int] = json.loads(values["lengths"])
    ends = np.cumsum(list(lengths.values()), dtype=int)
    parts = np.split(np.frombuffer(values["arrays"], "<f8"), ends[:-1]) if lengths else []
    return Record(
        cell=Cell(*(values[name] for name in KEY)),
        error=values["error"],
        finished=values["finished"],
        facts=json.loads(values["facts"]),
        measurements={name: np.nan if x is None else x for name, x in json.loads(values["measurements"]).items()},
        arrays=dict(zip(lengths, parts, strict=True)),
    )
