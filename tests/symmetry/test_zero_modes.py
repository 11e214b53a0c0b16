"""Predicted zero modes: planted causes, null spaces at zero residual, and what is left at other critical points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg

import hessorbit as ho
from hessorbit import jacobi
from oracles.compare import assert_close
from oracles.problem import ACTIVATIONS, Problem, random_problem

RELATED, APART = "related, outgoing weights moved between them", "related, moved apart"
TOGETHER, DEAD, CONSTANT = "outgoing weights cancel, moved together", "dead, incoming parameters", "constant"
ORBIT = "orbit of the architecture's continuous symmetries"
EPS = np.finfo(float).eps


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def check_basis(modes: Any, net: Any) -> None:
    count = net.num_parameters
    assert modes.basis.shape == (count, len(modes)) == (count, len(modes.labels)) == (count, len(modes.kinds))
    assert_close(modes.basis.T @ modes.basis, np.eye(len(modes)), parameters=count)
    assert list(modes.kinds) == sorted(modes.kinds, key=["flat", "first-order"].index)


def rounding(matrix: np.ndarray) -> float:
    """A few P eps ‖H‖, for products of H with vectors of length one that H annihilates."""
    return float(10 * len(matrix) * EPS * np.linalg.norm(matrix, 2))


def critical(problem: Problem, others: tuple[np.ndarray, ...] = (), *, size: float = 0.3) -> Any:
    """An objective for which θ is a critical point: the residual is noise orthogonal to the Jacobian at θ.

    And to the Jacobians at other parameters.
    """
    net = problem.network()
    blank = ho.Objective(net, problem.x, np.zeros((len(problem.x), net.widths[-1])))
    residual = size * rng(9).standard_normal(len(problem.x) * net.widths[-1])
    jacobian = np.hstack([blank.jacobian(theta) for theta in (problem.theta, *others)])
    left, sizes, _ = np.linalg.svd(jacobian, full_matrices=False)
    left = left[:, sizes > 1e-12 * sizes[0]]
    for _ in range(2):  # twice, as rounding errors of the first projection are relative to all of the noise
        residual = residual - left @ (left.T @ residual)
    objective = ho.Objective(net, problem.x, net(problem.theta, problem.x) - residual.reshape(len(problem.x), -1))
    assert np.abs(objective.gradient(problem.theta)).max() < 1e-15 * np.abs(jacobian).max()
    return objective


def zero_residual(net: Any, theta: np.ndarray, x: np.ndarray) -> Any:
    return ho.Objective(net, x, net(theta, x))


# What is planted in the parameters of one hidden layer: incoming (4, 3), bias last, and outgoing (K, 4).
Plant = Callable[[np.ndarray, np.ndarray], None]


def duplicates(*others: int, sign: float = 1.0) -> Plant:
    def plant(incoming: np.ndarray, outgoing: np.ndarray) -> None:
        for other in others:
            incoming[other] = sign * incoming[0]

    return plant


def zero_group(*others: int, sign: float = 1.0) -> Plant:
    def plant(incoming: np.ndarray, outgoing: np.ndarray) -> None:
        duplicates(*others, sign=sign)(incoming, outgoing)
        outgoing[:, 0] = -sign * outgoing[:, list(others)].sum(axis=1)

    return plant


def dead(*neurons: int) -> Plant:
    def plant(incoming: np.ndarray, outgoing: np.ndarray) -> None:
        outgoing[:, list(neurons)] = 0

    return plant


def constant(*neurons: int) -> Plant:
    def plant(incoming: np.ndarray, outgoing: np.ndarray) -> None:
        incoming[list(neurons), :-1] = 0

    return plant


def both(*plants: Plant) -> Plant:
    def plant(incoming: np.ndarray, outgoing: np.ndarray) -> None:
        for one in plants:
            one(incoming, outgoing)

    return plant


def planted(plant: Plant, outputs: int, activation: str, **options: Any) -> Problem:
    problem = random_problem(rng(2), (2, 4, outputs), activation, samples=40, scale=1.5, **options)
    first, second = problem.layers()
    positions = first.weights if first.bias is None else np.column_stack([first.weights, first.bias])
    incoming, outgoing = problem.theta[positions], problem.theta[second.weights]
    plant(incoming, outgoing)
    problem.theta[positions], problem.theta[second.weights] = incoming, outgoing
    return problem


# Name of the case: activations, what is planted, and for K outputs the modes of each kind and cause. A neuron has three
# incoming parameters. Moved apart are neurons whose outgoing weights, K-vectors, depend on each other.
CASES: dict[str, tuple[tuple[str, ...], Plant, Callable[[int], dict[tuple[str, str, str], int]]]] = {
    "nothing": (("tanh", "gelu", "cos"), duplicates(), lambda K: {}),
    "duplicates": (
        ("tanh", "gelu", "sigmoid", "silu"), duplicates(2),
        lambda K: {("flat", "neurons 0, 2", RELATED): K, ("first-order", "neurons 0, 2", APART): 3 * (2 - min(K, 2))},
    ),
    "three of a kind": (
        ("tanh", "softplus"), duplicates(1, 3),
        lambda K: {
            ("flat", "neurons 0, 1, 3", RELATED): 2 * K,
            ("first-order", "neurons 0, 1, 3", APART): 3 * (3 - min(K, 3)),
        },
    ),
    "mirrored": (
        ("tanh", "sin", "sigmoid", "normal_cdf", "cos"), duplicates(2, sign=-1),
        lambda K: {("flat", "neurons 0, 2", RELATED): K, ("first-order", "neurons 0, 2", APART): 3 * (2 - min(K, 2))},
    ),
    "mirrored, without the symmetry": (("elu",), duplicates(2, sign=-1), lambda K: {}),
    "dead": (("tanh", "sigmoid", "cos"), dead(1), lambda K: {("flat", "neuron 1", DEAD): 3}),
    "constant": (("tanh", "sigmoid", "gelu"), constant(1), lambda K: {("flat", "neuron 1", CONSTANT): K + 1}),
    "dead and constant": (
        ("tanh", "sigmoid"), both(dead(1), constant(1)),
        lambda K: {("flat", "neuron 1", DEAD): 3, ("flat", "neuron 1", CONSTANT): K},
    ),
    "dead duplicates": (
        ("tanh", "gelu"), both(duplicates(2), dead(0, 2)),
        lambda K: {
            ("flat", "neuron 0", DEAD): 3, ("flat", "neuron 2", DEAD): 3, ("flat", "neurons 0, 2", RELATED): K,
        },
    ),
    "zero pair": (
        ("tanh", "gelu"), zero_group(2),
        lambda K: {("flat", "neurons 0, 2", RELATED): K, ("flat", "neurons 0, 2", TOGETHER): 3},
    ),
    "mirrored zero pair": (
        ("tanh", "sin", "sigmoid"), zero_group(2, sign=-1),
        lambda K: {("flat", "neurons 0, 2", RELATED): K, ("flat", "neurons 0, 2", TOGETHER): 3},
    ),
    "zero group of three": (
        ("tanh", "silu"), zero_group(1, 3),
        lambda K: {
            ("flat", "neurons 0, 1, 3", RELATED): 2 * K,
            ("flat", "neurons 0, 1, 3", TOGETHER): 3,
            ("first-order", "neurons 0, 1, 3", APART): 3 * (2 - min(K, 2)),
        },
    ),
}  # fmt: skip
EVERY_CASE = [(name, activation) for name, (activations, _, _) in CASES.items() for activation in activations]
FLAT_CASES = [(name, activation) for name, activation in EVERY_CASE if not name.startswith(("nothing", "mirrored, w"))]


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize(("name", "activation"), EVERY_CASE)
def test_planted_causes(name: str, activation: str, outputs: int) -> None:
    """Labels, kinds and numbers; and there are no other zero modes at zero residual, where H = JᵀJ / N."""
    problem = planted(CASES[name][1], outputs, activation)
    net = problem.network()
    modes = ho.zero_modes(net, problem.theta)
    check_basis(modes, net)
    expected = CASES[name][2](outputs)
    counts = {(kind, f"layer 1, {where}: {cause}"): n for (kind, where, cause), n in expected.items() if n}
    assert Counter(zip(modes.kinds, modes.labels, strict=True)) == counts
    check_null_space(zero_residual(net, problem.theta, problem.x), problem.theta, modes)


def check_null_space(objective: Any, theta: np.ndarray, modes: Any) -> None:
    """At zero residual the modes span the null space of H: none is missing, H annihilates each.

    The rank of H is that of J, whose singular values are further apart.
    """
    hessian, singular = objective.hessian(theta), np.linalg.svd(objective.jacobian(theta), compute_uv=False)
    rank = len(theta) - len(modes)
    # Rounding in J and in its singular values is about P eps of the largest.
    assert singular[rank:].max(initial=0) <= 10 * len(theta) * EPS * singular[0]
    assert singular[rank - 1] > 1e-11 * singular[0]
    assert np.linalg.norm(hessian @ modes.basis, axis=0).max(initial=0) <= rounding(hessian)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(("name", "activation"), [case for case in FLAT_CASES if "constant" not in case[0]])
def test_flat_modes_of_neurons_are_straight(name: str, activation: str, outputs: int) -> None:
    """The outputs are the same a unit step away, by any combination of the modes of one cause."""
    problem = planted(CASES[name][1], outputs, activation)
    net, theta = problem.network(), problem.theta
    modes, outputs_here = ho.zero_modes(net, theta).of_kind("flat"), net(theta, problem.x)
    for label in set(modes.labels):
        step = sum(z for z, cause in zip(modes.basis.T, modes.labels, strict=True) if cause == label)
        assert_close(net(theta + step, problem.x), outputs_here, parameters=len(theta), scale=10)


def test_constant_neurons_without_biases() -> None:
    """Only where they are zero may their outgoing weights be anything."""
    for activation, count in [("tanh", 2), ("gelu", 2), ("sigmoid", 0), ("cos", 0)]:
        problem = planted(dead(), 2, activation, biases=False)
        problem.theta[:2] = 0
        modes = ho.zero_modes(problem.network(), problem.theta)
        assert modes.labels == ("layer 1, neuron 0: constant",) * count
        assert np.abs(problem.objective().jacobian(problem.theta) @ modes.basis).max(initial=0) == 0


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(("name", "activation"), FLAT_CASES)
def test_at_critical_points_with_residual(name: str, activation: str, outputs: int) -> None:
    """g and the curvature vanish along the curves of flat modes, for all modes of one cause together: Zᵀ H Z = 0.

    That makes them null vectors where H has no negative eigenvalue, but not at saddles.
    """
    problem = planted(CASES[name][1], outputs, activation)
    objective = critical(problem)
    hessian, modes = objective.hessian(problem.theta), ho.zero_modes(objective.net, problem.theta).of_kind("flat")
    for label in set(modes.labels):
        basis = modes.basis[:, [cause == label for cause in modes.labels]]
        assert np.abs(basis.T @ hessian @ basis).max() <= rounding(hessian)


def test_saddles_do_not_annihilate_flat_modes() -> None:
    """H z ≠ 0: for K > 1 outputs or dead neurons, curves of equal outputs leave the set of critical points."""
    for plant, outputs in [(duplicates(2), 3), (dead(1), 1), (zero_group(2), 1)]:
        problem = planted(plant, outputs, "tanh")
        objective = critical(problem)
        hessian = objective.hessian(problem.theta)
        modes = ho.zero_modes(objective.net, problem.theta).of_kind("flat")
        assert np.linalg.norm(hessian @ modes.basis, axis=0).max() > 1e-4 * np.linalg.norm(hessian, 2)
        assert np.linalg.eigvalsh(hessian)[0] < -1e-6 * np.linalg.norm(hessian, 2)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "sigmoid"])
def test_one_output_moves_outgoing_weights_at_every_critical_point(activation: str) -> None:
    """Where duplicates have outgoing weights, all critical points of one output are on lines of critical points.

    The modes that are of first order only are not annihilated.
    """
    problem = planted(duplicates(1, 3), 1, activation)
    objective = critical(problem)
    hessian, modes = objective.hessian(problem.theta), ho.zero_modes(objective.net, problem.theta)
    flat, first_order = modes.of_kind("flat"), modes.of_kind("first-order")
    assert (len(flat), len(first_order)) == (2, 6)
    assert np.linalg.norm(hessian @ flat.basis, axis=0).max() <= rounding(hessian)
    assert np.linalg.norm(hessian @ first_order.basis, axis=0).max() > 1e-4 * np.linalg.norm(hessian, 2)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "sigmoid"])
def test_minima_with_residual_annihilate_flat_modes(activation: str, outputs: int) -> None:
    """A dead neuron at a minimum: the residual has no use for its output whatever its outgoing weights."""
    problem = planted(dead(1), outputs, activation)
    others = []
    for output in range(outputs):
        theta = problem.theta.copy()
        theta[problem.layers()[1].weights[output, 1]] = 1
        others.append(theta)
    objective = critical(problem, tuple(others), size=1e-5)
    hessian, modes = objective.hessian(problem.theta), ho.zero_modes(objective.net, problem.theta)
    assert objective.loss(problem.theta) > 1e-12
    assert np.linalg.eigvalsh(hessian)[0] >= -rounding(hessian)
    assert modes.kinds == ("flat",) * 3
    assert np.linalg.norm(hessian @ modes.basis, axis=0).max() <= rounding(hessian)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "square", "cube", "exp", "identity"])
def test_orbits_at_critical_points_with_residual(activation: str, outputs: int) -> None:
    """Groups map critical points to critical points, so H annihilates orbit tangents at saddles too."""
    problem = planted(duplicates(2), outputs, activation)
    objective = critical(problem)
    hessian, modes = objective.hessian(problem.theta), ho.zero_modes(objective.net, problem.theta)
    orbit = modes.basis[:, [label == ORBIT for label in modes.labels]]
    group = ho.symmetries(objective.net)
    assert orbit.shape[1] == group.dimension - group.stabiliser_dimension(problem.theta) > 0
    assert np.linalg.norm(hessian @ orbit, axis=0).max() <= rounding(hessian)


WIDENINGS = {
    2: ((3, 2), [[3, 1]], [1]),
    3: ((3, 2, 2), [[2, 1], [1, 3]], [0, 2]),
    4: ((2, 2, 2, 2), [[2, 1], [1, 2], [3, 2]], [1, 0, 1]),
}  # by the number of layers: widths without the outputs, copies, dead neurons


# Seed and scale; leaky_relu has its own seed, with which every neuron changes sign on the data.
STARTS = {
    "tanh": (1, 2), "sin": (1, 2), "sigmoid": (1, 2), "gelu": (1, 2), "softplus": (1, 2), "leaky_relu": (2, 2),
    "cube": (1, 0.8), "exp": (1, 0.5),
}  # fmt: skip


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("depth", WIDENINGS)
@pytest.mark.parametrize("activation", STARTS)
def test_null_space_of_widened_minima(activation: str, depth: int, outputs: int) -> None:
    """P_wide − P zero modes by the widening, and what the narrow network has: its orbit, and no others."""
    check_widened(activation, depth, outputs, *STARTS[activation])


@pytest.mark.parametrize("depth", WIDENINGS)
def test_null_space_of_widened_linear_networks(depth: int) -> None:
    """With no fewer outputs than hidden neurons: else networks outside the orbit compute the same."""
    check_widened("identity", depth, 3, 1, 1)


def check_widened(activation: str, depth: int, outputs: int, seed: int, scale: float) -> None:
    widths, copies, dead_neurons = WIDENINGS[depth]
    problem = random_problem(rng(seed), (*widths, outputs), activation, samples=100, scale=scale)
    widening = ho.Widening(problem.network(), copies, dead=dead_neurons)
    theta = widening(problem.theta)
    narrow, modes = ho.zero_modes(problem.network(), problem.theta), ho.zero_modes(widening.net, theta)
    check_basis(modes, widening.net)
    assert set(narrow.labels) <= {ORBIT}
    assert len(modes) == widening.net.num_parameters - problem.num_parameters + len(narrow)
    check_null_space(zero_residual(widening.net, theta, problem.x), theta, modes)


@given(st.integers(0, 2**32))
def test_widenings_of_anything(seed: int) -> None:
    """At any θ and for any architecture, J annihilates all modes, and they contain the null space of T."""
    generator = rng(seed)
    layers = [tuple(generator.choice(ACTIVATIONS, width).tolist()) for width in (3, 2)]
    biases = (True, *generator.choice([True, False], 2).tolist())
    problem = random_problem(generator, (2, 3, 2, 2), layers, biases=biases)
    widening = ho.Widening(problem.network(), [generator.integers(1, 4, len(layer)).tolist() for layer in layers])
    theta = widening(problem.theta)
    modes = ho.zero_modes(widening.net, theta)
    check_basis(modes, widening.net)
    jacobian = zero_residual(widening.net, theta, problem.x).jacobian(theta)
    size = (np.abs(jacobian) @ np.abs(modes.basis)).max(initial=1)
    assert_close(jacobian @ modes.basis, np.zeros((len(jacobian), len(modes))), parameters=len(theta), scale=size)
    _, _, right = np.linalg.svd(widening.transfer().toarray())
    null = right[problem.num_parameters :].T
    assert np.abs(null - modes.basis @ (modes.basis.T @ null)).max(initial=0) < 1e-9


def test_spectra_predict_by_residual() -> None:
    """First-order modes only where the matrix is the Gauss–Newton matrix."""
    problem = planted(duplicates(1, 3), 1, "tanh")
    objective, net, theta = critical(problem), problem.network(), problem.theta
    with_residual = ho.spectrum(objective, theta).zero_modes
    assert with_residual.modes.kinds == ("flat",) * 2
    for zero_modes in (
        ho.spectrum(zero_residual(net, theta, problem.x), theta).zero_modes,
        ho.spectrum(objective, theta, matrix="gauss_newton").zero_modes,
    ):
        assert zero_modes.modes.kinds == ("flat",) * 2 + ("first-order",) * 6
        assert zero_modes.residuals.max() < 10 * len(theta) * EPS
        assert zero_modes.measured == 8


def test_degenerate_parameters() -> None:
    for net in (
        ho.MLP([2, 3, 2]),
        ho.MLP([2, 3, 2], "relu"),
        ho.MLP([2, 2, 2, 1], "sigmoid"),
        ho.MLP([2, 2, 1], "exp"),
    ):
        theta = np.zeros(net.num_parameters)
        modes = ho.zero_modes(net, theta)
        check_basis(modes, net)
        x = rng().standard_normal((50, 2))
        jacobian = zero_residual(net, theta, x).jacobian(theta)
        assert np.abs(jacobian @ modes.basis).max() < 1e-14
        assert len(modes) <= net.num_parameters - np.linalg.matrix_rank(jacobian)
    linear = ho.MLP([3, 2])
    assert len(ho.zero_modes(linear, linear.init(rng()))) == 0


def test_tolerance_and_text() -> None:
    problem = planted(duplicates(2), 1, "tanh")
    net, theta = problem.network(), problem.theta.copy()
    assert repr(ho.zero_modes(net, theta)).splitlines()[0] == "4 zero modes"
    theta[problem.layers()[0].bias[2]] *= 1 + 1e-6
    assert len(ho.zero_modes(net, theta)) == 0
    assert len(ho.zero_modes(net, theta, tolerance=1e-5)) == 4


def test_bad_input() -> None:
    net = ho.MLP([2, 3, 1])
    theta = np.zeros(13)
    for call, kind, message in [
        (lambda: ho.zero_modes(net, theta[1:]), ValueError, r"theta must have shape \(13,\)"),
        (lambda: ho.zero_modes(net, [theta]), ValueError, r"theta must have shape \(13,\); got \(1, 13\)"),
        (lambda: ho.zero_modes(net, theta * np.nan), ValueError, r"theta.*finite"),
        (lambda: ho.zero_modes(net, theta, tolerance=0), ValueError, "tolerance must be positive; got 0"),
        (lambda: ho.zero_modes(net, theta, tolerance=[1]), TypeError, "tolerance must be one number"),
        (lambda: ho.zero_modes([2, 3, 1], theta), TypeError, "net must be an MLP"),
        (lambda: ho.zero_modes(net, theta).of_kind("curved"), ValueError, "kind must be one of flat"),
        (lambda: ho.zero_modes(ho.MLP([1, 1]), [1, 2]).of_kind("curved"), ValueError, "kind must be one of flat"),
    ]:
        with pytest.raises(kind, match=message):
            call()


# --- the same along an orbit ------------------------------------------------------------------------------------


@st.composite
def degenerate_networks(draw: st.DrawFn, choices: Any = (ACTIVATIONS,)) -> tuple[Any, np.ndarray, int]:
    """A network of any activations and depth, with duplicates, dead and constant neurons at random, and a seed."""
    seed = draw(st.integers(0, 2**32 - 1))
    generator, depth = rng(seed), draw(st.integers(1, 3))
    widths = [2, *generator.integers(2, 5, depth).tolist(), int(generator.integers(1, 3))]
    names = draw(st.sampled_from(list(choices)))
    layers = [generator.choice(names, width).tolist() for width in widths[1:-1]]
    biases = generator.choice([True, False], depth + 1).tolist()
    net = ho.MLP(widths, layers, bias=biases)
    theta = net.init(generator, "normal(0.5)")
    parts = net.unflatten(theta)
    for (weights, bias), (outgoing, _), names in zip(parts, parts[1:], layers, strict=False):
        first, second = generator.integers(0, len(names), 2)
        if names[first] == names[second]:
            weights[second] = weights[first]
            if bias is not None:
                bias[second] = bias[first]
        if generator.random() < 0.3:
            outgoing[:, second] = 0
        if generator.random() < 0.3:
            weights[first] = 0
    return net, theta, seed


@given(degenerate_networks())
def test_modes_are_the_same_along_an_orbit(case: tuple[Any, np.ndarray, int]) -> None:
    """At g(θ) they span the image under g of those at θ, kind by kind; and J annihilates them."""
    net, theta, seed = case
    g = ho.symmetries(net).random(rng(seed), scale=0.3)
    there = g(theta)
    matrix = g.matrix()
    here, moved = ho.zero_modes(net, theta), ho.zero_modes(net, there)
    assert len(moved) == len(here)
    assert moved.kinds == here.kinds
    flat = here.kinds.count("flat")
    for modes, images in ((moved.basis, here.basis), (moved.basis[:, :flat], here.basis[:, :flat])):
        image = np.asarray(matrix @ images, float)
        outside = image - modes @ (modes.T @ image)
        # Directions count as dependent below 1e-8, so that spans agree to the condition of g times that.
        assert np.abs(outside).max(initial=0) <= 1e-6 * np.abs(image).max(initial=1)
    jacobian = zero_residual(net, theta, 0.5 * rng(1).standard_normal((20, 2))).jacobian(theta)
    if np.isfinite(jacobian).all() and jacobian.any():
        assert np.abs(jacobian @ here.basis).max(initial=0) <= 1e-8 * np.abs(jacobian).max()


SCALED = ["relu", "leaky_relu(-1)", "square", "cube", "exp", "identity"]  # activations of continuous symmetries


@given(degenerate_networks([ACTIVATIONS, *([name] for name in SCALED), SCALED]), st.floats(0.1, 5))
def test_numbers_of_modes_are_the_same_along_an_orbit(case: tuple[Any, np.ndarray, int], scale: float) -> None:
    """Whatever the sizes of the parameters; where rounding of mixed linear neurons leaves no digits, it is told."""
    net, theta, seed = case
    g = ho.symmetries(net).random(rng(seed), scale=scale)
    here, there = ho.zero_modes(net, theta), ho.zero_modes(net, g(theta))
    assert here.resolved
    if there.resolved:
        assert there.kinds == here.kinds
    else:
        assert any(layer.count("identity") > 1 for layer in net.activations)
        assert "not resolved" in repr(there)


@pytest.mark.parametrize(("loss", "outputs"), [("squared_error", 1), ("cross_entropy", 3)])
def test_samples_with_the_same_inputs_count_once(loss: str, outputs: int) -> None:
    """Four different inputs, each ten times with other labels: J has the rank of four rows."""
    net = ho.MLP([2, 3, outputs])
    theta = net.init(rng(0), "normal(1)")
    x = np.repeat([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], 10, axis=0)
    y = rng(1).standard_normal(40) if outputs == 1 else rng(1).integers(0, outputs, 40)
    obj = ho.Objective(net, x, y, loss=loss)
    modes = ho.zero_modes(obj, theta)
    assert len(modes) == net.num_parameters - 4 * (outputs - (loss == "cross_entropy"))
    factor = obj.gauss_newton_factor(theta)
    assert np.abs(factor @ modes.basis).max() <= 1e-12 * np.abs(factor).max()
    assert "fewer outputs on samples" in repr(modes)


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e10])
def test_rounding_that_hides_related_neurons_is_told(condition: float) -> None:
    """Two linear neurons that are one, mixed by a matrix that leaves float64 no digits for that."""
    net = ho.MLP([2, 3, 1], "identity", bias=False)
    theta = np.array([1.0, 2.0, 1.0, 2.0, -0.5, 0.3, 1.0, 2.0, 0.7])
    mix = ho.symmetries(net).linear(layer=1, matrix=np.diag([1.0, 1.0, condition]) @ linalg.hilbert(3))
    modes = ho.zero_modes(net, mix(theta))
    assert modes.resolved == (condition < 1e6)
    assert modes.of_kind("flat").resolved == modes.resolved
    if modes.resolved:
        assert len(modes) == len(ho.zero_modes(net, theta))


@pytest.mark.parametrize("bias", [-800.0, -30.0, 30.0, 800.0])
@pytest.mark.parametrize("copies", [False, True])
def test_exponential_neurons_of_any_size(bias: float, copies: bool) -> None:
    """exp(800 − 3x) is one at inputs of 267, beside which no tanh neuron is dead; the rank of J there tells."""
    net = ho.MLP([1, 3, 1], [["exp", "exp", "tanh"]])
    theta = np.array([-3.0, -3.0 if copies else -2.9, 0.2, bias, bias + 0.5, 0.0, 1.0, 1.0, 1.0, 0.1])
    theta[5] = -0.2 * bias / 3
    x = bias / 3 + 3 * rng().standard_normal((200, 1))
    jacobian = zero_residual(net, theta, x).jacobian(theta)
    singular = np.linalg.svd(jacobian / np.linalg.norm(jacobian, axis=0), compute_uv=False)
    modes = ho.zero_modes(net, theta)
    assert len(modes) == (singular < 1e-10 * singular[0]).sum() == (4 if copies else 2)
    # Differences of preactivations of 800 hold rounding errors of 800 eps.
    assert np.abs(jacobian @ modes.basis).max() <= 1e-12 * np.abs(jacobian).max()


def test_constant_neurons_beyond_float64_are_named() -> None:
    net = ho.MLP([1, 2, 1], "exp")
    with pytest.raises(ValueError, match=r"theta must give finite outputs; neuron 0 of layer 1 computes exp\(800\)"):
        ho.zero_modes(net, [0.0, -3.0, 800.0, 1.0, 1.0, 1.0, 0.1])
    assert len(ho.zero_modes(net, [0.0, -3.0, 800.0, 1.0, 1e-300, 1.0, 0.1])) == 3


@pytest.mark.parametrize(
    ("activation", "size"),
    [(name, size) for name in ("relu", "leaky_relu(-1)", "identity") for size in (1e-250, 1e-160, 1e160, 1e250)]
    + [(name, size) for name in ("square", "cube") for size in (1e-90, 1e90)],
)
def test_sizes_of_weights_do_not_matter(activation: str, size: float) -> None:
    net = ho.MLP([2, 3, 1], activation, bias=False)
    theta = np.array([1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 1.0])
    expected = ho.zero_modes(net, theta)
    for times in ([size] * 6 + [1.0] * 3, [1.0] * 6 + [size] * 3, [size] * 6 + [1 / size] * 3):
        modes = ho.zero_modes(net, theta * times)
        assert (modes.kinds, modes.labels) == (expected.kinds, expected.labels)


@pytest.mark.parametrize("moved", [False, True])
def test_duplicates_above_duplicates_moved_along_a_valley(moved: bool) -> None:
    """Neurons of layer 2 compute the same by different weights; J's null space on many inputs is all there is."""
    net = ho.MLP([2, 4, 4, 1])
    theta = net.init(rng(), "normal(0.9)")
    (first, b), (second, c), _ = net.unflatten(theta)
    assert b is not None
    assert c is not None
    first[1], b[1], second[1], c[1] = first[0], b[0], second[0], c[0]
    if moved:
        second[0, :2] += [0.4, -0.4]
    objective = zero_residual(net, theta, rng(1).standard_normal((400, 2)))
    modes = ho.zero_modes(net, theta)
    assert len(modes) == 9
    check_null_space(objective, theta, modes)


