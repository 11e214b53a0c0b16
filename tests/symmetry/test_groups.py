"""Group elements: the function they preserve, the derivatives they transport, their laws, and what is refused."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hessorbit as ho
from oracles.autodiff import AutodiffReference
from oracles.compare import assert_close
from oracles.problem import ACTIVATIONS, LOSSES, PARAMETRIZATIONS, Problem, random_problem

pytestmark = pytest.mark.core

# jax differentiates in float64, with errors of its own: both together get twice what one may have.
BOTH = 2e-13

BIASES = (True, False)
# Activations under which signals neither explode nor vanish over four layers.
TAME = tuple(a for a in ACTIVATIONS if a not in ("exp", "square", "cube"))
MIXED = (
    "relu",
    "identity",
    "sigmoid",
    "tanh",
    "square",
    "leaky_relu(0.3)",
    "identity",
    "cos",
    "sigmoid",
    "relu",
    "exp",
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sizes_of_sums(net: ho.MLP, theta: np.ndarray, x: np.ndarray) -> float:
    """The largest sum of magnitudes Σ |s W a| + |b| in the output layer: what rounding errors are relative to."""
    hidden = x
    for (weights, biases), multiplier, names in zip(
        net.unflatten(theta), net.multipliers, net.activations, strict=True
    ):
        bias = 0 if biases is None else biases
        size = np.abs(multiplier * hidden) @ np.abs(weights).T + np.abs(bias)
        z = multiplier * hidden @ weights.T + bias
        unit = [ho.MLP([1, 1], output_activation=name, bias=False) for name in names]
        hidden = np.column_stack([u(np.ones(1), z[:, [i]]) for i, u in enumerate(unit)])
    return float(size.max())


def assert_same_function(problem: Problem, moved: np.ndarray, dtype: Any = np.float64) -> None:
    """Outputs at `moved` equal those at problem.theta, up to rounding of the sums they are made of."""
    net, x = problem.network(), problem.x
    theta = problem.theta.astype(dtype)
    size = max(sizes_of_sums(net, point.astype(float), x) for point in (theta, moved))
    assert_close(net(moved, x), net(theta, x), parameters=net.num_parameters, scale=size, what="outputs")


def element(problem: Problem, seed: int = 1) -> Any:
    return ho.symmetries(problem.network()).random(rng(seed))


# --- the function ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "leaky_relu(0.3)", "leaky_relu(-1.0)"])
def test_random_elements_preserve_the_function(activation: str, dtype: Any) -> None:
    depths = (1, 2, 3, 4) if activation in TAME else (1, 2)
    for depth in depths:
        for parametrization in PARAMETRIZATIONS:
            for biases in BIASES:
                widths = (3, *(4, 3, 5, 2)[:depth], 2)
                scale = 1.0 if activation in TAME else 0.5
                problem = random_problem(
                    rng(depth), widths, activation, biases=biases, parametrization=parametrization, scale=scale
                )
                g = element(problem)
                assert_same_function(problem, g(problem.theta.astype(dtype)), dtype)


def test_neurons_of_different_activation_stay_apart() -> None:
    problem = random_problem(rng(), (3, len(MIXED), len(MIXED), 2), [MIXED, MIXED[::-1]], parametrization="ntk")
    for seed in range(10):
        g = element(problem, seed)
        assert_same_function(problem, g(problem.theta))
        for move, names in zip(g._moves, problem.activations, strict=False):
            assert [names[source] for source in move.sources] == list(names)


@pytest.mark.parametrize("biases", [(True, True, False), (True, False, True), (False, True, True)])
def test_biases_of_some_layers(biases: tuple[bool, ...]) -> None:
    problem = random_problem(rng(), (3, len(MIXED), 4, 2), [MIXED, "normal_cdf"], biases=biases)
    assert_same_function(problem, element(problem)(problem.theta))


def layer_rows(net: ho.MLP, theta: np.ndarray, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Incoming weights with biases (d, features), and outgoing weights (d, above), of a hidden layer."""
    weights, biases = net.unflatten(theta)[layer - 1]
    return np.column_stack([weights, biases]), net.unflatten(theta)[layer][0].T


