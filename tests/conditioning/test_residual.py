"""The best widening of a minimum with a residual, against the wide Hessian and random shares."""

from __future__ import annotations

import numpy as np
import pytest

import hessorbit as ho
from oracles.planted import with_critical_point
from oracles.problem import random_problem


def minimum() -> tuple[ho.Objective, np.ndarray]:
    x = np.linspace(-2, 2, 20)[:, None]
    obj = ho.Objective(ho.MLP([1, 1, 1], "gelu"), x, np.cos(2 * x) + x)
    return obj, ho.minimize(obj, [1.0, 0.5, 1.0, 0.0], method="newton").x


def kappa(obj: ho.Objective, net: ho.MLP, theta: np.ndarray, rank: int) -> float:
    values = np.linalg.eigvalsh(ho.Objective(net, obj.x, obj.y).hessian(theta))
    return float(values[-1] / values[-rank])


@pytest.mark.parametrize("width", [2, 3])
def test_positive_copies(width: int) -> None:
    obj, theta = minimum()
    best = ho.best_conditioned(obj, theta, widths=[width])
    assert best.widening is not None
    inertia = best.widening.inertia(obj, theta)
    assert inertia.negative == 0
    assert best.rank == inertia.positive
    assert best.value == pytest.approx(kappa(obj, best.net, best.theta, best.rank), rel=1e-6)
    assert best.net(best.theta, obj.x) == pytest.approx(obj.net(theta, obj.x), abs=1e-12)
    assert best.lower_bound <= best.value
    assert best.certificate in ("minimum", "bound")
    rng = np.random.default_rng(0)
    for _ in range(50):
        shares = rng.dirichlet(np.ones(width))
        other = ho.Widening(obj.net, [[width]], coefficients=[[shares]])
        assert kappa(obj, other.net, other(theta), best.rank) >= best.lower_bound * (1 - 1e-9)


def test_rectifiers_with_one_output() -> None:
    """B and C are zero: the spectrum is that of D^{1/2} H D^{1/2}, at any residual."""
    problem = with_critical_point(random_problem(np.random.default_rng(5), (2, 3, 1), "leaky_relu", samples=50),
                                  np.random.default_rng(1), 0.05)  # fmt: skip
    obj = problem.objective()
    best = ho.best_conditioned(obj, problem.theta, widths=[6])
    assert not best.uncopied
    assert best.value <= best.start
    assert best.value == pytest.approx(kappa(obj, best.net, best.theta, best.rank), rel=1e-6)


def test_what_cannot_be_copied() -> None:
    x = np.linspace(-2, 2, 20)[:, None]
    tanh = ho.Objective(ho.MLP([1, 1, 1]), x, np.cos(2 * x) + x)
    theta = ho.minimize(tanh, [1.0, 0.5, 1.0, 0.0], method="newton").x
    with pytest.raises(ValueError, match="neuron 0 of layer 1: its B is indefinite"):
        ho.best_conditioned(tanh, theta, widths=[3])
    with pytest.raises(ValueError, match="neuron 0 of layer 1: its B is indefinite"):
        ho.best_conditioned(tanh, theta, copies=[[2]])
    two = with_critical_point(random_problem(np.random.default_rng(0), (2, 2, 2), "tanh", samples=60),
                              np.random.default_rng(1), 0.01)  # fmt: skip
    with pytest.raises(ValueError, match="couple to its incoming ones"):
        ho.best_conditioned(two.objective(), two.theta, widths=[3])


def test_points_that_are_no_minima() -> None:
    obj, theta = minimum()
    with pytest.raises(ValueError, match=r"not critical: max\|∇L\|.*gauss_newton"):
        ho.best_conditioned(obj, theta + 0.1, widths=[2])
    problem = with_critical_point(random_problem(np.random.default_rng(1), (2, 3, 1), "tanh", samples=60, scale=1.5),
                                  np.random.default_rng(2), 3.0)  # fmt: skip
    assert ho.classify(problem.objective(), problem.theta).kind == "saddle"
    with pytest.raises(ValueError, match="it is a saddle"):
        ho.best_conditioned(problem.objective(), problem.theta, widths=[4])


@pytest.mark.parametrize("copies", [2, 3, 5])
def test_what_deviations_have_at_most(copies: int) -> None:
    """The smallest eigenvalue of diag(α) across α is at most (1 − Σ α²)/(m − 1), and is that for equal shares."""
    rng = np.random.default_rng(copies)
    for shares in [
        np.full(copies, 1 / copies),
        *(rng.dirichlet(np.full(copies, size)) for size in (30.0, 3.0, 0.5) * 20),
    ]:
        across = np.linalg.qr(shares[:, None], mode="complete")[0][:, 1:]
        least = np.linalg.eigvalsh(across.T @ np.diag(shares) @ across)[0]
        most = (1 - shares @ shares) / (copies - 1)
        assert least <= most + 1e-15
        assert shares.std() > 0 or least == pytest.approx(most)


