"""Timing two or more contestants side by side.

Each contestant is a process of its own, by its own Python if one is named, and a turn ends when that process is at
rest: threads of a library may spin on the cores, or give gigabytes back, for a second after its call, and would slow
whoever comes next. Everything is warmed up first; then the contestants take turns, so that whatever else the machine
does falls on all of them alike. A fast call is repeated within its turn until the clock resolves it. If asked for, the
same contestants take turns once more beside a process that keeps one core busy.
"""

from __future__ import annotations

import os
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

Call = Callable[[], object]
Maker = Callable[[], Call]  # makes the call in the contestant's process; picklable

SHORTEST_TURN = 0.05  # seconds
SETTLING = 0.1  # seconds
AT_REST = 2e-3  # seconds of CPU time in twenty times as long
LONGEST_REST = 10.0  # seconds
SLOW = 1.0  # seconds; two calls warm up a slower callable, and one makes a turn
SLOWEST = 10.0  # seconds; the only call of a slower callable is its turn


@dataclass(frozen=True)
class Times:
    """Seconds per call in each turn, on an idle machine and, if measured, beside a busy process."""

    turns: tuple[float, ...]
    busy: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.turns)

    @property
    def spread(self) -> float:
        """The range between the quartiles of the turns, as a part of the median; 0 for a single turn."""
        return spread(self.turns)

    def scaled(self, factor: float) -> Times:
        return Times(tuple(factor * t for t in self.turns), tuple(factor * t for t in self.busy))

    def less(self, seconds: float) -> Times:
        """What is left of each turn after so many seconds."""
        return Times(tuple(t - seconds for t in self.turns))

    def record(self) -> dict[str, Any]:
        """The numbers that a history keeps."""
        record = {"median": self.median, "spread": self.spread, "turns": len(self.turns)}
        return {**record, "busy": statistics.median(self.busy)} if self.busy else record


def spread(turns: tuple[float, ...]) -> float:
    if len(turns) < 2:
        return 0.0
    low, _, high = statistics.quantiles(turns, n=4, method="inclusive")
    return (high - low) / statistics.median(turns)


@dataclass
class Pace:
    """How long contests take: as many as `turns` turns, fewer after so many seconds, warm-up excluded."""

    turns: int = 7
    seconds: float = 30.0
    busy: bool = False


PACE = Pace()


def seconds(call: Call, count: int = 1) -> float:
    """Seconds per call."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def repetitions(call: Call) -> tuple[int, float]:
    """Calls that make a turn, and the seconds of the first; warms up on the way: that compiles, starts threads, etc."""
    first = seconds(call)
    if first > SLOWEST or (first > SLOW and seconds(call) > SLOW):
        return 1, first
    return max(1, round(SHORTEST_TURN / max(seconds(call), 1e-7))), first


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


def contestant(read: IO[bytes], write: IO[bytes]) -> None:
    """Make the call that is sent, warm it up, and answer every message with the seconds per call of a turn."""

    def say(answer: float | str) -> None:
        pickle.dump(answer, write)
        write.flush()

    try:
        call = pickle.load(read)()
        count, first = repetitions(call)
        rest()
        say(first)
        while pickle.load(read):
            settle(call, count)
            result = seconds(call, count)
            rest()
            say(result)
    except Exception as error:
        say(f"{type(error).__name__}: {error}")


class Contestant:
    """The other end of a process that runs `contestant`."""

    def __init__(self, maker: Maker, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(Path(__file__).resolve())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._send(maker)

    def _send(self, message: object) -> None:
        assert self.process.stdin
        pickle.dump(message, self.process.stdin)
        self.process.stdin.flush()

    def _answer(self) -> float:
        """What it says next; RuntimeError with its words if it failed."""
        assert self.process.stdout
        answer = pickle.load(self.process.stdout)
        if isinstance(answer, str):
            raise RuntimeError(answer)
        return float(answer)

    def warm_up(self) -> None:
        self.first = self._answer()

    def turn(self) -> float:
        if self.first > SLOWEST:
            return self.first
        self._send(True)
        return self._answer()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()


@contextmanager
def busy_core() -> Iterator[None]:
    """Beside a process that never rests."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def contest(
    makers: Mapping[str, Maker],
    *,
    turns: int | None = None,
    pythons: Mapping[str, str] | None = None,
    pace: Pace = PACE,
) -> dict[str, Times]:
    """The times of each contestant.

    Parameters
    ----------
    turns : int, optional
        At least as many as the pace says, if it says fewer.
    pythons : mapping, optional
        The interpreter of each contestant; by default this one.
    """
    most = max(pace.turns, turns or 0)
    with ExitStack() as stack:
        contestants = {}
        for name, maker in makers.items():
            contestants[name] = Contestant(maker, (pythons or {}).get(name, sys.executable))
            stack.callback(contestants[name].end)
            contestants[name].warm_up()
        result = {name: Times(tuple(each)) for name, each in in_turns(contestants, most, pace.seconds).items()}
        if pace.busy and not alone(contestants):
            with busy_core():
                times = in_turns(contestants, most, pace.seconds)
            result = {name: replace(each, busy=tuple(times[name])) for name, each in result.items()}
    return result


def in_turns(contestants: Mapping[str, Contestant], most: int, longest: float) -> dict[str, list[float]]:
    """Seconds per call of each in every turn."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    start = time.perf_counter()
    for _ in range(most):
        for name, each in contestants.items():
            times[name].append(each.turn())
        if time.perf_counter() - start > longest or alone(contestants):
            break
    return times


def alone(contestants: Mapping[str, Contestant]) -> bool:
    """Whether somebody's first call is its only turn, so that everybody has one."""
    return any(each.first > SLOWEST for each in contestants.values())


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    contestant(sys.stdin.buffer, answers)