# --- loss and data ----------------------------------------------------------------------------------------------


def data_cases() -> dict[str, tuple[Any, np.ndarray, dict[str, int]]]:
    """Objectives, θ, and the numbers of modes by a word of their cause."""
    x, generator = rng(1).standard_normal((200, 3)), rng(2)
    labels, y = generator.integers(0, 3, 200), generator.standard_normal((200, 2))
    low = x.copy()
    low[:, 2] = low[:, 0] + 2 * low[:, 1]
    softmax, narrow, relu = ho.MLP([3, 4, 3]), ho.MLP([3, 4, 2]), ho.MLP([3, 4, 2], "relu")
    theta, switched = narrow.init(rng()), relu.init(rng())
    biases = relu.unflatten(switched)[0][1]
    assert biases is not None
    biases[:] = [9, -9, biases[2], 12]
    five = np.where(np.arange(200) < 5, 1.0, 0.0)
    linear = ho.MLP([3, 3], bias=False)
    return {
        "softmax": (ho.Objective(softmax, x, labels, loss="cross_entropy"), softmax.init(rng()), {"cross-entropy": 5}),
        "softmax without bias": (
            ho.Objective(linear, x, labels, loss="cross_entropy"), linear.init(rng()), {"cross-entropy": 3},
        ),
        "low rank": (ho.Objective(narrow, low, y), theta, {"inputs lack": 4}),
        "few samples": (ho.Objective(narrow, x[:5], y[:5]), theta, {"null space of the Jacobian": 16}),
        "few by weight": (ho.Objective(narrow, x, y, sample_weight=five), theta, {"null space of the Jacobian": 16}),
        "switched": (ho.Objective(relu, x, y), switched, {"off on every sample": 6, "linear on the data": 4}),
    }  # fmt: skip


