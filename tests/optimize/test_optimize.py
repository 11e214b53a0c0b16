"""Minimisation against plain NumPy on jax's gradients, closed forms of linear models, SciPy, and conservation laws."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import signal
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

import hessorbit as ho
from hessorbit import _core
from hessorbit.optimize import METHODS, Interrupted
from hessorbit.optimize.outcome import Stop
from hessorbit.optimize.run import Run
from hessorbit.optimize.scale import Scale
from hessorbit.optimize.trust_region import SLACK, LeastSquares, OnSamples, Quadratic, decrease, minimiser
from oracles.autodiff import AutodiffReference
from oracles.compare import assert_close
from oracles.problem import Problem, random_problem

pytestmark = pytest.mark.core

OUTCOME_NAMES = {"minimum", "saddle", "flat", "to infinity", "stalled", "max_steps", "diverged", "stopped"}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def student(
    activation: str,
    seed: int,
    widths: tuple[int, ...] = (3, 3, 1),
    wide: tuple[int, ...] = (3, 8, 1),
    samples: int = 80,
) -> Problem:
    """A wider student at random parameters, on data of a teacher."""
    teacher = random_problem(rng(seed), widths, activation, samples=samples)
    start = random_problem(rng(seed + 1000), wide, activation, samples=samples)
    return start.replace(x=teacher.x, y=teacher.network()(teacher.theta, teacher.x))


def linear(seed: int = 0, *, l2: float = 0.0) -> tuple[ho.Objective, np.ndarray, np.ndarray]:
    """A weighted linear model with two outputs, its Hessian, and its minimiser, by the normal equations."""
    problem = random_problem(rng(seed), (4, 2), samples=30, weighted=True, l2=l2)
    weights = problem.normalised_weights.astype(float)
    features = np.column_stack([problem.x, np.ones(30)])
    block = (features * weights[:, None]).T @ features + l2 * np.eye(5)
    solution = np.linalg.solve(block, (features * weights[:, None]).T @ problem.y)
    hessian = np.zeros((10, 10))
    # θ is W (2, 4) and then b (2): output k has the entries 4k … 4k+3 and 8 + k.
    for k in range(2):
        where = [*range(4 * k, 4 * k + 4), 8 + k]
        hessian[np.ix_(where, where)] = block
    return problem.objective(), hessian, np.concatenate([solution[:4].T.ravel(), solution[4]])


def gradient_of(problem: Problem) -> Any:
    return jax.jit(jax.grad(AutodiffReference(problem).loss))


# First-order training


def trained(
    problem: Problem, method: str, steps: int, rate: float, mu: float, beta2: float, epsilon: float
) -> np.ndarray:
    """θ after each step, in NumPy, with jax's gradients; Kingma and Ba's algorithm 1 for adam."""
    gradient, theta = gradient_of(problem), problem.theta.copy()
    first, second, thetas = np.zeros_like(theta), np.zeros_like(theta), [theta]
    for t in range(1, steps + 1):
        g = np.asarray(gradient(theta))
        if method == "gd":
            step = g
        elif method == "momentum":
            first = mu * first + g
            step = first
        else:
            first = mu * first + (1 - mu) * g
            second = beta2 * second + (1 - beta2) * g**2
            step = first / (1 - mu**t) / (np.sqrt(second / (1 - beta2**t)) + epsilon)
        theta = theta - rate * step
        thetas.append(theta)
    return np.array(thetas)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gd", {"learning_rate": 0.1}),
        ("momentum", {"learning_rate": 0.02, "momentum": 0.8}),
        ("adam", {"learning_rate": 0.03, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6}),
    ],
)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_first_order_methods(method: str, options: dict[str, float], loss: str) -> None:
    problem = random_problem(rng(1), (3, 4, 2), loss=loss, samples=15, weighted=True, l2=0.01)
    result = ho.minimize(problem.objective(), problem.theta, method=method, max_steps=60, keep_thetas=True, **options)
    reference = trained(
        problem, method, 60, options["learning_rate"], options.get("momentum", options.get("beta1", 0.0)),
        options.get("beta2", 0.0), options.get("epsilon", 0.0),
    )  # fmt: skip
    # Each step adds the rounding errors of a gradient, 1e-13 at most, and 60 steps may double them a few times.
    assert_close(result.trajectory.thetas, reference, parameters=problem.num_parameters, relative=1e-11)
    assert (result.trajectory.steps == np.arange(61)).all()
    assert_close(result.trajectory.losses, problem.objective().loss(reference), parameters=1, relative=1e-11)
    assert (result.status, result.nit, result.nfev) == (Stop.STEPS, 60, 61)
    assert not result.success


@pytest.mark.parametrize("method", ["gd", "momentum", "adam"])
def test_default_options(method: str) -> None:
    problem = random_problem(rng(1), (2, 3, 1), samples=10)
    result = ho.minimize(problem.objective(), problem.theta, method=method, max_steps=5)
    reference = trained(problem, method, 5, 1e-3 if method == "adam" else 1e-2, 0.9, 0.999, 1e-8)
    assert_close(result.x, reference[-1], parameters=problem.num_parameters, relative=1e-12)


def test_descent_on_a_quadratic() -> None:
    obj, hessian, minimiser_of_it = linear()
    start = rng(5).standard_normal(10)
    rate, steps = 0.2, 150
    result = ho.minimize(obj, start, method="gd", learning_rate=rate, max_steps=steps, tol=0.0)
    power = np.linalg.matrix_power(np.eye(10) - rate * hessian, steps)
    assert_close(result.x, minimiser_of_it + power @ (start - minimiser_of_it), parameters=10)


def test_recorded_steps_and_portions() -> None:
    """Records become sparse; what is recorded, and how the loop is cut, changes nothing."""
    problem = student("tanh", 0)
    obj = problem.objective()
    long = ho.minimize(obj, problem.theta, method="adam", max_steps=3000, tol=0.0)
    steps = long.trajectory.steps
    assert (steps[:201] == np.arange(201)).all()
    assert (np.diff(steps) <= np.maximum(1, steps[:-1] // 100)).all()
    assert steps[-1] == 3000
    assert len(steps) < 500
    for place in (200, 300, -1):
        short = ho.minimize(obj, problem.theta, method="adam", max_steps=int(steps[place]), tol=0.0)
        assert short.fun == long.trajectory.losses[place]
        assert short.gradient_norm == long.trajectory.gradient_norms[place]


def test_stops_at_the_very_step() -> None:
    problem = student("tanh", 0)
    losses = ho.minimize(problem.objective(), problem.theta, method="gd", max_steps=150).trajectory.losses
    result = ho.minimize(problem.objective(), problem.theta, method="gd", loss_tol=losses[97])
    assert (result.status, result.nit, result.fun) == (Stop.LOSS, int(np.argmax(losses <= losses[97])), losses[97])


# Second-order methods


SMOOTH = ["tanh", "sigmoid", "erf", "gelu", "silu", "softplus", "sin"]


def check_minimum(problem: Problem, result: Any, *, tol: float) -> None:
    """By jax, which rounds differently: a residual by 1e-16 a few times, against slopes of order ten."""
    assert result.status == Stop.GRADIENT, result.message
    assert result.success
    assert result.gradient_norm <= tol
    assert np.abs(gradient_of(problem)(result.x)).max() <= tol + 1e-14


@pytest.mark.parametrize("activation", [*SMOOTH, "softsign"])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_lm_at_zero_residual(activation: str, seed: int) -> None:
    """Wider students, whose Hessians are singular, from far away."""
    problem = student(activation, seed)
    result = ho.minimize(problem.objective(), problem.theta, tol=1e-12)
    check_minimum(problem, result, tol=1e-12)
    assert result.fun <= 1e-17
    assert (np.diff(result.trajectory.losses) < 0).all()


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_lm_at_zero_residual_between_kinks(seed: int) -> None:
    """A wider rectifier network within the region of its teacher, where no sample changes sides.

    Rounding decides what becomes of a run across kinks: one may end at any of them.
    """
    teacher = random_problem(rng(seed), (3, 3, 1), "relu", samples=80)
    wide = ho.Widening(teacher.network(), copies=[[3, 2, 3]])
    theta = wide(teacher.theta)
    weights, biases = wide.net.unflatten(theta)[0]
    distance = np.abs(teacher.x @ weights.T + (0 if biases is None else biases)).min()
    start = theta + 0.1 * distance / (1 + np.abs(teacher.x).sum(axis=1).max()) * rng(seed).uniform(-1, 1, len(theta))
    problem = teacher.replace(
        widths=(3, 8, 1),
        activations=(("relu",) * 8, ("identity",)),
        theta=start,
        y=teacher.network()(teacher.theta, teacher.x),
    )
    result = ho.minimize(problem.objective(), start, tol=1e-12)
    check_minimum(problem, result, tol=1e-12)
    assert result.fun <= 1e-17


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("method", ["lm", "newton"])
@pytest.mark.parametrize("widths", [(3, 4, 1), (2, 3, 3, 2)])
def test_quadratic_convergence_to_a_regular_minimum(activation: str, method: str, widths: tuple[int, ...]) -> None:
    """From near the teacher: each step squares the distance, so that few suffice."""
    teacher = random_problem(rng(1), widths, activation, samples=100, scale=1.5)
    problem = teacher.replace(y=teacher.network()(teacher.theta, teacher.x))
    start = teacher.theta + 0.02 * rng(2).standard_normal(len(teacher.theta))
    result = ho.minimize(problem.objective(), start, method=method, tol=1e-12)
    check_minimum(problem, result, tol=1e-12)
    assert result.fun <= 1e-20


def test_newton_at_zero_residual() -> None:
    for activation in ["tanh", "gelu", "silu", "sin", "softsign"]:
        problem = student(activation, 6)
        result = ho.minimize(problem.objective(), problem.theta, method="newton", tol=1e-12)
        check_minimum(problem, result, tol=1e-12)


@pytest.mark.parametrize("method", ["lm", "newton", "lbfgs"])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_on_a_weighted_linear_model(method: str, l2: float) -> None:
    obj, hessian, solution = linear(l2=l2)
    # L-BFGS compares losses, which tells gradients below √(2 λ eps L), about 1e-8, from zero no more.
    tol = 1e-7 if method == "lbfgs" else 1e-13
    result = ho.minimize(obj, 3 * rng(2).standard_normal(10), method=method, tol=tol)
    assert result.success, result.message
    # The gradient is H(θ − θ*).
    assert np.linalg.norm(result.x - solution) <= 1e-12 + np.sqrt(10) * tol / np.linalg.eigvalsh(hessian)[0]
    if method != "lbfgs":
        assert result.nit <= 3


def test_fewer_residuals_than_parameters() -> None:
    problem = student("tanh", 0, samples=10)
    result = ho.minimize(problem.objective(), problem.theta, tol=1e-12)
    check_minimum(problem, result, tol=1e-12)


def test_lm_with_regularisation_of_a_network() -> None:
    problem = student("tanh", 1).replace(l2=1e-3, sample_weight=rng(4).uniform(0.1, 1.0, 80))
    result = ho.minimize(problem.objective(), problem.theta, tol=1e-11)
    check_minimum(problem, result, tol=1e-11)
    assert result.fun > 1e-4


def test_lm_on_the_gauss_newton_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way for data too large for a Jacobian finds the same minimum."""
    problem = student("tanh", 1).replace(l2=1e-3)
    by_qr = ho.minimize(problem.objective(), problem.theta, tol=1e-11)
    monkeypatch.setattr("hessorbit.optimize.trust_region.MOST_JACOBIAN_ENTRIES", 0)
    formed = ho.minimize(problem.objective(), by_qr.x + 1e-3, tol=1e-11)
    check_minimum(problem, formed, tol=1e-11)
    assert formed.fun == pytest.approx(by_qr.fun, rel=1e-10)


