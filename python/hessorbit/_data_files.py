"""Reads data files: the arrays of an npz, and the table of a CSV or Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from zipfile import is_zipfile

import numpy as np

from . import _files
from ._checks import Array

if TYPE_CHECKING:
    from pandas import DataFrame

ENDINGS = (".npz", ".csv", ".parquet")


def npz_arrays(path: Path, name: str) -> dict[str, Array]:
    """Returns the arrays of an npz file by name; `name` is the argument that it came by.

    Raises
    ------
    ValueError
        If it is no such file, or damaged.
    """
    with _files.opened(path, name) as file:
        return arrays_in(file, path, name)


def arrays_in(file: BinaryIO, path: Path, name: str) -> dict[str, Array]:
    if not is_zipfile(file):
        raise ValueError(f"{name} {str(path)!r} is damaged, or no npz file of plain arrays, as numpy.savez writes")
    file.seek(0)
    try:
        with np.load(file, allow_pickle=False) as stored:
            return {each: stored[each] for each in stored.files}
    except Exception as error:  # damage shows as anything
        why = "it holds Python objects, which are not read" if "allow_pickle" in str(error) else one_line(error)
        raise ValueError(f"{name} {str(path)!r} is damaged, or no npz file of plain arrays: {why}") from error


def table(path: Path, name: str) -> DataFrame:
    """Returns the table of a CSV or Parquet file, whose columns have strings as names.

    Raises
    ------
    ValueError
        If it cannot be read, or is Parquet and pyarrow is missing.
    """
    import pandas as pd

    _files.opened(path, name).close()
    try:
        # Spaces beside commas are no part of names and values.
        is_csv = path.suffix.lower() == ".csv"
        found = pd.read_csv(path, skipinitialspace=True) if is_csv else pd.read_parquet(path)
    except ImportError:
        raise ValueError(
            f'{name} {str(path)!r} cannot be read without a package for Parquet files: pip install "hessorbit[parquet]"'
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} {str(path)!r} must be text in UTF-8; got the byte {error.object[error.start]:#04x}, which is "
            f"none: save it as UTF-8, as `iconv -f latin1 -t utf-8` does to a file in Latin-1"
        ) from None
    except Exception as error:  # of parsers
        raise ValueError(f"{name} {str(path)!r} cannot be read: {one_line(error)}") from error
    names = [str(column) for column in found.columns]
    stripped = [each.strip() for each in names]
    found.columns = pd.Index(stripped if is_csv and len(set(stripped)) == len(set(names)) else names)
    return found


def one_line(error: Exception) -> str:
    """Returns what an error says, without line breaks."""
    return " ".join(str(error).split())
