"""Kinks at θ: of activations, where σ' or σ'' jumps, and of the loss, where ∂²ℓ/∂f² does.

Derivatives are those of one side. At a residual |f − y| = δ of the Huber loss the curvature of the sample is anything
between 0 and its weight, as the direction leads outwards or inwards. With the target moved so far that the sample is
clipped on all sides, value and slope stay the same but for a constant, and the Hessian H₀ is a lower bound: the
one-sided Hessians lie between H₀ and H₀ + Σ_n w_n J_nᵀ J_n. What is positive in H₀ is positive on every side.

Elsewhere steps from θ tell what derivatives do not: short ones, at random, along single parameters, and against the
gradients of the pieces next to θ.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .. import activations
from .._checks import Array
from .._kinks import MOST_KINKS, Kink
from .._norms import norm
from ..any_objective import AnyObjective
from ..objective import Objective
from ..population import PopulationObjective
from ..restricted import RestrictedObjective, whole
from ..symmetry.data_modes import activations_on_data, counted
from ..symmetry.other_network import with_arguments
from .losses import loss_and_noise

AT_KINK = 1e-7  # a preactivation or a residual relative to the sum of the sizes of its terms
DIRECTIONS = 40  # that are tried at random, and of single parameters up to so many
MOST_SINGLE = 100
POWERS = 2
SHORT = (1e-6, 2.0**-14)  # lengths of steps, relative to max(1, ‖θ‖)
LENGTHS = 2.0 ** np.arange(-14, 3)  # and of those along a direction in which the loss falls


def kinks_at(obj: AnyObjective, theta: Array) -> tuple[Kink, ...]:
    """Layers, neurons and samples whose preactivations are at a kink, to rounding; the first of them.

    Preactivations that are 0 whatever the parameters, as of inputs that are, count as none. On infinitely many inputs
    a neuron is at its kink where all its parameters are 0, and the sample is −1.
    """
    obj, theta = whole(obj, theta)
    used = {name for layer in obj.net.activations for name in layer}
    if not any(map(activations.kinked, used)):
        return ()
    if not isinstance(obj, Objective):
        weights, biases = obj.net.unflatten(theta)[0]
        silent = ~weights.any(axis=1) & (True if biases is None else biases == 0)
        names = obj.net.activations[0]
        return tuple(Kink(1, int(n), -1) for n in np.flatnonzero(silent) if activations.kinked(names[n]))[:MOST_KINKS]
    at, samples, found = theta.astype(np.float64), counted(obj), []
    layers = activations_on_data(obj, at)
    moving = np.zeros(layers[0][1].shape, bool)  # activations below that are 0, but not next to θ
    for index, ((weights, biases), names) in enumerate(zip(obj.net.unflatten(at), obj.net.activations, strict=True)):
        z, below = layers[index + 1][0], layers[index][1]
        size = np.abs(below) @ (obj.net.multipliers[index] * np.abs(weights.T))
        size += 0.0 if biases is None else np.abs(biases)
        kinked = np.array([activations.kinked(name) for name in names])
        free = ((below != 0) | moving).any(axis=1)[:, None] | (biases is not None)
        near = (np.abs(z) <= AT_KINK * size) & free
        slopes = np.stack([activations.derivatives(name, z[:, n])[1] for n, name in enumerate(names)], axis=1)
        moving = free & (near | (slopes != 0))
        found += [
            Kink(index + 1, int(neuron), int(samples[n])) for n, neuron in zip(*np.nonzero(near & kinked), strict=True)
        ]
    return tuple(found[:MOST_KINKS])


def kinks_reached(obj: AnyObjective, theta: Array, ahead: Array) -> tuple[Kink, ...]:
    """Layers, neurons and samples whose preactivations come to a kink, or cross it, from θ to where a step leads.

    Those that less than halve stay on their side in further steps, too.
    """
    (data, start), (_, end) = whole(obj, theta), whole(obj, ahead)
    used = {name for layer in data.net.activations for name in layer}
    if not isinstance(data, Objective) or not any(map(activations.kinked, used)):
        return ()
    found, samples = [], counted(data)
    layers = (activations_on_data(data, at.astype(np.float64)) for at in (start, end))
    for index, (before, after) in enumerate(zip(*layers, strict=True)):
        if index:
            kinked = np.array([activations.kinked(name) for name in data.net.activations[index - 1]])
            reached = (before[0] != 0) & (after[0] * np.sign(before[0]) <= np.abs(before[0]) / 2) & kinked
            found += [Kink(index, int(neuron), int(samples[n])) for n, neuron in zip(*np.nonzero(reached), strict=True)]
    return tuple(found[:MOST_KINKS])


def residuals_at_kink(obj: AnyObjective, theta: Array) -> tuple[Array, Array]:
    """Samples and outputs with |f − y| = δ, to rounding, and the outputs (N, K)."""
    data, at = whole(obj, theta)
    if not isinstance(data, Objective) or data.loss_name != "huber" or data.delta is None:
        return np.zeros((0, 2), int), np.zeros((0, 0))
    f = data.net(at, data.x)
    gap = np.abs(np.abs(f - data.y) - data.delta)
    near = gap <= AT_KINK * (np.abs(f) + np.abs(data.y) + data.delta)
    if data.sample_weight is not None:
        near &= (data.sample_weight > 0)[:, None]
    return np.argwhere(near), f


def loss_kinks_at(obj: AnyObjective, theta: Array) -> tuple[Kink, ...]:
    """The same of residuals at a kink of the loss, as of a layer beyond the last; the first of them."""
    near, _ = residuals_at_kink(obj, theta)
    layer = obj.net.num_layers + 1
    return tuple(Kink(layer, int(output), int(sample)) for sample, output in near[:MOST_KINKS])


def clipped(obj: AnyObjective, theta: Array) -> AnyObjective:
    """The objective with residuals at a kink of the loss moved outwards by δ; itself where there is none."""
    near, f = residuals_at_kink(obj, theta)
    if not len(near):
        return obj
    data, at = whole(obj, theta)
    assert isinstance(data, Objective)
    assert data.delta is not None
    y, places = data.y.astype(np.result_type(data.y, np.float64)), tuple(near.T)
    y[places] -= np.sign(f - data.y)[places].astype(y.dtype) * data.delta
    moved = with_arguments(data, y=y)
    return moved.restricted(at, obj.free) if isinstance(obj, RestrictedObjective) else moved


def falling(obj: AnyObjective, theta: Array, first: Array, flat: Array, slope: float) -> Array | None:
    """A step from θ along which the loss falls at once; None where none is found.

    Directions `first` (P, k) and their opposites are tried before others, some of them in the span of `flat` (P, m),
    orthonormal, in which the Hessian is zero. A fall counts beyond what a gradient of norm `slope`, which is none,
    makes of the step.
    """
    start, noise = loss_and_noise(obj, theta)
    noise += quadrature_error(obj, theta)
    scale = max(1.0, float(norm(theta)))

    def fall(step: Array) -> float:
        """By how much a step lowers the loss, below 0 if it raises it; 0 where it is too little to tell."""
        loss, error = loss_and_noise(obj, (theta + step).astype(theta.dtype))
        least = noise + error
        gain = float(start - loss)
        return gain if gain < -least or gain > least + slope * float(norm(step)) else 0.0

    for direction in around(obj, theta, first, flat, SHORT[0] * scale):
        if not np.isfinite(direction).all() or not direction.any():
            continue
        unit = scale * direction / norm(direction)
        near, far = (fall(length * unit) for length in SHORT)
        if near > 0 or (near == 0 and far > 0):
            steps = [length * unit for length in (SHORT[0], *LENGTHS)]
            return np.asarray(steps[int(np.argmax([fall(step) for step in steps]))])
    return None


def quadrature_error(obj: AnyObjective, theta: Array) -> float:
    """Twice the error of an entry of the Hessian of a population, which that of the loss is like; 0 of samples."""
    data, at = whole(obj, theta)
    return 2 * data.error(at) if isinstance(data, PopulationObjective) else 0.0


def around(obj: AnyObjective, theta: Array, first: Array, flat: Array, length: float) -> Iterator[Array]:
    """Directions to try: given ones, single parameters, random ones, and against the gradients next to θ."""
    count, random = len(theta), np.random.default_rng(0)
    for direction in first.T:
        yield from (direction, -direction)
    if count <= MOST_SINGLE:
        for axis in np.eye(count):
            yield from (axis, -axis)

    def against(direction: Array) -> Array:
        return -obj.gradient((theta + length * direction / norm(direction)).astype(theta.dtype))

    for direction in random.standard_normal((DIRECTIONS, count)):
        yield direction
        yield against(direction)
    if 0 < flat.shape[1] < count:
        for direction in random.standard_normal((DIRECTIONS, flat.shape[1])) @ flat.T:
            yield direction
            # As by the power method: where two parameters are 0, the loss may fall as both grow.
            for _ in range(POWERS):
                direction = flat @ (flat.T @ against(direction))
                if not direction.any():
                    break
                yield direction
