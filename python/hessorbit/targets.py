"""What targets a loss takes, and the numbers that they stand for.

Real numbers, numbers in [0, 1], nonnegative numbers, or probabilities: rows that sum to one, or labels in their place.
The core's table of losses says which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import _checks, _core
from ._checks import Array

LOSSES: dict[str, dict[str, Any]] = {entry["name"]: entry for entry in _core.loss_table()}
RANGES = {"unit_interval": (0.0, 1.0, "in [0, 1]"), "nonnegative": (0.0, np.inf, "at least 0")}
RANGES["probabilities"] = RANGES["unit_interval"]
ROW_SUM_TOLERANCE = 1e-12


def parameter(loss: str, given: dict[str, float | None]) -> float | None:
    """Returns the parameter of a loss, from the keywords given for it, or its default; None where it has none."""
    entry = LOSSES[loss]
    for name, value in given.items():
        if value is not None and name != entry["parameter"]:
            owners = [repr(other) for other, its in LOSSES.items() if its["parameter"] == name]
            raise ValueError(
                f"{name} is a parameter of the loss {' and '.join(owners)}; the loss {loss!r} takes no {name}"
            )
    if not entry["parameter"]:
        return None
    value = given[entry["parameter"]]
    return float(entry["default"]) if value is None else _checks.positive(value, entry["parameter"])


def targets(y: ArrayLike, loss: str, samples: int, outputs: int) -> Array:
    """Returns y, checked: integer labels (N,), or rows of targets (N, K)."""
    array = _checks.as_array(y, "y")
    kind = LOSSES[loss]["targets"]
    if kind == "probabilities" and array.ndim == 1:
        return labels(array, samples, outputs)
    rows = _checks.as_floats(array, "y")
    if rows.shape == (samples,) and outputs == 1:
        rows = rows.reshape(samples, 1)
    if rows.shape != (samples, outputs):
        also = f", or labels of shape ({samples},)" if kind == "probabilities" else ""
        if kind != "probabilities" and array.ndim == 1 and array.dtype.kind in "iub":
            also = "; labels of classes are for the loss 'cross_entropy'"
        raise _checks.shape_error("y", f"({samples}, {outputs}), a row for each sample of x{also}", rows.shape)
    if kind in RANGES:
        least, most, words = RANGES[kind]
        outside = (rows < least) | (rows > most)
        if outside.any():
            n, k = np.argwhere(outside)[0]
            raise ValueError(f"y must be {words} for the loss {loss!r}; y[{n}, {k}] is {rows[n, k]}")
    if kind == "probabilities":
        deviation = np.abs(rows.sum(axis=1) - 1)
        if deviation.max() > ROW_SUM_TOLERANCE:
            n = int(deviation.argmax())
            raise ValueError(
                f"y must have rows that sum to one within {ROW_SUM_TOLERANCE:g}; row {n} sums to {rows[n].sum()}: "
                f"divide each row by its sum, in float64"
            )
    return rows


def labels(array: Array, samples: int, outputs: int) -> Array:
    """Returns integer labels (N,), checked."""
    if array.dtype.kind not in "iub":
        raise TypeError(
            f"y must hold integer labels, or be rows of probabilities; got dtype {array.dtype}: "
            f"y.astype(int) makes labels of whole numbers"
        )
    if array.shape != (samples,):
        raise _checks.shape_error("y", f"({samples},), a label for each sample of x", array.shape)
    outside = (array < 0) | (array >= outputs)
    if outside.any():
        n = int(outside.argmax())
        remedy = ": two classes and one output are for the loss 'logistic'" if outputs == 1 else ""
        raise ValueError(f"y must hold labels from 0 to {outputs - 1}; y[{n}] is {array[n]}{remedy}")
    return array.astype(np.int64)


def one_hot(label: Array, outputs: int) -> Array:
    """Returns rows (N, K) with a one at each label."""
    rows = np.zeros((len(label), outputs))
    rows[np.arange(len(label)), label] = 1.0
    return rows
