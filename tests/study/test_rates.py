"""Rates of gradient descent: predictions against matrix exponentials and explicit steps, and the claims about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.linalg import expm, logm

import hessorbit as ho
from hessorbit.study import rates, student
from hessorbit.study.cells import claims_of
from hessorbit.study.claims import Claim, judge
from hessorbit.study.measurements import measure
from hessorbit.study.rates import DEPTH, PREDICTED, Prediction, descend, perturbed
from hessorbit.study.statistics import estimate
from hessorbit.study.student import train
from hessorbit.study.task import make_task, stream

RATES = {"inputs": 2, "teacher_width": 2, "widths": [2, 4], "seeds": 1, "max_steps": 1500, "representatives": True}


@pytest.fixture(scope="module")
def quadratic() -> tuple[np.ndarray, np.ndarray]:
    """A singular H (6, 6) with eigenvalues 0 … 2, and a displacement."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    return basis @ np.diag([0.0, 0.001, 0.02, 0.3, 0.5, 2.0]) @ basis.T, rng.standard_normal(6)


def test_predicted_losses_are_those_of_explicit_steps(quadratic: tuple[np.ndarray, np.ndarray]) -> None:
    hessian, displacement = quadratic
    prediction = Prediction.of(hessian, displacement)
    assert prediction.rate == pytest.approx(0.5)
    x, losses = displacement.copy(), []
    for _ in range(300):
        losses.append(x @ hessian @ x / 2)
        x = x - prediction.rate * hessian @ x
    # 300 products round by 300 ε of the largest loss at most.
    np.testing.assert_allclose(prediction.losses(np.arange(300)), losses, rtol=1e-12, atol=1e-13)


def test_predicted_losses_are_those_of_a_matrix_exponential(quadratic: tuple[np.ndarray, np.ndarray]) -> None:
    """(1 − ηH)ᵗ = exp(t log(1 − ηH)); a rate just below 1/λ_max keeps the logarithm finite."""
    hessian, displacement = quadratic
    prediction = replace(Prediction.of(hessian, displacement))
    step = np.eye(6) - prediction.rate * (1 - 1e-9) * hessian
    for count in (1, 7, 40):
        x = expm(count * logm(step)).real @ displacement
        assert prediction.losses(np.array([count]))[0] == pytest.approx(x @ hessian @ x / 2, rel=1e-6)


@pytest.mark.parametrize("share", [0.5, 0.1, 1e-3, 1e-8])
def test_steps_to_a_share(quadratic: tuple[np.ndarray, np.ndarray], share: float) -> None:
    prediction = Prediction.of(*quadratic)
    losses = prediction.losses(np.arange(30_000))
    assert prediction.steps_to(share) == np.flatnonzero(losses <= share * losses[0])[0]


def test_a_share_that_is_never_reached() -> None:
    """Negative curvature of rounding's size keeps the loss up; the search ends all the same."""
    prediction = Prediction(np.array([1.0, 1e-40]), np.array([1e-9, 1e20]))
    assert prediction.steps_to(1e-12) > 1e18


def test_descent_on_a_quadratic_is_as_predicted() -> None:
    """A linear network's loss is quadratic: measured and predicted agree to rounding, and in their number of steps."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 4)) * [1.0, 0.5, 0.2, 0.1]
    obj = ho.Objective(ho.MLP([4, 1], bias=False), x, x @ [1.0, -2.0, 0.5, 3.0])
    minimum, theta = np.array([1.0, -2.0, 0.5, 3.0]), rng.standard_normal(4)
    found = descend(obj, theta, Prediction.of(x.T @ x / 50, theta - minimum), 1e-4, 10_000)
    assert found.success
    np.testing.assert_allclose(found.losses, found.predicted, rtol=1e-9)
    assert found.model == pytest.approx(1)
    assert found.count == pytest.approx(found.predicted_count, abs=1)
    assert found.steps_per_decade == pytest.approx(found.steps_per_decade_predicted)


def test_descent_to_a_minimum_with_a_residual_is_that_of_the_loss_above_it() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((50, 3)), rng.standard_normal(50)
    obj = ho.Objective(ho.MLP([3, 1], bias=False), x, y)
    minimum, theta = np.linalg.lstsq(x, y)[0], rng.standard_normal(3)
    least = obj.loss(minimum)
    found = descend(obj, theta, Prediction.of(x.T @ x / 50, theta - minimum), 1e-4, 1000, least=least)
    # Differences of losses near 0.5 are rounded by 1e-16, of 1e-4 or more.
    np.testing.assert_allclose(found.losses, found.predicted, rtol=1e-9)
    assert found.success


def test_a_loss_that_rises_has_no_rate() -> None:
    obj = ho.Objective(ho.MLP([1, 1], bias=False), [[1.0]], [0.0])
    found = descend(obj, np.ones(1), Prediction(np.array([0.45]), np.ones(1)), 0.1, 5)
    with pytest.raises(ArithmeticError, match="raised the loss"):
        found.steps_per_decade  # noqa: B018


def test_perturbed_teachers_have_the_loss_asked_for() -> None:
    settings = ho.WidthStudy(**RATES)
    task = make_task(settings, 0)
    theta = perturbed(task, stream(settings, 0, 7), 1e-4)
    assert task.objective(task.teacher).loss(theta) == pytest.approx(1e-4, rel=1e-8)


def test_representatives_begin_at_one_function_and_descend_as_predicted() -> None:
    settings = ho.WidthStudy(**RATES)
    wide = train(settings, 4, 0)
    assert wide.representatives is not None
    found = {name: descent() for name, descent in wide.representatives.items()}
    start = settings.loss_tolerance * wide.task.unit
    for each in found.values():
        # The losses of three networks agree to their rounding, of sums that cancel by 1e-5.
        assert each.losses[0] == pytest.approx(start, rel=1e-6)
        assert each.model == pytest.approx(1, abs=0.02)
        assert each.predicted_count == pytest.approx(each.count, rel=0.1, abs=2)
    assert found["narrow"].prediction.eigenvalues.shape == (9,)
    assert found["best"].prediction.eigenvalues.shape == (17,)
    assert found["best"].losses[-1] <= DEPTH * start or found["best"].count == settings.max_steps


def test_a_representative_that_diverges_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best one, at 1000 times the rate that its spectrum says; it is tried once for its three columns."""
    settings = ho.WidthStudy(**RATES, samples=50)
    calm, _ = measure(train(settings, 4, 0))
    descents = []

    def wild(objective: Any, theta: Any, prediction: Prediction, *rest: Any, **options: Any) -> Any:
        descents.append(len(descents))
        if len(descents) == 4:  # after the tail, narrow and equal
            prediction = replace(prediction, eigenvalues=prediction.eigenvalues / 1000)
        return descend(objective, theta, prediction, *rest, **options)

    monkeypatch.setattr(rates, "descend", wild)
    monkeypatch.setattr(student, "descend", wild)
    values, reasons = measure(train(settings, 4, 0))
    columns = ["steps_from_best", "predicted_from_best", "reached_from_best"]
    assert [name for name in reasons if "_from_" in name] == columns
    assert reasons["steps_from_best"].startswith("ArithmeticError: gradient descent at rate 1/λ_max diverged at step")
    assert len(descents) == 4
    for name in ("narrow", "equal"):
        assert values[f"steps_from_{name}"] == calm[f"steps_from_{name}"]
        assert values[f"reached_from_{name}"] == calm[f"reached_from_{name}"]


