"""`follow` minimises a spectral function over a set of diagonals, by Newton's method along the central path.

At sharpness t the path's point minimises  f_t(log D(v)) + B(v)/t,  f_t the smoothed logarithm of the criterion and B
the barrier of the set. Where f is convex the point is within (rank + number of slacks)/t of the minimum of f; t grows
until that is as small as asked. Elsewhere the Hessian's eigenvalues are replaced by their sizes, and the point is a
local minimum. (Boyd and Vandenberghe, Convex Optimization, 2004, chapter 11.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._checks import Array
from .diagonals import DiagonalScalings
from .smoothed_spectrum import SpectralFunction

GROWTH = 8.0  # factor of the sharpness from one point of the path to the next
LONGEST_STEP = 4.0  # in any variable
MOST_STEPS = 100  # of Newton's method at each sharpness; about five are usual


@dataclass(frozen=True)
class PathPoint:
    """A point of the central path."""

    v: Array
    sharpness: float
    accuracy: float  # distance from the end of the path, in the function
    steps: int  # of Newton's method, in all


def follow(
    function: SpectralFunction,
    scalings: DiagonalScalings,
    *,
    accuracy: float,
    start: Array | None = None,
    sharpness: float | None = None,
) -> PathPoint:
    """Follows the path to within `accuracy` of its end, from a point strictly inside the set."""
    if not len(scalings.start):
        return PathPoint(scalings.start, np.inf, 0.0, 0)
    ambiguity = function.rank + scalings.num_slacks
    final = max(ambiguity, 1) / accuracy
    t = min(final, max(ambiguity, 1.0) if sharpness is None else sharpness)
    v = scalings.start if start is None else start
    steps = 0
    while True:
        v, taken = centre(function, scalings, v, t, tolerance=1e-10 if t == final else 1e-2)
        steps += taken
        if t == final:
            return PathPoint(v, t, accuracy, steps)
        t = min(GROWTH * t, final)


def centre(
    function: SpectralFunction, scalings: DiagonalScalings, v: Array, t: float, *, tolerance: float
) -> tuple[Array, int]:
    """Applies Newton's method at one sharpness until the squared Newton decrement of t f + B is at most `tolerance`."""
    for step in range(MOST_STEPS):
        value, gradient, hessian = function.derivatives(scalings.log_scaling(v), t)
        barrier_gradient, barrier_hessian = scalings.barrier_derivatives(v)
        value += scalings.barrier(v) / t
        gradient = gradient @ scalings.exponents + barrier_gradient / t
        hessian = scalings.exponents.T @ (hessian @ scalings.exponents) + barrier_hessian / t
        direction = descent_direction(gradient, hessian)
        decrement = float(-gradient @ direction)
        if t * decrement <= tolerance:
            return v, step
        length = step_length(function, scalings, v, t, direction, value, decrement)
        if length == 0:
            return v, step
        v = v + length * direction
    return v, MOST_STEPS


def descent_direction(gradient: Array, hessian: Array) -> Array:
    """Returns Newton's direction, with the sizes of the Hessian's eigenvalues in place of negative ones."""
    eigenvalues, vectors = np.linalg.eigh(hessian)
    sizes = np.maximum(np.abs(eigenvalues), 1e-12 * np.abs(eigenvalues).max(initial=0))
    return np.asarray(-vectors @ ((gradient @ vectors) / sizes))


def step_length(
    function: SpectralFunction,
    scalings: DiagonalScalings,
    v: Array,
    t: float,
    direction: Array,
    value: float,
    decrement: float,
) -> float:
    """Halves the step until the value falls by a tenth of what the slope promises; 0 if rounding hides any fall."""
    length = min(1.0, LONGEST_STEP / float(np.abs(direction).max()))
    noise = 1e-14 * (1 + abs(value))
    while length > 1e-10:
        trial = v + length * direction
        barrier = scalings.barrier(trial)
        if np.isfinite(barrier):
            reached = function.value(scalings.log_scaling(trial), t) + barrier / t
            if reached <= value - 0.1 * length * decrement + noise:
                return length
        length /= 2
    return 0.0
