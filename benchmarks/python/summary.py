"""The rows of a comparison as text, and the geometric means over the grid of Hessians."""

from __future__ import annotations

import math
from collections.abc import Sequence

from contests import GRID, Row

GRID_GOALS = {"jax": 150, "torch": 400}


def seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def print_row(row: Row) -> None:
    mark = "reached" if row.ratio >= row.goal else "missed"
    print(
        f"{row.contest:24} {row.case:38} ours {seconds(row.ours):>8}   {row.rival:>10} {seconds(row.theirs):>8}   "
        f"ratio {row.ratio:8.3g}  (goal {row.goal:.3g}: {mark})  {row.note}",
        flush=True,
    )


def geometric_mean(rows: Sequence[Row]) -> float:
    return math.exp(sum(math.log(row.ratio) for row in rows) / len(rows))


def print_summary(rows: Sequence[Row]) -> None:
    cases = {str(problem) for problem in GRID}
    for rival, goal in GRID_GOALS.items():
        over = [row for row in rows if row.contest == "Hessian" and row.rival == rival and row.case in cases]
        if over:
            mean = geometric_mean(over)
            mark = "reached" if mean >= goal else "missed"
            print(f"geometric mean over {len(over)} Hessians against {rival}: {mean:.3g}  (goal {goal}: {mark})")
