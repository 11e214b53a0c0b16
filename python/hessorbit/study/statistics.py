"""Estimates and tests over seeds: small samples of values x_1 … x_n, one per seed, each known exactly or as a range.

Estimate    the median of the n (n + 1)/2 Walsh averages (x_i + x_j)/2, i ≤ j   (Hodges and Lehmann, 1963)
Statistic   T = number of positive Walsh averages: Wilcoxon's signed-rank statistic
Null law    T is the sum of those of 1 … n that n fair coins choose, if x is symmetric about 0
Interval    from the k-th smallest Walsh average to the k-th largest, where P(T < k) ≤ 2.5 % and k is the largest such

Averages that are 0 count for neither side. The interval is closed, and x with ties become x without ties by a little
symmetric noise, which only moves averages of 0: so test and interval err on the safe side where there are ties, and are
exact where there are none.

Where x_i is known as a range, the interval goes from the one of all lower ends to the one of all upper ends, as Walsh
averages grow with every x_i: it contains the interval of any values within the ranges.

E. L. Lehmann, "Nonparametrics: statistical methods based on ranks", 1975.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import count

import numpy as np

from .._checks import Array

LEVEL = 0.05
FEWEST_SEEDS = 6  # the fewest for which an interval at 95 % exists
MOST_ENUMERATED = 20  # signs: a million ways to choose them
REARRANGEMENTS = 10_000
SIGNINGS = 100_000  # random choices of signs, where there are more to choose from than are enumerated


@dataclass(frozen=True)
class Estimate:
    """An estimate of the centre of n values, an interval for it at 95 %, and the p-value of the centre being 0.

    With fewer than 6 values there is no interval: its ends are nan, and p is 1.
    """

    value: float
    low: float
    high: float
    p: float
    n: int


def estimate(values: Array, lower: Array | None = None, upper: Array | None = None) -> Estimate:
    """Returns the estimate from values (n,), each of which lies between its `lower` and `upper` end."""
    lower = values if lower is None else lower
    upper = values if upper is None else upper
    n = len(values)
    value = float(np.median(walsh_averages(values))) if n else np.nan
    if n < FEWEST_SEEDS:
        return Estimate(value, np.nan, np.nan, 1.0, n)
    k = rank_of_interval(n)
    low, high = walsh_averages(lower)[k - 1], walsh_averages(upper)[-k]
    return Estimate(value, float(low), float(high), signed_rank_p(lower, upper), n)


def walsh_averages(values: Array) -> Array:
    """Returns (x_i + x_j)/2 for i ≤ j in ascending order, (n (n + 1)/2,)."""
    i, j = np.triu_indices(len(values))
    return np.sort((values[i] + values[j]) / 2)


def signed_rank_p(lower: Array, upper: Array) -> float:
    """Returns the two-sided p-value of Wilcoxon's signed-rank test, the largest for values between the ends."""
    below = int(np.count_nonzero(walsh_averages(upper) < 0))
    above = int(np.count_nonzero(walsh_averages(lower) > 0))
    return min(1.0, 2 * upper_tail(len(lower), max(below, above)))


@cache
def null_law(n: int) -> Array:
    """Returns P(T = t) for t = 0 … n (n + 1)/2."""
    law = np.ones(1)
    for rank in range(1, n + 1):
        law = (np.pad(law, (0, rank)) + np.pad(law, (rank, 0))) / 2
    return law


def upper_tail(n: int, t: int) -> float:
    """Returns P(T ≥ t)."""
    return float(null_law(n)[t:].sum())


@cache
def rank_of_interval(n: int) -> int:
    """Returns the largest k with P(T < k) ≤ LEVEL/2; 0 if there is none, for n < 6."""
    return int(np.searchsorted(np.cumsum(null_law(n)), LEVEL / 2, side="right"))


def level_of_interval(n: int) -> float:
    """Returns the probability with which the interval of n values covers the centre, if there are no ties."""
    return 1 - 2 * float(null_law(n)[: rank_of_interval(n)].sum())


def holm(p: Array) -> Array:
    """Returns p-values adjusted for their number m: the i-th smallest times m − i + 1, made monotone (Holm, 1979)."""
    p = np.asarray(p, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted


def least_p(n: int) -> float:
    """Returns the least p-value that the tests of n values may have: that of all signs alike, two of 2ⁿ patterns."""
    return min(1.0, 2.0 ** (1 - n))


def fewest_seeds(others: Array) -> int:
    """Returns of how many seeds a test may be significant beside others of these p-values, by Holm."""
    return next(n for n in count(1) if holm(np.array([least_p(n), *others]))[0] <= LEVEL)


def paired_prentice_wilcoxon(times: Array, contrast: Array) -> tuple[float, float]:
    """Returns the statistic of the paired Prentice–Wilcoxon test and its two-sided p-value.

    times (n, k) has a row per seed and a column per width, infinite where the end was not seen: censored, for all at
    the same time, so that Prentice's scores are the midranks among all n k. The statistic is the sum over seeds of
    d = Σ_j contrast_j · score_j; under the null d and −d are equally likely. All 2ᵐ signs of the m that are not 0 are
    counted up to m = 20. Beyond, signs are drawn at random, of which those of the data are one: p is at least 10⁻⁵, and
    errs no more often than it says. The normal law would not do, as few of the d may be large.

    P. C. O'Brien and T. R. Fleming, "A paired Prentice–Wilcoxon test for censored paired data", Biometrics 43 (1987).
    """
    from scipy.stats import rankdata

    scores = rankdata(times).reshape(times.shape)
    differences = scores @ (contrast - contrast.mean())
    total = float(differences.sum())
    size = float(np.abs(differences).sum())
    if size == 0:
        return 0.0, 1.0
    used = differences[np.abs(differences) > 1e-9 * size]
    sums = signed_sums(used) if len(used) <= MOST_ENUMERATED else randomly_signed_sums(used)
    return total, float(np.mean(np.abs(sums) >= abs(total) - 1e-9 * size))


def signed_sums(values: Array) -> Array:
    """Returns the sums of values with all 2ⁿ choices of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def randomly_signed_sums(values: Array) -> Array:
    """Returns the sum of values, and their sums with signs drawn at random."""
    rng = np.random.default_rng(0)
    sums = np.zeros(SIGNINGS)
    for value in values:
        sums += np.where(rng.integers(2, size=SIGNINGS) == 0, value, -value)
    return np.append(sums, values.sum())


def dependence_on_width(failed: Array) -> float:
    """Returns the p-value of failures being spread over widths by chance, given how many there are for each seed.

    failed (n, k) is a boolean per seed and width. The statistic is that of Cochran's Q test, the variance over widths
    of the number of failures; its law is that of random rearrangements within seeds.
    """
    uneven = failed[failed.any(axis=1) & ~failed.all(axis=1)]
    if not len(uneven):
        return 1.0
    rng = np.random.default_rng(0)
    counts = sum(rng.permuted(np.tile(row, (REARRANGEMENTS, 1)), axis=1).astype(int) for row in uneven)
    spread = np.square(counts).sum(axis=1)
    observed = np.square(uneven.sum(axis=0)).sum()
    return float((1 + np.count_nonzero(spread >= observed)) / (1 + REARRANGEMENTS))
