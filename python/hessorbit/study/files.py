"""Writes the files of a study whole, and says in one sentence why one could not be written."""

from __future__ import annotations

from os import PathLike

from .. import _files


def replace_file(path: str | PathLike[str], content: bytes, name: str = "path") -> None:
    """Writes a file, or leaves the one that is there untouched.

    Raises
    ------
    OSError
        If it cannot be written; the message says that an old file is kept.
    """
    target = _files.path_of(path, name)
    if target.exists() and not (target.is_file() or target.is_dir()):  # a device or a pipe cannot be replaced
        with _files.explained(target, name, writing=True):
            target.write_bytes(content)
        return
    with _files.replacing(target, name) as file:
        file.write(content)
