"""Reads samples and targets from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import _checks
from .._checks import Array
from .._data_files import ENDINGS, npz_arrays, table

INPUTS, TARGETS, WEIGHTS = ("x", "X"), ("y", "Y"), ("sample_weight",)


@dataclass(frozen=True, eq=False)
class Data:
    """Samples as rows (N, inputs), their targets, and their weights or None."""

    x: Any
    y: Any
    sample_weight: Any = None


def read_data(path: Path, target: list[str], weight: str | None) -> Data:
    """Return the data of a file: arrays x and y of an .npz, or columns of a table, of which the rest are inputs."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"--data {str(path)!r} must end in {' or '.join(ENDINGS)}; got {ending or 'no ending'}")
    with open(path, "rb"):
        pass
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
    if not target:
        raise ValueError(f"--target must name the column of targets; {str(path)!r} has {', '.join(columns)}")
    for name in [*target, *([weight] if weight else [])]:
        if name not in columns:
            hint = _checks.did_you_mean(name, columns)
            raise ValueError(f"{str(path)!r} has no column {name!r}; it has {', '.join(columns)}{hint}")
    inputs = [name for name in columns if name not in (*target, weight)]
    if not inputs:
        raise ValueError(f"{str(path)!r} has no column of inputs beside {', '.join(target)}")
    chosen = found[target[0]] if len(target) == 1 else found[target]
    return Data(found[inputs], chosen, found[weight] if weight else None)
