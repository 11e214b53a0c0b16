"""`best_conditioned` seeks the best-conditioned point over a network's orbit or over its widenings; `grow` widens."""

from __future__ import annotations

from .best import best_conditioned
from .growth import Growth, grow
from .result import BestConditioned

__all__ = ["BestConditioned", "Growth", "best_conditioned", "grow"]


def __dir__() -> list[str]:
    return list(__all__)
