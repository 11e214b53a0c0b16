"""Copies whose outgoing vectors are not parallel: against the wide network, and against random vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hessorbit as ho
from hessorbit.conditioning.outgoing_vectors import outgoing_vectors, search


def problem(seed: int, outputs: int = 2, loss: str = "squared_error", **options: Any) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(seed)
    net = ho.MLP([2, 2, outputs], **options)
    x, theta = rng.standard_normal((40, 2)), net.init(rng, "normal(1)")
    y = net(theta, x) if loss == "squared_error" else rng.dirichlet(np.ones(outputs), 40)
    return ho.Objective(net, x, y, loss=loss, sample_weight=rng.uniform(0.5, 2, 40)), theta


def wide_objective(obj: Any, net: ho.MLP) -> Any:
    return ho.Objective(net, obj.x, obj.y, loss=obj.loss_name, sample_weight=obj.sample_weight)


def with_vectors(widening: ho.Widening, theta: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """The widening of θ with random outgoing vectors of the same sums."""
    wide = widening(theta)
    outgoing = widening.net.unflatten(wide)[-1][0]
    for neuron in range(widening.source.widths[1]):
        own = widening.layers[0].source == neuron
        change = rng.standard_normal((len(outgoing), own.sum()))
        outgoing[:, own] += size * (change - change.mean(axis=1, keepdims=True))
    return wide


@pytest.mark.parametrize(
    ("outputs", "loss", "options"),
    [
        (2, "squared_error", {}),
        (3, "cross_entropy", {"activation": "gelu"}),
        (2, "logistic", {"parametrization": "ntk", "bias": False}),
        (2, "poisson", {"parametrization": "mean_field", "activation": "softplus"}),
    ],
)
def test_gram_matrices(outputs: int, loss: str, options: dict[str, Any]) -> None:
    """Θ of any outgoing vectors has the nonzero eigenvalues of the wide network's Gauss–Newton matrix."""
    obj, theta = problem(1, outputs, loss, **options)
    widening, rng = ho.Widening(obj.net, [[3, 2]]), np.random.default_rng(0)
    at = with_vectors(widening, theta, rng, 0.7)
    parts = outgoing_vectors(obj, theta, 5)
    vectors = widening.net.multipliers[-1] * widening.net.unflatten(at)[-1][0].T @ parts.seen
    found = np.linalg.eigvalsh(parts.gram([3, 2], [u.T @ u for u in (vectors[:3], vectors[3:])]))[::-1]
    expected = np.linalg.eigvalsh(wide_objective(obj, widening.net).gauss_newton(at))[::-1]
    count, unit = min(len(found), len(expected)), expected[0] / found[0]
    np.testing.assert_allclose(unit * found[:count], expected[:count], atol=1e-13 * expected[0])


def test_gram_matrices_of_populations() -> None:
    net, law = ho.MLP([2, 2, 2], "erf"), {"mean": [0.3, 0.1], "covariance": [[1.0, 0.2], [0.2, 2.0]]}
    theta = net.init(np.random.default_rng(0), "normal(1)")
    widening, rng = ho.Widening(net, [[3, 2]]), np.random.default_rng(0)
    at = with_vectors(widening, theta, rng, 0.7)
    parts = outgoing_vectors(ho.PopulationObjective(net, net, theta, **law), theta, 5)
    vectors = widening.net.unflatten(at)[-1][0].T
    found = np.linalg.eigvalsh(parts.gram([3, 2], [u.T @ u for u in (vectors[:3], vectors[3:])]))[::-1]
    expected = np.linalg.eigvalsh(ho.PopulationObjective(widening.net, net, theta, **law).gauss_newton(at))[::-1]
    count, unit = min(len(found), len(expected)), expected[0] / found[0]
    # The core's integrals err by 1e-12 at most.
    np.testing.assert_allclose(unit * found[:count], expected[:count], atol=1e-11 * expected[0])


