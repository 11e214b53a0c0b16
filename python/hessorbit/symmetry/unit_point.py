"""Every orbit has a point whose neurons are of unit size, unique up to rotations and signs.

Ranks and zeros are decided there, so that they are the same for every point of the orbit, whatever the units of its
parameters. Layer by layer, from the inputs up,

    homogeneous neurons     ‖incoming‖ = 1
    linear neurons          incoming rows orthonormal or zero; biases zero if the layer above has biases
    exponential neurons     biases zero

and then, from the outputs down, where incoming parameters say nothing,

    homogeneous neurons     ‖outgoing‖ that of the largest of the layer, if all incoming parameters are zero
    linear neurons          outgoing weights of those orthogonal, of that size or zero, and orthogonal to the others'
    exponential neurons     largest outgoing weight ±1

Weights of neurons without incoming parameters do not count in the rows of the layer above. A neuron stays as it is
where its weights would leave the range of float64.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._checks import FLOAT64, LONGDOUBLE, Array
from .._norms import norm
from ..network import MLP
from .element import GroupElement
from .moves import LayerMove, Mixing, identity_move, refined, with_mixing
from .rules import HiddenLayer, hidden_layers, rule_of

RANGE = 1e-290, 1e290  # of the weights that moves make
FLOATS = np.finfo(FLOAT64)
ROUNDING = 16 * float(np.finfo(float).eps)  # of the terms that a weight is made of
RANK = 1e-10  # of rows of size one; where rounding makes it wrong, the point is less even


def unit_point(net: MLP, theta: Array) -> tuple[GroupElement, Array, float]:
    """Returns the element that moves θ (P,) to the unit point of its orbit, and that point, rounding set to zero.

    Also returns a bound on what rounding of θ makes of the point, relative to the sizes of its parameters.
    """
    layers = hidden_layers(net)
    places = net.unflatten(np.arange(net.num_parameters))
    moves = [identity_move(hidden) for hidden in layers]
    here, below, silences = theta.astype(LONGDOUBLE), np.zeros(net.widths[0], bool), []
    errors = ROUNDING * np.abs(theta).astype(FLOAT64)
    for index, hidden in enumerate(layers):
        move, silent, shifted = from_below(hidden, *around(hidden, here), below)
        here, errors = moved(move, here, errors)
        weights, biases = places[index]
        here[weights[np.ix_(silent, ~below)]] = 0
        if biases is not None:
            here[biases[silent | shifted]] = 0
        moves[index] = move
        silences.append(below := silent)
    for index in reversed(range(len(layers))):
        move, mute = from_above(layers[index], *around(layers[index], here), silences[index])
        here, errors = moved(move, here, errors)
        here[places[index + 1][0][:, mute]] = 0
        moves[index] = move @ moves[index]
    return GroupElement(net, tuple(moves)), here, float((errors / units(net, here)).max())


def moved(move: LayerMove, here: Array, errors: Array) -> tuple[Array, Array]:
    """Returns a point after one move, entries of rounding zero, and bounds on the errors of its entries."""
    there = alone(move)(here)
    # Matrices come from singular vectors, whose entries are known to the rounding of the largest one.
    sizes = move
    if move.mixing is not None:
        matrix, inverse = np.abs(move.mixing.matrix), np.abs(move.mixing.inverse)
        rows, columns = matrix.max(axis=1, keepdims=True), inverse.max(axis=0, keepdims=True)
        sizes = replace(move, mixing=Mixing(rows + 0 * matrix, columns + 0 * inverse))
    element = alone(sizes)
    errors = abs(element.matrix()) @ (errors + ROUNDING * np.abs(here).astype(FLOAT64))
    errors += ROUNDING * np.abs(element.offset())
    there[np.abs(there) <= errors] = 0
    return there, errors


def alone(move: LayerMove) -> GroupElement:
    net = move.hidden.net
    return GroupElement(net, tuple(move if h == move.hidden else identity_move(h) for h in hidden_layers(net)))


def units(net: MLP, point: Array) -> Array:
    """Returns the sizes of the parameters (P,) at a unit point.

    A layer's largest weight is the unit of its weights and biases, so that incoming and outgoing parameters of the
    neurons below are alike; it is 1 in the first layer, and for exponential neurons, whose biases have their own.
    """
    result = np.ones(len(point), point.dtype)  # a product of weights may be beyond float64
    layers = zip(net.unflatten(result)[1:], net.unflatten(point)[1:], net.activations[1:], strict=True)
    for (weight_units, bias_units), (weights, _), names in layers:
        mine = [not rule_of(name).exponential for name in names]
        largest = np.abs(weights).max()
        weight_units[mine] = largest if largest else 1
        if bias_units is not None:
            bias_units[mine] = largest if largest else 1
    return result


def around(hidden: HiddenLayer, theta: Array) -> tuple[Array, Array]:
    """Returns incoming parameters (d, fan_in [+ 1]) and outgoing weights (d_next, d)."""
    layers = hidden.net.unflatten(theta)
    (weights, biases), (outgoing, _) = layers[hidden.layer - 1], layers[hidden.layer]
    return weights if biases is None else np.column_stack([weights, biases]), outgoing


def from_below(hidden: HiddenLayer, incoming: Array, outgoing: Array, silent: Array) -> tuple[LayerMove, Array, Array]:
    """Returns the move to incoming parameters of size one, which neurons have none then, and which no bias (d,)."""
    rows = incoming.copy()
    rows[:, : len(silent)][:, silent] = 0
    shifts, shifted = np.zeros(hidden.width, LONGDOUBLE), np.zeros(hidden.width, bool)
    for neuron, rule in enumerate(hidden.rules):
        with np.errstate(over="ignore"):  # which does not fit
            growth = np.exp(incoming[neuron, -1:] if rule.exponential else np.zeros(1, LONGDOUBLE))
        if hidden.can_shift(neuron) and growth.all() and fits(growth, outgoing[:, neuron] * growth):
            shifts[neuron] = -incoming[neuron, -1]
            rows[neuron, -1], shifted[neuron] = 0, True
    sizes = norm(rows, 1)
    factors = np.where(sizes > 0, 1 / np.where(sizes > 0, sizes, 1), 1)
    for neuron, rule in enumerate(hidden.rules):
        growth = factors[[neuron]] ** -rule.degree
        if not (rule.degree and fits(growth, factors[neuron] * incoming[neuron], outgoing[:, neuron] * growth)):
            factors[neuron] = 1
    move = LayerMove(hidden, np.arange(hidden.width), factors, factors * shifts)
    zero, linear = sizes == 0, hidden.linear
    if len(linear):
        mixing, rank = orthonormal_rows((factors[:, None] * rows)[linear])
        zero[linear] = np.arange(len(linear)) >= rank
        move = mixed(hidden, mixing) @ move
    return move, zero, shifted


def from_above(hidden: HiddenLayer, incoming: Array, outgoing: Array, silent: Array) -> tuple[LayerMove, Array]:
    """Returns the move to outgoing weights of size one where incoming ones do not tell, and whose are zero (d,)."""
    factors, shifts = np.ones(hidden.width, LONGDOUBLE), np.zeros(hidden.width, LONGDOUBLE)
    sizes, largest = norm(outgoing, 0), np.abs(outgoing).max(axis=0)
    unit = sizes[~silent].max(initial=0) or LONGDOUBLE.type(1)
    for neuron, rule in enumerate(hidden.rules):
        if rule.exponential and hidden.can_shift(neuron) and FLOATS.tiny < largest[neuron] < FLOATS.max:
            shifts[neuron] = np.log(largest[neuron])
        elif rule.degree and silent[neuron] and sizes[neuron]:
            growth = sizes[[neuron]] / unit
            factor = growth[0] ** (LONGDOUBLE.type(1) / rule.degree)
            factors[neuron] = factor if fits(growth, factor * incoming[neuron]) else 1
    move, mute = LayerMove(hidden, np.arange(hidden.width), factors, shifts), sizes == 0
    linear = hidden.linear
    if silent[linear].any():
        mixing, mute[linear] = orthonormal_columns((outgoing / factors / unit)[:, linear], silent[linear])
        move = mixed(hidden, mixing) @ move
    return move, mute


def fits(*weights: Array) -> bool:
    """Whether float64 holds them all, and none is lost."""
    return all(bool(((w == 0) | ((np.abs(w) > RANGE[0]) & (np.abs(w) < RANGE[1]))).all()) for w in weights)


def mixed(hidden: HiddenLayer, mixing: Mixing) -> LayerMove:
    return with_mixing(identity_move(hidden), mixing)


def orthonormal_rows(rows: Array) -> tuple[Mixing, int]:
    """Returns M, and the rank r, such that the first r rows of M times rows (m, p) are orthonormal, the others zero."""
    unit = np.abs(rows).max(initial=0) or LONGDOUBLE.type(1)  # rows of deep layers may be beyond float64
    left, values, _ = np.linalg.svd((rows / unit).astype(FLOAT64))
    rank = int((values > RANK * values.max(initial=0)).sum())
    stretch = np.ones(len(rows), LONGDOUBLE)
    stretch[:rank] = values[:rank] * unit
    return refined(left.T / stretch[:, None], left * stretch), rank


def orthonormal_columns(columns: Array, silent: Array) -> tuple[Mixing, Array]:
    """Returns M such that columns (K, m) times M⁻¹ are the same where not silent, and else orthonormal or zero.

    And orthogonal to the columns that are not silent. Also returns which are zero.
    """
    count = columns.shape[1]
    heard, rest = np.flatnonzero(~silent), np.flatnonzero(silent)
    sizes = norm(columns, 0)
    sizes = np.where(sizes > 0, sizes, 1).astype(FLOAT64)
    scaled = (columns / sizes).astype(FLOAT64)
    carried = np.linalg.lstsq(scaled[:, heard], scaled[:, rest], rcond=RANK)[0]
    _, values, right = np.linalg.svd(scaled[:, rest] - scaled[:, heard] @ carried)
    stretch = np.ones(len(rest))
    kept = int((values > RANK).sum())
    stretch[:kept] = values[:kept]
    # With M = (1 S; 0 B) on (heard, rest): M⁻¹ = (1 −S B⁻¹; 0 B⁻¹).
    matrix, inverse = np.eye(count), np.eye(count)
    matrix[np.ix_(heard, rest)], inverse[np.ix_(heard, rest)] = carried, -carried @ (right.T / stretch)
    matrix[np.ix_(rest, rest)], inverse[np.ix_(rest, rest)] = stretch[:, None] * right, right.T / stretch
    mixing, before = refined(matrix, inverse), sizes.astype(LONGDOUBLE)
    after = np.where(silent, 1, before)
    zero: Array = np.logical_not(columns.any(axis=0))
    zero[rest] = np.arange(len(rest)) >= kept
    return Mixing(mixing.matrix * before / after[:, None], mixing.inverse * after / before[:, None]), zero
