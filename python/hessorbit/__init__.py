"""Exact Hessians of small multilayer perceptrons, and the symmetries of their weight space.

Two nouns carry everything: an `MLP`, the immutable description of a network, and its parameters θ, a plain NumPy
vector. An `Objective` binds a network to data, a `PopulationObjective` to a teacher and normal inputs; whatever else
there is takes an objective or a network, and a θ.
"""

from __future__ import annotations

import importlib as _importlib
import typing as _typing

from ._cpu import __version__ as __version__
from .network import MLP
from .objective import Objective

if _typing.TYPE_CHECKING:
    from . import conditioning, critical, equivalence, inspection, interop, minima, optimize, plot, study, symmetry
    from .blocks import BlockDiagonal, block_diagonal
    from .condition_number import ConditionNumber
    from .conditioning import BestConditioned, Growth, best_conditioned, grow
    from .config import configuration, show_config
    from .critical import Certificate, CriticalPoint, certify, classify
    from .equivalence import CanonicalForm, Equivalence, canonical, equivalent
    from .extremes import PartialSpectrum
    from .inspection import Inspection, inspect
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
    from .population import PopulationObjective
    from .restricted import RestrictedObjective
    from .saving import load, save
    from .signs import Inertia, inertia
    from .spectra import Spectrum, spectrum
    from .study import StudyResult, WidthStudy
    from .symmetry import GroupElement, SymmetryGroup, Widening, ZeroModes, symmetries, zero_modes
    from .zero_mode_test import ZeroModeTest

# Where public names are found. These modules are loaded at first use, as they import SciPy and more.
_NAMES = {
    "blocks": ["BlockDiagonal", "block_diagonal"],
    "conditioning": ["BestConditioned", "Growth", "best_conditioned", "grow"],
    "config": ["configuration", "show_config"],
    "critical": ["Certificate", "CriticalPoint", "certify", "classify"],
    "equivalence": ["CanonicalForm", "Equivalence", "canonical", "equivalent"],
    "extremes": ["PartialSpectrum"],
    "inspection": ["Inspection", "inspect"],
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
    "population": ["PopulationObjective"],
    "restricted": ["RestrictedObjective"],
    "saving": ["load", "save"],
    "signs": ["Inertia", "inertia"],
    "condition_number": ["ConditionNumber"],
    "spectra": ["Spectrum", "spectrum"],
    "study": ["StudyResult", "WidthStudy"],
    "symmetry": ["GroupElement", "SymmetryGroup", "Widening", "ZeroModes", "symmetries", "zero_modes"],
    "zero_mode_test": ["ZeroModeTest"],
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [  # noqa: RUF022, in the order of dir
    "BestConditioned",
    "BlockDiagonal",
    "CanonicalForm",
    "Certificate",
    "ConditionNumber",
    "CriticalPoint",
    "Equivalence",
    "GroupElement",
    "Growth",
    "Inertia",
    "Inspection",
    "Interrupted",
    "MLP",
    "MinimumSubspace",
    "NearestMinimum",
    "Objective",
    "PartialSpectrum",
    "PopulationObjective",
    "ReachProbability",
    "ReducibleTeacherError",
    "RestrictedObjective",
    "Spectrum",
    "Stop",
    "StudyResult",
    "SymmetryGroup",
    "Trajectory",
    "Widening",
    "WidthStudy",
    "ZeroModeTest",
    "ZeroModes",
    "best_conditioned",
    "block_diagonal",
    "canonical",
    "certify",
    "classify",
    "conditioning",
    "configuration",
    "count_minima",
    "critical",
    "enumerate_minima",
    "equivalence",
    "equivalent",
    "grow",
    "inertia",
    "inspect",
    "inspection",
    "interop",
    "load",
    "minima",
    "minimize",
    "nearest_minimum",
    "optimize",
    "plot",
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
    if name in _MODULE_OF:
        value = getattr(_importlib.import_module(f".{_MODULE_OF[name]}", __name__), name)
        globals()[name] = value
        return value
    if not name.startswith("_"):
        module = f"{__name__}.{name}"
        try:
            return _importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
