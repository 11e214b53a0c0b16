"""What the tables of a store look like, and how settings and records become rows and rows become them again.

    study    one row: the settings of the study, how many cells there are, and the total of their checksums
    cells    a row per cell; it repeats the settings that determine it, so that it means something by itself
    leases   which run computes which cell (leases.py); worth nothing when no run is alive

The first column of `study` and `cells` is the checksum of the others.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .checksums import Value, checksum
from .measurements import COLUMNS as MEASURED
from .record import Cell, Record
from .settings import Settings, parsed

APPLICATION_ID = 0x684F7262  # "hOrb"
SCHEMA_VERSION = 3
PAGE_BYTES = 4096

ARRAYS = ("eigenvalues", "theta", "eigenvalues_at_tolerance", "theta_at_tolerance", "steps_recorded", "losses")
CELL_COLUMNS = ("checksum", "width", "seed", "error", "finished", "facts", "settings", *MEASURED, *ARRAYS)
STUDY_COLUMNS = ("checksum", "settings", "count", "total")

TABLES = {
    "study": "CREATE TABLE study (checksum TEXT, settings TEXT, count INTEGER, total TEXT)",
    "cells": f"""CREATE TABLE cells (
        checksum TEXT,
        width INTEGER,
        seed INTEGER,
        error TEXT,      -- NULL unless the cell failed
        finished TEXT,   -- UTC
        facts TEXT,      -- JSON: versions, instruction level, threads
        settings TEXT,   -- TOML: those that determine the cell
        {"".join(f"{name}, " for name in MEASURED)}
        {"".join(f"{name} BLOB, " for name in ARRAYS)} -- little-endian float64
        PRIMARY KEY (width, seed)
    )""",
    "leases": """CREATE TABLE leases (
        width INTEGER,
        seed INTEGER,
        owner TEXT,
        host TEXT,
        pid INTEGER,
        expires REAL,    -- seconds since 1970
        PRIMARY KEY (width, seed)
    )""",
}

Row = tuple[Any, ...]  # of values that SQLite keeps


def study_row(settings: Settings, count: int, total: str) -> Row:
    """Returns the row of the table `study`."""
    return sealed(STUDY_COLUMNS, (settings.to_toml(), count, total))


def cell_row(record: Record, settings: Settings) -> Row:
    """Returns the row of a record; what is nan is NULL."""
    values: dict[str, Value] = {
        "width": record.cell.width,
        "seed": record.cell.seed,
        "error": record.error,
        "finished": record.finished,
        "facts": json.dumps(record.facts),
        "settings": settings.determining_toml(),
        # SQLite has no nan, and keeps no sign of a zero.
        **{name: None if value != value else value + 0 for name, value in record.measurements.items()},
        **{name: np.asarray(array, "<f8").tobytes() for name, array in record.arrays.items()},
    }
    return sealed(CELL_COLUMNS, tuple(values.get(name) for name in CELL_COLUMNS[1:]))


def sealed(columns: tuple[str, ...], values: Row) -> Row:
    """Returns values behind their checksum."""
    return (checksum(",".join(columns), values), *values)


def is_intact(columns: tuple[str, ...], row: Row) -> bool:
    """Says whether a row is what was written."""
    return len(row) == len(columns) and row[0] == checksum(",".join(columns), row[1:])


def settings_of(row: Row, source: str) -> Settings:
    """Returns the settings in an intact row of `study`."""
    return Settings.from_mapping(parsed(row[1].encode(), source), source)


def record_of(row: Row) -> Record:
    """Returns the record in an intact row of `cells`."""
    values: dict[str, Any] = dict(zip(CELL_COLUMNS, row, strict=True))
    return Record(
        cell=Cell(values["width"], values["seed"]),
        error=values["error"],
        finished=values["finished"],
        facts=json.loads(values["facts"]),
        measurements={name: np.nan if values[name] is None else values[name] for name in MEASURED},
        arrays={name: np.frombuffer(values[name], "<f8") for name in ARRAYS if values[name] is not None},
    )
