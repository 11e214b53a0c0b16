"""The conditional flip of even-linear neurons: where it preserves the function, and where it says that it cannot."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from oracles.compare import assert_close
from oracles.problem import PARAMETRIZATIONS

pytestmark = pytest.mark.core

EVEN_LINEAR = ("relu", "leaky_relu", "leaky_relu(0.3)", "leaky_relu(-2.0)", "gelu", "silu", "softplus")
BIASES = ((True, True, True), (False, False, False), (True, True, False), (True, False, True), (False, True, True))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_preserved(net: ho.MLP, flip: Any, theta: np.ndarray) -> None:
    """Same outputs, moved, and back again."""
    x = rng(9).standard_normal((20, net.widths[0]))
    moved = flip(theta)
    assert np.abs(moved - theta).max() > 0.1
    # Weights and signals are of order one here, changes of weights too.
    assert_close(net(moved, x), net(theta, x), parameters=net.num_parameters, scale=10)
    assert_close(flip.inverse()(moved), theta, parameters=net.num_parameters, scale=10)


def network(activations: Any, biases: tuple[bool, ...], parametrization: str, outputs: int = 2) -> ho.MLP:
    """Two hidden layers, the second with these activations."""
    widths = [3, 4, len(activations), outputs]
    return ho.MLP(widths, ["tanh", activations], bias=biases, parametrization=parametrization)


def parts(net: ho.MLP, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Incoming weights (d, 4), biases (d,) and outgoing weights (outputs, d) of the second hidden layer."""
    weights, biases = net.unflatten(theta)[1]
    return weights, np.zeros(len(weights)) if biases is None else biases, net.unflatten(theta)[2][0]


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("activation", EVEN_LINEAR)
def test_linear_groups(activation: str, biases: tuple[bool, ...]) -> None:
    """Σ v_k w̃_kᵀ = 0: three neurons with parallel outgoing weights, the last incoming row made to fit."""
    net = network([activation] * 5, biases, "ntk")
    theta = net.init(rng(), "normal(1)")
    weights, bias, outgoing = parts(net, theta)
    outgoing[:, 2], outgoing[:, 4] = -2 * outgoing[:, 0], 0.5 * outgoing[:, 0]
    weights[4], bias[4] = -2 * (weights[0] - 2 * weights[2]), -2 * (bias[0] - 2 * bias[2])
    flip = ho.symmetries(net).even_linear_flip(layer=2, neurons=[0, 2, 4])
    assert_preserved(net, flip, theta)
    if biases[1] and biases[2]:  # the bias above takes a constant that does not cancel
        bias[4] += 3
        assert_preserved(net, flip, theta)


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("activation", EVEN_LINEAR)
def test_linear_neurons_carry_everything(activation: str, biases: tuple[bool, ...], parametrization: str) -> None:
    """As many linear neurons as neurons above: possible at every θ."""
    net = network([activation, "identity", activation, activation, "identity", "identity"], biases, parametrization)
    theta = net.init(rng(), "normal(1)")
    for neurons in ([0], [0, 2, 3]):
        assert_preserved(net, ho.symmetries(net).even_linear_flip(layer=2, neurons=neurons), theta)


@pytest.mark.parametrize("biases", BIASES)
@pytest.mark.parametrize("activation", EVEN_LINEAR)
def test_mirrored_pairs_carry_their_own_direction(activation: str, biases: tuple[bool, ...]) -> None:
    net = network([activation] * 4, biases, "mean_field")
    theta = net.init(rng(), "normal(1)")
    weights, bias, _ = parts(net, theta)
    ratio = 1.5 if "relu" in activation else 1.0
    weights[1], bias[1] = -ratio * weights[0], -ratio * bias[0]
    weights[2], bias[2] = 0.25 * weights[0], 0.25 * bias[0]
    group = ho.symmetries(net)
    assert_preserved(net, group.even_linear_flip(layer=2, neurons=[2], pairs=[(0, 1)]), theta)
    assert_preserved(net, group.even_linear_flip(layer=2, neurons=[2], pairs=[(1, 0)]), theta)
    weights[1] *= 1.01
    if ratio == 1.0:
        with pytest.raises(
            ValueError, match="pairs must be neurons with opposite incoming weights; at theta they differ"
        ):
            group.even_linear_flip(layer=2, neurons=[2], pairs=[(0, 1)])(theta)


