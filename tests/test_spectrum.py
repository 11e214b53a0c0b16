"""Spectra against closed forms, NumPy on jax's Hessians, and mpmath at 50 digits; condition numbers by their laws."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

import hessorbit as ho
from hessorbit import _core
from hessorbit.approximate import Approximate
from hessorbit.decomposition import Dense, Gram, SingularValues, symmetric_eigen
from hessorbit.error_bounds import error_bounds
from hessorbit.gauss_newton import residual_curvature_bound
from hessorbit.loss_errors import loss_around
from hessorbit.spectra import ConditionNumber
from oracles import jets, taylor
from oracles.autodiff import AutodiffReference
from oracles.compare import assert_close
from oracles.problem import LOSSES, Problem, random_problem


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def linear(singular_values: Any, *, samples: int | None = None, l2: float = 0.0) -> ho.Objective:
    """A bias-free linear model at zero residual for θ = 0; its Hessian has eigenvalues σ² / N + l2, and zeros.

    Rows of x are σ_i e_i, completed by zero rows.
    """
    values = np.asarray(singular_values, float)
    x = np.zeros((samples or len(values), len(values)))
    np.fill_diagonal(x, values)
    return ho.Objective(ho.MLP([len(values), 1], bias=False), x, np.zeros(len(x)), l2=l2)


def zero_residual(problem: Problem) -> ho.Objective:
    """The problem with its own outputs as targets: the residual is zero to the last bit."""
    net = problem.network()
    return ho.Objective(net, problem.x, net(problem.theta, problem.x), sample_weight=problem.sample_weight)


def eigenvalues50(matrix: np.ndarray) -> list[Any]:
    """Ascending eigenvalues at 50 digits of a symmetric matrix of mpmath numbers."""
    values = taylor.context.eigsy(taylor.context.matrix(matrix.tolist()), eigvals_only=True)
    return sorted(values)


def test_of_a_linear_model() -> None:
    obj = linear([3.0, 1.0, 2.0, 4.0])
    sp = ho.spectrum(obj, np.zeros(4))
    assert_close(sp.eigenvalues, np.array([1.0, 4.0, 9.0, 16.0]) / 4, parameters=4)
    assert sp.trace == pytest.approx(7.5, rel=1e-15)
    assert (sp.max, sp.min) == (sp.eigenvalues[-1], sp.eigenvalues[0])
    assert (sp.rank, sp.num_negative, sp.method, sp.driver, sp.matrix) == (4, 0, "dense", "dsyevd", "hessian")
    assert sp.vectors is None


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_against_numpy_on_jax(loss: str, l2: float) -> None:
    problem = random_problem(rng(), (3, 5, 2), "gelu", loss=loss, samples=20, weighted=True, l2=l2)
    hessian = AutodiffReference(problem).derivatives(problem.theta, problem.theta)["hessian"]
    reference = np.linalg.eigvalsh(hessian)
    sp = ho.spectrum(problem.objective(), problem.theta, vectors=True)
    # Weyl: eigenvalues differ by at most the norm of the difference of the matrices, P times an entry.
    assert_close(sp.eigenvalues, reference, parameters=len(hessian) ** 2, relative=2e-13)
    assert sp.num_negative == (reference < -sp.floor).sum() > 0
    assert sp.trace == pytest.approx(np.trace(hessian), abs=sp.floor)
    residual = hessian @ sp.vectors - sp.vectors * sp.eigenvalues
    assert np.abs(residual).max() <= 2 * sp.floor
    assert_close(sp.vectors.T @ sp.vectors, np.eye(len(hessian)), parameters=len(hessian) ** 2)


@pytest.mark.filterwarnings("ignore:the loss 'cross_entropy' of one output")
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("outputs", [1, 3])
def test_gauss_newton_factor(loss: str, outputs: int) -> None:
    problem = random_problem(rng(3), (3, 4, outputs), loss=loss, samples=12, weighted=True, integer_labels=False)
    reference = AutodiffReference(problem).derivatives(problem.theta, problem.theta)["gauss_newton"]
    rows = problem.objective().gauss_newton_factor(problem.theta)
    # The curvature of the cross-entropy has rank K − 1: the same added to all outputs changes nothing.
    each = max(outputs - 1, 1) if loss == "cross_entropy" else outputs
    assert rows.shape == (12 * each, problem.num_parameters)
    # jax brings errors of its own.
    assert_close(rows.T @ rows, reference, parameters=len(reference), relative=2e-13)


@pytest.mark.parametrize("loss", LOSSES)
def test_gauss_newton_factor_where_probabilities_saturate(loss: str) -> None:
    problem = random_problem(rng(3), (3, 4, 3), loss=loss, samples=12, scale=60.0, integer_labels=False)
    rows = problem.objective().gauss_newton_factor(problem.theta)
    assert np.isfinite(rows).all()
    assert_close(rows.T @ rows, problem.objective().gauss_newton(problem.theta), parameters=problem.num_parameters)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("samples", "l2"), [(4, 0.0), (4, 0.25), (40, 0.25)])
def test_gauss_newton_matrix_by_every_method(loss: str, samples: int, l2: float) -> None:
    problem = random_problem(rng(4), (3, 4, 2), loss=loss, samples=samples, l2=l2, weighted=True)
    obj, count = problem.objective(), problem.num_parameters
    matrix = AutodiffReference(problem).derivatives(problem.theta, problem.theta)["gauss_newton"]
    reference = np.linalg.eigvalsh(matrix)
    wide = samples * 2 < count
    for method, vectors, kind in [
        ("auto", False, "gram" if wide else "dense"),
        ("auto", True, "jacobian" if wide else "dense"),
        ("dense", True, "dense"),
        ("gram", False, "gram"),
        ("jacobian", False, "jacobian"),
        ("jacobian", True, "jacobian"),
    ]:
        sp = ho.spectrum(obj, problem.theta, matrix="gauss_newton", method=method, vectors=vectors)
        assert (sp.method, sp.matrix) == (kind, "gauss_newton")
        assert_close(sp.eigenvalues, reference, parameters=count**2, relative=2e-13)
        assert sp.trace == pytest.approx(np.trace(matrix), rel=1e-12)
        if sp.vectors is not None:
            residual = matrix @ sp.vectors - sp.vectors * sp.eigenvalues
            assert np.abs(residual).max() <= 2e-13 * count * sp.max


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("activation", ["tanh", "softplus", "relu"])
def test_small_side_at_zero_residual(activation: str, outputs: int) -> None:
    problem = random_problem(rng(5), (4, 8, outputs), activation, samples=9, weighted=True)
    obj = zero_residual(problem)
    dense = ho.spectrum(obj, problem.theta, method="dense")
    small = ho.spectrum(obj, problem.theta)
    fine = ho.spectrum(obj, problem.theta, method="jacobian")
    missing = problem.num_parameters - 9 * outputs
    assert (dense.method, small.method, fine.method) == ("dense", "gram", "jacobian")
    assert (small.eigenvalues[:missing] == 0).all()
    assert (fine.eigenvalues[:missing] == 0).all()
    assert np.abs(small.eigenvalues - dense.eigenvalues).max() <= dense.floor
    assert np.abs(fine.eigenvalues - dense.eigenvalues).max() <= dense.floor
    assert fine.floor < min(dense.floor, small.floor)


@pytest.mark.parametrize("seed", range(3))
def test_floor_bounds_the_error(seed: int) -> None:
    """No dense eigenvalue is further than the floor from the eigenvalue at 50 digits."""
    for activation, widths in [("tanh", (2, 3, 1)), ("gelu", (2, 2, 2, 1)), ("relu", (1, 4, 1))]:
        problem = random_problem(rng(seed), widths, activation, samples=7, scale=2.0)
        reference = eigenvalues50(jets.evaluate(problem, digits50=True).total("hessian"))
        sp = ho.spectrum(problem.objective(), problem.theta)
        error = max(abs(taylor.mpf(a) - b) for a, b in zip(sp.eigenvalues, reference, strict=True))
        assert error <= sp.floor <= 1e-13 * max(abs(reference[0]), abs(reference[-1]))


def test_the_floor_of_more_data_is_not_measured_where_all_eigenvalues_are_large() -> None:
    """It bounds the error all the same, as longdouble eigenvalues tell."""
    problem = random_problem(rng(0), (5, 8, 1), samples=800)
    obj = problem.objective()
    sp, fine = ho.spectrum(obj, problem.theta), ho.spectrum(obj, problem.theta.astype(np.longdouble))
    assert (
        sp.floor
        == error_bounds(obj, problem.theta).hessian
        + 2.0**-52 * (len(problem.theta) + 8) * np.abs(sp.eigenvalues).max()
        + (len(problem.theta) + 8) * 2.0**-1074
    )
    assert np.abs(sp.eigenvalues).min() > 1e3 * (sp.floor - 2.0**-52 * len(problem.theta) * sp.max)
    assert float(np.abs(sp.eigenvalues - fine.eigenvalues).max()) <= sp.floor


def offset(problem: Problem, inputs: float = 0.0, labels: float = 0.0) -> Problem:
    """The same function on shifted data: biases take the shift back, up to their rounding."""
    theta, first, last = problem.theta.copy(), problem.layers()[0], problem.layers()[-1]
    theta[first.bias] -= inputs * theta[first.weights].sum(axis=1)
    theta[last.bias] += labels
    return problem.replace(theta=theta, x=problem.x + inputs, y=problem.y + labels)


@pytest.mark.parametrize("measured", [True, False])
@pytest.mark.parametrize("seed", range(2))
def test_floor_bounds_the_error_on_hard_data(seed: int, measured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offsets that cancel, saturated units, tiny and near-duplicate weights, every loss: eigenvalues at 50 digits."""
    if not measured:  # the bound of the running error analysis alone
        monkeypatch.setattr("hessorbit.matrix_errors.MEASURABLE", 0)
    plain = random_problem(rng(seed), (2, 3, 1), samples=8)
    fitted = plain.replace(y=plain.network()(plain.theta, plain.x))
    near = fitted.theta.copy()
    near[2:4], near[7] = near[:2] * (1 + 1e-7), near[6] * (1 - 1e-7)
    cases = [offset(plain, labels=1e6), offset(fitted, labels=1e6), offset(plain, inputs=1e6), offset(plain, 1e8, 1e8)]
    cases += [offset(fitted.replace(theta=near), labels=1e6), offset(fitted.replace(theta=near), inputs=1e3)]
    cases += [random_problem(rng(seed), (2, 3, 2), "relu", samples=8, loss=loss, scale=s)
              for loss in LOSSES for s in (1e-3, 30.0)]  # fmt: skip
    cases += [random_problem(rng(seed), (1, 2, 2, 2, 1), "sin", samples=5, scale=6.0)]
    for problem in cases:
        reference = eigenvalues50(jets.evaluate(problem, digits50=True).total("hessian"))
        sp = ho.spectrum(problem.objective(), problem.theta)
        error = max(abs(taylor.mpf(a) - b) for a, b in zip(sp.eigenvalues, reference, strict=True))
        assert error <= sp.floor
        # What is resolved has the right sign, and a condition number lies where it is said to.
        assert sp.num_negative <= sum(v < 0 for v in reference)
        kappa, magnitudes = sp.condition_number("raw"), [abs(v) for v in reference]
        exact = max(magnitudes) / min(magnitudes) if min(magnitudes) else np.inf
        assert kappa.lower * (1 - 1e-14) <= exact <= kappa.upper * (1 + 1e-14)


