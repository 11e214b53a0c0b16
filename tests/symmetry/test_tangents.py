"""Generators and tangents: against curves of group elements, Ward identities, and null spaces at trained minima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from oracles.autodiff import AutodiffReference
from oracles.compare import assert_close
from oracles.problem import LOSSES, PARAMETRIZATIONS, Problem, random_problem

pytestmark = pytest.mark.core

LAYERS = [
    ("relu", "identity", "sigmoid", "identity", "square", "leaky_relu(0.3)"),
    ("exp", "cube", "tanh", "exp"),
    ("identity", "identity", "relu"),
]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mixed(**options: Any) -> Problem:
    """Every continuous symmetry, in three hidden layers."""
    return random_problem(rng(), (3, *map(len, LAYERS), 2), LAYERS, scale=0.5, **options)


def curve(group: Any, generator: Any, t: np.longdouble) -> Any:
    """The element exp(t·generator), from the definition of each kind of move."""
    layer, kind, neurons = generator.factor.layer, generator.factor.kind, list(generator.neurons)
    if kind == "rescaling":
        return group.rescaling(layer=layer, neurons=neurons, factors=[np.exp(t)])
    if kind == "translation":
        return group.translation(layer=layer, neurons=neurons, shifts=[t])
    i, j = neurons
    if i == j:
        return group.linear(layer=layer, neurons=[i], matrix=[[np.exp(t)]])
    return group.linear(layer=layer, neurons=[i, j], matrix=[[1, t], [0, 1]])


def test_generators_are_derivatives_of_elements() -> None:
    """Central differences in extended precision; their error, h² times a third derivative, is a few times 1e-12."""
    problem = mixed(parametrization="mean_field")
    group, theta = ho.symmetries(problem.network()), problem.theta.astype(np.longdouble)
    tangents, generators = group.tangents(theta), group.generators()
    assert tangents.shape == (problem.num_parameters, group.dimension)
    assert len(generators) == group.dimension == (1 + 4 + 2 + 1 + 1) + (2 + 1) + (4 + 2 + 1)
    step = np.longdouble(1e-6)
    for index, generator in enumerate(generators):
        moved = [curve(group, generator, sign * step)(theta) for sign in (1, -1)]
        assert_close(tangents[:, index], (moved[0] - moved[1]) / (2 * step), parameters=1, scale=1, relative=1e-11)
        expected = generator.matrix @ problem.theta + generator.offset
        assert_close(tangents[:, index].astype(float), expected, parameters=1)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_ward_identities(loss: str, parametrization: str) -> None:
    """gᵀ(Xθ + e) = 0 and H(Xθ + e) = −Xᵀg far from any critical point."""
    problem = mixed(loss=loss, parametrization=parametrization)
    objective, group = problem.objective(), ho.symmetries(problem.network())
    check_ward(group, problem.theta, objective.gradient(problem.theta), objective.hessian(problem.theta))


def test_ward_identities_of_automatic_differentiation() -> None:
    problem = random_problem(rng(), (2, 5, 2), [("relu", "identity", "square", "identity", "exp")], samples=3)
    reference = AutodiffReference(problem).derivatives(problem.theta, problem.theta)
    check_ward(ho.symmetries(problem.network()), problem.theta, reference["gradient"], reference["hessian"])


def check_ward(group: Any, theta: np.ndarray, gradient: np.ndarray, hessian: np.ndarray) -> None:
    tangents, count = group.tangents(theta), len(theta)
    # Both sides are sums of terms that cancel: errors are relative to the terms.
    size = np.abs(gradient).max() * np.abs(tangents).max()
    assert_close(gradient @ tangents, np.zeros(group.dimension), parameters=count, scale=size)
    curvature = (np.abs(hessian) @ np.abs(tangents)).max()
    for tangent, generator in zip(tangents.T, group.generators(), strict=True):
        assert_close(hessian @ tangent, -generator.matrix.T @ gradient, parameters=count, scale=curvature)


@given(st.integers(0, 2**32))
def test_transport_of_tangents_stays_in_the_orbit(seed: int) -> None:
    """g maps the orbit of θ to itself, so A·tangents(θ) and tangents(g(θ)) span the same space."""
    net = ho.MLP([2, 4, 3, 2], [["relu", "identity", "square", "identity"], "exp"])
    group, generator = ho.symmetries(net), rng(seed)
    theta, g = net.init(generator), group.random(generator)
    carried, there = g.matrix() @ group.tangents(theta), group.tangents(g(theta))
    assert np.linalg.matrix_rank(there) == np.linalg.matrix_rank(np.hstack([carried, there])) == group.dimension


def minimum(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """A minimum near problem.theta, where the gradient is rounding, and the Hessian there."""
    objective = problem.objective()
    theta = ho.minimize(objective, problem.theta, method="newton", tol=1e-15, max_steps=200).x
    hessian = objective.hessian(theta)
    assert np.abs(objective.gradient(theta)).max() < 1e-15 * np.abs(hessian).max() * np.abs(theta).max()
    return theta, hessian


@pytest.mark.parametrize(
    ("widths", "layers", "biases", "scale"),
    [
        ((3, 3, 2), ["relu"], True, 2),
        ((3, 3, 2), ["leaky_relu(0.3)"], True, 2),
        ((4, 2, 3), ["identity"], False, 2),
        ((4, 2, 3), ["identity"], True, 2),
        ((3, 2, 2, 3), ["identity", "identity"], True, 2),
        ((3, 3, 2), ["tanh"], True, 2),
        ((2, 2, 2), ["sigmoid"], True, 2),
        ((2, 2, 2), ["gelu"], True, 2),
        ((3, 3, 3), ["square"], True, 1),
        ((2, 2, 2), ["cube"], True, 1),
        ((2, 2, 2), ["exp"], True, 1),
        ((2, 2, 2), ["exp"], False, 1),
        ((3, 3, 2), [("tanh", "identity", "relu")], True, 2),
        ((2, 2, 2, 2), ["tanh", "relu"], True, 2),
        ((3, 2, 3, 2), ["identity", "softplus"], True, 2),
    ],
)
def test_tangents_are_the_null_space_at_trained_minima(widths: Any, layers: Any, biases: bool, scale: float) -> None:
    """Noisy targets near those of a teacher: a minimum with residual, whose Hessian has no other zero modes."""
    teacher = random_problem(rng(3), widths, layers, biases=biases, samples=60, scale=scale)
    targets = teacher.network()(teacher.theta, teacher.x)
    theta, hessian = minimum(teacher.replace(y=targets + 0.02 * rng(4).standard_normal(targets.shape)))
    group, eigenvalues = ho.symmetries(teacher.network()), np.sort(np.abs(np.linalg.eigvalsh(hessian)))
    # Rounding in H and in its eigenvalues is about P eps λ₁; the flattest other direction, of cube, has 2.5e-9 λ₁.
    floor = 10 * teacher.num_parameters * np.finfo(float).eps * eigenvalues[-1]
    assert (eigenvalues[: group.dimension] < floor).all()
    assert (eigenvalues[group.dimension :] > 1e-9 * eigenvalues[-1]).all()
    tangents = group.tangents(theta)
    assert np.linalg.matrix_rank(tangents) == group.dimension
    assert np.abs(hessian @ tangents).max(initial=0) < floor * np.abs(tangents).max(initial=1)


def test_stabilisers() -> None:
    net = ho.MLP([2, 3, 1], "relu")
    group, theta = ho.symmetries(net), net.init(rng())
    assert group.stabiliser_dimension(theta) == 0
    (weights, biases), (outgoing, _) = net.unflatten(theta)
    weights[1], biases[1], outgoing[0, 1] = 0, 0, 0
    assert group.stabiliser_dimension(theta) == 1
    assert group.stabiliser_dimension(np.zeros(net.num_parameters)) == 3
    linear = ho.symmetries(ho.MLP([3, 2, 3], "identity", bias=False))
    theta = np.zeros(12)
    assert linear.stabiliser_dimension(theta) == 4
    theta[:3], theta[6:] = [1, 2, 3], [1, 0, 2, 0, 3, 0]  # rank one: M e₁ = e₁ and e₁ᵀ M⁻¹ = e₁ᵀ leave GL(1)
    assert linear.stabiliser_dimension(theta) == 1


def test_batches_precision_and_names() -> None:
    net = ho.MLP([2, 3, 2], [["relu", "identity", "identity"]])
    group, thetas = ho.symmetries(net), net.init(rng(), size=3)
    batch = group.tangents(thetas)
    assert batch.shape == (3, net.num_parameters, 1 + 4 + 2)
    assert (batch == [group.tangents(theta) for theta in thetas]).all()
    assert group.tangents(thetas.astype(np.longdouble)).dtype == np.longdouble
    assert [repr(generator) for generator in group.generators()][:3] == [
        "Generator(rescaling, layer 1, relu [0])",
        "Generator(linear, layer 1, identity [1, 1])",
        "Generator(linear, layer 1, identity [1, 2])",
    ]
