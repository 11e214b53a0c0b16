"""Arrays in formats of numbers that float64 holds without rounding."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import hessorbit as ho

NET = ho.MLP([2, 3, 1])
THETA = np.ones(13)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16, ">f4"])
def test_formats_that_float64_holds_are_taken(dtype: Any) -> None:
    x = np.array([[0.5, -1.0], [2.0, 0.25]]).astype(dtype)
    exact = ho.Objective(NET, x.astype(np.float64), [1.0, 2.0])
    assert (ho.Objective(NET, x, [1.0, 2.0]).hessian(THETA.astype(dtype)) == exact.hessian(THETA)).all()
