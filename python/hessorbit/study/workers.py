"""Computes cells on any executor, by default on worker processes that die with their parent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection
from typing import Any

from .cell import failure, run_cell
from .record import Cell, Record
from .settings import Settings


def compute(
    settings: Settings, cells: Iterable[Cell], executor: Executor, limit: float = float("inf")
) -> Iterator[Record]:
    """Yields the records of cells as they finish, with at most `limit` cells waiting at a time."""
    suspects = []
    for cell, future in finished(settings, cells, executor, limit):
        if isinstance(future.exception(), BrokenExecutor):
            suspects.append(cell)
        else:
            yield outcome(cell, future)
    # A process that dies takes with it the cells beside its own; one at a time, they show whose fault it was.
    for cell, future in finished(settings, suspects, executor, 1):
        yield outcome(cell, future)


def finished(
    settings: Settings, cells: Iterable[Cell], executor: Executor, limit: float
) -> Iterator[tuple[Cell, Future[Record]]]:
    """Yields cells and their futures as they finish; a cell is asked for when there is room for it."""
    waiting: dict[Future[Record], Cell] = {}
    for cell in cells:
        waiting[submitted(executor, settings, cell)] = cell
        # An executor may compute at submission: what is finished is passed on before more is submitted.
        full = len(waiting) >= limit
        done = wait(waiting, return_when=FIRST_COMPLETED).done if full else [each for each in waiting if each.done()]
        for future in done:
            yield waiting.pop(future), future
    for future in as_completed(waiting):
        yield waiting[future], future


def submitted(executor: Executor, settings: Settings, cell: Cell) -> Future[Record]:
    """Hands a cell to an executor and returns its future, or says why that is not possible."""
    try:
        future = executor.submit(run_cell, settings, cell)
    except BrokenExecutor:
        raise RuntimeError(
            f"executor ({type(executor).__name__}) takes no more cells, as one of its processes ended; a program whose "
            f"executor spawns processes has to call run under `if __name__ == '__main__':`"
        ) from None
    if not isinstance(future, Future):
        raise TypeError(
            f"executor must return concurrent.futures.Future objects from submit; {type(executor).__name__} returned a "
            f"{type(future).__name__}"
        )
    return future


def check_executor(executor: Any) -> None:
    """Refuses what is no executor, with what to pass instead."""
    if callable(getattr(executor, "get_executor", None)):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor; got a {type(executor).__name__}, whose get_executor() "
            f"returns one"
        )
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor, such as ThreadPoolExecutor(); got {executor!r}, which "
            f"has no submit"
        )


def waiting_room(executor: Executor) -> float:
    """Returns how many cells to hand to an executor at a time, so that other runs find some to compute too."""
    # Workers, those of the standard library and of loky, and mpi4py's say their size; Dask's does not.
    for name in ("count", "_max_workers", "num_workers"):
        workers = getattr(executor, name, None)
        if isinstance(workers, int) and workers > 0:
            return workers
    return float("inf")


def leave_unguarded_import() -> None:
    """Ends a worker that imports, with its program, the call of `run` that started it; `Workers` says what to do."""
    if getattr(current_process(), "_inheriting", False):
        os._exit(1)


def outcome(cell: Cell, future: Future[Record]) -> Record:
    error = future.exception()
    return future.result() if error is None else failure(cell, error)


class Workers(Executor):
    """A pool of processes with one thread each, replaced when one of its processes dies.

    A fork would copy whatever locks the program's threads hold, so processes are spawned. Each holds the reading end of
    a pipe, the lifeline, and leaves as soon as the writing end is gone: when the pool is left by an exception, or its
    process was killed.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.pool = self.start()
        try:
            self.pool.submit(os.getpid).result()
        except BrokenExecutor:
            self.shutdown()
            raise RuntimeError(
                "worker processes could not be started, as they import the program that starts them: call run under "
                "`if __name__ == '__main__':`, or, in a program that is not a file, pass an executor such as "
                "concurrent.futures.ThreadPoolExecutor()"
            ) from None

    def start(self) -> ProcessPoolExecutor:
        context = get_context("spawn")
        self.listening, self.lifeline = context.Pipe(duplex=False)
        return ProcessPoolExecutor(self.count, context, initializer=prepare, initargs=(self.listening,))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As in `Executor`."""
        try:
            return self.pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            self.shutdown()
            self.pool = self.start()
            return self.pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As in `Executor`."""
        self.pool.shutdown(wait, cancel_futures=cancel_futures)
        self.lifeline.close()
        self.listening.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.lifeline.close()
        self.shutdown(cancel_futures=True)


def prepare(lifeline: Connection) -> None:
    """Makes this process a worker."""
    from threadpoolctl import threadpool_limits

    # The parent gets the Ctrl-C, too, and decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with, args=(lifeline,), daemon=True).start()
    threadpool_limits(1)


def leave_with(lifeline: Connection) -> None:
    """Ends this process when nobody holds the other end any more."""
    try:
        lifeline.recv()
    except EOFError:
        os._exit(1)


def available_cpus() -> int:
    """Returns the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
