"""What a point is: planted points of every kind, against their construction and eigenvalues by NumPy."""

from __future__ import annotations

import re

import numpy as np
import pytest

import hessorbit as ho
from oracles.planted import with_critical_point
from oracles.problem import random_problem


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def check_saddle(obj: ho.Objective, theta: np.ndarray, point: ho.CriticalPoint) -> None:
    assert point.kind == "saddle", point
    assert point.direction is not None
    start, end = (obj.loss(at.astype(np.longdouble)) for at in (theta, theta + point.direction))
    assert point.decrease > 0
    # Both losses are known to 1e-18, in which their difference is as good.
    assert abs(float(start - end) - point.decrease) <= 1e-6 * point.decrease + 1e-15 * abs(float(start))


# Minima and saddles


def test_a_decrease_beyond_the_digits_of_double() -> None:
    """Residuals of 1 beside a slope of 3e-7: the loss falls by about 100 roundings of itself in double."""
    x = np.linspace(-1, 1, 20)[:, None]
    obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, np.sign(x**2 - 0.3) + 3e-7 * x)
    at = [0.0, 0.0]
    point = ho.classify(obj, at)
    assert point.kind == "saddle", point
    assert point.direction is not None
    start, end = (obj.loss(np.asarray(theta, np.longdouble)) for theta in (at, at + point.direction))
    assert 0 < point.decrease < 2e-14
    assert abs(float(start - end) - point.decrease) <= 1e-3 * point.decrease


@pytest.mark.parametrize("size", [0.05, 3.0])
@pytest.mark.parametrize(
    ("widths", "activation", "loss"),
    [
        ((2, 3, 1), "tanh", "squared_error"),
        ((2, 2, 2), "gelu", "squared_error"),
        ((2, 2, 2, 1), "sin", "squared_error"),
        ((2, 3, 1), "softplus", "logistic"),
        ((2, 2, 1), "erf", "huber"),
        ((2, 2, 1), "tanh", "poisson"),
    ],
)
def test_planted_points(widths: tuple[int, ...], activation: str, loss: str, size: float) -> None:
    problem = random_problem(rng(1), widths, activation, loss=loss, samples=60, scale=1.5)
    problem = with_critical_point(problem, rng(2), size)
    obj = problem.objective()
    values = np.linalg.eigvalsh(obj.hessian(problem.theta))
    assert np.abs(values).min() > 1e-9 * np.abs(values).max()  # rounding is below 1e-14
    point = ho.classify(obj, problem.theta)
    assert (point.num_negative, point.num_positive) == ((values < 0).sum(), (values > 0).sum())
    assert not point.causes
    assert not point.unexplained.size
    if values[0] < 0:
        check_saddle(obj, problem.theta, point)
    else:
        assert point.kind == "minimum", point
        assert abs(point.smallest - values[0]) <= 1e-6 * values[0] + point.floor


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("outgoing", [1e-7, 1e-9])
def test_signs_that_extended_precision_decides_do_not_depend_on_units(outgoing: float, dtype: type) -> None:
    """Inputs 2¹⁷ as large leave the function the same: so is the kind of point, and what directions are left open."""
    net, x = ho.MLP([1, 1, 1]), np.array([[-2.0], [-1.0], [0.5], [1.0], [3.0]])
    found = []
    for unit in (1.0, 2.0**17):
        theta = np.array([1.0 / unit, 0.5, outgoing, 0.3], dtype)
        found.append(ho.classify(ho.Objective(net, unit * x, net(theta, unit * x)), theta))
    plain, uneven = found
    assert uneven.kind == plain.kind
    assert uneven.unexplained.shape == plain.unexplained.shape
    directions = uneven.unexplained.astype(np.float64)
    np.testing.assert_allclose(directions.T @ directions, np.eye(directions.shape[1]), atol=1e-14)


