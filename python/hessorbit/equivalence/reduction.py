"""A smaller network with the same function: dead, constant and related neurons removed.

    constant neurons, w = 0:                v σ(b) goes to the bias above
    related ones, σ(z_k) = N_k σ(z) + o_k:  v += Σ N_k v_k, and o_k v_k goes to the bias above
    dead ones, v = 0:                       nothing is left of them

where v are outgoing weights. What is removed in one layer may leave neurons of another dead or constant, so this is
done until nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import activations
from .._checks import Array
from ..network import MLP
from ..symmetry.related_neurons import (
    LayerParameters,
    constant_neurons,
    dead_neurons,
    layer_parameters,
    related_neurons,
)


@dataclass(frozen=True)
class Removal:
    """What happens to one hidden layer.

    Attributes
    ----------
    keep : ndarray of bool, shape (width,)
    outgoing : ndarray, shape (next width, width)
        The outgoing weights that the neurons get.
    constant : ndarray, shape (next width,)
        What the biases above get, before the multiplier.
    """

    keep: Array
    outgoing: Array
    constant: Array


def reduced(net: MLP, theta: Array, tolerance: float) -> tuple[MLP, Array]:
    """The network without its dead, constant and related neurons, one neuron left in every hidden layer."""
    changed = True
    while changed:
        changed = False
        for index in range(net.num_layers - 1):
            for removal_of in (constant, related, dead):
                parameters = layer_parameters(net, theta)[index]
                removal = removal_of(parameters, tolerance)
                if not removal.keep.all() and not is_empty(parameters):
                    net, theta = applied(net, theta, index, removal)
                    changed = True
    return net, theta


def is_empty(parameters: LayerParameters) -> bool:
    """Whether the layer is one neuron without weights, which has to stay."""
    return parameters.layer.width == 1 and not parameters.incoming.any() and not parameters.outgoing.any()


def constant(parameters: LayerParameters, tolerance: float) -> Removal:
    """Constant neurons go to the bias above; without one, those that are not zero become one neuron."""
    layer = parameters.layer
    outgoing, moved = parameters.outgoing.copy(), np.zeros(len(parameters.outgoing))
    keep = np.ones(layer.width, bool)
    neurons = constant_neurons(parameters, tolerance)
    biases = parameters.incoming[neurons, -1] if layer.has_bias else np.zeros(len(neurons))
    heights = np.array(
        [activations.derivatives(layer.names[n], [bias])[0][0] for n, bias in zip(neurons, biases, strict=True)]
    )
    keep[neurons] = False
    if len(neurons) and not layer.bias_above and heights.any():
        best = int(np.abs(heights).argmax())
        outgoing[:, neurons[best]] = outgoing[:, neurons] @ heights / heights[best]
        keep[neurons[best]] = True
    elif len(neurons):
        moved = outgoing[:, neurons] @ heights
    return Removal(keep, outgoing, moved)


def related(parameters: LayerParameters, tolerance: float) -> Removal:
    """Related neurons become one."""
    outgoing, moved = parameters.outgoing.copy(), np.zeros(len(parameters.outgoing))
    keep = np.ones(parameters.layer.width, bool)
    for group in related_neurons(parameters, tolerance):
        if len(group.neurons) == 1:
            continue
        first, others = group.neurons[0], group.neurons[1:]
        largest = np.abs(outgoing[:, group.neurons]).max()
        total = outgoing[:, group.neurons] @ group.gains
        moved += outgoing[:, group.neurons] @ group.offsets
        outgoing[:, first] = np.where(np.abs(total) <= tolerance * largest, 0, total)
        keep[others] = False
    return Removal(keep, outgoing, moved)


def dead(parameters: LayerParameters, tolerance: float) -> Removal:
    keep = np.ones(parameters.layer.width, bool)
    keep[dead_neurons(parameters, tolerance)] = False
    return Removal(keep, parameters.outgoing, np.zeros(len(parameters.outgoing)))


def applied(net: MLP, theta: Array, index: int, removal: Removal) -> tuple[MLP, Array]:
    """The network that a removal leaves; where it leaves no neuron, one without weights stays."""
    keep, empty = removal.keep.copy(), not removal.keep.any()
    keep[0] |= empty
    widths, names, layers = list(net.widths), list(net.activations), net.unflatten(theta.copy())
    widths[index + 1] = int(keep.sum())
    names[index] = tuple(name for name, kept in zip(names[index], keep, strict=True) if kept)
    narrow = MLP(widths, names[:-1], bias=net.biases, parametrization=net.parametrization, output_activation=names[-1])
    (weights, biases), (_, above) = layers[index], layers[index + 1]
    scale = net.multipliers[index + 1] / narrow.multipliers[index + 1]
    below, outgoing = weights[keep], scale * removal.outgoing[:, keep]
    bias = None if biases is None else biases[keep]
    if empty:
        below, outgoing = 0 * below, 0 * outgoing
        bias = None if bias is None else 0 * bias
    if above is not None:
        above = above + net.multipliers[index + 1] * removal.constant
    layers[index], layers[index + 1] = (below, bias), (outgoing, above)
    return narrow, narrow.flatten(layers)
