"""Opens files to read and to write, and says in a sentence why one cannot be.

`replacing` writes a file beside its place and renames it, so that it is there as a whole or not at all.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO


def path_of(value: Any, name: str = "path") -> Path:
    """Returns `value`, an argument of that name, as the path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file; got {value!r}")
    text = os.fspath(value)
    if not isinstance(text, str) or "\0" in text or not Path(text).name:
        raise ValueError(f"{name} must be the path of a file, such as 'folder/file'; got {text!r}")
    return Path(text)


def made_folder(value: Any, name: str = "folder") -> Path:
    """Returns `value` as the path of a folder, which is made with those above it unless it is there."""
    if not isinstance(value, str | os.PathLike) or "\0" in os.fspath(value):
        raise TypeError(f"{name} must be the path of a folder; got {value!r}")
    path = Path(value)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is a file" if path.is_file() else obstacle(path, writing=True) or error.strerror
        raise type(error)(f"{name} {str(path)!r} cannot be made: {reason}; choose another path") from error
    return path


@contextmanager
def explained(path: Path, name: str, *, writing: bool) -> Iterator[None]:
    """Says of an OSError which argument it is about, what stands in the way, and what to do.

    Raises
    ------
    OSError
        Of the same type.
    """
    try:
        yield
    except OSError as error:
        reason = obstacle(path, writing=writing) or error.strerror or str(error)
        kept = "; the file that was there is kept" if writing and path.is_file() else ""
        verb = "written" if writing else "read"
        raise type(error)(f"{name} {str(path)!r} cannot be {verb}: {reason}{kept}") from error


def obstacle(path: Path, *, writing: bool) -> str | None:
    """Says why a file cannot be opened, and what to do about it; None if nothing tells."""
    try:
        if path.is_dir():
            return "it is a folder; give the path of a file"
        place = path.resolve()
        for folder in reversed(place.parents):
            if not folder.exists():
                return f"there is no folder {str(folder)!r}; check the path, or make the folder first"
            if not folder.is_dir():
                return f"{str(folder)!r} is a file, not a folder; check the path"
        if not (writing or place.exists()):
            return "there is no such file; check the path"
        if not os.access(place.parent, os.W_OK) if writing else not os.access(place, os.R_OK):
            return "permission denied; choose another path, or ask for access"
    except OSError:  # of paths that the system refuses
        return None
    return None


def opened(path: Path, name: str = "path") -> BinaryIO:
    """Opens a file to read it, or says why it cannot be read."""
    with explained(path, name, writing=False):
        return open(path, "rb")


@contextmanager
def replacing(path: Path, name: str = "path") -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` at the end, or vanishes if there is an exception."""
    place = path.resolve()  # a symbolic link stays one
    beside = place.with_name(f".{place.name or 'file'}.{secrets.token_hex(4)}")
    with explained(path, name, writing=True):
        try:
            with open(beside, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, place)
        except BaseException:
            with suppress(OSError):  # of a folder that is none
                beside.unlink(missing_ok=True)
            raise
