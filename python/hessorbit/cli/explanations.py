"""Says in one line, without a traceback, why a command cannot go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def explained(interrupted: str = "Interrupted.") -> Iterator[None]:
    """Print an error of input as one line, and after Ctrl-C what is kept; then end the command."""
    try:
        yield
    except (ValueError, TypeError, OSError, RuntimeError, ArithmeticError, MemoryError, ModuleNotFoundError) as error:
        typer.secho(f"hessorbit: {error}", fg="red", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.secho(interrupted, fg="yellow", err=True)
        raise typer.Exit(130) from None