@pytest.mark.parametrize("falls", [True, False])
@pytest.mark.parametrize("weight", [-1e-3, -1e-5, -1e-7])
def test_weight_decay_pulls_to_a_kink(weight: float, falls: bool) -> None:
    """Weight decay pulls w₁ < 0 to 0, where relu(w₁) is at its kink; beyond it the loss falls as y₁ > 0, or rises."""
    net, l2 = ho.MLP([2, 1, 1], "relu", bias=False), 0.01
    obj = ho.Objective(net, np.eye(2), [1.0 if falls else -1.0, 1 + 2 * l2], l2=l2)
    theta = np.array([weight, 1.0, 1.0])
    np.testing.assert_allclose(obj.gradient(theta), [l2 * weight, 0, 0], atol=1e-16)
    point = ho.classify(obj, theta)
    assert point.kind == ("not critical" if falls else "minimum"), point
    result = ho.minimize(obj, theta, method="gd", tol=1e-4)
    assert result.success is not falls, result.message
    if falls:
        assert "at its kink on sample 0" in point.message
        assert obj.loss(theta + point.direction) < obj.loss(theta)


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_a_cross_entropy_is_symmetric_by_itself(dtype: type) -> None:
    """Width + 1 null vectors, at every θ, do not make its minima degenerate."""
    problem = random_problem(rng(0), (2, 3, 3), "tanh", loss="cross_entropy", samples=60, integer_labels=False)
    problem = with_critical_point(problem, rng(2), 1e-4)
    point = ho.classify(problem.objective(), problem.theta.astype(dtype))
    assert point.kind == "minimum", point
    assert len(point.causes) == 4


def test_an_orbit_does_not_make_a_minimum_degenerate() -> None:
    problem = with_critical_point(random_problem(rng(5), (2, 3, 1), "leaky_relu", samples=50), rng(1), 0.05)
    obj = problem.objective()
    for scale in (1.0, 30.0):
        theta = ho.symmetries(obj.net).rescaling(layer=1, factors=[scale, 1.0, 1 / scale])(problem.theta)
        point = ho.classify(obj, theta)
        assert point.kind == "minimum", point
        assert len(point.causes) == 3


@pytest.mark.parametrize("unit", [1e-2, 1e2])
def test_kinds_do_not_depend_on_units(unit: float) -> None:
    """Labels, and with them outgoing weights and residuals, in another unit."""
    for size in (0.05, 3.0):
        problem = with_critical_point(random_problem(rng(1), (2, 3, 1), "tanh", samples=60, scale=1.5), rng(2), size)
        net = problem.network()
        (first, (outgoing, bias)) = net.unflatten(problem.theta)
        assert bias is not None
        theta = net.flatten([first, (unit * outgoing, unit * bias)])
        scaled = ho.Objective(net, problem.x, unit * problem.y)
        assert ho.classify(scaled, theta).kind == ho.classify(problem.objective(), problem.theta).kind


@pytest.mark.parametrize(("outputs", "shares"), [(1, [1.5, -0.5]), (2, [0.5, 0.5]), (2, [1.0, 0.0])])
def test_splitting_a_minimum_makes_saddles(outputs: int, shares: list[float]) -> None:
    problem = with_critical_point(random_problem(rng(0), (2, 2, outputs), "tanh", samples=60), rng(1), 0.02)
    narrow = problem.objective()
    assert ho.classify(narrow, problem.theta).kind == "minimum"
    widening = ho.Widening(narrow.net, copies=[[2, 1]], coefficients=[[shares, [1.0]]])
    wide, theta = ho.Objective(widening.net, problem.x, problem.y), widening(problem.theta)
    point = ho.classify(wide, theta)
    check_saddle(wide, theta, point)
    assert point.num_negative == widening.inertia(narrow, problem.theta).negative


def test_infinite_data() -> None:
    net = ho.MLP([2, 2, 1], "erf", bias=False)
    teacher = net.flatten([(np.eye(2), None), ([[1.0, 1.0]], None)])
    pop = ho.PopulationObjective(net, net, teacher)
    assert ho.classify(pop, teacher).kind == "minimum"
    # On the plateau both students are alike, where the loss is least: a saddle of soft committee machines.
    plateau = net.flatten([(np.full((2, 2), 0.5), None), ([[1.0, 1.0]], None)])
    for _ in range(40):
        alike = np.array([[1, 1, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]]).T
        step = np.linalg.solve(alike.T @ pop.hessian(plateau) @ alike, alike.T @ pop.gradient(plateau))
        plateau = plateau - alike @ step
    point = ho.classify(pop, plateau)
    assert point.kind == "saddle", point
    assert point.direction is not None
    assert pop.loss(plateau) - pop.loss(plateau + point.direction) == pytest.approx(point.decrease)


# No critical point


