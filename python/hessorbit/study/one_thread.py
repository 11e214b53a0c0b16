"""Limits BLAS and OpenMP to one thread while a cell is computed, in whatever process or thread that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._blas import calm_blas


@contextmanager
def one_thread() -> Iterator[None]:
    """Limits both inside of the `with` block.

    BLAS has one limit for the process, which is lifted when the last block ends; OpenMP's is that of the thread.
    """
    with calm_blas(1), openmp().limit(limits=1):
        yield


def openmp() -> Any:
    """Returns the OpenMP libraries that are loaded by then, which take a millisecond to find."""
    import scipy.linalg  # noqa: F401  libraries must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="openmp")
