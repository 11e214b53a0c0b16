"""Minimisation of an objective: first-order descent, trust regions and gradient flow."""

from __future__ import annotations

from .minimization import METHODS, Interrupted, minimize
from .run import Stop, Trajectory

__all__ = ["METHODS", "Interrupted", "Stop", "Trajectory", "minimize"]


def __dir__() -> list[str]:
    return list(__all__)
