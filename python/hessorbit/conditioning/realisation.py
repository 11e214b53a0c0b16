"""A diagonal D is realised by a move of θ: an element of the symmetry group, or a widening."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .. import _core, activations
from .._checks import Array
from ..symmetry.element import GroupElement
from ..symmetry.group import SymmetryGroup
from ..symmetry.rules import HiddenLayer, hidden_layers
from ..symmetry.widening import Widening
from .branching import Solution
from .diagonals import Architecture
from .regions import split_into_copies
from .smoothed_spectrum import SpectralFunction

SILENT = 1e-16  # size of an activation that counts as zero


def without_idle_moves(solution: Solution, function: SpectralFunction) -> Solution:
    """Leaves neurons whose derivatives all vanish as they are, as nothing depends on their scaling."""
    scalings = solution.scalings
    active = set(scalings.architecture.sides[:, function.active].ravel().tolist())
    idle = set(range(len(scalings.neurons))) - active
    v = solution.point.v.copy()
    for neuron in idle:
        v[scalings.first[neuron] : scalings.first[neuron + 1]] = scalings.regions[neuron].start
    return replace(solution, point=replace(solution.point, v=v))


def element_of(group: SymmetryGroup, solution: Solution) -> GroupElement:
    """Returns the element with this solution's D: D_in = c⁻² for incoming × c, D_out = e^{2τ} for bias + τ."""
    element = group.identity()
    incoming, outgoing = solution.scalings.factors(solution.point.v)
    first = 0
    for hidden in hidden_layers(group.net):
        layer, first = slice(first, first + hidden.width), first + hidden.width
        homogeneous = [neuron for neuron, rule in enumerate(hidden.rules) if rule.degree]
        shifted = [n for n, rule in enumerate(hidden.rules) if rule.exponential and hidden.can_shift(n)]
        if homogeneous:
            factors = incoming[layer][homogeneous] ** -0.5
            element = group.rescaling(layer=hidden.layer, factors=factors, neurons=homogeneous) @ element
        if shifted:
            shifts = np.log(outgoing[layer][shifted]) / 2
            element = group.translation(layer=hidden.layer, shifts=shifts, neurons=shifted) @ element
    return element


def widening_of(architecture: Architecture, solution: Solution, copies: list[list[int]]) -> Widening:
    """Returns the widening with this solution's D; what copies leave of the widths is filled with dead neurons."""
    net = architecture.net
    pairs = zip(*solution.scalings.factors(solution.point.v), strict=True)
    coefficients, scales = [], []
    for hidden, numbers in zip(hidden_layers(net), copies, strict=True):
        parts = [
            split_into_copies(rule.degree, number, *pair)
            for rule, number, pair in zip(hidden.rules, numbers, pairs, strict=False)
        ]
        coefficients.append([alpha for alpha, _ in parts])
        scales.append([scale for _, scale in parts])
    dead = [width - sum(numbers) for width, numbers in zip(architecture.widths, copies, strict=True)]
    return Widening(net, copies, coefficients=coefficients, scales=scales, dead=dead)


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
