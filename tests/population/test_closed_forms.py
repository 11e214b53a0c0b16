"""Closed forms of the population loss where quadrature has it hard, against mpmath, and against quadrature."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import hessorbit as ho
from hessorbit import _core
from oracles import normal_inputs, steps

DERIVATIVES = ("loss", "gradient", "hessian", "gauss_newton")
CLOSED = [*steps.FORMS, "exp", "sin", "cos"]


def unit(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def compare(students: list[normal_inputs.Neuron], teacher: list[normal_inputs.Neuron], tolerance: float) -> None:
    """All derivatives of the loss against the reference, relative to the largest entry of each."""
    rng = np.random.default_rng(1)
    v, u, c = rng.uniform(0.5, 1.5, len(students)), rng.uniform(-1.5, -0.5, len(teacher)), 0.3
    expected = normal_inputs.hessian(students, v, teacher, u, c, steps.expectation)
    nets = [ho.MLP([2, len(part), 1], [[neuron[0] for neuron in part]]) for part in (students, teacher)]
    thetas = [
        net.flatten([(np.array([n[1] for n in part]), np.array([n[2] for n in part])), (out[None], np.array([bias]))])
        for net, part, out, bias in zip(nets, (students, teacher), (v, u), (c, 0.0), strict=True)
    ]
    pop = ho.PopulationObjective(nets[0], nets[1], thetas[1])
    m = len(students)
    # The reference orders (w, b) by neuron.
    order = [*(k for i in range(m) for k in (2 * i, 2 * i + 1, 2 * m + i)), *range(3 * m, 4 * m + 1)]
    for derivative in DERIVATIVES:
        found, wanted = np.asarray(getattr(pop, derivative)(thetas[0])), np.asarray(expected[derivative])
        found = found if found.ndim == 0 else found[order] if found.ndim == 1 else found[np.ix_(order, order)]
        assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max(), derivative
    assert pop.error(thetas[0]) <= 1e-12 * np.abs(expected["hessian"]).max()


@pytest.mark.parametrize("name", ["relu", "erf", "gelu"])
@pytest.mark.parametrize("angle", [1e-3, 1e-8, 0.0])
def test_nearly_parallel_neurons(name: str, angle: float) -> None:
    """Beside the first neuron one that turns on at the same place, and one of the opposite direction."""
    students = [
        (name, unit(0.3), 0.2),
        (name, 2 * unit(0.3 + angle) if angle else 2 * unit(0.3), 0.4),
        (name, -0.7 * unit(0.3 - angle) if angle else -unit(0.3), 0.1),
    ]
    # Rounding a weight by ε moves no moment by more than ε, at any angle.
    compare(students, [("gelu" if name == "relu" else "relu", unit(1.4), -0.5)], 1e-14)


@pytest.mark.parametrize("name", ["relu", "erf", "gelu", "normal_cdf"])
def test_long_weights_and_large_biases(name: str) -> None:
    students = [(name, 20 * unit(0.3), 30.0), (name, 18 * unit(0.9), -20.0), (name, 3 * unit(2.0), -0.4)]
    compare(students, [(name, -20 * unit(0.31), 12.0)], 1e-13)


@pytest.fixture
def many_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference divides by up to eight lengths, which cancel."""
    monkeypatch.setattr(steps, "DIGITS", 2500)


@pytest.mark.usefixtures("many_digits")
@pytest.mark.parametrize("scale", [1e-300, 1e80, 1e140])
@pytest.mark.parametrize("name", ["leaky_relu", "erf", "gelu"])
def test_very_long_and_very_short_weights(name: str, scale: float) -> None:
    students = [(name, scale * unit(0.3), 0.4 * scale), (name, 2 * scale * unit(1.1), -scale)]
    compare(students, [(name, scale * unit(2.0), 0.3)], 1e-13)


@pytest.mark.usefixtures("many_digits")
@pytest.mark.parametrize("name", ["relu", "erf"])
def test_neurons_of_very_different_lengths(name: str) -> None:
    students = [(name, 1e90 * unit(0.3), 1e89), (name, 1e-200 * unit(1.1), -1e-201), (name, unit(1.1), 0.2)]
    compare(students, [("identity", unit(2.0), 0.3), (name, 1e-250 * unit(0.3), 1.0)], 1e-13)


@pytest.mark.parametrize("name", ["leaky_relu", "cube", "square"])
def test_others_at_small_angles(name: str) -> None:
    compare([(name, unit(0.3), 0.2), ("relu", -unit(0.3 + 1e-6), -0.2)], [("normal_cdf", unit(0.3 - 1e-4), 0.3)], 1e-14)


def test_neurons_without_weights_are_an_output_bias() -> None:
    teacher = ho.MLP([2, 1, 1], "normal_cdf")
    fixed = teacher.flatten([([[0.5, 0.2]], [0.1]), ([[1.0]], [0.0])])
    wide, narrow = ho.MLP([2, 4, 1], [["relu", "gelu", "relu", "erf"]]), ho.MLP([2, 2, 1], [["relu", "erf"]])
    weights, biases, ones = np.array([[0, 0], [0, 0], [0.9, 0.4], [0.3, -1]]), [0.7, -0.3, 0.1, 0.2], np.ones((1, 4))
    constant = 0.7 - 0.3 * math.erfc(0.3 / math.sqrt(2)) / 2
    losses = [
        ho.PopulationObjective(net, teacher, fixed).loss(net.flatten(layers))
        for net, layers in (
            (wide, [(weights, biases), (ones, [0.0])]),
            (narrow, [(weights[2:], biases[2:]), (ones[:, 2:], [constant])]),
        )
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-14)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations_with_replacement(sorted(CLOSED), 2)))
def test_closed_forms_are_what_quadrature_gives(one: str, other: str) -> None:
    """All derivatives of a student with neurons of both activations, by the compiled core with either."""
    rng = np.random.default_rng([CLOSED.index(one), CLOSED.index(other)])
    weights, biases = 0.8 * rng.standard_normal((5, 3)), rng.uniform(-1, 1, 5)
    outgoing = rng.standard_normal((6, 2))
    names = [(name, 0.01 * (name == "leaky_relu")) for name in (one, other, one, other, one)]
    found, expected = (
        _core.Population(names, 3, 1e-12, 1, closed).derivatives(weights, biases, outgoing, 2, False, 1.0)
        for closed in (True, False)
    )
    for a, b in zip(found, expected, strict=True):
        # Both add some 10³ terms of the size of the result.
        assert np.abs(np.subtract(a, b)).max() <= 1e-13 * np.abs(b).max()


@pytest.mark.parametrize("name", ["elu", "selu"])
@pytest.mark.parametrize("other", ["tanh", "relu", "erf", "elu"])
def test_one_line_is_what_two_lines_give(name: str, other: str) -> None:
    """The means of elu and selu across a line are known: one integral is left in the place of two."""
    rng = np.random.default_rng(3)
    weights, biases, outgoing = 3 * rng.standard_normal((3, 2)), rng.standard_normal(3), rng.standard_normal((4, 1))
    weights[1] = -weights[0] + 1e-7
    names = [(name, 0.0), (other, 0.0), (name, 0.0)]
    found, expected = (
        _core.Population(names, 2, 1e-12, 1, closed).derivatives(weights, biases, outgoing, 2, False, 1.0)
        for closed in (True, False)
    )
    for a, b in zip(found, expected, strict=True):
        assert np.abs(np.subtract(a, b)).max() <= 1e-13 * np.abs(b).max()
