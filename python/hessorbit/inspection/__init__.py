"""One trained network, one report: what its loss, its gradient, its Hessian and its symmetries are at θ."""

from __future__ import annotations

from .blocks import Block
from .directions import Direction
from .everything import inspect
from .neurons import NeuronNote
from .result import Inspection

__all__ = ["Block", "Direction", "Inspection", "NeuronNote", "inspect"]


def __dir__() -> list[str]:
    return list(__all__)
