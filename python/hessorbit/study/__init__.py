"""The width study: students of growing width on the same teacher and data, and what the Hessian makes of them.

`WidthStudy` runs it, `load` reads what an earlier run stored; both give a `StudyResult`. The command line is in cli.py.
"""

from __future__ import annotations

from .result import StudyResult, load
from .sweep import WidthStudy

__all__ = ["StudyResult", "WidthStudy", "load"]


def __dir__() -> list[str]:
    return list(__all__)
