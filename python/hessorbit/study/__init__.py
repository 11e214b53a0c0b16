"""The width study: students of growing width on the same teacher and data, and what the Hessian makes of them.

`WidthStudy` runs it, `load` reads what an earlier run stored; both return a `StudyResult`. `recover` saves what is
intact in a damaged store.
"""

from __future__ import annotations

from .claims import Claim, Doubling, Factor, Finding
from .damage import DamagedStoreError
from .merging import Merge, merge
from .record import Cell, Record
from .recovery import Recovery, recover
from .result import StudyResult, load
from .settings import Settings
from .sweep import WidthStudy
from .teachers import ReachOverTeachers, reach_over_teachers
from .theorem import Theorem

__all__ = [
    "Cell",
    "Claim",
    "DamagedStoreError",
    "Doubling",
    "Factor",
    "Finding",
    "Merge",
    "ReachOverTeachers",
    "Record",
    "Recovery",
    "Settings",
    "StudyResult",
    "Theorem",
    "WidthStudy",
    "load",
    "merge",
    "reach_over_teachers",
    "recover",
]


def __dir__() -> list[str]:
    return list(__all__)
