"""Estimates and tests against enumeration, closed cases and SciPy's exact laws."""

from __future__ import annotations

from itertools import combinations_with_replacement, permutations, product

import numpy as np
import pytest
from scipy import stats

from hessorbit.study.statistics import (
    dependence_on_width,
    estimate,
    holm,
    level_of_interval,
    null_law,
    paired_prentice_wilcoxon,
    rank_of_interval,
    signed_rank_p,
    walsh_averages,
)


def sample(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.4, 1.0, n)


@pytest.mark.parametrize("n", [1, 5, 9])
def test_null_law_by_enumeration(n: int) -> None:
    """Of the 2ⁿ ways to give signs to the ranks 1 … n."""
    sums = [sum(rank for rank, chosen in enumerate(signs, 1) if chosen) for signs in product((0, 1), repeat=n)]
    np.testing.assert_array_equal(null_law(n), np.bincount(sums, minlength=n * (n + 1) // 2 + 1) / 2**n)


@pytest.mark.parametrize("n", [6, 8, 15, 30])
def test_p_is_scipys_without_ties(n: int) -> None:
    for seed in range(5):
        x = sample(n, seed)
        assert signed_rank_p(x, x) == pytest.approx(stats.wilcoxon(x, method="exact").pvalue, rel=1e-12)


def test_walsh_averages_and_estimate_by_hand() -> None:
    x = np.array([1.0, 3.0, 8.0])
    assert walsh_averages(x).tolist() == sorted((a + b) / 2 for a, b in combinations_with_replacement(x, 2))
    assert estimate(x).value == np.median([1, 2, 3, 4.5, 5.5, 8])
    assert np.isnan(estimate(x).low)
    assert estimate(x).p == 1.0
    assert np.isnan(estimate(np.zeros(0)).value)


@pytest.mark.parametrize(("n", "k", "level"), [(6, 1, 1 - 2 / 64), (7, 3, 1 - 6 / 128), (8, 4, 1 - 10 / 256)])
def test_published_ranks(n: int, k: int, level: float) -> None:
    """Critical values of the signed-rank statistic at 2.5 %: 0, 2 and 3 (Wilcoxon 1945), so k is one more."""
    assert rank_of_interval(n) == k
    assert level_of_interval(n) == pytest.approx(level, rel=1e-14)


def test_five_values_have_no_interval() -> None:
    assert rank_of_interval(5) == 0


@pytest.mark.parametrize("n", [6, 10, 17])
def test_interval_holds_the_shifts_that_are_not_rejected(n: int) -> None:
    """Just inside its ends the test of a shift has p > 0.05, just outside not."""
    x = sample(n)
    found = estimate(x)
    for inside, outside in ((found.low + 1e-9, found.low - 1e-9), (found.high - 1e-9, found.high + 1e-9)):
        assert stats.wilcoxon(x - inside, method="exact").pvalue > 0.05
        assert stats.wilcoxon(x - outside, method="exact").pvalue <= 0.05


@pytest.mark.parametrize("n", [6, 8])
def test_ties_never_make_the_test_reject_too_often(n: int) -> None:
    """All signs of magnitudes with ties are equally likely under the null: p ≤ α in at most a share α of them."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        magnitudes = rng.integers(0, 4, n).astype(float)
        p = np.array([signed_rank_p(x, x) for x in (magnitudes * signs for signs in product((-1, 1), repeat=n))])
        for level in (0.02, 0.05, 0.2):
            assert np.mean(p <= level) <= level


def test_ties_move_the_interval_to_no_side() -> None:
    x = np.array([-1.0, -1, 0, 0, 1, 1, 1])
    found, mirrored = estimate(x), estimate(-x)
    assert (found.low, found.high) == (-mirrored.high, -mirrored.low)
    assert found.p == mirrored.p


def test_constants_are_no_effect() -> None:
    found = estimate(np.zeros(9))
    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_ranges_contain_what_any_values_within_them_give() -> None:
    rng = np.random.default_rng(2)
    lower = rng.normal(1.0, 1.0, 9)
    upper = lower + rng.exponential(0.3, 9)
    wide = estimate(lower, lower, upper)
    for _ in range(50):
        found = estimate(rng.uniform(lower, upper))
        assert wide.low <= found.low
        assert found.high <= wide.high
        assert found.p <= wide.p


def test_open_ranges_leave_one_end_open() -> None:
    x = sample(8)
    open_end = np.where(np.arange(8) < 4, np.inf, x)
    assert estimate(x, x, open_end).high == np.inf
    assert estimate(x, x, open_end).low == estimate(x).low


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 1.0])).tolist() == [1.0, 1.0]


def test_holm_is_the_closed_test_of_bonferroni() -> None:
    """Adjusted p ≤ α just if every set of hypotheses with this one has some p ≤ α/size (Marcus and others, 1976)."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        p = rng.uniform(0, 0.1, 4)
        sets = [np.flatnonzero(chosen) for chosen in product((0, 1), repeat=4) if any(chosen)]
        for i, adjusted in enumerate(holm(p)):
            worst = max(min(1.0, len(each) * p[each].min()) for each in sets if i in each)
            assert adjusted == pytest.approx(worst)


def test_steps_without_censoring_are_ranked() -> None:
    """All 2ⁿ exchanges within pairs, by hand: the statistic is the sum of differences of pooled ranks."""
    times = np.random.default_rng(4).permutation(14).reshape(7, 2) + 1.0
    total, p = paired_prentice_wilcoxon(times, np.array([-1.0, 1.0]))
    sums = []
    for swaps in product((False, True), repeat=7):
        rows = [row[::-1] if swap else row for row, swap in zip(times, swaps, strict=True)]
        sums.append(sum(b - a for a, b in rows))
    assert total == sums[0]
    assert p == np.mean(np.abs(sums) >= abs(sums[0]))


def test_censored_steps_have_prentices_scores() -> None:
    """Scores 1 − 2Ŝ of ends seen and 1 − Ŝ of others, with Prentice's Ŝ, are the midranks up to scale."""
    times = np.array([[3.0, 1.0], [7.0, 2.0], [np.inf, 5.0], [np.inf, 4.0], [6.0, np.inf], [9.0, 8.0]])
    flat = times.ravel()
    count, survival, scores = len(flat), 1.0, np.empty(len(flat))
    for place, index in enumerate(np.argsort(flat, kind="stable")):
        if np.isfinite(flat[index]):
            at_risk = count - place
            survival *= at_risk / (at_risk + 1)
            scores[index] = 1 - 2 * survival
        else:
            scores[index] = 1 - survival
    scores = scores.reshape(times.shape)
    total, p = paired_prentice_wilcoxon(times, np.array([-1.0, 1.0]))
    differences = scores[:, 1] - scores[:, 0]
    assert total == pytest.approx(differences.sum() * (count + 1) / 2)
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=6)]
    assert p == pytest.approx(np.mean(np.array(sums) >= abs(differences.sum()) - 1e-9))


