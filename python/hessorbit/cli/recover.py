"""The command `hessorbit recover`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..study.recovery import recover as recover_rows
from .explanations import explained


def recover(
    store: Annotated[Path, typer.Argument(help="Damaged SQLite file that a study wrote; it is not changed.")],
    into: Annotated[Path, typer.Option(help="SQLite file to make; it receives the intact rows.")],
) -> None:
    """Write the intact rows of a damaged store to a new one."""
    with explained():
        typer.echo(recover_rows(store, into).message)
