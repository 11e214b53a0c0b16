"""`minima` counts the global minima of one-hidden-layer students, finds the nearest, and says how near a start is."""

from __future__ import annotations

from .._core import NeuronRole
from .counting import MinimumSubspace, count_minima, enumerate_minima
from .ending import DescentComparison, compare_descent
from .nearest import NearestMinimum, nearest_minimum
from .reach import ReachProbability, reach_probability
from .scaling import Chance, ReachByWidth, Starts, reach_by_width
from .small_radius import SmallRadiusLaw
from .teacher import ReducibleTeacherError

__all__ = [
    "Chance",
    "DescentComparison",
    "MinimumSubspace",
    "NearestMinimum",
    "NeuronRole",
    "ReachByWidth",
    "ReachProbability",
    "ReducibleTeacherError",
    "SmallRadiusLaw",
    "Starts",
    "compare_descent",
    "count_minima",
    "enumerate_minima",
    "nearest_minimum",
    "reach_by_width",
    "reach_probability",
]


def __dir__() -> list[str]:
    return list(__all__)
