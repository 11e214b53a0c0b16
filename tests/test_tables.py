"""DataFrames and Series as data: the numbers as they are, or a message that names the column and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import hessorbit as ho

NET = ho.MLP([2, 1])
ONE, TWO = [1.5, -2.0, 0.25], [3, 4, 5]
EXPECTED = np.column_stack([ONE, TWO])


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": ONE, "b": TWO}),
        pd.DataFrame({"a": ONE, "b": TWO}, dtype="Float64"),
        pd.DataFrame({"a": pd.Series(ONE, dtype="Float64"), "b": pd.Series(TWO, dtype="Int64")}),
        pd.DataFrame({"a": pd.Series(ONE, dtype="Float32"), "b": pd.Series(TWO, dtype="UInt8")}),
        pd.DataFrame({"a": np.float32(ONE), "b": TWO}, index=["x", "y", "z"]),
        pd.DataFrame(EXPECTED, columns=["a", "a"]),
        pd.DataFrame(EXPECTED, columns=pd.MultiIndex.from_tuples([("u", 1), ("u", 2)])),
    ],
    ids=lambda frame: str(list(map(str, frame.dtypes))),
)
def test_numbers_are_taken_as_they_are(frame: pd.DataFrame) -> None:
    obj = ho.Objective(NET, frame, frame.iloc[:, 0])
    np.testing.assert_array_equal(obj.x, EXPECTED)
    np.testing.assert_array_equal(obj.y.ravel(), ONE)


def frame(column: Any) -> pd.DataFrame:
    return pd.DataFrame({"age": ONE, "sort": column})


BAD: dict[str, tuple[Any, type[Exception], list[str]]] = {
    "bool": ([True, False, True], TypeError, ["is bool", "astype(float)"]),
    "boolean": (pd.array([True, False, True], dtype="boolean"), TypeError, ["is bool", "astype(float)"]),
    "nullable": (pd.array([1.0, None, None], dtype="Float64"), ValueError, ["missing values; it has 2", "fill them"]),
    "nullable integer": (pd.array([1, None, 2], dtype="Int64"), ValueError, ["missing values; it has 1"]),
    "category": (pd.Categorical(["u", "v", "u"]), TypeError, ["is category", "get_dummies"]),
    "text": (["1", "2", "3"], TypeError, ["astype(float)"]),
    "objects": (np.array([1.0, 2.0, 3.0], object), TypeError, ["is object", "astype(float)"]),
    "dates": (pd.date_range("2026-01-01", periods=3), TypeError, ["is datetime64", "real numbers"]),
    "complex": ([1j, 2j, 3j], TypeError, ["is complex128"]),
    "large integers": ([2**53 + 1, 0, 0], ValueError, ["2**53"]),
}


@pytest.mark.parametrize("name", BAD)
def test_columns_are_named(name: str) -> None:
    column, error, fragments = BAD[name]
    with pytest.raises(error) as caught:
        ho.Objective(NET, frame(column), ONE)
    assert str(caught.value).startswith("column 'sort' of x must ")
    assert all(fragment in str(caught.value) for fragment in fragments)


@pytest.mark.parametrize("name", ["nullable", "category", "objects", "dates"])
def test_series_are_named(name: str) -> None:
    column, error, fragments = BAD[name]
    with pytest.raises(error, match=r"^y must ") as caught:
        ho.Objective(NET, EXPECTED, pd.Series(column))
    assert all(fragment in str(caught.value) for fragment in fragments)


def test_missing_floats_are_not_finite() -> None:
    with pytest.raises(ValueError, match=r"x must be finite; x\[1, 1\] is nan"):
        ho.Objective(NET, frame([1.0, np.nan, 2.0]), ONE)
    with pytest.raises(ValueError, match="finite"):
        ho.Objective(NET, pd.DataFrame(np.ma.masked_less(EXPECTED, 0)), ONE)
