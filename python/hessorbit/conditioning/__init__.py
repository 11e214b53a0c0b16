"""`best_conditioned` seeks the best-conditioned point over a network's own orbit, or over its widenings."""

from __future__ import annotations

from .best import BestConditioned, best_conditioned

__all__ = ["BestConditioned", "best_conditioned"]


def __dir__() -> list[str]:
    return list(__all__)
