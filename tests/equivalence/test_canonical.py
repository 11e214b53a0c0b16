"""Canonical forms: the same along an orbit, with the same function; planted superfluous neurons found and removed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from hessorbit.equivalence.canonical_form import lexicographic, pivot_columns
from oracles.networks import NAMES, STEEP, points_of_an_orbit
from oracles.problem import PARAMETRIZATIONS

pytestmark = pytest.mark.core

# Weights and signals are of order one, factors of random elements within e^±2, and a few dozen operations lie on the
# way: 1e-10 leaves 1e4 for the conditions of the matrices on linear neurons and for powers.
CLOSE = 1e-10


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def assert_same_function(net1: ho.MLP, theta1: np.ndarray, net2: ho.MLP, theta2: np.ndarray) -> None:
    x = rng(99).standard_normal((30, net1.widths[0]))
    expected = net1(theta1, x)
    finite = np.isfinite(expected).all(axis=1)  # exponentials of exponentials overflow on some
    x, expected = x[finite], expected[finite]
    assert len(x)
    np.testing.assert_allclose(net2(theta2, x), expected, rtol=0, atol=CLOSE * (1 + np.abs(expected).max()))


def assert_same_point(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=0, atol=CLOSE * (1 + np.abs(b).max()))


@pytest.mark.parametrize("activation", NAMES)
@given(data=st.data())
def test_all_points_of_an_orbit_have_one_form(activation: str, data: st.DataObject) -> None:
    net, theta, moved = data.draw(points_of_an_orbit(activation))
    form = ho.canonical(net, theta)
    assert form.net == net
    assert form.element is not None
    assert (form.element(theta) == form.theta).all()
    assert_same_function(net, theta, net, form.theta)
    if activation != "identity":  # a matrix on linear neurons may be as badly conditioned as it likes
        assert_same_point(ho.canonical(net, moved).theta, form.theta)
        assert_same_point(ho.canonical(net, form.theta).theta, form.theta)


def test_linear_neurons_in_echelon_form() -> None:
    net = ho.MLP([4, 3, 2], "identity")
    theta = net.init(rng(), "normal(1)")
    form = ho.canonical(net, theta)
    (weights, biases), _ = net.unflatten(form.theta)
    np.testing.assert_allclose(weights[:, :3], np.eye(3), atol=1e-13)
    np.testing.assert_allclose(biases, 0, atol=1e-13)
    assert_same_function(net, theta, net, form.theta)
    for seed in range(5):
        moved = ho.symmetries(net).random(rng(seed))(theta)
        assert_same_point(ho.canonical(net, moved).theta, form.theta)


def test_columns_that_depend_on_earlier_ones_are_no_pivots() -> None:
    net = ho.MLP([4, 2, 1], "identity", bias=False)
    theta = np.array([0.0, 1.0, 2.0, 3.0, 0.0, 2.0, 4.0, 1.0, 1.0, 1.0])
    weights = net.unflatten(ho.canonical(net, theta).theta)[0][0]
    np.testing.assert_allclose(weights, [[0, 1, 2, 0], [0, 0, 0, 1]], atol=1e-14)


def test_mixed_activations_stay_in_their_places() -> None:
    names = ["relu", "tanh", "exp", "relu", "tanh", "identity", "cos", "exp", "identity", "sigmoid"]
    net = ho.MLP([3, 10, 4, 2], [names, "square"])
    theta = net.init(rng(), "normal(0.5)")
    form = ho.canonical(net, theta)
    assert_same_function(net, theta, net, form.theta)
    for seed in range(10):
        g = ho.symmetries(net).random(rng(seed))
        assert_same_point(ho.canonical(net, g(theta)).theta, form.theta)


def test_what_is_fixed() -> None:
    net = ho.MLP([2, 6, 1], [["relu"] * 2 + ["tanh"] * 2 + ["exp"] * 2])
    (weights, biases), _ = net.unflatten(ho.canonical(net, net.init(rng(), "normal(1)")).theta)
    np.testing.assert_allclose(np.hypot(np.linalg.norm(weights[:2], axis=1), biases[:2]), 1, atol=1e-14)
    assert (weights[2:4, 0] > 0).all()
    np.testing.assert_allclose(biases[4:], 0, atol=1e-15)
    assert (np.diff(weights[:, 0])[::2] > 0).all()


def test_entries_that_differ_by_rounding_do_not_decide_the_order() -> None:
    net = ho.MLP([2, 3, 1], "elu", bias=False)
    theta = np.array([0.3, 2.0, 0.1 + 0.2, 1.0, 0.3 - 1e-16, 3.0, 1.0, 2.0, 3.0])
    weights = net.unflatten(ho.canonical(net, theta).theta)[0][0]
    assert weights[:, 1].tolist() == [1.0, 2.0, 3.0]


def planted(net: ho.MLP, seed: int = 0) -> tuple[ho.MLP, np.ndarray, np.ndarray]:
    """A network with duplicates and dead neurons in every layer: the wide network, its θ, and the narrow one's."""
    theta = net.init(rng(seed), "normal(0.7)")
    copies = [[3, *[1] * (width - 2), 2] for width in net.widths[1:-1]]
    wide = ho.Widening(net, copies=copies)
    moved = ho.symmetries(wide.net).random(rng(seed + 1), scale=0.3)(wide(theta))
    return wide.net, moved, theta


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [n for n in NAMES if n != "identity"])
def test_duplicates_are_merged(activation: str, bias: bool, parametrization: str) -> None:
    widths = [3, 3, 2] if activation in STEEP else [3, 4, 3, 2]
    net = ho.MLP(widths, activation, bias=bias, parametrization=parametrization)
    wide, moved, theta = planted(net)
    form = ho.canonical(wide, moved, reduce=True)
    assert form.net == net
    assert form.element is None
    assert_same_point(form.theta, ho.canonical(net, theta).theta)
    assert_same_function(wide, moved, form.net, form.theta)


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("bias", [True, False])
def test_dead_neurons_are_removed(activation: str, bias: bool) -> None:
    net = ho.MLP([3, 5, 4], activation, bias=bias)
    theta = net.init(rng(), "normal(0.7)")
    net.unflatten(theta)[1][0][:, [1, 3]] = 0
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (3, 3, 4)
    assert_same_function(net, theta, form.net, form.theta)


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("bias", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_constant_neurons(activation: str, bias: Any, parametrization: str) -> None:
    """Biases above take them; without, all that are not zero become one neuron."""
    net = ho.MLP([3, 5, 4], activation, bias=bias, parametrization=parametrization)
    theta = net.init(rng(), "normal(0.7)")
    (weights, _), _ = net.unflatten(theta)
    weights[[1, 3]] = 0
    form = ho.canonical(net, theta, reduce=True)
    height = net_at_zero(activation)
    stays = not bias[1] and (bias[0] or height != 0)
    assert form.net.widths == (3, 3 + stays, 4)
    assert_same_function(net, theta, form.net, form.theta)


def net_at_zero(activation: str) -> float:
    """σ(0)."""
    return float(ho.MLP([1, 1], output_activation=activation, bias=False)(np.zeros(1), np.ones((1, 1)))[0, 0])


def test_removal_below_makes_neurons_above_constant_and_the_other_way_round() -> None:
    net = ho.MLP([2, 3, 3, 1], "tanh")
    theta = net.init(rng(), "normal(1)")
    (first, _), (second, _), _ = net.unflatten(theta)
    first[1] = 0  # constant
    second[2] = [0, 2.0, 0]  # sees the constant neuron alone, and becomes constant itself
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (2, 2, 2, 1)
    assert_same_function(net, theta, form.net, form.theta)
    net.unflatten(theta)[2][0][:] = [[0, 1.0, 0]]  # the only neuron left above sees …
    second[1] = [0, 0, 1.5]  # … the last neuron below alone
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (2, 1, 1, 1)
    assert_same_function(net, theta, form.net, form.theta)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "exp"])
