"""Equivalence: planted equal pairs, many related by no symmetry, and near misses; both checked by outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from hessorbit import activations
from hessorbit.equivalence import Equivalence
from hessorbit.equivalence.ball import Scale
from hessorbit.equivalence.equality import Comparison, unbounded
from hessorbit.equivalence.exact_copies import without_copies
from hessorbit.symmetry import GroupElement
from oracles.networks import NAMES, STEEP, points_of_an_orbit
from oracles.problem import PARAMETRIZATIONS

pytestmark = pytest.mark.core

EVEN_LINEAR = ("relu", "leaky_relu", "leaky_relu(0.3)", "leaky_relu(-2.0)", "gelu", "silu", "softplus")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def outputs(net: ho.MLP, theta: np.ndarray) -> np.ndarray:
    return net(theta, rng(99).standard_normal((50, net.widths[0])))


def assert_equal(net1: ho.MLP, theta1: np.ndarray, net2: ho.MLP, theta2: np.ndarray) -> Equivalence:
    """Called equal, both ways round, and equal indeed on some inputs."""
    expected = outputs(net1, theta1)
    # Some hundred operations of relative error 1e-16 on signals of order one.
    np.testing.assert_allclose(outputs(net2, theta2), expected, rtol=0, atol=1e-11 * (1 + np.abs(expected).max()))
    result = ho.equivalent(net1, theta1, net2, theta2)
    assert result, result
    assert ho.equivalent(net2, theta2, net1, theta1)
    return result


def assert_different(
    net1: ho.MLP, theta1: np.ndarray, net2: ho.MLP, theta2: np.ndarray, tolerance: float = 1e-8
) -> Equivalence:
    """Called different, and so at the witness, in a precision in which rounding cannot be what one sees."""
    result = ho.equivalent(net1, theta1, net2, theta2, tolerance=tolerance)
    assert result.verdict == "different", result
    assert not result
    assert isinstance(result.witness, np.ndarray)
    x = result.witness[None].astype(np.longdouble)
    first, second = net1(np.asarray(theta1, np.longdouble), x), net2(np.asarray(theta2, np.longdouble), x)
    assert np.abs(first - second).max() > 1e-13 * np.abs(first).max()
    assert result.difference > 0
    return result


# --- equal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", NAMES)
@given(data=st.data())
def test_group_elements_are_found(activation: str, data: st.DataObject) -> None:
    net, theta, moved = data.draw(points_of_an_orbit(activation))
    result = ho.equivalent(net, theta, net, moved)
    assert result, result
    if activation != "identity":  # deep linear layers: the condition of matrices is anyone's guess
        assert isinstance(result.witness, GroupElement)
        np.testing.assert_allclose(result.witness(theta), moved, rtol=1e-7, atol=1e-7 * np.abs(moved).max())


def test_the_element_of_linear_neurons_and_mixed_layers() -> None:
    names = ["relu", "tanh", "exp", "identity", "cos", "exp", "identity", "sigmoid"]
    net = ho.MLP([3, 8, 3, 2], [names, "gelu"])
    theta = net.init(rng(), "normal(0.5)")
    moved = ho.symmetries(net).random(rng(1))(theta)
    witness = assert_equal(net, theta, net, moved).witness
    assert isinstance(witness, GroupElement)
    np.testing.assert_allclose(witness(theta), moved, atol=1e-9)


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("activation", NAMES)
def test_widened_networks(activation: str, parametrization: str) -> None:
    widths = [3, 3, 2] if activation in STEEP else [3, 4, 3, 2]
    net = ho.MLP(widths, activation, parametrization=parametrization)
    theta = net.init(rng(), "normal(0.7)")
    copies = [[3, *[1] * (width - 2), 2] for width in widths[1:-1]]
    wide = ho.Widening(net, copies=copies, dead=[2] * len(copies))
    result = assert_equal(net, theta, wide.net, wide(theta))
    assert result.witness is None
    assert "architectures differ" in result.reason


@pytest.mark.parametrize("activation", EVEN_LINEAR)
@pytest.mark.parametrize("layer", [1, 2])
def test_even_linear_flips_relate_what_no_element_does(activation: str, layer: int) -> None:
    names = [activation, activation, "identity", "identity", activation]
    layers = [names, "tanh"] if layer == 1 else ["tanh", names]
    widths = [3, 5, 4, 2] if layer == 1 else [3, 4, 5, 4]
    net = ho.MLP(widths, layers) if layer == 2 else ho.MLP([3, 5, 2], [names])
    theta = net.init(rng(), "normal(1)")
    if layer == 2:
        net.unflatten(theta)[2][0][2:] = 0  # two outputs, so that two linear neurons carry everything
    moved = ho.symmetries(net).even_linear_flip(layer=layer, neurons=[0, 4])(theta)
    result = assert_equal(net, theta, net, moved)
    assert result.witness is None
    assert "no permutation" in result.reason


def test_rectifier_identities() -> None:
    """relu(z) − relu(−z) = z, three times over: Σ v (relu(z) − relu(−z)) = 0 where Σ v w = 0, or = an output bias."""
    net = ho.MLP([1, 2, 1], "relu")
    line = ho.MLP([1, 1])
    assert_equal(net, np.array([2.0, -2.0, 1.0, -1.0, 3.0, -3.0, 0.0]), line, np.array([6.0, 3.0]))
    # max(x, y) in two ways
    net = ho.MLP([2, 3, 1], "relu", bias=False)
    one = np.array([1.0, -1.0, 0.0, 1.0, 0.0, -1.0, 1.0, 1.0, -1.0])
    other = np.array([-1.0, 1.0, 1.0, 0.0, -1.0, 0.0, 1.0, 1.0, -1.0])
    result = assert_equal(net, one, net, other)
    assert result.witness is None


def test_leaky_rectifiers_of_any_slope_have_one_kink() -> None:
    """relu as the sum of a leaky_relu and a line, (leaky(z) − s z)/(1 − s)."""
    relu, leaky = ho.MLP([1, 1, 1], "relu"), ho.MLP([1, 2, 1], [["leaky_relu(0.25)", "identity"]])
    assert_equal(relu, np.array([2.0, 1.0, 3.0, 0.5]), leaky, np.array([2.0, 2.0, 1.0, 1.0, 4.0, -1.0, 0.5]))


@pytest.mark.parametrize(("one", "other", "scale"), [("sigmoid", "tanh", 0.5), ("normal_cdf", "erf", 1.0)])
@pytest.mark.parametrize("depth", [1, 2])
def test_sigmoids_are_odd_functions(one: str, other: str, scale: float, depth: int) -> None:
    """σ(z) = ½ + ½ φ(scale z) in every layer."""
    widths = [3, 4, 3, 2] if depth == 2 else [3, 4, 2]
    net1, net2 = ho.MLP(widths, one), ho.MLP(widths, other)
    theta1 = net1.init(rng(), "normal(1)")
    layers = []
    for index, (weights, biases) in enumerate(net1.unflatten(theta1)):
        assert biases is not None
        w, b = (weights / 2, biases + weights.sum(axis=1) / 2) if index else (weights, biases)
        factor = scale if index < depth else 1.0
        layers.append((factor * w, factor * b))
    assert_equal(net1, theta1, net2, net2.flatten(layers))


def test_phases() -> None:
    """cos is a shifted sin, and neurons of one frequency add as complex numbers."""
    sines, cosines = ho.MLP([2, 2, 1], "sin"), ho.MLP([2, 1, 1], "cos")
    w, b1, b2, v1, v2 = np.array([1.0, -2.0]), 0.3, 1.7, 0.8, -1.1
    wave = v1 * np.exp(1j * b1) + v2 * np.exp(1j * b2)  # of sin
    one = np.array([*w, *w, b1, b2, v1, v2, 0.4])
    assert_equal(sines, one, cosines, np.array([*-w, np.pi / 2 - np.angle(wave), abs(wave), 0.4]))
    assert_equal(sines, one, sines, np.array([*w, *-w, b1 + np.pi, -b2, -v1, -v2, 0.4]))


def test_biases_of_exponentials_are_factors() -> None:
    net = ho.MLP([1, 2, 1], "exp")
    theta = np.array([1.0, 1.0, 0.0, 1.0, 2.0, 3.0, 0.0])
    assert_equal(net, theta, ho.MLP([1, 1, 1], "exp"), np.array([1.0, np.log(2 + 3 * np.e), 1.0, 0.0]))


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_rotations_of_squares(parametrization: str) -> None:
    """Σ (w · x)² is ‖Wx‖²."""
    net = ho.MLP([3, 4, 1], "square", parametrization=parametrization)
    theta = net.init(rng(), "normal(1)")
    theta[-5:-1] = 1.0
    q, _ = np.linalg.qr(rng(1).standard_normal((4, 4)))
    (w, b), (v, c) = net.unflatten(theta)
    assert_equal(net, theta, net, net.flatten([(q @ w, q @ b), (v, c)]))


def test_cubes_of_sums() -> None:
    """(x+y)³ + (x−y)³ = 2x³ + 6xy²; (z+1)³ − (z−1)³ = 6z² + 2."""
    net, square = ho.MLP([1, 2, 1], "cube"), ho.MLP([1, 1, 1], "square")
    assert_equal(net, np.array([1.0, 1, 1, -1, 1, -1, 0]), square, np.array([1.0, 0, 6, 2]))


def test_sums_of_other_activations() -> None:
    """g(z) = sigmoid(4z) + softplus(z); selu = right · relu + left · (elu − relu)."""
    z, v = [2.0, -1.0], [3.0]
    g, parts = ho.MLP([1, 1, 1], "g"), ho.MLP([1, 2, 1], [["sigmoid", "softplus"]])
    assert_equal(g, np.array([*z, *v, 0.0]), parts, np.array([4 * z[0], z[0], 4 * z[1], z[1], *v, *v, 0.0]))
    selu, parts = ho.MLP([1, 1, 1], "selu"), ho.MLP([1, 2, 1], [["elu", "relu"]])
    right, left = 1.0507009873554804934, 1.7580993408473768599
    assert_equal(selu, np.array([*z, 1.0, 0.0]), parts, np.array([z[0], z[0], z[1], z[1], left, right - left, 0.0]))


def test_linear_layers_do_not_count() -> None:
    deep, shallow = ho.MLP([3, 4, 5, 4, 2], ["identity", "relu", "identity"]), ho.MLP([3, 5, 2], "relu")
    theta = deep.init(rng(), "normal(1)")
    (w1, b1), (w2, b2), (w3, b3), (w4, b4) = deep.unflatten(theta)
    assert b1 is not None
    assert b2 is not None
    assert b3 is not None
    assert b4 is not None
    product = shallow.flatten([(w2 @ w1, w2 @ b1 + b2), (w4 @ w3, w4 @ b3 + b4)])
    assert_equal(deep, theta, shallow, product)
    product[0] *= 1 + 1e-6
    assert_different(deep, theta, shallow, product)


@pytest.mark.parametrize("activation", NAMES)
def test_constant_neurons_are_biases(activation: str) -> None:
    net, narrow = ho.MLP([2, 3, 2], activation), ho.MLP([2, 2, 2], activation)
    theta = net.init(rng(), "normal(0.7)")
    (w, b), (v, c) = net.unflatten(theta)
    assert b is not None
    w[2] = 0
    height = ho.MLP([1, 1], output_activation=activation)(np.array([0.0, b[2]]), np.ones((1, 1)))[0, 0]
    assert_equal(net, theta, narrow, narrow.flatten([(w[:2], b[:2]), (v[:, :2], c + v[:, 2] * height)]))


def test_output_activations() -> None:
    one = ho.MLP([2, 3, 2], output_activation="sigmoid")
    theta = one.init(rng(), "normal(1)")
    moved = ho.symmetries(one).random(rng(1))(theta)
    assert_equal(one, theta, one, moved)
    moved[-1] += 1e-6
    assert_different(one, theta, one, moved)
    squares = ho.MLP([2, 3, 1], output_activation="square")
    theta = squares.init(rng(), "normal(1)")
    flipped = theta.copy()
    flipped[9:] *= -1
    assert_equal(squares, theta, squares, flipped)


def test_weights_of_all_sizes() -> None:
    """Rescaled by powers of ten, which would drown small neurons if they were compared with the large ones."""
    net = ho.MLP([3, 4, 2], "relu")
    theta = net.init(rng(), "normal(1)")
    g = ho.symmetries(net).rescaling(layer=1, factors=[1e-9, 1e9, 1e-3, 1.0])
    assert isinstance(assert_equal(net, theta, net, g(theta)).witness, GroupElement)


# --- different ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", NAMES)
@pytest.mark.parametrize("bias", [True, False])
def test_near_misses(activation: str, bias: bool) -> None:
    """Each weight by a millionth, in networks that are related by a group element otherwise."""
    net = ho.MLP([3, 3, 2], activation, bias=bias)
    theta = net.init(rng(3), "normal(0.7)")
    moved = ho.symmetries(net).random(rng(4), scale=0.3)(theta)
    # Neurons of polynomials share coefficients, of which a small neuron may be less than the hundredth part that
    # lets a millionth of it exceed 1e-8.
    tolerance = 1e-10 if activation in ("square", "cube") else 1e-8
    for index in range(net.num_parameters):
        near = moved.copy()
        near[index] *= 1 + 1e-6
        assert_different(net, theta, net, near, tolerance)
        assert ho.equivalent(net, theta, net, near, tolerance=1e-3)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "silu", "softplus", "sin", "elu", "softsign"])
def test_near_misses_in_deep_networks(activation: str) -> None:
    net = ho.MLP([2, 3, 3, 1], activation)
    theta = net.init(rng(3), "normal(1)")
    moved = ho.symmetries(net).random(rng(4))(theta)
    for index in range(net.num_parameters):
        near = moved.copy()
        near[index] *= 1 + 1e-6
        assert_different(net, theta, net, near)


def test_shared_coefficients_are_what_counts() -> None:
    """A neuron that is a thousandth of every coefficient: its millionth is within 1e-8 of the sums, not of 1e-10."""
    net = ho.MLP([1, 2, 1], "cube", bias=False)
    theta, near = np.array([1.0, 0.1, 1.0, 1.0]), np.array([1.0, 0.1 * (1 + 1e-6), 1.0, 1.0])
    assert ho.equivalent(net, theta, net, near)
    assert_different(net, theta, net, near, 1e-10)


def test_a_small_neuron_far_away_is_seen() -> None:
    net, without = ho.MLP([1, 2, 1], "tanh"), ho.MLP([1, 1, 1], "tanh")
    theta = np.array([1.0, 50.0, 0.0, -50 * 1e3, 1.0, 1e-6, 0.0])  # a step of 2e-6 at x = 1000
    result = assert_different(net, theta, without, np.array([1.0, 0.0, 1.0, -1e-6]))
    assert "tanh" in result.reason


def test_different_activations() -> None:
    for one, other in [("tanh", "erf"), ("gelu", "silu"), ("relu", "softplus"), ("elu", "selu"), ("square", "cube")]:
        net1, net2 = ho.MLP([2, 3, 1], one), ho.MLP([2, 3, 1], other)
        theta = net1.init(rng(), "normal(1)")
        assert_different(net1, theta, net2, theta)


def test_flips_that_leave_something_linear() -> None:
    for activation in EVEN_LINEAR:
        net = ho.MLP([2, 2, 1], activation)
        theta = net.init(rng(), "normal(1)")
        flipped = theta.copy()
        flipped[[0, 1, 4]] *= -1
        assert "linear part" in assert_different(net, theta, net, flipped).reason


# --- unknown -----------------------------------------------------------------------------------------------------


def test_unknown_where_nothing_is_proved() -> None:
    """relu(relu(z)) = relu(z), which class sums do not see."""
    deep, shallow = ho.MLP([1, 1, 1, 1], "relu", bias=False), ho.MLP([1, 1, 1], "relu", bias=False)
    result = ho.equivalent(deep, [1.0, 1.0, 2.0], shallow, [1.0, 2.0])
    assert result.verdict == "unknown"
    assert result.equal is None
    assert not result
    assert result.witness is None
    assert "proves nothing in a deep network" in result.reason
    assert ho.equivalent(deep, [1.0, 1.0, 2.0], shallow, [1.0, 2.1]).verdict == "different"


def test_unknown_beyond_the_range_of_numbers() -> None:
    net = ho.MLP([1, 1, 1], "exp")
    result = ho.equivalent(net, [1.0, 800.0, 1.0, 0.0], net, [1.0, 801.0, np.exp(-1.0), 0.0])
    assert result.verdict == "unknown"
    assert "range of float64" in result.reason


def test_too_many_monomials_are_not_multiplied_out() -> None:
    net = ho.MLP([500, 2, 1], "square", bias=False)
    theta = net.init(rng(), "normal(1)")
    moved = ho.symmetries(net).random(rng(1))(theta)
    assert ho.equivalent(net, theta, net, moved)


# --- answers, and bad input --------------------------------------------------------------------------------------


def test_every_activation_is_known() -> None:
    """One neuron against itself: whatever is in the core's table has an expansion."""
    for name in activations.defaults():
        net = ho.MLP([1, 1, 1], name)
        theta = np.array([0.7, 0.2, 1.3, -0.4])
        assert_equal(net, theta, net, theta)


