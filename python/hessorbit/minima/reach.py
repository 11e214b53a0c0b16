"""`reach_probability` says how likely a random start is near a global minimum, by sampling and by bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, _html, schemes
from .._checks import Array
from .._words import number_of
from ..network import MLP
from .nearest import checked_gap, default_nodes, search
from .small_radius import SmallRadiusLaw, small_radius_law
from .subspace_laws import SubspaceLaws, variances
from .teacher import Setting, setting_of

# Students searched at once: enough for any number of threads, few enough to stay small in memory.
CHUNK = 256


@dataclass(frozen=True, eq=False, repr=False)
class ReachProbability:
    """A `ReachProbability` holds the probability that a random start lies within a radius of a global minimum.

    With several radii, every attribute marked (R) is an array of their shape.

    Attributes
    ----------
    radius : float or ndarray (R)
    estimate : float or ndarray (R)
        The part of the samples whose nearest minimum is within the radius.
    interval : tuple of two (R)
        Clopper–Pearson interval of the probability. Samples of which the search could not decide on which side of the
        radius they lie count as outside for its lower end and as inside for its upper end.
    undecided : int or ndarray (R)
        Number of these samples.
    lower_bound, upper_bound : float, ndarray, or None (R)
        Bounds from the generalised chi-square laws of single pieces, under a Gaussian scheme: the likeliest piece
        found, and the sum over all pieces, at most 1. None for uniform schemes; the upper one also where copies can be
        scaled, as their pieces are curved.
    bounds_error : float or ndarray (R)
        Relative error of the bounds, as the integration reports it; 0 without bounds.
    small_radius : SmallRadiusLaw or None
        The leading law for small radii; None where the leading pieces are curved.
    confidence : float
        Of the interval.
    distance, distance_lower_bound : ndarray, shape (S,)
        Distance of every sample to the nearest minimum found, and the certified lower bound on its distance to the
        covered pieces, in increasing order of the distance: the whole distribution.
    pieces : tuple of str
    complete : bool
    missing : str
        As in `NearestMinimum`. If there are other minima, the probability and its bounds are those of being near the
        covered pieces; `lower_bound` and the lower end of `interval` then hold for all minima as well.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> net = ho.MLP([1, 1, 1], bias=False)
    >>> reach = ho.reach_probability(
    ...     net, net, [1.0, 1.0], init="normal(1)", radius=[0.5, 1.0], samples=200, rng=np.random.default_rng(0)
    ... )
    >>> reach.estimate.shape, bool((reach.interval[0] <= reach.upper_bound).all())
    ((2,), True)
    >>> reach.small_radius(1e-3) < 1e-5
    True
    """

    radius: float | Array
    estimate: float | Array
    interval: tuple[float | Array, float | Array]
    undecided: int | Array
    lower_bound: float | Array | None
    upper_bound: float | Array | None
    bounds_error: float | Array
    small_radius: SmallRadiusLaw | None
    confidence: float
    distance: Array
    distance_lower_bound: Array
    pieces: tuple[str, ...]
    complete: bool
    missing: str

    def quantile(self, level: float | Sequence[float]) -> Array:
        """Returns quantiles of the distance among the samples.

        Examples
        --------
        >>> import numpy as np
        >>> import hessorbit as ho
        >>> net = ho.MLP([1, 1, 1], bias=False)
        >>> reach = ho.reach_probability(net, net, [1.0, 1.0], 0.5, samples=200, rng=np.random.default_rng(0))
        >>> low, middle, high = reach.quantile([0.25, 0.5, 0.75])
        >>> bool(low < middle < high)
        True
        """
        return np.asarray(np.quantile(self.distance, level))

    @property
    def _samples(self) -> str:
        return number_of(len(self.distance), "sample")

    def __repr__(self) -> str:
        lines = [f"ReachProbability({self._samples}, median distance {np.median(self.distance):.6g})"]
        bounds = [self.lower_bound, self.upper_bound]
        for index, radius in enumerate(np.atleast_1d(self.radius)):
            low, high = (float(np.atleast_1d(end)[index]) for end in self.interval)
            line = f"  radius {radius:g}: {np.atleast_1d(self.estimate)[index]:.4g} in [{low:.4g}, {high:.4g}]"
            if self.lower_bound is not None:
                texts = ["–" if b is None else f"{np.atleast_1d(b)[index]:.3g}" for b in bounds]
                line += f", bounds {texts[0]} and {texts[1]}"
            lines.append(line)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        def each(values: Any) -> list[Any]:
            shape = np.shape(self.radius)
            found = [None] if values is None else np.broadcast_to(values, shape).ravel().tolist()
            return found if len(found) > 1 else found * max(1, np.size(self.radius))

        columns = (self.radius, self.estimate, *self.interval, self.lower_bound, self.upper_bound)
        rows = [["–" if v is None else f"{v:.4g}" for v in row] for row in zip(*map(each, columns), strict=True)]
        headings = ("radius", "probability", "at least", "at most", "lower bound", "upper bound")
        caption = f"Reach of a global minimum: {self._samples}, {self.confidence:.0%} intervals"
        return _html.table(caption, headings, rows)


def reach_probability(
    net: MLP,
    teacher: MLP,
    theta_teacher: ArrayLike,
    radius: ArrayLike,
    *,
    rng: np.random.Generator,
    init: str = "torch",
    samples: int = 1000,
    confidence: float = 0.95,
    gap_tolerance: float = 1e-6,
    max_nodes: int | None = None,
    threads: int | None = None,
) -> ReachProbability:
    """Returns the probability that an initialisation lies within a radius of a global minimum.

    Parameters
    ----------
    net, teacher, theta_teacher
        As for `nearest_minimum`.
    radius : float or array_like, shape (R,)
        Euclidean distance in θ, positive.
    rng : numpy.random.Generator
    init : str
        A scheme of `MLP.init`.
    samples : int
        Number of starts, each searched for its nearest minimum.
    confidence : float
        Of the interval, below 1.
    gap_tolerance, max_nodes, threads
        As for `nearest_minimum`.

    Returns
    -------
    ReachProbability

    Raises
    ------
    ReducibleTeacherError, TypeError, ValueError
        As `nearest_minimum`; and if a radius is not positive, or an option out of its range.

    Notes
    -----
    The bounds are exact for the covered pieces up to the integration error: the upper one is the union bound over all
    T(r, m) of them, from one contour integral of their generating function; where constant or mirrored neurons couple
    to the output bias, its part of the distance is left out of it. One sample costs one search.

    References
    ----------
    Clopper and Pearson, "The use of confidence or fiducial limits", Biometrika 1934. Imhof, "Computing the
    distribution of quadratic forms in normal variables", Biometrika 1961.

    Examples
    --------
    >>> import numpy as np
    >>> import hessorbit as ho
    >>> teacher = ho.MLP([1, 1, 1], bias=False)
    >>> reach = ho.reach_probability(
    ...     teacher, teacher, [1.0, 1.0], 0.5, init="normal(1)", samples=2000, rng=np.random.default_rng(0)
    ... )
    >>> bool(reach.interval[0] < reach.upper_bound), reach.small_radius.exponent
    (True, 2)
    """
    setting = setting_of(net, teacher, theta_teacher)
    radii = checked_radii(radius)
    rng = _checks.generator(rng)
    scheme = schemes.scheme_of(init)
    count = _checks.integer(samples, "samples", minimum=1)
    level = _checks.fraction(confidence, "confidence")
    tolerance = checked_gap(gap_tolerance)
    nodes = default_nodes(net.widths[1]) if max_nodes is None else _checks.integer(max_nodes, "max_nodes", minimum=1)
    workers = _checks.threads(threads)

    distance, lower = sampled_distances(setting, rng, init, count, tolerance, nodes, workers)
    inside = (distance[:, None] <= radii).sum(axis=0)
    possible = (lower[:, None] <= radii).sum(axis=0)
    spread = variances(setting, scheme)
    bounds = None if scheme.uniform else chi_square_bounds(SubspaceLaws(setting, spread), radii)
    shape = np.shape(radius)

    def shaped(values: Array | None) -> Any:
        return None if values is None else values.reshape(shape) if shape else values.item()

    return ReachProbability(
        radius=shaped(radii),
        estimate=shaped(inside / count),
        interval=(
            shaped(clopper_pearson(inside, count, level)[0]),
            shaped(clopper_pearson(possible, count, level)[1]),
        ),
        undecided=shaped(possible - inside),
        lower_bound=None if bounds is None else shaped(bounds[0]),
        upper_bound=None if bounds is None else shaped(bounds[1]),
        bounds_error=shaped(np.zeros(len(radii)) if bounds is None else bounds[2]),
        small_radius=small_radius_law(setting, spread, scheme),
        confidence=level,
        distance=distance,
        distance_lower_bound=lower,
        pieces=setting.pieces,
        complete=not setting.missing,
        missing=setting.missing,
    )


def checked_radii(radius: ArrayLike) -> Array:
    radii = _checks.as_floats(radius, "radius").astype(np.float64)
    if radii.ndim > 1 or radii.size == 0:
        raise ValueError(f"radius must be one number or a list of them; got shape {radii.shape}")
    if (radii <= 0).any():
        raise ValueError(f"radius must be positive; got {float(radii.min())!r}")
    return np.atleast_1d(radii)


def sampled_distances(
    setting: Setting, rng: np.random.Generator, init: str, samples: int, tolerance: float, nodes: int, threads: int
) -> tuple[Array, Array]:
    """Returns distances of random starts to the nearest minimum and their lower bounds, sorted by distance."""
    distance, lower = np.empty((2, samples))
    for first in range(0, samples, CHUNK):
        starts = setting.net.init(rng, init, size=min(CHUNK, samples - first))
        near = search(setting, starts, tolerance, nodes, threads)
        chunk = slice(first, first + len(starts))
        distance[chunk], lower[chunk] = near.distance, near.lower_bound_covered
    order = np.argsort(distance, kind="stable")
    return distance[order], lower[order]


def chi_square_bounds(laws: SubspaceLaws, radii: Array) -> tuple[Array, Array | None, Array]:
    """Returns lower and upper bounds on the probabilities, and their relative errors."""
    lower = [laws.lower_bound(float(radius)) for radius in radii]
    upper = [laws.upper_bound(float(radius)) for radius in radii]
    known = [bound for bound in upper if bound is not None]
    errors = [p.relative_error for p in lower]
    if known:
        errors = [max(e, p.relative_error) for e, p in zip(errors, known, strict=True)]
    return (
        np.array([p.value for p in lower]),
        np.array([p.value for p in known]) if known else None,
        np.array(errors),
    )


def clopper_pearson(hits: Array, samples: int, confidence: float) -> tuple[Array, Array]:
    """Returns the interval for the probability of events seen `hits` times."""
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = np.where(hits == 0, 0.0, betaincinv(np.maximum(hits, 1), samples - hits + 1, tail))
    high = np.where(hits == samples, 1.0, betaincinv(hits + 1, np.maximum(samples - hits, 1), 1 - tail))
    return low, high
