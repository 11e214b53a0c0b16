"""Leases on cells: runs that share a store compute no cell twice.

A run takes a lease on a cell before it computes it, and renews it while it lives. Others leave a leased cell alone
until its row is there, or the lease ends: when it expires, or at once if its process is gone from the same machine.
"""

from __future__ import annotations

import os
import platform
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from .record import Cell
from .rows import SAME_CELL

if TYPE_CHECKING:
    from .store import Store

LEASE_SECONDS = 60.0
RENEWALS = 4  # within the time of a lease


class Leases:
    """The leases of one run; a context that renews them, and gives them up at its end."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.owner = secrets.token_hex(8)
        self.ended = threading.Event()
        # Cells that had failed when the run began are tried again, once and by one run.
        self.failed = {cell: checksum for cell, (done, checksum) in store.states().items() if not done}
        self.tried: set[Cell] = set()

    def open(self, cells: Iterable[Cell]) -> list[Cell]:
        """Returns those of some cells that nobody has tried since the run began."""
        states = self.store.states()
        return [cell for cell in cells if self.is_open(cell, states.get(cell))]

    def is_open(self, cell: Cell, state: tuple[bool, str] | None) -> bool:
        """Says whether nobody has tried a cell since the run began, from whether it is done and its row's checksum."""
        if cell in self.tried:
            return False
        return state is None or (not state[0] and state[1] == self.failed.get(cell))

    def taken(self, cells: Iterable[Cell]) -> Iterator[Cell]:
        """Yields those of some cells that this run may compute, each when it is asked for."""
        return (cell for cell in cells if self.take(cell))

    def take(self, cell: Cell) -> bool:
        """Takes the lease on a cell, unless it was tried or another run has it."""
        with self.store.transaction() as connection:
            if not self.is_open(cell, self.store.state(cell)):
                return False
            query = f"SELECT host, pid, expires FROM leases WHERE {SAME_CELL} AND owner != ?"
            other = connection.execute(query, (*cell, self.owner)).fetchone()
            if other and is_alive(*other):
                return False
            row = (*cell, self.owner, host(), os.getpid(), time.time() + LEASE_SECONDS)
            connection.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self.tried.add(cell)
            return True

    def __enter__(self) -> Self:
        self.renewing = None
        if self.store.name != ":memory:":
            self.renewing = threading.Thread(target=self.renew, daemon=True)
            self.renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.renewing is not None:
            self.renewing.join()
        # If the disk is full, they end with their time.
        with suppress(OSError), self.store.transaction() as connection:
            connection.execute("DELETE FROM leases WHERE owner = ?", (self.owner,))

    def renew(self) -> None:
        """Renews the leases until the run ends."""
        while not self.ended.wait(LEASE_SECONDS / RENEWALS):
            try:
                with self.store.connected() as connection:
                    update = "UPDATE leases SET expires = ? WHERE owner = ?"
                    connection.execute(update, (time.time() + LEASE_SECONDS, self.owner))
            except sqlite3.Error:  # busy, or a full disk: the next time may be better
                continue


def is_alive(where: Any, pid: Any, expires: Any) -> bool:
    """Says whether a lease still holds."""
    if not (isinstance(expires, float) and isinstance(pid, int) and 0 < pid < 2**31):
        return False
    # A time further away than any lease lasts was not written by one.
    if not time.time() < expires <= time.time() + 2 * LEASE_SECONDS:
        return False
    return where != host() or process_is_alive(pid)


def process_is_alive(pid: int) -> bool:
    """Says whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def host() -> str:
    """Returns the name of where process numbers mean the same: the machine, and in a container that."""
    try:
        return f"{platform.node()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()
