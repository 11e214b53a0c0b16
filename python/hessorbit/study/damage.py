"""Turns whatever goes wrong with a store into one sentence: what is lost, what is kept, and what to do."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .. import _files
from .._words import number_of
from .rows import APPLICATION_ID, CELL_COLUMNS, is_intact
from .salvage import salvaged_rows

ANOTHER_FILE = "use another file"

# Codes of SQLite by which the file is sound, but cannot be opened, read or written.
OUTSIDE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOLFS,
}


class DamagedStoreError(ValueError):
    """A store holds something else than what was written.

    `hessorbit recover`, or `hessorbit.study.recover`, writes the rows that are intact, if any, to a new store.

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
    ...     _ = store.write_bytes(store.read_bytes().replace(b"teacher_width", b"teacher_widht", 1))
    ...     try:
    ...         ho.study.load(store)
    ...     except ho.study.DamagedStoreError as error:
    ...         print("damaged" in str(error))
    True
    """


class UnsoundError(Exception):
    """A store is not what a study writes: in which way, and what to do if it is not damaged but of another kind."""

    def __init__(self, reason: str, remedy: str = ANOTHER_FILE) -> None:
        super().__init__(reason)
        self.remedy = remedy


@contextmanager
def explained_damage(name: str) -> Iterator[None]:
    """Raises the errors of SQLite, and an `UnsoundError`, in the words of the library.

    Raises
    ------
    OSError
        If the file is sound but cannot be opened, read or written, as when the disk is full.
    DamagedStoreError
        If the file is the store of a study, and is damaged.
    ValueError
        If it is another kind of file.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise OSError(
                f"store {name!r} cannot be written, as the disk is full; the rows in it are kept, and the same run "
                f"goes on from there when there is space"
            ) from error
        if code in OUTSIDE:
            reason = _files.obstacle(Path(name), writing=True) or error
            raise OSError(f"store {name!r} cannot be opened, read or written: {reason}") from error
        # Of a damaged schema SQLite quotes a statement, which has many lines.
        raise refusal(name, " ".join(str(error).split()), ANOTHER_FILE) from error
    except UnsoundError as error:
        raise refusal(name, str(error), error.remedy) from None


def refusal(name: str, reason: str, remedy: str) -> ValueError:
    """Returns the error for a file that is damaged, or was never the store of a study."""
    intact = intact_cells(name)
    if not intact and remedy == ANOTHER_FILE and was_a_store(name):
        return DamagedStoreError(
            f"store {name!r} is damaged: {reason}; none of its rows is intact, so delete it, or use another file, and "
            f"run the study again"
        )
    if not intact:
        return ValueError(f"store {name!r} must be a file that a width study wrote; {reason}, so {remedy}")
    return DamagedStoreError(
        f"store {name!r} is damaged: {reason}; {number_of(intact, 'row is', 'rows are')} intact, and "
        f"`hessorbit recover {name} --into NEW` writes what is intact to a new store"
    )


def was_a_store(name: str) -> bool:
    """Says whether the header of a file, which holds the application's number at byte 68, is that of a store."""
    with _files.opened(Path(name), "store") as file:
        return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")


def intact_cells(name: str) -> int:
    """Returns the number of cells whose rows are intact."""
    if not os.path.isfile(name):
        return 0
    return len({row[1:4] for row in salvaged_rows(name) if is_intact(CELL_COLUMNS, row)})
