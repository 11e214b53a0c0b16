"""Claims on tables whose slopes are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hessorbit.study.claims import Claim, interval, judge

FALLS = Claim("q", "q falls", "q")
NO_GROWTH = Claim("q", "q does not grow", "q", "does not grow")
WIDTHS = (5, 10, 20, 40)


def table(exponents: list[float], widths: tuple[int, ...] = WIDTHS) -> pd.DataFrame:
    """q = 3 width^a, with an exponent for every seed."""
    rows = [
        {"width": width, "seed": seed, "q": 3.0 * width**exponent}
        for seed, exponent in enumerate(exponents)
        for width in widths
    ]
    return pd.DataFrame(rows, columns=["width", "seed", "q"])


@pytest.mark.parametrize(
    ("exponent", "claim", "verdict"),
    [
        (-0.5, FALLS, "supported"),
        (0.5, FALLS, "contradicted"),
        (-0.5, NO_GROWTH, "supported"),
        (0.5, NO_GROWTH, "contradicted"),
    ],
)
def test_power_laws(exponent: float, claim: Claim, verdict: str) -> None:
    (finding,) = judge(table([exponent] * 6), (claim,))
    assert finding.verdict == verdict
    np.testing.assert_allclose([finding.effect, finding.low, finding.high], 2.0**exponent, rtol=1e-12)
    assert finding.seeds == 6


def test_a_constant_does_not_grow_and_does_not_fall() -> None:
    constant = table([0.0] * 6)
    assert [finding.verdict for finding in judge(constant, (FALLS, NO_GROWTH))] == ["undecided", "supported"]


def test_seeds_that_disagree_decide_nothing() -> None:
    (finding,) = judge(table([-1.0, -0.5, 0.1, 0.4, 0.6, -0.2]), (FALLS,))
    assert finding.verdict == "undecided"
    assert finding.low < 1 < finding.high


def test_few_seeds_decide_nothing() -> None:
    (finding,) = judge(table([-1.0] * 4), (FALLS,))
    assert (finding.verdict, finding.seeds) == ("undecided", 4)
    assert finding.effect == pytest.approx(0.5)
    assert np.isnan(finding.low)
    assert np.isnan(finding.high)


def test_values_without_a_logarithm_are_left_out() -> None:
    rows = table([-1.0] * 6)
    rows.loc[rows["width"] == 5, "q"] = np.nan
    rows.loc[rows["width"] == 10, "q"] = 0.0
    (finding,) = judge(rows, (FALLS,))
    assert finding.effect == pytest.approx(0.5)
    rows["q"] = np.nan
    (finding,) = judge(rows, (FALLS,))
    assert (finding.seeds, finding.verdict) == (0, "undecided")


def test_one_width_decides_nothing() -> None:
    (finding,) = judge(table([-1.0] * 6, widths=(5,)), (FALLS,))
    assert (finding.seeds, finding.verdict) == (0, "undecided")


def test_interval_is_that_of_the_median_of_resamples() -> None:
    """With five values, medians of resamples are the values themselves, with probabilities known exactly."""
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    low, high = interval(values)
    # P(median ≤ smallest) = P(Binomial(5, 1/5) ≥ 3) = 0.0579 > 0.025.
    assert (low, high) == (1.0, 5.0)
