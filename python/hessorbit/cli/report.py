"""The command `hessorbit report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..study import load
from ..study.files import replace_file
from .explanations import explained
from .options import PAGE, check_page, check_writable
from .summary import summarise


def report(
    store: Annotated[Path, typer.Argument(help="SQLite file that a study wrote.")] = Path("study.sqlite"),
    report: Annotated[Path, PAGE] = Path("study.html"),
    csv: Annotated[Path | None, typer.Option(help="CSV file to write; it holds the table of all students.")] = None,
) -> None:
    """Print the claims of a stored study, finished or not, and write its page again."""
    with explained():
        check_page(report, store)
        if csv is not None:
            check_writable(csv, "--csv", (".csv",))
        result = load(store)
        summarise(result)
        result.report(report)
        typer.echo(f"The figures are in {report}.")
        if csv is not None:
            replace_file(csv, result.table.to_csv(index=False).encode())
            typer.echo(f"The table is in {csv}.")