def test_the_floor_of_ordinary_data_is_small() -> None:
    """P + 40 roundings of the largest eigenvalue: what LAPACK's backward error bound is, and a little more."""
    for loss in LOSSES:
        for widths in [(2, 3, 2), (5, 10, 2), (3, 5, 5, 2)]:
            problem = random_problem(rng(1), widths, loss=loss, samples=100)
            sp = ho.spectrum(problem.objective(), problem.theta)
            assert sp.floor <= (len(problem.theta) + 40) * 2.3e-16 * np.abs(sp.eigenvalues).max()


@pytest.mark.parametrize("loss", LOSSES)
def test_error_bounds_of_every_matrix(loss: str) -> None:
    """Against longdouble, whose own errors are 2000 times smaller."""
    for seed, activation in enumerate(["tanh", "gelu", "elu", "softsign", "exp", "square"]):
        scale = 0.5 if loss == "poisson" else 2.0  # exponentials of exponentials overflow
        problem = random_problem(rng(seed), (3, 4, 3, 2), activation, loss=loss, samples=30, weighted=True, scale=scale)
        obj, theta = problem.objective(), problem.theta
        bounds, fine = error_bounds(obj, theta), theta.astype(np.longdouble)
        for name, error in [
            ("hessian", obj.hessian(fine) - obj.hessian(theta)),
            ("gauss_newton", obj.gauss_newton(fine) - obj.gauss_newton(theta)),
            ("factor", obj.gauss_newton_factor(fine) - obj.gauss_newton_factor(theta)),
        ]:
            assert np.linalg.norm(error.astype(float), 2) <= getattr(bounds, name)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "cross_entropy"])
