"""Where cells are computed: an executor of one's own, or one by name, and how many cells it is handed at a time.

    processes              worker processes of this machine, the default
    threads                threads of this process
    dask                   a Dask cluster of this machine
    dask://host:port       the Dask cluster with its scheduler there

An executor has a `submit` that returns a future. Objects with `done()` and `result()` will do, such as submitit's jobs;
they are asked from time to time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from .._checks import with_article
from .processes import NOT_STARTED, Workers

NAMES = ("processes", "threads", "dask", "dask://host:port")
SCHEME = "dask://"
ROOM = 32  # cells that an executor is handed at a time if it does not say how many workers it has
CONNECT_SECONDS = 30.0  # to a scheduler
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
        return stack.enter_context(ThreadPoolExecutor(count, initializer=None))
    assert executor is not None
    return dask_executor(stack, executor, count)


def dask_executor(stack: ExitStack, name: str, count: int) -> Executor:
    """Returns the executor of a Dask cluster: of the one at an address, or one of so many processes made here."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise RuntimeError(
            f'executor {name!r} needs a package that is not installed: pip install "hessorbit[cluster]"'
        ) from None
    try:
        if name.startswith(SCHEME):
            where: Any = "tcp://" + name.removeprefix(SCHEME)
        else:
            where = stack.enter_context(
                LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None, silence_logs=50)
            )
        client = stack.enter_context(Client(where, timeout=CONNECT_SECONDS, set_as_default=False))
    except RuntimeError:
        raise RuntimeError(NOT_STARTED) from None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise RuntimeError(f"executor {name!r} cannot be reached: {reason}") from None
    executor: Executor = client.get_executor(pure=False)
    return executor


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
