"""The rows of a comparison as text, and what was reached of the goals."""

from __future__ import annotations

from collections.abc import Sequence

from rows import Row, means


def duration(value: float) -> str:
    """A time with its unit, in three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def mark(reached: bool) -> str:
    return "reached" if reached else "missed"


def print_row(row: Row) -> None:
    print(
        f"{row.contest:24} {row.case:38} ours {duration(row.ours):>8}   {row.rival:>10} {duration(row.theirs):>8}   "
        f"ratio {row.ratio:8.3g}  (goal {row.goal:.3g}: {mark(row.reached)})  {row.note}",
        flush=True,
    )


def print_summary(rows: Sequence[Row]) -> None:
    averages = means(rows)
    print()
    for mean in averages:
        print(
            f"geometric mean over {mean['count']} {mean['contest']}s against {mean['rival']}: {mean['mean']:.3g}  "
            f"(goal {mean['goal']:.3g}: {mark(mean['reached'])})"
        )
    missed = [f"{row.contest} {row.case} against {row.rival}" for row in rows if not row.reached]
    missed += [f"mean of {mean['contest']} against {mean['rival']}" for mean in averages if not mean["reached"]]
    print(f"{len(rows) + len(averages) - len(missed)} goals reached, {len(missed)} missed")
    for name in missed:
        print(f"  missed: {name}")
