"""One cell of a study, a width and a seed, and the record that is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .._checks import Array
from ..config import configuration as running
from .configuration import Configuration
from .measurements import measure
from .student import THREADS, train


class Cell(NamedTuple):
    """Which cell of a study."""

    width: int
    seed: int


@dataclass(frozen=True)
class Record:
    """What is kept of a cell; one row of the store. `error` says what went wrong, if anything did."""

    cell: Cell
    error: str | None
    finished: str
    facts: dict[str, Any]
    measurements: dict[str, float]
    arrays: dict[str, Array]


def run_cell(configuration: Configuration, cell: Cell) -> Record:
    """Compute a cell; what a worker does."""
    student = train(configuration, cell.width, cell.seed)
    trajectory = student.training.trajectory
    measurements, problems = measure(student)
    return Record(
        cell=cell,
        error=None,
        finished=now(),
        facts={**facts(), "not_measured": problems} if problems else facts(),
        measurements=measurements,
        arrays={
            "eigenvalues": student.spectrum.eigenvalues,
            "theta": student.theta,
            "steps_recorded": trajectory.steps.astype(float),
            "losses": trajectory.losses,
        },
    )


def failure(cell: Cell, error: BaseException) -> Record:
    """The record of a cell that raised an error."""
    return Record(cell, f"{type(error).__name__}: {error}", now(), facts(), {}, {})


def facts() -> dict[str, Any]:
    """Versions, instruction level, and so on, as plain values."""
    return {**running(), "threads": THREADS}


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