def test_on_the_way() -> None:
    """A narrow curved valley: gradient descent reaches its floor soon, and Newton's method the minimum."""
    x = rng(0).standard_normal((60, 2))
    obj = ho.Objective(ho.MLP([2, 3, 1]), x, np.sin(2 * x[:, 0]) + 0.1 * rng(1).standard_normal(60), l2=1e-3)
    start = obj.net.init(rng(2), "normal(1)")
    assert ho.classify(obj, start).kind == "not critical"
    floor = ho.minimize(obj, start, method="gd", learning_rate=0.05, max_steps=500)
    point = ho.classify(obj, floor.x)
    assert (floor.outcome, point.kind) == ("max_steps", "not critical")
    end = ho.minimize(obj, floor.x, method="newton")
    assert (end.outcome, ho.classify(obj, end.x).kind) == ("minimum", "minimum")


# Degenerate points


def test_zero_residual_of_a_wide_network() -> None:
    net = ho.MLP([2, 2, 1])
    theta, x = net.init(rng(0), "normal(1)"), rng(1).standard_normal((40, 2))
    widening = ho.Widening(net, copies=[[2, 1]], dead=[1])
    point = ho.classify(ho.Objective(widening.net, x, net(theta, x)), widening(theta))
    assert point.kind == "degenerate"
    assert len(point.causes) == widening.net.num_parameters - net.num_parameters
    assert "related" in point.message
    assert "dead" in point.message


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "square"])
@pytest.mark.parametrize("method", ["newton", "lm"])
def test_fitted_samples_are_a_global_minimum(activation: str, method: str) -> None:
    """XOR with nine parameters: a run that fits it has reached the least loss there is, 0, on a surface of minima."""
    x, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    obj = ho.Objective(ho.MLP([2, 2, 1], activation), x, y)
    for seed in range(3):
        result = ho.minimize(obj, obj.net.init(rng(seed), "normal(1)"), method=method)
        point = ho.classify(obj, result.x)
        if result.fun < 1e-18:
            assert (result.outcome, result.success, point.at_lower_bound) == ("minimum", True, True)
            assert "global minimum" in result.message
            assert "global minimum" in point.message
        else:
            assert not point.at_lower_bound


@pytest.mark.parametrize(
    ("loss", "y", "attained"),
    [
        ("squared_error", [0.3, -1.0, 0.2], True),
        ("huber", [0.3, -1.0, 0.2], True),
        ("logistic", [0.3, 0.9, 0.2], True),
        ("logistic", [0.0, 1.0, 0.2], False),
        ("poisson", [0.3, 2.0, 1.0], True),
        ("poisson", [0.3, 0.0, 1.0], False),
    ],
)
def test_lower_bounds_of_losses(loss: str, y: list[float], attained: bool) -> None:
    """More parameters than samples; targets at an end of their range want infinite outputs, and decay wants none."""
    net, x = ho.MLP([1, 4, 1]), np.array([[-1.0], [0.3], [1.0]])
    theta = net.init(rng(3), "normal(1)")
    end = ho.minimize(ho.Objective(net, x, y, loss=loss), theta, method="newton", max_steps=300, tol=1e-12).x
    assert ho.classify(ho.Objective(net, x, y, loss=loss), end).at_lower_bound == attained
    decayed = ho.Objective(net, x, y, loss=loss, l2=1e-3)
    assert not ho.classify(decayed, ho.minimize(decayed, theta, method="newton", max_steps=300).x).at_lower_bound


def test_a_teacher_on_infinitely_many_inputs_is_a_global_minimum() -> None:
    net, wide = ho.MLP([2, 2, 1], "erf"), ho.MLP([2, 3, 1], "erf")
    theta = net.init(rng(0), "normal(1)")
    obj = ho.PopulationObjective(wide, net, theta)
    at = ho.Widening(net, copies=[[2, 1]])(theta)
    assert ho.classify(obj, at).at_lower_bound
    assert not ho.classify(obj, np.zeros(len(at))).at_lower_bound


@pytest.mark.parametrize("size", [1.0, 1e-7, 1e-16])
def test_a_curve_that_happens_to_lead_down_is_no_channel(size: float) -> None:
    """At w = 0.5 flatter neurons with larger outgoing weights are better; the minimum is at w = 1.5, steeper ones."""
    x = np.linspace(-1, 1, 20)[:, None]
    obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, size * np.tanh(1.5 * x))
    assert ho.classify(obj, [0.5, size]).kind == "not critical"
    assert ho.classify(obj, [1.5, size]).kind == "minimum"


