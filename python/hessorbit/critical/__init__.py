"""What a point of the loss is, and proofs of it."""

from __future__ import annotations

from ..endings import CriticalPoint, WayToInfinity
from .certificate import Certificate
from .classification import classify
from .proof import certify

__all__ = ["Certificate", "CriticalPoint", "WayToInfinity", "certify", "classify"]


def __dir__() -> list[str]:
    return list(__all__)
