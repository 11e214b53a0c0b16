"""Ends of descents compared with the nearest minima: by construction, and by descending."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.minima import compare_descent


def pair(activation: str, bias: Any, outputs: int = 2) -> tuple[ho.MLP, np.ndarray, ho.MLP, np.ndarray]:
    rng = np.random.default_rng(0)
    teacher, student = (ho.MLP([2, width, outputs], activation, bias=bias) for width in (2, 5))
    theta = teacher.init(rng, "normal(1)")
    return student, student.init(rng, "normal(0.5)", size=8), teacher, theta


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "elu", "cos", "gelu"])
@pytest.mark.parametrize("bias", [False, True, (True, False), (False, True)])
def test_ends_at_the_nearest_minimum(activation: str, bias: Any) -> None:
    student, starts, teacher, theta = pair(activation, bias)
    near = ho.nearest_minimum(student, starts, teacher, theta)
    found = compare_descent(student, starts, near.theta, teacher, theta)
    assert found.converged.all()
    assert found.same_piece.all()
    assert found.fraction == 1
    np.testing.assert_allclose(found.excess, 1, rtol=1e-6)
    # What rounding leaves of a difference of sums of squares.
    assert (found.off_piece <= 1e-6).all()


def test_ends_elsewhere() -> None:
    student, starts, teacher, theta = pair("elu", (True, False))
    near = ho.nearest_minimum(student, starts, teacher, theta)
    order = np.roll(np.arange(5), 1)
    permuted = ho.symmetries(student).permutation(layer=1, order=order)(near.theta)
    other = compare_descent(student, starts, permuted, teacher, theta)
    assert other.converged.all()
    moved = (near.assignment != near.assignment[:, order]).any(axis=1)
    assert not other.same_piece[moved].any()
    assert moved.any()
    nowhere = compare_descent(student, starts, starts + 1.0, teacher, theta)
    assert not nowhere.converged.any()
    assert np.isnan(nowhere.fraction)
    assert "8 descents, 0 converged" in repr(nowhere)


def test_descent_travels_at_least_to_the_nearest() -> None:
    student, starts, teacher, theta = pair("tanh", True, outputs=1)
    x = np.random.default_rng(1).standard_normal((200, 2))
    objective = ho.Objective(student, x, teacher(theta, x))
    ends = np.array([ho.minimize(objective, start, method="lm").x for start in starts])
    found = compare_descent(student, starts, ends, teacher, theta)
    assert (found.excess[found.converged] >= 1 - 1e-2).all()


def test_bad_arguments() -> None:
    student, starts, teacher, theta = pair("tanh", True)
    with pytest.raises(ValueError, match="theta_end must have shape"):
        compare_descent(student, starts, starts[:2], teacher, theta)
    with pytest.raises(ValueError, match="tolerance must be positive"):
        compare_descent(student, starts, starts, teacher, theta, tolerance=0.0)
