"""Measures how often the study's intervals cover the truth, and how often its tests reject what is true.

    python docs/simulations/coverage.py [repetitions]

Values are drawn around 0 by several laws, n at a time, as the slopes of n seeds are. The first table has the share of
intervals that contain 0, in per cent, beside what the exact law promises where there are no ties; the second the share
of tests at 5 % that reject. With r repetitions a share q has the standard error √(q (1 − q)/r): 0.31 % for 5000
and q = 95 %.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from hessorbit.study.statistics import LEVEL, estimate, holm, level_of_interval, paired_prentice_wilcoxon

Draw = Callable[[np.random.Generator, int], np.ndarray]
SIZES = (6, 7, 8, 10, 12, 15, 20, 25, 30)
CENSORED = 0.3  # share of runs beyond the limit


def with_outlier(rng: np.random.Generator, n: int) -> np.ndarray:
    """Normal values, one of them 10 standard deviations up."""
    return rng.standard_normal(n) + np.where(np.arange(n) == 0, 10.0, 0.0)


LAWS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "heavy tails (Student, 2)": lambda rng, n: rng.standard_t(2, n),
    "ties (rounded to 0.5)": lambda rng, n: np.round(2 * rng.standard_normal(n)) / 2,
    "ties (−1, 0 or 1)": lambda rng, n: rng.integers(-1, 2, n).astype(float),
    "one outlier": with_outlier,
}


def coverage(draw: Draw, n: int, repetitions: int) -> float:
    """Returns the share of intervals that contain 0."""
    rng = np.random.default_rng(n)
    found = (estimate(draw(rng, n)) for _ in range(repetitions))
    return float(np.mean([each.low <= 0 <= each.high for each in found]))


def false_verdicts(n: int, repetitions: int) -> float:
    """Returns how often, of six claims that are all untrue, any is decided by its p-value adjusted by Holm."""
    rng = np.random.default_rng(n)
    found = (holm(np.array([estimate(rng.standard_normal(n)).p for _ in range(6)])) for _ in range(repetitions))
    return float(np.mean([adjusted.min() <= LEVEL for adjusted in found]))


def false_steps(n: int, repetitions: int) -> float:
    """Returns how often the test of steps rejects for five widths that are alike, with teachers that are not."""
    rng = np.random.default_rng(n)
    contrast = np.arange(5.0)
    rejected = []
    for _ in range(repetitions):
        steps = np.exp(rng.standard_normal((n, 1)) + rng.standard_normal((n, 5)))
        steps[steps > np.quantile(steps, 1 - CENSORED)] = np.inf
        rejected.append(paired_prentice_wilcoxon(steps, contrast)[1] <= LEVEL)
    return float(np.mean(rejected))


def main(repetitions: int = 5_000) -> None:
    print(f"{'coverage in %':26}" + "".join(f"{f'n = {n}':>8}" for n in SIZES))
    print(f"{'promised without ties':26}" + "".join(f"{100 * level_of_interval(n):8.1f}" for n in SIZES))
    for name, draw in LAWS.items():
        print(f"{name:26}" + "".join(f"{100 * coverage(draw, n, repetitions):8.1f}" for n in SIZES), flush=True)
    print(f"\n{'rejected in %':26}" + "".join(f"{f'n = {n}':>8}" for n in SIZES))
    few = max(1, repetitions // 10)
    rows = {"any of six claims (Holm)": false_verdicts, "steps, 30 % censored": false_steps}
    for name, rate in rows.items():
        print(f"{name:26}" + "".join(f"{100 * rate(n, few):8.1f}" for n in SIZES), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