def test_error_bounds_of_a_loss_without_an_analysis(loss: str) -> None:
    """Its derivatives at a point within the error of f, in longdouble, are within the bounds of those in float64."""
    draw = rng(0)
    for scale in (1e-12, 1e-3, 1.0, 20.0):
        f, share = scale * draw.standard_normal((200, 2)), draw.uniform(-1, 1, (200, 2))
        y = np.abs(np.where(share > 0, f, 0.3))  # targets of every loss where f is at most one
        moved = np.abs(f) * 10.0 ** draw.uniform(-17, -13, f.shape)
        bounds = loss_around(loss, 0.3, Approximate(f, moved), y)
        true = _core.loss_derivatives(
            loss, 0.3, (f.astype(np.longdouble) + share * moved).ravel(), y.astype(np.longdouble).ravel()
        )
        for bound, fine in zip(bounds, true, strict=True):
            assert np.all(np.abs(fine.reshape(f.shape) - bound.value) <= bound.error)


@pytest.mark.parametrize("outputs", [2, 3, 8])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_error_bounds_of_the_factor_of_the_cross_entropy(outputs: int, scale: float) -> None:
    """Outputs that nearly agree, and that differ by hundreds, on inputs with an offset; F in longdouble decides."""
    for seed, widths in enumerate([(2, outputs), (2, 4, outputs), (2, 3, 3, outputs)]):
        problem = random_problem(rng(seed), widths, loss="cross_entropy", samples=10, scale=scale, integer_labels=False)
        for inputs in (0.0, 1e5):
            net, x, theta = problem.network(), problem.x + inputs, problem.theta
            obj = ho.Objective(net, x, problem.y, loss="cross_entropy")
            error = obj.gauss_newton_factor(theta.astype(np.longdouble)) - obj.gauss_newton_factor(theta)
            assert np.linalg.norm(error.astype(float)) <= error_bounds(obj, theta).factor


@pytest.mark.parametrize("gap", [300.0, 690.0, 720.0, 740.0, 745.0, 800.0])
@pytest.mark.parametrize("loss", ["logistic", "cross_entropy", "poisson"])
def test_eigenvalues_near_underflow(loss: str, gap: float) -> None:
    """One sample, x = (gap, 1): the only nonzero eigenvalue is ‖x‖² times the curvature of the loss, or twice that."""
    x = np.array([[gap, 1.0]])
    obj = {
        "logistic": lambda: ho.Objective(ho.MLP([2, 1], bias=False), x, [1.0], loss=loss),
        "cross_entropy": lambda: ho.Objective(ho.MLP([2, 2], bias=False), x, [0], loss=loss),
        "poisson": lambda: ho.Objective(ho.MLP([2, 1], bias=False), x, [0.0], loss=loss),
    }[loss]()
    theta = np.zeros(obj.num_parameters)
    theta[0] = -1.0 if loss == "poisson" else 1.0
    exp = taylor.context.exp(-taylor.context.mpf(gap))
    exact = (exp if loss == "poisson" else exp / (1 + exp) ** 2) * (gap**2 + 1) * (2 if loss == "cross_entropy" else 1)
    for matrix, method in [("hessian", "dense"), ("hessian", "auto"), ("gauss_newton", "jacobian")]:
        sp = ho.spectrum(obj, theta, matrix=matrix, method=method)
        top, floor = taylor.to_mp(sp.max), taylor.to_mp(sp.floor)
        slack = 2 * taylor.context.sqrt(top * floor) if method == "jacobian" else 0
        assert abs(top - exact) <= floor + slack
        assert sp.floor > 0
        assert sp.rank == (sp.max > sp.floor)
        kappa = sp.condition_number()
        assert kappa.lower <= 1 <= kappa.upper  # nothing is left but one direction
        assert sp.condition_number("raw").is_lower_bound


def test_errors_of_what_underflows_on_the_way() -> None:
    """Curvatures of 1e-320 have three digits, which large weights bring into range without the others."""
    x, theta = np.array([[1.0, 0.3]]), np.array([1e14, 2e13, -744.0])
    problem = Problem((2, 1), (("identity",),), (True,), "standard", "logistic", x * 1e-14, np.array([[0.0]]), theta)
    for scale in (1.0, 1e-7, 1e-14):
        scaled = problem.replace(x=x * scale, theta=np.array([1 / scale, 0.2 / scale, -744.0]))
        exact = jets.evaluate(scaled, digits50=True).total("hessian")
        values = eigenvalues50(np.asarray(exact, object))
        sp = ho.spectrum(scaled.objective(), scaled.theta, method="dense")
        for value, other in zip(sp.eigenvalues, values, strict=True):
            assert abs(taylor.to_mp(value) - other) <= taylor.to_mp(sp.floor)


