"""The rows of a comparison as text, and what was reached of the goals."""

from __future__ import annotations

from collections.abc import Sequence

from rows import Record, means, ratio, reached


def duration(value: float) -> str:
    """A time with its unit, in three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def mark(reached: bool | None) -> str:
    return "" if reached is None else "reached" if reached else "missed"


def print_row(row: Record) -> None:
    text = f"{row['contest']:24} {row['case']:38} ours {duration(row['ours']['median']):>8}"
    text += f" ± {row['ours']['spread'] / 2:.0%}"
    if "theirs" in row:
        text += f"   {row['rival']:>10} {duration(row['theirs']['median']):>8}   ratio {ratio(row):8.3g}"
        text += f"  (goal {row['goal']:.3g}: {mark(reached(row))})" if row["goal"] is not None else ""
        busy = ratio(row, "busy")
        text += f"  busy {busy:.3g}" if busy else ""
    print(text, row.get("note", ""), flush=True)


def print_summary(rows: Sequence[Record]) -> None:
    averages = means(rows)
    print()
    for mean in averages:
        print(
            f"geometric mean over {mean['count']} {mean['contest']}s against {mean['rival']}: {mean['mean']:.3g}  "
            f"(goal {mean['goal']:.3g}: {mark(mean['reached'])})"
        )
    judged = [row for row in rows if reached(row) is not None]
    missed = [f"{row['contest']} {row['case']} against {row['rival']}" for row in judged if not reached(row)]
    missed += [f"mean of {mean['contest']} against {mean['rival']}" for mean in averages if not mean["reached"]]
    print(f"{len(judged) + len(averages) - len(missed)} goals reached, {len(missed)} missed")
    for name in missed:
        print(f"  missed: {name}")