@pytest.mark.parametrize("name", data_cases())
def test_modes_of_loss_and_data(name: str) -> None:
    """Causes are named, the Gauss–Newton matrix has no other null vectors, and the exact ones are H's at this θ."""
    objective, theta, expected = data_cases()[name]
    modes = ho.zero_modes(objective, theta)
    check_basis(modes, objective.net)
    for cause, count in expected.items():
        assert sum(cause in label for label in modes.labels) == count, modes
    matrix, hessian = objective.gauss_newton(theta), objective.hessian(theta)
    eigenvalues = np.linalg.eigvalsh(matrix)
    # Rounding in the matrix and its eigenvalues is P eps of the largest; the smallest others are above 1e-9 of it.
    assert (np.abs(eigenvalues) < 1e-12 * eigenvalues[-1]).sum() == len(modes)
    assert np.linalg.norm(matrix @ modes.basis, axis=0).max() <= rounding(matrix)
    measured = np.linalg.norm(hessian @ modes.basis, axis=0) / np.linalg.norm(hessian, 2)
    assert modes.residuals is not None
    np.testing.assert_allclose(modes.residuals, measured, rtol=0.2, atol=1e-14)
    exact = [any(c in label for c in ("cross-entropy", "inputs lack", "off on every")) for label in modes.labels]
    assert measured[exact].max(initial=0) <= 10 * len(theta) * EPS


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize(("activation", "count"), [("tanh", 0), ("relu", 0), ("identity", 3)])
def test_weight_decay_leaves_rotations_of_linear_neurons(activation: str, count: int, loss: str) -> None:
    """The Hessian of a minimum with l2 > 0 has no other null vectors, nor has the Gauss–Newton matrix any."""
    net, x = ho.MLP([3, 3, 3], activation), rng(1).standard_normal((60, 3))
    y = rng(2).standard_normal((60, 3)) if loss == "squared_error" else rng(2).integers(0, 3, 60)
    objective = ho.Objective(net, x, y, loss=loss, l2=0.01)
    result = ho.minimize(objective, net.init(rng(0)), method="newton", tol=1e-12)
    modes = ho.zero_modes(objective, result.x)
    eigenvalues = np.linalg.eigvalsh(objective.hessian(result.x))
    if activation != "relu":  # whose minimum may lie at a kink
        assert len(modes) == count == (np.abs(eigenvalues) < 1e-8 * eigenvalues[-1]).sum()
    assert len(modes) == count
    if count:
        assert modes.residuals is not None
        # They are null up to the gradient that is left.
        assert modes.residuals.max() <= 1e-9
    spectrum = ho.spectrum(objective, result.x, matrix="gauss_newton")
    assert len(spectrum.zero_modes) == 0
    assert spectrum.condition_number() == spectrum.condition_number("raw")


