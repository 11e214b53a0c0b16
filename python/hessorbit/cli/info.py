"""The command `hessorbit info`."""

from __future__ import annotations

from ..config import show_config


def info() -> None:
    """Print versions, instruction level, compiler and number of threads."""
    show_config()
