"""`one_blas_thread` keeps the threads of NumPy's and SciPy's BLAS asleep while small matrices are factorised.

Below a few hundred rows a second thread gains little where the machine is idle. Where it is not, the threads of BLAS
wait for each other, and a factorisation takes tens of times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

SMALL = 300  # rows and columns up to which a matrix is left to one thread


@cache
def controller() -> Any:
    """Returns threadpoolctl's view of the libraries that are loaded, which takes a millisecond to find."""
    import scipy.linalg  # noqa: F401  SciPy's own BLAS must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_blas_thread(size: int) -> Iterator[None]:
    """Limits BLAS to one thread inside of the `with` block, for matrices of up to SMALL rows and columns."""
    if size > SMALL:
        yield
        return
    with controller().limit(limits=1, user_api="blas"):
        yield