def test_objectives_without_samples_count_as_their_networks() -> None:
    class Other:
        net = ho.MLP([2, 2, 1])

    theta = np.ones(9)
    assert ho.zero_modes(Other(), theta).labels == ho.zero_modes(Other.net, theta).labels  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(40))
def test_modes_of_few_samples_are_as_many_as_the_jacobian_lacks(seed: int) -> None:
    """Where rows of the Jacobian are nearly dependent, rounding does not make two modes of one.

    The nearly dependent rows are samples that are 1e-5 apart: singular values at 1e-10 of the largest and below are
    resolved in longdouble, by the eigenvalues of the Gram matrix.
    """
    source = rng(seed)
    activation = ["gelu", "softplus", "exp", "cube"][seed % 4]
    net = ho.MLP([1, 2, 1, 1], activation=[["relu", activation], activation], bias=bool(seed % 2))
    theta = net.init(source, "normal(1)")
    count = net.num_parameters - 1
    x = source.standard_normal((count, 1))
    x[1:3] = x[0] + 1e-5 * source.standard_normal((2, 1))
    obj = ho.Objective(net, x, source.standard_normal(count))
    jacobian = obj.jacobian(theta.astype(np.longdouble)).reshape(count, -1)
    modes = ho.zero_modes(obj, theta)
    images = np.abs(jacobian @ modes.basis).max(axis=0)
    assert (images <= 1e-13 * np.abs(jacobian).max()).all()
    values = jacobi.symmetric_eigen(jacobian @ jacobian.T, np.finfo(np.longdouble).eps)[0]
    least = int((values > 1e-18 * values.max()).sum())
    assert net.num_parameters - count <= len(modes) <= net.num_parameters - least


