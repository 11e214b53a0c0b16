"""The command `hessorbit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .._checks import one_of
from .._words import number_of
from ..plot.drawing import FORMATS
from ..study import load
from .explanations import explained
from .options import CSV, PAGE, PARQUET, check_page, check_tables
from .summary import save_tables, summarise


def report(
    store: Annotated[Path, typer.Argument(help="SQLite file that a study wrote.")] = Path("study.sqlite"),
    report: Annotated[Path, PAGE] = Path("study.html"),
    csv: Annotated[Path | None, CSV] = None,
    parquet: Annotated[Path | None, PARQUET] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Folder to write; it holds every figure in a file of its own.")
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="Format of these files: pdf, svg or png.")] = "pdf",
) -> None:
    """Print the claims of a stored study, finished or not, and write its page again."""
    with explained():
        check_page(report, store)
        check_tables(csv, parquet)
        one_of(format_, FORMATS, "--format")
        result = load(store)
        summarise(result)
        result.report(report)
        typer.echo(f"The figures are in {report}.")
        if figures is not None:
            count = len(result.save_figures(figures, format_))
            typer.echo(f"{number_of(count, 'figure is', 'figures are')} in {figures}, as {format_}.")
        save_tables(result, csv, parquet)
