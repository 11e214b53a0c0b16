"""Weight-space symmetries: what an architecture has, and what follows from it for θ and its derivatives."""

from __future__ import annotations

from .block_preconditioner import BlockPreconditioner, block_preconditioner
from .canonical_form import canonical
from .conditioning import BestConditioned, best_conditioned
from .element import GroupElement
from .equivalence import Equivalence, equivalent
from .even_linear import EvenLinearFlip
from .factors import Factor
from .groups import SymmetryGroup, symmetries
from .tangents import Generator
from .widening import Widening
from .zero_directions import ZeroModes, zero_modes

__all__ = [
    "BestConditioned",
    "BlockPreconditioner",
    "Equivalence",
    "EvenLinearFlip",
    "Factor",
    "Generator",
    "GroupElement",
    "SymmetryGroup",
    "Widening",
    "ZeroModes",
    "best_conditioned",
    "block_preconditioner",
    "canonical",
    "equivalent",
    "symmetries",
    "zero_modes",
]
