"""Settings as TOML: reads files, and writes values one a line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from .. import _files


def read_toml(path: str | PathLike[str], name: str = "path") -> dict[str, Any]:
    """Returns what a TOML file says; `name` is the argument that it came by."""
    with _files.opened(_files.path_of(path, name), name) as file:
        return parsed(file.read(), fspath(path))


def parsed(text: bytes, source: str) -> dict[str, Any]:
    """Returns what TOML says; `source` is for messages."""
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{source} must be a TOML file: {error}") from error
    except RecursionError:
        raise ValueError(f"{source} must be a TOML file of plain values; its brackets nest too deeply") from None


def toml(settings: Mapping[str, Any]) -> str:
    """Returns settings as TOML, one a line."""
    return "".join(f"{name} = {toml_value(value)}\n" for name, value in settings.items())


def toml_value(value: Any) -> str:
    """Returns a string, number, boolean or flat sequence of them as TOML.

    TOML's strings escape as JSON's do, and DEL besides.
    """
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")
