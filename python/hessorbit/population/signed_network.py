"""Student and teacher as one signed network, whose output is the student's less the teacher's.

In its hidden neurons z = w·t + b with t ~ N(0, I), multipliers are part of the weights, and a neuron with odd or even σ
has the sign of w that makes the first entry of (w, b) other than 0 positive: equal features then look the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import _core, activations
from .._checks import FLOAT64, Array
from ..network import MLP
from .whitening import Whitening


@dataclass(frozen=True)
class Layer:
    """The hidden layer of a network as it stands in the signed one.

    incoming (n, q), bias (n,), outgoing (n, K), output bias (K,); `flips` and `flipped_outputs` (n,) are the signs that
    (w, b) and the outgoing weights were given.
    """

    incoming: Array
    bias: Array
    outgoing: Array
    output_bias: Array
    flips: Array
    flipped_outputs: Array

    def part(self, neurons: Array) -> Layer:
        """Returns some of the neurons, with the output bias."""
        return Layer(
            self.incoming[neurons],
            self.bias[neurons],
            self.outgoing[neurons],
            self.output_bias,
            self.flips[neurons],
            self.flipped_outputs[neurons],
        )


def hidden_names(net: MLP) -> list[tuple[str, float]]:
    return [activations.split(name) for name in net.activations[0]]


def parities(net: MLP) -> Array:
    """+1 for neurons whose σ is even, −1 if it is odd, else 0; (n,)."""
    found = [_core.activation_properties(*name) for name in hidden_names(net)]
    return np.array([1 if p["even"] else -1 if p["odd"] else 0 for p in found], int)


def layer_of(net: MLP, theta: Array, whiten: Whitening, parity: Array) -> Layer:
    """Returns the hidden layer of a network with one; theta (P,)."""
    (weights, biases), (outgoing, output_bias) = net.unflatten(theta)
    first, last = net.multipliers
    hidden_bias = np.zeros(len(weights)) if biases is None else biases
    with np.errstate(over="ignore", invalid="ignore"):
        incoming, bias = whiten.forward(first * weights, hidden_bias)
    if not (np.isfinite(incoming).all() and np.isfinite(bias).all()):
        raise ValueError(
            "mean and covariance must be such that weights times them are in the range of float64; "
            f"weights up to {np.abs(weights).max():.1e} leave it: smaller weights or inputs would help"
        )
    flips = np.where((parity != 0) & leading_negative(incoming, bias), -1.0, 1.0)
    flipped_outputs = np.where(parity < 0, flips, 1.0)
    return Layer(
        incoming=np.ascontiguousarray(flips[:, None] * incoming),
        bias=flips * bias,
        outgoing=np.ascontiguousarray((last * flipped_outputs * outgoing).T),
        output_bias=np.zeros(len(outgoing)) if output_bias is None else output_bias,
        flips=flips,
        flipped_outputs=flipped_outputs,
    )


def leading_negative(incoming: Array, bias: Array) -> Array:
    """Whether the first entry other than 0 of each row (w, b) is negative."""
    rows = np.column_stack([incoming, bias])
    first = (rows != 0).argmax(axis=1)
    return np.asarray(rows[np.arange(len(rows)), first] < 0)


@dataclass(frozen=True)
class Signed:
    """What the core takes: incoming (n, q) and bias (n,), outgoing (n + 1, K) with the output biases last."""

    incoming: Array
    bias: Array
    outgoing: Array

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        return self.incoming, self.bias, self.outgoing


def difference(student: Layer, held: Layer, teacher: Layer) -> Signed:
    """Returns the signed network of the student's neurons in whose parameters derivatives are, and of all others."""
    return Signed(
        np.concatenate([student.incoming, held.incoming, teacher.incoming]),
        np.concatenate([student.bias, held.bias, teacher.bias]),
        np.concatenate(
            [student.outgoing, held.outgoing, -teacher.outgoing, [student.output_bias - teacher.output_bias]]
        ),
    )


def neurons_of(net: MLP, parameters: Array) -> Array:
    """Returns the hidden neurons that have some of these parameters, ascending."""
    touched = np.zeros(net.num_parameters, bool)
    touched[parameters] = True
    (weights, biases), (outgoing, _) = net.unflatten(touched)
    some = weights.any(axis=1) | outgoing.any(axis=0)
    return np.flatnonzero(some if biases is None else some | biases)


def positions_of(net: MLP, neurons: Array) -> Array:
    """Returns where in θ the parameters of these neurons are, and the output biases, in the order of `pull_back`."""
    (weights, biases), (outgoing, output_bias) = net.unflatten(np.arange(net.num_parameters))
    parts = [weights[neurons], None if biases is None else biases[neurons], outgoing[:, neurons], output_bias]
    return np.concatenate([part.ravel() for part in parts if part is not None])


def pull_back(net: MLP, layer: Layer, whiten: Whitening, derivatives: Array) -> Array:
    """Returns derivatives in θ (P, …) from those in the core's parameters: W (m, q), b (m,), V (K, m), c (K,).

    Of a layer with some neurons of the network's, those in their parameters and the output biases.
    """
    inputs, _, outputs = net.widths
    width, rest, q = len(layer.bias), derivatives.shape[1:], layer.incoming.shape[1]
    ends = np.cumsum([width * q, width, outputs * width])
    weights, biases, outgoing, output_bias = np.split(derivatives, ends)
    first, last = net.multipliers
    signs = layer.flips.reshape(-1, *[1] * len(rest))
    biases = signs * biases
    weights = first * whiten.backward(signs[:, None] * weights.reshape(width, q, *rest), biases)
    outgoing = last * layer.flipped_outputs.reshape(-1, *[1] * len(rest)) * outgoing.reshape(outputs, width, *rest)
    parts = [weights.reshape(width * inputs, *rest), biases, outgoing.reshape(outputs * width, *rest), output_bias]
    present = [True, net.biases[0], True, net.biases[1]]
    kept = [part for part, there in zip(parts, present, strict=True) if there]
    return np.concatenate(kept).astype(FLOAT64, copy=False)


def push_forward(net: MLP, layer: Layer, whiten: Whitening, directions: Array) -> tuple[Array, Array]:
    """Returns directions in the core's parameters from directions in θ (P, n): W (m, q, n), and b, V, c (rest, n).

    It is the transpose of `pull_back`.
    """
    (weights, biases), (outgoing, output_bias) = net.unflatten(directions.T)
    first, last = net.multipliers
    count, width, outputs = directions.shape[1], net.widths[1], net.widths[2]
    hidden_bias = np.zeros((count, width)) if biases is None else biases
    moved, shifted = whiten.forward((first * weights).reshape(count * width, -1), hidden_bias.ravel())
    parts = [
        layer.flips * shifted.reshape(count, width),
        (last * layer.flipped_outputs * outgoing).reshape(count, outputs * width),
        np.zeros((count, outputs)) if output_bias is None else output_bias,
    ]
    incoming = layer.flips[:, None] * moved.reshape(count, width, -1)
    return np.moveaxis(incoming, 0, -1), np.concatenate(parts, axis=1).T