def test_permutation_reorders_incoming_and_outgoing_weights() -> None:
    net = ho.MLP([2, 4, 3, 2])
    theta = net.init(rng())
    order = [2, 0, 3, 1]
    moved = ho.symmetries(net).permutation(layer=1, order=order)(theta)
    before, after = layer_rows(net, theta, 1), layer_rows(net, moved, 1)
    assert (after[0] == before[0][order]).all()
    assert (after[1] == before[1][order]).all()
    assert (net.unflatten(moved)[2][0] == net.unflatten(theta)[2][0]).all()


@pytest.mark.parametrize(("activation", "degree"), [("relu", 1), ("leaky_relu", 1), ("identity", 1), ("square", 2),
                                                    ("cube", 3)])  # fmt: skip
def test_rescaling_divides_outgoing_weights_by_a_power(activation: str, degree: int) -> None:
    net = ho.MLP([2, 3, 2], activation)
    theta = net.init(rng())
    moved = ho.symmetries(net).rescaling(layer=1, factors=[2.0, 1.0, 0.25])(theta)
    before, after = layer_rows(net, theta, 1), layer_rows(net, moved, 1)
    factors = np.array([2.0, 1.0, 0.25])[:, None]
    assert (after[0] == before[0] * factors).all()
    assert (after[1] == before[1] / factors**degree).all()
    same = ho.symmetries(net).rescaling(layer=1, factors=[0.25, 2.0], neurons=[2, 0])
    assert (same(theta) == moved).all()


@pytest.mark.parametrize("activation", ["tanh", "erf", "softsign", "sin", "cube", "identity"])
def test_odd_flips(activation: str) -> None:
    net = ho.MLP([2, 3, 2], activation)
    theta = net.init(rng())
    moved = ho.symmetries(net).sign_flip(layer=1, neurons=[0, 2])(theta)
    signs = np.array([-1, 1, -1])[:, None]
    before, after = layer_rows(net, theta, 1), layer_rows(net, moved, 1)
    assert (after[0] == signs * before[0]).all()
    assert (after[1] == signs * before[1]).all()
    everyone = ho.symmetries(net).sign_flip(layer=1)
    assert (everyone(moved) == ho.symmetries(net).sign_flip(layer=1, neurons=[1])(theta)).all()


@pytest.mark.parametrize("activation", ["square", "cos", "leaky_relu(-1.0)"])
def test_even_flips_leave_outgoing_weights(activation: str) -> None:
    net = ho.MLP([2, 3, 2], activation)
    theta = net.init(rng())
    moved = ho.symmetries(net).sign_flip(layer=1, neurons=[1])(theta)
    before, after = layer_rows(net, theta, 1), layer_rows(net, moved, 1)
    assert (after[0] == np.array([1, -1, 1])[:, None] * before[0]).all()
    assert (after[1] == before[1]).all()


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
@pytest.mark.parametrize("activation", ["sigmoid", "normal_cdf"])
def test_flips_of_constant_parity_move_the_next_bias(activation: str, parametrization: str) -> None:
    problem = random_problem(rng(), (2, 4, 3, 2), activation, parametrization=parametrization)
    net, theta = problem.network(), problem.theta
    moved = ho.symmetries(net).sign_flip(layer=1, neurons=[0, 2])(theta)
    weights, biases = net.unflatten(theta)[1]
    expected = biases + net.multipliers[1] * (weights[:, 0] + weights[:, 2])
    assert_close(net.unflatten(moved)[1][1], expected, parameters=4, what="bias")
    assert_same_function(problem, moved)