def test_linear_neurons_and_pairs_together() -> None:
    """One linear neuron for two outputs leaves a remainder of rank one, which two pairs span."""
    net = network(["gelu", "gelu", "gelu", "gelu", "gelu", "gelu", "identity"], (True, True, False), "standard")
    theta = net.init(rng(), "normal(1)")
    weights, bias, _ = parts(net, theta)
    for plus, minus in ((0, 1), (2, 3)):
        weights[minus], bias[minus] = -weights[plus], -bias[plus]
    weights[4], bias[4] = weights[0] + weights[2], bias[0] + bias[2]
    group = ho.symmetries(net)
    assert_preserved(net, group.even_linear_flip(layer=2, neurons=[4], pairs=[(0, 1), (2, 3)]), theta)
    alone = group.even_linear_flip(layer=2, neurons=[4])
    assert alone.remainder(theta) > 0.01


@pytest.mark.parametrize("activation", EVEN_LINEAR)
def test_flips_that_nobody_carries_are_refused(activation: str) -> None:
    net = ho.MLP([2, 3, 1], activation, bias=False)
    theta = net.init(rng(), "normal(1)")
    flip = ho.symmetries(net).even_linear_flip(layer=1, neurons=[1])
    assert flip.remainder(theta) == 1
    with pytest.raises(ValueError, match=r"theta must let other neurons carry .* 1 of it is left"):
        flip(theta)
    theta[-2] = 0  # the neuron is dead: nothing to carry
    assert flip.remainder(theta) == 0
    assert (flip(theta)[2:4] == -theta[2:4]).all()


def test_the_tolerance_is_relative() -> None:
    net = ho.MLP([2, 2, 1], "relu", bias=False)
    theta = np.array([1.0, 2.0, -1.0, -2.0 * (1 + 1e-6), 1e8, 1e8])
    group = ho.symmetries(net)
    with pytest.raises(ValueError, match="5e-07 of it is left over"):
        group.even_linear_flip(layer=1, neurons=[0, 1])(theta)
    assert (group.even_linear_flip(layer=1, neurons=[0, 1], tolerance=1e-6)(theta)[:4] == -theta[:4]).all()


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_batches_and_precision(dtype: Any) -> None:
    net = ho.MLP([3, 6, 2], [["silu"] * 4 + ["identity"] * 2])
    flip = ho.symmetries(net).even_linear_flip(layer=1, neurons=[0, 3])
    thetas = net.init(rng(), "normal(1)", size=3).astype(dtype)
    moved = flip(thetas)
    assert moved.dtype == dtype
    assert (moved == [flip(theta) for theta in thetas]).all()
    assert flip.remainder(thetas).shape == (3,)
    x = rng(1).standard_normal((5, 3)).astype(dtype)
    assert_close(net(moved, x), net(thetas, x), parameters=net.num_parameters, scale=100)


def test_flips_describe_themselves() -> None:
    net = ho.MLP([2, 5, 1], "relu")
    flip = ho.symmetries(net).even_linear_flip(layer=1, neurons=[0, 2], pairs=[(1, 4)])
    assert repr(flip) == "EvenLinearFlip(MLP([2, 5, 1], 'relu'), layer 1: neurons [0, 2], pairs [(1, 4)])"
    assert pickle.loads(pickle.dumps(flip)) == flip
    assert flip.inverse() is flip
    with pytest.raises(ValueError, match=r"theta must have shape \(21,\)"):
        flip(np.zeros(3))