def test_modes_far_out_are_told_without_warnings() -> None:
    """At the end of a diverged descent, where exponential neurons vanish, each as if its weights were not there."""
    net = ho.MLP([1, 1, 1, 2], "exp", parametrization="mean_field")
    theta = np.array([2982135.7, -1996746.9, -35192357.2, -8812392.2, 9070617.2, 5317174.0, 86444758.2, 50673714.9])
    assert len(ho.zero_modes(net, theta)) >= 2


DEGREES = {"relu": 1, "leaky_relu": 1, "square": 2, "cube": 3}


def rescaled(net: Any, theta: np.ndarray, source: np.random.Generator, digits: float) -> np.ndarray:
    """A point of the orbit: incoming parameters by powers of two up to 10^±digits, outgoing weights the other way."""
    layers = net.unflatten(theta.copy())
    for (weights, biases), (outgoing, _), names in zip(layers, layers[1:], net.activations, strict=False):
        for neuron, name in enumerate(names):
            if name in DEGREES:
                power = int(source.uniform(-1, 1) * digits * np.log2(10) / DEGREES[name])
                weights[neuron] *= 2.0**power
                outgoing[:, neuron] *= 2.0 ** (-power * DEGREES[name])
                if biases is not None:
                    biases[neuron] *= 2.0**power
    return np.asarray(net.flatten(layers))


