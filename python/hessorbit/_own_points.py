"""Points that the library chooses by itself, as trial steps and far points on curves: nothing is warned of there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

chosen_here: ContextVar[bool] = ContextVar("chosen_here", default=False)


@contextmanager
def own_points(own: bool = True) -> Iterator[None]:
    """Until the end, points are of the library's choosing; or the user's again, as in a callback."""
    token = chosen_here.set(own)
    try:
        yield
    finally:
        chosen_here.reset(token)
