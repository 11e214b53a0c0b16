"""Neurons of one layer that compute the same thing, nothing, or a constant.

Two neurons of equal activation are *related* when their incoming parameters w̃ = (W b)[i] agree up to a factor that the
activation passes through, σ(c z) = N σ(z) + o; exponential ones also if their biases differ, as σ(z + τ) = e^τ σ(z).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._checks import Array
from .._norms import norm
from ..network import MLP
from .rules import HiddenLayer, hidden_layers


@dataclass(frozen=True)
class RelatedNeurons:
    """A class of related neurons of one layer.

    Attributes
    ----------
    layer : HiddenLayer
    neurons : ndarray of int, shape (m,)
        The first one is the reference.
    factors : ndarray, shape (m,)
        c with w̃_k = c_k w̃ of the reference.
    shifts : ndarray, shape (m,)
        τ with b_k = b + τ, for exponential neurons with biases; else 0.
    gains, offsets : ndarray, shape (m,)
        N and o of these.
    """

    layer: HiddenLayer
    neurons: Array
    factors: Array
    shifts: Array
    gains: Array
    offsets: Array


@dataclass(frozen=True)
class LayerParameters:
    """Where the parameters around a hidden layer lie in θ, and their values."""

    layer: HiddenLayer
    incoming_positions: Array  # (width, fan_in [+ 1])
    outgoing_positions: Array  # (next width, width)
    above_positions: Array | None  # (next width,)
    incoming: Array
    outgoing: Array

    @property
    def weights(self) -> Array:
        """Incoming weights without the bias, (width, fan_in)."""
        return self.incoming[:, : self.layer.net.widths[self.layer.layer - 1]]

    @property
    def directions(self) -> Array:
        """What related neurons have in common: incoming parameters, without the biases that are factors of exp."""
        free = [rule.exponential and self.layer.has_bias for rule in self.layer.rules]
        result = self.incoming.copy()
        if any(free):
            result[free, -1] = 0
        return result

    @property
    def multiplier_above(self) -> float:
        return self.layer.net.multipliers[self.layer.layer]


def layer_parameters(net: MLP, theta: Array) -> list[LayerParameters]:
    positions = net.unflatten(np.arange(net.num_parameters))
    result = []
    for layer in hidden_layers(net):
        (weights, biases), (outgoing, above) = positions[layer.layer - 1], positions[layer.layer]
        incoming = weights if biases is None else np.column_stack([weights, biases])
        result.append(LayerParameters(layer, incoming, outgoing, above, theta[incoming], theta[outgoing]))
    return result


def related_neurons(parameters: LayerParameters, tolerance: float) -> list[RelatedNeurons]:
    """All classes of related neurons, single ones included; neurons without incoming parameters stand alone.

    Neurons are sorted by the product of their vector, or its direction where the activation is homogeneous, with one
    fixed vector, so that each is compared with the few alone whose product is near its own or minus that.
    """
    layer, directions = parameters.layer, parameters.directions
    classes = []
    for members in layer.classes.values():
        neurons = np.array(members)
        near = Neighbours(directions[neurons], tolerance, bool(layer.rules[neurons[0]].degree))
        left = np.ones(len(neurons), bool)
        for first in range(len(neurons)):
            if not left[first]:
                continue
            others = near.of(first)
            found = np.concatenate([[first], others[left[others] & (others != first)]])
            factors = factors_between(layer, directions[neurons[found]], neurons[first], tolerance)
            found, factors = found[factors != 0], factors[factors != 0]
            left[found] = False
            classes.append(make_class(parameters, neurons[found], factors))
    return sorted(classes, key=lambda related: int(related.neurons[0]))


class Neighbours:
    """Rows near each row or minus it, up to the tolerance, and a few others.

    Related rows have |(v ∓ u) · p| ≤ t ‖v‖ ‖p‖, and ‖v‖ ≤ ‖u‖ / (1 − t); directions instead of v and u if homogeneous.
    """

    def __init__(self, vectors: Array, tolerance: float, homogeneous: bool) -> None:
        sizes = norm(vectors, 1)
        units = np.where(sizes > 0, sizes, 1) if homogeneous else np.full(len(sizes), sizes.max(initial=0) or 1.0)
        probe = np.random.default_rng(0).standard_normal(vectors.shape[1])
        self.products = vectors / units[:, None] @ probe
        self.order = np.argsort(self.products)
        self.sorted = self.products[self.order]
        slack = (tolerance / (1 - tolerance) + 1e-13) * np.linalg.norm(probe)
        self.reach = slack * sizes / units + np.finfo(float).tiny

    def of(self, row: int) -> Array:
        """The rows, ascending, (m,)."""
        product, reach = self.products[row], self.reach[row]
        starts, stops = np.searchsorted(self.sorted, np.add.outer([-reach, reach], [product, -product]))
        return np.unique(np.concatenate([self.order[a:b] for a, b in zip(starts, stops, strict=True)]))


def factors_between(layer: HiddenLayer, vectors: Array, neuron: int, tolerance: float) -> Array:
    """c with vector = c · reference up to the tolerance, where the neuron's activation allows it; else 0.

    The reference is the first of the vectors (m, fan_in [+ 1]); its own factor is 1.
    """
    rule, reference = layer.rules[neuron], vectors[0]
    sizes = norm(vectors, 1)
    if not sizes[0]:  # without a direction, so that homogeneous neurons have no factor
        factors = np.where(sizes == 0, float(rule.degree == 0), 0.0)
        factors[0] = 1.0
        return factors
    scales = sizes / sizes[0] if rule.degree else np.ones(len(sizes))
    factors = np.zeros(len(sizes))
    for sign in (-1.0, 1.0) if layer.can_flip(neuron) else (1.0,):
        differences = norm(vectors - sign * scales[:, None] * reference, 1)
        factors[(differences <= tolerance * sizes) & (sizes > 0)] = sign
    return np.asarray(factors * scales)


def make_class(parameters: LayerParameters, neurons: Array, factors: Array) -> RelatedNeurons:
    layer = parameters.layer
    rule, shifts = layer.rules[neurons[0]], np.zeros(len(neurons))
    if rule.exponential and layer.has_bias:
        shifts = parameters.incoming[neurons, -1] - parameters.incoming[neurons[0], -1]
    gains = np.asarray(rule.outgoing(factors, shifts)) * np.ones(len(factors))
    return RelatedNeurons(layer, neurons, factors, shifts, gains, np.where(factors < 0, rule.constant, 0.0))


def dead_neurons(parameters: LayerParameters, tolerance: float) -> Array:
    """Neurons whose outgoing weights are zero beside the layer's largest."""
    sizes = np.abs(parameters.outgoing).max(axis=0)
    return np.flatnonzero(sizes <= tolerance * sizes.max(initial=0))


def constant_neurons(parameters: LayerParameters, tolerance: float) -> Array:
    """Neurons whose incoming weights, biases aside, are zero beside the layer's largest."""
    sizes = np.abs(parameters.weights).max(axis=1)
    return np.flatnonzero(sizes <= tolerance * sizes.max(initial=0))
