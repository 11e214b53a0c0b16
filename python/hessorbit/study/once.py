"""`once` has something tried a single time, also where it fails, so that several columns may ask for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# What is raised where something cannot be measured; its column is nan then, and others stand.
UNMEASURED = (ValueError, ArithmeticError, np.linalg.LinAlgError)


def once(function: Callable[[], T]) -> Callable[[], T]:
    """Returns a function that returns or raises what the given one did when it was first called."""

    @cache
    def tried() -> tuple[T] | Exception:
        try:
            return (function(),)
        except UNMEASURED as error:
            return error

    def again() -> T:
        found = tried()
        if isinstance(found, Exception):
            raise found
        return found[0]

    return again
