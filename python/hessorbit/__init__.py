"""Exact Hessians of small multilayer perceptrons, and the symmetries of their weight space.

Two nouns carry everything: an `MLP`, the immutable description of a network, and its parameters θ, a plain NumPy
vector. An `Objective` binds a network to data; whatever else there is takes an objective or a network, and a θ.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._cpu import __version__ as __version__
from .network import MLP
from .objective import Objective

if TYPE_CHECKING:
    from .config import configuration as configuration
    from .config import show_config as show_config
    from .minima import count_minima as count_minima
    from .minima import enumerate_minima as enumerate_minima
    from .minima import nearest_minimum as nearest_minimum
    from .minima import reach_probability as reach_probability
    from .optimize import minimize as minimize
    from .spectra import spectrum as spectrum
    from .study import WidthStudy as WidthStudy
    from .symmetry import Widening as Widening
    from .symmetry import best_conditioned as best_conditioned
    from .symmetry import canonical as canonical
    from .symmetry import equivalent as equivalent
    from .symmetry import symmetries as symmetries
    from .symmetry import zero_modes as zero_modes

# Names whose modules import SciPy and more: loaded at first use, so that `import hessorbit` stays cheap.
_LAZY = {
    "minimize": "optimize",
    "spectrum": "spectra",
    "symmetries": "symmetry",
    "zero_modes": "symmetry",
    "equivalent": "symmetry",
    "canonical": "symmetry",
    "Widening": "symmetry",
    "best_conditioned": "symmetry",
    "count_minima": "minima",
    "enumerate_minima": "minima",
    "nearest_minimum": "minima",
    "reach_probability": "minima",
    "WidthStudy": "study",
    "configuration": "config",
    "show_config": "config",
}

__all__ = [
    "MLP",
    "Objective",
    "Widening",
    "WidthStudy",
    "best_conditioned",
    "canonical",
    "configuration",
    "count_minima",
    "enumerate_minima",
    "equivalent",
    "minimize",
    "nearest_minimum",
    "reach_probability",
    "show_config",
    "spectrum",
    "symmetries",
    "zero_modes",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
