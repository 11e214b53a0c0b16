"""The global minima of a one-hidden-layer student: how many, where the nearest is, how likely a start is near one."""

from __future__ import annotations

from .counting import MinimumSubspace, count_minima, enumerate_minima
from .nearest import NearestMinimum, nearest_minimum
from .teacher import ReducibleTeacherError

__all__ = [
    "MinimumSubspace",
    "NearestMinimum",
    "ReducibleTeacherError",
    "count_minima",
    "enumerate_minima",
    "nearest_minimum",
]
