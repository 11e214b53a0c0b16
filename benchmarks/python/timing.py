"""Timing two or more contestants side by side.

Each contestant is a process of its own, and a turn ends when that process is at rest: threads of a library may spin on
the cores, or give gigabytes back, for a second after its call, and would slow whoever comes next. Everything is warmed
up first; then the contestants take turns, so that whatever else the machine does falls on all of them alike. A time is
the median over the turns; a fast call is repeated within its turn until the clock resolves it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection

Call = Callable[[], object]
Maker = Callable[[], Call]  # makes the call in the contestant's process; picklable

SHORTEST_TURN = 0.05  # seconds
LONGEST_CONTEST = 30.0  # seconds, warm-up excluded
SETTLING = 0.1  # seconds
AT_REST = 2e-3  # seconds of CPU time in twenty times as long
LONGEST_REST = 10.0  # seconds
SLOW = 1.0  # seconds; two calls warm up a slower callable, and one makes a turn


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


def settle(call: Call, count: int) -> None:
    """Make a fast call for a while, untimed, as caches and threads went cold while the others had their turns."""
    start = time.perf_counter()
    while count > 1 and time.perf_counter() - start < SETTLING:
        call()


def rest() -> None:
    """Wait until no thread of this process works any more."""
    start, before = time.perf_counter(), -1.0
    while time.process_time() - before > AT_REST and time.perf_counter() - start < LONGEST_REST:
        before = time.process_time()
        time.sleep(20 * AT_REST)


def contestant(maker: Maker, referee: Connection) -> None:
    """Warm up, say so, and answer every message with the seconds per call of a turn until told to stop."""
    try:
        call = maker()
        count = repetitions(call)
        rest()
        referee.send(0.0)
        while referee.recv():
            settle(call, count)
            result = seconds(call, count)
            rest()
            referee.send(result)
    except Exception as error:
        referee.send(error)


def answer(connection: Connection) -> float:
    result = connection.recv()
    if isinstance(result, Exception):
        raise result
    return float(result)


def contest(makers: Mapping[str, Maker], *, turns: int = 7) -> dict[str, float]:
    """Median seconds per call of each, over as many as `turns` turns, fewer where they take long."""
    context = get_context("spawn")
    connections: dict[str, Connection] = {}
    processes = []
    times: dict[str, list[float]] = {name: [] for name in makers}
    try:
        for name, maker in makers.items():
            connections[name], theirs = context.Pipe()
            process = context.Process(target=contestant, args=(maker, theirs), daemon=True)
            process.start()
            processes.append(process)
            theirs.close()
            answer(connections[name])
        start = time.perf_counter()
        while len(next(iter(times.values()))) < turns:
            for name, connection in connections.items():
                connection.send(True)
                times[name].append(answer(connection))
            if time.perf_counter() - start > LONGEST_CONTEST:
                break
        for connection in connections.values():
            connection.send(False)
    finally:
        for process in processes:
            process.join(timeout=5)
            process.kill()
    return {name: statistics.median(values) for name, values in times.items()}
