"""Random inputs are tried until two networks differ at one.

Separating inputs are drawn from normal distributions of several sizes, and near the hyperplanes w · x + b = 0 of the
first layers, where neurons of whatever scale are neither off nor saturated. A difference counts if it is beyond what
rounding of the parameters could make of equal functions: with e_a = 0 for inputs and, for a layer, in units of the
rounding error,

    e_z = |s W| e_a + |s W| |a| + |b|,      e_a = |σ'(z)| e_z + |σ(z)|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import _core, activations
from .._checks import LONGDOUBLE, Array
from ..network import MLP
from .features import ROUNDING

SIZES = (0.1, 1.0, 10.0, 100.0)
NORMAL = 1000  # inputs of each size
OFFSETS = (-4.0, -1.0, 0.0, 1.0, 4.0)  # preactivations near a hyperplane
MOST_HYPERPLANES = 200


@dataclass(frozen=True)
class Separation:
    """An input x (d,), and the largest difference of outputs there, relative to the size of what makes them up."""

    x: Array
    difference: float


def separation(pairs: tuple[tuple[MLP, Array], tuple[MLP, Array]], rng: np.random.Generator) -> Separation | None:
    """The input tried at which the two networks differ most beyond rounding; None if there is none."""
    x = candidates(pairs, rng)
    first, second = (
        np.asarray(_core.outputs(net.core, theta.astype(LONGDOUBLE), x.astype(LONGDOUBLE), 0)) for net, theta in pairs
    )
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        size = np.maximum(*(error_sizes(net, theta, x) for net, theta in pairs))
        relative = (np.abs(first - second) / np.where(size > 0, size, 1)).astype(np.float64)
    relative[~np.isfinite(relative)] = 0
    best = int(relative.max(axis=1).argmax())
    difference = float(relative[best].max())
    return Separation(x[best], difference) if difference > ROUNDING else None


def candidates(pairs: tuple[tuple[MLP, Array], tuple[MLP, Array]], rng: np.random.Generator) -> Array:
    """Inputs to try, (N, d)."""
    inputs = pairs[0][0].widths[0]
    parts = [np.zeros((1, inputs))]
    parts += [size * rng.standard_normal((NORMAL, inputs)) for size in SIZES]
    for net, theta in pairs:
        weights, biases = net.unflatten(theta)[0]
        squares = (weights**2).sum(axis=1)
        at = np.flatnonzero(squares > 0)[:MOST_HYPERPLANES]
        w, b = net.multipliers[0] * weights[at], np.zeros(len(at)) if biases is None else biases[at]
        for offset in OFFSETS:
            x = rng.standard_normal((len(at), inputs))
            miss = (w * x).sum(axis=1) + b - offset
            parts.append(x - (miss / (w**2).sum(axis=1))[:, None] * w)
    x = np.vstack(parts)
    return np.ascontiguousarray(x[np.isfinite(x).all(axis=1)])


def error_sizes(net: MLP, theta: Array, x: Array) -> Array:
    """How far rounding of parameters moves the outputs, in units of the rounding error, to first order; (N, K)."""
    a, error = x, np.zeros_like(x)
    for (weights, biases), multiplier, names in zip(
        net.unflatten(theta), net.multipliers, net.activations, strict=True
    ):
        matrix = multiplier * weights.T
        bias = 0.0 if biases is None else biases
        z = a @ matrix + bias
        error = (error + np.abs(a)) @ np.abs(matrix) + np.abs(bias)
        a, slopes = np.zeros_like(z), np.zeros_like(z)
        for name in dict.fromkeys(names):
            at = np.array([n == name for n in names])
            a[:, at], slopes[:, at], _ = activations.derivatives(name, z[:, at])
        error = np.abs(slopes) * error + np.abs(a)
    return error
