"""Claims on tables whose effects are known, and what keeps them from being decided."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hessorbit.study.claims import Claim, Finding, judge
from hessorbit.study.record import Cell
from hessorbit.study.statistics import estimate
from hessorbit.study.theorem import check

FALLS = Claim("q", "q falls", "q")
CURVATURE = Claim("q", "q falls", "q", at_minima=True)
STEPS = Claim("steps", "fewer steps", "steps", censored=True)
WIDTHS = (5, 10, 20, 40)


def table(logs: np.ndarray, widths: tuple[int, ...] = WIDTHS, column: str = "q") -> pd.DataFrame:
    """q = 2^logs, for seeds × widths."""
    rows = [
        {"width": width, "seed": seed, column: 2.0**value}
        for seed, values in enumerate(np.asarray(logs, float))
        for width, value in zip(widths, values, strict=True)
    ]
    return pd.DataFrame(rows, columns=["width", "seed", column])


def power_laws(exponents: list[float], widths: tuple[int, ...] = WIDTHS) -> pd.DataFrame:
    return table(np.outer(exponents, np.log2(widths)) + np.log2(3), widths)


def judged(rows: pd.DataFrame, claim: Claim = FALLS, **options: object) -> Finding:
    (finding,) = judge(rows, claims=(claim,), **options)  # type: ignore[arg-type]
    return finding


@pytest.mark.parametrize(("exponent", "verdict"), [(-0.5, "supported"), (0.5, "contradicted"), (0.0, "undecided")])
def test_power_laws(exponent: float, verdict: str) -> None:
    finding = judged(power_laws([exponent] * 6))
    assert finding.verdict == verdict
    factor = finding.factor
    # Slopes below 1e-9 are taken for rounding, so ends are this far out.
    np.testing.assert_allclose([factor.value, factor.low, factor.high], 2.0**exponent, rtol=1e-8)
    assert factor.n == 6
    # All six slopes have one sign: 2 of the 2⁶ patterns of signs.
    assert factor.p == (1.0 if exponent == 0 else 2 / 64)
    assert [(each.narrow, each.wide) for each in finding.doublings] == [(5, 10), (10, 20), (20, 40)]
    assert all(each.factor.value == pytest.approx(2.0**exponent) for each in finding.doublings)


def test_effects_are_contrasts_of_logarithms() -> None:
    """Slopes by NumPy's least squares, p by SciPy, for widths that do not double."""
    widths, rng = (3, 5, 11, 40), np.random.default_rng(0)
    logs = rng.standard_normal((9, 4)) - 0.6 * np.log2(widths)
    finding = judged(table(logs, widths))
    slopes = np.polyfit(np.log2(widths), logs.T, 1)[0]
    assert finding.factor.value == pytest.approx(2 ** estimate(slopes).value)
    assert finding.factor.p == pytest.approx(stats.wilcoxon(slopes, method="exact").pvalue)
    step = (logs[:, 2] - logs[:, 1]) / np.log2(11 / 5)
    assert finding.doublings[1].factor.value == pytest.approx(2 ** estimate(step).value)
    adjusted = 3 * stats.wilcoxon(step, method="exact").pvalue
    assert finding.doublings[1].factor.p <= min(1.0, adjusted) + 1e-12


def test_a_slope_does_not_hide_a_u() -> None:
    """Falls by 2, 2 and rises by 1.5: the slope falls, and the last doubling rises in every seed."""
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (10, 4))
    finding = judged(table(np.array([3.0, 2.0, 1.0, 1.6]) + noise))
    assert finding.factor.high < 1
    assert finding.conclusion == "not monotone: falls from 5 to 10, falls from 10 to 20, rises from 20 to 40"


