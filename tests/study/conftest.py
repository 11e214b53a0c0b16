"""One small study, run once for all tests that only read it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import hessorbit as ho
from hessorbit.study import StudyResult

SMALL = {"inputs": 2, "teacher_width": 2, "widths": [2, 4, 8], "seeds": 5, "samples": 40, "max_steps": 400}


@pytest.fixture(scope="session")
def study() -> ho.WidthStudy:
    return ho.WidthStudy(**SMALL)


@pytest.fixture(scope="session")
def result(study: ho.WidthStudy) -> StudyResult:
    with ThreadPoolExecutor(2) as executor:
        return study.run(executor=executor)
