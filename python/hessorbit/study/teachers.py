"""Measures over many teachers how near a global minimum is at initialisation, against the width of the student.

For each teacher random starts of every width are searched for their nearest minimum (`reach_by_width`). The radius that
counts as near is fixed before: a share of the median distance of other starts, of the narrowest width. So it means the
same for teachers of different sizes, and no start that is counted has a part in choosing it.

What a teacher says of a trend is one slope, as a seed does in a width study, and the claims are judged in the same way
(claims.py). For the probability to be within the radius it is that of the logarithm of the odds to be outside,

    (starts outside + ½) / (starts inside + ½)

which is finite also where all starts are on one side. Lower ends come from the certified lower bounds on distances.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _checks
from .._extras import need
from .._words import number_of
from ..minima.scaling import ReachByWidth, Starts, reach_by_width
from .claims import Claim, Finding, judge
from .settings import Settings
from .task import stream, teacher_task

if TYPE_CHECKING:
    from pandas import DataFrame

logger = logging.getLogger(__name__)

SHARE = 0.9  # of the median distance at the narrowest width
STARTS, FIRST_STARTS = 3, 9  # keys of the random numbers of starts, and of those that fix the radius (task.py)


def distance_claim(column: str, sentence: str) -> Claim:
    return Claim(column, sentence, f"{column}_median", lower=f"{column}_lower_bound")


CLAIMS = (
    distance_claim("distance", "A global minimum is nearer"),
    distance_claim("relative", "A global minimum is nearer in units of ‖θ₀‖"),
    distance_claim("per_parameter", "A global minimum is nearer in units of √P"),
    Claim(
        "reach",
        "More starts are within the radius",
        "odds_outside",
        lower="odds_outside_lower",
        unit="odds to be outside, per doubling of the width",
    ),
)


@dataclass(frozen=True, eq=False, repr=False)
class ReachOverTeachers:
    """A reach over teachers holds what each teacher's starts found, and what follows for the claims.

    Attributes
    ----------
    teachers : tuple of int
        Their seeds.
    reaches : tuple of ReachByWidth
        One per teacher, each with its radius.
    share : float or None
        Of the median distance at the narrowest width that the radius is; None for one radius that was given.

    Examples
    --------
    >>> import hessorbit as ho
    >>> from hessorbit.study import reach_over_teachers
    >>> settings = ho.WidthStudy(inputs=2, teacher_width=1, widths=[1, 4])
    >>> found = reach_over_teachers(settings, teachers=8, samples=20)
    >>> [finding.verdict for finding in found.findings()][:2]
    ['supported', 'supported']
    """

    teachers: tuple[int, ...]
    reaches: tuple[ReachByWidth, ...]
    share: float | None

    @cached_property
    def table(self) -> DataFrame:
        """One row per teacher (`seed`) and width, as a pandas DataFrame."""
        need("pandas", "the table of a study")
        from pandas import DataFrame

        return DataFrame(
            [
                {"seed": seed, **row, **measures(starts, reach.radius)}
                for seed, reach in zip(self.teachers, self.reaches, strict=True)
                for row, starts in zip(reach.rows, reach.starts, strict=True)
            ]
        )

    def findings(self) -> list[Finding]:
        """Returns what the teachers say about each claim.

        Examples
        --------
        >>> import hessorbit as ho
        >>> settings = ho.WidthStudy(inputs=2, teacher_width=1, widths=[1, 4])
        >>> found = ho.study.reach_over_teachers(settings, teachers=8, samples=20)
        >>> found.findings()[0].verdict
        'supported'
        """
        return judge(self.table, claims=CLAIMS)

    def __repr__(self) -> str:
        teachers = number_of(len(self.teachers), "teacher")
        return f"ReachOverTeachers({teachers})\n" + "\n".join(map(repr, self.findings()))


def measures(starts: Starts, radius: float) -> dict[str, float]:
    """Returns lower bounds on the medians of distances, and the odds to be outside the radius with their lower end."""
    lower = starts.distance_lower_bound
    return {
        "distance_lower_bound": float(np.median(lower)),
        "relative_lower_bound": float(np.median(lower / starts.size)),
        "per_parameter_lower_bound": float(np.median(lower) / np.sqrt(starts.parameters)),
        "odds_outside": odds_outside(starts.distance, radius),
        "odds_outside_lower": odds_outside(lower, radius),
    }


def odds_outside(distance: Any, radius: float) -> float:
    inside = int(np.count_nonzero(distance <= radius))
    return (len(distance) - inside + 0.5) / (inside + 0.5)


def reach_over_teachers(
    settings: Settings,
    widths: Sequence[int] | None = None,
    *,
    teachers: int,
    seed: int = 0,
    share: float = SHARE,
    radius: float | None = None,
    samples: int = 200,
    max_nodes: int = 100,
    threads: int | None = None,
    keep: Callable[[ReachOverTeachers], object] | None = None,
) -> ReachOverTeachers:
    """Returns how far random starts are from a global minimum for several teachers, and what follows about width.

    Parameters
    ----------
    settings : Settings
        Of a width study, such as a `WidthStudy`: its teachers and its initial parameters are used.
    widths : sequence of int, optional
        Hidden neurons of the students; by default those of the settings.
    teachers : int
        How many. Verdicts need 8, as there are four claims.
    seed : int
        The first one's seed; the others follow it.
    share : float
        The radius that counts as near, over the median distance of other starts of the narrowest width.
    radius : float, optional
        One radius for all teachers instead.
    samples : int
        Starts for each width of each teacher.
    max_nodes, threads
        As for `reach_by_width`.
    keep : callable, optional
        Called after each teacher with what there is until then.

    Returns
    -------
    ReachOverTeachers

    Raises
    ------
    TypeError, ValueError
        As `reach_by_width`.

    Examples
    --------
    >>> import hessorbit as ho
    >>> from hessorbit.study import reach_over_teachers
    >>> settings = ho.WidthStudy(inputs=2, teacher_width=1, widths=[1, 4])
    >>> found = reach_over_teachers(settings, teachers=2, samples=20)
    >>> found.table[["seed", "width"]].to_numpy().tolist()
    [[0, 1], [0, 4], [1, 1], [1, 4]]
    """
    count = _checks.integer(teachers, "teachers", minimum=1)
    first = _checks.integer(seed, "seed", minimum=0)
    part = _checks.positive(share, "share")
    seeds = tuple(range(first, first + count))
    options = {"samples": samples, "max_nodes": max_nodes, "threads": threads, "bounds": False}
    chosen = settings.widths if widths is None else widths
    of_median = None if radius is not None else part
    found = ReachOverTeachers((), (), of_median)
    for reach in each_reach(settings, chosen, seeds, of_median, radius, options):
        done = len(found.reaches) + 1
        found = ReachOverTeachers(seeds[:done], (*found.reaches, reach), of_median)
        if keep is not None:
            keep(found)
    return found


def each_reach(
    settings: Settings,
    widths: Sequence[int],
    seeds: Sequence[int],
    share: float | None,
    radius: float | None,
    options: dict[str, Any],
) -> Iterator[ReachByWidth]:
    """Yields what the starts of one teacher after the other find."""
    for seed in seeds:
        task = teacher_task(settings, seed)
        if share is not None:
            rng = stream(settings, seed, FIRST_STARTS)
            (pilot,) = reach_by_width(
                task.teacher, task.theta, [min(widths)], rng=rng, init=settings.init, **options
            ).starts
            radius = share * float(np.median(pilot.distance))
        rng = stream(settings, seed, STARTS)
        found = reach_by_width(task.teacher, task.theta, widths, rng=rng, init=settings.init, radius=radius, **options)
        medians = ", ".join(f"{np.median(each.distance):.4g}" for each in found.starts)
        logger.info("teacher %d: radius %.4g, median distances %s", seed, found.radius, medians)
        yield found
