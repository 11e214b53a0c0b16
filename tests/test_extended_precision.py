"""The same templates in longdouble: eleven more bits, which also judge float64 on networks too large for the jets."""

from __future__ import annotations

import numpy as np
import pytest

import hessorbit as ho
from oracles import jets
from oracles.compare import assert_close, assert_matches, computed
from oracles.problem import ACTIVATIONS, LOSSES, Problem, random_problem

pytestmark = pytest.mark.core


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str) -> None:
    problem = random_problem(rng(), (2, 3, 2), activation, samples=6)
    reference = jets.evaluate(problem)
    assert_matches(computed(problem.objective(), problem.theta.astype(np.longdouble)), reference)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("parametrization", ["ntk", "mean_field"])
def test_whole_objectives_at_fifty_digits(loss: str, parametrization: str) -> None:
    problem = random_problem(
        rng(), (3, 3, 2), "softplus", loss=loss, parametrization=parametrization, weighted=True, l2=0.1
    )
    reference = jets.evaluate(problem, digits50=True)
    assert_matches(computed(problem.objective(), problem.theta.astype(np.longdouble)), reference)


LARGE = {
    "wide": random_problem(rng(1), (6, 40, 1), "gelu", samples=300),
    "outputs": random_problem(rng(2), (5, 20, 10), "tanh", loss="cross_entropy", samples=200, weighted=True, l2=0.1),
    "deep": random_problem(rng(3), (4, 12, 10, 8, 6, 2), ["silu", "sin", "erf", "g"], loss="logistic", samples=150),
}


@pytest.mark.parametrize("name", LARGE)
def test_float64_against_longdouble(name: str) -> None:
    problem = LARGE[name]
    objective, parameters = problem.objective(), problem.num_parameters
    results = computed(objective, problem.theta)
    expected = computed(objective, problem.theta.astype(np.longdouble))
    scale = {"trace": np.abs(expected["diagonal"]).sum(), "diagonal": np.abs(expected["hessian"]).max(),
             "residual": max(1, np.abs(expected["outputs"]).max())}  # fmt: skip
    for key, value in results.items():
        assert_close(value, expected[key], parameters=parameters, scale=scale.get(key), what=key)


@pytest.mark.parametrize("name", LARGE)
def test_hessian_is_the_derivative_of_the_gradient(name: str) -> None:
    """Differences in longdouble, with six points: exact up to h⁶ ∂⁷L / 140, and rounding 2⁻⁶⁴/h.

    At h = 2⁻⁹ the two are about 1e-19 ∂⁷L and 3e-17: far below the 1e-13 asked of float64.
    """
    problem = LARGE[name]
    objective = problem.objective()
    theta = problem.theta.astype(np.longdouble)
    directions = rng(4).choice([-1.0, 1.0], (8, problem.num_parameters)).astype(np.longdouble)
    step = np.longdouble(2) ** -9 / np.sqrt(np.longdouble(problem.num_parameters))
    differences = np.stack([derivative(objective, theta, step * v) / step for v in directions], axis=1)
    hessian = objective.hessian(problem.theta)
    scale = np.abs(hessian).max() * np.sqrt(problem.num_parameters)  # of a sum over a row with random signs
    product = (hessian.astype(np.longdouble) @ directions.T).astype(float)
    assert_close(product, differences, parameters=problem.num_parameters, scale=scale, what="differences")


def derivative(objective: ho.Objective, theta: np.ndarray, step: np.ndarray) -> np.ndarray:
    """d/dt of the gradient at theta + t step, t = 0, by the six-point central difference."""
    points = objective.gradient(theta + np.array([[-3], [-2], [-1], [1], [2], [3]]) * step)
    return np.array([-1, 9, -45, 45, -9, 1], np.longdouble) @ points / 60


def test_data_in_longdouble() -> None:
    """Data keep digits that float64 would drop, and float64 is refused for them by name."""
    problem = random_problem(rng(), (2, 3, 1), samples=4)
    x = problem.x.astype(np.longdouble) + np.longdouble(2) ** -60
    net, theta = problem.network(), problem.theta.astype(np.longdouble)
    extended, rounded = ho.Objective(net, x, problem.y), problem.objective()
    assert extended.loss(theta) != rounded.loss(theta)
    reference = jets.evaluate(problem.replace(x=x))
    assert_matches(computed(extended, theta), reference)
    np.testing.assert_array_equal(extended.outputs(theta), net(theta, x))
    for call in (extended.loss, extended.hessian, extended.hessian_operator):
        with pytest.raises(TypeError, match="theta must be longdouble, as x of this objective"):
            call(problem.theta)
    with pytest.raises(TypeError, match="x is longdouble but theta is float64"):
        net(problem.theta, x)


def test_products_in_longdouble() -> None:
    problem = random_problem(rng(), (2, 3, 1), loss="logistic", samples=4)
    objective, theta = problem.objective(), problem.theta.astype(np.longdouble)
    v = rng(1).standard_normal(problem.num_parameters)
    expected = jets.evaluate(problem).total("hessian") @ v
    for vector in (v, v.astype(np.longdouble)):
        assert_close(objective.hvp(theta, vector), expected, parameters=problem.num_parameters, what="Hv")
    assert_close(
        objective.hessian_operator(theta) @ v.astype(np.longdouble), expected, parameters=problem.num_parameters
    )
    with pytest.raises(TypeError, match="v is longdouble but theta is float64"):
        objective.hvp(problem.theta, v.astype(np.longdouble))


def test_weights_are_normalised_in_longdouble() -> None:
    problem = random_problem(rng(), (2, 3, 1), samples=3).replace(sample_weight=np.ones(3))
    check_third(problem)
    check_third(problem.replace(sample_weight=None))


def check_third(problem: Problem) -> None:
    """A weight of 1/3 has its digits."""
    assert_matches(computed(problem.objective(), problem.theta.astype(np.longdouble)), jets.evaluate(problem))