def test_linear_moves() -> None:
    problem = random_problem(rng(), (3, 5, 4, 2), [("relu", "identity", "identity", "relu", "identity"), "identity"])
    net, theta = problem.network(), problem.theta
    group = ho.symmetries(net)
    matrix = rng(2).standard_normal((4, 4))
    moved = group.linear(layer=2, matrix=matrix)(theta)
    before, after = layer_rows(net, theta, 2), layer_rows(net, moved, 2)
    assert_close(after[0], matrix @ before[0], parameters=4)
    # The inverse of a random matrix amplifies rounding by its condition number, about 10.
    assert_close(after[1], np.linalg.solve(matrix.T, before[1]), parameters=4, relative=1e-12)
    part = group.linear(layer=1, matrix=matrix[:2, :2], neurons=[4, 1])
    after = layer_rows(net, part(theta), 1)
    before = layer_rows(net, theta, 1)
    assert_close(after[0][[4, 1]], matrix[:2, :2] @ before[0][[4, 1]], parameters=4)
    assert (after[0][[0, 2, 3]] == before[0][[0, 2, 3]]).all()
    assert_same_function(problem, (part @ group.linear(layer=2, matrix=matrix))(theta))


def test_a_matrix_that_permutes_is_a_permutation() -> None:
    group = ho.symmetries(ho.MLP([2, 3, 1], "identity"))
    swap = np.eye(3)[[1, 2, 0]]
    assert group.linear(layer=1, matrix=swap) == group.permutation(layer=1, order=[1, 2, 0])
    assert group.linear(layer=1, matrix=np.diag([2.0, 1.0, 4.0])) == group.rescaling(layer=1, factors=[2, 1, 4])
    assert group.linear(layer=1, matrix=-np.eye(3)) == group.sign_flip(layer=1, neurons=[0, 1, 2])
    shear = group.linear(layer=1, matrix=[[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    assert shear @ shear.inverse() == group.identity()


def test_translation_of_exponentials() -> None:
    net = ho.MLP([2, 3, 2], "exp")
    theta = net.init(rng())
    g = ho.symmetries(net).translation(layer=1, shifts=[0.5, 0.0, -1.0])
    before, after = layer_rows(net, theta, 1), layer_rows(net, g(theta), 1)
    assert (after[0] == before[0] + [[0, 0, 0.5], [0, 0, 0], [0, 0, -1]]).all()
    assert_close(after[1], before[1] * np.exp([[-0.5], [0.0], [1.0]]), parameters=4)
    assert_close(g.matrix() @ theta + g.offset(), g(theta), parameters=net.num_parameters)
    assert g.offset().any()


def test_translation_of_linear_neurons() -> None:
    problem = random_problem(rng(), (2, 3, 2, 2), ["identity", "identity"], parametrization="ntk")
    net, theta = problem.network(), problem.theta
    g = ho.symmetries(net).translation(layer=1, shifts=[0.5, -1.0], neurons=[2, 0])
    (w1, b1), (w2, b2), _ = net.unflatten(theta)
    (v1, c1), (v2, c2), _ = net.unflatten(g(theta))
    assert (v1 == w1).all()
    assert (v2 == w2).all()
    assert (c1 == b1 + np.array([-1, 0, 0.5])).all()
    assert_close(c2, b2 - net.multipliers[1] * (0.5 * w2[:, 2] - w2[:, 0]), parameters=2)
    assert_same_function(problem, g(theta))


# --- derivatives -------------------------------------------------------------------------------------------------


def transports(problem: Problem) -> tuple[Any, np.ndarray, Any, dict[str, np.ndarray]]:
    """A random element, theta moved, the objective, and derivatives at theta carried to there."""
    g, objective = element(problem), problem.objective()
    gradient, hessian = objective.gradient(problem.theta), objective.hessian(problem.theta)
    carried = {
        "gradient": g.gradient(gradient),
        "hessian": g.hessian(hessian),
        "gauss_newton": g.hessian(objective.gauss_newton(problem.theta)),
        "jacobian": g.gradient(objective.jacobian(problem.theta)),
    }
    return g, g(problem.theta), objective, carried


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_derivatives_at_the_image_against_recomputation(loss: str, parametrization: str) -> None:
    layers = [MIXED[:-1], MIXED[1:]]
    problem = random_problem(rng(), (3, 10, 10, 2), layers, loss=loss, parametrization=parametrization, weighted=True)
    _, moved, objective, carried = transports(problem)
    for name, value in carried.items():
        assert_close(value, getattr(objective, name)(moved), parameters=problem.num_parameters, what=name)


@pytest.mark.parametrize(
    "layers",
    [
        [("relu", "identity", "sigmoid", "identity"), ("exp", "tanh", "square")],
        [("normal_cdf", "cube", "normal_cdf"), ("identity", "identity", "leaky_relu", "cos")],
    ],
)
def test_derivatives_at_the_image_against_automatic_differentiation(layers: Any) -> None:
    problem = random_problem(rng(), (2, *map(len, layers), 2), layers, parametrization="mean_field", scale=0.7)
    _, moved, _, carried = transports(problem)
    reference = AutodiffReference(problem).derivatives(moved, moved)
    for name, value in carried.items():
        assert_close(value, reference[name], parameters=problem.num_parameters, relative=BOTH, what=name)


def test_hessian_of_a_scaled_permutation_stays_symmetric() -> None:
    problem = random_problem(rng(), (3, 5, 4, 2), ["relu", "square"])
    carried = transports(problem)[3]["hessian"]
    assert (carried == carried.T).all()


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "identity"])
def test_transport_is_that_of_the_matrix(activation: str) -> None:
    """A⁻ᵀ M A⁻¹ with NumPy's inverse, for any square M."""
    net = ho.MLP([2, 4, 3, 2], activation)
    g = ho.symmetries(net).random(rng(1))
    any_matrix, covectors = rng(2).standard_normal((2, net.num_parameters, net.num_parameters))
    inverse = np.linalg.inv(g.matrix().toarray())
    assert_close(g.hessian(any_matrix), inverse.T @ any_matrix @ inverse, parameters=net.num_parameters)
    assert_close(g.gradient(covectors), covectors @ inverse, parameters=net.num_parameters)


# --- laws --------------------------------------------------------------------------------------------------------

widths_of = st.lists(st.integers(1, 5), min_size=2, max_size=5)


@st.composite
def networks(draw: Any) -> ho.MLP:
    widths = draw(widths_of)
    layers = [[draw(st.sampled_from(ACTIVATIONS)) for _ in range(width)] for width in widths[1:-1]]
    biases = [draw(st.booleans()) for _ in widths[1:]]
    return ho.MLP(widths, layers, bias=biases, parametrization=draw(st.sampled_from(PARAMETRIZATIONS)))


def assert_same_map(actual: Any, expected: Any, count: int) -> None:
    """Two elements act alike: as matrices, to rounding."""
    for left, right in ((actual.matrix(), expected.matrix()), (actual.offset(), expected.offset())):
        dense = [part if isinstance(part, np.ndarray) else part.toarray() for part in (left, right)]
        assert_close(*dense, parameters=count, scale=max(1.0, np.abs(dense[1]).max(initial=0)))


@settings(max_examples=40)
@given(networks(), st.integers(0, 2**32))
def test_group_laws(net: ho.MLP, seed: int) -> None:
    generator, count = rng(seed), net.num_parameters
    group = ho.symmetries(net)
    g, h, k = (group.random(generator) for _ in range(3))
    theta = generator.standard_normal(count)
    # Products of three elements and an inverse: entries reach a few hundred, and rounding with them.
    product = g @ h
    assert_same_map((g @ h) @ k, g @ (h @ k), count)
    assert_same_map(g @ group.identity(), g, count)
    assert_same_map(group.identity() @ g, g, count)
    assert_same_map(g.inverse() @ g, group.identity(), count)
    assert_same_map(g @ g.inverse(), group.identity(), count)
    assert_same_map(product.inverse(), h.inverse() @ g.inverse(), count)
    composed = g.matrix() @ h.matrix()
    assert_close(product.matrix().toarray(), composed.toarray(), parameters=count, scale=abs(composed).max())
    size = np.abs(g(h(theta))).max()
    assert_close(product(theta), g(h(theta)), parameters=count, scale=size)
    assert_close(g.matrix() @ theta + g.offset(), g(theta), parameters=count, scale=np.abs(g(theta)).max())
    assert_close(g.inverse()(g(theta)), theta, parameters=count, scale=size)


@given(networks(), st.integers(0, 2**32))
def test_every_element_preserves_the_function(net: ho.MLP, seed: int) -> None:
    generator = rng(seed)
    theta, x = generator.uniform(-0.5, 0.5, net.num_parameters), generator.standard_normal((4, net.widths[0]))
    moved = ho.symmetries(net).random(generator)(theta)
    size = max(sizes_of_sums(net, theta, x), sizes_of_sums(net, moved, x))
    # exp, square and cube over several layers multiply relative errors by the size of their arguments.
    assert_close(net(moved, x), net(theta, x), parameters=net.num_parameters, scale=size, relative=1e-11)


def test_permutations_and_signs_compose_exactly() -> None:
    group = ho.symmetries(ho.MLP([2, 4, 1]))
    g = group.permutation(layer=1, order=[1, 2, 3, 0])
    s = group.sign_flip(layer=1, neurons=[0])
    assert g @ g @ g @ g == group.identity()
    assert s @ s == group.identity()
    assert g @ s @ g.inverse() == group.sign_flip(layer=1, neurons=[3])
    assert hash(g @ g.inverse()) == hash(group.identity())
    assert g != s
    assert g != "g"


def test_orders_count_the_elements() -> None:
    """All products of permutations and flips, for networks small enough to list them."""
    net = ho.MLP([1, 3, 1], "tanh")
    group = ho.symmetries(net)
    generators = [group.permutation(layer=1, order=[1, 2, 0]), group.permutation(layer=1, order=[1, 0, 2]),
                  group.sign_flip(layer=1, neurons=[0])]  # fmt: skip
    found = {group.identity()}
    while len(found) < len(bigger := found | {g @ h for g in generators for h in found}):
        found = bigger
    assert len(found) == group.order == 2**3 * math.factorial(3)


# --- arrays ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_batches_give_the_same_bits(dtype: Any) -> None:
    net = ho.MLP([2, len(MIXED), 3], [MIXED])
    g = ho.symmetries(net).random(rng(1))
    thetas = net.init(rng(), size=4).astype(dtype)
    before = thetas.copy()
    assert g(thetas).dtype == dtype
    for method in (g, g.gradient):
        assert (method(thetas) == [method(theta) for theta in thetas]).all()
    matrices = rng(2).standard_normal((3, net.num_parameters, net.num_parameters)).astype(dtype)
    assert (g.hessian(matrices) == [g.hessian(matrix) for matrix in matrices]).all()
    assert (thetas == before).all()


@pytest.mark.parametrize("activation", ["relu", "normal_cdf", "identity", "cube"])
def test_extended_precision_is_used_throughout(activation: str) -> None:
    net = ho.MLP([2, 4, 4, 2], activation)
    g = ho.symmetries(net).random(rng(1))
    theta = net.init(rng()).astype(np.longdouble)
    there_and_back = g.inverse()(g(theta))
    assert_close(there_and_back, theta, parameters=net.num_parameters)


def test_elements_are_immutable_values() -> None:
    net = ho.MLP([2, 3, 2], "identity")
    g = ho.symmetries(net).random(rng())
    assert pickle.loads(pickle.dumps(g)) == g
    assert ho.symmetries(net).random(rng()) == g
    with pytest.raises(AttributeError):
        g.net = net
    with pytest.raises(ValueError, match="read-only"):
        g._moves[0].factors[0] = 2
    group = ho.symmetries(net)
    assert pickle.loads(pickle.dumps(group)) == group


def test_elements_describe_themselves() -> None:
    group = ho.symmetries(ho.MLP([2, 3, 12, 1], ["relu", "identity"]))
    g = group.rescaling(layer=1, factors=[1.5, 1, 1]) @ group.permutation(layer=1, order=[2, 0, 1])
    assert repr(g) == (
        "GroupElement(MLP([2, 3, 12, 1], ['relu', 'identity']), layer 1: order [2, 0, 1], factors [1.5, 1, 1])"
    )
    assert repr(group.identity()).endswith("identity)")
    assert "12×12 matrix on neurons [0, 1, 2, 3, …, 10, 11]" in repr(group.random(rng()))
    exponential = ho.symmetries(ho.MLP([1, 1, 1], "exp"))
    assert "shifts [0.5]" in repr(exponential.translation(layer=1, shifts=[0.5]))


# --- the table ---------------------------------------------------------------------------------------------------

TABLE = {
    "identity": {"linear": 9, "translation": 3},
    "relu": {"permutation": 6, "rescaling": 3, "even-linear flip": 8},
    "leaky_relu": {"permutation": 6, "rescaling": 3, "even-linear flip": 8},
    "leaky_relu(-1.0)": {"permutation": 6, "sign flip": 8, "rescaling": 3},
    "tanh": {"permutation": 6, "sign flip": 8},
    "sigmoid": {"permutation": 6, "sign flip": 8},
    "erf": {"permutation": 6, "sign flip": 8},
    "normal_cdf": {"permutation": 6, "sign flip": 8},
    "gelu": {"permutation": 6, "even-linear flip": 8},
    "silu": {"permutation": 6, "even-linear flip": 8},
    "softplus": {"permutation": 6, "even-linear flip": 8},
    "softsign": {"permutation": 6, "sign flip": 8},
    "elu": {"permutation": 6},
    "selu": {"permutation": 6},
    "sin": {"permutation": 6, "sign flip": 8},
    "cos": {"permutation": 6, "sign flip": 8},
    "exp": {"permutation": 6, "translation": 3},
    "square": {"permutation": 6, "sign flip": 8, "rescaling": 3},
    "cube": {"permutation": 6, "sign flip": 8, "rescaling": 3},
    "g": {"permutation": 6},
}


@pytest.mark.parametrize("activation", TABLE)
def test_what_three_neurons_allow(activation: str) -> None:
    group = ho.symmetries(ho.MLP([2, 3, 1], activation))
    assert {f.kind: f.dimension or f.order for f in group.factors} == TABLE[activation]
    for factor in group.factors:
        assert (factor.order == 1) == (factor.dimension > 0)
        assert factor.neurons == (0, 1, 2)
    assert repr(group).count("\n") == 1 + len(group.factors)


def test_every_activation_is_in_the_table() -> None:
    assert set(ACTIVATIONS) <= set(TABLE)


def test_the_table_by_layer_and_activation() -> None:
    group = ho.symmetries(ho.MLP([2, 21, 5, 3], ["tanh", ["relu", "identity", "relu", "identity", "elu"]]))
    assert [(f.layer, f.kind, f.activation, f.neurons) for f in group.factors] == [
        (1, "permutation", "tanh", tuple(range(21))),
        (1, "sign flip", "tanh", tuple(range(21))),
        (2, "permutation", "relu", (0, 2)),
        (2, "rescaling", "relu", (0, 2)),
        (2, "even-linear flip", "relu", (0, 2)),
        (2, "linear", "identity", (1, 3)),
        (2, "translation", "identity", (1, 3)),
    ]
    assert group.order == math.factorial(21) * 2**21 * 2
    assert group.dimension == 2 + 4 + 2


def test_moves_that_need_a_bias() -> None:
    kinds = {bias: [f.kind for f in ho.symmetries(ho.MLP([2, 3, 1], "sigmoid", bias=bias)).factors] for bias in BIASES}
    assert kinds == {True: ["permutation", "sign flip"], False: ["permutation"]}
    assert [f.kind for f in ho.symmetries(ho.MLP([2, 3, 1], "exp", bias=[False, True])).factors] == ["permutation"]
    for bias in ([False, True], [True, False]):
        assert [f.kind for f in ho.symmetries(ho.MLP([2, 3, 1], "identity", bias=bias)).factors] == ["linear"]


def test_a_network_without_hidden_layers_has_no_symmetries() -> None:
    net = ho.MLP([2, 3])
    group = ho.symmetries(net)
    assert (group.order, group.dimension, group.factors) == (1, 0, ())
    assert repr(group) == "Symmetries of MLP([2, 3]): order 1, dimension 0"
    theta = net.init(rng())
    g = group.random(rng())
    assert (g(theta) == theta).all()
    assert (g.hessian(np.outer(theta, theta)) == np.outer(theta, theta)).all()
    assert group.tangents(theta).shape == (9, 0)
    assert group.conserved(theta) == {}
    assert group.stabiliser_dimension(theta) == 0


# --- bad input ---------------------------------------------------------------------------------------------------

SIGMOID = ho.symmetries(ho.MLP([2, 3, 1], "sigmoid", bias=False))
TWO = ho.symmetries(ho.MLP([2, 3, 2, 1], [["relu", "tanh", "relu"], "identity"]))
OPEN = ho.symmetries(ho.MLP([2, 2, 1], "identity", bias=[True, False]))
EXP = ho.symmetries(ho.MLP([2, 2, 1], "exp", bias=False))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TWO.permutation(layer=1, order=[0, 0, 2]), r"order must be a permutation of 0 … 2; got \[0, 0, 2\]"),
        (lambda: TWO.permutation(layer=1, order=[0, 1]), r"order must be a permutation of 0 … 2; got \[0, 1\]"),
        (lambda: TWO.permutation(layer=1, order=[0, 1, 3]), "order must hold neurons from 0 to 2; got 3"),
        (lambda: TWO.permutation(layer=1, order=[0, 1, -1]), "order must hold neurons from 0 to 2; got -1"),
        (lambda: TWO.permutation(layer=1, order=[1, 0, 2]), r"order\[0\] = 1 brings tanh to a place of relu"),
        (lambda: TWO.permutation(layer=3, order=[0]), "layer must be a hidden layer of .*, from 1 to 2; got 3"),
        (lambda: TWO.permutation(layer=0, order=[0]), "layer must be at least 1; got 0"),
        (lambda: ho.symmetries(ho.MLP([2, 1])).permutation(layer=1, order=[0]), "but there is none; got 1"),
        (lambda: TWO.rescaling(layer=1, factors=[1, 1, 0.0]), r"factors must be positive; got \[1.0, 1.0, 0.0\]"),
        (lambda: TWO.rescaling(layer=1, factors=[1, 1, -2.0]), "factors must be positive"),
        (lambda: TWO.rescaling(layer=1, factors=[1, 1, np.inf]), r"factors must be finite; factors\[2\] is inf"),
        (lambda: TWO.rescaling(layer=1, factors=[1, 1, np.nan]), r"factors must be finite; factors\[2\] is nan"),
        (lambda: TWO.rescaling(layer=1, factors=[1, 2, 1.0]), "neuron 1 of layer 1 has activation tanh, which is not"),
        (lambda: TWO.rescaling(layer=1, factors=[1, 1]), r"factors must have shape \(3,\).*got \(2,\)"),
        (lambda: TWO.rescaling(layer=1, factors=[2], neurons=[3]), "neurons must hold neurons from 0 to 2; got 3"),
        (lambda: TWO.rescaling(layer=1, factors=[2, 2], neurons=[0, 0]), "must not name a neuron twice"),
        (lambda: TWO.rescaling(layer=1, factors=[1e-310], neurons=[0]), "beyond the range of float64; got 1e-310"),
        (lambda: TWO.linear(layer=2, matrix=[[1, 2], [2, 4.0]]), "matrix must be invertible; its condition number is"),
        (lambda: TWO.linear(layer=2, matrix=np.zeros((2, 2))), "its condition number is inf"),
        (lambda: TWO.linear(layer=2, matrix=np.eye(3)), r"matrix must have shape \(2, 2\); got \(3, 3\)"),
        (lambda: TWO.linear(layer=2, matrix=[[np.nan, 1], [1, 1]]), "matrix must be finite"),
        (lambda: TWO.linear(layer=1, matrix=np.eye(3)), "neuron 0 of layer 1 has activation relu, which is not linear"),
        (lambda: TWO.linear(layer=1, matrix=[[2.0]], neurons=[1]), "neuron 1 of layer 1 has activation tanh"),
        (lambda: TWO.sign_flip(layer=1, neurons=[0]), "relu, which is neither odd nor even: .*; see even_linear_flip"),
        (lambda: TWO.sign_flip(layer=1), "relu, which is neither odd nor even: .*; see even_linear_flip"),
        (lambda: TWO.sign_flip(layer=1, neurons=[3]), "neurons must hold neurons from 0 to 2; got 3"),
        (lambda: SIGMOID.sign_flip(layer=1, neurons=[0]), "layer 2 must have a bias, to take the constant"),
        (lambda: TWO.translation(layer=1, shifts=[1, 0, 0]), "relu, which is neither exponential nor linear"),
        (lambda: EXP.translation(layer=1, shifts=[1, 0]), "layer 1 must have a bias for neurons of layer 1"),
        (lambda: OPEN.translation(layer=1, shifts=[1, 0]), "layer 2 must have a bias for neurons of layer 1"),
        (lambda: TWO.even_linear_flip(layer=1, neurons=[1]), "tanh, which is not even-linear"),
        (lambda: TWO.even_linear_flip(layer=1, neurons=[0], pairs=[(0, 2)]), "must not name a neuron twice"),
        (lambda: TWO.even_linear_flip(layer=1, neurons=[0], pairs=[(2,)]), "pairs must hold two neurons each"),
        (lambda: TWO.even_linear_flip(layer=1, neurons=[0], tolerance=-1.0), "tolerance must be at least 0"),
        (lambda: TWO.random(rng(), scale=-1.0), "scale must be at least 0"),
        (lambda: TWO.identity()(np.zeros(3)), r"theta must have shape \(20,\) or \(B, 20\)"),
        (lambda: TWO.identity()(np.full(20, np.nan)), "theta must be finite"),
        (lambda: TWO.identity().gradient(np.zeros(3)), r"gradient must have shape \(20,\)"),
        (lambda: TWO.identity().hessian(np.zeros((20, 19))), r"hessian must have shape \(20, 20\) or \(B, 20, 20\)"),
        (lambda: TWO.identity() @ SIGMOID.identity(), "elements can only be multiplied if their networks agree"),
        (lambda: TWO.tangents(np.zeros(3)), r"theta must have shape \(20,\)"),
        (lambda: TWO.stabiliser_dimension(np.zeros((2, 20))), r"theta must have shape \(20,\); got \(2, 20\)"),
        (lambda: TWO.conserved(np.full(20, np.inf)), "theta must be finite"),
    ],
)  # fmt: skip
def test_bad_values(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ho.symmetries([2, 3, 1]), "net must be an MLP; got a list"),
        (lambda: TWO.permutation(layer=1.0, order=[0, 1, 2]), "layer must be an integer; got 1.0"),
        (lambda: TWO.permutation(layer=1, order=[0.0, 1.0, 2.0]), "order must be a sequence of integers"),
        (lambda: TWO.sign_flip(layer=1, neurons=1), "neurons must be a sequence of integers"),
        (lambda: TWO.rescaling(layer=1, factors=["a", "b", "c"]), "factors must hold real numbers"),
        (lambda: TWO.rescaling(layer=1, factors=[1, 1, 1j]), "factors must hold real numbers"),
        (lambda: TWO.random(0), "rng must be a numpy.random.Generator"),
        (lambda: TWO.identity() @ np.eye(20), "does not support"),
    ],
)
def test_bad_types(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()