@pytest.mark.parametrize("bias", [True, False])
def test_one_neuron_stays_where_none_is_needed(activation: str, bias: bool) -> None:
    net = ho.MLP([2, 3, 3, 2], activation, bias=bias)
    theta = net.init(rng(), "normal(1)")
    net.unflatten(theta)[2][0][:] = 0
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (2, 1, 1, 2)
    assert_same_function(net, theta, form.net, form.theta)
    again = ho.canonical(form.net, form.theta, reduce=True)
    assert again.net == form.net
    assert (again.theta == form.theta).all()


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "cos", "cube"])
def test_mirrored_neurons_are_merged_and_zero_groups_removed(activation: str) -> None:
    net = ho.MLP([2, 4, 2], activation)
    theta = net.init(rng(), "normal(1)")
    (weights, biases), (outgoing, _) = net.unflatten(theta)
    weights[3], biases[3] = -weights[1], -biases[1]
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (2, 3, 2)
    assert_same_function(net, theta, form.net, form.theta)
    outgoing[:, 3] = outgoing[:, 1] * (-1 if activation == "cos" else 1)
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (2, 2, 2)
    assert_same_function(net, theta, form.net, form.theta)


def test_exponentials_that_differ_by_their_biases_are_merged() -> None:
    net = ho.MLP([2, 3, 1], "exp")
    theta = net.init(rng(), "normal(1)")
    weights = net.unflatten(theta)[0][0]
    weights[2] = weights[0]
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (2, 2, 1)
    assert_same_function(net, theta, form.net, form.theta)


