"""Weight-space symmetries: what an architecture has, and what follows from it for θ and its derivatives."""

from __future__ import annotations

from .even_linear import EvenLinearFlip
from .groups import Factor, SymmetryGroup, symmetries
from .moves import GroupElement
from .tangents import Generator

__all__ = ["EvenLinearFlip", "Factor", "Generator", "GroupElement", "SymmetryGroup", "symmetries"]