def test_answers_describe_themselves() -> None:
    net = ho.MLP([2, 3, 1])
    theta = net.init(rng())
    equal = ho.equivalent(net, theta, net, theta)
    assert equal.equal is True
    assert repr(equal) == "Equivalence(equal: a group element takes theta1 to theta2)"
    different = ho.equivalent(net, theta, net, 2 * theta)
    assert different.equal is False
    assert repr(different).startswith("Equivalence(different: outputs differ by")


def test_answers_are_reproducible() -> None:
    net = ho.MLP([2, 3, 1])
    theta = net.init(rng())
    first, second = (ho.equivalent(net, theta, net, 2 * theta) for _ in range(2))
    np.testing.assert_array_equal(np.asarray(first.witness), np.asarray(second.witness))
    ho.equivalent(net, theta, net, 2 * theta, rng=rng(5))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("net", "theta", "other", "theta"), TypeError, "net2 must be an MLP; got a str"),
        ((3, "theta", "net", "theta"), TypeError, "net1 must be an MLP; got an int"),
        (("net", "theta", ho.MLP([3, 1]), np.zeros(4)), ValueError, "net2 must have the number of inputs of net1, 2"),
        (("net", "theta", ho.MLP([2, 2]), np.zeros(6)), ValueError, "net2 must have the number of outputs of net1, 1"),
        (("net", np.zeros(4), "net", "theta"), ValueError, r"theta1 must have shape \(13,\)"),
        (("net", "theta", "net", np.zeros((2, 13))), ValueError, r"theta2 must have shape \(13,\)"),
        (("net", "theta", "net", np.full(13, np.inf)), ValueError, "theta2 must be finite"),
    ],
)
def test_bad_input(arguments: tuple[Any, ...], error: Any, message: str) -> None:
    net = ho.MLP([2, 3, 1])
    known = {"net": net, "theta": net.init(rng())}
    values = [known.get(a, a) if isinstance(a, str) else a for a in arguments]
    with pytest.raises(error, match=message):
        ho.equivalent(*values)


