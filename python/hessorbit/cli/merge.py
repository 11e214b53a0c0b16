"""The command `hessorbit merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..study.merging import merge as merge_stores
from .explanations import explained


def merge(
    stores: Annotated[list[Path], typer.Argument(help="SQLite files that studies wrote; they are not changed.")],
    into: Annotated[Path, typer.Option(help="SQLite file to write; what it has already stays.")] = Path("study.sqlite"),
) -> None:
    """Put the students of several stores into one, such as those of the parts of a study that several jobs trained."""
    with explained():
        typer.echo(merge_stores(stores, into).message)