@pytest.mark.parametrize(("seed", "copies"), [(0, [3, 3]), (2, [3, 1]), (3, [2, 4])])
def test_two_outputs_are_decided(seed: int, copies: list[int]) -> None:
    obj, theta = problem(seed)
    best = ho.best_conditioned(obj, theta, copies=[copies])
    assert best.certificate == "minimum"
    assert "all outgoing vectors of copies" in best.scope
    assert "not parallel" not in best.scope
    wide = wide_objective(obj, best.net)
    factor = np.linalg.svd(wide.gauss_newton_factor(best.theta), compute_uv=False)
    assert (factor[0] / factor[best.rank - 1]) ** 2 == pytest.approx(best.value, rel=1e-6)
    widening, rng = ho.Widening(obj.net, [copies]), np.random.default_rng(0)
    for size in np.geomspace(0.01, 10, 30):
        at = with_vectors(widening, theta, rng, size)
        values = np.linalg.svd(wide.gauss_newton_factor(at), compute_uv=False)
        values = values[values > 1e-10 * values[0]]
        assert (values[0] / values[-1]) ** 2 >= best.lower_bound * (1 - 1e-9)


@pytest.mark.parametrize("copies", [(3, 3), (2, 2), (1, 4)])
def test_the_best_that_are_not_parallel(copies: tuple[int, ...]) -> None:
    """Without a value to beat, the search returns them, at its bound."""
    obj, theta = problem(0)
    parts = outgoing_vectors(obj, theta, sum(copies))
    found = search(parts, [copies], np.inf, 100)
    assert found.best is not None
    assert found.bound <= found.best.value * (1 + 1e-9)
    # Two copies have less freedom than the program, which the bound is from.
    assert found.best.value <= found.bound * (1 + (1e-4 if min(copies) != 2 else 0.1))
    widening = ho.Widening(obj.net, [list(copies)])
    at = widening(theta)
    outgoing = widening.net.unflatten(at)[-1][0]
    outgoing += np.hstack(found.best.changes)
    assert np.abs(widening.net(at, obj.x) - obj.y).max() <= 1e-13 * np.abs(outgoing).max()
    values = np.linalg.svd(wide_objective(obj, widening.net).gauss_newton_factor(at), compute_uv=False)
    assert (values[0] / values[found.best.rank - 1]) ** 2 == pytest.approx(found.best.value, rel=1e-6)
    assert values[found.best.rank :].max(initial=0.0) <= 1e-10 * values[0]
    narrow = np.linalg.matrix_rank(obj.gauss_newton_factor(theta))
    assert found.best.rank > narrow
    # Over as many eigenvalues as the narrow network has, κ would be far smaller: by counting alone.
    assert (values[0] / values[narrow - 1]) ** 2 < 0.5 * found.best.value


def test_three_outputs_have_a_bound() -> None:
    obj, theta = problem(1, 3)
    best = ho.best_conditioned(obj, theta, copies=[[4, 4]])
    assert best.certificate == "minimum"
    bound = float(best.scope.rsplit("none is below ", 1)[1])
    assert 1 < bound < best.value
    widening, rng = ho.Widening(obj.net, [[4, 4]]), np.random.default_rng(0)
    for size in np.geomspace(0.1, 10, 20):
        at = with_vectors(widening, theta, rng, size)
        values = np.linalg.svd(wide_objective(obj, widening.net).gauss_newton_factor(at), compute_uv=False)
        values = values[values > 1e-10 * values[0]]
        assert (values[0] / values[-1]) ** 2 >= bound


def test_where_parallel_vectors_are_best_at_once() -> None:
    """Of the trace and λ_max, which grow with D; and with a loss that sees one combination of two outputs."""
    obj, theta = problem(0)
    for criterion in ("trace", "max"):
        assert "all outgoing vectors" in ho.best_conditioned(obj, theta, copies=[[3, 3]], criterion=criterion).scope
    obj, theta = problem(1, 2, "cross_entropy")
    best = ho.best_conditioned(obj, theta, copies=[[3, 2]], matrix="gauss_newton")
    assert best.certificate == "minimum"
    assert "all outgoing vectors" in best.scope


def test_what_is_not_searched() -> None:
    """Copies of rectifiers have scales too."""
    obj, theta = problem(0, activation="relu")
    assert "not parallel" in ho.best_conditioned(obj, theta, copies=[[3, 3]]).scope


def test_programs_are_solved_for_a_limited_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one takes longer than the default allows, none is solved unless nodes are asked for; `scope` says so."""
    obj, theta = problem(0)
    monkeypatch.setattr("hessorbit.conditioning.outgoing_search.SECONDS_APART", 0)
    assert "not parallel" in ho.best_conditioned(obj, theta, copies=[[3, 3]]).scope
    assert "all outgoing vectors" in ho.best_conditioned(obj, theta, copies=[[3, 3]], max_nodes=100).scope
