"""What takes an objective takes a population: minimisers, spectra, zero modes, the best-conditioned point."""

from __future__ import annotations

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.optimize import METHODS


def gauss_hermite(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (count², 2) and weights that integrate polynomials against the normal density of the plane."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    return np.stack([np.repeat(nodes, count), np.tile(nodes, count)], axis=1), np.outer(weights, weights).ravel()


def teacher_and_student(name: str, width: int = 3) -> tuple[ho.PopulationObjective, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(32)
    teacher, net = ho.MLP([2, 2, 1], name), ho.MLP([2, width, 1], name)
    fixed = teacher.init(rng, "normal(1)")
    return ho.PopulationObjective(net, teacher, fixed), fixed, net.init(rng, "normal(1)")


@pytest.mark.parametrize("name", ["erf", "tanh", "gelu", "sigmoid"])
def test_levenberg_marquardt_finds_the_teacher(name: str) -> None:
    """To a gradient of 1e-12, where the loss itself has no digits left."""
    pop, _, theta = teacher_and_student(name)
    result = ho.minimize(pop, theta, method="lm", tol=1e-12, max_steps=500)
    assert result.success
    assert result.gradient_norm <= 1e-12
    assert result.fun <= 1e-14 * pop.size(result.x)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_lowers_the_loss(method: str) -> None:
    pop, _, theta = teacher_and_student("tanh", width=2)
    options = {"learning_rate": 0.05} if method in ("gd", "momentum", "adam") else {}
    result = ho.minimize(pop, theta, method=method, tol=1e-5, max_steps=200, **options)
    assert result.fun < 0.5 * pop.loss(theta)
    assert result.outcome in ("minimum", "flat", "saddle", "max_steps", "stopped")


def test_pull_is_the_gradient_of_samples() -> None:
    rng = np.random.default_rng(21)
    net = ho.MLP([2, 3, 2], [["erf", "gelu", "sin"]], bias=[True, False])
    theta, ahead = 0.5 * net.init(rng, "normal(1)", size=2)
    x, weight = gauss_hermite(60)
    samples = ho.Objective(net, x, net(ahead, x), sample_weight=weight)
    found = ho.PopulationObjective(net, net, theta, mean=None).pull(theta, ahead)
    # 60 nodes integrate what is this smooth to rounding.
    assert np.abs(found + samples.gradient(theta)).max() <= 1e-14


def test_size_is_the_loss_without_cancellation() -> None:
    net = ho.MLP([2, 2, 1], "identity", bias=False)  # E[σ²] = ‖w‖²
    theta = net.flatten([([[3.0, 4.0], [3.0, 4.0]], None), ([[2.0, -2.0]], None)])
    teacher = net.flatten([([[1.0, 0.0], [0.0, 1.0]], None), ([[1.0, 0.0]], None)])
    pop = ho.PopulationObjective(net, net, teacher)
    assert pop.size(theta) == pytest.approx((10 + 10 + 1) ** 2 / 2, rel=1e-14)
    assert pop.loss(theta) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("name", ["erf", "gelu", "relu", "sigmoid"])
def test_spectrum_and_zero_modes_of_a_widened_teacher(name: str) -> None:
    """Rank P_teacher, less what the teacher's own symmetry takes; the zero modes are all predicted."""
    rng = np.random.default_rng(22)
    net = ho.MLP([3, 3, 1], name)
    teacher = net.init(rng, "normal(1)")
    widening = ho.Widening(net, copies=[[1, 3, 2]])
    pop, theta = ho.PopulationObjective(widening.net, net, teacher), widening(teacher)
    spectrum = ho.spectrum(pop, theta)
    own = 3 if name == "relu" else 0
    assert spectrum.rank == net.num_parameters - own
    assert spectrum.num_negative == 0
    modes = ho.zero_modes(pop, theta)
    assert len(modes) == pop.num_parameters - spectrum.rank
    assert modes.residuals is not None
    assert modes.residuals.max() <= 1e-13
    root = np.sqrt(widening.preconditioner())
    narrow = root[:, None] * ho.PopulationObjective(net, net, teacher).hessian(teacher) * root
    expected = np.linalg.eigvalsh(narrow)[own:]
    assert np.abs(spectrum.eigenvalues[-len(expected) :] - expected).max() <= spectrum.floor
    assert spectrum.condition_number() == pytest.approx(expected[-1] / expected[0], rel=1e-6)


@pytest.mark.parametrize("search", ["group", "widths", "copies"])
@pytest.mark.parametrize("name", ["erf", "gelu"])
def test_best_conditioned_as_on_samples(name: str, search: str) -> None:
    """Gauss–Hermite nodes are samples with the same Hessian at zero residual."""
    rng = np.random.default_rng(23)
    net = ho.MLP([2, 2, 1], name)
    theta = 0.5 * net.init(rng, "normal(1)")
    x, weight = gauss_hermite(40)
    objectives = [
        ho.PopulationObjective(net, net, theta), ho.Objective(net, x, net(theta, x), sample_weight=weight)
    ]  # fmt: skip
    over = {"group": {"over": ho.symmetries(net)}, "widths": {"widths": [4]}, "copies": {"copies": [[2, 1]]}}[search]
    found = [ho.best_conditioned(obj, theta, **over) for obj in objectives]
    # The searches end within 1e-6 of their optimum.
    assert found[0].value == pytest.approx(found[1].value, rel=1e-5)
    wide = found[0].net
    kappa = ho.spectrum(ho.PopulationObjective(wide, net, theta), found[0].theta).condition_number()
    assert kappa == pytest.approx(found[0].value, rel=1e-5)
