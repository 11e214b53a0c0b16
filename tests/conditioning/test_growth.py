"""Growing keeps the function, carries gradients and moments along, and the best split is the best-conditioned one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from oracles.compare import assert_close
from oracles.networks import NAMES
from oracles.problem import LOSSES, random_problem

SPLITS = ("best", "equal", "random")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def problem_of(activation: Any = "tanh", loss: str = "squared_error", seed: int = 0, **options: Any) -> Any:
    return random_problem(rng(seed), (2, 2, 1), activation, loss=loss, samples=12, integer_labels=False, **options)


def rebound(obj: ho.Objective, net: ho.MLP) -> ho.Objective:
    """The same data for another network."""
    return ho.Objective(
        net, obj.x, obj.y, loss=obj.loss_name, delta=obj.delta, sample_weight=obj.sample_weight, l2=obj.l2
    )


def check(obj: ho.Objective, theta: np.ndarray, grown: ho.Growth) -> None:
    """Same outputs, gradients Tᵀ g, moments of one gradient and its square."""
    net, wide = grown
    assert net.widths[1:-1] == grown.widening.net.widths[1:-1]
    size = 1 + np.abs(obj.net(theta, obj.x)).max()
    # What the copies' outgoing weights cancel costs digits; the best split stays below 1e4.
    assert np.abs(net(wide, obj.x) - obj.net(theta, obj.x)).max() <= 1e-11 * size
    gradient, transfer = obj.gradient(theta), grown.widening.transfer().toarray()
    wide_gradient = rebound(obj, net).gradient(wide)
    # A neuron that copies none is at rest, with zero moments; its transfer is that of incoming parameters 0.
    dead = np.concatenate(
        [
            net.block(layer=index + 1, part="outgoing", neurons=np.flatnonzero(layer.source < 0))
            for index, layer in enumerate(grown.widening.layers)
        ]
    )
    transfer[:, dead] = 0
    expected = transfer.T @ gradient
    scale = 1e-11 * (np.abs(transfer).T @ np.abs(gradient)).max() + 1e-11 * np.abs(wide_gradient).max()
    assert np.abs(wide_gradient - expected).max() <= scale
    assert grown.moments is not None
    m, v = grown.moments
    assert m is not None
    assert v is not None
    assert np.abs(m - wide_gradient).max() <= scale
    # Exact where a wide parameter has one source.
    single = (transfer != 0).sum(axis=0) <= 1
    assert np.abs(v - wide_gradient**2)[single].max() <= scale * (1 + 2 * np.abs(wide_gradient).max())
    assert (v >= 0).all()


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("split", SPLITS)
def test_every_activation(activation: str, split: str) -> None:
    problem = problem_of(activation)
    obj, theta = problem.objective(), problem.theta
    gradient = obj.gradient(theta)
    grown = ho.grow(obj, theta, [5], split=split, rng=rng(1) if split == "random" else None,
                    moments=(gradient, gradient**2))  # fmt: skip
    check(obj, theta, grown)
    assert grown.net.widths == (2, 5, 1)
    assert grown.split == split


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(loss: str) -> None:
    problem = problem_of("tanh", loss, weighted=True) if loss != "cross_entropy" else random_problem(
        rng(2), (2, 2, 3), loss=loss, samples=12
    )  # fmt: skip
    obj, theta = problem.objective(), problem.theta
    gradient = obj.gradient(theta)
    for split in SPLITS:
        check(
            obj,
            theta,
            ho.grow(
                obj, theta, [4], split=split, rng=None if split == "best" else rng(3), moments=(gradient, gradient**2)
            ),
        )


def test_deep_networks_and_parametrizations() -> None:
    problem = random_problem(rng(4), (2, 2, 3, 1), ("gelu", "relu"), samples=15, parametrization="ntk")
    obj, theta = problem.objective(), problem.theta
    gradient = obj.gradient(theta)
    for split in ("equal", "random"):
        grown = ho.grow(obj, theta, [3, 7], split=split, rng=rng(5), moments=(gradient, gradient**2))
        assert grown.net.widths == (2, 3, 7, 1)
        check(obj, theta, grown)


def test_the_best_split_is_the_best_conditioned_one() -> None:
    """No equal or random split has a smaller condition number of the Gauss–Newton matrix over its nonzero spectrum."""
    problem = problem_of(seed=6)
    obj, theta = problem.objective(), problem.theta
    best = ho.grow(obj, theta, [5])
    assert best.best is not None

    def kappa(grown: ho.Growth) -> float:
        values = np.linalg.eigvalsh(rebound(obj, grown.net).gauss_newton(grown.theta))[::-1]
        return float(values[0] / values[best.best.rank - 1])

    assert kappa(best) == pytest.approx(best.best.value, rel=1e-6)
    others = [ho.grow(obj, theta, [5], split="equal")]
    others += [ho.grow(obj, theta, [5], split="random", rng=rng(seed)) for seed in range(10)]
    assert all(kappa(other) >= best.best.value * (1 - 1e-6) for other in others)


def test_weight_decay_is_left_out_of_the_best_split() -> None:
    problem = problem_of(seed=6, l2=0.1)
    obj, theta = problem.objective(), problem.theta
    without = ho.grow(problem.replace(l2=0.0).objective(), theta, [4])
    assert_close(ho.grow(obj, theta, [4]).theta, without.theta, parameters=1)


def adam(obj: ho.Objective, theta: np.ndarray, m: np.ndarray, v: np.ndarray, count: int, steps: int) -> Any:
    for step in range(count + 1, count + steps + 1):
        gradient = obj.gradient(theta)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        theta = theta - 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-12)
    return theta, m, v


def test_adam_goes_on() -> None:
    """Carried moments are those of a run that was wide all along, as long as its copies stay together."""
    problem = problem_of("tanh", seed=7)
    obj, theta, zero = problem.objective(), problem.theta, np.zeros(problem.num_parameters)
    widening = ho.Widening(problem.network(), [[2, 2]])
    # One step of the narrow network at a rate of zero and of the wide one: the same moments.
    _, m, v = adam(obj, theta, zero, zero, 0, 1)
    wide_obj = rebound(obj, widening.net)
    wide_zero = np.zeros(widening.net.num_parameters)
    _, wide_m, wide_v = adam(wide_obj, widening(theta), wide_zero, wide_zero, 0, 1)
    carried = ho.grow(obj, theta, [4], split="equal", moments=(m, v)).moments
    assert carried is not None
    np.testing.assert_allclose(carried[0], wide_m, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(carried[1], wide_v, rtol=1e-12, atol=1e-18)
    assert ho.grow(obj, theta, [4], split="equal", moments=(m, None)).moments[1] is None
    assert ho.grow(obj, theta, [4], split="equal").moments is None


def test_neurons_that_copy_none_are_drawn_if_a_generator_is_given() -> None:
    """The function stays, and their outgoing weights have gradients, so that they learn."""
    found = 0
    for seed in range(6):
        problem = problem_of("tanh", seed=seed)
        obj, theta = problem.objective(), problem.theta
        grown = ho.grow(obj, theta, [6], rng=rng(0))
        dead = np.flatnonzero(grown.widening.layers[0].source < 0)
        assert np.abs(grown.net(grown.theta, obj.x) - obj.net(theta, obj.x)).max() < 1e-11
        if len(dead):
            found += 1
            gradient = rebound(obj, grown.net).gradient(grown.theta)
            assert (gradient[grown.net.block(layer=1, part="outgoing", neurons=dead)] != 0).all()
    assert found


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"widths": [1]}, ValueError, "widths[0] must be at least 2"),
        ({"widths": [4, 4]}, ValueError, "widths must have 1 entry,"),
        ({"split": "half"}, ValueError, "split must be one of best, equal, random"),
        ({"split": "random"}, TypeError, "split='random' needs rng"),
        ({"split": "random", "rng": 0}, TypeError, "rng must be a numpy.random.Generator"),
        ({"moments": np.zeros(9)}, ValueError, "moments must have 2 entries"),
        ({"moments": (np.zeros(8), None)}, ValueError, "m of moments must have shape"),
        ({"moments": (None, -np.ones(9))}, ValueError, "v of moments must not be negative"),
        ({"theta": np.zeros(8)}, ValueError, "theta must have shape"),
    ],
)
def test_bad_input(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    problem = problem_of()
    given = {"theta": problem.theta, "widths": [4]} | arguments
    with pytest.raises(error, match=re.escape(message)):
        ho.grow(problem.objective(), given.pop("theta"), given.pop("widths"), **given)