def test_near_duplicates_stay_apart() -> None:
    net = ho.MLP([2, 3, 1])
    theta = net.init(rng(), "normal(1)")
    (weights, biases), _ = net.unflatten(theta)
    weights[2], biases[2] = weights[0] * (1 + 1e-7), biases[0]
    assert ho.canonical(net, theta, reduce=True).net == net
    assert ho.canonical(net, theta, reduce=True, tolerance=1e-6).net.widths == (2, 2, 1)


def test_forms_unpack_and_describe_themselves() -> None:
    net = ho.MLP([2, 3, 1])
    form = ho.canonical(net, net.init(rng()))
    same, theta = form
    assert same == net
    assert theta is form.theta
    assert repr(form).startswith("CanonicalForm(MLP([2, 3, 1], 'tanh'), theta=[")


def test_networks_without_hidden_layers() -> None:
    net = ho.MLP([2, 1])
    for reduce in (False, True):
        form = ho.canonical(net, [1.0, 2.0, 3.0], reduce=reduce)
        assert form.net == net
        assert form.theta.tolist() == [1.0, 2.0, 3.0]


def test_bad_input() -> None:
    net = ho.MLP([2, 3, 1])
    theta = net.init(rng())
    with pytest.raises(TypeError, match="net must be an MLP; got a str"):
        ho.canonical("net", theta)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"theta must have shape \(13,\)"):
        ho.canonical(net, theta[:4])
    with pytest.raises(ValueError, match=r"theta must have shape \(13,\)"):
        ho.canonical(net, theta[None])
    with pytest.raises(ValueError, match="theta must be finite"):
        ho.canonical(net, np.full(13, np.nan))
    with pytest.raises(ValueError, match="tolerance must be at least 0 and below 1"):
        ho.canonical(net, theta, tolerance=-1.0)
    steep = ho.MLP([1, 1, 1], "exp")
    with pytest.raises(ValueError, match="theta must have a representative in the range of float64"):
        ho.canonical(steep, [1.0, 800.0, 1.0, 0.0])


def test_what_is_removed_is_small_by_its_effect() -> None:
    """A neuron is not constant because another has larger weights, nor dead because of another's outgoing ones."""
    net = ho.MLP([2, 2, 1], bias=False)
    for theta in ([1e11, 0, 1, 1, 1, 1], [1, 0, 1, 1, 1e12, 1]):
        form = ho.canonical(net, theta, reduce=True, tolerance=1e-14)
        assert form.net == net
        assert form.bound == 0
    steep = np.array([1.0, 0.5, 1 + 1e-11, 0.5, 1e6, -1e6])
    assert ho.canonical(net, steep, reduce=True).net == net
    small = ho.canonical(net, [1.0, 0.5, -2.0, 1.0, 1.0, 1e-12], reduce=True)
    assert small.net.widths == (2, 1, 1)
    x = rng(1).standard_normal((200, 2))
    x *= small.radius / np.linalg.norm(x, axis=1, keepdims=True)
    change = np.abs(net(np.array([1.0, 0.5, -2.0, 1.0, 1.0, 1e-12]), x) - small.net(small.theta, x)).max()
    assert 0 < change <= small.bound <= 1e-10 * small.scale


def test_order_of_rows_is_that_of_tuples() -> None:
    """Columns with few values tie often; with the tolerance, ties that rounding breaks stay ties."""
    values = rng().integers(0, 3, (200, 6)).astype(float)
    rounded = values * (1 + 1e-13 * rng(1).uniform(-1, 1, values.shape))
    expected = sorted(map(tuple, values))
    for keys, tolerance in ((values, 0.0), (rounded, 1e-10)):
        order = lexicographic(keys, tolerance)
        assert sorted(order) == list(range(200))
        assert list(map(tuple, values[order])) == expected


