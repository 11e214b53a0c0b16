"""What a spectrum says of kinks that lie on samples, against Hessians on both sides of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hessorbit as ho

X = np.array([[1.0], [2.0], [3.0], [4.0]])
Y = np.sin(X[:, 0])
# The preactivation of the first neuron is 0.1 x − 0.2: 0 to rounding on the second sample, of the others far from it.
THETA = np.array([0.1, 1.0, -0.2, 0.3, 1.0, 0.5, 0.2])
BIAS = 2
KINKED = ["relu", "leaky_relu(0.3)", "leaky_relu(-1)", "elu", "selu", "softsign"]
SMOOTH_SLOPES = ("elu", "softsign")


def on_both_sides(obj: Any, theta: np.ndarray, step: float) -> np.ndarray:
    """By how much the Hessian jumps between two sides of a kink; it changes by about ‖H‖ step elsewhere."""
    low, high = (obj.hessian(theta + sign * step * np.eye(len(theta))[BIAS]) for sign in (-1, 1))
    return np.asarray(high - low)


@pytest.mark.parametrize("activation", KINKED)
@pytest.mark.parametrize("options", [{}, {"largest": 1}, {"matrix": "gauss_newton", "method": "jacobian"}])
def test_the_floor_at_a_kink_counts_the_jump_and_names_it(activation: str, options: dict[str, Any]) -> None:
    obj = ho.Objective(ho.MLP([1, 2, 1], activation), X, Y)
    found = ho.spectrum(obj, THETA, **options)
    if "matrix" in options and activation in SMOOTH_SLOPES:
        assert found.kinks == ()  # the Gauss–Newton matrix has no second derivatives
        return
    assert found.kinks == ((1, 0, 1),)
    if not options:
        # One side is computed, the other may be meant; steps of 1e-9 change entries below 100 by less than 1e-6.
        assert found.floor >= 0.5 * np.linalg.norm(on_both_sides(obj, THETA, 1e-9), 2) - 1e-6
        assert "the preactivation of neuron 0 of layer 1 is at its kink on sample 1" in repr(found)
        assert "neuron 0 of layer 1" in found._repr_html_()
    off = THETA + 0.01 * np.eye(len(THETA))[BIAS]
    away = ho.spectrum(obj, off, **options)
    assert away.kinks == ()
    assert "kink" not in repr(away)
    assert away.floor < 1e-9 * found.floor or activation == "softsign"


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_smooth_activations_have_no_kinks(activation: str) -> None:
    assert ho.spectrum(ho.Objective(ho.MLP([1, 2, 1], activation), X, Y), THETA).kinks == ()


def test_samples_are_counted_as_in_the_data() -> None:
    """Beyond the first chunk, behind samples of weight 0, and in a second layer."""
    x = np.linspace(3.0, 9.0, 20_000)[:, None]
    x[17_777] = 2.0
    weight = np.ones(len(x))
    weight[:100] = 0
    obj = ho.Objective(ho.MLP([1, 2, 1], "relu"), x, np.sin(x), sample_weight=weight)
    assert ho.spectrum(obj, THETA).kinks == ((1, 0, 17_777),)
    weight[17_777] = 0
    assert ho.spectrum(ho.Objective(obj.net, x, np.sin(x), sample_weight=weight), THETA).kinks == ()
    deep = ho.MLP([1, 1, 2, 1], ["identity", "relu"])
    theta = np.concatenate([[1.0, 0.0], THETA])
    found = ho.spectrum(ho.Objective(deep, X, Y), theta)
    assert found.kinks == ((2, 0, 1),)


def test_several_kinks_are_named_by_the_first() -> None:
    obj = ho.Objective(ho.MLP([1, 2, 1], "relu"), np.tile(X, (30, 1)), np.tile(Y, 30))
    found = ho.spectrum(obj, THETA)
    assert found.kinks == tuple((1, 0, 4 * n + 1) for n in range(20))
    assert repr(found).endswith("on sample 1, as are others")


def test_a_residual_at_the_kink_of_the_loss_is_named() -> None:
    net, theta = ho.MLP([1, 2]), np.array([1.0, 2.0, 0.3, 0.1])
    y = net(theta, X) + np.array([0.2, 0.3])
    y[2, 1] += 0.7
    obj = ho.Objective(net, X, y, loss="huber", delta=1.0)
    found = ho.spectrum(obj, theta)
    assert found.kinks == ((2, 1, 2),)
    assert "the residual of output 1 on sample 2 is at the kink of the loss, |f − y| = delta" in repr(found)
    # The curvature of one sample of weight ¼ comes and goes: x̃ x̃ᵀ / 4 with x̃ = (3, 1), of norm 2.5.
    assert found.floor >= 2.5
    y[2, 1] += 0.1
    assert ho.spectrum(ho.Objective(net, X, y, loss="huber", delta=1.0), theta).kinks == ()


def test_a_matrix_that_is_given_has_no_kinks() -> None:
    obj = ho.Objective(ho.MLP([1, 2, 1], "relu"), X, Y)
    assert ho.spectrum(obj, THETA, matrix=obj.hessian(THETA)).kinks == ()


def test_a_neuron_without_weights_is_not_for_rounding_to_decide() -> None:
    """Its preactivations are 0 in any precision, and the side is that of the convention."""
    theta = np.array([0.0, 1.0, 0.0, 0.3, 1.0, 0.5, 0.2])
    found = ho.spectrum(ho.Objective(ho.MLP([1, 2, 1], "relu"), X, Y), theta)
    assert found.kinks == ()
    assert found.floor < 1e-10
