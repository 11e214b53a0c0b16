"""Computes a cell of a study: trains the student of a width and seed, and measures it."""

from __future__ import annotations

from typing import Any

from .._checks import Array
from ..config import configuration
from .measurements import REVISION, measure
from .once import UNMEASURED
from .one_thread import one_thread
from .own_measurements import Measurements, measured
from .record import Cell, Record, now
from .settings import Settings
from .student import Student, train
from .task import THREADS


def run_cell(settings: Settings, cell: Cell, own: Measurements | None = None) -> Record:
    """Computes a cell, in a worker, and returns its record; `settings` are those of its variant."""
    with one_thread():
        return computed(settings, cell, own or {})


def computed(settings: Settings, cell: Cell, own: Measurements) -> Record:
    student = train(settings, cell.width, cell.seed)
    training = student.training
    measurements, reasons = measure(student)
    others, why, meanings = measured(student, own)
    reasons |= why
    ended: dict[str, Any] = {"ending": student.ending.kind, **({"meanings": meanings} if own else {})}
    at_minimum = {}
    if student.ending.is_minimum:
        at_minimum = {
            "eigenvalues": student.minimum.spectrum.eigenvalues,
            "theta": student.minimum.theta,
            **tail_curves(student),
        }
    return Record(
        cell=cell,
        error=None,
        finished=now(),
        facts={**facts(), **ended, **({"not_measured": reasons} if reasons else {})},
        measurements={**measurements, **others},
        arrays={
            **at_minimum,
            "eigenvalues_at_tolerance": student.trained.spectrum.eigenvalues,
            "theta_at_tolerance": student.trained.theta,
            "steps_recorded": training.recorded_steps,
            "losses": training.losses,
        },
    )


def tail_curves(student: Student) -> dict[str, Array]:
    """Returns the loss of the tail, measured and predicted; nothing where there is none."""
    if student.tail is None:
        return {}
    try:
        tail = student.tail()
    except UNMEASURED:
        return {}
    return {"tail_recorded": tail.steps.astype(float), "tail_losses": tail.losses, "tail_predicted": tail.predicted}


def failure(cell: Cell, error: BaseException) -> Record:
    """Returns the record of a cell that raised an error."""
    text = f"{type(error).__name__}: {error}".encode("utf-8", "replace").decode()
    return Record(cell, text, now(), facts(), {}, {})


def facts() -> dict[str, Any]:
    """Returns versions, instruction level and so on, as plain values."""
    return {**configuration(), "threads": THREADS, "revision": REVISION}
