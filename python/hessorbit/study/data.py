"""Reads data of one's own: inputs x (N, d) and targets y from an npz, csv or parquet file.

In an npz file the targets are an array by name and the inputs the other one; in a table they are columns by name, and
all others are inputs.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import _checks, _files
from .._checks import Array
from .._data_files import ENDINGS, npz_arrays, table

DIGEST_BYTES = 8


class Data(NamedTuple):
    """Inputs (N, d), and targets: numbers (N, K), or labels 0 … classes − 1, (N,), of so many classes."""

    x: Array
    y: Array
    classes: int


def read_data(path: str, target: str, loss: str) -> Data:
    """Returns what a file holds.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it has no such target, or anything in it is not a finite number. Labels may be of any kind.
    """
    file = Path(path)
    if file.suffix.lower() not in ENDINGS:
        raise ValueError(f"data must be a file that ends in {', '.join(ENDINGS)}; got {path!r}")
    if not file.exists():
        raise FileNotFoundError(f"data {path!r} does not exist; check the path")
    names = [name.strip() for name in target.split(",")]
    x, y = (arrays_of if file.suffix.lower() == ".npz" else columns_of)(file, names)
    if loss == "cross_entropy" and y.shape[1] == 1:
        return Data(numbers(x, "inputs", path), *classes(y[:, 0], target, path))
    return Data(numbers(x, "inputs", path), numbers(y, f"target {target!r}", path), 0)


def arrays_of(file: Path, names: list[str]) -> tuple[Any, Any]:
    """Returns inputs and targets of an npz file."""
    found = npz_arrays(file, "data")
    others = [name for name in found if name not in names]
    if len(names) != 1 or names[0] not in found or len(others) != 1:
        raise ValueError(
            f"data {str(file)!r} must hold two arrays, inputs and the target {','.join(names)!r}; it has "
            f"{', '.join(found) or 'none'}"
        )
    x, y = found[others[0]], found[names[0]]
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y):
        raise ValueError(
            f"data {str(file)!r} must hold inputs of shape (N, d) and targets of shape (N,) or (N, K); got {x.shape} "
            f"and {y.shape}"
        )
    return x, y.reshape(len(y), -1)


def columns_of(file: Path, names: list[str]) -> tuple[Any, Any]:
    """Returns inputs and targets of a table, whose columns they are."""
    found = table(file, "data")
    columns = list(found.columns)
    missing = [name for name in names if name not in columns]
    if missing or len(columns) == len(names):
        raise ValueError(
            f"data {str(file)!r} must have the target's columns {', '.join(names)} and columns of inputs; it has "
            f"{', '.join(columns)}"
        )
    return found.drop(columns=names).to_numpy(), found[names].to_numpy()


def classes(column: Any, target: str, path: str) -> tuple[Array, int]:
    """Returns labels 0 … classes − 1 of a column of anything that can be sorted, and the number of classes."""
    missing = [row for row, value in enumerate(column) if value is None or value != value]
    if missing:
        raise ValueError(
            f"data {path!r} must have a class as target {target!r} in every row; row {missing[0]} has none"
        )
    try:
        kinds, labels = np.unique(column, return_inverse=True)
    except TypeError:
        raise ValueError(f"data {path!r} must have classes of one kind as target {target!r}; some are not") from None
    return labels.astype(np.int64), len(kinds)


def numbers(array: Any, what: str, path: str) -> Array:
    """Returns an array as float64, all finite."""
    try:
        floats = np.asarray(array, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"data {path!r} must hold numbers as {what}: {error}") from None
    if not np.isfinite(floats).all():
        row = int(np.argwhere(~np.isfinite(floats))[0][0])
        raise ValueError(f"data {path!r} must hold finite numbers as {what}; row {row} has none")
    return _checks.as_floats(floats, what)


def digest_of(path: str) -> str:
    """Returns a hash of a file's content."""
    with _files.opened(Path(path), "data") as file:
        return hashlib.blake2b(file.read(), digest_size=DIGEST_BYTES).hexdigest()


def verified_data(path: str, target: str, loss: str, digest: str) -> Data:
    """Returns what a file holds, read once in a process; refuses one that has changed since the study began."""
    try:
        stamp = os.stat(path).st_mtime_ns
    except OSError as error:
        raise FileNotFoundError(f"data {path!r} cannot be read where the cell is computed: {error.strerror}") from None
    return cached_data(path, target, loss, digest, stamp)


@lru_cache(maxsize=4)
def cached_data(path: str, target: str, loss: str, digest: str, stamp: int) -> Data:
    if digest_of(path) != digest:
        raise ValueError(f"data {path!r} has changed since the study was set up; put its former content back")
    return read_data(path, target, loss)
