"""Prints what a study found: the claims with their verdicts, and the cells that failed."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from .._words import number_of
from ..study.claims import Finding
from ..study.files import replace_file
from ..study.report import chance, factor, spread
from ..study.result import StudyResult
from ..study.written import table_file

VERDICT_STYLES = {"supported": "green", "contradicted": "red", "not monotone": "magenta", "undecided": "yellow"}


def summarise(result: StudyResult) -> None:
    """Print what the data say, and what is missing."""
    console = Console()
    findings = result.claims()
    if result.settings.factors:
        console.print(variants_table(findings))
    else:
        console.print(claims_table(findings))
        if any(finding.doublings for finding in findings):
            console.print(doublings_table(findings))
    console.print(f"{result.theorem()}.", highlight=False)
    console.print(f"{result!r}", highlight=False)
    for change, count in result.changes().items():
        measured = number_of(count, "cell was", "cells were")
        text = f"{measured} measured by an earlier version of hessorbit. Since then {change}."
        console.print(text, style="yellow", highlight=False)
    for cell, error in result.failures.items():
        where = ", ".join(filter(None, [result.settings.words(cell.variant), f"width {cell.width}, seed {cell.seed}"]))
        console.print(f"{where} failed: {error}", style="red", markup=False)


def save_tables(result: StudyResult, csv: Path | None, parquet: Path | None) -> None:
    """Write the table of all students into files, such as /dev/stdout, whose names need not tell the format."""
    for file, ending in ((csv, ".csv"), (parquet, ".parquet")):
        if file is not None:
            replace_file(file, table_file(result.table, ending))
            typer.echo(f"The table is in {file}.")


def variants_table(findings: list[Finding]) -> Table:
    """Return the verdict on each claim in each variant of a study."""
    table = Table(title="Where each claim holds", title_justify="left")
    for heading in ("claim", "variant", "factor per doubling", "n", "verdict"):
        table.add_column(
            heading, justify="right" if heading in ("factor per doubling", "n") else "left", overflow="fold"
        )
    last = None
    for finding in sorted(findings, key=lambda each: [entry.claim for entry in findings].index(each.claim)):
        sentence = finding.claim.sentence if finding.claim != last else ""
        if sentence and last is not None:
            table.add_section()
        last = finding.claim
        verdict = f"[{VERDICT_STYLES[finding.verdict]}]{finding.conclusion}[/]"
        table.add_row(sentence, finding.variant, factor(finding.factor.value), str(finding.factor.n), verdict)
    return table


def claims_table(findings: list[Finding]) -> Table:
    """Return the claims as a table, one a row."""
    table = Table(title="Claims; factors are per doubling of the width unless said otherwise", title_justify="left")
    table.add_column("claim")
    table.add_column("factor", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("n", justify="right")
    table.add_column("p (Holm)", justify="right")
    table.add_column("verdict")
    for finding in findings:
        found = finding.factor
        verdict = f"[{VERDICT_STYLES[finding.verdict]}]{finding.conclusion}[/]"
        table.add_row(
            finding.claim.label,
            factor(found.value),
            spread(found),
            str(found.n),
            chance(finding.adjusted),
            verdict,
        )
    return table


def doublings_table(findings: list[Finding]) -> Table:
    """Return the factors of doublings between neighbouring widths; those that are significant have a star."""
    table = Table(title="Factor per doubling between neighbouring widths (* significant)", title_justify="left")
    table.add_column("claim")
    longest = max((finding.doublings for finding in findings), key=len)
    for each in longest:
        table.add_column(f"{each.narrow} to {each.wide}", justify="right")
    for finding in (each for each in findings if each.doublings):
        by_width = {each.wide: each for each in finding.doublings}
        found = [by_width.get(each.wide) for each in longest]
        stars = ["–" if each is None else factor(each.factor.value) + "*" * bool(each.direction) for each in found]
        table.add_row(finding.claim.sentence, *stars)
    return table
