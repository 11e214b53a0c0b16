"""The loss of a network on samples, its gradient and its Hessian in ball arithmetic, by the chunk of samples.

Forward, z_l = ã_{l−1} W̃_lᵀ with ã = (s a, 1) and W̃ = (W, b); σ, σ' and σ'' are coefficients of a series. With
u_l = ∂ℓ/∂a_l and δ_l = σ'_l u_l, weights w_n included, and the Jacobian Z_li (N, P) of neuron i of layer l,

    H = Σ_li Z_liᵀ diag(c_li) Z_li + Σ_l (δ_lᵀ s_l ∂a_{l−1}/∂θ at the rows of W_l, and its transpose) − Qᵀ diag(mass) Q

c_l is σ''_l u_l, and for the outputs σ'² m besides, from ∂²ℓ/∂f² = diag(m) − mass q qᵀ; Q = Σ_k q_k σ'_k Z_Lk. The
parameters W̃_m[r, :] of a layer m ≤ l have in Z_li the columns G ã_{m−1}, G = ∂z_li/∂z_mr.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._checks import FLOAT64, LONGDOUBLE, Array, is_extended
from ..network import MLP
from ..objective import Objective
from ..targets import one_hot
from .activations import KinkError, derivatives
from .arithmetic import balls, exact, flint, product, zeros
from .losses import differentiate

CHUNK = 512


@dataclass(frozen=True)
class LayerPass:
    """A layer on a chunk: ã_{l−1} (N, p), s_l W_l (d, fan_in), σ, σ' and σ'' (N, d), and where W̃_l is in θ (d, p)."""

    below: Array
    weights: Array
    multiplier: Any
    value: Array
    slope: Array
    bend: Array
    places: Array


@dataclass(frozen=True)
class OutputPass:
    """The loss on a chunk: Σ w ℓ, w ∂ℓ/∂f (N, K), w m (N, K), and w mass (N,), q (N, K) or None."""

    value: Any
    slope: Array
    curvature: Array
    mass: Array | None
    probabilities: Array | None


class SampleLoss:
    """An `Objective` in ball arithmetic, at the precision of flint's context; θ are arrays (P,) of balls."""

    def __init__(self, obj: Objective) -> None:
        self.obj, self.net, self.num_parameters = obj, obj.net, obj.net.num_parameters
        weight = np.ones(obj.num_samples) if obj.sample_weight is None else obj.sample_weight
        self.counted = np.flatnonzero(weight)
        targets = one_hot(obj.y, obj.net.widths[-1]) if obj.y.dtype.kind == "i" else obj.y
        self.x, self.y, self.weight = obj.x[self.counted], targets[self.counted], weight[self.counted]
        self.l2 = exact(obj.l2)
        extended = any(map(is_extended, (obj.x, obj.y, weight)))
        self.dtype = LONGDOUBLE if extended else FLOAT64  # of θ for which the compiled objective computes

    @property
    def multipliers(self) -> list[Any]:
        """s_l of each layer, to the precision of the context."""
        return multipliers_of(self.net)

    def loss(self, theta: Array) -> Any:
        total = self.l2 * (theta @ theta) / 2
        for _, outputs in self.passes(theta):
            total += outputs.value
        return total

    def gradient(self, theta: Array) -> Array:
        result: Array = self.l2 * theta
        for layers, outputs in self.passes(theta):
            for layer, _, delta in backward(layers, outputs):
                result[layer.places] += product(delta.T, layer.below)
        return result

    def hessian(self, theta: Array, *, gauss_newton: bool = False) -> Array:
        """∇²L, or its Gauss–Newton part, of shape (P, P)."""
        result = zeros(self.num_parameters, self.num_parameters)
        for layers, outputs in self.passes(theta):
            add_curvature(result, layers, outputs, gauss_newton)
        result[np.diag_indices(len(result))] += self.l2
        return result

    def passes(self, theta: Array) -> Iterator[tuple[list[LayerPass], OutputPass]]:
        """Forward passes over chunks of samples."""
        total = sum(balls(self.weight), flint().arb(0))
        for start in range(0, len(self.x), CHUNK):
            rows = slice(start, start + CHUNK)
            try:
                layers = forward(self.net, self.multipliers, theta, balls(self.x[rows]))
                weight = balls(self.weight[rows]) / total
                yield layers, self.outputs(layers[-1].value, balls(self.y[rows]), weight)
            except KinkError as error:
                row = start + (error.sample or 0)
                raise KinkError(error.what, int(self.counted[row])) from error

    def outputs(self, f: Array, y: Array, weight: Array) -> OutputPass:
        delta = None if self.obj.delta is None else exact(self.obj.delta)
        found = []
        for row, (outputs, targets) in enumerate(zip(f, y, strict=True)):
            try:
                found.append(differentiate(self.obj.loss_name, delta, outputs.tolist(), targets.tolist()))
            except KinkError as error:
                raise KinkError(error.what, row) from error
        w = weight[:, None]
        coupled = found[0].probabilities is not None
        return OutputPass(
            value=sum((w * d.value for w, d in zip(weight, found, strict=True)), flint().arb(0)),
            slope=w * np.array([d.slope for d in found], object),
            curvature=w * np.array([d.curvature for d in found], object),
            mass=weight * np.array([d.mass for d in found], object) if coupled else None,
            probabilities=np.array([d.probabilities for d in found], object) if coupled else None,
        )


