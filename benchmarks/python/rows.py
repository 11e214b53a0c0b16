"""What a comparison yields: rows, and geometric means over groups of them, each with its goal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One thing timed on both sides; `goal` is the least ratio theirs / ours asked for."""

    contest: str
    case: str
    rival: str
    ours: float  # seconds
    theirs: float  # seconds
    goal: float
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours

    @property
    def reached(self) -> bool:
        return self.ratio >= self.goal

    def record(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "reached": self.reached}


# Goals for geometric means, by contest and rival.
MEAN_GOALS = {("Hessian", "jax"): 150.0, ("Hessian", "torch"): 400.0}


def means(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Geometric means of ratios over the contests that have a goal for it."""
    found = []
    for (contest, rival), goal in MEAN_GOALS.items():
        ratios = [row.ratio for row in rows if (row.contest, row.rival) == (contest, rival)]
        if ratios:
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            found.append(
                {"contest": contest, "rival": rival, "count": len(ratios), "mean": mean, "goal": goal}
                | {"reached": mean >= goal}
            )
    return found
