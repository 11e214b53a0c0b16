"""The inertia of widenings, against the eigenvalues of the wide Hessian itself."""

from __future__ import annotations

import pickle
from typing import Any

import mpmath
import numpy as np
import pytest

import hessorbit as ho
from hessorbit.symmetry import Inertia
from oracles.planted import with_critical_point
from oracles.problem import LOSSES, PARAMETRIZATIONS, Problem, random_problem
from oracles.widenings import ALL, random_widening

SHAPES = {1: (2, 2), 2: (2, 2, 2), 3: (2, 2, 2, 2)}  # widths without the outputs, by the number of hidden layers
# Eigenvalues that are zero but for rounding, and those that are not, relative to the largest; nothing is in between.
IN_DOUBLE, IN_EXTENDED = (1e-13, 1e-11), (1e-17, 1e-16)


def gap(values: np.ndarray, limits: tuple[float, float]) -> bool:
    return not ((np.abs(values) > limits[0]) & (np.abs(values) < limits[1])).any()


def counted(obj: Any, theta: np.ndarray, *, doubt: bool = False) -> tuple[int, int, int]:
    """The inertia of the Hessian, in extended precision if double leaves doubts."""
    values, limits = np.linalg.eigvalsh(obj.hessian(theta).astype(float)), IN_DOUBLE
    values /= np.abs(values).max()
    if doubt or not gap(values, limits):
        with mpmath.workdps(25):
            matrix = mpmath.matrix(obj.hessian(theta.astype(np.longdouble)).tolist())
            values, limits = np.array(mpmath.eigsy(matrix, eigvals_only=True), float), IN_EXTENDED
        values /= np.abs(values).max()
        assert gap(values, limits), values
    return int((values < -limits[0]).sum()), int((np.abs(values) <= limits[0]).sum()), int((values > limits[0]).sum())


def problem_of(activation: str, depth: int, outputs: int, seed: int = 0) -> Problem:
    generator = np.random.default_rng([seed, depth, outputs])
    loss = LOSSES[(ALL.index(activation) + depth + outputs) % len(LOSSES)]
    outputs = max(outputs, 2) if loss == "cross_entropy" else outputs
    options: dict[str, Any] = {"parametrization": PARAMETRIZATIONS[depth - 1], "samples": 25, "weighted": True}
    scale = 0.3 if activation == "exp" and depth > 1 else 0.5 if activation in ("cube", "square") else 1.0
    return random_problem(generator, (*SHAPES[depth], outputs), activation, loss=loss, scale=scale, **options)


def wide_objective(problem: Problem, widening: ho.Widening) -> ho.Objective:
    weight, delta = problem.sample_weight, problem.delta
    return ho.Objective(widening.net, problem.x, problem.y, loss=problem.loss, sample_weight=weight, delta=delta)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("depth", SHAPES)
@pytest.mark.parametrize("activation", ALL)
def test_any_point(activation: str, depth: int, outputs: int) -> None:
    """The identity behind the prediction needs no critical point."""
    problem = problem_of(activation, depth, outputs)
    wide = random_widening(problem, np.random.default_rng(outputs)).widening
    predicted = wide.inertia(problem.objective(), problem.theta)
    assert predicted == counted(wide_objective(problem, wide), wide(problem.theta))


@pytest.mark.parametrize("size", [0.1, 3.0])
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize(
    ("activation", "depth"),
    [(name, 1) for name in ("tanh", "sigmoid", "softplus", "erf", "leaky_relu(-1)")]
    + [(name, 2) for name in ("tanh", "gelu", "sin", "softplus")]
    + [(name, 3) for name in ("tanh", "relu")],
)
def test_critical_points_with_residual(activation: str, depth: int, outputs: int, size: float) -> None:
    """Minima and saddles; zeros are as small as the gradient, and known to be zeros."""
    problem = problem_of(activation, depth, outputs)
    problem = with_critical_point(problem, np.random.default_rng(7), size)
    obj = problem.objective()
    assert np.abs(obj.gradient(problem.theta)).max() < 1e-14
    for seed in range(2):
        wide = random_widening(problem, np.random.default_rng(seed)).widening
        predicted = wide.inertia(obj, problem.theta)
        assert predicted == counted(wide_objective(problem, wide), wide(problem.theta))


