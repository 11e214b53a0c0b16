"""Proofs on infinitely many inputs: closed forms in balls against the core, and published critical points."""

from __future__ import annotations

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.balls.arithmetic import balls, floats, precision
from hessorbit.balls.populations import PopulationLoss

PAIRS = [
    ("relu", "relu"), ("leaky_relu(0.2)", "relu"), ("identity", "leaky_relu(0.5)"), ("gelu", "gelu"), ("erf", "erf"),
    ("normal_cdf", "erf"), ("erf", "normal_cdf"), ("square", "cube"), ("cube", "square"), ("exp", "exp"),
    ("sin", "cos"), ("cos", "sin"),
]  # fmt: skip


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def population(
    student: str, teacher: str, *, general: bool, l2: float = 0.0
) -> tuple[ho.PopulationObjective, np.ndarray]:
    """A small student and teacher; in general with biases, multipliers, a mean and a covariance."""
    options = {"bias": True, "parametrization": "ntk"} if general else {"bias": False}
    nets = ho.MLP([2, 2, 2], student, **options), ho.MLP([2, 2, 2], teacher, **options)
    theta, taught = nets[0].init(rng(1), "normal(0.8)"), nets[1].init(rng(2), "normal(0.8)")
    law = {"mean": [0.3, -0.2], "covariance": [[1.0, 0.5], [0.5, 2.0]]} if general else {}
    return ho.PopulationObjective(*nets, taught, l2=l2, **law), theta


@pytest.mark.parametrize(("student", "teacher"), PAIRS)
@pytest.mark.parametrize("general", [False, True])
def test_closed_forms(student: str, teacher: str, general: bool) -> None:
    """The core's integrals, whose tolerance is 1e-12 and which share no formula, lie beside the balls."""
    pop, theta = population(student, teacher, general=general, l2=0.1)
    with precision(128):
        loss, at = PopulationLoss(pop), balls(theta)
        found = [np.array(float(loss.loss(at).mid())), floats(loss.gradient(at)), floats(loss.hessian(at))]
        radii = [float(entry.rad()) for entry in loss.hessian(at).ravel()]
    for ball, reference in zip(found, [pop.loss(theta), pop.gradient(theta), pop.hessian(theta)], strict=True):
        assert np.abs(ball - reference).max() <= 1e-11 * np.abs(reference).max()
    assert max(radii) < 1e-25


def committee(k: int, activation: str) -> ho.RestrictedObjective:
    """Student and teacher of k neurons with outgoing weights 1, the teacher's orthonormal: the loss in W."""
    net = ho.MLP([k, k, 1], activation, bias=False)
    teacher = net.flatten([(np.eye(k), None), (np.ones((1, k)), None)])
    return ho.PopulationObjective(net, net, teacher).restricted(teacher, net.block(layer=1, part="weights"))


def test_spurious_minima_of_safran_and_shamir() -> None:
    """One student neuron points away from its teacher neuron, which all the others make up for."""
    k = 7
    start = np.eye(k) - 0.035
    start[:, -1], start[-1], start[-1, -1] = 0.26, 0.19, -0.63
    sub = committee(k, "relu")
    proof = ho.certify(sub, ho.minimize(sub, start.ravel(), method="newton", tol=1e-13).x)
    assert proof.proven, proof.message
    assert (proof.kind, proof.inertia) == ("minimum", (0, 0, k * k))
    assert proof.loss is not None
    assert proof.loss[0] > 0.02


def test_parallel_rectifiers_are_not_proven() -> None:
    """At the teacher its closed form is not smooth."""
    assert not ho.certify(committee(2, "relu"), np.eye(2).ravel()).proven


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.2)", "gelu", "erf"])
def test_minima_away_from_the_teacher(activation: str) -> None:
    """One neuron with bias learns from two, over inputs with a mean and a covariance, with weight decay."""
    student, teacher = ho.MLP([2, 1, 1], activation), ho.MLP([2, 2, 1], activation)
    taught = teacher.flatten([([[1.0, 0.5], [-0.3, 1.2]], [0.2, -0.4]), ([[1.0, 1.5]], [0.1])])
    law = {"mean": [0.3, -0.2], "covariance": [[1.0, 0.5], [0.5, 2.0]]}
    pop = ho.PopulationObjective(student, teacher, taught, l2=0.01, **law)
    proof = ho.certify(pop, ho.minimize(pop, [0.5, 1.0, 0.0, 1.0, 0.0], method="newton", tol=1e-12).x)
    assert proof.proven, proof.message
    assert (proof.kind, proof.inertia) == ("minimum", (0, 0, 5))
    assert proof.loss is not None
    assert proof.loss[0] == pytest.approx(pop.loss(proof.theta), rel=1e-11)
    values = np.linalg.eigvalsh(pop.hessian(proof.theta))
    assert proof.eigenvalues is not None
    assert np.abs(proof.eigenvalues.mean(axis=1) - values).max() <= 1e-11 * values[-1]


