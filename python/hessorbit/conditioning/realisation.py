"""A diagonal D is realised by a move of θ: an element of the symmetry group, or a widening."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .. import _core, activations
from .._checks import Array
from ..symmetry.element import GroupElement
from ..symmetry.group import SymmetryGroup
from ..symmetry.rules import HiddenLayer, Rule, hidden_layers
from ..symmetry.widening import Widening
from .balance import Move, element_for, movable, numbered
from .branching import Solution
from .diagonals import Architecture
from .regions import FLIPPED, INCOMING, LOG_SPAN, OUTGOING, Rescaled, Segment, Shifted, split_into_copies
from .smoothed_spectrum import SpectralFunction

TINY = float(np.finfo(float).tiny)
NEAR = 1.0  # distance from the limits of D, in logarithms, within which they may hold a factor back
SILENT = 1e-16  # size of an activation that counts as zero


def without_idle_moves(solution: Solution, function: SpectralFunction) -> Solution:
    """Leaves neurons whose derivatives all vanish as they are, as nothing depends on their scaling."""
    scalings = solution.scalings
    v = solution.point.v.copy()
    for neuron in idle_neurons(scalings.architecture, function):
        v[scalings.first[neuron] : scalings.first[neuron + 1]] = scalings.regions[neuron].start
    return replace(solution, point=replace(solution.point, v=v))


def idle_neurons(architecture: Architecture, function: SpectralFunction) -> Array:
    """Returns the hidden neurons, counted through all layers, on whose factors nothing depends."""
    return np.setdiff1d(np.arange(sum(architecture.net.widths[1:-1])), architecture.sides[:, function.active])


def centre_of(solution: Solution) -> Move | None:
    """Returns the move to the middle of factors that are near the limits of D; None if there are none."""
    scalings = solution.scalings
    factors, shifts = np.ones(len(scalings.neurons)), np.zeros(len(scalings.neurons))
    logarithms = np.log(np.maximum(scalings.factors(solution.point.v), TINY)).T
    for neuron, (each, (incoming, outgoing, _)) in enumerate(zip(scalings.neurons, logarithms, strict=True)):
        degree = getattr(each, "degree", 0)
        if degree and max(abs(incoming), abs(outgoing)) > LOG_SPAN / degree - NEAR:
            factors[neuron] = np.exp((outgoing - incoming) / (2 * (degree + 1)))
        elif isinstance(each, Shifted) and abs(outgoing) > LOG_SPAN - NEAR:
            shifts[neuron] = outgoing / 2
    return Move(factors, shifts) if (factors != 1).any() or shifts.any() else None


def at_limits(solution: Solution) -> bool:
    """Tells whether factors of D are near the limits, counted from the centre or in what copies cancel."""
    cancelled = []
    for each, (incoming, outgoing, flipped) in zip(
        solution.scalings.neurons, solution.scalings.factors(solution.point.v).T, strict=True
    ):
        own = 1.0 if isinstance(each, Shifted) else outgoing + flipped
        cancelled.append(max(getattr(each, "degree", 0), 1) * np.log(incoming) + np.log(own))
    return centre_of(solution) is not None or max(cancelled, default=0.0) > LOG_SPAN - NEAR


def move_of(solution: Solution) -> Move:
    """Returns the element with this solution's D: D_in = c⁻² for incoming × c, D_out = e^{2τ} for bias + τ."""
    incoming, outgoing, _ = solution.scalings.factors(solution.point.v)
    rescaled = np.array([isinstance(each, Rescaled | Segment) for each in solution.scalings.neurons], bool)
    shifted = np.array([isinstance(each, Shifted) for each in solution.scalings.neurons], bool)
    shifts = np.log(np.where(shifted, outgoing, 1.0)) / 2
    return Move(np.where(rescaled, incoming**-0.5, 1.0), shifts)


def element_of(group: SymmetryGroup, solution: Solution, move: Move) -> GroupElement:
    """Returns the group element that makes `move` and then has this solution's D."""
    element = element_for(group, move_of(solution).after(move))
    for hidden, neurons in numbered(group.net):
        if flipped := np.flatnonzero(solution.flipped[neurons]).tolist():
            element = group.sign_flip(layer=hidden.layer, neurons=flipped) @ element
    return element


def widening_of(architecture: Architecture, solution: Solution, move: Move) -> Widening:
    """Returns the widening that makes `move` and has this solution's D; dead neurons fill the rest of the widths."""
    net = architecture.net
    factors = solution.scalings.factors(solution.point.v)
    counts, dead = [], []
    parts: dict[str, list[list[Array]]] = {name: [] for name in ("coefficients", "scales", "signs", "shifts")}
    for (hidden, neurons), width in zip(numbered(net), architecture.widths, strict=True):
        _, shifted = movable(hidden)
        copies = [
            copies_of(
                hidden.rules[local],
                solution.copies[i],
                solution.flipped[i],
                factors[:, i],
                move.factors[i],
                move.shifts[i] if local in shifted else None,
            )
            for local, i in enumerate(range(neurons.start, neurons.stop))
        ]
        counts.append(list(solution.copies[neurons]))
        dead.append(width - sum(counts[-1]))
        for name in parts:
            parts[name].append([getattr(each, name) for each in copies])
    return Widening(net, counts, dead=dead, **parts)


@dataclass(frozen=True)
class NeuronCopies:
    """α, the sizes and the signs of c, and τ of the copies of one neuron; each (m,)."""

    coefficients: Array
    scales: Array
    signs: Array
    shifts: Array


def copies_of(rule: Rule, number: int, flipped: int, factors: Array, scale: float, shift: float | None) -> NeuronCopies:
    """Returns copies with the factors D_in and D_out, of a neuron that is moved by a scale and a shift before.

    The shift is None where there can be none.
    """
    signs = np.where(np.arange(number) < number - flipped, 1.0, -1.0)
    if shift is not None:
        tau = np.log(factors[OUTGOING] / number) / 2
        beta, scales = split_into_copies(0, number, factors[INCOMING], float(number))
        shifts = np.full(number, tau + shift)
        return NeuronCopies(beta * np.exp(-shifts), scales, signs, shifts)
    alpha, scales = split_into_copies(rule.degree, number, factors[INCOMING], factors[OUTGOING] + factors[FLIPPED])
    return NeuronCopies(alpha * signs * scale**-rule.degree, scales * scale, signs, np.zeros(number))


def resting_bias(hidden: HiddenLayer) -> float | None:
    """Returns the bias at which a dead neuron like the last one of a layer is zero; None if there is none."""
    kind, parameter = activations.split(hidden.names[-1])
    candidates = np.array([0.0, -40.0, math.pi / 2])
    values, _, _ = _core.activation_derivatives(kind, parameter, candidates)
    resting = candidates[np.abs(values) < SILENT]
    if not len(resting) or (resting[0] != 0 and not (hidden.has_bias and hidden.bias_above)):
        return None
    return float(resting[0])


def at_rest(widening: Widening, theta: Array) -> Array:
    """Sets dead neurons' biases where their activation is zero, so that they change no derivative."""
    at = theta.copy()
    for hidden, layer, (_, biases) in zip(
        hidden_layers(widening.source), widening.layers, widening.net.unflatten(at), strict=False
    ):
        dead = layer.source < 0
        if biases is not None and dead.any():
            biases[dead] = resting_bias(hidden)
    return at
