"""The kind of a point is the same at every point of its orbit, and in any units of inputs and targets."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hessorbit as ho
from oracles.planted import with_critical_point
from oracles.problem import Problem, random_problem

# Widths, activation and loss of problems with a planted point: a minimum for small residuals, else mostly a saddle.
CASES = [
    ((2, 3, 1), "tanh", "squared_error"),
    ((2, 3, 1), "leaky_relu", "squared_error"),
    ((2, 3, 2, 1), "leaky_relu", "huber"),
    ((2, 2, 2), "gelu", "squared_error"),
    ((2, 3, 1), "softplus", "logistic"),
    ((2, 2, 3), "sigmoid", "cross_entropy"),
    ((2, 2, 1), "cube", "squared_error"),
    ((2, 2, 1), "exp", "poisson"),
]
exponents = st.floats(-6, 6)


@cache
def planted(case: int, size: float) -> Problem:
    widths, activation, loss = CASES[case]
    problem = random_problem(np.random.default_rng(case), widths, activation, loss=loss, samples=60,
                             integer_labels=False)  # fmt: skip
    return with_critical_point(problem, np.random.default_rng(2), size)


@cache
def kind(case: int, size: float) -> tuple[str, int, int]:
    problem = planted(case, size)
    point = ho.classify(problem.objective(), problem.theta)
    return point.kind, point.num_negative, len(point.causes)


def relabelled(
    obj: ho.Objective, theta: np.ndarray, units: np.ndarray, factor: float
) -> tuple[ho.Objective, np.ndarray]:
    """The same functions of inputs in other units, with outputs too where the loss has no unit of its own."""
    factor = factor if obj.loss_name in ("squared_error", "huber") else 1.0
    layers = [(weights.copy(), biases) for weights, biases in obj.net.unflatten(theta)]
    layers[0] = layers[0][0] / units, layers[0][1]
    layers[-1] = layers[-1][0] * factor, None if layers[-1][1] is None else layers[-1][1] * factor
    options = {"delta": obj.delta * factor} if obj.delta is not None else {}
    other = ho.Objective(obj.net, obj.x * units, obj.y * factor, loss=obj.loss_name, **options)
    return other, obj.net.flatten(layers)


@pytest.mark.parametrize("size", [0.01, 1.0])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_planted_points_have_a_kind(case: int, size: float) -> None:
    """So that what follows says something; and NumPy finds as many negative eigenvalues."""
    problem = planted(case, size)
    assert kind(case, size)[0] in ("minimum", "saddle")
    values = np.linalg.eigvalsh(problem.objective().hessian(problem.theta))
    assert (values < -1e-12 * values[-1]).sum() == kind(case, size)[1]


@given(
    case=st.integers(0, len(CASES) - 1),
    size=st.sampled_from([0.01, 1.0]),
    inputs=st.tuples(exponents, exponents),
    output=exponents,
    seed=st.integers(0, 2**20),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_units_and_orbits(case: int, size: float, inputs: tuple[float, float], output: float, seed: int) -> None:
    problem = planted(case, size)
    net, rng = problem.network(), np.random.default_rng(seed)
    theta, group = problem.theta, ho.symmetries(net)
    for hidden in range(1, net.num_layers):
        if net.activations[hidden - 1][0].split("(")[0] in ("leaky_relu", "cube"):
            theta = group.rescaling(layer=hidden, factors=10 ** rng.uniform(-4, 4, net.widths[hidden]))(theta)
        if net.activations[hidden - 1][0] == "exp":
            theta = group.translation(layer=hidden, shifts=rng.uniform(-9, 9, net.widths[hidden]))(theta)
    obj, at = relabelled(problem.objective(), theta, 10 ** np.array(inputs), 10**output)
    point = ho.classify(obj, at)
    assert (point.kind, point.num_negative, len(point.causes)) == kind(case, size), point
    if point.kind == "saddle":
        assert point.direction is not None
        start, end = (obj.loss(where.astype(np.longdouble)) for where in (at, at + point.direction))
        # Both losses are known to 1e-18, in which their difference is as good.
        assert abs(float(start - end) - point.decrease) <= 1e-6 * point.decrease + 1e-15 * abs(float(start))


@pytest.mark.parametrize("units", [[1e6, 1e-6], [1e-6, 1e-5]])
def test_other_endings(units: list[float]) -> None:
    """Degenerate points, channels, steps and separated classes; and where a minimisation ends."""
    x = np.random.default_rng(0).standard_normal((60, 2))
    net = ho.MLP([2, 2, 1])
    theta = net.init(np.random.default_rng(1), "normal(1)")
    wide = ho.Widening(net, copies=[[2, 1]])
    spare = ho.Objective(wide.net, x, net(theta, x))
    w, u = np.array([0.8, -0.6, 0.3]), np.array([0.5, 0.9, -0.4]) / 60
    incoming = np.array([w + u, w - u])
    unit = 0.7 * np.tanh(x @ w[:2] + w[2]) + 60 * (x @ u[:2] + u[2]) / np.cosh(x @ w[:2] + w[2]) ** 2
    pair = ho.Objective(net, x, unit)
    merging = net.flatten([(incoming[:, :2], incoming[:, 2]), (np.array([[30.35, -29.65]]), np.zeros(1))])
    labels = (x[:, 0] + x[:, 1] > 0).astype(float)
    classes = ho.Objective(ho.MLP([2, 1]), x, labels, loss="logistic")
    for obj, at, expected in (
        (spare, wide(theta), "degenerate"),
        (pair, ho.minimize(pair, merging, method="lm", max_steps=150).x, "to infinity"),
        (classes, ho.minimize(classes, np.zeros(3), method="newton", max_steps=30).x, "to infinity"),
    ):
        plain = ho.classify(obj, at)
        other, there = relabelled(obj, at, np.array(units), 1e4)
        point = ho.classify(other, there)
        assert (plain.kind, point.kind) == (expected, expected), point
        assert [way.neurons for way in point.ways] == [way.neurons for way in plain.ways]
        for way, own in zip(point.ways, plain.ways, strict=True):
            scale = float(np.abs(other.y).max() / np.abs(obj.y).max()) ** 2
            assert way.limit / scale == pytest.approx(own.limit, abs=0.1 * plain.loss)
            if "incoming" in way.parameters:
                assert way.parameters["incoming"][:2] * units == pytest.approx(own.parameters["incoming"][:2], rel=1e-3)
                assert way.parameters["slope"][:, 2] == pytest.approx(1e4 * own.parameters["slope"][:, 2], rel=1e-2)


def test_linear_neurons_are_mixed() -> None:
    """A mixing of condition number 1e4 squares to 1e8 in the Hessian of a deep linear network."""
    rng = np.random.default_rng(0)
    net = ho.MLP([3, 3, 2, 2], "identity")
    obj = ho.Objective(net, rng.standard_normal((40, 3)), rng.standard_normal((40, 2)))
    end = ho.minimize(obj, net.init(rng, "torch"), method="newton", tol=1e-12)
    mixing = np.linalg.qr(rng.standard_normal((3, 3)))[0] @ np.diag([1e2, 1.0, 1e-2])
    moved = ho.symmetries(net).linear(layer=1, matrix=mixing)(end.x)
    point, plain = ho.classify(obj, moved), ho.classify(obj, end.x)
    assert (point.kind, len(point.causes)) == (plain.kind, len(plain.causes)) == ("minimum", 18)


def test_populations_and_restrictions() -> None:
    """Inputs of other variances, and rescaled rectifiers, of all parameters and of the incoming ones alone."""
    net = ho.MLP([2, 3, 1], "relu")
    theta = net.init(np.random.default_rng(1), "normal(1)")
    units = np.array([1e6, 1e-5])
    (weights, bias), above = net.unflatten(theta)
    moved = ho.symmetries(net).rescaling(layer=1, factors=[1e4, 1e-3, 1.0])(
        net.flatten([(weights / units, bias), above])
    )
    x = np.random.default_rng(8).standard_normal((80, 2)) * units
    free = net.block(layer=1, part="incoming")
    for obj in (
        ho.PopulationObjective(net, net, moved, covariance=np.diag(units**2)),
        ho.Objective(net, x, net(moved, x)),
    ):
        assert ho.classify(obj, moved).kind == "minimum"
        part = ho.classify(obj.restricted(moved, free), moved[free])
        assert (part.kind, len(part.causes)) == ("minimum", 0)


@pytest.mark.parametrize("inputs", [1, 3])
@pytest.mark.parametrize("weight", [1e-3, 1e-5, 1e-6, 1e-8, 1e-10])
def test_next_to_a_silent_neuron(inputs: int, weight: float) -> None:
    """Where w = 0 silences a square, ∂²L/∂w² = 2 v E(f − y) x xᵀ, whose trace is negative here: always a saddle."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20, inputs))
    y = 1 + (x**2).sum(axis=1)
    obj = ho.Objective(ho.MLP([inputs, 1, 1], "square", bias=[False, True]), x, y)
    theta = np.array([*weight * rng.standard_normal(inputs), 0.7, y.mean()])
    assert 2 * 0.7 * ((y.mean() - y) * (x**2).sum(axis=1)).mean() < -0.1
    point = ho.classify(obj, theta)
    assert point.kind == "saddle", point
    assert obj.loss(theta + point.direction) < obj.loss(theta)
