"""Verdicts at kinks of activations and of the Huber loss, against losses on small spheres and one-sided curvatures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import hessorbit as ho


def lowest_around(obj: Any, theta: np.ndarray, radius: float) -> float:
    """The least loss on a sphere less that at θ, over random directions and single parameters."""
    count = len(theta)
    units = np.vstack([np.random.default_rng(1).standard_normal((500, count)), np.eye(count), -np.eye(count)])
    units /= np.linalg.norm(units, axis=1)[:, None]
    centre = obj.loss(theta)
    return min(float(obj.loss(theta + radius * unit) - centre) for unit in units)


def check(obj: Any, theta: np.ndarray, point: ho.CriticalPoint) -> None:
    """No minimum is beaten nearby, and a direction leads below θ."""
    if point.direction is not None:
        gain = obj.loss(theta) - obj.loss(theta + point.direction)
        assert gain == pytest.approx(point.decrease, rel=1e-6, abs=1e-15)
        assert gain > 0
    if point.kind in ("minimum", "degenerate"):
        # What a slope or a curvature of 1e-3 makes of 1e-3 is 5e-10; rounding is 1e-16, and steps along curved valleys
        # only raise the loss.
        assert lowest_around(obj, theta, 1e-3) > -1e-10, point


def silent_neurons() -> Iterator[Any]:
    """A neuron without weights beside one at the minimum that it has alone."""
    x = np.linspace(0.5, 2.0, 7)[:, None]
    for name in ("relu", "leaky_relu(0.1)", "leaky_relu(-1)"):
        for bias in (False, True):
            alone = ho.Objective(ho.MLP([1, 1, 1], name, bias=bias), x, np.sin(3 * x[:, 0]) + 0.3)
            found = ho.minimize(alone, alone.net.init(np.random.default_rng(2), "normal(1)")).x
            net = ho.MLP([1, 2, 1], name, bias=bias)
            for outgoing in (1.0, 0.0, -1.0):
                (w, b), (v, c) = alone.net.unflatten(found)
                low = np.vstack([w, [[0.0]]]), None if b is None else np.append(b, 0.0)
                theta = net.flatten([low, (np.hstack([v, [[outgoing]]]), c)])
                yield ho.Objective(net, x, alone.y), theta


def residuals_on_the_kink() -> Iterator[Any]:
    """Restrictions of exponentials, (e^{wx} − y), all of whose residuals are ±δ at w = 0."""
    rng = np.random.default_rng(3)
    for _ in range(12):
        x, delta = rng.standard_normal((4, 1)), 2.0 ** -rng.integers(0, 3)
        x[-1] -= x.sum()
        y = 1 + delta * rng.choice([1.0, -1.0]) * np.ones(4)
        obj = ho.Objective(ho.MLP([1, 1, 1], "exp", bias=False), x, y, loss="huber", delta=delta)
        yield obj.restricted([0.0, 1.0], free=[0]), np.zeros(1)


@pytest.mark.parametrize("family", [silent_neurons, residuals_on_the_kink])
def test_no_minimum_is_beaten(family: Any) -> None:
    kinds = []
    for obj, theta in family():
        point = ho.classify(obj, theta)
        check(obj, theta, point)
        kinds.append(point.kind)
    assert len(set(kinds)) > 1


def test_a_maximum_of_the_huber_loss_whose_hessian_is_positive() -> None:
    """½ Σ h(e^{±w} − 1.75) with δ = ¾: the Hessian of one side is ¼, and every one-sided curvature is −¼."""
    obj = ho.Objective(ho.MLP([1, 1, 1], "exp", bias=False), [[1.0], [-1.0]], [1.75, 1.75], loss="huber", delta=0.75)
    part = obj.restricted([0.0, 1.0], free=[0])
    assert part.hessian([0.0])[0, 0] == 0.25
    assert max(part.loss([0.01]), part.loss([-0.01])) < part.loss([0.0])
    point = ho.classify(part, [0.0])
    assert point.kind == "saddle", point
    assert [kink[2] for kink in point.kinks] == [0, 1]
    assert "sample 0 is at the kink of the loss" in point.message
    check(part, np.zeros(1), point)
    run = ho.minimize(part, [0.0], method="newton")
    assert (run.outcome, run.success) == ("saddle", False)
    assert ho.inertia(part, [0.0]).unresolved == 1
    assert ho.spectrum(part, [0.0]).floor > 0.5  # the curvature jumps by ½ at either sample


def test_a_minimum_of_the_huber_loss_without_the_samples_at_the_kink() -> None:
    """Residuals −1, 1 and 0 at δ = 1: the curvature is ⅔ on both sides, 1 at the point, and ⅓ without the two."""
    obj = ho.Objective(ho.MLP([1, 1], bias=False), np.ones((3, 1)), [1.0, -1.0, 0.0], loss="huber", delta=1.0)
    point = ho.classify(obj, [0.0])
    assert point.kind == "minimum"
    assert point.smallest == pytest.approx(1 / 3)
    assert len(point.kinks) == 2
    # The error covers the jump: one side has ⅔.
    assert ho.spectrum(obj, [0.0]).floor >= 1 / 3


def test_a_curvature_of_samples_at_the_kink_alone_decides_nothing() -> None:
    obj = ho.Objective(ho.MLP([1, 1], bias=False), np.ones((2, 1)), [1.0, -1.0], loss="huber", delta=1.0)
    point = ho.classify(obj, [0.0])
    assert point.kind == "degenerate"
    assert "undetermined" in point.message


@pytest.mark.parametrize("population", [False, True])
def test_a_silent_rectifier_that_would_lower_the_loss(population: bool) -> None:
    net = ho.MLP([1, 1, 1], "relu", bias=False)
    obj: Any = ho.PopulationObjective(net, net, [1.0, 1.0]) if population else ho.Objective(net, [[1.0]], [1.0])
    theta = np.array([0.0, 1.0])
    assert not obj.gradient(theta).any()
    assert not obj.hessian(theta).any()
    assert obj.loss([0.1, 1.0]) < obj.loss(theta)
    point = ho.classify(obj, theta)
    assert point.kind == "not critical", point
    assert point.kinks == ((1, 0, -1 if population else 0),)
    check(obj, theta, point)
    run = ho.minimize(obj, theta)
    assert (run.outcome, run.success) == ("stopped", False)
    assert "kink" in run.message


def test_a_kink_on_every_sample_is_named() -> None:
    """At the input 0, a rectifier with weight 1 and bias 0; the outputs are constant, and 1 is the best constant."""
    obj = ho.Objective(ho.MLP([1, 1, 1], "relu"), [[0.0], [0.0]], [0.0, 2.0])
    point = ho.classify(obj, [1.0, 0.0, 1.0, 1.0])
    assert point.kind == "degenerate"
    assert point.kinks == ((1, 0, 0), (1, 0, 1))
    assert "kink" in ho.minimize(obj, [1.0, 0.0, 1.0, 1.0]).message


def test_a_preactivation_that_nothing_moves_is_no_kink() -> None:
    """An input of 0, without bias."""
    obj = ho.Objective(ho.MLP([2, 1, 1], "relu", bias=False), [[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0])
    assert ho.classify(obj, [0.5, 0.5, 1.0]).kinks == ()


@pytest.mark.parametrize("outgoing", [1.0, -1.0])
def test_no_proof_at_a_kink_beside_the_slice(outgoing: float) -> None:
    """The slice leaves out parameters of rectifiers that are off; one at its kink is not."""
    net, x = ho.MLP([1, 2, 1], "relu", bias=False), np.array([[1.0], [2.0]])
    obj = ho.Objective(net, x, [1.0, 1.0])
    theta = np.array([0.6, 0.0, 1.0, outgoing])  # 0.6 x is the best line through 0
    for at, what in (
        (theta, obj),
        (np.array([0.0, 1.0]), ho.Objective(ho.MLP([1, 1, 1], "relu", bias=False), x, [1, 1])),
    ):
        proof = ho.certify(what, at)
        assert not proof.proven
        assert "kink" in proof.message
