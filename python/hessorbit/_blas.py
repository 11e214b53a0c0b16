"""`calm_blas` keeps the threads of NumPy's and SciPy's BLAS asleep where they would be in the way.

Below a few hundred rows a second thread gains little where the machine is idle. Where it is not, the threads of BLAS
wait for each other, and a factorisation takes tens of times as long. Larger matrices get as many threads as there are
CPUs that nobody uses, and so does the core (`core_threads`), within the limit of OpenMP.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from . import _core

SMALL = 300  # rows and columns up to which a matrix is left to one thread
TINY = 64  # up to which BLAS keeps to one thread by itself

lock = threading.Lock()
wanted: list[int] = []  # the limits of calls that are under way
before: list[tuple[Any, int]] = []  # the libraries, and their numbers of threads when the first of these calls began


@cache
def libraries() -> list[Any]:
    """Returns the BLAS libraries that are loaded, which take a millisecond to find."""
    import scipy.linalg  # noqa: F401  SciPy's own BLAS must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


def idle_cpus() -> int:
    """Returns how many CPUs are idle, but for this thread's own; all of them where the system does not tell."""
    cpus = os.cpu_count() or 1
    try:
        running = int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].split("/")[0])
        if running > 1 and threading.active_count() == 1:
            running -= helpers()
    except (OSError, ValueError, IndexError):
        return cpus
    return min(cpus, max(1, cpus + 1 - running))


def core_threads(size: int) -> int:
    """Returns how many threads the core should take for a matrix of so many rows: idle CPUs within OpenMP's limit."""
    return 1 if size <= SMALL else min(idle_cpus(), _core.config()["threads"])


def helpers() -> int:
    """Returns how many threads run that this process has beside Python's only one.

    They wait for work awhile, those of BLAS for milliseconds, before they sleep.
    """
    stats = [task.read_text(encoding="ascii") for task in Path("/proc/self/task").glob("*/stat")]
    return max(0, sum(stat.rpartition(")")[2].split()[0] == "R" for stat in stats) - 1)


@contextmanager
def calm_blas(size: int) -> Iterator[None]:
    """Limits BLAS inside of the `with` block, for matrices of so many rows and columns; the limit is the process's.

    Where several threads are inside, the least of their limits holds for all.
    """
    limit = 1 if size <= SMALL else idle_cpus()
    with lock:
        if not wanted:
            before[:] = [(library, library.get_num_threads()) for library in libraries()]
        wanted.append(limit)
        apply()
    try:
        yield
    finally:
        with lock:
            wanted.remove(limit)
            apply()


def apply() -> None:
    for library, threads in before:
        set_threads(library, min(threads, *wanted) if wanted else threads)


def set_threads(library: Any, count: int) -> None:
    """Sets the number of a library, whichever thread of Python asks.

    threadpoolctl from 3.8 on lets the first thread that sets OpenBLAS's keep it, and ignores others while that lives.
    """
    release = getattr(library, "clear_controlling_thread", None)
    if release is None:
        library.set_num_threads(count)
        return
    release(force=True)
    library.set_num_threads(count)
    release(force=True)


def in_forked_child() -> None:
    """Makes a lock that nobody holds, as another thread may have held it."""
    global lock
    lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=in_forked_child)