def test_residuals_far_below_one() -> None:
    """A confident classifier's Hessian is 1e-255, and has a spectrum."""
    obj = ho.Objective(ho.MLP([2, 1], bias=False), [[600.0, 0.0]], [1.0], loss="logistic")
    sp = ho.spectrum(obj, [1.0, 0.0])
    with taylor.context.workdps(50):
        decay = taylor.context.exp(-600)
        exact = float(taylor.mpf(600) ** 2 * decay / (1 + decay) ** 2)
    assert sp.max == pytest.approx(exact, rel=1e-13)
    assert (sp.rank, sp.num_negative) == (1, 0)
    wide = ho.Widening(ho.MLP([2, 2, 1], bias=False), copies=[[2, 1]])
    theta = wide(np.array([1.0, 0.0, 0.5, 1.0, 500.0, 100.0]))
    deep = ho.spectrum(ho.Objective(wide.net, [[60.0, 1.0]], [1.0], loss="logistic"), theta)
    assert 0 < deep.max < 1e-200
    assert deep.condition_number() >= 1


def test_singular_values_resolve_more() -> None:
    """An ill-conditioned minimum of zero residual against its eigenvalues at 50 digits."""
    problem = random_problem(rng(1), (2, 3, 1), "tanh", samples=40, scale=0.05)
    obj = zero_residual(problem)
    jacobian = jets.evaluate(problem, digits50=True).total("jacobian")
    reference = np.array([float(v) for v in eigenvalues50(jacobian.T @ jacobian / taylor.mpf(40))])
    fine = ho.spectrum(obj, problem.theta, matrix="gauss_newton", method="jacobian")
    dense = ho.spectrum(obj, problem.theta)
    assert reference[0] < dense.floor  # else the case shows nothing
    assert reference[0] > 10 * fine.floor
    # A singular value is known to within √floor.
    error = np.abs(np.sqrt(fine.eigenvalues) - np.sqrt(reference))
    assert error.max() <= np.sqrt(fine.floor)
    kappa = fine.condition_number("raw")
    assert not kappa.is_lower_bound
    assert kappa == pytest.approx(reference[-1] / reference[0], rel=4 * np.sqrt(fine.floor / reference[0]))
    bound = dense.condition_number("raw")
    assert bound.is_lower_bound
    assert bound <= kappa


def test_bound_on_what_gauss_newton_leaves() -> None:
    for loss in LOSSES:
        problem = random_problem(rng(2), (2, 3, 2), "gelu", loss=loss, samples=15, weighted=True)
        values = AutodiffReference(problem).derivatives(problem.theta, problem.theta)
        rest = np.linalg.norm(values["hessian"] - values["gauss_newton"], 2)
        bound = residual_curvature_bound(problem.objective(), problem.theta)
        # ‖S z‖ is at most ‖S‖ ‖z‖, and ‖z‖ below 2√P but for odds beyond these tests.
        assert rest <= bound <= 8 * 2 * np.sqrt(problem.num_parameters) * rest


@pytest.mark.parametrize("size", [1e-3, 1e-12, 1e-200])
def test_the_bound_is_linear_in_the_residual(size: float) -> None:
    problem = random_problem(rng(2), (3, 4, 1), "tanh", samples=15)
    net, direction = problem.network(), rng(8).standard_normal((15, 1))
    zero = problem.replace(theta=np.zeros(problem.num_parameters), y=-direction)
    # At θ = 0 outputs are zero, so residuals are what targets make them, to the last digit.
    scaled = ho.Objective(net, problem.x, -size * direction)
    assert residual_curvature_bound(scaled, zero.theta) == pytest.approx(
        size * residual_curvature_bound(zero.objective(), zero.theta), rel=1e-13
    )
    assert residual_curvature_bound(ho.Objective(net, problem.x, np.zeros((15, 1))), zero.theta) == 0.0


def test_residual_too_large_for_the_small_side() -> None:
    problem = random_problem(rng(5), (4, 8, 1), samples=9)
    obj = problem.objective()
    assert ho.spectrum(obj, problem.theta).method == "dense"
    for method in ("gram", "jacobian"):
        with pytest.raises(ValueError, match=f"method '{method}' needs a zero residual"):
            ho.spectrum(obj, problem.theta, method=method)


def test_residual_within_rounding_enters_the_floor() -> None:
    problem = random_problem(rng(5), (4, 8, 1), samples=9)
    exact = zero_residual(problem)
    near = ho.Objective(exact.net, exact.x, np.nextafter(exact.y, np.inf))
    for obj in (exact, near):
        sp = ho.spectrum(obj, problem.theta, method="jacobian")
        # Longdouble tells the residual of the stored data, float64 does not.
        theta = problem.theta.astype(np.longdouble)
        rest = np.linalg.norm((obj.hessian(theta) - obj.gauss_newton(theta)).astype(float), 2)
        assert 0 < rest <= sp.floor
        assert ho.spectrum(obj, problem.theta, matrix="gauss_newton", method="jacobian").floor < rest


