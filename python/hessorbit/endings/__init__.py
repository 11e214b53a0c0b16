"""Where a descent can end: minima, saddles, flat places, and ways to infinity.

Internal: `hessorbit.classify` and the outcome of `hessorbit.minimize` rest on it.
"""

from __future__ import annotations

from .examine import examine
from .point import CriticalPoint, WayToInfinity

__all__ = ["CriticalPoint", "WayToInfinity", "examine"]
