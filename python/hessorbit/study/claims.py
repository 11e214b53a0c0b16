"""Judges claims about width by what the data say; statistics.py has the estimates and tests.

The effect of width on a quantity q is, for each seed, the slope of log₂ q against log₂ width (least squares), and over
seeds its Hodges–Lehmann estimate; the factor 2^slope is what a doubling of the width multiplies q by. The same for each
two neighbouring widths alone, since a slope may hide that q falls first and rises then.

A claim is decided by the two-sided test of its slope, Wilcoxon's for what is measured and the paired Prentice–Wilcoxon
test for steps, which are censored at max_steps; p-values are adjusted by Holm for the number of claims. The interval
has to be on the same side of 1: ranks tell that a censored number of steps is large, and not how large.

Where a doubling goes significantly the other way, by Holm for the doublings of all claims, the claim is said not to be
monotone. Where it does by Holm for those of the claim alone, which is easier, the claim is undecided: either way the
doubt is with what is said. Seeds may decide the slope and be too few for any doubling; then the verdict says so.

Only seeds count whose students of all widths could be measured, for a claim about curvature: are at minima. Where
failures depend on the width, nothing is decided, nor where seeds are so few that no values of theirs could be
significant: the least p-value of n seeds is 2^(1 − n), before it is adjusted.

Two other kinds of claims have other slopes, and the same estimates, tests and verdicts:

- Between two ways at the same widths, such as two representatives of a function: the mean over widths of
  log₂ (one quantity/the other).
- That a quantity follows another one, such as measured steps predicted ones: for each seed the slope of its log₂
  against log₂ of the other over widths (least squares), counted per halving, so that following is falling.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from .._checks import Array
from .._words import number_of
from .record import Cell
from .statistics import (
    FEWEST_SEEDS,
    LEVEL,
    Estimate,
    dependence_on_width,
    estimate,
    fewest_seeds,
    holm,
    least_p,
    paired_prentice_wilcoxon,
)

if TYPE_CHECKING:
    from pandas import DataFrame

Verdict = Literal["supported", "contradicted", "not monotone", "undecided"]

DOUBLING = "per doubling of the width"
SAID = {-1: "falls", 1: "rises"}

# Slopes of this size are rounding; a contrast's weight below this share of its largest is 0.
NEGLIGIBLE = 1e-9


@dataclass(frozen=True)
class Claim:
    """A claim is a sentence about a column of the table: that it falls with width.

    Attributes
    ----------
    id : str
    sentence : str
    column : str
        The column that it is about.
    lower, upper : str
        Columns of certified bounds on it; empty where it is exact.
    at_minima : bool
        Whether it is about curvature, which is compared between minima only.
    of_teacher : bool
        Whether it is about minima where the student is its teacher, which a narrower student has not.
    censored : bool
        Whether the column is a number of steps, which a student that is not `reached` exceeds.
    null : str
        The column that has the same number at initialisation; empty if there is none.
    reached : str
        The column that says of a censored one whether it was seen to its end, with 1.
    against, against_reached : str
        The column that it is compared with at every width, instead of between widths, and whether that was seen to its
        end.
    follows : str
        The column whose halving it follows.
    above : int
        Only wider students have part.
    unit : str
        What its factor is, in words.

    Examples
    --------
    >>> from hessorbit.study.claims import CLAIMS
    >>> CLAIMS[0].sentence, CLAIMS[0].at_minima, CLAIMS[0].test
    ('The trace falls with width', True, 'Wilcoxon signed-rank')
    """

    id: str
    sentence: str
    column: str
    lower: str = ""
    upper: str = ""
    at_minima: bool = False
    of_teacher: bool = False
    censored: bool = False
    null: str = ""
    reached: str = "reached"
    against: str = ""
    against_reached: str = ""
    follows: str = ""
    above: int = 0
    unit: str = DOUBLING

    @property
    def label(self) -> str:
        """The sentence, and what the factor is if it is not that of a doubling of the width."""
        return self.sentence if self.unit == DOUBLING else f"{self.sentence} ({self.unit})"

    @property
    def test(self) -> str:
        """The test that decides it, by name."""
        return "paired Prentice–Wilcoxon" if self.censored else "Wilcoxon signed-rank"


CLAIMS = (
    Claim("trace", "The trace falls with width", "trace", at_minima=True),
    Claim("lambda_max", "λ_max falls with width", "lambda_max", at_minima=True, null="lambda_max_at_start"),
    Claim(
        "condition",
        "κ falls with width",
        "condition",
        upper="condition_upper",
        at_minima=True,
        null="condition_at_start",
    ),
    Claim(
        "condition_copies",
        "κ without idle neurons falls with width",
        "condition_copies",
        at_minima=True,
        of_teacher=True,
    ),
    Claim("steps", "Fewer steps with width", "steps", censored=True),
    Claim("nearest", "A global minimum is nearer", "nearest_distance", lower="nearest_bound", of_teacher=True),
)


@dataclass(frozen=True)
class Factor:
    """A factor holds what a doubling of the width, or what a claim is about, multiplies a quantity by, over n seeds.

    Attributes
    ----------
    value : float
        The Hodges–Lehmann estimate.
    low, high : float
        Its interval at 95 %; nan with fewer than 6 seeds.
    p : float
        Two-sided p-value of a factor of 1.
    n : int

    Examples
    --------
    >>> from hessorbit.study.claims import Factor
    >>> Factor(value=0.71, low=0.6, high=0.83, p=0.004, n=9)
    Factor(×0.71, 95 % interval 0.6 to 0.83, p = 0.004, n = 9)
    """

    value: float
    low: float
    high: float
    p: float
    n: int

    @classmethod
    def of(cls, slope: Estimate) -> Factor:
        """Returns the factor of a slope of log₂.

        Examples
        --------
        >>> import hessorbit as ho
        >>> from hessorbit.study.statistics import Estimate
        >>> ho.study.Factor.of(Estimate(value=-1.0, low=-2.0, high=0.0, p=0.04, n=8))
        Factor(×0.5, 95 % interval 0.25 to 1, p = 0.04, n = 8)
        """
        value, low, high = np.exp2([slope.value, slope.low, slope.high]).tolist()
        return cls(value, low, high, slope.p, slope.n)

    def __repr__(self) -> str:
        interval = f"95 % interval {self.low:.3g} to {self.high:.3g}"
        return f"Factor(×{self.value:.3g}, {interval}, p = {self.p:.2g}, n = {self.n})"


@dataclass(frozen=True)
class Doubling:
    """A doubling holds the effect between two neighbouring widths.

    Attributes
    ----------
    narrow, wide : int
    factor : Factor
        The factor of a doubling.
    within, adjusted : float
        Its p-value, adjusted for the number of doublings of this claim, and of all claims.

    Examples
    --------
    >>> from hessorbit.study.claims import Doubling, Factor
    >>> factor = Factor(value=0.71, low=0.6, high=0.83, p=0.004, n=9)
    >>> doubling = Doubling(narrow=5, wide=10, factor=factor, within=0.012, adjusted=0.072)
    >>> doubling.direction, doubling.tendency
    (0, -1)
    """

    narrow: int
    wide: int
    factor: Factor
    within: float
    adjusted: float

    @property
    def direction(self) -> int:
        """−1 if the quantity falls significantly here, beside the doublings of all claims, 1 if it rises, else 0."""
        return direction(self.factor, self.adjusted)

    @property
    def tendency(self) -> int:
        """The same beside the doublings of this claim alone."""
        return direction(self.factor, self.within)

    def __str__(self) -> str:
        return f"{SAID[sign(self.factor)]} from {self.narrow} to {self.wide}"


@dataclass(frozen=True)
class Finding:
    """A finding holds what the data say about a claim.

    Attributes
    ----------
    claim : Claim
    factor : Factor
        The effect of a doubling, over all widths; of other claims, what their `unit` says. A censored number of steps
        counts as max_steps in the value, and as any larger number in the interval.
    adjusted : float
        Its p-value, adjusted for the number of claims.
    verdict : {"supported", "contradicted", "not monotone", "undecided"}
    reason : str
        Why it is undecided, where it falls and rises nevertheless, or what the seeds are too few to show beside the
        verdict; empty if there is nothing to say.
    pairs : tuple of two int
        Number of pairs of neighbouring widths of a seed that could be compared, for curvature at minima; and of all of
        them.
    doublings : tuple of Doubling
        The effects between neighbouring widths; none for claims that are not about a doubling of the width.
    null : Factor or None
        The effect on the same number at initialisation, for the same seeds.
    variant : str
        The variant of the study, such as "activation=tanh"; empty in a study without factors.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import hessorbit as ho
    >>> study = ho.WidthStudy(inputs=2, teacher_width=2, widths=[2, 4], seeds=1, samples=50, max_steps=200)
    >>> with ThreadPoolExecutor(1) as executor:
    ...     result = study.run(executor=executor)

    >>> finding = next(each for each in result.claims() if each.claim.id == "nearest")
    >>> finding.claim.column, finding.factor.n, finding.verdict, finding.reason
    ('nearest_distance', 1, 'undecided', '1 of 1 seed can be used, too few to decide one of 7 claims; 9 may do')
    """

    claim: Claim
    factor: Factor
    adjusted: float
    verdict: Verdict
    reason: str
    pairs: tuple[int, int]
    doublings: tuple[Doubling, ...]
    null: Factor | None
    variant: str = ""

    @property
    def conclusion(self) -> str:
        """The verdict with its reason."""
        return f"{self.verdict}: {self.reason}" if self.reason else self.verdict

    def __repr__(self) -> str:
        return f"Finding({self.claim.sentence}: {self.conclusion}; {self.factor!r}, adjusted p = {self.adjusted:.2g})"


@dataclass(frozen=True)
class Sample:
    """The values of a claim's column, (n, k) for seeds × widths, and their lower and upper ends; nan where missing.

    With a column to compare with, there are as many columns again: its values, in the same order. `failed` says which
    cannot be used, and `off_minima` of which students this is because they are at no minimum.
    """

    widths: Array
    values: Array
    lower: Array
    upper: Array
    failed: Array
    off_minima: Array
    null: Sample | None = None

    @property
    def complete(self) -> Array:
        """Which seeds have all widths, (n,)."""
        return np.asarray(~self.failed.any(axis=1))

    @property
    def pairs(self) -> tuple[int, int]:
        """How many pairs of neighbouring widths have both values, and how many there are."""
        return pairs_of(~self.failed)

    def effect(self, contrast: Array, *, censored: bool = False) -> Factor:
        """Returns the effect of a contrast of log₂ values, one for all seeds or one each, over the complete seeds."""
        weights = np.broadcast_to(contrast, self.values.shape)[self.complete]
        used = np.abs(weights) > NEGLIGIBLE * np.abs(weights).max(axis=1, initial=0.0, keepdims=True)
        weights = np.where(used, weights, 0.0)
        with np.errstate(divide="ignore"):
            logs = (np.log2(each[self.complete]) for each in (self.values, self.lower, self.upper))
            values, lower, upper = (np.where(used, each, 0.0) for each in logs)
        ends = [(np.where(weights > 0, a, b) * weights).sum(axis=1) for a, b in ((lower, upper), (upper, lower))]
        slope = estimate((values * weights).sum(axis=1), ends[0] - NEGLIGIBLE, ends[1] + NEGLIGIBLE)
        if censored and slope.n >= FEWEST_SEEDS:
            chosen = used[0]
            total, p = paired_prentice_wilcoxon(self.upper[self.complete][:, chosen], weights[0, chosen])
            # Where ranks and the median slope point to different sides, nothing is shown.
            slope = replace(slope, p=p if total * slope.value > 0 else 1.0)
        return Factor.of(slope)


def judge(
    table: DataFrame, failed: Collection[Cell] = (), *, least_width: int = 1, claims: tuple[Claim, ...] = CLAIMS
) -> list[Finding]:
    """Returns what the rows of a study say about claims.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per width and seed that is done: `width`, `seed`, and the columns of the claims.
    failed : collection of Cell
        The cells that raised an error.
    least_width : int
        The teacher's width: narrower students have no part in claims about minima where the student is its teacher.
    claims : tuple of Claim

    Returns
    -------
    list of Finding
        One per claim, in their order.
    """
    samples = [sample_of(claim, table, failed, least_width) for claim in claims]
    findings = [find(claim, sample) for claim, sample in zip(claims, samples, strict=True)]
    least = np.array([1.0 if finding.reason else least_p(finding.factor.n) for finding in findings])
    few = [too_few(claim, sample, least, i) for i, (claim, sample) in enumerate(zip(claims, samples, strict=True))]
    adjusted = holm(np.array([finding.adjusted for finding in findings])).tolist()
    findings = beside_all(findings)
    return [decided(replace(f, adjusted=p), why) for f, p, why in zip(findings, adjusted, few, strict=True)]


def beside_all(findings: list[Finding]) -> list[Finding]:
    """Returns the findings with the p-values of their doublings adjusted for the doublings of all."""
    adjusted = iter(holm(np.array([p_of(each, f) for f in findings for each in f.doublings])).tolist())
    return [replace(f, doublings=tuple(replace(d, adjusted=next(adjusted)) for d in f.doublings)) for f in findings]


def p_of(doubling: Doubling, finding: Finding) -> float:
    """Returns the p-value of a doubling, which is 1 where something keeps the claim from being decided."""
    return 1.0 if finding.reason else doubling.factor.p


def sample_of(claim: Claim, table: DataFrame, failed: Collection[Cell], least_width: int) -> Sample:
    """Returns the values of a claim for the seeds of which every width is computed, failed or not."""
    import pandas as pd

    errors = pd.DataFrame([cell[:2] for cell in failed], columns=["width", "seed"])
    rows = pd.concat([table.astype(dict.fromkeys(table, float)), errors.assign(failed=True)])
    least = max(claim.above + 1, least_width if claim.of_teacher else 1)
    rows = rows[rows["width"] >= least]
    rows = rows.drop_duplicates(["seed", "width"]).set_index(["seed", "width"]).sort_index()
    computed = rows.assign(there=1.0)["there"].unstack()
    seeds, widths = computed.index[computed.notna().all(axis=1)], computed.columns

    def column(name: str) -> Array:
        found: Array = rows[name].unstack().reindex(index=seeds, columns=widths).to_numpy(float)
        return found

    def censored(values: Array, reached: str) -> Array:
        return np.where(column(reached) == 0, np.inf, values) if claim.censored else values

    def off_minima() -> Array:
        """Which students are at no minimum, or none that the claim is about; those that failed are at none."""
        name = "at_teacher" if claim.of_teacher else "at_minimum"
        return column(name) != 1 if claim.at_minima and name in rows else bad

    values = column(claim.column)
    lower = column(claim.lower) if claim.lower else values
    upper = column(claim.upper) if claim.upper else censored(values, claim.reached)
    bad = unusable(values)
    null = None
    if claim.null:
        start = column(claim.null)
        unknown = bad | unusable(start)
        null = Sample(widths.to_numpy(float), start, start, start, unknown, unknown)
    if other := claim.against or claim.follows:
        others = column(other)
        bad = bad | unusable(others)
        values, lower = (np.hstack([each, others]) for each in (values, lower))
        upper = np.hstack([upper, censored(others, claim.against_reached)])
    return Sample(widths.to_numpy(float), values, lower, upper, bad, off_minima(), null)


def pairs_of(usable: Array) -> tuple[int, int]:
    """Returns how many pairs of neighbouring columns are both usable, and how many pairs there are."""
    both = usable[:, 1:] & usable[:, :-1]
    return int(both.sum()), both.size


def unusable(values: Array) -> Array:
    """Returns which values have no logarithm."""
    return np.asarray(~((values > 0) & np.isfinite(values)))


def find(claim: Claim, sample: Sample) -> Finding:
    """Returns the finding from the values, before the p-values of all claims are adjusted together."""
    if len(sample.widths) < (1 if claim.against else 2):
        nothing = Factor(np.nan, np.nan, np.nan, 1.0, int(sample.complete.sum()))
        alone = "a single width" if len(sample.widths) else "no student that it is about"
        return Finding(claim, nothing, 1.0, "undecided", alone, sample.pairs, (), None)
    contrast = contrast_of(claim, sample)
    factor = sample.effect(contrast, censored=claim.censored)
    reason = obstacle(claim, sample)
    null = None if sample.null is None else sample.null.effect(contrast)
    doublings = () if claim.against or claim.follows else doublings_of(claim, sample)
    return Finding(claim, factor, 1.0 if reason else factor.p, "undecided", reason, sample.pairs, doublings, null)


def contrast_of(claim: Claim, sample: Sample) -> Array:
    """Returns the weights whose sum with log₂ values is the effect of a seed."""
    count = len(sample.widths)
    if claim.against:
        return np.repeat([1 / count, -1 / count], count)
    if claim.follows:
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = slope_weights(np.log2(sample.values[:, count:]))
        return np.hstack([-slopes, np.zeros_like(slopes)])
    return slope_weights(np.log2(sample.widths))


def slope_weights(x: Array) -> Array:
    """Returns the weights of y in the least-squares slope of y against x, along the last axis."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.square(centred).sum(axis=-1, keepdims=True))


