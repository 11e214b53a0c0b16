"""What gradient flow conserves: values against closed forms, rates against zero, and drift along integrated flow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from oracles.compare import assert_close
from oracles.problem import LOSSES, PARAMETRIZATIONS, Problem, random_problem

pytestmark = pytest.mark.core

LAYERS = [("relu", "identity", "square", "identity", "leaky_relu(0.3)"), ("exp", "cube", "tanh", "exp")]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mixed(**options: Any) -> Problem:
    return random_problem(rng(), (3, *map(len, LAYERS), 2), LAYERS, scale=0.5, **options)


def flattened(conserved: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([value.ravel() for value in conserved.values()])


def test_values() -> None:
    problem = mixed()
    net, theta = problem.network(), problem.theta
    (first, b1), (second, b2), (third, _) = net.unflatten(theta)
    q = ho.symmetries(net).conserved(theta)
    assert list(q) == [
        "layer 1 rescaling (relu)",
        "layer 1 linear (identity)",
        "layer 1 rescaling (square)",
        "layer 1 rescaling (leaky_relu(0.3))",
        "layer 2 translation (exp)",
        "layer 2 rescaling (cube)",
    ]

    def balance(degree: int, weights: Any, bias: Any, outgoing: Any) -> Any:
        return [weights @ weights + bias**2 - degree * outgoing @ outgoing]

    expected = {
        "layer 1 rescaling (relu)": balance(1, first[0], b1[0], second[:, 0]),
        "layer 1 rescaling (square)": balance(2, first[2], b1[2], second[:, 2]),
        "layer 1 rescaling (leaky_relu(0.3))": balance(1, first[4], b1[4], second[:, 4]),
        "layer 2 rescaling (cube)": balance(3, second[1], b2[1], third[:, 1]),
        "layer 2 translation (exp)": [2 * b2[i] - third[:, i] @ third[:, i] for i in (0, 3)],
        "layer 1 linear (identity)": first[[1, 3]] @ first[[1, 3]].T
        + np.outer(b1[[1, 3]], b1[[1, 3]])
        - second[:, [1, 3]].T @ second[:, [1, 3]],
    }
    for name, value in expected.items():
        assert_close(q[name], np.array(value), parameters=10, what=name)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_networks_stay_balanced(bias: bool) -> None:
    """Without biases the closed form is W₁W₁ᵀ − W₂ᵀW₂ (Arora, Cohen and Hazan 2018)."""
    net = ho.MLP([3, 2, 4, 2], "identity", bias=bias)
    theta = net.init(rng())
    (w1, b1), (w2, b2), (w3, _) = net.unflatten(theta)
    q = ho.symmetries(net).conserved(theta)
    first, second = w1 @ w1.T - w2.T @ w2, w2 @ w2.T - w3.T @ w3
    if bias:
        first, second = first + np.outer(b1, b1), second + np.outer(b2, b2)
    assert_close(q["layer 1 linear (identity)"], first, parameters=4)
    assert_close(q["layer 2 linear (identity)"], second, parameters=4)
    assert len(q) == 2


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("biases", [True, False, (True, False, True)])
def test_rates_are_zero(loss: str, parametrization: str, biases: Any) -> None:
    """dQ/dt = −∇Q·∇L, and Q is quadratic, so that a central difference along ∇L is exact but for rounding."""
    problem = mixed(loss=loss, parametrization=parametrization, biases=biases)
    group, theta = ho.symmetries(problem.network()), problem.theta.astype(np.longdouble)
    velocity = -problem.objective().gradient(theta)
    ahead, behind = (flattened(group.conserved(theta + sign * velocity)) for sign in (1, -1))
    size = 4 * np.abs(theta).max() * np.abs(velocity).max()
    assert np.abs(velocity).max() > 1e-3
    assert_close((ahead - behind) / 2, np.zeros(len(ahead)), parameters=problem.num_parameters, scale=size)


@pytest.mark.parametrize(
    ("widths", "layers", "loss"),
    [
        ((2, 4, 3, 2), ["relu", "square"], "squared_error"),
        ((3, 3, 2, 2), ["identity", "identity"], "squared_error"),
        ((2, 4, 2), [("cube", "exp", "identity", "leaky_relu")], "cross_entropy"),
    ],
)
def test_drift_along_gradient_flow(widths: Any, layers: Any, loss: str) -> None:
    """The flow conserves Q, and the integrator's errors bound its drift.

    Each step may err by atol + rtol·|θ_p| in a parameter, which moves Q by 2k|θ_p| times that, k = 3 at most.
    """
    problem = random_problem(rng(1), widths, layers, loss=loss, samples=20, parametrization="ntk")
    group, rtol, atol = ho.symmetries(problem.network()), 1e-9, 1e-11
    result = ho.minimize(problem.objective(), problem.theta, method="flow", time=3.0, rtol=rtol, atol=atol)
    thetas = result.trajectory.thetas
    conserved = np.array([flattened(group.conserved(theta)) for theta in thetas])
    size = np.abs(thetas).max(axis=0)
    bound = result.nit * 3 * 2 * (size * (atol + rtol * size)).sum()
    assert np.abs(conserved - conserved[0]).max() < bound
    assert np.abs(thetas[-1] - thetas[0]).max() > 1e4 * bound


def test_batches_and_precision() -> None:
    net = ho.MLP([2, 4, 2], [["relu", "identity", "identity", "exp"]])
    group, thetas = ho.symmetries(net), net.init(rng(), size=3)
    batch = group.conserved(thetas)
    assert {name: value.shape for name, value in batch.items()} == {
        "layer 1 rescaling (relu)": (3, 1),
        "layer 1 linear (identity)": (3, 2, 2),
        "layer 1 translation (exp)": (3, 1),
    }
    for index, theta in enumerate(thetas):
        for name, value in group.conserved(theta).items():
            assert_close(batch[name][index], value, parameters=1)
    assert all(value.dtype == np.longdouble for value in group.conserved(thetas.astype(np.longdouble)).values())
