"""Where cells are computed: an executor of one's own, or one by name, and how many cells it is handed at a time.

    processes              worker processes of this machine, the default
    threads                threads of this process
    dask                   a Dask cluster of this machine
    dask://host:port       the Dask cluster with its scheduler there

An executor has a `submit` that returns a future. Objects with `done()` and `result()` will do, such as submitit's jobs;
they are asked from time to time.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from .._checks import with_article
from .processes import NOT_STARTED, Workers, born_deaf

NAMES = ("processes", "threads", "dask", "dask://host:port")
SCHEME = "dask://"
ROOM = 32  # cells that an executor is handed at a time if it does not say how many workers it has
CONNECT_SECONDS = 30.0  # to a scheduler
SILENT = logging.CRITICAL + 1  # the level of a log that writes nothing
PER_WORKER = 2  # cells at a time for each worker of a cluster, so that none waits for the next one


def check_executor(executor: Any) -> None:
    """Refuses what is no executor, with what to pass instead."""
    if executor is None:
        return
    if isinstance(executor, str):
        if executor not in NAMES[:3] and not (executor.startswith(SCHEME) and len(executor) > len(SCHEME)):
            raise ValueError(f"executor must be {', '.join(NAMES[:3])} or {NAMES[3]}; got {executor!r}")
        return
    if callable(getattr(executor, "get_executor", None)):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor; got {with_article(type(executor))}, whose "
            f"get_executor() returns one"
        )
    if not callable(getattr(executor, "submit", None)):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor, such as ThreadPoolExecutor(), or one of "
            f"{', '.join(NAMES)}; got {executor!r}, which has no submit"
        )


def opened(stack: ExitStack, executor: Executor | str | None, workers: int | None, cells: int) -> Executor:
    """Returns an executor that the stack closes at its end if it was made here; for so many cells."""
    if executor is not None and not isinstance(executor, str):
        return executor
    count = min(workers or available_cpus(), cells)
    if executor in (None, "processes"):
        return stack.enter_context(Workers(count))
    if executor == "threads":
        return stack.enter_context(Threads(count))
    assert executor is not None
    return dask_executor(stack, executor, count)


class Threads(ThreadPoolExecutor):
    """A pool of threads; an exception does not wait for what they compute."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.shutdown(wait=kind is None, cancel_futures=True)


def dask_executor(stack: ExitStack, name: str, count: int) -> Executor:
    """Returns the executor of a Dask cluster: of the one at an address, or one of so many processes made here."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise RuntimeError(
            f'executor {name!r} needs a package that is not installed: pip install "hessorbit[cluster]"'
        ) from None
    stack.enter_context(silenced("distributed"))
    try:
        if name.startswith(SCHEME):
            where: Any = "tcp://" + name.removeprefix(SCHEME)
        else:
            # Two clusters of a machine cannot have one port for what they say of themselves.
            options: Any = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": SILENT}
            with born_deaf():
                where = stack.enter_context(LocalCluster(n_workers=count, **options))
        client = stack.enter_context(Client(where, timeout=CONNECT_SECONDS, set_as_default=False))
        if not name.startswith(SCHEME):
            stack.push(partial(kill_on_error, where))
    except RuntimeError:
        raise RuntimeError(NOT_STARTED) from None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RuntimeError(f"executor {name!r} cannot be reached: {reason}") from None
    executor: Executor = client.get_executor(pure=False)
    return executor


@contextmanager
def silenced(name: str) -> Iterator[None]:
    """Lets a logger's handlers write nothing in the block, as of a cluster that is closed or killed."""
    handlers = logging.getLogger(name).handlers
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(SILENT)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


def kill_on_error(cluster: Any, kind: type[BaseException] | None, *_: object) -> None:
    """Ends the worker processes of a cluster at once where an exception ends its run, as a cell may take minutes."""
    if kind is None:
        return
    for nanny in cluster.workers.values():
        if nanny.pid:
            with suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)


def missing_workers(executor: Any) -> bool:
    """Says whether an executor is one of a cluster without workers, as far as it tells."""
    nthreads = getattr(getattr(executor, "_client", None), "nthreads", None)
    try:
        return callable(nthreads) and not nthreads()
    except OSError:  # the scheduler does not answer just now
        return False


def room_of(executor: Any) -> Callable[[], int]:
    """Returns a function that says how many cells to hand to an executor at a time.

    They are few, so that other runs that share the store find some to compute too, and a list of thousands does not
    fill a scheduler. A cluster may grow while it runs, so it is asked again.
    """
    # Workers, those of the standard library and of loky, and mpi4py's say their size.
    for name in ("count", "_max_workers", "num_workers"):
        workers = getattr(executor, name, None)
        if isinstance(workers, int) and workers > 0:
            return lambda: workers
    nthreads = getattr(getattr(executor, "_client", None), "nthreads", None)
    if callable(nthreads):  # Dask's
        return lambda: max(ROOM, PER_WORKER * sum(nthreads().values()))
    return lambda: ROOM


def available_cpus() -> int:
    """Returns the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