@pytest.mark.parametrize(("width", "gap"), [(2, 0.1), (3, 0.2)])
def test_the_bound_is_joint(width: int, gap: float) -> None:
    """Of λ_max over either of two smallest eigenvalues: the larger of the two least quotients leaves a gap of 0.3."""
    obj, theta = minimum()
    best = ho.best_conditioned(obj, theta, widths=[width])
    assert best.gap < gap
    rng = np.random.default_rng(1)
    for size in np.geomspace(0.3, 300, 40):
        shares = rng.dirichlet(np.full(width, size))
        other = ho.Widening(obj.net, [[width]], coefficients=[[shares]])
        assert kappa(obj, other.net, other(theta), best.rank) >= best.value * (1 - 1e-6)  # Nelder and Mead's minimum


def with_forms(activation: str, sign: float) -> tuple[ho.Objective, np.ndarray]:
    """A minimum of two neurons whose B are `sign` times a positive matrix, and minus that, by labels made for it.

    B and the gradient are linear in the residuals, whose smallest solution is taken. Of random θ the first with a
    well-conditioned Gauss–Newton matrix is.
    """
    net = ho.MLP([1, 2, 1], activation)
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        x, theta = 2 * rng.standard_normal((60, 1)), net.init(rng, "normal(2)")
        jacobian = ho.Objective(net, x, np.zeros(60)).jacobian(theta)
        values = np.linalg.eigvalsh(jacobian.T @ jacobian / 60)
        if values[0] > 1e-5 * values[-1]:
            break
    (weights, biases), (outgoing, _) = net.unflatten(theta)
    assert biases is not None
    rows = np.column_stack([x, np.ones(60)])
    bend = outgoing[0] * ho.activations.derivatives(activation, x @ weights.T + biases)[2]
    forms = [bend[:, i] * rows[:, a] * rows[:, b] for i in range(2) for a, b in ((0, 0), (0, 1), (1, 1))]
    # At a critical point with one output the Hessian is the Gauss–Newton matrix and the B on its diagonal.
    wanted = sign * 0.1 * values[0] * np.array([1.0, 0.2, 1.0, -1.0, -0.2, -1.0])
    equations = np.vstack([jacobian.T, forms]) / 60
    residual = np.linalg.lstsq(equations, np.concatenate([np.zeros(7), wanted]), rcond=None)[0]
    return ho.Objective(net, x, net(theta, x)[:, 0] - residual), theta


@pytest.mark.parametrize("activation", ["tanh", "softplus", "gelu"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_one_positive_share_where_a_form_is_negative(activation: str, sign: float) -> None:
    """The wide Hessian's inertia by brute force; best_conditioned uses such shares and no others."""
    obj, theta = with_forms(activation, sign)
    assert ho.classify(obj, theta).kind == "minimum"
    for neuron, form in ((0, sign), (1, -sign)):
        for shares in ([0.5, 0.5], [0.7, 0.2, 0.1], [1.5, -0.5], [1.6, -0.3, -0.3], [0.8, 0.6, -0.4]):
            copies, parts = [1, 1], [[1.0], [1.0]]
            copies[neuron], parts[neuron] = len(shares), shares
            widening = ho.Widening(obj.net, [copies], coefficients=[parts])
            values = np.linalg.eigvalsh(ho.Objective(widening.net, obj.x, obj.y).hessian(widening(theta)))
            floor = 1e-13 * values[-1]
            inertia = widening.inertia(obj, theta)
            assert (inertia.negative, inertia.positive) == ((values < -floor).sum(), (values > floor).sum())
            above, below = sum(s > 0 for s in shares), sum(s < 0 for s in shares)
            expected = 2 * below if form > 0 else 2 * (above - 1)
            assert inertia.negative == expected
    for copies in ([3, 1], [1, 3]):
        best = ho.best_conditioned(obj, theta, copies=[copies])
        values = np.linalg.eigvalsh(ho.Objective(best.net, obj.x, obj.y).hessian(best.theta))
        assert values[0] >= -1e-13 * values[-1]
        assert values[-1] / values[-best.rank] == pytest.approx(best.value, rel=1e-6)
        assert best.lower_bound <= best.value
