"""What a comparison yields: rows, and geometric means over groups of them, each with its goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from timing import Times


@dataclass(frozen=True)
class Row:
    """One thing timed, beside a rival or a budget if there is one; `goal` is the least ratio theirs / ours wanted."""

    contest: str
    case: str
    rival: str
    ours: Times
    theirs: Times | None = None
    goal: float | None = None
    note: str = ""

    def record(self) -> dict[str, Any]:
        """The row as a history keeps it."""
        theirs = {} if self.theirs is None else {"theirs": self.theirs.record(), "goal": self.goal}
        note = {"note": self.note} if self.note else {}
        key = {"contest": self.contest, "case": self.case, "rival": self.rival}
        return {**key, "ours": self.ours.record(), **theirs, **note}


def budget(seconds: float) -> Times:
    """What a call may take."""
    return Times((seconds,))


# From here on rows are what `Row.record` made of them.
Record = dict[str, Any]

# Goals for geometric means, by contest and rival.
MEAN_GOALS = {("Hessian", "jax"): 150.0, ("Hessian", "torch"): 400.0}


def ratio(row: Record, when: str = "median") -> float | None:
    """Their time over ours, idle or "busy"; None if it was not measured."""
    theirs = row.get("theirs", {})
    return theirs[when] / row["ours"][when] if when in theirs and when in row["ours"] else None


def reached(row: Record) -> bool | None:
    value = ratio(row)
    return None if value is None or row["goal"] is None else value >= row["goal"]


def geometric_mean(rows: Sequence[Record], contest: str, rival: str) -> tuple[float, int] | None:
    """Of the ratios in one contest against one rival, and of how many; None if none was measured."""
    found = [row for row in rows if (row["contest"], row["rival"]) == (contest, rival)]
    ratios = [value for row in found if (value := ratio(row))]
    return (math.exp(sum(map(math.log, ratios)) / len(ratios)), len(ratios)) if ratios else None


def means(rows: Sequence[Record]) -> list[Record]:
    """Geometric means of ratios over the contests that have a goal for it."""
    found = []
    for (contest, rival), goal in MEAN_GOALS.items():
        if average := geometric_mean(rows, contest, rival):
            mean, count = average
            found.append(
                {"contest": contest, "rival": rival, "count": count, "mean": mean, "goal": goal}
                | {"reached": mean >= goal}
            )
    return found
