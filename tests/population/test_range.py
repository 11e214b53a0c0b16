"""The population loss of weights and inputs whose squares or products of four are out of range of float64."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import hessorbit as ho

STEPS = ["relu", "leaky_relu", "erf", "normal_cdf", "gelu"]
ROUNDING = 1e-14  # of entries relative to the largest one; scales are powers of two, which round nothing


@pytest.mark.parametrize("exponent", [-480, 300, 480])
@pytest.mark.parametrize("name", ["relu", "leaky_relu"])
def test_derivatives_scale_with_the_weights(name: str, exponent: int) -> None:
    """L(cW, cb, V/c) = L(W, b, V) for c > 0, of which the derivatives follow, entry by entry."""
    net = ho.MLP([3, 3, 2], [[name, name, "identity"]])
    theta, teacher = net.init(np.random.default_rng(2), "normal(1)", size=2)
    pop = ho.PopulationObjective(net, net, teacher)
    power = np.zeros(net.num_parameters)
    for part, sign in (("weights", 1), ("bias", 1)):
        power[net.block(layer=1, part=part)] = sign
    power[net.block(layer=2, part="weights")] = -1
    c = np.ldexp(1.0, (power * exponent).astype(int))
    value, gradient = pop.value_and_gradient(c * theta)
    assert math.isclose(value, pop.loss(theta), rel_tol=ROUNDING)
    expected = pop.gradient(theta)
    assert np.abs(c * gradient - expected).max() <= ROUNDING * np.abs(expected).max()
    for matrix in ("hessian", "gauss_newton"):
        found, expected = c[:, None] * getattr(pop, matrix)(c * theta) * c, getattr(pop, matrix)(theta)
        assert np.abs(found - expected).max() <= ROUNDING * np.abs(expected).max()


@pytest.mark.parametrize("exponent", [-900, 500, 660, 900])
def test_inputs_scale_with_the_covariance(exponent: int) -> None:
    net = ho.MLP([2, 2, 1], "relu", bias=False)
    theta, teacher = net.init(np.random.default_rng(3), "normal(1)", size=2)
    spread = np.array([[1.0, 0.3], [0.3, 0.7]])
    expected = ho.PopulationObjective(net, net, teacher, covariance=spread)
    pop = ho.PopulationObjective(net, net, teacher, covariance=spread * 2.0**exponent)
    for derivative in ("loss", "gradient", "hessian"):
        found, wanted = (getattr(each, derivative)(theta) for each in (pop, expected))
        assert np.abs(found * 2.0**-exponent - wanted).max() <= 1e-13 * np.abs(wanted).max()  # two eigenvectors


@pytest.mark.parametrize("length", [1e20, 1e100, 1e155, 1e300])
def test_erf_of_long_weights_is_a_sign(length: float) -> None:
    """E[sign(w·x) sign(u·x)] = 1 − 2α/π for weights at an angle α."""
    net = ho.MLP([2, 2, 1], "erf", bias=False)
    angles, v = np.array([0.3, 1.4, 2.0, -0.5]), np.array([1.0, 0.5, -1.0, 0.7])
    thetas = [np.r_[length * np.cos(a), length * np.sin(a)].reshape(2, 2).T.ravel() for a in (angles[:2], angles[2:])]
    pop = ho.PopulationObjective(net, net, np.r_[thetas[1], -v[2:]])
    apart = np.abs(np.angle(np.exp(1j * (angles[:, None] - angles))))
    moments = 1 - 2 * apart / np.pi
    theta = np.r_[thetas[0], v[:2]]
    assert math.isclose(pop.loss(theta), v @ moments @ v / 2, rel_tol=1e-14)
    assert np.abs(pop.gradient(theta)[4:] - (moments @ v)[:2]).max() < 1e-14
    assert np.abs(pop.hessian(theta)[4:, 4:] - moments[:2, :2]).max() < 1e-14


@pytest.mark.parametrize("length", [1e-300, 1e-170, 1e100, 1e200])
def test_a_neuron_without_outgoing_weight_adds_nothing(length: float) -> None:
    net, teacher = (ho.MLP([2, m, 1], "relu", bias=False) for m in (2, 1))
    short = ho.MLP([2, 1, 1], "relu", bias=False)
    target = np.array([0.3, 0.8, 1.0])
    pop, other = (ho.PopulationObjective(each, teacher, target) for each in (net, short))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # squares of 1e200, in the Hessian
        found = pop.loss([length, 0.0, 0.2, 0.9, 0.0, 0.5])
    assert math.isclose(found, other.loss([0.2, 0.9, 0.5]), rel_tol=ROUNDING)


@pytest.mark.parametrize("name", [*STEPS, "cube", "square", "identity", "softplus", "tanh"])
def test_what_is_out_of_range_is_told_in_our_words(name: str) -> None:
    net = ho.MLP([2, 2, 1], name, bias=False)
    pop = ho.PopulationObjective(net, net, [0.3, 0.8, -0.5, 0.4, 1.0, -1.0])
    theta = np.r_[np.array([0.6, -0.3, 0.2, 0.9]) * 1e155, 1.0, 0.5]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = [getattr(pop, each)(theta) for each in ("loss", "gradient", "hessian", "gauss_newton")]
    assert all(str(each.message).startswith("entries of the Hessian") for each in caught)
    assert caught or all(np.isfinite(each).all() for each in results)


def test_short_weights_beside_long_ones_keep_their_direction_in_many_inputs() -> None:
    net = ho.MLP([12, 2, 1], "erf", bias=False)
    theta, teacher = net.init(np.random.default_rng(4), "normal(1)", size=2)
    theta[net.block(layer=1, part="weights")] *= np.repeat([1e20, 1.0], 12)
    pop = ho.PopulationObjective(net, net, teacher)
    matrix = pop.hessian(theta)
    assert np.abs(pop.hvp(theta, np.eye(len(theta))) - matrix).max() <= 1e-13 * np.abs(matrix).max()
    assert np.abs(pop.hessian_diagonal(theta) - np.diag(matrix)).max() <= 1e-13 * np.abs(matrix).max()


def test_weights_times_inputs_out_of_range_are_refused() -> None:
    net = ho.MLP([2, 1, 1], "erf", bias=False)
    pop = ho.PopulationObjective(net, net, [0.3, 0.8, 1.0], covariance=1e200 * np.eye(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"weights up to 1\.0e\+250 leave it"):
            pop.loss([1e250, 0.3, 1.0])


def test_a_loss_beyond_the_range_is_inf() -> None:
    """E(exp(40 x) - exp(x))² is, though its terms are inf - inf."""
    net = ho.MLP([1, 1, 1], "exp")
    pop = ho.PopulationObjective(net, net, [1.0, 0.0, 1.0, 0.0])
    with pytest.warns(RuntimeWarning, match="errors up to"):
        assert pop.loss([40.0, 0.0, 1.0, 0.0]) == np.inf
    assert pop.value_and_gradient([40.0, 0.0, 1.0, 0.0])[0] == np.inf
