"""`Copies` say for each neuron of a wide layer which neuron it copies, and by which factors.

Copy k of neuron i has the incoming parameters c_k (W_l b_l)[i] and the outgoing weights α_k W_{l+1}[:, i]. Where the
activation answers with σ(c z) = N(c) σ(z) + o(c) (rules.py), the function is unchanged if Σ_k α_k N(c_k) = 1. Copies of
exponential neurons may also have shifts τ of their biases, with N = e^τ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _checks, activations
from .._checks import Array
from ..network import MLP
from .rules import HiddenLayer

SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Copies:
    """Every neuron of a wide layer copies one of the narrow network, or is dead; `Widening.layers` has these.

    Attributes
    ----------
    source : ndarray of int, shape (wide width,)
        Neuron that each one copies; −1 for a dead neuron.
    outgoing : ndarray, shape (wide width,)
        α; 0 for a dead neuron.
    incoming : ndarray, shape (wide width,)
        c; 0 for a dead neuron.
    shift : ndarray, shape (wide width,)
        τ; 0 for a dead neuron.
    gain : ndarray, shape (wide width,)
        N(c, τ): a copy's activation is N σ + o; 0 for a dead neuron.
    offset : ndarray, shape (wide width,)
        o(c); σ(0) for a dead neuron, whose incoming parameters are zero.
    slope : ndarray, shape (wide width,)
        β = α N(c)/c, the derivative of the outputs in a copy's preactivation over that in the original's.

    Examples
    --------
    >>> import hessorbit as ho
    >>> (copies,) = ho.Widening(ho.MLP([1, 2, 1]), copies=[[2, 1]], dead=[1]).layers
    >>> copies.source, copies.outgoing
    (array([ 0,  0,  1, -1]), array([0.5, 0.5, 1. , 0. ]))
    """

    source: Array
    outgoing: Array
    incoming: Array
    shift: Array
    gain: Array
    offset: Array
    slope: Array


def checked_copies(net: MLP, copies: Sequence[Sequence[int]] | None) -> list[list[int]]:
    """Returns the number of copies of each hidden neuron by layer; one each for None."""
    hidden = net.widths[1:-1]
    if copies is None:
        return [[1] * width for width in hidden]
    rows = _checks.entries(copies, "copies", len(hidden), "one list per hidden layer")
    return [
        [
            _checks.integer(number, f"copies[{index}][{neuron}]", minimum=1)
            for neuron, number in enumerate(_checks.entries(row, f"copies[{index}]", width, "one per neuron"))
        ]
        for index, (row, width) in enumerate(zip(rows, hidden, strict=True))
    ]


def checked_dead(net: MLP, dead: Sequence[int] | None) -> list[int]:
    hidden = len(net.widths) - 2
    if dead is None:
        return [0] * hidden
    numbers = _checks.entries(dead, "dead", hidden, "one per hidden layer")
    return [_checks.integer(number, f"dead[{index}]", minimum=0) for index, number in enumerate(numbers)]


def layer_copies(layer: HiddenLayer, counts: list[int], dead: int, given: dict[str, Any]) -> Copies:
    """Returns the copies of one layer, checked."""
    names = ("source", "outgoing", "incoming", "shift", "gain", "offset")
    parts: dict[str, list[Array]] = {name: [] for name in names}
    factors = {name: neuron_values(layer, counts, name, value) for name, value in given.items()}
    for neuron, count in enumerate(counts):
        where = f"[{layer.layer - 1}][{neuron}]"
        rule = layer.rules[neuron]
        scale, sign = factors["scales"][neuron], factors["signs"][neuron]
        if (scale <= 0).any():
            raise ValueError(f"scales{where} must be positive; got {scale.tolist()}")
        if (scale != 1).any() and not rule.degree:
            raise ValueError(f"scales{where} must be 1, as {rule.activation} is not homogeneous; got {scale.tolist()}")
        if (np.abs(sign) != 1).any():
            raise ValueError(f"signs{where} must be +1 or -1; got {sign.tolist()}")
        if (sign < 0).any() and not layer.can_flip(neuron):
            reason = "the layer above has no biases" if rule.parity else f"{rule.activation} has no sign symmetry"
            raise ValueError(f"signs{where} must be +1, as {reason}; got {sign.tolist()}")
        shift = factors["shifts"][neuron]
        if shift.any() and not (rule.exponential and layer.has_bias):
            reason = "the layer has no biases" if rule.exponential else f"{rule.activation} is not exponential"
            raise ValueError(f"shifts{where} must be 0, as {reason}; got {shift.tolist()}")
        factor = scale * sign
        gain = np.asarray(rule.outgoing(factor, shift)) * np.ones(count)
        alpha = factors["coefficients"][neuron] if given["coefficients"] is not None else 1 / (count * gain)
        total = float(alpha @ gain)
        if abs(total - 1) > SUM_TOLERANCE:
            raise ValueError(
                f"coefficients{where} must have Σ α N(c) = 1 so that the function stays the same; got {total!r}"
            )
        parts["source"].append(np.full(count, neuron))
        parts["outgoing"].append(alpha)
        parts["incoming"].append(factor)
        parts["shift"].append(shift)
        parts["gain"].append(gain)
        # A linear activation has an offset only for a shift, which its copies do not have.
        parts["offset"].append(np.where(factor < 0, rule.constant, 0.0))
    if dead:
        value = float(activations.derivatives(layer.names[-1], 0.0)[0])
        if value and not layer.bias_above:
            raise ValueError(
                f"dead[{layer.layer - 1}] must be 0, as {layer.names[-1]} is not zero at zero and the layer above has "
                f"no biases; got {dead}"
            )
        for name, entry in zip(names, (-1, 0.0, 0.0, 0.0, 0.0, value), strict=True):
            parts[name].append(np.full(dead, entry))
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    alive = joined["source"] >= 0
    ratio = np.divide(joined["gain"], joined["incoming"], out=np.zeros(len(alive)), where=alive)
    return Copies(slope=joined["outgoing"] * ratio, **joined)


def neuron_values(layer: HiddenLayer, counts: list[int], name: str, rows: Sequence[ArrayLike] | None) -> list[Array]:
    if rows is None:
        return [np.zeros(count) if name == "shifts" else np.ones(count) for count in counts]
    where = f"{name}[{layer.layer - 1}]"
    result = []
    for neuron, (row, count) in enumerate(
        zip(_checks.entries(rows, where, len(counts), "one array per neuron"), counts, strict=True)
    ):
        values = np.asarray(_checks.as_floats(row, f"{where}[{neuron}]"), np.float64)
        if values.shape != (count,):
            raise _checks.shape_error(f"{where}[{neuron}]", f"({count},), one number per copy", values.shape)
        result.append(values)
    return result


def identity_copies(width: int) -> Copies:
    """Returns one copy each of inputs or outputs."""
    ones, zeros = np.ones(width), np.zeros(width)
    return Copies(np.arange(width), ones, ones, zeros, ones, zeros, ones)
