"""Weight-space symmetries: what an architecture has, and what follows from it for θ and its derivatives."""

from __future__ import annotations

from .block_preconditioner import BlockPreconditioner
from .copies import Copies
from .element import GroupElement
from .even_linear import EvenLinearFlip
from .factors import Factor
from .group import SymmetryGroup, symmetries
from .inertia import Inertia
from .predicted_zero_modes import ZeroModes, zero_modes
from .tangents import Generator
from .widening import Widening

__all__ = [
    "BlockPreconditioner",
    "Copies",
    "EvenLinearFlip",
    "Factor",
    "Generator",
    "GroupElement",
    "Inertia",
    "SymmetryGroup",
    "Widening",
    "ZeroModes",
    "symmetries",
    "zero_modes",
]


def __dir__() -> list[str]:
    return list(__all__)
