"""What a point of the loss is, and proofs of it."""

from __future__ import annotations

from .certificate import Certificate
from .proof import certify

__all__ = ["Certificate", "certify"]


def __dir__() -> list[str]:
    return list(__all__)