def test_many_pairs_are_normal() -> None:
    """Beyond 20 pairs by the normal law, which enumeration at 20 agrees with to a few thousandths."""
    rng = np.random.default_rng(5)
    times = rng.exponential(1.0, (21, 2)) * [1.0, 0.6]
    exact = paired_prentice_wilcoxon(times[:20], np.array([-1.0, 1.0]))[1]
    differences = np.diff(stats.rankdata(times[:20]).reshape(20, 2), axis=1)
    normal = 2 * stats.norm.sf(abs(differences.sum()) / np.linalg.norm(differences))
    assert exact == pytest.approx(normal, abs=0.01)
    assert 0 < paired_prentice_wilcoxon(times, np.array([-1.0, 1.0]))[1] < 1


def test_pairs_that_say_nothing_do_not_make_others_significant() -> None:
    """Four of 25 pairs differ, all one way: 2 of 2⁴ exchanges are as extreme."""
    times = np.ones((25, 2))
    times[:4, 1] = [0.1, 0.2, 0.3, 0.4]
    assert paired_prentice_wilcoxon(times, np.array([-1.0, 1.0]))[1] == 2 / 16


def test_many_pairs_of_one_size_are_a_sign_test() -> None:
    """Of 30 differences of one size 22 are positive: SciPy's binomial test, to 4 standard errors of 10⁵ exchanges."""
    times = np.tile([1.0, 2.0], (30, 1))
    times[:8] = times[:8, ::-1]
    wanted = stats.binomtest(22, 30).pvalue
    assert abs(paired_prentice_wilcoxon(times, np.array([-1.0, 1.0]))[1] - wanted) < 4 * np.sqrt(wanted / 1e5)


def test_all_censored_is_no_evidence() -> None:
    assert paired_prentice_wilcoxon(np.full((8, 3), np.inf), np.arange(3.0)) == (0.0, 1.0)


def test_failures_at_one_width_against_enumeration() -> None:
    """Three seeds with one failure each among 4 widths: all at one width in 4 of 64 rearrangements."""
    failed = np.zeros((5, 4), bool)
    failed[:3, 2] = True
    # 10 000 rearrangements: five standard errors of a share 1/16.
    assert dependence_on_width(failed) == pytest.approx(1 / 16, abs=5 * np.sqrt(1 / 16 / 10_000))
    rows = [set(permutations([True, False, False, False]))] * 2 + [set(permutations([True, True, False, False]))]
    failed = np.array([[True, False, False, False]] * 2 + [[True, True, False, False]])
    spread = [np.square(np.sum(each, axis=0)).sum() for each in product(*rows)]
    expected = np.mean(np.array(spread) >= np.square(failed.sum(axis=0)).sum())
    assert dependence_on_width(failed) == pytest.approx(expected, abs=5 * np.sqrt(0.25 / 10_000))


def test_failures_everywhere_or_nowhere_do_not_depend_on_width() -> None:
    assert dependence_on_width(np.zeros((8, 5), bool)) == 1.0
    assert dependence_on_width(np.ones((8, 5), bool)) == 1.0
    assert dependence_on_width(np.zeros((0, 5), bool)) == 1.0