def test_a_doubling_stands_beside_those_of_all_claims() -> None:
    """Ten seeds agree, p = 1/512: that is significant beside 4 doublings, and not beside the 32 of eight claims."""
    noise = np.random.default_rng(1).uniform(-0.1, 0.1, (10, 5))
    rows = table(np.array([4.0, 3.0, 2.0, 1.0, 1.6]) + noise, (5, 10, 20, 40, 80))
    names = [f"q{index}" for index in range(7)]
    others = tuple(Claim(name, name, name) for name in names)
    finding = judge(rows.assign(**dict.fromkeys(names, 1.0)), claims=(FALLS, *others))[0]
    assert (finding.adjusted, finding.factor.high < 1) == (8 / 512, True)
    last = finding.doublings[-1]
    assert (last.factor.p, last.within, last.adjusted) == (1 / 512, 4 / 512, 32 / 512)
    assert (last.direction, last.tendency) == (0, 1)
    assert finding.conclusion == "undecided: falls in all, but rises from 40 to 80 by the tests of this claim alone"
    assert judged(rows).verdict == "not monotone"


def test_seeds_that_decide_a_slope_and_no_doubling_are_said_to() -> None:
    """Of 6 seeds p is at least 1/32, three times which is above 0.05; of 7 it is 1/64."""
    few, more = (judged(power_laws([-0.5] * seeds)) for seeds in (6, 7))
    assert few.conclusion == "supported: in all; 6 seeds cannot show a rise between two widths, 7 may"
    assert more.conclusion == "supported"
    assert judged(power_laws([0.5] * 6)).reason == "in all; 6 seeds cannot show a fall between two widths, 7 may"
    assert judged(power_laws([-0.5] * 6, widths=(5, 10))).conclusion == "supported"


def test_doublings_are_not_significant_where_failures_depend_on_the_width() -> None:
    rows = power_laws([-1.0] * 14)
    rows.loc[(rows["seed"] < 5) & (rows["width"] == 5), "q"] = np.nan
    finding = judged(rows, CURVATURE)
    assert "failures depend on width" in finding.reason
    assert [each.adjusted for each in finding.doublings] == [1.0] * 3


def test_seeds_that_disagree_decide_nothing() -> None:
    finding = judged(power_laws([-1.0, -0.5, 0.1, 0.4, 0.6, -0.2]))
    assert finding.conclusion == "undecided"
    assert finding.factor.low < 1 < finding.factor.high


def test_five_seeds_decide_nothing() -> None:
    finding = judged(power_laws([-1.0] * 5))
    assert finding.conclusion == "undecided: 5 of 5 seeds can be used, too few to decide a claim; 6 may do"
    assert finding.factor.value == pytest.approx(0.5)
    assert np.isnan([finding.factor.low, finding.factor.high]).all()
    assert finding.adjusted == 1.0


def test_p_is_adjusted_for_all_claims() -> None:
    """Six seeds with p = 1/32 decide one claim, and none of two: Holm doubles the smaller."""
    rows = power_laws([-0.5] * 6).assign(other=1.0)
    other = Claim("other", "other falls", "other")
    both = judge(rows, claims=(FALLS, other))
    assert [finding.adjusted for finding in both] == [2 / 32, 1.0]
    few = "undecided: 6 of 6 seeds can be used, too few to decide one of 2 claims; 7 may do"
    assert [finding.conclusion for finding in both] == [few, few]


def claims_alike(seeds: int, count: int) -> list[Finding]:
    """What is found where all seeds say the same of so many claims, about two widths."""
    rows = power_laws([-0.5 - seed / 100 for seed in range(seeds)], (5, 10))
    names = [f"q{index}" for index in range(count)]
    return judge(rows.assign(**dict.fromkeys(names, rows["q"])), claims=tuple(Claim(q, q, q) for q in names))


@pytest.mark.parametrize(("count", "fewest"), [(1, 6), (2, 7), (3, 7), (4, 8), (6, 8), (7, 9), (12, 9), (13, 10)])
def test_as_many_seeds_as_may_decide_are_named(count: int, fewest: int) -> None:
    """Where all seeds agree, so many decide and one fewer does not: of n seeds, p is at least 2/2ⁿ, by SciPy too."""
    x = -np.arange(1.0, fewest + 1)
    assert count * stats.wilcoxon(x, method="exact").pvalue <= 0.05 < count * stats.wilcoxon(x[1:]).pvalue
    assert {finding.verdict for finding in claims_alike(fewest, count)} == {"supported"}
    for seeds in range(1, fewest):
        for finding in claims_alike(seeds, count):
            assert finding.verdict == "undecided"
            assert finding.reason.endswith(f"; {fewest} may do")


