"""Ends the program after Ctrl-C or SIGTERM without a traceback: while it imports, computes, tidies up, or ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT  # the status of a program that Ctrl-C ended
DEAF_SECONDS = 3.0  # after a signal, in which worker processes are ended and files closed


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ends the program with the status that shells give a signal, where Ctrl-C or SIGTERM ends the block."""
    handler = Interrupts()
    for number, plain in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        # A program that was started in the background is deaf to Ctrl-C, and stays it.
        if signal.getsignal(number) == plain:
            signal.signal(number, handler)
    try:
        yield
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        leave(handler.status)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            leave(handler.status)
        raise
    finally:
        handler.deaf = True


class Interrupts:
    """A handler that raises KeyboardInterrupt, but not when Ctrl-C is pressed again while the program tidies up.

    Attributes
    ----------
    status : int
        That of a program ended by the signal that came.
    deaf : bool
        Whether it does nothing any more, as the program ends.
    """

    def __init__(self) -> None:
        self.status = INTERRUPTED
        self.deaf = False
        self.last = -DEAF_SECONDS

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.deaf or time.monotonic() < self.last + DEAF_SECONDS:
            return
        self.last, self.status = time.monotonic(), 128 + number
        raise KeyboardInterrupt


def leave(status: int) -> NoReturn:
    """Ends the program, and waits for no thread that still computes."""
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise SystemExit(status)
