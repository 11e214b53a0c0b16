"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import typer

from .. import _files

WIDTHS = typer.Option(help="Hidden neurons of the students, such as [cyan]5,10,20[/].")
TEACHER_WIDTH = typer.Option(help="Hidden neurons of the teacher.")
TEACHER_SCALE = typer.Option(help="Size of the teacher's outgoing weights; their signs are random.")
INPUTS = typer.Option(help="Number of inputs.")
OUTPUTS = typer.Option(help="Number of outputs.")
ACTIVATION = typer.Option(help="Activation of the hidden layer, such as tanh, relu or gelu.")
BIAS = typer.Option(help="Give both layers biases.")
INIT = typer.Option(
    help="Law of the initial parameters: torch, glorot_normal, glorot_uniform, he_normal, or normal(σ) with a number "
    "for σ."
)
PAGE = typer.Option(help="HTML file to write; it holds the figures.")
CSV = typer.Option(help="CSV file to write; it holds the table of all students.")
PARQUET = typer.Option(help="Parquet file to write; it holds the same table.")


def parsed_widths(widths: str, option: str = "--widths") -> list[int]:
    """Return the whole numbers between commas."""
    try:
        return [int(part) for part in widths.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be whole numbers between commas, such as 5,10,20; got {widths!r}") from None


def check_readable(path: Path, option: str) -> None:
    """Refuse a file that is empty, or that cannot be opened."""
    with _files.opened(path, option) as file:
        if not file.read(1):
            raise ValueError(f"{option} {str(path)!r} is empty")


def check_writable(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    """Refuse a path that cannot be written, or whose ending promises another format, before anything is computed."""
    if path.is_dir():
        raise IsADirectoryError(f"{option} {str(path)!r} must be a file; it is a folder")
    folder = path.resolve().parent
    if file := next((each for each in (folder, *folder.parents) if each.is_file()), None):
        raise NotADirectoryError(f"{option} {str(path)!r} cannot be written: {str(file)!r} is a file, not a folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"{option} {str(path)!r} cannot be written: there is no folder {str(folder)!r}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise PermissionError(f"{option} {str(path)!r} cannot be written: permission denied")
    # A device such as /dev/stdout has no ending to judge by.
    if path.suffix.lower() not in suffixes and (path.is_file() or not path.exists()):
        raise ValueError(
            f"{option} {str(path)!r} must end in {' or '.join(suffixes)}; got {path.suffix or 'no ending'}"
        )


def check_tables(csv: Path | None, parquet: Path | None) -> None:
    """Refuse files for tables that cannot be written, or whose endings promise another format."""
    if csv is not None:
        check_writable(csv, "--csv", (".csv",))
    if parquet is not None:
        check_writable(parquet, "--parquet", (".parquet", ".pq"))
        if find_spec("pyarrow") is None and find_spec("fastparquet") is None:
            raise RuntimeError('--parquet needs a package that is not installed: pip install "hessorbit[parquet]"')


def check_page(page: Path, store: Path) -> None:
    """Refuse a page that cannot be written, or that would overwrite the store."""
    if page.resolve() == store.resolve():
        raise ValueError(f"--report and the store must be different files; both are {str(page)!r}")
    check_writable(page, "--report", (".html", ".htm"))
