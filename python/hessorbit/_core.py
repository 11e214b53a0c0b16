"""The compiled core, at the best instruction level that this CPU has.

Each level is a module of its own, `_core_<level>`, with the same names in it. The environment variable
HESSORBIT_LEVEL forces one, and is refused where the CPU lacks it or this build does not hold it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from types import ModuleType

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


SPINS = 10_000  # about 0.1 ms


def load(level: str) -> ModuleType:
    """Import the core; its threads wait for work with less spinning than is usual, unless the environment says how.

    Between parallel regions, threads of GNU's OpenMP spin for several milliseconds. These are in the way of BLAS's
    threads, which come next in many calls here, and of every other process. OpenMP reads the environment once, when
    it is loaded, so the variable need not stay.
    """
    name, module = "GOMP_SPINCOUNT", f"hessorbit._core_{level}"
    if name in os.environ or "OMP_WAIT_POLICY" in os.environ:
        return importlib.import_module(module)
    os.environ[name] = str(SPINS)
    try:
        return importlib.import_module(module)
    finally:
        del os.environ[name]


_module = load(choose_level(os.environ.get("HESSORBIT_LEVEL"), _cpu.built_levels, _cpu.cpu_levels))

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
