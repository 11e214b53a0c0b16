"""Directions t(θ) along which the loss does not change, at any θ of a box: ∇L(θ)ᵀ t(θ) = 0, without rounding.

    continuous symmetries      X θ + e of the generators of rescalings and of shifts of exponential neurons
    neurons linear alike       on each sample, with the same slopes, as linear ones or rectifiers with the same signs:
                               mixed, and shifted if the slope is the same on all
    the loss                   a vector added to all rows of the last W, a number to the last b, if ℓ is shift-invariant
    quadratic forms            Σ_i v_i (w̃_i·x̃)² of square neurons below one neuron: w̃_i ↦ v_j w̃_j, w̃_j ↦ −v_i w̃_i
    inputs of low rank         t with s x·t_w + t_b = 0 on all samples on which a neuron of the first layer has a slope,
                               in exact rational arithmetic
    rectifiers off             on all samples: every parameter

With l2 > 0 there are only the rotations of neurons linear alike, which keep ‖θ‖.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np

from .._checks import Array
from ..balls.arithmetic import balls, flint, zeros
from ..balls.enclosures import EnclosedLoss, RestrictedLoss, WholeLoss
from ..balls.samples import SampleLoss
from ..network import MLP
from ..symmetry.data_modes import loss_directions
from ..symmetry.group import symmetries
from ..symmetry.rules import hidden_layers, rule_of
from ..symmetry.tangents import terms_of


def invariances(loss: EnclosedLoss, theta: Array) -> Array:
    """The directions at an array θ (P,) of balls, (P, n) of balls; where parameters are held, those that leave them."""
    if isinstance(loss, RestrictedLoss):
        found = invariances(loss.whole, loss.full(theta))
        held = np.delete(found, loss.obj.free, axis=0)
        return found[loss.obj.free][:, [all(entry.is_zero() for entry in column) for column in held.T]]
    of_data: list[Array] = []
    if isinstance(loss, SampleLoss):
        slopes = slopes_on_data(loss, theta)
        alike = linear_alike(loss, slopes)
        of_data = [*shifts(loss), *off(loss, alike), *unseen_inputs(loss, slopes)]
    else:
        alike = linear_neurons(loss)
    if loss.l2.is_zero():
        moves = [*tangents(loss, theta), *mixed(loss, theta, alike), *turns(loss.net, theta)]
        moves += [*shifted(loss, theta, alike), *of_data]
    else:
        moves = list(rotated(loss, theta, alike))
    return np.column_stack(moves) if moves else zeros(loss.num_parameters, 0)


@dataclass(frozen=True)
class Alike:
    """Neurons of a hidden layer that are linear on each sample, with the same slopes, for every θ of a box.

    `slope` is that on all samples, None if there is no such.
    """

    layer: int
    neurons: tuple[int, ...]
    slope: Any


def slopes_on_data(loss: SampleLoss, theta: Array) -> list[Array]:
    """σ'(z) of each hidden layer on the samples, (N, d) of balls."""
    passes = [[layer.slope for layer in layers[:-1]] for layers, _ in loss.passes(theta)]
    return [np.concatenate(chunks) for chunks in zip(*passes, strict=True)]


def linear_neurons(loss: WholeLoss) -> list[Alike]:
    """Classes of neurons that are linear by their activation."""
    one = flint().arb(1)
    hidden = [(layer.layer, tuple(int(i) for i in layer.linear)) for layer in hidden_layers(loss.net)]
    return [Alike(layer, neurons, one) for layer, neurons in hidden if neurons]


def linear_alike(loss: SampleLoss, slopes: list[Array]) -> list[Alike]:
    """All classes of such neurons: linear ones by their activation, and rectifiers with the same signs on the data."""
    classes: list[Alike] = []
    for layer, found in zip(hidden_layers(loss.net), slopes, strict=True):
        groups: dict[Any, list[int]] = {}
        for neuron, (rule, column) in enumerate(zip(layer.rules, found.T, strict=True)):
            if rule.degree == 1 or rule.linear:
                on = tuple(bool(slope == 1) for slope in column)
                groups.setdefault(on if all(on) else (rule.activation, on), []).append(neuron)
        for neurons in groups.values():
            column = found[:, neurons[0]]
            one = all(bool(slope == column[0]) for slope in column)
            classes.append(Alike(layer.layer, tuple(neurons), column[0] if one else None))
    return classes


def tangents(loss: WholeLoss, theta: Array) -> Iterator[Array]:
    """Xθ + e of the generators of rescalings, and of the shifts of exponential neurons."""
    for terms in terms_of(loss.net, symmetries(loss.net).factors):
        if terms.factor.kind != "linear" and not rule_of(terms.factor.activation).linear:
            result = zeros(len(theta))
            result[terms.rows] = balls(terms.coefficients) * theta[terms.columns]
            result[terms.constant] = flint().arb(1)
            yield result


def mixing(loss: WholeLoss, theta: Array, layer: int, i: int, j: int) -> Array:
    """w̃_i ↦ w̃_j and v_j ↦ −v_i, for two neurons that are linear alike."""
    result = zeros(len(theta))
    part = partial(loss.net.block, layer=layer)
    result[part(part="incoming", neurons=[i])] = theta[part(part="incoming", neurons=[j])]
    result[part(part="outgoing", neurons=[j])] = -theta[part(part="outgoing", neurons=[i])]
    return result