def test_bad_options() -> None:
    net = ho.MLP([2, 3, 1])
    theta = net.init(rng())
    with pytest.raises(ValueError, match="tolerance must be at least 0 and below 1"):
        ho.equivalent(net, theta, net, theta, tolerance=1.0)
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator"):
        ho.equivalent(net, theta, net, theta, rng=3)  # type: ignore[arg-type]


# --- the effect on the function is what counts -------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e3, 1e6, 1e9])
def test_small_differences_under_large_outgoing_weights(size: float) -> None:
    """v (tanh(w x) − tanh(w (1 + 5e-9) x)): weights that agree to 5e-9 make outputs that differ by 5e-9 v."""
    net = ho.MLP([2, 2, 1])
    theta = np.array([1, 0.5, 1, 0.5, 0.1, 0.1, size, -size, 0.3])
    other = theta.copy()
    other[2] *= 1 + 5e-9
    assert_different(net, theta, net, other)
    swapped = ho.symmetries(net).permutation(layer=1, order=[1, 0])(other)
    result = ho.equivalent(net, other, net, swapped)
    assert result
    # Some roundings of each parameter, whose effect on the outputs is at most the size of the terms.
    assert 0 < result.bound <= 100 * np.finfo(float).eps * size


@given(seed=st.integers(0, 2**32 - 1), power=st.floats(-9, -3), depth=st.integers(1, 3))
def test_bounds_hold(seed: int, power: float, depth: int) -> None:
    """On random inputs of the ball, outputs of perturbed networks differ by no more than the bound says."""
    generator = rng(seed)
    names = [generator.choice([n for n in NAMES if n not in STEEP], 3).tolist() for _ in range(depth)]
    net = ho.MLP([2, *[3] * depth, 2], names)
    theta = net.init(generator, "normal(0.7)")
    other = theta * (1 + 10**power * generator.standard_normal(len(theta)))
    result = ho.equivalent(net, theta, net, other, tolerance=0.01)
    x = generator.standard_normal((500, 2))
    x *= result.radius * generator.random((500, 1)) / np.linalg.norm(x, axis=1, keepdims=True)
    first, second = net(theta.astype(np.longdouble), x), net(other.astype(np.longdouble), x)
    assert np.abs(first - second).max() <= result.bound
    assert np.abs(first).max() <= 10 * max(result.scale, 1e-3)
    if result:
        assert result.bound <= 0.011 * result.scale


