"""`replacing` writes a file beside its place and renames it, so that it is there as a whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def path_of(value: Any, name: str = "path") -> Path:
    """Returns `value` as the path of a file."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file; got {value!r}")
    return Path(value)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` at the end, or vanishes if there is an exception."""
    place = path.resolve()  # a symbolic link stays one
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        with open(beside, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