def test_the_saddle_at_zero() -> None:
    """With no output, the loss is that of Saad and Solla at weights of 0, 1/3, and the output can take either sign."""
    student, teacher = ho.MLP([2, 1, 1], "erf", bias=False), ho.MLP([2, 2, 1], "erf", bias=False)
    pop = ho.PopulationObjective(student, teacher, teacher.flatten([(np.eye(2), None), ([[1.0, 1.0]], None)]), l2=0.05)
    proof = ho.certify(pop, np.full(3, 1e-10))
    assert (proof.kind, proof.inertia) == ("saddle", (1, 0, 2))
    assert proof.loss is not None
    assert abs(proof.loss[0] - 1 / 3) <= 1e-15


@pytest.mark.parametrize("activation", ["erf", "gelu", "normal_cdf", "cube", "sin"])
def test_teachers_are_minima(activation: str) -> None:
    net = ho.MLP([2, 2, 1], activation)
    theta = net.init(rng(3), "normal(0.8)")
    pop = ho.PopulationObjective(net, net, theta)
    proof = ho.certify(pop, theta)
    assert proof.proven, proof.message
    assert proof.kind == "minimum"
    assert proof.inertia is not None
    assert proof.inertia[1] == (2 if activation == "cube" else 0)  # a rescaling for each neuron
    values = np.linalg.eigvalsh(pop.hessian(proof.theta))
    assert proof.eigenvalues is not None
    slack = 1e-11 * values[-1]
    assert (proof.eigenvalues[:, 0] - slack <= values).all()
    assert (values <= proof.eigenvalues[:, 1] + slack).all()


def test_restrictions_on_samples() -> None:
    """Of a regression with tanh neurons whose incoming parameters are held, the minimum is that of a linear model."""
    net = ho.MLP([2, 3, 1])
    x, y = rng(4).standard_normal((20, 2)), rng(5).standard_normal(20)
    theta = net.init(rng(6), "normal(1)")
    sub = ho.Objective(net, x, y).restricted(theta, np.arange(9, 13))
    weights, biases = net.unflatten(theta)[0]
    features = np.column_stack([np.tanh(x @ weights.T + biases), np.ones(20)])
    best, squares, *_ = np.linalg.lstsq(features, y, rcond=None)
    proof = ho.certify(sub, best)
    assert proof.proven, proof.message
    assert proof.inertia == (0, 0, 4)
    assert proof.loss is not None
    assert proof.loss[0] == pytest.approx(squares[0] / 40, rel=1e-12)


def test_orbits_within_a_restriction() -> None:
    """Where the incoming and outgoing weights of one rectifier are free, so is its rescaling; not where one is held."""
    net = ho.MLP([1, 2, 1], "relu")
    x = np.linspace(-2, 2, 15)[:, None]
    theta = np.array([1.0, -1.5, 0.3, 0.2, 1.0, 2.0, 0.5])
    obj = ho.Objective(net, x, net(theta, x))
    free = np.array([0, 2, 4, 6])
    assert ho.certify(obj.restricted(theta, free), theta[free]).inertia == (0, 1, 3)
    assert ho.certify(obj.restricted(theta, free[1:]), theta[free[1:]]).inertia == (0, 0, 3)


def test_activations_without_closed_forms_are_refused() -> None:
    for student, teacher in [("tanh", "tanh"), ("relu", "gelu"), ("erf", "relu")]:
        nets = ho.MLP([2, 2, 1], student), ho.MLP([2, 2, 1], teacher)
        pop = ho.PopulationObjective(*nets, nets[1].init(rng()))
        with pytest.raises(TypeError, match="known in closed form, of one kind"):
            ho.certify(pop, nets[0].init(rng()))