def test_statements() -> None:
    net = ho.MLP([2, 3, 1])
    theta = net.init(rng())
    result = ho.equivalent(net, theta, net, theta, radius=2.0)
    assert result.radius == 2
    assert "for ‖x‖ ≤ 2, where |f| reaches" in str(result)
    with pytest.raises(ValueError, match="radius must be positive"):
        ho.equivalent(net, theta, net, theta, radius=0.0)


def test_weights_whose_squares_leave_the_range() -> None:
    net = ho.MLP([2, 2, 1], "relu")
    theta = np.array([1e160, 0, 1e-160, 1e-160, 0, 1e-161, 1e-160, 1e160, 0.1])
    assert ho.equivalent(net, theta, net, ho.symmetries(net).random(rng())(theta))
    form = ho.canonical(net, theta)
    np.testing.assert_allclose(np.linalg.norm(np.column_stack(net.unflatten(form.theta)[0]), axis=1), 1, atol=1e-14)


def test_wide_layers_are_sorted_not_compared() -> None:
    """Width 2000: comparing all pairs of neurons one by one would take minutes, and the suite's patience."""
    net = ho.MLP([5, 2000, 2])
    theta = net.init(rng())
    result = ho.equivalent(net, theta, net, ho.symmetries(net).random(rng(1))(theta))
    assert isinstance(result.witness, GroupElement)


