"""Draws that both targets share: mostly what a call expects, now and then something else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

REFUSALS = (TypeError, ValueError, IndexError, OverflowError, MemoryError, np.linalg.LinAlgError)

Draw = np.random.Generator


def pick(draw: Draw, values: Any) -> Any:
    return values[int(draw.integers(len(values)))]


def seldom(draw: Draw, wrong: Any, right: Any) -> Any:
    """`wrong` one time in twelve."""
    return wrong if draw.random() < 1 / 12 else right


def rarely(draw: Draw, wrong: Any, right: Any) -> Any:
    """`wrong` one time in sixty, for what a call takes many of."""
    return wrong if draw.random() < 1 / 60 else right


def attempt(draw: Draw, calls: list[Callable[[], Any]]) -> None:
    """Make the calls in any order. One that is refused does not keep the others from being made."""
    for index in draw.permutation(len(calls)):
        with suppress(*REFUSALS):
            calls[index]()