def test_extended_precision() -> None:
    """Longdouble eigenvalues of a longdouble Hessian, within a floor that is smaller as well; 50 digits tell."""
    problem = random_problem(rng(7), (2, 4, 1), samples=10)
    obj, theta = problem.objective(), problem.theta.astype(np.longdouble)
    reference = eigenvalues50(jets.evaluate(problem, digits50=True).total("hessian"))
    sp = ho.spectrum(obj, theta, vectors=True)
    error = max(abs(taylor.to_mp(a) - b) for a, b in zip(sp.eigenvalues, reference, strict=True))
    assert error <= sp.floor <= 1e-16 * sp.max
    assert sp.floor < ho.spectrum(obj, problem.theta).floor / 100
    assert sp.vectors is not None
    assert np.abs(obj.hessian(theta) @ sp.vectors - sp.vectors * sp.eigenvalues).max() <= sp.floor
    given = ho.spectrum(obj, problem.theta, matrix=obj.hessian(theta))
    assert (given.eigenvalues == sp.eigenvalues).all()
    # With zero modes, whose eigenvalues are equal.
    wide = ho.Widening(problem.network(), copies=[[2, 1, 3, 1]])
    start = wide(problem.theta).astype(np.longdouble)
    flat = ho.spectrum(ho.Objective(wide.net, problem.x, problem.y), start, matrix="gauss_newton")
    assert flat.zero_modes.measured >= len(start) - len(problem.theta)
    assert flat.floor <= 1e-15 * np.abs(flat.eigenvalues).max()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["tanh", "relu", "normal_cdf", "selu", "g"])
def test_many_digits(loss: str, activation: str) -> None:
    problem = random_problem(rng(3), (2, 2, 2), activation, loss=loss, samples=4, weighted=True, l2=0.01)
    exact = jets.evaluate(problem, digits50=True)
    for matrix in ("hessian", "gauss_newton"):
        sp = ho.spectrum(problem.objective(), problem.theta, matrix=matrix, digits=40)
        reference = eigenvalues50(exact.total(matrix))
        errors = [abs(taylor.mpf(str(a)) - b) for a, b in zip(sp.eigenvalues, reference, strict=True)]
        # The reference itself has 50 digits.
        assert max(errors) <= sp.floor + 1e-45
        assert 0 < sp.floor <= 1e-40 * float(sp.eigenvalues[-1])


def test_eigenvalues_below_what_decimals_hold_are_zero_within_the_floor() -> None:
    """f = v exp(−exp(50)): every entry of the Hessian is below 10^(−10^21)."""
    obj = ho.Objective(ho.MLP([1, 1, 1, 1], "exp", bias=False), [[1.0]], [0.0])
    sp = ho.spectrum(obj, [50.0, -1.0, 1.0], digits=20, zero_modes=None)
    assert [*sp.eigenvalues] == [0, 0, 0]
    assert 0 < sp.floor < 1e-300


def test_many_digits_resolve_what_float64_does_not() -> None:
    obj = linear([1.0, 1e-30])
    sp = ho.spectrum(obj, np.zeros(2), digits=80)
    kappa = sp.condition_number("raw")
    assert kappa == pytest.approx(1 / 1e-30**2, rel=1e-12)
    assert not kappa.is_lower_bound
    assert ho.spectrum(obj, np.zeros(2), method="dense").condition_number("raw").is_lower_bound
    assert pickle.loads(pickle.dumps(sp)).eigenvalues[0] == sp.eigenvalues[0]
    assert "proven" in repr(sp)


def test_the_quotient_claims_no_more_digits_than_it_has() -> None:
    """Its eigenvalues are float64's beside those that are proven; the reference is all proven but for three zeros."""
    net = ho.MLP([2, 2, 3])
    obj = ho.Objective(net, rng(1).standard_normal((12, 2)), rng(2).integers(0, 3, 12), loss="cross_entropy")
    sp = ho.spectrum(obj, net.init(rng(4)), digits=60)
    sizes = sorted(abs(value) for value in sp.eigenvalues)
    assert len(sp.zero_modes) == 3
    assert sizes[2] <= sp.floor
    kappa = sp.condition_number()
    assert kappa.lower <= float(sizes[-1] / sizes[3]) <= kappa.upper
    assert kappa.upper / kappa.lower - 1 >= np.finfo(float).eps
    assert sp.num_negative == sum(value < -sp.floor for value in sp.eigenvalues)


def test_proven_floors_below_the_range_of_float64() -> None:
    """A proven bound of 1e-1000 is not zero, which would call every eigenvalue resolved."""
    sp = ho.spectrum(linear([1.0, 2.0]), np.zeros(2), digits=1000)
    assert 0 < sp.floor <= 1e-300


def test_many_digits_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(ImportError, match=r"hessorbit\[certify\]"):
        ho.spectrum(linear([1.0, 2.0]), np.zeros(2), digits=30)


def test_given_matrix() -> None:
    obj = linear([1.0, 2.0, 3.0])
    matrix = np.array([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, -5.0]])
    sp = ho.spectrum(obj, np.zeros(3), matrix=matrix)
    assert_close(sp.eigenvalues, [-5.0, 1.0, 3.0], parameters=3)
    assert (sp.matrix, sp.num_negative, sp.rank) == ("given", 1, 3)
    assert sp.condition_number("raw") == pytest.approx(5.0, rel=1e-14)


# Condition numbers


def test_conventions() -> None:
    sp = ho.spectrum(linear([8.0, 4.0, 2.0, 1.0]), np.zeros(4))
    for kappa, value, name in [
        (sp.condition_number(), 64.0, "quotient"),
        (sp.condition_number("raw"), 64.0, "raw"),
        (sp.condition_number(rank=3), 16.0, "rank=3"),
        (sp.condition_number(rank=1), 1.0, "rank=1"),
        (sp.condition_number(threshold=0.05), 16.0, "threshold=0.05"),
        (sp.condition_number(threshold=0), 64.0, "threshold=0"),
    ]:
        assert kappa == pytest.approx(value, rel=1e-14)
        assert (kappa.convention, kappa.is_lower_bound) == (name, False)
        assert repr(kappa) == f"{value:g} ({name})"