def doublings_of(claim: Claim, sample: Sample) -> tuple[Doubling, ...]:
    """Returns the effects between neighbouring widths, before their p-values are adjusted together with others."""
    steps = np.diff(np.eye(len(sample.widths)), axis=0) / np.diff(np.log2(sample.widths))[:, None]
    parts = [sample.effect(step, censored=claim.censored) for step in steps]
    within = holm(np.array([part.p for part in parts])).tolist()
    return tuple(
        Doubling(int(narrow), int(wide), part, p, 1.0)
        for narrow, wide, part, p in zip(sample.widths, sample.widths[1:], parts, within, strict=False)
    )


def obstacle(claim: Claim, sample: Sample) -> str:
    """Returns why nothing can be decided by any number of seeds like these, if so."""
    usable, seeds = int(sample.complete.sum()), len(sample.failed)
    chance = dependence_on_width(sample.failed) if seeds else 1.0
    if chance <= LEVEL:
        numbers = sample.failed.sum(axis=0)
        worst = int(np.argmax(numbers))
        where = f"{numbers[worst]} of {seeds} at width {sample.widths[worst]:g}"
        depend = f"failures depend on width ({where}, p = {chance:.2g})"
        return "; ".join(filter(None, [compared(claim, sample), depend]))
    if claim.censored and usable and np.isinf(sample.upper[sample.complete]).all():
        return "no training came to its end"
    return ""


