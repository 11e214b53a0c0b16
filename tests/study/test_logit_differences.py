"""The nearest global minimum of a cross-entropy: against brute force over permutations and signs, and by the loss."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.study.ending import nearest_to
from hessorbit.study.logit_differences import nearest_by_differences
from hessorbit.study.task import make_task

SETTINGS = {"inputs": 2, "outputs": 3, "loss": "cross_entropy", "samples": 60, "widths": [2, 3]}


def study(**changes: object) -> ho.WidthStudy:
    return ho.WidthStudy(**{**SETTINGS, "teacher_width": 2, **changes})


def across(outputs: np.ndarray) -> np.ndarray:
    """What is left of outputs (K, …) without their mean."""
    return outputs - outputs.mean(axis=0)


def brute(net: ho.MLP, start: np.ndarray, theta_teacher: np.ndarray) -> float:
    """The distance for a student as wide as its odd teacher: each neuron copies one, with a sign; the mean is free."""
    (W, b), (V, c) = net.unflatten(start)
    (W2, b2), (V2, c2) = net.unflatten(theta_teacher)
    width = net.widths[1]
    return min(
        np.sqrt(
            ((W - signs[:, None] * W2[order]) ** 2).sum()
            + ((b - signs * b2[order]) ** 2).sum()
            + (across(V - signs * V2[:, order]) ** 2).sum()
            + (across(c - c2) ** 2).sum()
        )
        for order in map(list, permutations(range(width)))
        for signs in map(np.array, product([-1.0, 1.0], repeat=width))
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_against_permutations_and_signs(seed: int, parametrization: str) -> None:
    rng = np.random.default_rng(seed)
    net = ho.MLP([2, 3, 4], "erf", parametrization=parametrization)
    theta_teacher, start = net.init(rng, "normal(1)", size=2)
    near = nearest_by_differences(net, start, net, theta_teacher)
    assert near.complete
    assert near.distance == pytest.approx(brute(net, start, theta_teacher), rel=1e-9)
    assert np.linalg.norm(near.theta - start) == pytest.approx(near.distance, rel=1e-9)
    # The differences of outputs are the teacher's, to some roundings of numbers of order 10.
    x = rng.standard_normal((20, 2))
    assert np.abs(across((net(near.theta, x) - net(theta_teacher, x)).T)).max() < 1e-13


@pytest.mark.parametrize("bias", [True, False])
def test_what_the_loss_does_not_see_costs_nothing(bias: bool) -> None:
    rng = np.random.default_rng(0)
    net = ho.MLP([2, 3, 3], "tanh", bias=bias)
    theta_teacher = net.init(rng, "normal(1)")
    start = theta_teacher.copy()
    weights, biases = net.unflatten(start)[-1]
    weights += rng.standard_normal(3)
    if biases is not None:
        biases += 2.0
    near = nearest_by_differences(net, start, net, theta_teacher)
    assert near.distance < 1e-14
    assert np.abs(near.theta - start).max() < 1e-14


def test_neurons_of_equal_outgoing_weights_are_none() -> None:
    """A teacher whose second neuron adds the same to all outputs: it is a free neuron of the student."""
    rng = np.random.default_rng(1)
    net = ho.MLP([2, 2, 3], "erf")
    theta_teacher = net.init(rng, "normal(1)")
    net.unflatten(theta_teacher)[-1][0][:, 1] = 3.0
    start = theta_teacher.copy()
    net.unflatten(start)[0][0][1] += 5.0  # the incoming weights of that neuron
    assert nearest_by_differences(net, start, net, theta_teacher).distance < 1e-14


@pytest.mark.parametrize("seed", range(4))
def test_students_of_a_study(seed: int) -> None:
    settings = study()
    task = make_task(settings, seed)
    net = settings.network(4)
    obj = task.objective(net)
    start = net.init(np.random.default_rng(seed))
    near = nearest_to(task, net, start)  # type: ignore[arg-type]
    assert near is not None
    assert obj.loss(near.theta) - task.floor < 1e-14
    assert np.abs(obj.gradient(near.theta)).max() < 1e-14
    same = ho.nearest_minimum(net, start, task.teacher, task.theta)  # type: ignore[attr-defined]
    assert near.distance < same.distance


def test_students_come_to_the_teachers_probabilities() -> None:
    result = study(seeds=2, samples=200, loss_tolerance=1e-3).run(executor="threads", progress=False)
    at_teacher = result.table[result.table["at_teacher"] == 1]
    assert len(at_teacher)
    assert (at_teacher["to_teacher"] < 1e-3).all()  # not as far as their outputs' mean has moved
