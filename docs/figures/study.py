"""Draw the figures of a stored study into one picture, and print the tables of docs/study.md.

hessorbit study && python docs/figures/study.py study.sqlite docs/figures/study.png
"""

from __future__ import annotations

import sys

import matplotlib as mpl

from hessorbit.study import StudyResult, load
from hessorbit.study.report import chance, factor, number, spread

COLUMNS = {
    "width": "width",
    "steps": "steps",
    "trace": "trace",
    "trace_incoming": "incoming part",
    "trace_outgoing": "outgoing part",
    "lambda_max": "λ_max",
    "condition": "κ",
    "idle_neurons": "idle neurons",
    "condition_copies": "κ without these",
    "best_condition": "best κ",
    "nearest_distance": "nearest minimum",
}


def medians(result: StudyResult) -> str:
    """Returns the medians over seeds as a Markdown table."""
    table = result.table.astype(float).groupby("width", as_index=False).median()
    lines = [" | ".join(COLUMNS.values()), " | ".join(["---"] * len(COLUMNS))]
    lines += [" | ".join(number(float(f"{value:.3g}")) for value in row) for row in table[list(COLUMNS)].to_numpy()]
    return "\n".join(f"| {line} |" for line in lines)


def claims(result: StudyResult) -> str:
    """Returns the claims as a Markdown table."""
    lines = ["claim | factor | 95 % interval | n | p adjusted | verdict", " | ".join(["---"] * 6)]
    for finding in result.claims():
        found = finding.factor
        parts = (
            finding.claim.label,
            factor(found.value),
            spread(found),
            str(found.n),
            chance(finding.adjusted),
            finding.conclusion,
        )
        lines.append(" | ".join(parts))
    return "\n".join(f"| {line} |" for line in lines)


def doublings(result: StudyResult) -> str:
    """Returns the effects between neighbouring widths as a Markdown table."""
    findings = [finding for finding in result.claims() if finding.doublings]
    steps = [f"{each.narrow} to {each.wide}" for each in findings[0].doublings]
    lines = [" | ".join(["claim", *steps]), " | ".join(["---"] * (1 + len(steps)))]
    for finding in findings:
        cells = [f"{factor(d.factor.value)}{'*' * bool(d.direction)} ({spread(d.factor)})" for d in finding.doublings]
        lines.append(" | ".join([finding.claim.sentence, *cells]))
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    store, picture = sys.argv[1:]
    mpl.use("agg")
    found = load(store)
    found.plot()[0].figure.savefig(picture, dpi=90)
    print(medians(found), claims(found), doublings(found), found.theorem(), sep="\n\n")