@pytest.mark.parametrize("loss", ["cross_entropy", "logistic"])
@pytest.mark.parametrize("method", ["newton", "lbfgs"])
def test_other_losses(loss: str, method: str) -> None:
    """A convex problem has one minimum: whatever finds a zero of jax's gradient has found it."""
    problem = random_problem(rng(3), (4, 3), loss=loss, samples=60, l2=0.01, weighted=True)
    tol = 1e-12 if method == "newton" else 1e-7
    result = ho.minimize(problem.objective(), problem.theta, method=method, tol=tol)
    check_minimum(problem, result, tol=tol)
    reference = scipy.optimize.root(
        gradient_of(problem), problem.theta, jac=jax.jit(jax.hessian(AutodiffReference(problem).loss)), tol=1e-13
    )
    # ‖θ − θ*‖ ≤ ‖g‖ / λ_min, and λ_min ≥ l2; both points have an error.
    assert np.abs(result.x - reference.x).max() <= 2 * (tol + 1e-12) * np.sqrt(len(result.x)) / 0.01


def test_newton_leaves_a_saddle_along_a_direction_without_slope() -> None:
    """L = ½(ab − 1)² from a = −b: by symmetry the gradient leads to the saddle at 0, where only curvature helps."""
    obj = ho.Objective(ho.MLP([1, 1, 1], "identity", bias=False), [[1.0]], [1.0])
    for start in ([0.3, -0.3], [1e-3, -1e-3]):
        result = ho.minimize(obj, start, method="newton", tol=1e-12)
        assert result.success
        assert result.x[0] * result.x[1] == pytest.approx(1.0, abs=1e-10)


