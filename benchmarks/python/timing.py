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
LONGEST_CONTEST = 20.0  # seconds, warm-up excluded
SETTLING = 0.1  # seconds
SLOW = 1.0  # seconds; one call warms up a slower callable, and one makes a turn


def seconds(call: Call, count: int = 1) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def repetitions(call: Call) -> int:
    """Calls that make a turn; warms up on the way, as the first call compiles, starts threads and so on."""
    if seconds(call) > SLOW and seconds(call) > SLOW:
        return 1
    return max(1, round(SHORTEST_TURN / max(seconds(call), 1e-7)))


def settle(call: Call) -> None:
    """Make a fast call for a while, untimed: caches, and threads that still spin, are not what the last one left."""
    start = time.perf_counter()
    while seconds(call) < SLOW and time.perf_counter() - start < SETTLING:
        pass


def contest(calls: Mapping[str, Call], *, turns: int = 7) -> dict[str, float]:
    """Median seconds per call of each, over as many as `turns` turns, fewer where they take long."""
    counts = {name: repetitions(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    start = time.perf_counter()
    while len(next(iter(times.values()))) < turns:
        for name, call in calls.items():
            settle(call)
            times[name].append(seconds(call, counts[name]))
        if time.perf_counter() - start > LONGEST_CONTEST:
            break
    return {name: statistics.median(values) for name, values in times.items()}
