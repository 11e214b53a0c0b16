"""The command line: one file per command, and the application that has them in app.py."""

from __future__ import annotations

from importlib.util import find_spec

from .interrupts import ended_by_signals

NEEDED = ("typer", "rich", "jinja2", "matplotlib", "pandas")


def main() -> None:
    """Run the command `hessorbit`."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise SystemExit(
            f"hessorbit's commands need packages that are not installed ({', '.join(missing)}): "
            f'pip install "hessorbit[study]"'
        )
    with ended_by_signals():
        from .app import run

        run()
