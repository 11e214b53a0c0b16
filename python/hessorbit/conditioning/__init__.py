"""The best-conditioned point among equivalent ones: over a network's own orbit, or over its widenings."""

from __future__ import annotations

from .best import BestConditioned, best_conditioned

__all__ = ["BestConditioned", "best_conditioned"]


def __dir__() -> list[str]:
    return list(__all__)