@pytest.mark.parametrize("size", [1e10, 1e160])
@pytest.mark.parametrize("widths", [(2, 3, 1), (2, 3, 3, 2)])
def test_rearranged_parameters_are_equal_however_steep(widths: tuple[int, ...], size: float) -> None:
    """Bounds on steep neurons are loose, but permutations and signs round nothing; a changed weight is told."""
    net = ho.MLP(widths, bias=False)
    theta = net.init(np.random.default_rng(0))
    theta[:6] *= size
    group = ho.symmetries(net)
    moved = group.permutation(layer=1, order=[2, 0, 1])(group.sign_flip(layer=1, neurons=[1])(theta))
    for other in (theta, moved):
        answer = ho.equivalent(net, theta, net, other)
        assert (answer.verdict, answer.bound) == ("equal", 0.0)
        assert (answer.witness(theta) == other).all()  # type: ignore[operator, misc]
    moved[-1] *= 1.001
    assert ho.equivalent(net, theta, net, moved).verdict == "different"


@pytest.mark.parametrize("activation", ["tanh", "gelu", "cos"])
def test_exact_copies_in_steep_networks(activation: str) -> None:
    """Halves of outgoing weights add up exactly; what rounding would do is multiplied by 100 in every layer."""
    rng = np.random.default_rng(0)
    net = ho.MLP([3, 4, 4, 4, 4, 2], activation)
    theta = 100 * net.init(rng, scheme="torch")
    wide = ho.Widening(net, copies=[[2, 1, 1, 1]] * 4)
    answer = ho.equivalent(net, theta, wide.net, wide(theta))
    assert answer, answer
    moved = wide(theta)
    (_, biases), *_ = wide.net.unflatten(moved)
    biases[0] += 1e-3  # of one copy alone
    assert not ho.equivalent(net, theta, wide.net, moved)


