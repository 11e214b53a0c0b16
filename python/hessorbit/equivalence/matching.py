"""The group element that takes one θ to another, found layer by layer.

In each hidden layer, neurons are assigned to one another whose incoming parameters agree up to a move of their
activation. Where several do, those of the last hidden layer are told apart by their outgoing weights.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._checks import Array
from .._norms import norm
from ..network import MLP
from ..symmetry.classes import classes_of
from ..symmetry.element import GroupElement
from ..symmetry.moves import LayerMove, identity_move, mixing_of, with_mixing
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
        matched = matching(here, there, neurons, tolerance)
        if matched is None:
            return None
        sources[neurons], factors[neurons], shifts[neurons] = matched
    move = replace(move, sources=sources, factors=factors, shifts=shifts)
    return mixed(move, here, there) if len(hidden.linear) else move


def matching(
    here: LayerParameters, there: LayerParameters, neurons: Array, tolerance: float
) -> tuple[Array, Array, Array] | None:
    """Sources, factors and shifts for neurons of one activation, (m,) each."""
    hidden, count = here.layer, len(neurons)
    rule = hidden.rules[neurons[0]]
    free = rule.exponential and hidden.has_bias
    vectors = np.vstack([(p.weights if free else p.incoming)[neurons] for p in (here, there)])
    sizes = norm(vectors, 1)
    units = vectors / np.where(sizes > 0, sizes, 1)[:, None] if rule.degree else vectors
    first = classes_of(units, tolerance * np.where(rule.degree, 1.0, sizes), hidden.can_flip(neurons[0]))
    sources, factors, shifts = np.zeros(count, int), np.ones(count), np.zeros(count)
    keys = carried(here, there, neurons, free)
    for members in np.split(np.argsort(first, kind="stable"), np.flatnonzero(np.diff(np.sort(first))) + 1):
        ours, theirs = members[members < count], members[members >= count]
        if len(ours) != len(theirs):
            return None
        factor = factors_between(hidden, vectors[members], neurons[0], 2 * tolerance)
        factor = np.where(sizes[members] == 0, 1.0, factor)
        if (factor == 0).any():
            return None
        if len(ours) > 1 and is_last(hidden):
            gains = rule.outgoing(factor, 0.0) * keys[members]
            ours = ours[np.argsort(gains[: len(ours)], kind="stable")]
            theirs = theirs[np.argsort(gains[len(ours) :], kind="stable")]
        of = dict(zip(members.tolist(), factor, strict=True))
        places = theirs - count
        sources[places] = neurons[ours]
        factors[places] = [of[b] / of[a] for a, b in zip(ours.tolist(), theirs.tolist(), strict=True)]
        if free:
            shifts[places] = there.incoming[neurons[places], -1] - here.incoming[neurons[ours], -1]
    return sources, factors, shifts


def carried(here: LayerParameters, there: LayerParameters, neurons: Array, free: bool) -> Array:
    """One number for the outgoing weights of each neuron of both, (2m,), with the factor e^b of free biases."""
    probe = np.random.default_rng(0).standard_normal(len(here.outgoing))
    keys = np.concatenate([probe @ p.outgoing[:, neurons] for p in (here, there)])
    if free:
        biases = np.concatenate([p.incoming[neurons, -1] for p in (here, there)])
        with np.errstate(over="ignore"):
            keys = keys * np.exp(biases - biases.max())
    return np.asarray(keys)


def is_last(hidden: HiddenLayer) -> bool:
    return hidden.layer == hidden.net.num_layers - 1


def mixed(move: LayerMove, here: LayerParameters, there: LayerParameters) -> LayerMove | None:
    """`move` with the matrix M on the linear neurons that solves M W = W', if their rows W are equal or independent."""
    hidden, linear = here.layer, here.layer.linear
    start, goal = here.weights[linear], there.weights[linear]
    carried = here.incoming[linear, -1]
    if (start != goal).any():
        if np.linalg.matrix_rank(start) < len(linear):
            return None
        matrix = np.linalg.lstsq(start.T, goal.T)[0].T
        try:
            move = with_mixing(move, mixing_of(matrix))
        except ValueError:  # it is almost singular
            return None
        carried = matrix @ carried
    if not hidden.has_bias or not hidden.bias_above:
        return move
    shifts = move.shifts.copy()
    shifts[linear] = there.incoming[linear, -1] - carried
    return replace(move, shifts=shifts)
