"""Reads samples and targets from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import _checks
from .._checks import Array
from .._data_files import ENDINGS, npz_arrays, table
from .._words import number_of
from .options import check_readable

INPUTS, TARGETS, WEIGHTS = ("x", "X"), ("y", "Y"), ("sample_weight",)


@dataclass(frozen=True, eq=False)
class Data:
    """Samples as rows (N, inputs), their targets, their weights or None, and of a table the names of inputs."""

    x: Any
    y: Any
    sample_weight: Any = None
    columns: tuple[str, ...] = ()


def read_data(path: Path, target: list[str], weight: str | None) -> Data:
    """Return the data of a file: arrays x and y of an .npz, or columns of a table, of which the rest are inputs."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"--data {str(path)!r} must end in {' or '.join(ENDINGS)}; got {ending or 'no ending'}")
    check_readable(path, "--data")
    return from_npz(path, target, weight) if ending == ".npz" else from_table(path, target, weight)


def from_npz(path: Path, target: list[str], weight: str | None) -> Data:
    arrays = npz_arrays(path, "--data")
    if len(target) > 1:
        raise ValueError(f"--target names one array of an .npz; got {', '.join(target)}")
    return Data(
        entry(arrays, INPUTS, path),
        entry(arrays, tuple(target) or TARGETS, path),
        entry(arrays, (weight,), path) if weight else next((arrays[n] for n in WEIGHTS if n in arrays), None),
    )


def entry(arrays: dict[str, Array], names: tuple[str, ...], path: Path) -> Array:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise ValueError(f"{str(path)!r} must hold an array {names[0]!r}; it holds {', '.join(arrays) or 'none'}")


def from_table(path: Path, target: list[str], weight: str | None) -> Data:
    found = table(path, "--data")
    columns = list(found.columns)
    if not len(found):
        raise ValueError(f"--data {str(path)!r} has no rows, but names of columns: {', '.join(columns)}")
    if not target:
        raise ValueError(f"--target must name the column of targets; {str(path)!r} has {', '.join(columns)}")
    for name in [*target, *([weight] if weight else [])]:
        if name not in columns:
            hint = _checks.did_you_mean(name, columns)
            if len(columns) == 1 and path.suffix.lower() == ".csv":
                hint = ": columns must have commas between them"
            raise ValueError(f"{str(path)!r} has no column {name!r}; it has {', '.join(columns)}{hint}")
    inputs = [name for name in columns if name not in (*target, weight)]
    if not inputs:
        raise ValueError(f"{str(path)!r} has no column of inputs beside {', '.join(target)}")
    for name in (*inputs, *target, *([weight] if weight else [])):
        check_column(found[name], name, path, words=len(target) == 1 and name == target[0])
    chosen = found[target[0]] if len(target) == 1 else found[target]
    return Data(found[inputs], chosen, found[weight] if weight else None, tuple(inputs))


def check_column(column: Any, name: str, path: Path, *, words: bool) -> None:
    """Refuse a column with gaps, or with words where they are no classes."""
    where = f"column {name!r} of {str(path)!r}"
    if missing := int(column.isna().sum()):
        first = int(column.isna().to_numpy().argmax())
        rows = f"row {first}" if missing == 1 else f"{number_of(missing, 'row')}, the first of them {first}"
        raise ValueError(f"{where} has no value in {rows} (counted from 0): fill it, or drop such rows")
    if column.dtype.kind == "f" and not np.isfinite(column.to_numpy()).all():
        row = int((~np.isfinite(column.to_numpy())).argmax())
        raise ValueError(f"{where} must hold finite numbers; row {row} (counted from 0) has {column.iloc[row]}")
    odd = [each for each in column if isinstance(each, str)] if column.dtype.kind not in "buif" else []
    if odd and not words:
        raise ValueError(f"{where} holds words, such as {number_free(odd)!r}: encode it as numbers, or leave it out")


def number_free(words: list[str]) -> str:
    """Return the first that is no number, which keeps its column from being read as numbers."""

    def is_number(word: str) -> bool:
        try:
            float(word)
        except ValueError:
            return False
        return True

    return next((word for word in words if not is_number(word)), words[0])
