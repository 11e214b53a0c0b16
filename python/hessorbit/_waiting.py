"""`interruptible` lets Ctrl-C end the wait for computations that cannot be asked to stop, such as LAPACK's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import Any

import numpy as np

from ._blas import SMALL
from ._checks import Array


def side(rows: Array) -> int:
    """Returns the rows of the square matrix that takes as long to factorise, or to multiply by itself, as (n, p)."""
    return round(float(np.cbrt(rows.size * min(rows.shape))))


def interruptible(size: int, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Returns what a function returns for a matrix of `size` rows, while which it lets go of the interpreter's lock.

    Small matrices take less than anybody waits. For others a thread computes, and Ctrl-C raises KeyboardInterrupt at
    once; the computation then goes on to its end, where nobody takes its result.
    """
    if size <= SMALL or threading.current_thread() is not threading.main_thread():  # which alone gets signals
        return function(*arguments, **options)
    result: Future[Any] = Future()
    context = copy_context()

    def compute() -> None:
        try:
            result.set_result(context.run(function, *arguments, **options))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=compute, daemon=True).start()
    # A signal that comes just before a wait does not end it, hence waits of a tenth of a second.
    while not wait([result], 0.1).done:
        pass
    return result.result()
