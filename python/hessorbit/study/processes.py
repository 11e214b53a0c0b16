"""Worker processes: one thread each, started by spawn, ended with their parent, replaced when one dies."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection
from multiprocessing.resource_tracker import ensure_running
from typing import Any

NOT_STARTED = (
    "worker processes could not be started, as they import the program that starts them: call run under "
    "`if __name__ == '__main__':`, or, in a program that is not a file, pass executor=\"threads\""
)


def leave_unguarded_import() -> None:
    """Ends a worker that imports, with its program, the call of `run` that started it; `Workers` says what to do."""
    if getattr(current_process(), "_inheriting", False):
        os._exit(1)


@contextmanager
def born_deaf() -> Iterator[None]:
    """Starts processes in the block, and threads that start them, deaf to Ctrl-C, which is for their parent to answer.

    A terminal sends it to all of them. This process gets it at the end of the block.
    """
    ensure_running()  # as the start of this process of multiprocessing's lets signals in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
            self.submit(os.getpid).result()
        except BaseException as error:
            self.__exit__(type(error))
            if isinstance(error, BrokenExecutor):
                raise RuntimeError(NOT_STARTED) from None
            raise

    def start(self) -> ProcessPoolExecutor:
        context = get_context("spawn")
        self.listening, self.lifeline = context.Pipe(duplex=False)
        return ProcessPoolExecutor(self.count, context, initializer=prepare, initargs=(self.listening,))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As in `Executor`."""
        with born_deaf():  # as a process is started when there is something for it to do
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
    threading.Thread(target=leave_with, args=(lifeline,), daemon=True).start()


def leave_with(lifeline: Connection) -> None:
    """Ends this process when nobody holds the other end any more."""
    try:
        lifeline.recv()
    except EOFError:
        os._exit(1)