def run_at(problem: Problem) -> Run:
    run = Run(problem.objective(), "lm", problem.theta, 0.0, -np.inf, 1, None, False)
    run.reach(run.theta, *run.evaluate(run.theta), 0)
    return run


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("samples", [5, 40])
def test_trust_region_steps_are_minimisers(l2: float, samples: int) -> None:
    """(A + μ I) s = −g with A + μ I ⪰ 0, ‖s‖ = Δ or μ at its least: the conditions of Moré and Sorensen."""
    problem = random_problem(rng(6), (3, 4, 1), samples=samples, l2=l2, weighted=True)
    run = run_at(problem)
    derivatives = AutodiffReference(problem).derivatives(problem.theta, problem.theta)
    gradient = derivatives["gradient"]
    models: list[tuple[LeastSquares | Quadratic, np.ndarray]] = [
        (OnSamples(run, Scale()), derivatives["gauss_newton"]),
        (Quadratic(derivatives["gauss_newton"], gradient, Scale()), derivatives["gauss_newton"]),
        (Quadratic(derivatives["hessian"], gradient, Scale()), derivatives["hessian"]),
    ]
    for (model, matrix), radius, start in itertools.product(models, [1e-3, 0.1, 1.0, 1e6], [0.0, 10.0]):
        step, damping = minimiser(model, radius, start)
        shifted = matrix + damping * np.eye(len(matrix))
        lowest, largest = np.linalg.eigvalsh(shifted)[[0, -1]]
        length = np.linalg.norm(step)
        assert lowest >= -1e-13 * largest
        assert np.abs(shifted @ step + gradient).max() <= 1e-12 * (np.abs(gradient).max() + largest * length)
        assert length <= (1 + SLACK) * radius
        assert length >= (1 - SLACK) * radius or damping == model.least


