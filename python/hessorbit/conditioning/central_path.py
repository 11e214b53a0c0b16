"""`follow` minimises a spectral function over a set of diagonals, by Newton's method along the central path.

At sharpness t the path's point minimises  f_t(log D(v)) + B(v)/t,  f_t the smoothed logarithm of the criterion and B
the barrier of the set. Where f is convex the point is within (rank + number of slacks)/t of the minimum of f; t grows
until that is as small as asked. Elsewhere the Hessian's eigenvalues are replaced by their sizes, and the point is a
local minimum. (Boyd and Vandenberghe, Convex Optimization, 2004, chapter 11.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import cho_solve

from .._checks import Array
from .diagonals import DiagonalScalings
from .smoothed_spectrum import SpectralFunction

GROWTH = 5.0  # factor of the sharpness from one point of the path to the next
FIRST = 0.02  # sharpness of the first point, relative to rank + number of slacks, where the function is smooth yet
NEAR, LAST = 1.0, 1e-10  # squared Newton decrements of points on the way, and of the last one
LONGEST_STEP = 4.0  # in any variable
PRECISE = 5e-3  # accuracy from which on the last point is as precise as singular values
NOISE = 0.1  # error of the function, relative to the decrement that is aimed at
EARLY = 1.0  # largest sharpness, relative to the same, of a point from where other sets are followed
MANY = 240  # eigenvalues, each end counted, from which on steps take long enough to be saved
CONVEX = 0.7  # of what makes the function convex
MOST_STEPS = 100  # of Newton's method at each sharpness; about five are usual


@dataclass(frozen=True)
class PathPoint:
    """A point of the central path."""

    v: Array
    sharpness: float
    accuracy: float  # distance from the end of the path, in the function
    steps: int  # of Newton's method, in all
    early: tuple[Array, float] | None = None  # v and sharpness on the way, from where other sets can be followed


def follow(
    function: SpectralFunction,
    scalings: DiagonalScalings,
    *,
    accuracy: float,
    start: Array | None = None,
    sharpness: float | None = None,
    tolerance: float = NEAR,
) -> PathPoint:
    """Follows the path to within `accuracy` of its end, from a point strictly inside the set.

    On the way squared Newton decrements are at most `tolerance`.
    """
    if not len(scalings.start):
        return PathPoint(scalings.start, np.inf, 0.0, 0)
    ambiguity = function.rank + scalings.num_slacks
    final = max(ambiguity, 1) / accuracy
    t = min(final, max((FIRST if function.rank > MANY else 1.0) * ambiguity, 1.0) if sharpness is None else sharpness)
    v = scalings.start if start is None else start
    steps, early = 0, None
    while True:
        v, taken = centre(
            function, scalings, v, t, tolerance=LAST if t == final else tolerance, precise=accuracy < PRECISE
        )
        steps += taken
        if t <= EARLY * ambiguity:
            early = v, t
        if t == final:
            return PathPoint(v, t, accuracy, steps, early)
        t = GROWTH * t if GROWTH**1.5 * t < final else final


def centre(
    function: SpectralFunction, scalings: DiagonalScalings, v: Array, t: float, *, tolerance: float, precise: bool
) -> tuple[Array, int]:
    """Applies Newton's method at one sharpness until the squared Newton decrement of t f + B is at most `tolerance`."""
    error = NOISE * (tolerance if precise else max(tolerance, PRECISE)) / t
    for step in range(MOST_STEPS):
        value, gradient, hessian, concave = function.derivatives(scalings.log_scaling(v), t, error)
        barrier_gradient, barrier_hessian = scalings.barrier_derivatives(v)
        value += scalings.barrier(v) / t
        gradient = gradient @ scalings.exponents + barrier_gradient / t
        hessian = scalings.projected(hessian) + barrier_hessian / t
        nearer = partial(scalings.projected, concave) if function.rank > MANY else None
        direction = descent_direction(gradient, hessian, nearer)
        decrement = float(-gradient @ direction)
        if t * decrement <= tolerance:
            return v, step
        length = step_length(function, scalings, v, t, direction, value, decrement, error)
        if length == 0:
            return v, step
        v = v + length * direction
    return v, MOST_STEPS


def descent_direction(gradient: Array, hessian: Array, concave: Callable[[], Array] | None) -> Array:
    """Returns Newton's direction, with the sizes of the Hessian's eigenvalues in place of negative ones.

    With `concave`, most of what makes it convex is added first where it is not positive definite: that takes fewer
    steps far from the minimum, and more where the Hessian at the minimum is nearly singular.
    """
    if concave is not None:
        if (direction := newton(gradient, hessian)) is not None:
            return direction
        hessian = hessian + CONVEX * concave()
        if (direction := newton(gradient, hessian)) is not None:
            return direction
    eigenvalues, vectors = np.linalg.eigh(hessian)
    sizes = np.maximum(np.abs(eigenvalues), 1e-12 * np.abs(eigenvalues).max(initial=0))
    return np.asarray(-vectors @ ((gradient @ vectors) / sizes))


def newton(gradient: Array, hessian: Array) -> Array | None:
    """Returns −hessian⁻¹ gradient; None if the Hessian is not positive definite."""
    try:
        return np.asarray(-cho_solve((np.linalg.cholesky(hessian), True), gradient))
    except np.linalg.LinAlgError:
        return None


def step_length(
    function: SpectralFunction,
    scalings: DiagonalScalings,
    v: Array,
    t: float,
    direction: Array,
    value: float,
    decrement: float,
    error: float,
) -> float:
    """Halves the step until the value falls by a tenth of what the slope promises; 0 if rounding hides any fall."""
    length = min(1.0, LONGEST_STEP / float(np.abs(direction).max()))
    noise = max(1e-14 * (1 + abs(value)), error)
    while length > 1e-10:
        trial = v + length * direction
        barrier = scalings.barrier(trial)
        if np.isfinite(barrier):
            reached = function.value(scalings.log_scaling(trial), t, error) + barrier / t
            if reached <= value - 0.1 * length * decrement + noise:
                return length
        length /= 2
    return 0.0
