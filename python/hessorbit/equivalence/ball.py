"""How large a network's neurons get on a ball of inputs, and how fast its outputs change with them.

For ‖x‖ ≤ R, with the bounds on |σ| and |σ'| that the core's table gives:

    |z_1| ≤ ‖s W_1[i]‖ R + |b_1|,    |z_l| ≤ |s W_l| |a_{l−1}| + |b_l|,    |a_l| ≤ sup |σ(z)|,
    |∂f/∂a_l| ≤ |∂f/∂a_{l+1}| sup |σ'(z_{l+1})| |s W_{l+1}|.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .. import activations
from .._checks import Array
from .._norms import norm
from ..network import MLP
from ..symmetry.rules import hidden_layers, rule_of
from .atoms import expansion_of

EPS = float(np.finfo(float).eps)
ROUNDINGS = 16  # a parameter that went through a few operations is off by this many eps at most
SAMPLES = 100  # inputs of each size at which outputs are looked at
STEPS = (0.01, 0.1, 0.5, 1.0)  # these sizes, in units of the radius


@dataclass(frozen=True)
class Layer:
    """One layer's matrix s W (out, in) and biases (out,), and what is known of it on the ball.

    Attributes
    ----------
    z, a : ndarray, shape (out,)
        Bounds on |z| and |a|.
    slopes : ndarray, shape (out,)
        Bounds on |σ'(z)|.
    gains : ndarray, shape (K, out)
        Bounds on |∂f_k/∂a|.
    """

    matrix: Array
    biases: Array
    z: Array
    a: Array
    slopes: Array
    gains: Array


def by_name(names: Sequence[str]) -> Iterator[tuple[str, Array | slice]]:
    """Each activation with the neurons that have it; a slice, which copies nothing, where all have."""
    kinds = dict.fromkeys(names)
    for name in kinds:
        yield name, np.flatnonzero([n == name for n in names]) if len(kinds) > 1 else slice(None)


def on_ball(net: MLP, theta: Array, radius: float) -> list[Layer]:
    """The layers with their bounds for ‖x‖ ≤ radius; bounds that overflow are infinite."""
    sizes: list[tuple[Array, Array, Array, Array, Array]] = []
    below = np.zeros(0)
    with np.errstate(over="ignore", invalid="ignore"):
        for index, ((weights, biases), multiplier, names) in enumerate(
            zip(net.unflatten(theta), net.multipliers, net.activations, strict=True)
        ):
            matrix, offset = multiplier * weights, np.zeros(len(weights)) if biases is None else biases
            z = (np.abs(matrix) @ below if index else norm(matrix, 1) * radius) + np.abs(offset)
            z[np.isnan(z)] = np.inf
            a, slopes = np.zeros((2, len(z)))
            for name, at in by_name(names):
                a[at], slopes[at] = rule_of(name).largest(z[at]), rule_of(name).steepest(z[at])
            sizes.append((matrix, offset, z, a, slopes))
            below = a
        gains = np.eye(len(below))
        layers = []
        for matrix, offset, z, a, slopes in reversed(sizes):
            layers.append(Layer(matrix, offset, z, a, slopes, gains))
            gains = (gains * slopes) @ np.abs(matrix)
    return layers[::-1]


def natural_radius(*pairs: tuple[MLP, Array]) -> float:
    """A radius that holds the places where neurons of the first layers bend, twice over; 1 at least.

    A neuron bends where its preactivation is near 0, at the distance |b|/‖w‖ from the origin.
    """
    farthest = 0.5
    for net, theta in pairs:
        if net.num_layers < 2 or not net.biases[0]:
            continue
        weights, biases = net.unflatten(theta)[0]
        assert biases is not None
        bends = np.array([not (r.linear or r.exponential or r.power) for r in hidden_layers(net)[0].rules])
        sizes = net.multipliers[0] * norm(weights, 1)
        at = np.flatnonzero(bends & (sizes > 0))
        with np.errstate(over="ignore"):
            distances = np.abs(biases[at]) / sizes[at]
        farthest = max(farthest, float(distances[distances < 1e100].max(initial=0)))
    return 2 * farthest


def sample(inputs: int, radius: float) -> Array:
    """Inputs of several sizes up to the radius, the same at every call, (N, d)."""
    directions = np.random.default_rng(1).standard_normal((len(STEPS), SAMPLES, inputs))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    x = radius * np.array(STEPS)[:, None, None] * directions
    return np.vstack([np.zeros((1, inputs)), x.reshape(-1, inputs)])


def error_sizes(net: MLP, theta: Array, x: Array, *, of_sums: bool = False) -> tuple[Array, Array]:
    """The outputs, and how far rounding of parameters moves them, in units of the rounding error; (N, K) each.

    To first order: e_a = 0 for inputs, e_z = |s W| (e_a + |a|) + |b|, and e_a = |σ'(z)| e_z + |σ(z)|. Sums over atoms,
    σ(z) = c + κ z + φ(z), round even where they cancel, as z/2 + |z|/2 does in a relu that is off: of sums,
    e_a = (|κ| + |φ'(z)|) e_z + |c| + |κ z| + |φ(z)|.
    """
    a, error = x, np.zeros_like(x)
    for (weights, biases), multiplier, names in zip(
        net.unflatten(theta), net.multipliers, net.activations, strict=True
    ):
        matrix = multiplier * weights.T
        bias = 0.0 if biases is None else biases
        z = a @ matrix + bias
        below = (error + np.abs(a)) @ np.abs(matrix) + np.abs(bias)
        a, error = np.zeros_like(z), np.zeros_like(z)
        for name, at in by_name(names):
            a[:, at], slope, _ = activations.derivatives(name, z[:, at])
            if of_sums:
                error[:, at] = rounding_of_sum(name, z[:, at], below[:, at])
            else:
                error[:, at] = np.abs(slope) * below[:, at] + np.abs(a[:, at])
    return a, error


def rounding_of_sum(name: str, z: Array, error: Array) -> Array:
    """How far rounding moves the terms of σ(z) = c + κ z + φ(z), given that of z, in units of the rounding error."""
    terms, (value, slope, _) = expansion_of(name), activations.derivatives(name, z)
    line = terms.slope * z
    steep = abs(terms.slope) + np.abs(slope - terms.slope)
    return np.asarray(steep * error + abs(terms.constant) + np.abs(line) + np.abs(value - terms.constant - line))


@dataclass(frozen=True)
class Scale:
    """Of each output (K,): the largest |f| seen on the ball, and how far rounding moves the sums that make it."""

    outputs: Array
    rounding: Array

    def allowed(self, tolerance: float) -> Array:
        """What a difference of the outputs may be: the tolerance's part of |f|, and rounding of parameters."""
        return tolerance * self.outputs + self.rounding


def scale_of(net: MLP, theta: Array, radius: float) -> Scale:
    """The scale of a network on a ball, from a sample of inputs there: a lower bound on the largest |f|."""
    with np.errstate(over="ignore", invalid="ignore"):
        outputs, errors = error_sizes(net, theta, sample(net.widths[0], radius), of_sums=True)
        finite = np.isfinite(outputs).all(axis=1) & np.isfinite(errors).all(axis=1)
        size, error = np.abs(outputs[finite]), errors[finite]
        largest, rounding = size.max(axis=0, initial=0), ROUNDINGS * EPS * error.max(axis=0, initial=0)
        vanishing = largest <= rounding  # where the sample has no size to which rounding is compared
        if vanishing.any():
            anywhere = ROUNDINGS * EPS * largest_error(on_ball(net, theta, radius), radius)
            rounding = np.where(vanishing, anywhere, rounding)
    return Scale(largest, rounding)


def largest_error(layers: list[Layer], radius: float) -> Array:
    """A bound on how far rounding moves the outputs anywhere on the ball, in units of the rounding error, (K,)."""
    spread = norm(layers[0].matrix, 1) * radius
    for layer, above in zip(layers, [*layers[1:], None], strict=True):
        error = layer.slopes * (spread + np.abs(layer.biases)) + layer.a
        if above is not None:
            spread = np.abs(above.matrix) @ (error + layer.a)
    return np.asarray(error)