def test_fewer_seeds_decide_beside_claims_that_have_more() -> None:
    """Holm multiplies the largest of two p-values by 1, and six seeds are enough for it."""
    rows = power_laws([-1.0 - seed / 100 for seed in range(10)])
    lost = (rows["seed"] < 4) & (rows["width"] == 5 * 2 ** rows["seed"])
    rows = rows.assign(other=rows["q"].mask(lost))
    findings = judge(rows, claims=(FALLS, Claim("other", "other falls", "other")))
    assert [(finding.factor.n, finding.verdict) for finding in findings] == [(10, "supported"), (6, "supported")]


def test_a_verdict_needs_the_interval_too() -> None:
    """Nine of ten wide students are faster, and one never ends: that is significant by ranks, and bounds no factor."""
    steps = np.array([[1000.0 + 10 * i, 100.0 + i] for i in range(10)])
    rows = table(np.log2(steps), (5, 10), "steps").assign(reached=1)
    rows.loc[(rows["seed"] == 0) & (rows["width"] == 10), ["steps", "reached"]] = [150_000, 0]
    finding = judged(rows, STEPS)
    assert finding.factor.p <= 0.05
    assert finding.factor.high == np.inf
    assert finding.conclusion == "undecided: fewer steps in rank, but censored ones leave a factor of 1 possible"
    assert finding.doublings[0].direction == 0


def test_only_common_seeds_count() -> None:
    """A seed without a value at one width takes no part at the other widths either."""
    rows = power_laws([-1.0] * 7 + [5.0])
    rows.loc[(rows["seed"] == 7) & (rows["width"] == 10), "q"] = np.nan
    finding = judged(rows, CURVATURE)
    assert (finding.factor.n, finding.pairs, finding.verdict) == (7, (22, 24), "supported")
    assert finding.factor.high == pytest.approx(0.5)


def test_a_seed_that_is_not_computed_yet_is_no_failure() -> None:
    rows = power_laws([-1.0] * 7)
    finding = judged(rows[(rows["seed"] < 6) | (rows["width"] < 40)])
    assert (finding.factor.n, finding.pairs, finding.verdict) == (6, (18, 18), "supported")


def test_students_that_are_at_no_minimum() -> None:
    rows = power_laws([-1.0] * 8)
    rows.loc[rows["seed"] < 3, "q"] = np.nan
    few = "5 of 8 seeds can be used, too few to decide a claim; 6 may do"
    assert judged(rows, CURVATURE).conclusion == f"undecided: 15 of 24 pairs at minima; {few}"


def test_what_could_not_be_measured_at_a_minimum_is_not_said_to_be_off_minima() -> None:
    rows = power_laws([-1.0] * 8).assign(at_minimum=1)
    rows.loc[rows["seed"] < 3, "q"] = np.nan
    rows.loc[rows["seed"] == 0, "at_minimum"] = 0
    assert judged(rows, CURVATURE).conclusion.startswith("undecided: 15 of 24 pairs measured, 21 at minima; 5 of 8")
    rows["at_minimum"] = 1
    assert judged(rows, CURVATURE).conclusion.startswith("undecided: 15 of 24 pairs measured, 24 at minima; 5 of 8")


def test_failures_that_depend_on_the_width_block() -> None:
    """Of ten seeds four have no value, all at width 5: six are left, and say nothing about widths."""
    rows = power_laws([-1.0] * 10)
    rows.loc[(rows["seed"] < 4) & (rows["width"] == 5), "q"] = np.nan
    finding = judged(rows, CURVATURE)
    assert finding.factor.n == 6
    assert finding.conclusion.startswith(
        "undecided: 26 of 30 pairs at minima; failures depend on width (4 of 10 at width 5, p = 0.0"
    )


