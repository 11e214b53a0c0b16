"""Measurements of the user's own: functions of a trained student, whose values become columns of the table."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import numpy as np

from .._words import number_of
from .measurements import COLUMNS
from .record import Record
from .student import Student

Measurements = Mapping[str, Callable[[Student], Any]]

TAKEN = frozenset(("width", "seed", *COLUMNS))


def checked(measurements: Any, executor: Executor | str | None, settings: Collection[str]) -> dict[str, Any]:
    """Returns measurements by name; refuses what is no column and no function, or cannot go to a worker process."""
    if not isinstance(measurements, Mapping):
        raise TypeError(f"measurements must be a dict of functions of a trained student; got {measurements!r}")
    for name, function in measurements.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"measurements must have identifiers as names, for columns; got {name!r}")
        if name in TAKEN or name in settings:
            raise ValueError(
                f"measurements must have names of their own; there is a column or setting {name!r} already"
            )
        if not callable(function):
            raise TypeError(f"measurements[{name!r}] must be a function of a trained student; got {function!r}")
        if executor in (None, "processes") or isinstance(executor, ProcessPoolExecutor):
            check_pickle(name, function)
    return dict(measurements)


def check_pickle(name: str, function: Any) -> None:
    """Refuses a function that a worker process could not import."""
    reason = ""
    try:
        pickle.dumps(function)
    except Exception as error:  # pickle raises what it likes
        reason = str(error)
    main = sys.modules.get("__main__")
    if getattr(function, "__module__", None) == "__main__" and not hasattr(main, "__file__"):
        reason = "the program it is in is not a file"
    if reason:
        raise TypeError(
            f"measurements[{name!r}] must be importable by worker processes, as a def at the top level of a module is; "
            f"got {function!r} ({reason}). Move it there, or pass executor='threads'"
        )


def measured(student: Student, measurements: Measurements) -> tuple[dict[str, float], dict[str, str], dict[str, str]]:
    """Returns by name values, what went wrong where one is nan, and what each means."""
    values, reasons = {}, {}
    for name, function in measurements.items():
        try:
            values[name] = float(function(student))
        except Exception as error:  # a study goes on without a measurement
            values[name] = np.nan
            reasons[name] = f"{type(error).__name__}: {error}"
    return values, reasons, {name: meaning_of(function) for name, function in measurements.items()}


def meaning_of(function: Any) -> str:
    """Returns the first line of a docstring, if a function has one."""
    text = "" if isinstance(function, type) else getattr(function, "__doc__", None) or ""
    return text.strip().split("\n")[0].rstrip(".") or "a measurement of one's own"


def check_stored(records: Collection[Record], measurements: Collection[str], name: str) -> None:
    """Refuses a store with finished cells in which a measurement was not made."""
    for measurement in measurements:
        without = sum(record.error is None and measurement not in record.measurements for record in records)
        if without:
            raise ValueError(
                f"store {name} has {number_of(without, 'finished cell')} without the measurement {measurement!r}; "
                f"compute all cells with it in another file"
            )
