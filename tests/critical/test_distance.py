"""How far classify says that the critical point is, against Newton's iteration in extended precision."""

from __future__ import annotations

import numpy as np
import pytest

import hessorbit as ho

X = np.random.default_rng(4).standard_normal((30, 2))
Y = np.sin(X[:, 0]) + 0.3 * X[:, 1]


def newton(obj: ho.Objective, theta: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The critical point that full Newton steps lead to, on the slice through θ spanned by columns (P, n)."""
    at = theta.astype(np.longdouble)
    for _ in range(50):
        hessian = (across.T @ obj.hessian(at) @ across).astype(np.float64)
        slopes = (across.T @ obj.gradient(at)).astype(np.float64)
        step = across @ np.linalg.solve(hessian, slopes)
        at = at - step
        if np.linalg.norm(step) <= 1e-18 * np.linalg.norm(theta):
            break
    return at


@pytest.mark.parametrize("offset", [0.0, 1e-8, 1e-4, 1e-2, 0.1])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "erf", "sin"])
def test_bounds_the_distance_of_the_critical_point(activation: str, offset: float) -> None:
    rng = np.random.default_rng(1)
    net = ho.MLP([2, 1, 1], activation)
    obj = ho.Objective(net, X, Y)
    found = ho.minimize(obj, net.init(rng), method="newton")
    assert found.outcome == "minimum"
    theta = found.x * (1 + offset * rng.standard_normal(net.num_parameters))
    point = ho.classify(obj, theta)
    if point.kind != "minimum":
        assert offset >= 1e-2
        assert np.isnan(point.distance)
        return
    there = newton(obj, theta, np.eye(len(theta)))
    distance = float(np.linalg.norm(there - theta))
    # Of both numbers the last digits are those of a gradient in longdouble, over the smallest eigenvalue.
    assert distance <= point.distance * (1 + 1e-3)
    if offset <= 1e-4:
        assert point.distance <= 1.5 * distance
    assert f"within {point.distance:.2g} of theta" in point.message


def test_across_the_orbit() -> None:
    """Of a linear neuron, whose weights w and v may be w t and v / t."""
    rng = np.random.default_rng(3)
    linear = ho.MLP([2, 1, 1], "identity", bias=False)
    obj = ho.Objective(linear, X, Y)
    best = np.linalg.lstsq(X, Y, rcond=None)[0]
    theta = np.array([*best, 1.0]) + 1e-3 * rng.standard_normal(3)
    point = ho.classify(obj, theta)
    assert point.kind == "minimum"
    # The minima are (best / t, t) for t ≠ 0: the nearest is not farther than that of the slice.
    t = np.linspace(0.9, 1.1, 20001)
    minima = np.column_stack([best[0] / t, best[1] / t, t])
    assert np.linalg.norm(minima - theta, axis=1).min() <= point.distance


def test_a_zero_gradient_is_at_the_critical_point() -> None:
    obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), [[1.0], [2.0]], [1.0, 1.0])
    point = ho.classify(obj, [0.0, 0.0])
    assert (point.kind, point.distance) == ("saddle", 0.0)
    assert "It is theta itself." in point.message


def test_none_is_given_where_signs_are_open() -> None:
    net = ho.MLP([2, 2, 1], "tanh")
    twice = ho.Widening(ho.MLP([2, 1, 1], "tanh"), [[2]])([0.5, -0.3, 0.2, 1.5, 0.1])
    point = ho.classify(ho.Objective(net, X, net(twice, X)), twice)
    assert point.kind == "degenerate"
    assert np.isnan(point.distance)
