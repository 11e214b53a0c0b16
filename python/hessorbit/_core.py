"""The compiled core is loaded at the best instruction level that this CPU has.

What is hot, in float64, is compiled for each level as a module of its own, `_core_<level>`, with the same names in it;
everything else is compiled once, in `_common`. The environment variable HESSORBIT_LEVEL forces a level, and is refused
where the CPU lacks it or this build does not hold it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from hessorbit import _cpu


def choose_level(requested: str | None, built: Sequence[str], supported: Sequence[str]) -> str:
    """Names the level to run: the one requested, else the last of `built` (slowest first) that the CPU supports."""
    usable = [level for level in built if level in supported]
    have = f"this build holds {', '.join(built)}; this CPU runs {', '.join(supported)}"
    if requested:
        if requested not in usable:
            raise ImportError(f"HESSORBIT_LEVEL={requested!r} cannot be used: {have}. Unset it to have one chosen.")
        return requested
    if not usable:
        raise ImportError(f"no instruction level can be used: {have}. Rebuild with -DHESSORBIT_LEVELS=base.")
    return usable[-1]


_level = choose_level(os.environ.get("HESSORBIT_LEVEL"), _cpu.built_levels, _cpu.cpu_levels)
_hot = importlib.import_module(f"hessorbit._core_{_level}")
_common = importlib.import_module("hessorbit._common")

DampedLeastSquares = _hot.DampedLeastSquares
Descent = _hot.Descent
KrylovBasis = _hot.KrylovBasis
Ldlt = _hot.Ldlt
factorise = _hot.factorise
times_columns = _hot.times_columns
Objective = _hot.Objective
ShiftedSystem = _hot.ShiftedSystem
config = _hot.config
lanes = _hot.lanes
symmetric_eigenvalues = _hot.symmetric_eigenvalues
tridiagonal_eigenvalues = _hot.tridiagonal_eigenvalues

GroupElement = _common.GroupElement
MinimaGeometry = _common.MinimaGeometry
Network = _common.Network
NeuronRole = _common.NeuronRole
ObjectiveLongDouble = _common.ObjectiveLongDouble
Population = _common.Population
activation_properties = _common.activation_properties
activation_table = _common.activation_table
all_finite = _common.all_finite
copy_pieces = _common.copy_pieces
flip_even_linear = _common.flip_even_linear
loss_derivatives = _common.loss_derivatives
loss_table = _common.loss_table
nearest_minima = _common.nearest_minima
piece_violations = _common.piece_violations


def _module_of(array: Any) -> ModuleType:
    """Names the module that computes in the scalar of an array."""
    dtype = getattr(array, "dtype", None)
    return _common if dtype is not None and dtype.type is np.longdouble else _hot


def activation_derivatives(name: Any, parameter: Any, z: Any) -> Any:
    """Returns σ, σ' and σ'' of each entry of z (n)."""
    return _module_of(z).activation_derivatives(name, parameter, z)


def outputs(network: Any, theta: Any, x: Any, threads: Any) -> Any:
    """Returns what the network answers to each sample."""
    return _module_of(theta).outputs(network, theta, x, threads)