@pytest.mark.parametrize("shape", [(40, 12), (5, 12), (12, 12), (1, 3), (3, 1), (1, 1)])
def test_damped_least_squares(shape: tuple[int, int]) -> None:
    """Against SciPy's least squares on the rows [F, ρ] and [√μ I, 0]."""
    rows, residual = rng(1).standard_normal(shape), rng(2).standard_normal(shape[0])
    system = _core.DampedLeastSquares(rows, residual)
    for damping in (1e-4, 0.3, 10.0):
        below = np.sqrt(damping) * np.eye(shape[1])
        stacked = np.vstack([rows, below])
        reference = scipy.linalg.lstsq(stacked, -np.concatenate([residual, np.zeros(shape[1])]))[0]
        step, curvature = system.solve(damping)
        # The condition number of the stacked rows is at most ‖F‖/√μ, a few hundred.
        assert np.abs(step - reference).max() <= 1e-12 * np.abs(reference).max()
        triangle = scipy.linalg.qr(stacked, mode="r")[0][: shape[1]]
        half = scipy.linalg.solve_triangular(triangle, reference, trans="T")
        assert curvature == pytest.approx(half @ half, rel=1e-9)
        target = rows.T @ rng(3).standard_normal(shape[0])
        solution = scipy.linalg.cho_solve((triangle, False), target)
        assert np.abs(system.correct(target) - solution).max() <= 1e-9 * np.abs(solution).max()


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_shifted_system(count: int) -> None:
    square = rng(1).standard_normal((count, count))
    matrix, gradient = square + square.T, rng(2).standard_normal(count)
    values, _ = np.linalg.eigh(matrix)
    system = _core.ShiftedSystem(matrix, gradient)
    # LAPACK and Eigen each err by a few eps P ‖A‖.
    tolerance = 1e-14 * count * np.abs(values).max()
    assert abs(system.lowest - values[0]) <= tolerance
    assert abs(system.largest - np.abs(values).max()) <= tolerance
    lowest = system.lowest_vector()
    assert np.abs(matrix @ lowest - values[0] * lowest).max() <= 10 * tolerance
    shifted = matrix + (0.5 - values[0]) * np.eye(count)
    step, curvature = system.solve(0.5 - values[0])
    reference = np.linalg.solve(shifted, -gradient)
    assert np.abs(step - reference).max() <= 100 * tolerance * np.abs(reference).max()
    assert curvature == pytest.approx(reference @ np.linalg.solve(shifted, reference), rel=1e-10)


@pytest.mark.parametrize("arguments", [(np.ones(3), np.ones(3)), (np.ones((3, 2)), np.ones(2)), (np.ones((0, 2)), [])])
def test_the_models_refuse_other_shapes(arguments: Any) -> None:
    matrix, vector = arguments[0], np.asarray(arguments[1], float)
    for kind in (_core.DampedLeastSquares, _core.ShiftedSystem):
        with pytest.raises(ValueError, match="expected"):
            kind(matrix, vector)


@pytest.mark.parametrize("method", ["newton", "lm", "lbfgs"])
@pytest.mark.parametrize("size", [1e16, 1e-12, 1e60, 1e100, 1e150])
def test_parameters_of_different_scales(method: str, size: float) -> None:
    """An output weight of 1e16 beside an input weight of 1: each moves in its own scale."""
    x = np.linspace(-2, 2, 20)[:, None]
    obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, size * np.tanh(1.5 * x))
    result = ho.minimize(obj, [0.5, size], method=method, tol=0.0)
    if method == "lbfgs" and size != 1e16:
        return  # SciPy's line search has one scale for all
    assert np.abs(result.x / [1.5, size] - 1).max() <= 1e-7


# Outcomes


def two_humps() -> tuple[ho.Objective, np.ndarray]:
    """All weights zero and the output bias at the mean: the gradient vanishes by symmetry, and it is a saddle."""
    x = rng(0).standard_normal((30, 1))
    obj = ho.Objective(ho.MLP([1, 4, 1]), x, np.sin(2 * x))
    theta = np.zeros(13)
    theta[-1] = np.sin(2 * x).mean()
    return obj, theta


