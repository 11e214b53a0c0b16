"""`reach_by_width` measures how the distance to the nearest global minimum changes with the width of the student.

For each width, random starts are searched for their nearest minimum. Three measures of a distance ‖θ − θ₀‖ are worth
comparing, as θ₀ itself grows with width:

    absolute        ‖θ − θ₀‖             what a path in parameter space has to cover
    relative        ‖θ − θ₀‖ / ‖θ₀‖      by which part θ₀ changes
    per parameter   ‖θ − θ₀‖ / √P        root mean square change of one parameter

The probability that a start lies within a radius is that of the absolute distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html, schemes
from .._checks import Array
from ..network import MLP
from .nearest import checked_gap, relative_gap, row_norms, search
from .reach import CHUNK, chi_square_bounds, clopper_pearson
from .subspace_laws import SubspaceLaws, variances
from .teacher import Setting, check_network, setting_of

QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, eq=False)
class Starts:
    """A `Starts` holds S random starts of one width.

    Attributes
    ----------
    width, parameters : int
        m hidden neurons and P parameters of the student.
    distance, distance_lower_bound : ndarray, shape (S,)
        Distance to the nearest minimum found, and the certified lower bound on the distance to the covered pieces.
    size : ndarray, shape (S,)
        ‖θ₀‖.
    complete : bool
        Whether all global minima were searched, as for `nearest_minimum`.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> teacher = ho.MLP([1, 1, 1], bias=False)
    >>> reach = ho.minima.reach_by_width(teacher, [1.0, 1.0], [2], samples=20, rng=np.random.default_rng(0))
    >>> (starts,) = reach.starts
    >>> starts.width, bool(starts.gap <= 1e-3)
    (2, True)
    """

    width: int
    parameters: int
    distance: Array
    distance_lower_bound: Array
    size: Array
    complete: bool

    @property
    def relative(self) -> Array:
        """Returns the distance over ‖θ₀‖."""
        return self.distance / self.size

    @property
    def per_parameter(self) -> Array:
        """Returns the distance over √P."""
        return np.asarray(self.distance / np.sqrt(self.parameters))

    @property
    def gap(self) -> float:
        """Returns the largest (distance − distance_lower_bound)/distance."""
        return float(np.max(relative_gap(self.distance, self.distance_lower_bound)))


@dataclass(frozen=True)
class Chance:
    """A `Chance` holds P(distance ≤ radius) for one width; it is found in `ReachByWidth.chance`.

    Attributes
    ----------
    estimate : float
    interval : tuple of two float
    lower_bound, upper_bound : float or None
        As in `ReachProbability`.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> teacher = ho.MLP([1, 1, 1], bias=False)
    >>> reach = ho.minima.reach_by_width(teacher, [1.0, 1.0], [2], samples=20, rng=np.random.default_rng(0))
    >>> (chance,) = reach.chance
    >>> bool(chance.interval[0] <= chance.estimate <= chance.interval[1])
    True
    """

    estimate: float
    interval: tuple[float, float]
    lower_bound: float | None
    upper_bound: float | None


@dataclass(frozen=True, repr=False)
class ReachByWidth:
    """A `ReachByWidth` holds distances and probabilities for every width, in the order of `widths`.

    Attributes
    ----------
    radius : float
    confidence : float
        Of the intervals.
    starts : tuple of Starts
    chance : tuple of Chance

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> teacher = ho.MLP([1, 1, 1], bias=False)
    >>> reach = ho.minima.reach_by_width(teacher, [1.0, 1.0], [1, 2], samples=20, rng=np.random.default_rng(0))
    >>> reach.widths, [len(starts.distance) for starts in reach.starts]
    ((1, 2), [20, 20])
    """

    radius: float
    confidence: float
    starts: tuple[Starts, ...]
    chance: tuple[Chance, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Returns the numbers of hidden neurons."""
        return tuple(each.width for each in self.starts)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Returns a row of plain numbers for each width, for a table."""
        return [row(each, chance, self.radius) for each, chance in zip(self.starts, self.chance, strict=True)]

    def factor_per_doubling(self, measure: str = "distance") -> float:
        """Returns the factor of the median of a measure where the width doubles, by least squares in the logarithms.

        Parameters
        ----------
        measure : str
            ``"distance"``, ``"relative"`` or ``"per_parameter"``.

        Returns
        -------
        float
            Below 1 where the nearest minimum comes nearer; nan for a single width.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> teacher = ho.MLP([1, 1, 1], bias=False)
        >>> reach = ho.minima.reach_by_width(teacher, [1.0, 1.0], [1, 2, 4], samples=100, rng=np.random.default_rng(0))
        >>> reach.factor_per_doubling() < 1
        True
        """
        _checks.one_of(measure, ("distance", "relative", "per_parameter"), "measure")
        if len(self.starts) < 2:
            return float("nan")
        medians = [float(np.median(getattr(each, measure))) for each in self.starts]
        x, y = np.log2(self.widths), np.log2(medians)
        x = x - x.mean()
        return float(2 ** (x @ y / (x @ x)))

    def __repr__(self) -> str:
        lines = [f"ReachByWidth(radius={self.radius:g})"]
        for each, chance in zip(self.starts, self.chance, strict=True):
            low, high = chance.interval
            lines.append(
                f"  width {each.width}: median distance {np.median(each.distance):.4g}, gap ≤ {each.gap:.0e}, "
                f"P(distance ≤ radius) {chance.estimate:.3g} in [{low:.3g}, {high:.3g}]"
            )
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (each.width, f"{np.median(each.distance):.4g}", f"{each.gap:.0e}", f"{chance.estimate:.3g}",
             f"{chance.interval[0]:.3g} to {chance.interval[1]:.3g}")
            for each, chance in zip(self.starts, self.chance, strict=True)
        ]  # fmt: skip
        headings = ("width", "median distance", "gap at most", f"P(distance ≤ {self.radius:g})", "interval")
        return _html.table("Distance of random starts from the nearest global minimum", headings, rows)


def reach_by_width(
    teacher: MLP,
    theta_teacher: ArrayLike,
    widths: Sequence[int],
    *,
    rng: np.random.Generator,
    radius: float | None = None,
    init: str = "torch",
    samples: int = 200,
    confidence: float = 0.95,
    gap_tolerance: float = 1e-6,
    max_nodes: int = 100,
    bounds: bool = True,
    threads: int | None = None,
) -> ReachByWidth:
    """Returns how far random starts of growing width are from a global minimum, and how likely within a radius.

    Parameters
    ----------
    teacher, theta_teacher
        As for `nearest_minimum`. The students are like the teacher in all but width.
    widths : sequence of int
        Hidden neurons of the students, different and none below the teacher's.
    rng : numpy.random.Generator
        Every width draws from a stream of its own.
    radius : float, optional
        By default the median of the distances at all widths together.
    init : str
        A scheme of `MLP.init`.
    samples : int
        Starts for each width.
    confidence : float
        Of the intervals, below 1.
    gap_tolerance, max_nodes, threads
        As for `nearest_minimum`, but a search is cut earlier: the gaps are in the result.

    bounds : bool
        Whether to bound the probability where starts are Gaussian, which may take longer than the searches.

    Returns
    -------
    ReachByWidth

    Raises
    ------
    ReducibleTeacherError, TypeError, ValueError
        As `reach_probability`; and if a width is repeated, or smaller than the teacher's.

    Notes
    -----
    Bounds on the probability exist for Gaussian schemes, as `reach_probability` says. One start costs one search, some
    0.02 s for 80 neurons with one output.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> from hessorbit.minima import reach_by_width
    >>> teacher = ho.MLP([2, 2, 1], "tanh")
    >>> theta = teacher.init(np.random.default_rng(0), "normal(1)")
    >>> reach = reach_by_width(teacher, theta, [2, 8, 32], samples=50, rng=np.random.default_rng(1))
    >>> reach.factor_per_doubling() < 1
    True
    """
    check_network(teacher, "teacher")
    settings = [setting_of(student(teacher, width), teacher, theta_teacher) for width in checked(widths, teacher)]
    rng = _checks.generator(rng)
    scheme = schemes.scheme_of(init)
    count = _checks.integer(samples, "samples", minimum=1)
    level = _checks.fraction(confidence, "confidence")
    limits = (checked_gap(gap_tolerance), _checks.integer(max_nodes, "max_nodes", minimum=1))
    workers = _checks.threads(threads)
    reach = None if radius is None else _checks.positive(radius, "radius")

    starts = tuple(
        sample(setting, stream, init, count, *limits, workers)
        for setting, stream in zip(settings, rng.spawn(len(settings)), strict=True)
    )
    if reach is None:
        reach = float(np.median([each.distance for each in starts]))
    chance = tuple(
        chance_of(*pair, scheme if bounds else None, reach, level) for pair in zip(settings, starts, strict=True)
    )
    return ReachByWidth(reach, level, starts, chance)


def checked(widths: Sequence[int], teacher: MLP) -> list[int]:
    if isinstance(widths, str) or not isinstance(widths, Sequence | np.ndarray) or len(widths) == 0:
        raise TypeError(f"widths must be a sequence of integers, such as [5, 10, 20]; got {widths!r}")
    least = teacher.widths[1]
    for index, width in enumerate(widths):
        if _checks.integer(width, f"widths[{index}]", minimum=1) < least:
            raise ValueError(f"widths[{index}] must be at least the teacher's width, {least}; got {width}")
    if len(set(widths)) < len(widths):
        raise ValueError(f"widths must differ from each other; got {list(widths)}")
    return [int(width) for width in widths]


def student(teacher: MLP, width: int) -> MLP:
    """Returns the teacher's architecture with so many hidden neurons."""
    inputs, _, outputs = teacher.widths
    return MLP(
        [inputs, width, outputs],
        teacher.activations[0][0],
        bias=teacher.biases,
        parametrization=teacher.parametrization,
        output_activation=list(teacher.activations[1]),
    )


