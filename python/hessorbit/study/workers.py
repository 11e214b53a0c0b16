"""Computes cells on an executor, whatever its futures are, and yields their records as they finish."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Any

from .cell import failure, run_cell
from .executors import missing_workers
from .own_measurements import Measurements
from .record import Cell, Record
from .settings import Settings

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2  # between looks at jobs that are no futures
REMIND_SECONDS = 60.0  # between looks at whether there is anybody to wait for


def compute(
    settings: Settings,
    cells: Iterable[Cell],
    executor: Executor,
    room: Callable[[], int],
    own: Measurements | None = None,
) -> Iterator[Record]:
    """Yields the records of cells as they finish, with at most `room()` cells waiting at a time."""
    suspects = []

    def submit(cell: Cell) -> Any:
        return submitted(executor, settings, cell, own)

    def remind() -> None:
        if missing_workers(executor):
            logger.warning("the cluster has no workers; waiting for one that can compute cells")

    for cell, future in finished(cells, submit, room, remind):
        if isinstance(error_of(future), BrokenExecutor):
            suspects.append(cell)
        else:
            yield outcome(cell, future)
    # A process that dies takes with it the cells beside its own; one at a time, they show whose fault it was.
    for cell, future in finished(suspects, submit, lambda: 1, remind):
        yield outcome(cell, future)


def finished(
    cells: Iterable[Cell], submit: Callable[[Cell], Any], room: Callable[[], int], remind: Callable[[], None]
) -> Iterator[tuple[Cell, Any]]:
    """Yields cells and their futures as they finish; a cell is asked for when there is room for it.

    `remind` is called where none finishes for a while.
    """
    waiting: dict[Any, Cell] = {}
    for cell in cells:
        waiting[submit(cell)] = cell
        # An executor may compute at submission: what is finished is passed on before more is submitted.
        full = len(waiting) >= room()
        for future in first_done(list(waiting), remind) if full else [each for each in waiting if each.done()]:
            yield waiting.pop(future), future
    while waiting:
        for future in first_done(list(waiting), remind):
            yield waiting.pop(future), future


def first_done(futures: list[Any], remind: Callable[[], None]) -> list[Any]:
    """Waits until some are done, and returns these."""
    if all(isinstance(each, Future) for each in futures):
        while not (finished := wait(futures, REMIND_SECONDS, FIRST_COMPLETED).done):
            remind()
        return list(finished)
    while not (done := [each for each in futures if each.done()]):
        time.sleep(POLL_SECONDS)
    return done


def submitted(executor: Executor, settings: Settings, cell: Cell, own: Measurements | None) -> Any:
    """Hands a cell to an executor and returns its future, or says why that is not possible."""
    try:
        future = executor.submit(run_cell, settings.variants[cell.variant], cell, *([own] if own else []))
    except BrokenExecutor:
        raise RuntimeError(
            f"executor ({type(executor).__name__}) takes no more cells, as one of its processes ended; a program whose "
            f"executor spawns processes has to call run under `if __name__ == '__main__':`"
        ) from None
    if isinstance(future, Future):
        return future
    if callable(getattr(future, "done", None)) and callable(getattr(future, "result", None)):
        return Job(future)
    raise TypeError(
        f"executor must return from submit futures, or jobs with done() and result(); {type(executor).__name__} "
        f"returned a {type(future).__name__}"
    )


@dataclass(frozen=True, eq=False)
class Job:
    """A job that is no future, such as submitit's; it has what is used of one."""

    job: Any

    def done(self) -> bool:
        return bool(self.job.done())

    def exception(self) -> BaseException | None:
        try:
            self.job.result()
        except Exception as error:
            return error
        return None

    def result(self) -> Record:
        found: Record = self.job.result()
        return found


def error_of(future: Any) -> BaseException | None:
    """Returns what a finished future raised, if anything."""
    try:
        error: BaseException | None = future.exception()
    except CancelledError as cancelled:  # as when a cluster was closed
        return cancelled
    return error


def outcome(cell: Cell, future: Any) -> Record:
    error = error_of(future)
    if error is not None:
        return failure(cell, error)
    found: Record = future.result()
    return found
