"""The group element that takes one θ to another, found layer by layer.

In each hidden layer, neurons are assigned to one another whose incoming parameters agree up to a move of their
activation; in the last one their outgoing weights must agree as well, which tells duplicates apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._checks import Array
from ..network import MLP
from ..symmetry.element import GroupElement
from ..symmetry.moves import LARGEST_CONDITION, LayerMove, identity_move, mixing_of, with_mixing
from ..symmetry.related_neurons import LayerParameters, factors_between, layer_parameters
from ..symmetry.rules import HiddenLayer, hidden_layers


def element_of(net: MLP, move: LayerMove) -> GroupElement:
    """The element that moves one layer alone."""
    moves = (move if hidden == move.hidden else identity_move(hidden) for hidden in hidden_layers(net))
    return GroupElement(net, tuple(moves))


def connecting_element(net: MLP, start: Array, goal: Array, tolerance: float) -> GroupElement | None:
    """g with g(start) = goal up to the tolerance, in every neuron's parameters; None if the search finds none.

    The search is complete for one hidden layer, but for linear neurons with dependent incoming weights.
    """
    element = GroupElement(net, tuple(map(identity_move, hidden_layers(net))))
    for hidden in hidden_layers(net):
        index = hidden.layer - 1
        move = matching_move(
            layer_parameters(net, element(start))[index], layer_parameters(net, goal)[index], tolerance
        )
        if move is None:
            return None
        element = element_of(net, move) @ element
    moved, there = net.unflatten(element(start)), net.unflatten(goal)
    for (weights, biases), (other_weights, other_biases) in zip(moved, there, strict=True):
        for a, b in ((weights, other_weights), (biases, other_biases)):
            if a is not None and b is not None and np.abs(a - b).max() > tolerance * np.abs(b).max():
                return None
    return element


def matching_move(here: LayerParameters, there: LayerParameters, tolerance: float) -> LayerMove | None:
    """A move of one hidden layer that makes incoming parameters agree."""
    hidden = here.layer
    move = identity_move(hidden)
    sources, factors, shifts = move.sources.copy(), move.factors.copy(), move.shifts.copy()
    for members in hidden.classes.values():
        neurons = np.array(members)
        if hidden.rules[neurons[0]].linear:
            continue
        table = np.array([[factor(here, there, i, j, tolerance) for j in neurons] for i in neurons])
        rows, columns = linear_sum_assignment(table == 0)
        if (table[rows, columns] == 0).any():
            return None
        sources[neurons], factors[neurons] = neurons[columns], table[rows, columns]
        if hidden.rules[neurons[0]].exponential and hidden.has_bias:
            shifts[neurons] = there.incoming[neurons, -1] - here.incoming[neurons[columns], -1]
    move = replace(move, sources=sources, factors=factors, shifts=shifts)
    return mixed(move, here, there) if len(hidden.linear) else move


def factor(here: LayerParameters, there: LayerParameters, place: int, source: int, tolerance: float) -> float:
    """c with incoming parameters of `place` = c · those of `source`, and outgoing weights to match; else 0."""
    hidden = here.layer
    rule = hidden.rules[place]
    free = rule.exponential and hidden.has_bias
    goal, start = (p.weights if free else p.incoming for p in (there, here))
    if not goal[place].any() and not start[source].any():
        ratio = 1.0
    else:
        ratio = float(factors_between(hidden, np.array([start[source], goal[place]]), place, tolerance)[1])
    if not ratio or not is_last(hidden):
        return ratio
    shift = there.incoming[place, -1] - here.incoming[source, -1] if free else 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        carried = rule.outgoing(ratio, shift) * there.outgoing[:, place]
        distance = np.abs(carried - here.outgoing[:, source]).max()
        return ratio if distance <= tolerance * np.abs(here.outgoing).max() else 0.0


def is_last(hidden: HiddenLayer) -> bool:
    return hidden.layer == hidden.net.num_layers - 1


def mixed(move: LayerMove, here: LayerParameters, there: LayerParameters) -> LayerMove | None:
    """`move` with the matrix M on the linear neurons that solves M W = W', if their rows W are independent."""
    hidden, linear = here.layer, here.layer.linear
    start, goal = here.weights[linear], there.weights[linear]
    if (start == goal).all():
        matrix = np.eye(len(linear))
    elif np.linalg.matrix_rank(start) < len(linear):
        return None
    else:
        matrix = np.linalg.lstsq(start.T, goal.T)[0].T
    if np.linalg.cond(matrix) > LARGEST_CONDITION:
        return None
    move = with_mixing(move, mixing_of(matrix))
    if not hidden.has_bias or not hidden.bias_above:
        return move
    shifts = move.shifts.copy()
    shifts[linear] = there.incoming[linear, -1] - matrix @ here.incoming[linear, -1]
    return replace(move, shifts=shifts)
