"""A cell of a study, a width and a seed, and the record that is kept of it: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .._checks import Array


class Cell(NamedTuple):
    """A width and a seed."""

    width: int
    seed: int


@dataclass(frozen=True)
class Record:
    """What is kept of a cell; one row of the store.

    Attributes
    ----------
    cell : Cell
    error : str or None
        What went wrong, if anything did.
    finished : str
        When the cell was done, in UTC.
    facts : dict
        Versions, instruction level, threads, and by column what could not be measured.
    measurements : dict of str to float
        By column; nan where a quantity has no meaning.
    arrays : dict of str to ndarray
        Eigenvalues, final θ, and the loss curve.
    """

    cell: Cell
    error: str | None
    finished: str
    facts: dict[str, Any]
    measurements: dict[str, float]
    arrays: dict[str, Array]


def now() -> str:
    """Return the time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