@pytest.mark.parametrize("method", ["lm", "gd", "lbfgs", "flow"])
def test_a_saddle_is_no_success(method: str) -> None:
    obj, theta = two_humps()
    result = ho.minimize(obj, theta, method=method)
    assert (result.outcome, result.success, result.status) == ("saddle", False, Stop.GRADIENT)
    assert "It is a saddle: the Hessian has the eigenvalue -" in result.message


@pytest.mark.parametrize("size", [1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("widths", [[2, 2, 1], [2, 2, 2, 1]])
def test_newton_leaves_a_degenerate_saddle(widths: list[int], size: float) -> None:
    """Near zero weights the gradient of XOR is of second order and the curvature of first: both are small there."""
    x, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0.0, 1, 1, 0])
    obj = ho.Objective(ho.MLP(widths, bias=False), x, y, loss="logistic")
    for seed in range(5):
        result = ho.minimize(obj, size * obj.net.init(rng(seed)), method="newton")
        assert result.success
        # From there no step of the length of θ changes the gradient by more than tol along negative curvature.
        assert np.linalg.eigvalsh(obj.hessian(result.x))[0] * np.linalg.norm(result.x) > -1e-10
        if len(widths) == 3:  # with two hidden layers both are below tol at weights of 1e-4
            assert result.fun < 0.9 * np.log(2)


def test_newton_leaves_a_saddle_without_any_gradient() -> None:
    obj, theta = two_humps()
    result = ho.minimize(obj, theta, method="newton", max_steps=200)
    assert result.fun < 0.1 * obj.loss(theta)
    assert result.outcome != "saddle"


@pytest.mark.parametrize(
    ("method", "size"),
    [*itertools.product(["newton", "lm"], [1e-100, 1e100, 1e150]), *(("lbfgs", size) for size in (1e16, 1e100, 1e150))],
)
def test_targets_of_any_size_are_fitted(method: str, size: float) -> None:
    """Where a square of the gradient would overflow or underflow too."""
    x = np.linspace(-1, 1, 20)[:, None]
    obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, size * np.tanh(1.5 * x))
    start = np.array([0.5, size])
    result = ho.minimize(obj, start, method=method, tol=1e-9 * np.abs(obj.gradient(start)).max())
    assert result.success
    assert abs(result.x[0] - 1.5) < 1e-6


def test_a_hessian_that_overflows_stalls_a_run() -> None:
    x = 1e8 * np.linspace(-1, 1, 20)[:, None]
    obj = ho.Objective(ho.MLP([1, 1, 1], bias=False), x, 1e150 * np.tanh(1.5e-8 * x))
    for method in ("newton", "lm"):
        result = ho.minimize(obj, [5e-9, 1e150], method=method)
        assert result.outcome == "stalled"
        assert "cannot be computed" in result.message


def test_outcomes() -> None:
    """Each from its definition: eigenvalues by NumPy, or a loss without a minimum."""
    obj, _, _ = linear(l2=0.1)
    end = ho.minimize(obj, np.zeros(10))
    assert (end.outcome, end.success) == ("minimum", True)
    assert np.linalg.eigvalsh(obj.hessian(end.x))[0] > 0.01
    # Fewer samples than parameters: a whole set of minima.
    small = random_problem(rng(1), (2, 4, 1), samples=5)
    assert ho.minimize(small.objective(), small.theta).outcome == "minimum"
    # A rectifier that is off on every sample, at a residual.
    off = ho.Objective(ho.MLP([1, 1, 1], "relu"), [[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
    assert ho.minimize(off, [1.0, -5.0, 1.0, 0.2], method="newton").outcome == "flat"
    # Separable classes: L = log(1 + e^{-w}), ever smaller.
    separable = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0], [2.0]], [1.0, 1.0], loss="logistic")
    for method in ("newton", "lbfgs"):
        assert ho.minimize(separable, [0.1], method=method).outcome == "to infinity"
    problem = student("tanh", 1)
    assert ho.minimize(problem.objective(), problem.theta, max_steps=2).outcome == "max_steps"
    assert ho.minimize(problem.objective(), problem.theta, loss_tol=1e9).outcome == "stopped"
    assert ho.minimize(problem.objective(), problem.theta, method="flow", time=0.1).outcome == "stopped"
    wild = student("square", 1)
    assert ho.minimize(wild.objective(), wild.theta, method="gd", learning_rate=1e3).outcome == "diverged"