def forward(net: MLP, multipliers: list[Any], theta: Array, x: Array) -> list[LayerPass]:
    layers: list[LayerPass] = []
    a = x
    positions = net.unflatten(np.arange(len(theta)))
    for index, (weights, biases) in enumerate(positions):
        s = multipliers[index]
        below, places = s * a, weights
        if biases is not None:
            below = np.column_stack([below, zeros(len(a), 1) + 1])
            places = np.column_stack([weights, biases])
        z = product(below, theta[places].T)
        value, slope, bend = activate(net.activations[index], z, index + 1)
        layers.append(LayerPass(below, s * theta[weights], s, value, slope, bend, places))
        a = value
    return layers


def activate(names: tuple[str, ...], z: Array, layer: int) -> tuple[Array, Array, Array]:
    """σ(z), σ'(z) and σ''(z) of preactivations (N, d)."""
    result = np.empty((3, *z.shape), object)
    for row, values in enumerate(z):
        for neuron, (name, value) in enumerate(zip(names, values, strict=True)):
            try:
                result[:, row, neuron] = derivatives(name, value)
            except KinkError as error:
                raise KinkError(f"{error.what}, neuron {neuron} of layer {layer}", row) from error
    value, slope, bend = result
    return value, slope, bend


def multipliers_of(net: MLP) -> list[Any]:
    """s_l of each layer."""
    last = net.num_layers - 1
    return [multiplier(net.parametrization, fan_in, index == last) for index, fan_in in enumerate(net.widths[:-1])]


def multiplier(parametrization: str, fan_in: int, last: bool) -> Any:
    one = flint().arb(1)
    if parametrization == "standard":
        return one
    return one / fan_in if parametrization == "mean_field" and last else one / flint().arb(fan_in).sqrt()


def backward(layers: list[LayerPass], outputs: OutputPass) -> Iterator[tuple[LayerPass, Array, Array]]:
    """Each layer, from the last to the first, with u_l and δ_l (N, d)."""
    u = outputs.slope
    for layer in reversed(layers):
        delta = layer.slope * u
        yield layer, u, delta
        u = product(delta, layer.weights)


def add_curvature(result: Array, layers: list[LayerPass], outputs: OutputPass, gauss_newton: bool) -> None:
    """Adds a chunk's ∇²L, or its Gauss–Newton part, to a matrix (P, P)."""
    last = len(layers) - 1
    jacobians = [Jacobians(layers[: index + 1]) for index in range(len(layers))]
    together: Array = zeros(len(layers[0].below), len(result))  # Q
    for index, (layer, u, delta) in zip(reversed(range(len(layers))), backward(layers, outputs), strict=True):
        if gauss_newton and index < last:
            break
        weight = zeros(*u.shape) if gauss_newton else layer.bend * u
        if index == last:
            weight = weight + layer.slope**2 * outputs.curvature
        for neuron in range(u.shape[1]):
            coefficient = weight[:, neuron]
            coupled = index == last and outputs.probabilities is not None
            if coupled or not all(c.is_zero() for c in coefficient):
                rows, places = jacobians[index].of(neuron)
                result[np.ix_(places, places)] += product((coefficient[:, None] * rows).T, rows)
            if coupled and outputs.probabilities is not None:
                together[:, places] += (outputs.probabilities * layer.slope)[:, neuron, None] * rows
        if index and not gauss_newton:
            add_mixed(result, layer, layers[index - 1], delta, jacobians[index - 1])
    if outputs.mass is not None:
        result -= product((outputs.mass[:, None] * together).T, together)


def add_mixed(result: Array, layer: LayerPass, under: LayerPass, delta: Array, jacobians: Jacobians) -> None:
    """Adds δ_l ⊗ s_l ∂a_{l−1}/∂θ and its transpose."""
    left = (delta * layer.multiplier).T
    for j in range(under.slope.shape[1]):
        rows, places = jacobians.of(j)
        block = product(left, under.slope[:, j, None] * rows)
        result[np.ix_(layer.places[:, j], places)] += block
        result[np.ix_(places, layer.places[:, j])] += block.T


class Jacobians:
    """∂z/∂θ of the neurons of the last of some layers."""

    def __init__(self, layers: list[LayerPass]) -> None:
        self.layers = layers
        count = len(layers[0].below)
        chain: Array | None = None  # ∂z_last/∂z_m, (N, d_last, d_m)
        self.chains: list[Array] = []
        for upper, layer in zip(reversed(layers[1:]), reversed(layers[:-1]), strict=True):
            width = layers[-1].slope.shape[1]
            if chain is None:
                through = np.broadcast_to(upper.weights, (count, *upper.weights.shape))
            else:
                through = product(chain.reshape(count * width, -1), upper.weights).reshape(count, width, -1)
            chain = through * layer.slope[:, None, :]
            self.chains.append(chain)
        self.chains.reverse()

    def of(self, neuron: int) -> tuple[Array, Array]:
        """The columns (N, n) that are not zero, and where they are in θ (n,)."""
        parts, places = [], []
        for layer, chain in zip(self.layers[:-1], self.chains, strict=True):
            parts.append((chain[:, neuron, :, None] * layer.below[:, None, :]).reshape(len(layer.below), -1))
            places.append(layer.places.ravel())
        parts.append(self.layers[-1].below)
        places.append(self.layers[-1].places[neuron])
        return np.concatenate(parts, axis=1), np.concatenate(places)