def test_unresolved_denominator_gives_a_lower_bound() -> None:
    sp = ho.spectrum(linear([1.0, 1e-12]), np.zeros(2))
    kappa = sp.condition_number("raw")
    assert kappa.is_lower_bound
    assert 1e13 < kappa < 1e24
    assert repr(kappa).startswith("≥ ")
    assert sp.rank == 1
    fine = ho.spectrum(linear([1.0, 1e-12]), np.zeros(2), method="jacobian").condition_number("raw")
    assert not fine.is_lower_bound
    assert fine == pytest.approx(1e24, rel=1e-2)


def test_condition_number_of_nothing() -> None:
    zero = ho.spectrum(linear([0.0, 0.0]), np.zeros(2))
    assert np.isnan(zero.condition_number("raw"))
    assert zero.rank == 0
    everything = ho.spectrum(linear([1.0, 2.0]), np.zeros(2), zero_modes=np.eye(2))
    assert np.isnan(everything.condition_number())
    assert len(everything.quotient_eigenvalues) == 0


def test_condition_number_is_a_float_that_pickles() -> None:
    kappa = ho.spectrum(linear([1.0, 1e-12]), np.zeros(2)).condition_number("raw")
    copy = pickle.loads(pickle.dumps(kappa))
    assert isinstance(copy, float)
    assert (copy, copy.convention, copy.is_lower_bound) == (kappa, "raw", True)
    assert f"{ConditionNumber(2.5, 'raw', False):.2f}" == "2.50"
    assert str(kappa) == repr(kappa)


@pytest.mark.parametrize("method", ["dense", "gram", "jacobian"])
@pytest.mark.parametrize("samples", [4, 7, 30])
def test_quotient_by_given_modes(method: str, samples: int) -> None:
    """Restriction to the complement of any subspace, annihilated or not, against NumPy's own projection."""
    problem = random_problem(rng(6), (2, 3, 2), samples=samples)
    obj = zero_residual(problem)
    basis = np.linalg.qr(rng(9).standard_normal((problem.num_parameters, 5)))[0]
    sp = ho.spectrum(obj, problem.theta, method=method, zero_modes=basis)
    _, vectors = np.linalg.eigh(basis @ basis.T)
    complement = vectors[:, : problem.num_parameters - 5]
    reference = np.linalg.eigvalsh(complement.T @ obj.hessian(problem.theta) @ complement)
    assert len(sp.quotient_eigenvalues) == problem.num_parameters - 5
    dense = ho.spectrum(obj, problem.theta, method="dense")
    assert np.abs(sp.quotient_eigenvalues - reference).max() <= 2 * dense.floor
    images = np.linalg.norm(obj.hessian(problem.theta) @ basis, axis=0) / sp.max
    assert_close(sp.zero_modes.residuals, images, parameters=problem.num_parameters)


def test_quotient_at_a_widened_minimum() -> None:
    """Predicted zero modes leave exactly the nonzero spectrum, by no tolerance."""
    problem = random_problem(rng(3), (3, 4, 1), "tanh", samples=60)
    net = problem.network()
    widening = ho.Widening(net, copies=[[2, 1, 3, 1]])
    theta = widening(problem.theta)
    obj = ho.Objective(widening.net, problem.x, net(problem.theta, problem.x))
    sp = ho.spectrum(obj, theta)
    wide = widening.net.num_parameters
    assert len(sp.zero_modes) == wide - net.num_parameters == sp.zero_modes.measured
    assert (sp.zero_modes.residuals * sp.max <= sp.floor).all()
    # math: the nonzero spectrum is that of D^{1/2} H D^{1/2}, D = T Tᵀ, with H of the narrow network.
    transfer = widening.transfer()
    scaling = np.sqrt(np.diagonal((transfer @ transfer.T).toarray()))
    narrow = ho.Objective(net, problem.x, net(problem.theta, problem.x)).hessian(problem.theta)
    reference = np.linalg.eigvalsh(scaling[:, None] * narrow * scaling)
    assert np.abs(sp.quotient_eigenvalues - reference).max() <= 2 * sp.floor
    kappa = sp.condition_number()
    assert (kappa.convention, kappa.is_lower_bound) == ("quotient", False)
    assert kappa == pytest.approx(reference[-1] / reference[0], rel=4 * sp.floor / reference[0])
    assert sp.condition_number(rank=net.num_parameters) == pytest.approx(kappa, rel=4 * sp.floor / reference[0])
    assert "first-order" in repr(sp)


def test_quotient_by_modes_that_are_not_null_says_so() -> None:
    """A linear network away from critical points: what is left out of the quotient is not zero."""
    net = ho.MLP([2, 7, 2], "identity", bias=False)
    obj = ho.Objective(net, rng(1).standard_normal((30, 2)), rng(2).standard_normal((30, 2)))
    theta = rng(3).standard_normal(28)
    sp = ho.spectrum(obj, theta)
    kappa = sp.condition_number()
    assert (kappa.directions, kappa.of) == (28 - len(sp.zero_modes), 28)
    assert not kappa.modes_are_null
    # Some mode has a curvature of the size of the eigenvalues.
    images = np.linalg.norm(obj.hessian(theta) @ sp.zero_modes.basis, 2) / np.abs(sp.eigenvalues).max()
    assert kappa.modes_residual == pytest.approx(images, rel=1e-10)
    assert "directions; not a critical point: modes not null" in repr(kappa)
    assert sp.num_negative == (np.linalg.eigvalsh(obj.hessian(theta)) < -sp.floor).sum()
    # At a minimum they are null, and the number needs no remark.
    end = ho.minimize(obj, theta, tol=1e-13).x
    null = ho.spectrum(obj, end).condition_number()
    assert null.modes_are_null
    assert "not a critical point" not in repr(null)