def test_exact_copies_are_merged_exactly() -> None:
    """Of three neurons, by hand: equal, opposite, and without outgoing weights; 0.1 + 0.2 rounds, and stays."""
    net = ho.MLP([1, 4, 1])
    layers = [(np.array([[2.0], [-2.0], [2.0], [7.0]]), np.array([1.0, -1.0, 1.0, 0.0])),
              (np.array([[0.5, 0.25, 0.125, 0.0]]), np.array([3.0]))]  # fmt: skip
    smaller, theta = without_copies(net, net.flatten(layers))
    assert smaller.widths == (1, 1, 1)
    assert theta.tolist() == [2.0, 1.0, 0.5 - 0.25 + 0.125, 3.0]
    layers[1] = (np.array([[0.1, 0.0, 0.2, 0.0]]), np.array([3.0]))
    assert without_copies(net, net.flatten(layers))[0].widths == (1, 2, 1)


def test_why_steep_networks_are_not_decided() -> None:
    """Thirds do not add up exactly: the message says what is missing."""
    net = ho.MLP([3, 4, 4, 4, 4, 2])
    theta = 100 * net.init(np.random.default_rng(0), scheme="torch")
    wide = ho.Widening(net, copies=[[3, 1, 1, 1]] * 4)
    answer = ho.equivalent(net, theta, wide.net, wide(theta))
    if answer.verdict == "unknown":  # thirds may happen to round to sums that are exact
        assert "the bound on what their rounding does to output" in answer.reason
    else:
        assert answer.verdict == "equal"


