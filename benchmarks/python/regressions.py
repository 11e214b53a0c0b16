"""Whether the second of two builds is slower than the first, from times in turns.

A call is slower if its median grew by more than the allowed part, and by more than twice what the turns leave in doubt
of the medians: of n turns the range between the quartiles over √n, of both builds together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from summary import duration
from timing import Times

ALLOWED = 0.15


@dataclass(frozen=True)
class Change:
    """A call's times in both builds; None where a build cannot make it."""

    name: str
    old: Times | None
    new: Times | None
    note: str = ""

    @property
    def slow_down(self) -> float:
        """new/old − 1, of the medians; 0 where there is nothing to compare."""
        return self.new.median / self.old.median - 1 if self.old and self.new else 0.0

    @property
    def doubt(self) -> float:
        """How uncertain new/old is."""
        both = [times for times in (self.old, self.new) if times]
        return 2 * math.hypot(*(times.spread / math.sqrt(len(times.turns)) for times in both))

    def slower(self, allowed: float = ALLOWED) -> bool:
        return self.slow_down > max(allowed, self.doubt)


def table(changes: Sequence[Change], allowed: float = ALLOWED) -> str:
    """The changes as lines of a table."""
    lines = ["| call | old | new | change | ± | |", "|---|---|---|---|---|---|"]
    for each in changes:
        times = ["–" if t is None else duration(t.median) for t in (each.old, each.new)]
        numbers = [f"{each.slow_down:+.0%}", f"{each.doubt:.0%}"] if each.old and each.new else ["", ""]
        verdict = "slower" if each.slower(allowed) else each.note
        lines.append(f"| {' | '.join([each.name, *times, *numbers, verdict])} |")
    return "\n".join(lines)