def test_errors_are_failures() -> None:
    """All students of a width diverged: the others do not decide."""
    rows = power_laws([-1.0] * 8)
    finding = judged(rows[rows["width"] < 40], failed=[Cell(40, seed, "") for seed in range(8)])
    assert finding.conclusion.startswith("undecided: failures depend on width (8 of 8 at width 40")
    assert (finding.factor.n, finding.pairs) == (0, (16, 24))


def test_students_narrower_than_the_teacher_have_no_part_in_claims_about_it() -> None:
    rows = power_laws([-1.0] * 6)
    rows.loc[rows["width"] == 5, "q"] = np.nan
    of_teacher = Claim("q", "q falls", "q", of_teacher=True)
    finding = judged(rows, of_teacher, least_width=7)
    assert (finding.verdict, finding.doublings[0].narrow) == ("supported", 10)
    assert judged(rows, FALLS, least_width=7).verdict == "undecided"


def test_gaps_of_searches_widen_the_interval() -> None:
    claim = Claim("q", "q falls", "q", lower="bound")
    rows = power_laws([-0.1] * 8)
    tight, open_ = (judged(rows.assign(bound=rows["q"] * share), claim) for share in (0.999, 0.8))
    assert tight.verdict == "supported"
    assert open_.verdict == "undecided"
    assert open_.factor.value == pytest.approx(tight.factor.value)
    # The least and the most that the slope over four widths can be, as weights are −0.3, −0.1, 0.1 and 0.3.
    assert open_.factor.low == pytest.approx(2.0**-0.1 * 0.8**0.4)
    assert open_.factor.high == pytest.approx(2.0**-0.1 / 0.8**0.4)


def test_censored_steps() -> None:
    """Narrow students that are not done at max_steps: fewer steps with width, and no end to by how much."""
    rows = table(np.log2([[1000, 800 - i, 400 + i, 100 + i] for i in range(8)]), column="steps").assign(reached=1)
    rows.loc[(rows["width"] == 5) & (rows["seed"] < 6), "reached"] = 0
    finding = judged(rows, STEPS)
    assert finding.verdict == "supported"
    assert finding.claim.test == "paired Prentice–Wilcoxon"
    assert finding.factor.low == 0
    assert finding.factor.high < 1
    # All eight differences point one way: 2 of 2⁸ exchanges.
    assert finding.factor.p == 2 / 256


def test_steps_that_are_all_censored_decide_nothing() -> None:
    rows = table(np.full((8, 4), 10.0), column="steps").assign(reached=0)
    assert judged(rows, STEPS).conclusion == "undecided: no training came to its end"
    assert judged(rows.assign(reached=rows["seed"] == 0), STEPS).conclusion == "undecided"


def test_the_same_number_at_initialisation_is_shown() -> None:
    claim = Claim("q", "q falls", "q", null="start")
    rows = power_laws([-0.5] * 6)
    finding = judged(rows.assign(start=rows["width"] ** -1.5), claim)
    assert finding.null is not None
    assert finding.null.value == pytest.approx(2.0**-1.5)


def test_one_width_and_no_rows_decide_nothing() -> None:
    assert judged(power_laws([-1.0] * 6, widths=(5,))).conclusion == "undecided: a single width"
    assert judged(power_laws([-1.0] * 6).iloc[:0]).verdict == "undecided"


def test_the_theorem_is_checked_by_certified_bounds() -> None:
    best = np.array([[8.0, 4.0, 4.0], [8.0, 8.1, 8.1], [8.0, 9.0, 9.0]])
    bound = np.array([[8.0, 4.0, 4.0], [8.0, 7.0, 7.0], [8.0, 9.0, 9.0]])
    rows = table(np.log2(best), (2, 4, 8), "best_condition")
    rows["best_condition_bound"] = bound.ravel()
    found = check(rows)
    assert (found.pairs, found.held, found.refuted) == (6, 4, 1)
    assert "4 of 6 pairs checked; the search leaves 1 open; 1 contradicts it" in str(found)


def test_the_theorem_without_two_widths() -> None:
    rows = table(np.zeros((3, 1)), (2,), "best_condition")
    rows["best_condition_bound"] = 1.0
    assert str(check(rows)).endswith("a theorem; no seed has two widths to check it at")
