"""What is inexact at points that the library chooses: not warned of, and part of what limits are known to."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.endings.examine import ways_message
from hessorbit.endings.losses import limit_of, loss_and_noise, quadrature_error
from hessorbit.endings.point import WayToInfinity


def silu_becoming_relu() -> tuple[ho.PopulationObjective, np.ndarray]:
    """A student whose second neuron is steep: silu(c z)/c tends to relu(z) as c grows."""
    net, teacher = ho.MLP([2, 2, 1], "silu"), ho.MLP([2, 3, 1], "softplus")
    pop = ho.PopulationObjective(net, teacher, teacher.init(np.random.default_rng(0), "normal(1)"))
    return pop, np.array([-1.037, 0.194, -17.1, -3.316, 4.94, -7.264, 0.418, -0.00588, -7.106])


def steeper(theta: np.ndarray, c: float) -> np.ndarray:
    """With the second neuron c times as steep, and its outgoing weight over c."""
    at = theta.copy()
    at[[2, 3, 5]] *= c
    at[7] /= c
    return at


def test_classify_and_minimize_warn_of_no_points_of_their_own() -> None:
    pop, theta = silu_becoming_relu()
    seen: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ho.classify(pop, theta)
        ho.minimize(pop, theta, max_steps=3, method="lm", callback=seen.append)
    with pytest.warns(RuntimeWarning, match="entries of the Hessian"):  # nothing was taken for looked at
        pop.hessian(steeper(theta, 64.0))
    assert seen


@pytest.mark.parametrize("function", [ho.classify, lambda pop, theta: ho.minimize(pop, theta, max_steps=0)])
def test_at_points_of_the_user_they_warn(function: Any) -> None:
    pop, theta = silu_becoming_relu()
    with pytest.warns(RuntimeWarning, match="entries of the Hessian"):
        function(pop, steeper(theta, 64.0))


def test_a_callback_is_warned_at_points_of_its_own() -> None:
    pop, theta = silu_becoming_relu()
    with pytest.warns(RuntimeWarning, match="entries of the Hessian"):
        ho.minimize(pop, theta, max_steps=1, callback=lambda _: pop.hessian(steeper(theta, 64.0)))


@pytest.mark.filterwarnings("ignore:entries of the Hessian")
def test_errors_of_quadrature_hold_the_exact_loss() -> None:
    """At c the loss is that of the rectifier, which has a closed form, and k/c² more; k is known where c is small."""
    pop, theta = silu_becoming_relu()
    mixed = ho.MLP([2, 2, 1], [["silu", "relu"]])
    exact = ho.PopulationObjective(mixed, pop.teacher, pop.theta_teacher).loss(theta)
    k = 64 * (pop.loss(steeper(theta, 8.0)) - exact)
    far = 2.0 ** np.arange(6, 12)
    for c in far:
        at = steeper(theta, c)
        error = quadrature_error(pop, at)
        assert abs(pop.loss(at) - exact) <= error + 2 * abs(k) / c**2
        assert error <= 1e-6  # of a loss of 5e-5, 100 times what errors are: no bound that says nothing
    points = [steeper(theta, c) for c in far]
    losses, noise = map(list, zip(*[loss_and_noise(pop, at) for at in points], strict=True))
    limit, error = limit_of(pop, points, losses, noise)
    assert abs(limit - exact) <= error + 2 * abs(k) / far[-1] ** 2
    assert all(one >= quadrature_error(pop, at) for one, at in zip(noise, points, strict=True))


def test_losses_on_samples_have_no_error_of_quadrature() -> None:
    net, x = ho.MLP([1, 2, 1]), np.linspace(-1, 1, 9)[:, None]
    assert quadrature_error(ho.Objective(net, x, x), np.ones(net.num_parameters)) == 0.0


@pytest.mark.parametrize(
    ("error", "words"),
    [(0.0, "falls to 0.25 at"), (1e-9, "falls to 0.25 at"), (3e-6, "falls to 0.25 up to 3e-06, the error of quadr")],
)
def test_the_message_says_what_the_limit_is_known_to(error: float, words: str) -> None:
    way = WayToInfinity("step", 1, (0,), "rectifier", 0.25, np.zeros(3), limit_error=error)
    place: Any = SimpleNamespace(loss=0.5)
    assert words in ways_message(place, [way])
