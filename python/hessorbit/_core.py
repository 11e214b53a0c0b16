"""The compiled core, at the best instruction level that this CPU has.

Each level is a module of its own, `_core_<level>`, with the same names in it. The environment variable
HESSORBIT_LEVEL forces one, and is refused where the CPU lacks it or this build does not hold it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

from hessorbit import _cpu


def choose_level(requested: str | None, built: Sequence[str], supported: Sequence[str]) -> str:
    """Name the level to run: the one requested, else the last of `built` (slowest first) that the CPU supports."""
    usable = [level for level in built if level in supported]
    have = f"this build holds {', '.join(built)}; this CPU runs {', '.join(supported)}"
    if requested:
        if requested not in usable:
            raise ImportError(f"HESSORBIT_LEVEL={requested!r} cannot be used: {have}. Unset it to have one chosen.")
        return requested
    if not usable:
        raise ImportError(f"no instruction level can be used: {have}. Rebuild with -DHESSORBIT_LEVELS=base.")
    return usable[-1]


_module = importlib.import_module(
    f"hessorbit._core_{choose_level(os.environ.get('HESSORBIT_LEVEL'), _cpu.built_levels, _cpu.cpu_levels)}"
)

Descent = _module.Descent
GroupElement = _module.GroupElement
Network = _module.Network
Objective = _module.Objective
ObjectiveLongDouble = _module.ObjectiveLongDouble
activation_derivatives = _module.activation_derivatives
activation_properties = _module.activation_properties
activation_table = _module.activation_table
all_finite = _module.all_finite
config = _module.config
flip_even_linear = _module.flip_even_linear
nearest_minima = _module.nearest_minima
outputs = _module.outputs