def test_what_is_not_asked_for_is_not_measured() -> None:
    settings = ho.WidthStudy(**{**RATES, "representatives": False, "rate_steps": 0})
    values, reasons = measure(train(settings, 4, 0))
    named = [name for name in values if "tail" in name or "_from_" in name or "grown" in name]
    assert len(named) == 20
    assert np.isnan([values[name] for name in named]).all()
    assert not set(named).intersection(reasons)
    assert PREDICTED not in claims_of(settings)


def table_of(**columns: np.ndarray) -> pd.DataFrame:
    """Seeds × widths 3, 6, 12, as rows."""
    shape = next(iter(columns.values())).shape
    rows = pd.DataFrame({name: values.ravel() for name, values in columns.items()})
    return rows.assign(
        width=np.tile([3, 6, 12], shape[0]), seed=np.repeat(np.arange(shape[0]), 3), reached=1, other_reached=1
    )


def test_following_is_a_slope_per_seed() -> None:
    """Slopes by NumPy's least squares, p by SciPy; following exactly is a factor of ½ per halving."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((8, 3))
    y = 0.7 * x + 0.1 * rng.standard_normal((8, 3)) + rng.standard_normal((8, 1))
    claim = replace(PREDICTED, column="q", follows="p")
    (finding,) = judge(table_of(q=2.0**y, p=2.0**x), claims=(claim,))
    slopes = np.array([np.polyfit(a, b, 1)[0] for a, b in zip(x, y, strict=True)])
    assert finding.factor.value == pytest.approx(2 ** -estimate(slopes).value)
    assert finding.factor.p == pytest.approx(stats.wilcoxon(slopes, method="exact").pvalue)
    assert (finding.verdict, finding.doublings) == ("supported", ())
    (exact,) = judge(table_of(q=5 * 2.0**x, p=2.0**x), claims=(claim,))
    assert exact.factor.value == pytest.approx(0.5)
    (against,) = judge(table_of(q=2.0**-x, p=2.0**x), claims=(claim,))
    assert against.verdict == "contradicted"


def test_comparisons_are_paired_within_seeds() -> None:
    """The mean over widths of log ratios: Hodges and Lehmann's estimate from Walsh averages, p by SciPy."""
    rng = np.random.default_rng(3)
    a = rng.uniform(5, 9, (9, 3))
    b = a + 0.4 + 0.6 * rng.standard_normal((9, 3))
    claim = Claim("c", "a is less", "a", against="b")
    (finding,) = judge(table_of(a=2.0**a, b=2.0**b), claims=(claim,))
    means = (a - b).mean(axis=1)
    walsh = [(one + two) / 2 for i, one in enumerate(means) for two in means[i:]]
    assert finding.factor.value == pytest.approx(2 ** np.median(walsh))
    assert finding.factor.p == pytest.approx(stats.wilcoxon(means, method="exact").pvalue)
    assert finding.factor.n == 9


def test_comparisons_of_censored_steps() -> None:
    """What was not seen to its end is more than was seen: the upper end is infinite, and ranks are the last."""
    a, b = np.full((7, 3), 100.0), np.full((7, 3), 100.0)
    rows = table_of(steps=a, other=b).assign(other_reached=0)
    claim = Claim(
        "c", "fewer", "steps", censored=True, against="other", against_reached="other_reached", unit="of the other's"
    )
    (finding,) = judge(rows, claims=(claim,))
    # Midranks of 42 times: 11 for those that ended, 32 for the others. All seven differences have one sign.
    assert finding.factor.low == 0
    assert finding.factor.high == pytest.approx(1)
    assert finding.claim.label == "fewer (of the other's)"


def test_only_wider_students_are_compared() -> None:
    rng = np.random.default_rng(4)
    a = rng.uniform(1, 2, (6, 3))
    b = 2 * a
    a[:, 0] = np.nan
    (finding,) = judge(table_of(a=a, b=b), claims=(Claim("c", "a is less", "a", against="b", above=3),))
    assert finding.verdict == "supported"
    assert finding.factor.value == pytest.approx(0.5)
