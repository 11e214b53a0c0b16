"""Timing two or more callables side by side.

Everything is warmed up first; then the contestants take turns, so that whatever else the machine does falls on all of
them alike. A time is the median over the turns; a fast call is repeated within its turn until the clock resolves it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Call = Callable[[], object]

SHORTEST_TURN = 0.02  # seconds
LONGEST_CONTEST = 60.0  # seconds, warm-up excluded


def repetitions(call: Call) -> int:
    """Calls in one turn, after two to warm up."""
    call()
    start = time.perf_counter()
    call()
    return max(1, round(SHORTEST_TURN / max(time.perf_counter() - start, 1e-7)))


def turn(call: Call, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def contest(calls: Mapping[str, Call], *, turns: int = 7) -> dict[str, float]:
    """Median seconds per call of each, over at least three turns and as many as `turns` where time allows."""
    counts = {name: repetitions(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    for number in range(turns):
        for name, call in calls.items():
            times[name].append(turn(call, counts[name]))
        if number >= 2 and time.perf_counter() - start > LONGEST_CONTEST:
            break
    return {name: statistics.median(values) for name, values in times.items()}
