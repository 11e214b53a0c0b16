"""Pictures of spectra, landscapes, orbits and minimisations.

Every function draws into the axes given, or into new ones, and returns them. matplotlib is imported when one is called;
the extra ``hessorbit[plot]`` brings it.
"""

from __future__ import annotations

from .history import history
from .landscape import landscape
from .orbit import orbit
from .slices import Slice, slice_of
from .spectrum import spectrum

__all__ = ["Slice", "history", "landscape", "orbit", "slice_of", "spectrum"]


def __dir__() -> list[str]:
    return list(__all__)
