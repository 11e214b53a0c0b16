"""The application behind the command `hessorbit`: it collects the commands, and sends the log to standard error."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from inspect import getdoc
from typing import Annotated

import typer

from .._cpu import __version__
from .grow import grow
from .info import info
from .inspect import inspect
from .merge import merge
from .reach import reach
from .recover import recover
from .report import report
from .study import study

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def unwrapped(command: Callable[..., None]) -> str:
    """Return the help of a command with a paragraph on a line, for the terminal to break where it is full."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (getdoc(command) or "").split("\n\n"))


for command in (inspect, study, report, merge, recover, grow, reach, info):
    app.command(help=unwrapped(command))(command)


def print_version(asked: bool) -> None:
    """Print the version and end, if asked to."""
    if asked:
        typer.echo(f"hessorbit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Exact Hessians of small multilayer perceptrons, and what width does to them."""


def run() -> None:
    """Run the command that the arguments name."""
    # Other libraries, such as Dask, have handlers of their own, or none that is wanted.
    logging.getLogger("hessorbit").addHandler(logging.StreamHandler(sys.stderr))
    app()
