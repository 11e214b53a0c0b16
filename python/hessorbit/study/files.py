"""Writes the files of a study whole, and says in one sentence why one could not be written."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from .. import _files


def replace_file(path: str | PathLike[str], content: bytes) -> None:
    """Writes a file, or leaves the one that is there untouched.

    Raises
    ------
    OSError
        If it cannot be written; the message says that an old file is kept.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a device or a pipe cannot be replaced
        else:
            with _files.replacing(target) as file:
                file.write(content)
    except OSError as error:
        kept = "; the file that was there is kept" if target.is_file() else ""
        reason = error.strerror or str(error)
        raise type(error)(f"{os.fspath(path)!r} cannot be written: {reason}{kept}") from error
