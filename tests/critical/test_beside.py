"""What is left out of the quadratic model, and what is not even formed: against dense matrices by NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import null_space

import hessorbit as ho
from hessorbit.decomposition import Dense
from hessorbit.endings.beside import below, solved, surely_not_critical
from hessorbit.endings.curves import CANCELLED, CLOSE, merging
from hessorbit.endings.even_units import condition_number
from hessorbit.endings.local_model import local_model, model_beside
from hessorbit.symmetry.related_neurons import layer_parameters
from hessorbit.symmetry.unit_point import unit_point


@pytest.mark.parametrize(("size", "count"), [(5, 1), (12, 4), (30, 29)])
def test_what_a_border_tells(size: int, count: int) -> None:
    rng = np.random.default_rng(size)
    values = rng.standard_normal(size)
    border = np.linalg.qr(rng.standard_normal((size, count)))[0]
    across = null_space(border.T)
    restricted = across.T @ (values[:, None] * across)
    for shift in (-0.7, -1e-3, 0.0, 1e-3, 0.7):
        assert below(values, border, shift) == (np.linalg.eigvalsh(restricted) < shift).sum()
    right = rng.standard_normal(size)
    expected = across @ np.linalg.solve(restricted, across.T @ right)
    # Rounding is multiplied by the condition numbers of both ways, here at most 1e4.
    np.testing.assert_allclose(solved(values, border, right), expected, atol=1e-10 * np.abs(expected).max())


def test_it_never_denies_a_critical_point() -> None:
    """Beside any directions: what is surely not critical is not critical by the eigenvalues across them."""
    denied = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        net = ho.MLP([2, 3, 1], ["tanh", "gelu", "softplus"][seed % 3])
        x = rng.standard_normal((30, 2))
        obj = ho.Objective(net, x, np.sin(x[:, :1]) + 0.1 * rng.standard_normal((30, 1)))
        theta = net.init(rng, scheme="torch")
        if seed % 2:
            theta = ho.minimize(obj, theta, method="lm", max_steps=int(rng.integers(5, 60))).x
        model = local_model(obj, theta)
        assert model is not None
        directions = rng.standard_normal((len(theta), 1 + seed % 4))
        if surely_not_critical(model, directions):
            denied += 1
            assert not model_beside(model, directions).critical
    assert denied >= 25  # 30 points are starting points, of which few have a critical point nearby


def test_a_quadratic_loss_is_never_denied() -> None:
    """Its Hessian is the same everywhere, and every Newton step ends at a critical point."""
    rng = np.random.default_rng(0)
    obj = ho.Objective(ho.MLP([4, 2]), rng.standard_normal((20, 4)), rng.standard_normal((20, 2)))
    model = local_model(obj, rng.standard_normal(10))
    assert model is not None
    assert model.critical
    for count in range(1, 11):
        directions = rng.standard_normal((10, count))
        assert not surely_not_critical(model, directions)
        assert model_beside(model, directions).critical


@pytest.mark.parametrize("count", [0, 2, 9, 11])
def test_eigenvectors_outside(count: int) -> None:
    rng = np.random.default_rng(count)
    matrix = rng.standard_normal((12, 12))
    matrix = matrix + matrix.T
    basis = np.linalg.qr(rng.standard_normal((12, max(count, 1))))[0][:, :count]
    values, vectors = Dense(matrix).eigenvectors_outside(basis)
    across = null_space(basis.T) if count else np.eye(12)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(across.T @ matrix @ across), atol=1e-13 * 12)
    projector = np.eye(12) - basis @ basis.T
    np.testing.assert_allclose(projector @ matrix @ vectors, vectors * values, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(12 - count), atol=1e-14 * 12)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "sigmoid"])
def test_merging_neurons(activation: str) -> None:
    """By a loop over pairs: the sets of two are those whose rows are close, up to a sign, and whose weights cancel."""
    rng = np.random.default_rng(1)
    net = ho.MLP([2, 9, 1], activation)
    theta = net.init(rng)
    (weights, biases), (outgoing, _) = net.unflatten(theta)
    odd = activation in ("tanh", "sigmoid")  # up to a constant
    for first, second, sign in ((0, 1, 1.0), (2, 3, -1.0), (4, 5, 1.0), (6, 7, 1.0)):
        weights[second], biases[second] = sign * 1.05 * weights[first], sign * 1.02 * biases[first]
        outgoing[0, second] = -sign * 0.95 * outgoing[0, first]
    outgoing[0, [6, 7]] = 0  # these do not diverge
    (parameters,) = layer_parameters(net, theta)
    rows = np.column_stack([weights, biases])
    expected = set()
    for a in range(9):
        for b in range(9):
            for sign in (1.0, -1.0) if odd else (1.0,):
                near = 0 < np.linalg.norm(sign * rows[b] - rows[a]) <= CLOSE * np.linalg.norm(rows[a])
                pair = np.array([outgoing[0, a], sign * outgoing[0, b]])
                if a != b and near and pair.any() and abs(pair.sum()) <= CANCELLED * np.abs(pair).sum():
                    expected.add((min(a, b), max(a, b)))
    assert {neurons for neurons, _ in merging(parameters) if len(neurons) == 2} == expected
    assert (0, 1) in expected
    assert (6, 7) not in expected


def test_close_neurons_without_outgoing_weights() -> None:
    """Two neurons that are alike, and connected to nothing: they cannot cancel each other."""
    rng = np.random.default_rng(0)
    net = ho.MLP([2, 3, 1])
    theta = net.init(rng)
    (weights, biases), (outgoing, _) = net.unflatten(theta)
    weights[1], biases[1], outgoing[0, :2] = 1.1 * weights[0], biases[0], 0
    x = rng.standard_normal((20, 2))
    point = ho.classify(ho.Objective(net, x, x[:, :1] ** 2), theta)
    assert point.kind == "not critical"


@pytest.mark.parametrize("widths", [[3, 4, 2], [2, 3, 4, 1]])
def test_condition_number_of_a_mixing(widths: list[int]) -> None:
    net = ho.MLP(widths, "identity")
    theta = net.init(np.random.default_rng(0)) * np.logspace(0, 3, net.num_parameters)
    matrix = unit_point(net, theta)[0].matrix()
    expected = np.linalg.cond(matrix.toarray())
    assert abs(condition_number(matrix) - expected) <= 1e-14 * expected**2  # of the least singular value