def test_dead_rectifiers() -> None:
    """A rectifier that is off on every sample moves nothing."""
    net = ho.MLP([2, 3, 1], "relu")
    x = rng(0).standard_normal((40, 2))
    theta = net.init(rng(1), "normal(1)")
    weights, biases = net.unflatten(theta)[0]
    assert biases is not None
    biases[0] = -np.abs(x @ weights[0]).max() - 1
    problem = random_problem(rng(0), (2, 3, 1), "relu", samples=40).replace(x=x, theta=theta)
    problem = with_critical_point(problem, rng(2), 0.05)
    point = ho.classify(problem.objective(), theta)
    assert point.kind == "degenerate", point
    assert "neuron 0: off on every sample" in point.message


def test_a_flat_direction_without_a_symmetry() -> None:
    """L = ½ E (w x)⁴."""
    obj = ho.Objective(ho.MLP([1, 1], output_activation="square", bias=False), [[1.0], [2.0]], [0.0, 0.0])
    point = ho.classify(obj, [0.0])
    assert point.kind == "degenerate"


def test_all_zero() -> None:
    obj = ho.Objective(ho.MLP([2, 2, 2, 1], bias=False), rng(0).standard_normal((20, 2)), np.ones(20))
    assert ho.classify(obj, np.zeros(10)).kind == "degenerate"


def test_a_kink_is_named() -> None:
    """|w x − 1| has its minimum where the rectifier's preactivation is 0 on a sample."""
    net = ho.MLP([1, 1, 1], "relu")
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.3, 0.0, 1.0])
    obj = ho.Objective(net, x, y)
    theta = np.array([1.0, -1.0, 1.0, 0.0])  # relu(x − 1): 0 at x = 1
    point = ho.classify(obj, theta)
    assert (1, 0, 1) in point.kinks
    assert "sample 1" in point.message


# To infinity


def test_a_curve_that_leaves_nothing_else_free() -> None:
    """A bias alone is free, and grows: f = 1 − softsign(b) tends to the target 2 as b → −∞."""
    obj = ho.Objective(ho.MLP([1, 1, 1], "softsign"), [[0.0]], [2.0])
    part = obj.restricted([0.0, -1.0, -1.0, 1.0], free=[1])
    assert ho.classify(part, [-1.0]).kind in ("not critical", "to infinity")


def gated(activation: str, t: float, outputs: int = 1) -> tuple[ho.Objective, np.ndarray]:
    """Two neurons at t in a channel, and data from its end: s σ(z) + (u · x̃) σ'(z)."""
    x = rng(0).standard_normal((60, 2))
    rows = np.column_stack([x, np.ones(60)])
    w, u = np.array([0.8, -0.6, 0.3]), np.array([0.5, 0.9, -0.4])
    value, slope, _ = ho.activations.derivatives(activation, rows @ w)
    scales = np.array([1.0, -2.0])[:outputs]
    y = np.outer(0.7 * value + (rows @ u) * slope, scales)
    net = ho.MLP([2, 2, outputs], activation)
    incoming = np.array([w + u / (2 * t), w - u / (2 * t)])
    outgoing = np.outer(scales, [0.35 + t, 0.35 - t])
    theta = net.flatten([(incoming[:, :2], incoming[:, 2]), (outgoing, np.zeros(outputs))])
    return ho.Objective(net, x, y), theta


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "softplus", "erf"])
def test_planted_channels(activation: str, outputs: int) -> None:
    obj, theta = gated(activation, 30.0, outputs)
    end = ho.minimize(obj, theta, method="lm", max_steps=150)
    assert end.outcome == "to infinity", end.message
    point = ho.classify(obj, end.x)
    assert point.kind == "to infinity", point
    (channel,) = point.channels
    assert (channel.layer, channel.neurons, channel.unit) == (1, (0, 1), "gated linear unit")
    # The loss is 0 at the end, and that at θ all due to t.
    assert abs(point.limit) <= 0.1 * point.loss
    assert "gated linear unit" in end.message
    rows = np.column_stack([obj.x, np.ones(len(obj.x))])
    value, slope, _ = ho.activations.derivatives(activation, rows @ channel.parameters["incoming"])
    unit = np.outer(value, channel.parameters["value"]) + rows @ channel.parameters["slope"].T * slope[:, None]
    # As near to what the two neurons do as they are to their limit, 1/t² with t = 30 or more.
    bias = obj.net.unflatten(end.x)[-1][1]
    assert np.abs(unit + bias - obj.net(end.x, obj.x)).max() < 1e-2