def test_a_zero_residual_adds_zeros_only() -> None:
    net = ho.MLP([2, 3, 2])
    generator = np.random.default_rng(0)
    theta, x = net.init(generator, "normal(1)"), generator.standard_normal((30, 2))
    obj = ho.Objective(net, x, net(theta, x))
    for seed in range(3):
        generator = np.random.default_rng(seed)
        shares = [[part + (1 - part.sum()) / 2 for part in generator.uniform(-1, 1, (3, 2))]]
        inertia = ho.Widening(net, copies=[[2, 2, 2]], coefficients=shares, dead=[1]).inertia(obj, theta)
        wide = net.num_parameters + 4 * (3 + 2)
        assert inertia == (0, wide - net.num_parameters, net.num_parameters)
        assert inertia.undecided == 0


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("activation", ["erf", "tanh", "relu", "softplus", "sigmoid"])
def test_infinite_data(activation: str, outputs: int) -> None:
    generator = np.random.default_rng(outputs)
    net, teacher = ho.MLP([2, 2, outputs], activation), ho.MLP([2, 3, outputs], activation)
    theta, target = net.init(generator, "normal(1)"), teacher.init(generator, "normal(1)")
    widening = ho.Widening(net, [[3, 2]], coefficients=[[[0.7, 0.9, -0.6], [0.4, 0.6]]], dead=[1])
    pop, wide = (ho.PopulationObjective(each, teacher, target, mean=[0.3, 0.1]) for each in (net, widening.net))
    # The delta of a rectifier's σ'' and the integrals have errors of 1e-13.
    values = np.linalg.eigvalsh(wide.hessian(widening(theta)))
    small = 1e-10 * np.abs(values).max()
    expected = tuple(
        int(count) for count in ((values < -small).sum(), (np.abs(values) <= small).sum(), (values > small).sum())
    )
    assert widening.inertia(pop, theta) == expected


def test_extended_precision() -> None:
    """A residual of 1e-13, of whose effects double knows few digits."""
    problem = with_critical_point(problem_of("tanh", 1, 1).replace(loss="squared_error"), np.random.default_rng(0), 1.0)
    net, weight = problem.network(), problem.sample_weight
    theta = problem.theta.astype(np.longdouble)
    residual = net(problem.theta, problem.x) - problem.y
    y = net(theta, problem.x) - np.longdouble(1e-13) * residual
    widening = ho.Widening(net, copies=[[2, 1]])
    narrow, wide = (ho.Objective(each, problem.x, y, sample_weight=weight) for each in (net, widening.net))
    inertia = widening.inertia(narrow, theta)
    assert inertia == counted(wide, widening(theta), doubt=True)
    assert inertia.undecided == 0


def test_an_inertia_is_a_triple() -> None:
    inertia = Inertia(1, 2, 3, 2)
    assert inertia == (1, 2, 3)
    assert (inertia.negative, inertia.zero, inertia.positive, inertia.undecided) == (1, 2, 3, 2)
    assert repr(inertia) == "(1, 2, 3), 2 of the zeros undecided"
    copy = pickle.loads(pickle.dumps(inertia))
    assert copy == inertia
    assert copy.undecided == 2


def test_bad_input() -> None:
    net = ho.MLP([1, 2, 1])
    widening, x = ho.Widening(net, copies=[[2, 1]]), [[1.0], [2.0]]
    theta = np.zeros(7)
    with pytest.raises(TypeError, match="obj must be an Objective or a PopulationObjective"):
        widening.inertia(net, theta)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="obj must be of the network that is widened"):
        widening.inertia(ho.Objective(widening.net, x, [1.0, 2.0]), theta)
    with pytest.raises(ValueError, match="obj must not have weight decay"):
        widening.inertia(ho.Objective(net, x, [1.0, 2.0], l2=0.1), theta)
    with pytest.raises(ValueError, match="theta"):
        widening.inertia(ho.Objective(net, x, [1.0, 2.0]), theta[:-1])