def rank_of(net: ho.MLP, theta: np.ndarray) -> int:
    """Of the product of the matrices of a linear network; constants count where the layer above has no biases."""
    (first, biases), *others = net.unflatten(theta)
    product = net.multipliers[0] * first
    if net.biases[0] and not net.biases[1]:
        product = np.column_stack([product, biases])
    for (weights, _), multiplier in zip(others, net.multipliers[1:], strict=True):
        product = multiplier * weights @ product
    return int(np.linalg.matrix_rank(product))


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("bias", [True, False, [True, False, True], [False, True, True]])
@pytest.mark.parametrize(("inputs", "outputs"), [(3, 1), (2, 4), (5, 5), (6, 2)])
def test_linear_neurons_are_as_many_as_their_rank(inputs: int, outputs: int, bias: Any, parametrization: str) -> None:
    net = ho.MLP([inputs, 20, 9, outputs], "identity", bias=bias, parametrization=parametrization)
    theta = net.init(rng(inputs))
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths[1:-1] == (rank_of(net, theta),) * 2
    assert_same_function(net, theta, form.net, form.theta)
    assert form.bound <= 1e-10 * form.scale
    # Bases of two spans of three dimensions, and the matrices between them, have condition numbers up to a thousand.
    other = ho.canonical(net, ho.symmetries(net).random(rng(7))(theta), reduce=True)
    np.testing.assert_allclose(other.theta, form.theta, rtol=0, atol=1e-8 * (1 + np.abs(form.theta).max()))


def test_a_bias_that_only_linear_neurons_carry_is_kept() -> None:
    """Without biases above, the constants of linear neurons count as one input more."""
    net = ho.MLP([2, 7, 4], "identity", bias=[True, False])
    theta = net.init(rng(0)) + 0.1
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (2, 3, 4)
    assert_same_function(net, theta, form.net, form.theta)


def test_linear_neurons_beside_others() -> None:
    names = [["identity"] * 6 + ["tanh"] * 4, "relu"]
    net = ho.MLP([2, 10, 5, 1], names)
    theta = net.init(rng(1))
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.activations[0] == ("identity",) * 2 + ("tanh",) * 4
    assert_same_function(net, theta, form.net, form.theta)
    assert ho.equivalent(net, theta, form.net, form.theta)


def test_independent_linear_neurons_stay() -> None:
    net = ho.MLP([5, 4, 6], "identity")
    theta = net.init(rng(2))
    form = ho.canonical(net, theta, reduce=True)
    assert form.net.widths == (5, 4, 6)
    np.testing.assert_allclose(form.theta, ho.canonical(net, theta).theta, rtol=0, atol=CLOSE)


@pytest.mark.parametrize(("size", "apart", "width"), [(1e-6, 1e-3, 2), (1e6, 1e-3, 2), (1.0, 1e-13, 1)])
def test_what_counts_as_dependent_is_what_it_does(size: float, apart: float, width: int) -> None:
    """Two linear neurons, parallel but for a part that is the same in all units of an input."""
    net = ho.MLP([2, 2, 2], "identity", bias=False)
    incoming = np.array([[1.0, 1.0], [1.0, 1.0 + apart]]) * np.array([1.0, size])
    theta = net.flatten([(incoming, None), (np.array([[1.0, 0.5], [0.5, 1.0]]), None)])
    assert ho.canonical(net, theta, reduce=True, tolerance=1e-12).net.widths[1] == width


@pytest.mark.parametrize("rank", [1, 70, 130])
def test_pivots_are_the_first_independent_columns(rank: int) -> None:
    """By ranks of leading columns; beyond a block of them, and with columns that repeat."""
    left, right = rng(rank).standard_normal((140, rank)), rng(rank + 1).standard_normal((rank, 150))
    right[:, 3] = right[:, 2]
    right[:, 100] = right[:, :30] @ np.ones(30)
    rows = left @ right
    ranks = [int(np.linalg.matrix_rank(right[:, :count])) for count in range(151)]
    assert pivot_columns(rows, 1e-10) == [k for k in range(150) if ranks[k + 1] > ranks[k]]
