"""Networks without their exact copies: what is shown of them holds without rounding, however steep the neurons are.

Two neurons of one activation with the same incoming parameters, bit by bit, are one neuron with the sum of their
outgoing weights, if that sum is a float64 number. So are those with opposite ones where σ(−z) = −σ(z), and neurons
whose outgoing weights are all zero are none. From the first layer to the last: what is merged below makes more alike
above.
"""

from __future__ import annotations

import math

import numpy as np

from .._checks import Array
from ..network import MLP
from ..symmetry.related_neurons import layer_parameters
from .reduction import Removal, applied


def without_copies(net: MLP, theta: Array) -> tuple[MLP, Array]:
    """The network that is left; itself where multipliers round, or nothing is to merge."""
    if any(multiplier != 1 for multiplier in net.multipliers):
        return net, theta
    for index in range(net.num_layers - 1):
        parameters = layer_parameters(net, theta)[index]
        layer, outgoing = parameters.layer, parameters.outgoing.copy()
        keep = np.ones(layer.width, bool)
        for members in groups(layer.names, parameters.incoming, [layer.can_flip(n) for n in range(layer.width)]):
            first = members[0][0]
            if layer.rules[first].constant or layer.rules[first].outgoing(-1.0, 0.0) != -1:
                members = [(neuron, sign) for neuron, sign in members if sign == members[0][1]]
            neurons = [neuron for neuron, _ in members]
            signs = np.array([sign * members[0][1] for _, sign in members])
            total = exact_sums(parameters.outgoing[:, neurons] * signs) if len(neurons) > 1 else None
            if total is not None:
                keep[neurons[1:]] = False
                outgoing[:, first] = total
        keep &= outgoing.any(axis=0)
        if not keep.all() and keep.any():
            net, theta = applied(net, theta, index, Removal(keep, outgoing, np.zeros(len(outgoing))))
    return net, theta


def groups(names: tuple[str, ...], rows: Array, flips: list[bool]) -> list[list[tuple[int, float]]]:
    """Neurons whose rows agree, or are opposite where they may be flipped, with the sign of each."""
    found: dict[tuple[str, bytes], list[tuple[int, float]]] = {}
    for neuron, (name, row, flip) in enumerate(zip(names, rows + 0.0, flips, strict=True)):  # −0 becomes 0
        leading = row[np.flatnonzero(row)[0]] if row.any() else 1.0
        sign = -1.0 if flip and leading < 0 else 1.0
        found.setdefault((name, (sign * row + 0.0).tobytes()), []).append((neuron, sign))
    return list(found.values())


def exact_sums(columns: Array) -> Array | None:
    """The sums of rows (n, m) if float64 holds them all, else None.

    Knuth's TwoSum tells the rows on the way to whose sum nothing is rounded, which are most.
    """
    sums, rounded = columns[:, 0].copy(), np.zeros(len(columns), bool)
    with np.errstate(over="ignore", invalid="ignore"):
        for column in columns.T[1:]:
            total = sums + column
            part = total - sums
            rounded |= (sums - (total - part)) + (column - part) != 0
            sums = total
    try:
        for row in np.flatnonzero(rounded):
            sums[row] = math.fsum(columns[row])
            if math.fsum([*columns[row], -sums[row]]):
                return None
    except OverflowError:
        return None
    return sums
