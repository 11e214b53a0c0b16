"""What a worker of a cluster is asked to do: it finds this module by the path that it gets from the tests."""

from __future__ import annotations

import os
import signal
from typing import Any

from hessorbit.study.cell import run_cell


def first_cell_kills(path: str, settings: Any, cell: Any) -> Any:
    """The worker that computes the first cell dies, and no other."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return run_cell(settings, cell)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