def test_a_rescaled_orbit_does_not_hide_a_minimum() -> None:
    """The tangent of a ReLU neuron's rescaling is null at the minimum; across it the Hessian is positive."""
    net = ho.MLP([2, 1, 1], "relu")
    x = rng(1).standard_normal((60, 2))
    target = np.maximum(x @ [1.0, 0.5] + 0.2, 0) + 0.05 * rng(2).standard_normal(60)
    result = ho.minimize(ho.Objective(net, x, target), [1.2, 0.4, 0.1, 0.9, 0.1])
    assert (result.outcome, result.success) == ("minimum", True)


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("scale", [1e-160, 1.0, 1e100, 1e150, 1e200])
def test_corners_of_float64_are_outcomes(method: str, scale: float) -> None:
    """No error of NumPy, SciPy or Python's floats reaches the caller, whatever the size of weights and labels."""
    for activation in ("tanh", "exp", "square", "relu"):
        problem = student(activation, 1, samples=8)
        for theta, y in ((scale * problem.theta, problem.y), (problem.theta, scale * problem.y)):
            obj = ho.Objective(problem.network(), problem.x, y)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of SciPy's integrators on overflow
                result = ho.minimize(obj, theta, method=method, max_steps=5)
            assert result.outcome in OUTCOME_NAMES


def test_errors_of_a_callback_pass() -> None:
    def callback(_: Any) -> None:
        raise ValueError("mine")

    problem = student("tanh", 1)
    for method in METHODS:
        with pytest.raises(ValueError, match="mine"):
            ho.minimize(problem.objective(), problem.theta, method=method, callback=callback)


# Gradient flow


@pytest.mark.parametrize("solver", ["Radau", "BDF", "LSODA"])
def test_flow_on_a_quadratic(solver: str) -> None:
    """θ(t) = θ* + exp(−tH)(θ(0) − θ*)."""
    obj, hessian, solution = linear(l2=0.05)
    start = rng(3).standard_normal(10)
    times = np.array([0.0, 0.3, 1.0, 1.7, 5.0, 20.0])
    result = ho.minimize(obj, start, method="flow", solver=solver, times=times, rtol=1e-9, atol=1e-11, tol=1e-14)
    reference = np.array([solution + scipy.linalg.expm(-t * hessian) @ (start - solution) for t in times])
    # Local errors of 1e-9 on a decaying solution: they add up to a few hundred steps' worth at most.
    assert np.abs(result.trajectory.thetas - reference).max() <= 3e-7
    assert (result.trajectory.times == times).all()
    assert (result.status, result.success, result.t) == (Stop.TIME, True, 20.0)


def test_flow_of_a_network() -> None:
    problem = student("tanh", 2)
    gradient = gradient_of(problem)
    times = [0.5, 1.0, 3.0]
    result = ho.minimize(problem.objective(), problem.theta, method="flow", times=times)
    reference = scipy.integrate.solve_ivp(
        lambda _, theta: -np.asarray(gradient(theta)), (0, 3), problem.theta, "DOP853", times, rtol=1e-12, atol=1e-12
    )
    assert np.abs(result.trajectory.thetas - reference.y.T).max() <= 1e-6
    obj = problem.objective()
    assert (result.trajectory.losses == obj.loss(result.trajectory.thetas)).all()


@pytest.mark.parametrize("activation", ["relu", "identity", "square"])
def test_flow_conserves(activation: str) -> None:
    """‖w_in‖² + b² − k‖v_out‖² of every neuron of a k-homogeneous activation."""
    problem = student(activation, 3)
    obj = problem.objective()
    result = ho.minimize(obj, problem.theta, method="flow", time=1.0, rtol=1e-10, atol=1e-12)
    degree = {"relu": 1, "identity": 1, "square": 2}[activation]
    (incoming, bias), (outgoing, _) = obj.net.unflatten(result.trajectory.thetas)
    # Written for biases as weights of a constant input: they scale like the other incoming weights.
    conserved = (incoming**2).sum(axis=2) + bias**2 - degree * (outgoing**2).sum(axis=1)
    assert len(result.trajectory) > 20
    assert np.abs(conserved - conserved[0]).max() <= 1e-7
    assert np.abs(result.x - problem.theta).max() > 0.01


def test_flow_reaches_the_minimum() -> None:
    problem = student("tanh", 1).replace(l2=1e-2)
    result = ho.minimize(problem.objective(), problem.theta, method="flow", tol=1e-9)
    check_minimum(problem, result, tol=1e-9)
    assert (np.diff(result.trajectory.times) > 0).all()
    assert result.trajectory.thetas.shape == (len(result.trajectory), len(problem.theta))
    assert result.nhev > 0


# Why it stops, and what is kept


