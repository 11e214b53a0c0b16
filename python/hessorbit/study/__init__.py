"""The width study: students of growing width on the same teacher and data, and what the Hessian makes of them.

`WidthStudy` runs it, `load` reads what an earlier run stored; both return a `StudyResult`. `recover` saves what is
intact in a damaged store.
"""

from __future__ import annotations

from .damage import DamagedStoreError
from .recovery import Recovery, recover
from .result import StudyResult, load
from .sweep import WidthStudy

__all__ = ["DamagedStoreError", "Recovery", "StudyResult", "WidthStudy", "load", "recover"]
