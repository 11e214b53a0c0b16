"""Writes a file beside its place and renames it, so that what was there stays until the new file is complete."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from os import PathLike
from pathlib import Path


def replace_file(path: str | PathLike[str], content: bytes) -> None:
    """Write a file, or leave the one that is there untouched.

    Raises
    ------
    OSError
        If it cannot be written; the message says that an old file is kept.
    """
    # A link stays a link: the file that it names is replaced.
    target = Path(path).resolve()
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)  # a device or a pipe cannot be replaced
        else:
            write_and_rename(target, content)
    except OSError as error:
        kept = "; the file that was there is kept" if target.is_file() else ""
        reason = error.strerror or str(error)
        raise type(error)(f"{os.fspath(path)!r} cannot be written: {reason}{kept}") from error


def write_and_rename(target: Path, content: bytes) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