def test_zero_modes_just_below_zero_are_not_negative() -> None:
    """Tangents of the orbit have a curvature of the size of the gradient; near a minimum they may be < 0."""
    net = ho.MLP([2, 3, 1], "relu", bias=False)
    x = rng(1).standard_normal((40, 2))
    obj = ho.Objective(net, x, net(rng(2).standard_normal(9), x))
    end = ho.minimize(obj, rng(2).standard_normal(9) + 0.01, tol=1e-14).x
    near = end + 1e-9 * rng(5).standard_normal(9)
    sp = ho.spectrum(obj, near)
    assert (sp.eigenvalues < -sp.floor).any()  # else the case shows nothing
    assert sp.num_negative == 0


def test_no_prediction_says_so() -> None:
    sp = ho.spectrum(linear([1.0, 0.0]), np.zeros(2), zero_modes=None)
    assert "not predicted" in repr(sp)
    assert len(sp.zero_modes) == 0
    assert sp.zero_modes.measured == 1


# Laws


@given(seed=st.integers(0, 10**6), samples=st.integers(1, 12), outputs=st.integers(1, 3))
def test_laws(seed: int, samples: int, outputs: int) -> None:
    problem = random_problem(rng(seed), (2, 3, outputs), "sigmoid", samples=samples)
    sp = ho.spectrum(problem.objective(), problem.theta)
    values = sp.eigenvalues
    assert (np.diff(values) >= 0).all()
    slack = len(values) * sp.floor
    assert abs(values.sum() - sp.trace) <= slack
    assert abs(np.linalg.norm(values) - np.linalg.norm(problem.objective().hessian(problem.theta))) <= slack
    assert sp.rank + sp.zero_modes.measured == len(values)
    magnitudes = np.sort(np.abs(values))[::-1]
    kappas = [sp.condition_number(rank=r) for r in range(1, sp.rank + 1)]
    assert kappas == [magnitudes[0] / m for m in magnitudes[: sp.rank]]
    assert kappas == sorted(kappas)


def test_participation_ratio() -> None:
    count = 4
    obj = linear(np.ones(count))
    concentrated = ho.spectrum(obj, np.zeros(count), matrix=np.diag([1.0, 2.0, 3.0, 4.0]), vectors=True)
    assert_close(concentrated.participation_ratio, np.ones(count), parameters=count)
    spread = ho.spectrum(obj, np.zeros(count), matrix=np.ones((count, count)), vectors=True)
    assert spread.participation_ratio[-1] == pytest.approx(count, rel=1e-13)
    pair = ho.spectrum(linear(np.ones(2)), np.zeros(2), matrix=[[0.0, 1.0], [1.0, 0.0]], vectors=True)
    assert_close(pair.participation_ratio, [2.0, 2.0], parameters=2)
    with pytest.raises(ValueError, match="vectors=True"):
        _ = ho.spectrum(obj, np.zeros(count)).participation_ratio


def test_same_bits_whatever_the_threads_and_after_pickling() -> None:
    problem = random_problem(rng(), (3, 6, 1), samples=50)
    one, two = (ho.spectrum(problem.objective(threads=t), problem.theta) for t in (1, 2))
    assert (one.eigenvalues == two.eigenvalues).all()
    copy = pickle.loads(pickle.dumps(one))
    assert (copy.eigenvalues == one.eigenvalues).all()
    assert copy.condition_number() == one.condition_number()


# Bad input


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"method": "qr"}, ValueError, "method must be one of auto, dense, gram, jacobian; got 'qr'"),
        ({"matrix": "fisher"}, ValueError, "matrix must be one of hessian, gauss_newton; got 'fisher'"),
        ({"matrix": np.eye(2)}, ValueError, r"matrix must have shape \(3, 3\); got \(2, 2\)"),
        ({"matrix": np.triu(np.ones((3, 3)))}, ValueError, "matrix must be symmetric"),
        ({"matrix": np.diag([1.0, np.nan, 1.0])}, ValueError, r"matrix must be finite; matrix\[1, 1\] is nan"),
        ({"matrix": np.eye(3), "method": "gram"}, ValueError, "'auto' or 'dense' for a matrix that is given"),
        ({"method": "gram", "vectors": True}, ValueError, "gives no eigenvectors"),
        ({"zero_modes": "all"}, ValueError, "zero_modes must be one of auto; got 'all'"),
        ({"zero_modes": np.ones(3)}, ValueError, r"zero_modes must have shape \(3, k\)"),
        ({"zero_modes": np.ones((2, 1))}, ValueError, r"zero_modes must have shape \(3, k\)"),
        ({"zero_modes": np.ones((3, 1))}, ValueError, "orthonormal columns"),
        ({"digits": 0}, ValueError, "digits must be at least 1"),
        ({"digits": 20, "vectors": True}, ValueError, "digits is for the Hessian"),
        ({"digits": 20, "matrix": np.eye(3)}, ValueError, "digits is for the Hessian"),
    ],
)
def test_bad_options(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        ho.spectrum(linear([1.0, 2.0, 3.0]), np.zeros(3), **options)


def test_bad_points() -> None:
    obj = linear([1.0, 2.0])
    with pytest.raises(TypeError, match="obj must be an Objective or a PopulationObjective; got an MLP"):
        ho.spectrum(obj.net, np.zeros(2))
    with pytest.raises(ValueError, match=r"theta must have shape \(2,\); got \(3, 2\)"):
        ho.spectrum(obj, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="theta must have shape"):
        ho.spectrum(obj, np.zeros(3))
    with pytest.raises(ValueError, match="theta must be finite"):
        ho.spectrum(obj, [0.0, np.inf])
    exploding = ho.Objective(ho.MLP([1, 1, 1], "exp"), [[1.0]], [0.0])
    with pytest.raises(ValueError, match="theta must give a finite spectrum; the Hessian overflows there"):
        ho.spectrum(exploding, [600.0, 0.0, 1.0, 0.0], method="dense")


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        (("effective",), {}, ValueError, "convention must be one of quotient, raw"),
        ((), {"rank": 0}, ValueError, "rank must be at least 1; got 0"),
        ((), {"rank": 3}, ValueError, "rank must be at most the number of parameters, 2; got 3"),
        ((), {"rank": 1.5}, TypeError, "rank must be an integer"),
        ((), {"threshold": 1.0}, ValueError, "threshold must be below 1"),
        ((), {"threshold": -0.1}, ValueError, "threshold must be at least 0"),
        (("raw",), {"rank": 1}, ValueError, "takes one of convention, rank and threshold"),
        ((), {"rank": 1, "threshold": 0.1}, ValueError, "takes one of convention, rank and threshold"),
    ],
)
def test_bad_conventions(arguments: Any, options: Any, kind: type[Exception], message: str) -> None:
    sp = ho.spectrum(linear([1.0, 2.0]), np.zeros(2))
    with pytest.raises(kind, match=message):
        sp.condition_number(*arguments, **options)


