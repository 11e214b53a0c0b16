"""Tables of pandas become arrays column by column, so that one without real numbers is named; it is not imported."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

REMEDIES = {
    "bool": "convert it by astype(float) if 0 and 1 are meant",
    "boolean": "convert it by astype(float) if 0 and 1 are meant",
    "category": "encode it as numbers, by pandas.get_dummies for one column per category",
}


def is_table(value: Any) -> bool:
    """Tells whether this is a DataFrame or a Series of pandas."""
    kind = type(value)
    return kind.__module__.split(".")[0] == "pandas" and kind.__name__ in ("DataFrame", "Series")


def as_array(table: Any, name: str) -> NDArray[Any]:
    """Returns the numbers of a DataFrame or Series, in a dtype that holds them all."""
    if table.ndim == 1:
        return column(table, name)
    columns = [table.iloc[:, index] for index in range(table.shape[1])]
    if not columns or all(series.dtype == bool for series in columns):
        return np.asarray(table)
    labels = [f"column {label!r} of {name}" for label in table.columns]
    found = [column(series, label) for series, label in zip(columns, labels, strict=True)]
    for numbers, label in zip(found, labels, strict=True):
        if numbers.dtype.kind == "b":
            raise TypeError(f"{label} must hold real numbers; it is bool: {REMEDIES['bool']}")
    if any(numbers.dtype.kind == "f" for numbers in found):
        found = [as_floating(numbers, label) for numbers, label in zip(found, labels, strict=True)]
    return np.column_stack(found)


def column(series: Any, label: str) -> NDArray[Any]:
    """Returns the numbers of one column in its own dtype; pandas' nullable dtypes must have nothing missing."""
    dtype = getattr(series.dtype, "numpy_dtype", series.dtype)
    missing = int(series.isna().sum()) if dtype is not series.dtype else 0
    if missing:
        raise ValueError(f"{label} must not have missing values; it has {missing}: drop these rows, or fill them")
    if not isinstance(dtype, np.dtype) or dtype.kind not in "buif":
        remedy = REMEDIES.get(str(series.dtype), "convert it by astype(float)")
        raise TypeError(f"{label} must hold real numbers; it is {series.dtype}: {remedy}")
    return np.asarray(series.to_numpy(dtype=dtype))


def as_floating(numbers: NDArray[Any], label: str) -> NDArray[Any]:
    """Returns numbers that stand beside floats, and refuses integers that float64 cannot represent."""
    if numbers.dtype.kind in "iu" and (numbers.astype(np.float64).astype(object) != numbers.astype(object)).any():
        raise ValueError(f"{label} must hold numbers that float64 can represent; it has an integer beyond 2**53")
    return numbers
