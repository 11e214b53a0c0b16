"""Points at the ends of the range of float64: a result that says what it is, or an error that says why; no warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import hessorbit as ho

X = np.random.default_rng(2).standard_normal((7, 2))
Y = np.tanh(X[:, 0])
ACTIVATIONS = ["exp", "relu", "square", "identity", "gelu", "sin"]
SCALES = [1e-300, 1e-30, 1e3, 1e30, 1e150, 1e300]


def network(activation: str) -> tuple[ho.MLP, np.ndarray]:
    net = ho.MLP([2, 3, 1], activation)
    return net, np.random.default_rng(1).standard_normal(net.num_parameters)


def calls(obj: Any) -> Iterator[tuple[str, Callable[[np.ndarray], object]]]:
    net = obj.net
    group = ho.symmetries(net)
    yield "classify", lambda theta: ho.classify(obj, theta)
    yield "spectrum", lambda theta: repr(ho.spectrum(obj, theta)) + repr(ho.spectrum(obj, theta).condition_number())
    yield "vectors", lambda theta: ho.spectrum(obj, theta, vectors=True).participation_ratio
    yield "gauss_newton", lambda theta: repr(ho.spectrum(obj, theta, matrix="gauss_newton"))
    yield "inertia", lambda theta: ho.inertia(obj, theta)
    yield "zero_modes", lambda theta: repr(ho.zero_modes(obj, theta))
    yield "zero_modes of the network", lambda theta: repr(ho.zero_modes(net, theta))
    yield "hvp", lambda theta: obj.hvp(theta, np.ones(len(theta)))
    yield "minimize", lambda theta: ho.minimize(obj, theta, max_steps=5)
    yield "conserved", group.conserved
    yield "canonical", lambda theta: ho.canonical(net, theta)
    yield "equivalent", lambda theta: ho.equivalent(net, theta, net, theta)
    yield "widening", lambda theta: ho.Widening(net, copies=[[2, 1, 1]])(theta)
    yield "widening's inertia", lambda theta: ho.Widening(net, copies=[[2, 1, 1]]).inertia(obj, theta)
    yield "preconditioner", lambda theta: ho.Widening(net, copies=[[2, 1, 1]]).block_preconditioner(theta)
    yield "best_conditioned", lambda theta: ho.best_conditioned(obj, theta, over=group, matrix="gauss_newton")
    yield "grow", lambda theta: ho.grow(obj, theta, widths=[4], max_nodes=3)


def check(call: Callable[[np.ndarray], object], theta: np.ndarray) -> None:
    """Warnings are errors, so that a call that warns fails here."""
    try:
        call(theta)
    except (ValueError, ArithmeticError) as error:
        message = str(error)
        assert "theta" in message or "search" in message, message
        assert "element" not in message, message
        assert ":" in message, message  # and a remedy


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_size_of_parameters(activation: str, scale: float) -> None:
    net, theta = network(activation)
    for _, call in calls(ho.Objective(net, X, Y)):
        check(call, scale * theta)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("incoming", "outgoing"), [(1e3, 1.0), (1.0, 1e200), (1e160, 1e-160), (1e-160, 1e160)])
def test_parts_of_different_sizes(activation: str, incoming: float, outgoing: float) -> None:
    net, theta = network(activation)
    theta[:6] *= incoming
    theta[9:] *= outgoing
    for _, call in calls(ho.Objective(net, X, Y)):
        check(call, theta)


@pytest.mark.filterwarnings("ignore:entries of the Hessian")  # as quadrature says that some overflow
@pytest.mark.parametrize("bias", [-1e30, -1e4, -800.0, 700.0, 800.0, 1e4])
def test_exponential_neurons_beyond_the_range(bias: float) -> None:
    """At the end of a run a bias may be anywhere: e^bias is 0, or overflows."""
    net = ho.MLP([1, 1, 1], "exp")
    theta = np.array([0.5, bias, 1.0, 0.1])
    samples = ho.Objective(net, X[:, :1], Y)
    population = ho.PopulationObjective(net, net, [0.5, 0.1, 1.0, 0.2])
    for obj in (samples, population):
        point = ho.classify(obj, theta)
        if bias > 0:
            assert point.kind == "not critical"
            assert "overflows there" in point.message
            with pytest.raises(ValueError, match=r"the Hessian overflows there: take smaller parameters, which reach"):
                ho.spectrum(obj, theta)
        else:
            # The neuron is silent, and the output's bias alone has a curvature, 1.
            assert point.num_positive == 1
            assert ho.spectrum(obj, theta).rank == 1
            assert ho.zero_modes(obj, theta).residuals.max() == 0.0


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-3])
def test_a_small_exponential_network_is_no_flat_place(scale: float) -> None:
    """Its Hessian has eigenvalues near −½, and its loss falls at once."""
    net, theta = network("exp")
    obj = ho.Objective(net, X, Y)
    point = ho.classify(obj, scale * theta)
    assert ho.spectrum(obj, scale * theta).min < -0.4
    assert point.kind in ("saddle", "not critical")
    if point.direction is not None:
        assert obj.loss(scale * theta + point.direction) < obj.loss(scale * theta)


def test_a_loss_that_is_the_same_all_over_is_drawn() -> None:
    net, theta = network("tanh")
    obj = ho.Objective(net, X, Y)
    for scale in (1e-300, 1e150):
        ho.plot.landscape(obj, scale * theta)
