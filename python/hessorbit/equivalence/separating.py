"""Random inputs are tried until two networks differ at one.

Separating inputs are drawn from normal distributions of several sizes, and near the hyperplanes w · x + b = 0 of the
first layers, where neurons of whatever scale are neither off nor saturated. A difference counts if it is beyond what
rounding of the parameters could make of equal functions (`error_sizes` in ball.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import _core
from .._checks import LONGDOUBLE, Array
from .._norms import norm
from ..network import MLP
from .ball import error_sizes
from .features import ROUNDING

SIZES = (0.1, 1.0, 10.0, 100.0)
NORMAL, FEW = 1000, 30  # inputs of each size
OFFSETS = (-4.0, -1.0, 0.0, 1.0, 4.0)  # preactivations near a hyperplane
MOST_HYPERPLANES, FEW_HYPERPLANES = 200, 20

Pairs = tuple[tuple[MLP, Array], tuple[MLP, Array]]


@dataclass(frozen=True)
class Separation:
    """An input x (d,), and the largest difference of outputs there, relative to the size of what makes them up."""

    x: Array
    difference: float


def separation(pairs: Pairs, rng: np.random.Generator) -> Separation | None:
    """The input at which the two networks differ most beyond rounding, of a few inputs or, if none does, of many."""
    for normal, most in ((FEW, FEW_HYPERPLANES), (NORMAL, MOST_HYPERPLANES)):
        found = largest_difference(pairs, candidates(pairs, rng, normal, most))
        if found.difference > ROUNDING:
            return found
    return None


def largest_difference(pairs: Pairs, x: Array) -> Separation:
    """The input of x at which outputs differ most, and their difference there.

    Extended precision decides among the inputs that float64, right to half of ROUNDING, leaves in question.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        (first, size), (second, other) = (error_sizes(net, theta, x) for net, theta in pairs)
    rough = relative_difference(first, second, [size, other]).max(axis=1)
    near = np.flatnonzero(rough > max(rough.max() - ROUNDING, ROUNDING / 2))
    if not len(near):
        return Separation(x[int(rough.argmax())], float(rough.max()))
    first, second = (
        np.asarray(_core.outputs(net.core, theta.astype(LONGDOUBLE), x[near].astype(LONGDOUBLE), 0))
        for net, theta in pairs
    )
    differences = relative_difference(first, second, [size[near], other[near]]).max(axis=1)
    best = int(differences.argmax())
    return Separation(x[near[best]], float(differences[best]))


def seem_different(pairs: Pairs, tolerance: float) -> bool:
    """Whether outputs in float64 differ on one of a few inputs by more than the tolerance, relative to their terms."""
    x = candidates(pairs, np.random.default_rng(1), FEW, FEW_HYPERPLANES)
    with np.errstate(over="ignore", invalid="ignore"):
        (first, size), (second, other) = (error_sizes(net, theta, x) for net, theta in pairs)
    return bool(relative_difference(first, second, [size, other]).max() > max(tolerance, ROUNDING))


def relative_difference(first: Array, second: Array, sizes: list[Array]) -> Array:
    """Differences of outputs relative to their sizes, (N, K); 0 where numbers overflow."""
    size = np.maximum(*sizes)
    with np.errstate(over="ignore", invalid="ignore"):
        relative: Array = (np.abs(first - second) / np.where(size == 0, 1, size)).astype(np.float64)
    relative[~np.isfinite(relative)] = 0
    return relative


def candidates(pairs: Pairs, rng: np.random.Generator, normal: int, most: int) -> Array:
    """Inputs to try, (N, d)."""
    inputs = pairs[0][0].widths[0]
    parts = [np.zeros((1, inputs))]
    parts += [size * rng.standard_normal((normal, inputs)) for size in SIZES]
    for net, theta in pairs:
        weights, biases = net.unflatten(theta)[0]
        w = net.multipliers[0] * weights
        length = norm(w, 1)
        at = np.flatnonzero(length > 0)[:most]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            unit = w[at] / length[at, None]
            b = np.zeros(len(at)) if biases is None else biases[at]
            for offset in OFFSETS:
                x = rng.standard_normal((len(at), inputs))
                miss = (unit * x).sum(axis=1) + (b - offset) / length[at]
                parts.append(x - miss[:, None] * unit)
    x = np.vstack(parts)
    return np.ascontiguousarray(x[np.isfinite(x).all(axis=1)])