@pytest.mark.parametrize("method", list(METHODS))
def test_result_is_consistent(method: str) -> None:
    problem = student("tanh", 1)
    obj, start = problem.objective(), problem.theta.copy()
    seen: list[Any] = []
    result = ho.minimize(obj, start, method=method, max_steps=12, callback=seen.append, keep_thetas=True)
    assert (start == problem.theta).all()
    assert (result.status, result.success, result.nit, result.method) == (Stop.STEPS, False, 12, method)
    assert "max_steps = 12" in result.message
    assert result.fun == obj.loss(result.x)
    assert (result.jac == obj.gradient(result.x)).all()
    assert result.gradient_norm == np.abs(result.jac).max()
    trajectory = result.trajectory
    assert (trajectory.steps == np.arange(13)).all()
    assert (trajectory.thetas[0] == start).all()
    assert (trajectory.thetas[-1] == result.x).all()
    assert (trajectory.losses == obj.loss(trajectory.thetas)).all()
    assert (trajectory.gradient_norms == np.abs(obj.gradient(trajectory.thetas)).max(axis=1)).all()
    assert [s.fun for s in seen] == list(trajectory.losses)
    assert [s.nit for s in seen] == list(range(13))
    assert (trajectory.times is not None) == (method == "flow")
    assert result.nfev >= 13
    assert pickle.loads(pickle.dumps(result)).fun == result.fun
    assert repr(trajectory).startswith("Trajectory(13 points, 12 steps, loss ")


@pytest.mark.parametrize("method", list(METHODS))
def test_nothing_to_do(method: str) -> None:
    # A convex loss, as newton goes on where a gradient below tol stands beside negative curvature above it.
    obj, _, minimiser = linear()
    theta = minimiser + 0.1
    norm = np.abs(obj.gradient(theta)).max()
    for options, stop in [
        ({"tol": norm}, Stop.GRADIENT),
        ({"tol": 0.0, "loss_tol": obj.loss(theta)}, Stop.LOSS),
        ({"tol": 0.0, "max_steps": 0}, Stop.STEPS),
    ]:
        result = ho.minimize(obj, theta, method=method, **options)
        assert (result.status, result.nit, len(result.trajectory)) == (stop, 0, 1)
        assert (result.x == theta).all()


@pytest.mark.parametrize("method", list(METHODS))
def test_callback_ends_a_run(method: str) -> None:
    problem = student("tanh", 1)

    def callback(result: Any) -> None:
        if result.nit == 5:
            raise StopIteration

    result = ho.minimize(problem.objective(), problem.theta, method=method, callback=callback)
    assert (result.status, result.success, result.nit, len(result.trajectory)) == (Stop.CALLBACK, False, 5, 6)


@pytest.mark.parametrize("method", list(METHODS))
def test_interruption_keeps_what_was_reached(method: str) -> None:
    problem = student("tanh", 1)

    def callback(result: Any) -> None:
        if result.nit == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        ho.minimize(problem.objective(), problem.theta, method=method, callback=callback)
    assert isinstance(caught.value, Interrupted)
    result = caught.value.result
    assert (result.status, result.success, result.nit, len(result.trajectory)) == (Stop.INTERRUPTED, False, 5, 6)
    assert result.fun == problem.objective().loss(result.x)


def test_an_interruption_passes_between_processes() -> None:
    """A pool sends what its worker raised, and goes on."""
    problem = student("tanh", 1)
    obj, interrupting = problem.objective(), partial(exec, "raise KeyboardInterrupt")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        interrupted = pool.submit(ho.minimize, obj, problem.theta, callback=interrupting).exception()
        assert isinstance(interrupted, Interrupted)
        assert (interrupted.result.status, interrupted.result.x.tolist()) == (Stop.INTERRUPTED, problem.theta.tolist())
        assert str(pickle.loads(pickle.dumps(interrupted))) == str(interrupted)
        operator = pool.submit(obj.hessian_operator, problem.theta).result()
        np.testing.assert_array_equal(operator @ problem.theta, obj.hvp(problem.theta, problem.theta))


@pytest.mark.usefixtures("interruptible")
def test_a_signal_interrupts_the_compiled_loop() -> None:
    problem = student("tanh", 1)
    timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))

    def callback(result: Any) -> None:
        if result.nit == 100:
            timer.start()

    with pytest.raises(Interrupted) as caught:
        ho.minimize(
            problem.objective(), problem.theta, method="gd", learning_rate=1e-6, tol=0.0, max_steps=10**12,
            callback=callback,
        )  # fmt: skip
    timer.join()
    result = caught.value.result
    assert result.nit > 100
    assert result.nit == result.trajectory.steps[-1]
    assert (result.nfev, result.fun) == (result.nit + 1, problem.objective().loss(result.x))


def test_divergence() -> None:
    problem = student("square", 1)
    result = ho.minimize(problem.objective(), problem.theta, method="gd", learning_rate=1e3)
    assert (result.status, result.success) == (Stop.DIVERGED, False)
    assert not np.isfinite(result.fun)
    exploding = ho.Objective(ho.MLP([1, 1, 1], "exp"), [[1.0]], [0.0])
    for method in METHODS:
        result = ho.minimize(exploding, [800.0, 0.0, 1.0, 0.0], method=method)
        assert (result.status, result.nit) == (Stop.DIVERGED, 0)