@pytest.mark.parametrize("loss", ["logistic", "poisson"])
def test_no_floor_and_no_bound_is_nan(loss: str) -> None:
    """Few samples and weights up to 1e3: probabilities underflow where the bounds on their errors overflow."""
    for seed in range(60):
        generator = np.random.default_rng(seed)
        net = ho.MLP([2, 2, 1], str(generator.choice(["exp", "square", "relu"])))
        x, y = 3 * generator.standard_normal((3, 2)), generator.integers(0, 2, (3, 1)).astype(float)
        theta = 10 ** generator.uniform(1, 3) * generator.standard_normal(net.num_parameters)
        objective = ho.Objective(net, x, y, loss=loss)
        if not np.isfinite(objective.hessian(theta)).all():
            continue
        for matrix, method in [("hessian", "auto"), ("gauss_newton", "gram"), ("gauss_newton", "jacobian")]:
            spectrum = ho.spectrum(objective, theta, matrix=matrix, method=method)
            kappa = spectrum.condition_number("raw")
            assert spectrum.floor >= 0
            assert kappa.is_lower_bound or kappa.lower <= kappa <= kappa.upper or not spectrum.eigenvalues.any()
            assert kappa >= 1 or spectrum.floor == 0


@pytest.mark.parametrize(("size", "count"), [(2, 1), (5, 2), (9, 6), (40, 3), (40, 39), (60, 20)])
@pytest.mark.parametrize("kind", ["random", "axes"])
def test_what_is_orthogonal_to_columns(size: int, count: int, kind: str) -> None:
    """By reflections or by a product with a basis: the same eigenvalues, up to eps P ‖H‖."""
    generator = rng(size + count)
    columns = np.linalg.qr(generator.standard_normal((size, count)))[0]
    if kind == "axes":
        columns = np.eye(size)[:, generator.permutation(size)[:count]]
    across = scipy.linalg.null_space(columns.T)
    rows = generator.standard_normal((size + 3, size))
    matrix = rows.T @ rows - 20 * np.eye(size)
    expected = np.linalg.eigvalsh(across.T @ matrix @ across)
    atol = 4 * size * np.finfo(float).eps * np.linalg.norm(matrix)
    np.testing.assert_allclose(Dense(matrix).outside(columns).eigenvalues(), expected, rtol=0, atol=atol)
    for kind_of_factor in (Gram, SingularValues):
        found = kind_of_factor(rows, 0.5).outside(columns).eigenvalues()
        np.testing.assert_allclose(found, expected + 20.5, rtol=0, atol=10 * atol)


def exactly(value: np.longdouble) -> Any:
    numerator, denominator = value.as_integer_ratio()
    return taylor.mpf(numerator) / denominator


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8, 12])
def test_the_floor_of_a_few_parameters_bounds_the_error(count: int) -> None:
    """Of small matrices, eigenvalues may err by several eps ‖H‖ more than P of them."""
    obj = ho.Objective(ho.MLP([count, 1], bias=False), np.ones((1, count)), [0.0])
    for seed in range(300):
        source = rng(seed)
        matrix = source.standard_normal((count, count))
        if seed % 2:
            matrix = np.eye(count) + 10.0 ** source.uniform(-16, -1) * matrix
        matrix = matrix + matrix.T
        exact = eigenvalues50(np.vectorize(taylor.mpf)(matrix)) if seed < 20 else None
        fine = ho.spectrum(obj, np.zeros(count, np.longdouble), matrix=matrix.astype(np.longdouble)).eigenvalues
        if exact is not None:
            assert max(abs(exactly(a) - b) for a, b in zip(fine, exact, strict=True)) < 1e-17 * np.abs(fine).max()
        values = symmetric_eigen(matrix)[0]
        assert np.abs(values - fine).max() <= Dense(matrix).floor(values, 0.0)


def test_a_longdouble_quotient_leaves_out_just_the_modes() -> None:
    """The complement of modes is orthogonal to them in longdouble, not only in float64; a closed form tells.

    H = diag(1, c, 1) + s (e₁e₂ᵀ + e₂e₁ᵀ), of which the mode z = (cos t, sin t, 0) leaves one direction of the plane.
    """
    t, s, c = 0.7, 1.0, 1e-9
    mode = np.array([[np.cos(t)], [np.sin(t)], [0.0]])
    matrix = np.array([[1.0, s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]], np.longdouble)
    obj = ho.Objective(ho.MLP([3, 1], bias=False), np.ones((1, 3)), [0.0])
    sp = ho.spectrum(obj, np.zeros(3, np.longdouble), matrix=matrix, zero_modes=mode)
    x, y = (taylor.mpf(float(v)) for v in mode[:2, 0])
    plane = (y * y - 2 * x * y * taylor.mpf(s) + x * x * taylor.mpf(c)) / (x * x + y * y)
    assert min(abs(exactly(value) - plane) for value in sp.quotient_eigenvalues) < 1e-18
