"""Losses: the table and what is written of it, parameters and targets, values by SciPy, and roots of the curvature."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats

import hessorbit as ho
from hessorbit.targets import LOSSES as TABLE
from oracles import jets
from oracles.autodiff import AutodiffReference
from oracles.compare import assert_close, assert_matches, computed
from oracles.problem import LOSSES, random_problem

pytestmark = pytest.mark.core
ROOT = Path(__file__).parents[1]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def at_outputs(f: Any, y: Any, **options: Any) -> tuple[Any, np.ndarray]:
    """An objective of one sample whose outputs are θ, and θ."""
    f = np.asarray(f, float)
    return ho.Objective(ho.MLP([1, len(f)], bias=False), [[1.0]], np.asarray(y)[None], **options), f


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_documented(loss: str) -> None:
    assert ho.Objective.__doc__ is not None
    for text in (ho.Objective.__doc__, (ROOT / "docs/theory.md").read_text(), (ROOT / "README.md").read_text()):
        assert loss in text


def test_table() -> None:
    assert [name for name, entry in TABLE.items() if entry["parameter"]] == ["huber"]
    for entry in TABLE.values():
        assert entry["targets"] in ("real", "unit_interval", "probabilities", "nonnegative")


@pytest.mark.parametrize("delta", [0.1, 0.7, 3.0])
@pytest.mark.parametrize("outputs", [1, 3])
def test_huber_of_any_delta(delta: float, outputs: int) -> None:
    problem = random_problem(rng(2), (2, 3, outputs), "gelu", loss="huber", samples=12, weighted=True, l2=0.1)
    problem = problem.replace(delta=delta)
    reference = jets.evaluate(problem)
    inside = np.abs(problem.objective().outputs(problem.theta) - problem.y) <= delta
    assert 0 < inside.sum() < inside.size or delta != 0.7
    assert_matches(computed(problem.objective(), problem.theta), reference)


def test_huber_is_scipys() -> None:
    f, y = 3 * rng().standard_normal(50), rng(1).standard_normal(50)
    for delta in (0.25, 1.0, 4.0):
        obj, theta = at_outputs(f, y, loss="huber", delta=delta)
        assert obj.loss(theta) == pytest.approx(scipy.special.huber(delta, f - y).sum(), rel=1e-14)


def test_huber_at_its_kink() -> None:
    """From inside: value δ²/2, slope δ, curvature 1; beyond by one ulp the curvature is 0."""
    for side in (1.0, -1.0):
        obj, theta = at_outputs([side * 0.5], [0.0], loss="huber", delta=0.5)
        assert (obj.loss(theta), obj.gradient(theta)[0], obj.hessian(theta)[0, 0]) == (0.125, side * 0.5, 1.0)
        beyond = np.nextafter(theta, np.inf * theta)
        assert obj.hessian(beyond)[0, 0] == obj.gauss_newton(beyond)[0, 0] == 0.0
        assert obj.gradient(beyond)[0] == side * 0.5


def test_poisson_is_scipys() -> None:
    f, y = rng().standard_normal(50), rng(1).poisson(2.0, 50)
    obj, theta = at_outputs(f, y, loss="poisson")
    # Without log y!, as torch's PoissonNLLLoss.
    expected = -(scipy.stats.poisson.logpmf(y, np.exp(f)) + scipy.special.gammaln(y + 1)).sum()
    assert obj.loss(theta) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("f", [-1e300, -800.0, -30.0, 30.0, 700.0])
def test_poisson_in_its_tails(f: float) -> None:
    for y in (0.0, 3.0):
        obj, theta = at_outputs([f], [y], loss="poisson")
        mean = np.exp(f)
        assert obj.loss(theta) == pytest.approx(mean - y * f, rel=1e-15)
        assert obj.residual(theta)[0] == pytest.approx(mean - y, rel=1e-15)
        assert obj.hessian(theta)[0, 0] == pytest.approx(mean, rel=1e-15)
        assert obj.gauss_newton_factor(theta)[0, 0] == pytest.approx(np.exp(f / 2), rel=1e-15)


@pytest.mark.parametrize("r", [1e-200, 1e160, 1e300])
def test_huber_in_its_tails(r: float) -> None:
    obj, theta = at_outputs([r], [0.0], loss="huber", delta=0.5)
    assert obj.loss(theta) == pytest.approx(0.5 * (r - 0.25) if r > 0.5 else 0.0, rel=1e-15)
    assert obj.gradient(theta)[0] == min(r, 0.5)


def test_delta_belongs_to_huber() -> None:
    net, x, y = ho.MLP([2, 3, 1]), np.ones((4, 2)), np.ones(4)
    assert ho.Objective(net, x, y, loss="huber").delta == 1.0
    assert ho.Objective(net, x, y).delta is None
    obj = ho.Objective(net, x, y, loss="huber", delta=0.5)
    assert repr(obj) == "Objective(MLP([2, 3, 1], 'tanh'), 4 samples, loss='huber', delta=0.5)"
    theta = net.init(rng())
    for other in (copy.deepcopy(obj), pickle.loads(pickle.dumps(obj))):
        assert other.delta == 0.5
        assert other.loss(theta) == obj.loss(theta)
    for loss in LOSSES:
        if loss != "huber":
            with pytest.raises(
                ValueError, match=f"delta is a parameter of the loss 'huber'; the loss '{loss}' takes no"
            ):
                ho.Objective(net, x, y, loss=loss, delta=1.0)
    for delta in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="delta must be"):
            ho.Objective(net, x, y, loss="huber", delta=delta)


@pytest.mark.parametrize("loss", LOSSES)
def test_targets(loss: str) -> None:
    """What a loss takes is what its formula is defined for."""
    net, x = ho.MLP([2, 3, 2]), np.ones((1, 2))
    allowed = {"real": (-1.0, 2.0), "nonnegative": (0.0, 2.0), "unit_interval": (0.0, 1.0), "probabilities": (0.0, 1.0)}
    low, high = allowed[TABLE[loss]["targets"]]
    ho.Objective(net, x, [[low, high]], loss=loss)
    if low == 0:
        with pytest.raises(ValueError, match=rf"y must be .* for the loss '{loss}'; y\[0, 0\] is -0.5"):
            ho.Objective(net, x, [[-0.5, 1.5]], loss=loss)
    if high == 1:
        with pytest.raises(ValueError, match=rf"y must be in \[0, 1\] for the loss '{loss}'; y\[0, 1\] is 1.5"):
            ho.Objective(net, x, [[0.0, 1.5]], loss=loss)


@pytest.mark.filterwarnings("ignore:the loss 'cross_entropy' of one output")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("widths", "output"), [((3, 1), "identity"), ((3, 4), "tanh"), ((2, 3, 2), "identity"), ((2, 4, 3, 3, 4), "tanh")]
)
def test_factor(loss: str, widths: tuple[int, ...], output: str) -> None:
    """FᵀF + l2·I is the Gauss–Newton matrix of jets, with bent outputs too, in every precision and batch."""
    problem = random_problem(
        rng(len(widths)), widths, "gelu", loss=loss, samples=5, weighted=True, l2=0.25, output_activation=output,
        integer_labels=False, parametrization="ntk",
    )  # fmt: skip
    obj, theta, count, outputs = problem.objective(), problem.theta, problem.num_parameters, widths[-1]
    reference = jets.evaluate(problem).total("gauss_newton")
    for at in (theta, theta.astype(np.longdouble)):
        rows = obj.gauss_newton_factor(at)
        assert rows.dtype == at.dtype
        assert rows.shape == (5 * (max(outputs - 1, 1) if loss == "cross_entropy" else outputs), count)
        assert_close(rows.T @ rows + 0.25 * np.eye(count), reference, parameters=count)
    batch = obj.gauss_newton_factor(np.stack([theta, theta / 2]))
    np.testing.assert_array_equal(batch[0], obj.gauss_newton_factor(theta))
    np.testing.assert_array_equal(batch[1], obj.gauss_newton_factor(theta / 2))


def test_factor_of_many_samples_and_zero_weights() -> None:
    problem = random_problem(rng(), (2, 6, 3), loss="cross_entropy", samples=1003, weighted=True)
    assert problem.sample_weight is not None
    problem = problem.replace(sample_weight=problem.sample_weight * (np.arange(1003) % 4 > 0))
    rows = problem.objective().gauss_newton_factor(problem.theta)
    assert not rows.reshape(1003, 2, -1)[::4].any()
    np.testing.assert_array_equal(rows, problem.objective(threads=1).gauss_newton_factor(problem.theta))
    reference = AutodiffReference(problem).derivatives(problem.theta, problem.theta)["gauss_newton"]
    assert_close(rows.T @ rows, reference, parameters=len(reference), relative=2e-13)


@pytest.mark.parametrize("gap", [9.7, 40.0, 400.0, 700.0, 1400.0])
def test_confident_softmax(gap: float) -> None:
    """Two outputs: M = q₁q₂ (1, −1)(1, −1)ᵀ, of rank one with the eigenvalue 2 q₁q₂ to full relative precision."""
    theta = np.array([gap + 0.3, 0.3])
    obj = ho.Objective(ho.MLP([1, 2], bias=False), [[1.0]], [0], loss="cross_entropy")
    exact = mpmath.mpf(theta[0]) - mpmath.mpf(theta[1])
    with mpmath.workdps(50):
        root = mpmath.sqrt(2 / ((1 + mpmath.exp(-exact)) * (1 + mpmath.exp(exact))))
        value = root**2
    rows = obj.gauss_newton_factor(theta)
    # f₁ − f₂ is rounded once: up to eps/2 · gap/2 in the exponent, besides a few roundings.
    allowed = (gap / 4 + 8) * np.finfo(float).eps
    assert np.linalg.norm(rows) == pytest.approx(float(root), rel=allowed)
    assert rows[0, 0] == -rows[0, 1]
    for matrix in ("jacobian", "gram"):
        sp = ho.spectrum(obj, theta, matrix="gauss_newton", method=matrix)
        assert sp.eigenvalues[0] == 0.0
        assert sp.eigenvalues[1] == pytest.approx(float(value), rel=2 * allowed, abs=0)
        assert sp.rank == (gap < 800)  # beyond, 2 q₁q₂ is nothing in float64


@pytest.mark.parametrize("gap", [5.0, 40.0, 300.0])
def test_curvature_of_confident_classes_keeps_its_digits(gap: float) -> None:
    """Every entry of M = diag(q) − q qᵀ, that product with a vector, and the trace, each to full relative precision."""
    f = np.array([0.3, gap + 0.7, -1.25, 0.0, gap - 3.5])
    obj, theta = at_outputs(f, np.eye(5)[3], loss="cross_entropy")
    with mpmath.workdps(400):
        e = [mpmath.exp(mpmath.mpf(each)) for each in f]
        q = [each / sum(e) for each in e]
        exact = mpmath.matrix(5)
        for k in range(5):
            for j in range(5):
                exact[k, j] = q[k] * (sum(q) - q[k] if k == j else -q[j])
        column = np.array([float(exact[k, 1]) for k in range(5)])
        entries = np.array([[float(exact[k, j]) for j in range(5)] for k in range(5)])
    # f_k − f_top is rounded, up to eps/2 · gap in each of two exponents, besides a few roundings.
    allowed = (gap + 16) * np.finfo(float).eps
    assert np.abs(obj.hessian(theta) / entries - 1).max() <= allowed
    assert np.abs(obj.hvp(theta, np.eye(5)[1]) / column - 1).max() <= allowed
    assert np.abs(obj.hessian_diagonal(theta) / np.diag(entries) - 1).max() <= allowed
    # The second derivative by the hidden unit's weight is Σ_kj v_k M_kj v_j.
    net = ho.MLP([1, 1, 5], "identity", bias=False)
    deep = ho.Objective(net, [[1.0]], [3], loss="cross_entropy")
    v = net.flatten([(np.array([[gap / 3]]), None), (np.array([[0.3], [-1.2], [0.7], [0.1], [2.0]]), None)])
    assert deep.hessian_diagonal(v) == pytest.approx(np.diag(deep.hessian(v)), rel=allowed, abs=0)


@pytest.mark.parametrize(("outputs", "spread"), [(3, 0.1), (3, 200.0), (4, 10.0), (6, 50.0)])
def test_root_of_the_softmax_by_mpmath(outputs: int, spread: float) -> None:
    """Singular values of A, also those far below the largest, are the roots of the eigenvalues of diag(q) − q qᵀ."""
    f = spread * rng(outputs).standard_normal(outputs)
    obj, theta = at_outputs(f, np.eye(outputs)[0], loss="cross_entropy")
    rows = obj.gauss_newton_factor(theta)
    with mpmath.workdps(int(3 * spread) + 50):
        q = [mpmath.exp(mpmath.mpf(v)) for v in f]
        q = [v / sum(q) for v in q]
        exact = mpmath.matrix(outputs, outputs)
        formed = mpmath.matrix(outputs, outputs)
        for i in range(outputs):
            for j in range(outputs):
                exact[i, j] = (q[i] if i == j else 0) - q[i] * q[j]
                formed[i, j] = sum(mpmath.mpf(row[i]) * mpmath.mpf(row[j]) for row in rows)
        expected = sorted(mpmath.eigsy(exact, eigvals_only=True))[1:]
        actual = sorted(mpmath.eigsy(formed, eigvals_only=True))[1:]
        for one, other in zip(actual, expected, strict=True):
            # Entries of A have relative errors of a few eps, and of eps times the exponents' size; so have its singular
            # values, times the condition of its unit triangle, which is of the order of K.
            assert abs(one / other - 1) <= outputs * (spread + 20) * np.finfo(float).eps


def test_equal_outputs_leave_exact_zeros() -> None:
    """Output weights that are equal: no hidden weight matters, and the factor says so exactly, as data do."""
    net = ho.MLP([2, 3, 4])
    theta = net.init(rng())
    layers = net.unflatten(theta)
    layers[1][0][:] = layers[1][0][0]  # views of theta
    obj = ho.Objective(net, rng().standard_normal((7, 2)), rng(1).integers(0, 4, 7), loss="cross_entropy")
    assert not obj.gauss_newton_factor(theta)[:, net.block(layer=1, part="incoming")].any()


def test_outputs_that_overflow_crash_nothing() -> None:
    obj, theta = at_outputs(np.full(40, 1e308), np.eye(40)[3], loss="cross_entropy")
    net = ho.MLP([1, 1, 40], "cube", bias=False)
    deep = ho.Objective(net, [[1e150]], [3], loss="cross_entropy")
    theta = np.full(net.num_parameters, 1e300)
    theta[::2] *= -1
    assert deep.gauss_newton_factor(theta).shape == (39, 41)
    assert obj.gauss_newton_factor(np.full(40, 1e308)).shape == (39, 40)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 700.0])
@pytest.mark.parametrize("loss", ["logistic", "poisson", "cross_entropy"])
def test_exponentials_are_within_a_few_ulp(loss: str, scale: float) -> None:
    """∂ℓ/∂f and the diagonal of ∂²ℓ/∂f² by mpmath, of samples whose digits do not depend on their place."""
    draw = rng(int(scale))
    f = np.clip(scale * draw.standard_normal((37, 5)), -740, 700)
    y = np.eye(5)[draw.integers(0, 5, 37)] if loss == "cross_entropy" else draw.integers(0, 2, f.shape).astype(float)
    net, theta = ho.MLP([5, 5], bias=False), np.eye(5).ravel()
    residual = ho.Objective(net, f, y, loss=loss).residual(theta).reshape(f.shape)
    order = draw.permutation(37)[:30]
    there = ho.Objective(net, f[order], y[order], loss=loss).residual(theta).reshape(-1, 5)
    np.testing.assert_array_equal(there, residual[order])
    eps, tiny = np.finfo(float).eps, np.finfo(float).tiny
    with mpmath.workdps(700):
        for row, target, result in zip(f[:12], y, residual, strict=False):
            at = [mpmath.mpf(z) for z in row]
            e = [mpmath.exp(z) for z in at]
            if loss == "cross_entropy":
                q = [each / sum(e) for each in e]
                rest = [sum(q[:k]) + sum(q[k + 1 :]) for k in range(5)]
                exact, size = [-rest[k] if target[k] else q[k] for k in range(5)], [0.0] * 5
                curvature = [a * b for a, b in zip(q, rest, strict=True)]
                value = -mpmath.log(q[int(target.argmax())])
                # f_k − f_top is rounded, in two exponents; and K sums.
                allowed = (2 * float(np.ptp(row)) + 12) * eps
            elif loss == "logistic":
                q = [each / (1 + each) for each in e]
                exact = [each if t == 0 else -each / z for each, z, t in zip(q, e, target, strict=True)]
                curvature, size = [each * each / z for each, z in zip(q, e, strict=True)], [0.0] * 5
                value = sum(mpmath.log(1 + z) - t * x for z, x, t in zip(e, at, target, strict=True))
                allowed = 4 * eps
            else:
                exact, curvature = [z - t for z, t in zip(e, target, strict=True)], e
                value, size = sum(z - t * x for z, x, t in zip(e, at, target, strict=True)), list(target)
                allowed = 4 * eps
            for k in range(5):
                assert abs(result[k] - exact[k]) <= allowed * (abs(exact[k]) + size[k] + tiny)
            obj, at_row = at_outputs(row, target, loss=loss)
            diagonal = obj.hessian_diagonal(at_row)
            for k in range(5):
                assert abs(diagonal[k] - curvature[k]) <= 2 * allowed * (curvature[k] + tiny)
            terms = sum(abs(z) for z in at) + sum(e) if loss == "poisson" else abs(value) + 1e-3 * tiny
            assert abs(obj.loss(at_row) - value) <= (allowed + 8 * eps) * (terms + tiny)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("widths", [(2, 4, 3, 9), (2, 3, 5, 3, 7)])
def test_diagonal_of_a_deep_network_with_more_outputs_than_neurons(loss: str, widths: tuple[int, ...]) -> None:
    """By autodiff; and where σ'' = 0 and two output weights are opposite, a sum of squares that is never negative."""
    problem = random_problem(rng(3), widths, "tanh", loss=loss, samples=21, weighted=True, l2=0.1)
    reference = AutodiffReference(problem).derivatives(problem.theta, problem.theta)["hessian"]
    largest = np.abs(np.diagonal(reference)).max()
    for theta in (problem.theta, problem.theta.astype(np.longdouble)):
        diagonal = problem.objective().hessian_diagonal(theta)
        # d² products of sizes that cancel, each rounded: some tens of ulps of the largest.
        assert np.abs(diagonal - np.diagonal(reference)).max() <= 1e-13 * largest
    net = ho.MLP(list(widths), "relu")
    layers = net.unflatten(problem.theta.copy())
    layers[-1][0][:, 1] = -layers[-1][0][:, 0]
    obj = ho.Objective(net, problem.x, problem.y, loss=loss)
    assert (obj.hessian_diagonal(net.flatten(layers)) >= 0).all()