def compared(claim: Claim, sample: Sample) -> str:
    """Says how many pairs of neighbouring widths are at minima, or could be measured there, unless it is all."""
    at_minima, of = pairs_of(~sample.off_minima)
    if not claim.at_minima or sample.pairs[0] == of:
        return ""
    minima = "the teacher's minima" if claim.of_teacher else "minima"
    if at_minima == sample.pairs[0]:
        return f"{at_minima} of {number_of(of, 'pair')} at {minima}"
    return f"{sample.pairs[0]} of {number_of(of, 'pair')} measured, {at_minima} at {minima}"


def too_few(claim: Claim, sample: Sample, least: Array, index: int) -> str:
    """Says that a claim has too few seeds for whatever values of theirs to decide it, if so.

    `least` has the least p-value that each claim may have, before they are adjusted for their number.
    """
    usable, seeds = int(sample.complete.sum()), len(sample.failed)
    if holm(least)[index] <= LEVEL:
        return ""
    one = "a claim" if len(least) == 1 else f"one of {len(least)} claims"
    fewest = fewest_seeds(np.delete(least, index))
    few = f"{usable} of {number_of(seeds, 'seed')} can be used, too few to decide {one}; {fewest} may do"
    return "; ".join(filter(None, [compared(claim, sample), few]))


