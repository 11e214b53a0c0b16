"""An orbit has one balanced point, from which rescalings and shifts are counted.

Factors of D are searched within a span around 1, so the answer would depend on the representative that was given.
Homogeneous neurons, incoming × c and outgoing × c^{−q}, are therefore brought to where

    ‖incoming‖² = q ‖outgoing‖²     the smallest Σ θ_p² of the orbit, which is a convex function of the log c,

and then the same with the trace of H in place of ‖θ‖², which is one in u = log D. Exponential neurons, bias + τ and
outgoing × e^{−τ}, are brought to outgoing weights as large as 1, and then to equal shares of the trace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._checks import Array
from ..network import MLP
from ..symmetry.element import GroupElement
from ..symmetry.group import SymmetryGroup
from ..symmetry.rules import HiddenLayer, hidden_layers
from .diagonals import Architecture

SWEEPS = 200
STEADY = 1e-12  # change of a log-factor at which sweeps end


@dataclass(frozen=True)
class Move:
    """A move has factors c > 0 and shifts τ of every hidden neuron, counted through all layers; each (neurons,)."""

    factors: Array
    shifts: Array

    def after(self, other: Move) -> Move:
        """Returns the move that makes `other` first, and then this one."""
        return Move(self.factors * other.factors, self.shifts + other.shifts)

    def without(self, neurons: Array) -> Move:
        """Returns the same move without that of some neurons."""
        factors, shifts = self.factors.copy(), self.shifts.copy()
        factors[neurons], shifts[neurons] = 1, 0
        return Move(factors, shifts)

    def log_scaling(self, architecture: Architecture) -> Array:
        """Returns log D of the move, without changes of multipliers, (P + Q,)."""
        degrees = np.array([rule.degree for hidden in hidden_layers(architecture.net) for rule in hidden.rules])
        logs = np.log(self.factors)
        per_side = -2 * logs, 2 * degrees * logs + 2 * self.shifts
        result = np.zeros(architecture.sides.shape[1])
        for touching, values in zip(architecture.sides, per_side, strict=True):
            result[touching >= 0] += values[touching[touching >= 0]]
        return result


def no_move(net: MLP) -> Move:
    neurons = sum(net.widths[1:-1])
    return Move(np.ones(neurons), np.zeros(neurons))


def element_for(group: SymmetryGroup, move: Move) -> GroupElement:
    """Returns the group element of a move."""
    element = group.identity()
    for hidden, neurons in numbered(group.net):
        homogeneous, shifted = movable(hidden)
        if homogeneous:
            factors = move.factors[neurons][homogeneous]
            element = group.rescaling(layer=hidden.layer, factors=factors, neurons=homogeneous) @ element
        if shifted:
            shifts = move.shifts[neurons][shifted]
            element = group.translation(layer=hidden.layer, shifts=shifts, neurons=shifted) @ element
    return element


def balanced_weights(net: MLP, theta: Array) -> Move:
    """Returns the move to the smallest Σ θ_p² of the orbit, and to exponential neurons' outgoing weights of size 1."""
    largest = np.abs(theta).max(initial=0)
    logs = np.log(np.abs(theta) / largest, where=theta != 0, out=np.full(len(theta), -np.inf)) if largest else theta
    return balance(Architecture(net, net.widths[1:-1]), 2 * logs, log_share=-2 * np.log(largest) if largest else 0.0)


def balanced_trace(architecture: Architecture, squares: Array) -> Move:
    """Returns the move to the smallest trace of the orbit, squares being H's diagonal (P,)."""
    with np.errstate(divide="ignore"):
        return balance(architecture, np.log(np.maximum(squares, 0)), log_share=None)


def balance(architecture: Architecture, logs: Array, log_share: float | None) -> Move:
    """Returns the move that makes a D_in + b D_out smallest for every homogeneous neuron in turn, until none moves.

    `logs` are the logarithms of what each parameter, (P,), has at D = 1. Exponential neurons get b D_out = share, or
    a D_in without one. Weights are multiplied by c where their derivatives are divided by it: for them, D stands for
    1/D, which changes signs of the logarithms only.
    """
    weights = log_share is not None
    net, move = architecture.net, no_move(architecture.net)
    count = net.num_parameters
    incoming, outgoing = architecture.sides[:, :count]
    for _ in range(SWEEPS):
        largest = 0.0
        for hidden, neurons in numbered(net):
            homogeneous, shifted = movable(hidden)
            for local in (*homogeneous, *shifted):
                neuron = neurons.start + local
                a, b = log_sum(logs[incoming == neuron]), log_sum(logs[outgoing == neuron])
                if not (np.isfinite(a) and np.isfinite(b)):
                    continue
                if local in shifted:
                    step = (b - log_share) / 2 if log_share is not None else (a - b) / 2
                    move.shifts[neuron] += step
                    logs[outgoing == neuron] += -2 * step if weights else 2 * step
                else:
                    q = hidden.rules[local].degree
                    # Of c² a + c^{−2q} b for weights, and of c^{−2} a + c^{2q} b for derivatives.
                    sign = 1 if weights else -1
                    step = sign * (np.log(q) + b - a) / (2 * (q + 1))
                    move.factors[neuron] *= np.exp(step)
                    logs[incoming == neuron] += sign * 2 * step
                    logs[outgoing == neuron] -= sign * 2 * q * step
                largest = max(largest, abs(step))
        if largest <= STEADY:
            break
    return move


def log_sum(logs: Array) -> float:
    """Returns log Σ e^x."""
    largest = logs.max(initial=-np.inf)
    return float(largest + np.log(np.exp(logs - largest).sum())) if np.isfinite(largest) else -np.inf


def numbered(net: MLP) -> list[tuple[HiddenLayer, slice]]:
    """Returns every hidden layer with its neurons' numbers."""
    first = np.cumsum([0, *net.widths[1:-1]])
    return [(hidden, slice(first[i], first[i + 1])) for i, hidden in enumerate(hidden_layers(net))]


def movable(hidden: HiddenLayer) -> tuple[list[int], list[int]]:
    """Returns the neurons of a layer that can be rescaled, and those that can be shifted and are exponential."""
    homogeneous = [neuron for neuron, rule in enumerate(hidden.rules) if rule.degree]
    shifted = [n for n, rule in enumerate(hidden.rules) if rule.exponential and hidden.can_shift(n)]
    return homogeneous, shifted
