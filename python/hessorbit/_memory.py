"""Refuses results that this machine has no memory for, before the system would end the process."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from ._checks import Array

GIGABYTE = 1e9


def check_room(shape: tuple[int, ...], theta: Array, what: str, remedy: str) -> None:
    """Refuses an array of this shape for each θ (P,) of a batch (B, P), in θ's precision, if it does not fit."""
    size = math.prod(map(float, (*theta.shape[:-1], *shape))) * theta.itemsize
    room = available()
    if size > room:
        raise ValueError(
            f"{what} would take {size / GIGABYTE:.3g} GB, an array of shape {(*theta.shape[:-1], *shape)}, and "
            f"{room / GIGABYTE:.3g} GB are free: {remedy}"
        )


def available() -> float:
    """Returns the bytes that a process may still take; infinite where the system does not say."""
    limits = [entry("/proc/meminfo", r"MemAvailable:\s*(\d+) kB", 1024)]
    if math.isinf(limits[0]) and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        limits.append(float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE"))
    used = entry("/sys/fs/cgroup/memory.current", r"^(\d+)", 1)
    if math.isfinite(used):  # in a container
        limits.append(entry("/sys/fs/cgroup/memory.max", r"^(\d+)", 1) - used)
    return min(limits)


def entry(path: str, pattern: str, unit: int) -> float:
    """Returns a number of a system's file in bytes; infinite if it is not there."""
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"))
    except OSError:
        return math.inf
    return float(found[1]) * unit if found else math.inf
