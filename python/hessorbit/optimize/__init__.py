"""`minimize` lowers an objective by first-order descent, in trust regions, or along its gradient flow."""

from __future__ import annotations

from .minimization import METHODS, Interrupted, minimize
from .outcome import Stop
from .run import Trajectory

__all__ = ["METHODS", "Interrupted", "Stop", "Trajectory", "minimize"]


def __dir__() -> list[str]:
    return list(__all__)