@pytest.mark.parametrize("activation", ["tanh", "gelu", "erf", "sigmoid"])
def test_three_neurons_merge(activation: str) -> None:
    """Their outgoing weights t² (1, −2, 1) and incoming ones at distances 1/t make (u · x̃)² σ''(z), and some σ(z)."""
    x, t = rng(0).standard_normal((80, 1)), 5.0
    rows, w, u = np.column_stack([x, np.ones(80)]), np.array([0.9, 0.3]), np.array([0.7, -0.5])
    value, _, bend = ho.activations.derivatives(activation, rows @ w)
    net = ho.MLP([1, 3, 1], activation)
    incoming = np.array([w + u / t, w, w - u / t])
    theta = net.flatten([(incoming[:, :1], incoming[:, 1]), (np.array([[t**2, 0.5 - 2 * t**2, t**2]]), np.zeros(1))])
    obj = ho.Objective(net, x, (rows @ u) ** 2 * bend + 0.5 * value)
    end = ho.minimize(obj, theta, method="lm", max_steps=40)
    point = ho.classify(obj, end.x)
    assert point.kind == "to infinity", point
    (channel,) = point.channels
    assert (sorted(channel.neurons), channel.unit) == ([0, 1, 2], "gated polynomial unit")
    assert point.limit <= 0.1 * end.fun  # the loss at the end is 0


def test_steps() -> None:
    x = np.linspace(-1, 1, 40)[:, None]
    for activation in ("sigmoid", "tanh"):
        obj = ho.Objective(ho.MLP([1, 1, 1], activation), x, np.sign(x - 0.2))
        end = ho.minimize(obj, [3.0, 0.0, 1.0, 0.0], method="newton", max_steps=1000)
        point = ho.classify(obj, end.x)
        assert (end.outcome, point.kind, point.ways[0].kind) == ("to infinity", "to infinity", "step")
        assert abs(point.limit) <= 1e-6


@pytest.mark.parametrize("method", ["newton", "lbfgs", "gd"])
def test_separated_classes(method: str) -> None:
    x = rng(0).standard_normal((40, 2))
    labels = (x[:, 0] + x[:, 1] > 0).astype(int)
    for obj in (
        ho.Objective(ho.MLP([2, 1]), x, labels.astype(float), loss="logistic"),
        ho.Objective(ho.MLP([2, 2]), x, labels, loss="cross_entropy"),
    ):
        options = {"learning_rate": 20.0, "max_steps": 2000} if method == "gd" else {}
        end = ho.minimize(obj, 0.1 * np.ones(obj.net.num_parameters), method=method, **options)
        assert end.outcome == ("max_steps" if method == "gd" else "to infinity"), end.message
        (way,) = ho.classify(obj, end.x).ways
        assert (way.kind, way.limit <= 1e-6 * end.fun) == ("outputs", True)
    mixed = ho.Objective(ho.MLP([2, 1]), x, rng(1).integers(0, 2, 40).astype(float), loss="logistic")
    assert ho.minimize(mixed, np.zeros(3), method="newton").outcome == "minimum"


def test_every_start_goes_to_infinity() -> None:
    """Two tanh neurons become the quadratic unit that the data ask for; the third has the sine."""
    x = rng(0).uniform(-1, 1, (200, 2))
    obj = ho.Objective(ho.MLP([2, 3, 1]), x, np.sin(2 * x[:, 0]) + 0.7 * x[:, 1] ** 2)
    for seed in (1, 2):
        end = ho.minimize(obj, obj.net.init(rng(seed), "normal(1)"), method="newton", max_steps=800)
        assert end.outcome == "to infinity", end.message
        point = ho.classify(obj, end.x)
        assert len(point.channels) == 1
        assert point.limit < 0.2 * end.fun


def test_twenty_starts() -> None:
    """Of normal inputs: most go the same way to infinity, others to local minima or ways of larger loss."""
    x = rng(0).standard_normal((100, 2))
    obj = ho.Objective(ho.MLP([2, 3, 1]), x, np.sin(2 * x[:, 0]) + 0.7 * x[:, 1] ** 2, threads=1)
    ends = [ho.minimize(obj, obj.net.init(rng(seed), "torch"), method="lm", max_steps=300) for seed in range(20)]
    assert {end.outcome for end in ends} <= {"to infinity", "minimum"}
    best = [end for end in ends if end.fun < 0.01]
    assert len(best) >= 12
    limits = []
    for end in best:
        assert end.outcome == "to infinity", end.message
        point = ho.classify(obj, end.x)
        (channel,) = point.channels
        assert len(channel.neurons) == 2
        assert np.linalg.norm(end.x) > 1e3
        limits.append(point.limit)
    # They are extrapolated from losses that differ by 1e-8.
    assert np.ptp(limits) <= 1e-3 * min(limits)