@pytest.mark.parametrize("digits", [20, 60])  # beyond, products of the layers leave float64
def test_directions_at_points_of_extreme_scales_are_null_or_not_resolved(digits: float) -> None:
    """J z at the point itself, where columns may be parallel up to rounding; the error is relative to 1e-5 ‖J‖."""
    resolved, cases = 0, 100
    for seed in range(cases):
        source = rng(seed)
        widths = [int(width) for width in source.integers(1, 4, 4)]
        names = [[str(name) for name in source.choice([*DEGREES, "tanh", "exp"], width)] for width in widths[1:3]]
        net = ho.MLP(widths, names, bias=bool(seed % 2))
        theta = rescaled(net, source.standard_normal(net.num_parameters), source, digits)
        obj = ho.Objective(net, source.standard_normal((2, widths[0])), np.zeros((2, widths[3])))
        jacobian = obj.jacobian(theta.astype(np.longdouble)).reshape(-1, len(theta))
        modes = ho.zero_modes(obj, theta)
        check_basis(modes, net)
        if modes.resolved:
            resolved += 1
            assert np.abs(jacobian @ modes.basis).max() <= 1e-5 * np.abs(jacobian).max() * np.sqrt(len(theta))
    assert resolved > cases / 10


def test_a_direction_beside_another_that_is_parallel_up_to_rounding() -> None:
    """A constant cube neuron of 1e-25 below an exponential one with outgoing weights of 1e-169."""
    net = ho.MLP([3, 2, 1, 1], [["cube", "gelu"], "exp"], parametrization="mean_field")
    first = [0.0, 0.0, 0.0, 6.3e-10, 6.5e-9, -1.2e-8, 5.8e-9, -5.7e-9]
    theta = np.array([*first, 7.6e-169, -3.2e-169, 1.4e-8, -1.5e-8, 9.4e-10])
    obj = ho.Objective(net, [[-9585.0, 10562.0, 5185.0]], [1.0], loss="logistic")
    modes = ho.zero_modes(obj, theta)
    jacobian = obj.jacobian(theta).ravel()
    assert np.abs(jacobian @ modes.basis).max() > 0.1 * np.abs(jacobian).max()
    assert not modes.resolved
