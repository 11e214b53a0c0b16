"""What the commands say where they cannot go on: one line, and no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer


@contextmanager
def explained(interrupted: str = "Interrupted.") -> Iterator[None]:
    """Errors of input as one line, and Ctrl-C with what is kept."""
    try:
        yield
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        typer.secho(f"hessorbit: {error}", fg="red", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.secho(interrupted, fg="yellow", err=True)
        raise typer.Exit(130) from None


def check_writable(path: Path, option: str) -> None:
    """Before hours of work, not after."""
    if path.is_dir():
        raise IsADirectoryError(f"{option} {str(path)!r} must be a file; it is a folder")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{option} {str(path)!r} cannot be written: there is no folder {str(folder)!r}")