def vanishing(rng: np.random.Generator) -> tuple[ho.MLP, np.ndarray]:
    """A random network whose outputs a relu or a square makes 0, some of them or all, in many draws."""
    depth = int(rng.integers(2, 4))
    widths = [int(rng.integers(1, 4)) for _ in range(depth + 1)]
    hidden = [[str(rng.choice(["square", "relu", "identity", "cube"])) for _ in range(n)] for n in widths[1:-1]]
    net = ho.MLP(
        widths, hidden, bias=[bool(b) for b in rng.integers(0, 2, depth)],
        parametrization=str(rng.choice(["ntk", "standard"])), output_activation=str(rng.choice(["relu", "square"])),
    )  # fmt: skip
    theta = np.round(rng.standard_normal(net.num_parameters), 1)
    theta[rng.random(len(theta)) < 0.2] = 0
    return net, theta


def test_functions_that_vanish_equal_their_orbits() -> None:
    """A group element is the proof; of outputs that are 0 rounding is measured by the terms of their sums."""
    rng, zero = np.random.default_rng(7), 0
    for _ in range(60):
        net, theta = vanishing(rng)
        moved = ho.symmetries(net).random(rng)(theta)
        answer = ho.equivalent(net, theta, net, moved)
        assert answer.verdict == "equal", (net, theta, str(answer))
        x = rng.standard_normal((200, net.widths[0]))
        x *= answer.radius * rng.random((200, 1)) / np.linalg.norm(x, axis=1, keepdims=True)
        one, other = (net(t.astype(np.longdouble), x.astype(np.longdouble)) for t in (theta, moved))
        assert (np.abs(one - other) <= answer.bound).all()
        zero += not one.any()
    assert zero >= 5  # of the draws vanish everywhere


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1e-10, 1.0])
def test_what_vanishes_is_not_what_nearly_vanishes(scale: float) -> None:
    """−x² − 1 < 0 everywhere, so that the relu of it is 0; beside it scale · x² is not, however small."""
    net = ho.MLP([1, 1, 1], "square", bias=[False, True], output_activation="relu")
    zero, other = [1.0, -1.0, -1.0], [1.0, scale, 0.0]
    assert ho.equivalent(net, zero, net, [2.0, -0.25, -1.0]).verdict == "equal"
    assert ho.equivalent(net, zero, net, other).verdict == "different"
    linear = ho.MLP([1, 1, 1], "square", bias=[False, True])
    assert ho.equivalent(net, zero, linear, [1.0, scale, 0.0]).verdict == "different"


def test_no_tolerance_is_promised_where_outputs_vanish() -> None:
    """The relative size of a bound on outputs that are 0 is infinite: another tolerance does nothing."""
    bound, none = np.array([1e-10, 1e-3]), np.zeros(2)
    scales = (Scale(none, none), Scale(np.array([1.0, 2.0]), none))
    nothing, something = (
        unbounded(Comparison(bound, 1.0, scale, False, (), False, True), 1e-12) for scale in scales
    )  # fmt: skip
    assert "no tolerance would do" in nothing
    needed = float(something.split("tolerance=")[1].split()[0])
    assert "output 1" in something
    assert 1e-3 / 2 <= needed <= 1.2e-3 / 2


def test_outputs_whose_rounding_overflows_separate_nothing() -> None:
    """Where the size of an output's terms overflows, a difference cannot be told from rounding.

    A copy of every neuron's halves leaves the function as it is, to rounding of the shares that are thirds.
    """
    net = ho.MLP([2, 2, 2, 2, 2], activation=["exp", "selu", "exp"])
    for seed in range(20):
        theta = 6 * np.random.default_rng(seed).standard_normal(net.num_parameters)
        widening = ho.Widening(net, copies=[[2, 3], [3, 2], [3, 2]])
        assert ho.equivalent(net, theta, widening.net, widening(theta)).verdict != "different"
