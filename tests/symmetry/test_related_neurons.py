"""Related neurons are those that a plain comparison of all pairs finds, whatever their sizes."""

from __future__ import annotations

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.symmetry.related_neurons import layer_parameters, related_neurons

# Of each activation: whether a factor c > 0 passes through it, and whether −1 does.
RULES = {"tanh": (False, True), "relu": (True, False), "square": (True, True), "softplus": (False, False)}


def partners(activation: str, vectors: np.ndarray) -> list[list[int]]:
    """Classes by comparing each row with the first of every class, in multiples of which it may come."""
    homogeneous, odd_or_even = RULES[activation]
    classes: list[list[int]] = []
    for index, vector in enumerate(vectors):
        for members in classes:
            first = vectors[members[0]]
            factor = np.linalg.norm(vector) / np.linalg.norm(first) if homogeneous else 1.0
            signs = (1, -1) if odd_or_even else (1,)
            if min(np.linalg.norm(vector - sign * factor * first) for sign in signs) <= 1e-8 * np.linalg.norm(vector):
                members.append(index)
                break
        else:
            classes.append([index])
    return classes


@pytest.mark.parametrize("activation", RULES)
@pytest.mark.parametrize("size", [1e-120, 1.0, 1e120])
def test_classes_are_those_of_all_pairs(activation: str, size: float) -> None:
    rng = np.random.default_rng(0)
    net = ho.MLP([3, 60, 2], activation)
    directions = rng.standard_normal((12, 4))
    factors = rng.choice([-2.0, -1.0, 1.0, 2.0], 60)
    # Half of the rows nearly agree with a direction, by a tenth of the tolerance; the others by ten times of it.
    apart = np.where(rng.random(60) < 0.5, 1e-9, 1e-7)
    rows = factors[:, None] * directions[rng.integers(0, 12, 60)]
    rows = size * rows * (1 + apart[:, None] * rng.uniform(0.5, 1, rows.shape))
    theta = net.flatten([(rows[:, :3], rows[:, 3]), (rng.standard_normal((2, 60)), np.zeros(2))])
    (parameters,) = layer_parameters(net, theta)
    found = related_neurons(parameters, 1e-8)
    assert [related.neurons.tolist() for related in found] == partners(activation, rows)
    for related in found:
        assert related.factors[0] == 1
        expected = related.factors[:, None] * rows[related.neurons[0]]
        np.testing.assert_allclose(rows[related.neurons], expected, rtol=1e-6)