def sample(
    setting: Setting,
    rng: np.random.Generator,
    init: str,
    samples: int,
    tolerance: float,
    max_nodes: int,
    threads: int,
) -> Starts:
    distance, lower, size = np.empty((3, samples))
    for first in range(0, samples, CHUNK):
        theta = setting.net.init(rng, init, size=min(CHUNK, samples - first))
        near = search(setting, theta, tolerance, max_nodes, threads)
        chunk = slice(first, first + len(theta))
        distance[chunk], lower[chunk], size[chunk] = near.distance, near.lower_bound_covered, row_norms(theta)
    return Starts(setting.width, setting.net.num_parameters, distance, lower, size, not setting.missing)


def chance_of(
    setting: Setting, starts: Starts, scheme: schemes.Scheme | None, radius: float, confidence: float
) -> Chance:
    samples = len(starts.distance)
    inside = np.array([(starts.distance <= radius).sum()])
    possible = np.array([(starts.distance_lower_bound <= radius).sum()])
    low, high = clopper_pearson(inside, samples, confidence)[0], clopper_pearson(possible, samples, confidence)[1]
    bounds = None
    if scheme is not None and not scheme.uniform:
        bounds = chi_square_bounds(SubspaceLaws(setting, variances(setting, scheme)), np.array([radius]))
    return Chance(
        estimate=float(inside[0] / samples),
        interval=(float(low[0]), float(high[0])),
        lower_bound=None if bounds is None else float(bounds[0][0]),
        upper_bound=None if bounds is None or bounds[1] is None else float(bounds[1][0]),
    )


def row(starts: Starts, chance: Chance, radius: float) -> dict[str, Any]:
    lower, median, upper = np.quantile(starts.distance, QUARTILES)
    return {
        "width": starts.width,
        "parameters": starts.parameters,
        "samples": len(starts.distance),
        "distance_quartile_1": float(lower),
        "distance_median": float(median),
        "distance_quartile_3": float(upper),
        "distance_lower_bound_median": float(np.median(starts.distance_lower_bound)),
        "largest_gap": starts.gap,
        "relative_median": float(np.median(starts.relative)),
        "per_parameter_median": float(np.median(starts.per_parameter)),
        "radius": radius,
        "probability": chance.estimate,
        "probability_low": chance.interval[0],
        "probability_high": chance.interval[1],
        "probability_lower_bound": chance.lower_bound,
        "probability_upper_bound": chance.upper_bound,
        "complete": starts.complete,
    }