def three_of_six(seed: int, samples: int) -> tuple[ho.Objective, np.ndarray]:
    """Six neurons that learn a teacher of three, and where to start."""
    draw = rng(seed)
    teacher = ho.MLP([2, 3, 1])
    theta = teacher.init(draw, "normal(1)")
    x = draw.standard_normal((samples, 2))
    net = ho.MLP([2, 6, 1])
    return ho.Objective(net, x, teacher(theta, x), threads=1), net.init(draw, "glorot_normal")


def test_the_floor_of_a_channel_falls_from_theta_on() -> None:
    """Of several curves that lead to θ one is said to be the way: a descent from there goes on towards its limit."""
    obj, start = three_of_six(0, 200)
    end = ho.minimize(obj, start, max_steps=2400)
    point = ho.classify(obj, end.x)
    assert point.kind == "to infinity", point
    further = ho.minimize(obj, end.x, tol=1e-13, max_steps=200)
    assert np.abs(further.x).max() > 1.1 * np.abs(end.x).max()
    assert point.limit < further.fun < end.fun
    assert end.fun - point.limit < 20 * (end.fun - further.fun)
    # The message does not have the loss fall to what is larger.
    loss, limit = (float(number) for number in re.findall(r"[\d.]+e-\d+", point.message)[:2])
    assert limit < loss


def test_near_a_global_minimum_no_curve_is_a_way() -> None:
    """The loss, 5e-22, falls along curves of single neurons, but a few Gauss–Newton steps lead further down."""
    x = rng(0).standard_normal((60, 2))
    teacher = ho.MLP([2, 3, 1])
    obj = ho.Objective(ho.MLP([2, 6, 1]), x, teacher(teacher.init(rng(5), "normal(1)"), x), threads=1)
    end = ho.minimize(obj, obj.net.init(rng(0), "glorot_normal"), max_steps=1000)
    assert end.fun < 1e-20
    further = ho.minimize(obj, end.x, tol=0.0, max_steps=200)
    assert further.fun < 1e-2 * end.fun
    assert np.abs(further.x).max() < 10
    assert ho.classify(obj, end.x).kind != "to infinity"


def test_a_minimum_far_out_is_none_at_infinity() -> None:
    """Outgoing weights of 400 that cancel, but a minimum: its smallest eigenvalue is 1e-17 of the largest."""
    x = rng(1).uniform(-2, 2, (100, 2))
    obj = ho.Objective(ho.MLP([2, 3, 1]), x, np.sin(2 * x[:, 0]) + 0.7 * x[:, 1] ** 2)
    end = ho.minimize(obj, obj.net.init(rng(0), "torch"), method="lm", max_steps=3000)
    if np.finfo(np.longdouble).eps < 1e-18 and np.linalg.norm(end.x) < 600:
        assert end.outcome == "minimum", end.message


# Input


def test_bad_input() -> None:
    obj = ho.Objective(ho.MLP([1, 1]), [[1.0]], [1.0])
    with pytest.raises(TypeError, match="obj must be"):
        ho.classify(obj.net, [1.0, 2.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="theta"):
        ho.classify(obj, [1.0])
    with pytest.raises(ValueError, match="finite"):
        ho.classify(obj, [1.0, np.nan])
    assert ho.classify(obj, [1e200, 1e200]).kind in ("not critical", "degenerate")


def test_a_degenerate_point_is_found_next_to_theta() -> None:
    """Two cubes on separable signs: 50 digits have a critical point 1.1e-11 away, with three zero eigenvalues.

    What is left of these at θ changes by all of itself on the way there.
    """
    x = [
        0.5473394251250083, 0.26414454375081814, -0.13617130347240705, -0.596533314240671,
        0.327113584326392, 0.5678796926439305, -2.3504999260390296,
    ]  # fmt: skip
    theta = [
        -2.0566272420039864, -3.490690548949243, -0.9592634329983132, 0.01150413677163756,
        1.8227406254275111, -1.5735242737712691, 2.8053979342942656,
    ]  # fmt: skip
    net = ho.MLP([1, 2, 1], "cube", parametrization="mean_field")
    obj = ho.Objective(net, np.reshape(x, (-1, 1)), [1, 0, 1, 0, 1, 0, 0], loss="logistic")
    assert np.abs(obj.gradient(theta)).max() < 1e-10
    point = ho.classify(obj, theta)
    assert (point.kind, point.num_negative, point.num_positive) == ("degenerate", 0, 4)
