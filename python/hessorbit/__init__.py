"""Exact Hessians of small multilayer perceptrons, and the symmetries of their weight space.

Two nouns carry everything: an `MLP`, the immutable description of a network, and its parameters θ, a plain NumPy
vector. An `Objective` binds a network to data; whatever else there is takes an objective or a network, and a θ.
"""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

from ._cpu import __version__ as __version__
from .network import MLP
from .objective import Objective

if _typing.TYPE_CHECKING:
    from . import conditioning, equivalence, minima, optimize, study, symmetry
    from .conditioning import BestConditioned, best_conditioned
    from .config import configuration, show_config
    from .equivalence import CanonicalForm, Equivalence, canonical, equivalent
    from .minima import (
        MinimumSubspace,
        NearestMinimum,
        ReachProbability,
        ReducibleTeacherError,
        count_minima,
        enumerate_minima,
        nearest_minimum,
        reach_probability,
    )
    from .optimize import Interrupted, Stop, Trajectory, minimize
    from .saving import load, save
    from .spectra import ConditionNumber, Spectrum, spectrum
    from .study import StudyResult, WidthStudy
    from .symmetry import GroupElement, SymmetryGroup, Widening, ZeroModes, symmetries, zero_modes

# Rooms, and where the names of each are found: loaded at first use, as they import SciPy and more.
_ROOMS = {
    "conditioning": ["BestConditioned", "best_conditioned"],
    "equivalence": ["CanonicalForm", "Equivalence", "canonical", "equivalent"],
    "minima": [
        "MinimumSubspace",
        "NearestMinimum",
        "ReachProbability",
        "ReducibleTeacherError",
        "count_minima",
        "enumerate_minima",
        "nearest_minimum",
        "reach_probability",
    ],
    "optimize": ["Interrupted", "Stop", "Trajectory", "minimize"],
    "study": ["StudyResult", "WidthStudy"],
    "symmetry": ["GroupElement", "SymmetryGroup", "Widening", "ZeroModes", "symmetries", "zero_modes"],
}
_MODULE_OF = {
    **{name: room for room, names in _ROOMS.items() for name in names},
    **dict.fromkeys(["ConditionNumber", "Spectrum", "spectrum"], "spectra"),
    **dict.fromkeys(["configuration", "show_config"], "config"),
    **dict.fromkeys(["load", "save"], "saving"),
}

__all__ = [
    "MLP",
    "BestConditioned",
    "CanonicalForm",
    "ConditionNumber",
    "Equivalence",
    "GroupElement",
    "Interrupted",
    "MinimumSubspace",
    "NearestMinimum",
    "Objective",
    "ReachProbability",
    "ReducibleTeacherError",
    "Spectrum",
    "Stop",
    "StudyResult",
    "SymmetryGroup",
    "Trajectory",
    "Widening",
    "WidthStudy",
    "ZeroModes",
    "best_conditioned",
    "canonical",
    "conditioning",
    "configuration",
    "count_minima",
    "enumerate_minima",
    "equivalence",
    "equivalent",
    "load",
    "minima",
    "minimize",
    "nearest_minimum",
    "optimize",
    "reach_probability",
    "save",
    "show_config",
    "spectrum",
    "study",
    "symmetries",
    "symmetry",
    "zero_modes",
]


def __getattr__(name: str) -> _typing.Any:
    if name in _ROOMS:
        return _importlib.import_module(f".{name}", __name__)
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
