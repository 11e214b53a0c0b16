"""Norms against `math.hypot`, which neither overflows nor underflows on the way."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hessorbit._norms import norm


@pytest.mark.parametrize("exponent", [-307, -160, -145, -140, 0, 140, 145, 160, 305])
@pytest.mark.parametrize("kind", [np.float64, np.longdouble])
def test_norms_of_any_size(exponent: int, kind: type) -> None:
    rows = np.random.default_rng(0).standard_normal((4, 7)) * 10.0**exponent
    rows[1] *= 1e-8  # beside a row of another size
    rows[2] = 0
    found = norm(rows.astype(kind), axis=1)
    for value, row in zip(found, rows, strict=True):
        # Seven squares, their sum and a root: some ten roundings. Subnormals have fewer digits.
        assert float(value) == pytest.approx(math.hypot(*row), rel=2e-15, abs=5e-322)
    assert float(norm(rows.astype(kind))) == pytest.approx(math.hypot(*rows.ravel()), rel=4e-15)


def test_what_is_not_finite() -> None:
    assert norm(np.array([np.inf, 1.0])) == np.inf
    assert np.isnan(norm(np.array([np.nan, 1.0])))
    assert norm(np.zeros(0)) == 0
    assert norm(np.zeros((0, 3)), axis=0).tolist() == [0, 0, 0]
    assert norm(np.full(4, 1.7e308)) == np.inf
