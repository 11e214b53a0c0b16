"""Prints what a study found: the claims with their verdicts, and the cells that failed."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ..study.claims import Finding
from ..study.report import factor, spread
from ..study.result import StudyResult

VERDICT_STYLES = {"supported": "green", "contradicted": "red", "undecided": "yellow"}


def summarise(result: StudyResult) -> None:
    """Print what the data say, and what is missing."""
    console = Console()
    console.print(claims_table(result.claims()))
    console.print(f"{result!r}", highlight=False)
    for cell, error in result.failures.items():
        console.print(f"width {cell.width}, seed {cell.seed} failed: {error}", style="red", markup=False)


def claims_table(findings: list[Finding]) -> Table:
    """Return the claims as a table, one a row."""
    table = Table(title="Claims about width", title_justify="left")
    table.add_column("claim")
    table.add_column("factor per doubling", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("seeds", justify="right")
    table.add_column("verdict")
    for finding in findings:
        verdict = f"[{VERDICT_STYLES[finding.verdict]}]{finding.verdict}[/]"
        table.add_row(finding.claim.sentence, factor(finding.effect), spread(finding), str(finding.seeds), verdict)
    return table