def decided(finding: Finding, few: str) -> Finding:
    """Returns the finding with the verdict of its adjusted p-value and its doublings; `few` says of too few seeds."""
    if finding.reason:
        return finding
    trend = direction(finding.factor, finding.adjusted)
    found = {trend, *(each.direction for each in finding.doublings)} - {0}
    parts = ", ".join(str(each) for each in finding.doublings if each.direction)
    if found == {-1, 1}:
        return replace(finding, verdict="not monotone", reason=parts)
    if trend == 0:
        return replace(finding, reason="; ".join(filter(None, [parts, few or in_rank(finding)])))
    if doubts := ", ".join(str(each) for each in finding.doublings if each.tendency == -trend):
        return replace(finding, reason=f"{SAID[trend]} in all, but {doubts} by the tests of this claim alone")
    return replace(finding, verdict="supported" if trend < 0 else "contradicted", reason=unseen(finding, trend))


def unseen(finding: Finding, trend: int) -> str:
    """Says where seeds are too few for whatever values of theirs to show that a doubling goes the other way."""
    others = np.ones(max(0, len(finding.doublings) - 1))
    fewest = fewest_seeds(others)
    if not finding.doublings or finding.factor.n >= fewest:
        return ""
    other = "rise" if trend < 0 else "fall"
    return f"in all; {number_of(finding.factor.n, 'seed')} cannot show a {other} between two widths, {fewest} may"


def in_rank(finding: Finding) -> str:
    """Says where ranks of steps are significant and the factor is not, as censored steps may be of any size."""
    if finding.adjusted > LEVEL:
        return ""
    said = "fewer steps" if finding.factor.value < 1 else "more steps"
    return f"{said} in rank, but censored ones leave a factor of 1 possible"


def direction(factor: Factor, p: float) -> int:
    """Returns −1 for a significant fall, 1 for a significant rise, else 0; the interval has to be on that side."""
    beyond = factor.high < 1 if factor.value < 1 else factor.low > 1
    return sign(factor) if p <= LEVEL and beyond else 0


def sign(factor: Factor) -> int:
    return int(np.sign(factor.value - 1))