def mixed(loss: WholeLoss, theta: Array, classes: list[Alike]) -> Iterator[Array]:
    for alike in classes:
        for i, j in product(alike.neurons, repeat=2):
            yield mixing(loss, theta, alike.layer, i, j)


def rotated(loss: WholeLoss, theta: Array, classes: list[Alike]) -> Iterator[Array]:
    """Rotations of neurons that are linear alike: they keep ‖θ‖, and so the penalty."""
    for alike in classes:
        for i, j in combinations(alike.neurons, 2):
            yield mixing(loss, theta, alike.layer, i, j) - mixing(loss, theta, alike.layer, j, i)


def shifted(loss: WholeLoss, theta: Array, classes: list[Alike]) -> Iterator[Array]:
    """Biases of neurons with one slope on all samples, made up for by the biases above."""
    net = loss.net
    for alike in classes:
        if alike.slope is None or not (net.biases[alike.layer - 1] and net.biases[alike.layer]):
            continue
        for i in alike.neurons:
            result = unit(len(theta), int(net.block(layer=alike.layer, part="bias", neurons=[i])[0]))
            outgoing = theta[net.block(layer=alike.layer, part="outgoing", neurons=[i])]
            above = net.block(layer=alike.layer + 1, part="bias")
            result[above] = -loss.multipliers[alike.layer] * alike.slope * outgoing
            yield result


def off(loss: SampleLoss, classes: list[Alike]) -> Iterator[Array]:
    """Every parameter of neurons that are 0 on all samples."""
    for alike in classes:
        if alike.slope is not None and alike.slope.is_zero():
            for part in ("incoming", "outgoing"):
                places = loss.net.block(layer=alike.layer, part=part, neurons=alike.neurons)
                yield from (unit(loss.num_parameters, int(place)) for place in places)


def unit(count: int, place: int) -> Array:
    result = zeros(count)
    result[place] = flint().arb(1)
    return result


def shifts(loss: SampleLoss) -> Iterator[Array]:
    """Directions that add the same to all outputs."""
    for directions in loss_directions(loss.obj):
        for places in directions.places:
            result = zeros(loss.num_parameters)
            result[places] = flint().arb(1)
            yield result


def turns(net: MLP, theta: Array) -> Iterator[Array]:
    """Square neurons turned into each other so that their sum stays the same quadratic form."""
    for layer, names in enumerate(net.activations[:-1], start=1):
        if net.widths[layer + 1] > 1:
            continue
        square = [neuron for neuron, name in enumerate(names) if rule_of(name).power == 2]
        incoming = {i: net.block(layer=layer, part="incoming", neurons=[i]) for i in square}
        outgoing = {i: int(net.block(layer=layer, part="outgoing", neurons=[i])[0]) for i in square}
        for i, j in combinations(square, 2):
            result = zeros(len(theta))
            result[incoming[i]] = theta[outgoing[j]] * theta[incoming[j]]
            result[incoming[j]] = -theta[outgoing[i]] * theta[incoming[i]]
            yield result


def unseen_inputs(loss: SampleLoss, slopes: list[Array]) -> Iterator[Array]:
    """Changes of the first layer's rows that no sample sees on which the neuron has a slope."""
    weights, biases = loss.net.unflatten(np.arange(loss.num_parameters))[0]
    rows = loss.x if biases is None else np.column_stack([loss.x, np.ones(len(loss.x))])
    places = weights if biases is None else np.column_stack([weights, biases])
    outputs = loss.net.num_layers == 1
    known: dict[bytes, list[Array]] = {}
    for neuron, row in enumerate(places):
        seen = np.ones(len(rows), bool) if outputs else np.array([not s.is_zero() for s in slopes[0][:, neuron]])
        if seen.tobytes() not in known:
            known[seen.tobytes()] = null_space(rows[seen])
        for vector in known[seen.tobytes()]:
            result = zeros(loss.num_parameters)
            result[row] = vector
            result[row[: weights.shape[1]]] /= loss.multipliers[0]
            yield result


def null_space(rows: Array) -> list[Array]:
    """Vectors of balls around exact rationals, with rows · vector = 0; from the Gram matrix, in exact arithmetic."""
    fl, count = flint(), rows.shape[1]
    numbers = [[fl.fmpq(*rational(value)) for value in row] for row in rows]
    table = fl.fmpq_mat(len(rows), count, [entry for row in numbers for entry in row])
    reduced, rank = (table.transpose() * table).rref()
    pivots = [next(j for j in range(count) if reduced[i, j] != 0) for i in range(rank)]
    found = []
    for free in sorted(set(range(count)) - set(pivots)):
        vector = zeros(count)
        vector[free] = fl.arb(1)
        for i, pivot in enumerate(pivots):
            vector[pivot] = -fl.arb(reduced[i, free])
        found.append(vector)
    return found


def rational(value: Any) -> tuple[int, int]:
    numerator, denominator = value.as_integer_ratio()
    return int(numerator), int(denominator)
