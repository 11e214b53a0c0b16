"""`configuration` describes what is running: versions, instruction level, compiler, and threads."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np

from hessorbit import _core, _cpu


def configuration() -> dict[str, Any]:
    """Returns a description of this build and this process, as plain values fit for JSON.

    Returns
    -------
    dict
        Keys, in this order: `hessorbit` (version), `level` (the instruction level in use), `built_levels`,
        `cpu_levels`, `compiler`, `eigen`, `openmp` (each a string), `threads` (the number an objective with
        ``threads=None`` uses now), `python`, `numpy`, `scipy` (versions) and `platform`.

    Notes
    -----
    Results differ in their last bits between levels, so a record of a computation should hold this.

    Examples
    --------
    >>> import hessorbit as ho
    >>> ho.configuration()["level"] in ho.configuration()["cpu_levels"]
    True
    """
    import scipy

    core = _core.config()
    return {
        "hessorbit": core["version"],
        "level": core["level"],
        "built_levels": list(_cpu.built_levels),
        "cpu_levels": list(_cpu.cpu_levels),
        "compiler": core["compiler"],
        "eigen": core["eigen"],
        "openmp": core["openmp"],
        "threads": core["threads"],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "platform": platform.platform(),
    }


def show_config() -> None:
    """Prints :func:`configuration`, one entry a line.

    The environment variable ``HESSORBIT_LEVEL`` (``base``, ``v2``, ``v3`` or ``v4``), read when hessorbit is imported,
    forces an instruction level.

    Examples
    --------
    >>> import hessorbit as ho
    >>> ho.show_config()  # doctest: +ELLIPSIS
    hessorbit     ...
    level         ...
    """
    for name, value in configuration().items():
        text = ", ".join(value) if isinstance(value, list) else value
        print(f"{name:<13} {text}")