def test_steps_into_overflow_are_refused() -> None:
    """A trust region that is far too large shrinks until the loss is finite."""
    problem = student("exp", 1)
    for method in ("lm", "newton"):
        result = ho.minimize(problem.objective(), problem.theta, method=method, radius=1e6, max_steps=50)
        assert result.fun < problem.objective().loss(problem.theta)
        assert (np.diff(result.trajectory.losses) < 0).all()


def test_a_gradient_that_overflows_is_no_decrease() -> None:
    """Where the loss is saturated a step may change nothing that float64 shows, and its gradient be inf - inf."""
    net = ho.MLP([1, 1, 1])
    run = Run(ho.Objective(net, [[1.0]], [1.0]), "newton", np.ones(4), 0.0, 0.0, 1, None, False, 1.0, np.ones(4))
    for gradient in ([np.inf, -np.inf, 0.0, 0.0], [np.nan, 0.0, 0.0, 0.0]):
        assert decrease(run, run.loss, np.array(gradient), np.ones(4)) == -np.inf
    assert decrease(run, np.inf, np.ones(4), np.ones(4)) == -np.inf


@pytest.mark.parametrize("method", ["lm", "newton", "lbfgs"])
def test_stalls_where_no_digit_is_left(method: str) -> None:
    obj, _, solution = linear(l2=0.1)
    result = ho.minimize(obj, solution + 1e-3, method=method, tol=0.0)
    assert result.status in (Stop.STALLED, Stop.GRADIENT)
    assert result.gradient_norm <= 1e-8


# Bad input


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"method": "sgd"}, ValueError, "method must be one of gd, momentum, adam, lm, newton, lbfgs, flow; got 'sgd'"),
        ({"method": 3}, TypeError, "method must be a string"),
        ({"tol": -1.0}, ValueError, "tol must be at least 0; got -1.0"),
        ({"tol": np.nan}, ValueError, "tol must be finite"),
        ({"loss_tol": "small"}, TypeError, "loss_tol must hold real numbers"),
        ({"max_steps": -1}, ValueError, "max_steps must be at least 0; got -1"),
        ({"max_steps": 2.5}, TypeError, "max_steps must be an integer"),
        ({"callback": 1}, TypeError, "callback must be callable; got 1"),
        ({"learning_rate": 0.1}, TypeError, "method 'lm' has no option 'learning_rate'; its options are radius"),
        ({"radius": 0.0}, ValueError, "radius must be positive; got 0.0"),
        ({"method": "gd", "learning_rate": -0.1}, ValueError, "learning_rate must be positive; got -0.1"),
        ({"method": "gd", "momentum": 0.1}, TypeError, "its options are learning_rate"),
        ({"method": "momentum", "momentum": 1.0}, ValueError, "momentum must be at least 0 and below 1; got 1.0"),
        ({"method": "adam", "beta2": -0.1}, ValueError, "beta2 must be at least 0 and below 1"),
        ({"method": "adam", "epsilon": -1e-8}, ValueError, "epsilon must be at least 0"),
        ({"method": "lbfgs", "memory": 0}, ValueError, "memory must be at least 1; got 0"),
        ({"method": "flow", "solver": "RK45"}, ValueError, "solver must be one of Radau, BDF, LSODA; got 'RK45'"),
        ({"method": "flow", "time": 0}, ValueError, "time must be positive"),
        ({"method": "flow", "rtol": 0}, ValueError, "rtol must be positive"),
        ({"method": "flow", "times": []}, ValueError, "times must have shape"),
        ({"method": "flow", "times": [1.0, 1.0]}, ValueError, "times must increase strictly"),
        ({"method": "flow", "times": [-1.0, 1.0]}, ValueError, "times must increase strictly"),
    ],
)
def test_bad_options(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    problem = student("tanh", 1, samples=10)
    with pytest.raises(kind, match=message):
        ho.minimize(problem.objective(), problem.theta, **options)


def test_bad_points() -> None:
    problem = random_problem(rng(), (2, 3, 2), loss="logistic")
    obj, theta = problem.objective(), problem.theta
    with pytest.raises(TypeError, match="obj must be an Objective or a PopulationObjective; got a function"):
        ho.minimize(lambda t: t, theta)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"theta must have shape \(17,\); got \(2, 17\)"):
        ho.minimize(obj, np.stack([theta, theta]))
    with pytest.raises(ValueError, match="theta must have shape"):
        ho.minimize(obj, theta[1:])
    with pytest.raises(ValueError, match="theta must be finite"):
        ho.minimize(obj, np.full(17, np.nan))
    with pytest.raises(TypeError, match="theta must be float64"):
        ho.minimize(obj, theta.astype(np.longdouble))
    with pytest.raises(ValueError, match="minimises squared errors only; this objective has the loss 'logistic'"):
        ho.minimize(obj, theta)
