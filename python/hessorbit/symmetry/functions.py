"""What the neurons of each layer compute, and what they do to the outputs, up to what related neurons share.

From the inputs up, activations are rows of coefficients C on features, functions of x no two of which are related:

    z = s W C F + b,     a_k = N_k σ(u · F) + o_k     for z_k = c_k u · F

with one feature σ(u · F) for all neurons whose rows agree up to a factor, or, where σ is exponential, up to a constant.
Of these neurons the largest gain N_k is ±1.
Feature 0 is the constant 1; linear neurons keep the features of the layer below. So the rows of two networks of one
orbit are the same up to an invertible matrix, and neurons of upper layers count as related if they compute related
functions, whatever weights they use for that.

From the outputs down, two matrices say what activations are good for, Q and B: the outputs depend on a only through
Q a, and to first order, δf = Σ_ρ ψ_ρ(x) (B δa)_ρ, where the ψ are products of slopes σ'(u · F) of the layers above.
Only their row spaces matter. Columns are scaled by the sizes of the gains N_k, so that rescaled neurons are alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import activations
from .._checks import Array
from .._norms import norm
from .._waiting import interruptible, side
from ..network import MLP
from .classes import classes_of
from .related_neurons import LayerParameters, RelatedNeurons, layer_parameters
from .rules import Rule, rule_of


@dataclass(frozen=True)
class LayerFunctions:
    """The functions of one hidden layer of width d.

    Attributes
    ----------
    parameters : LayerParameters
    related : tuple of RelatedNeurons
        Classes of neurons that are neither linear nor constant, single ones included.
    linear, constant : ndarray of int
        Neurons that are linear, be it on the data only, and the other neurons whose activation is constant.
    slopes : ndarray, shape (d,)
        σ' of these; nan for the others.
    kinks : ndarray of int
        Those of the constant neurons that sit at a kink, where σ' does not exist and `slopes` holds a convention.
    preactivations : ndarray, shape (d,)
        The constants of z; all of it for constant neurons.
    below, coefficients : ndarray, shape (d_below, F_below), (d, F)
        Activations on features.
    sizes : ndarray, shape (d,)
        |N_k|; 1 for linear and constant neurons.
    relevant, effects : ndarray, shape (·, d)
        Orthonormal bases of the row spaces of Q and B, columns scaled by `sizes`.
    """

    parameters: LayerParameters
    related: tuple[RelatedNeurons, ...]
    linear: Array
    constant: Array
    slopes: Array
    kinks: Array
    preactivations: Array
    below: Array
    coefficients: Array
    sizes: Array
    relevant: Array
    effects: Array


def layer_functions(
    net: MLP, theta: Array, tolerance: float, *, pieces: Sequence[Array] | None = None, centred: bool = False
) -> list[LayerFunctions]:
    """The functions of all hidden layers.

    `pieces` holds for each hidden layer the slope with which a neuron is linear on the data, nan where it is not (d,).
    If the outputs are `centred`, only their differences matter.
    """
    below = np.eye(net.widths[0], 1 + net.widths[0], 1)
    layers = []
    with np.errstate(over="ignore", invalid="ignore"):
        for index, parameters in enumerate(layer_parameters(net, theta)):
            slopes = linear_slopes(parameters) if pieces is None else pieces[index]
            layers.append(upward(parameters, below, slopes, tolerance))
            below = layers[-1].coefficients
        return downward(net, layers, tolerance, centred)


def linear_slopes(parameters: LayerParameters) -> Array:
    return np.where([rule.linear for rule in parameters.layer.rules], 1.0, np.nan)


def upward(parameters: LayerParameters, below: Array, linear_slope: Array, tolerance: float) -> LayerFunctions:
    """The functions of a layer, without what the layers above make of them."""
    layer = parameters.layer
    weights = layer.net.multipliers[layer.layer - 1] * parameters.weights
    rows, sizes = weights @ below, np.abs(weights) @ np.abs(below)
    if layer.has_bias:
        rows[:, 0] += parameters.incoming[:, -1]
        sizes[:, 0] += np.abs(parameters.incoming[:, -1])
    rows[np.abs(rows) <= tolerance * sizes] = 0
    linear = np.flatnonzero(~np.isnan(linear_slope))
    varies = norm(rows[:, 1:], 1) > tolerance * norm(sizes, 1)
    constant = np.flatnonzero(~varies & np.isnan(linear_slope))
    slopes = linear_slope.copy()
    carried = rows.shape[1] if len(linear) else 1
    parts = np.zeros((layer.width, carried))
    parts[linear] = slopes[linear, None] * rows[linear, :carried]
    for neuron in constant:
        value, slope, _ = activations.derivatives(layer.names[neuron], rows[neuron, 0])
        if not np.isfinite(value):
            raise ValueError(
                f"theta must give finite outputs; neuron {neuron} of layer {layer.layer} computes "
                f"{layer.names[neuron]}({rows[neuron, 0]:.3g}), beyond the range of float64"
            )
        parts[neuron, 0], slopes[neuron] = value, slope
    related: list[RelatedNeurons] = []
    for name, members in layer.classes.items():
        neurons = np.array(members)
        neurons = neurons[varies[neurons] & np.isnan(linear_slope[neurons])]
        if len(neurons):
            related += classes_among(parameters, neurons, rows[neurons], rule_of(name), tolerance)
    related.sort(key=lambda group: int(group.neurons[0]))
    columns = np.zeros((layer.width, len(related)))
    gains = np.ones(layer.width)
    for column, group in enumerate(related):
        parts[group.neurons, 0] = group.offsets
        columns[group.neurons, column] = group.gains
        gains[group.neurons] = np.abs(group.gains)
    nothing = np.zeros((0, layer.width))
    return LayerFunctions(
        parameters=parameters,
        related=tuple(related),
        linear=linear,
        constant=constant,
        slopes=slopes,
        kinks=np.array([n for n in constant if rows[n, 0] == 0 and activations.kinked(layer.names[n])], int),
        preactivations=rows[:, 0],
        below=below,
        coefficients=np.hstack([parts, columns]),
        sizes=gains,
        relevant=nothing,
        effects=nothing,
    )


def classes_among(
    parameters: LayerParameters, neurons: Array, rows: Array, rule: Rule, tolerance: float
) -> list[RelatedNeurons]:
    """Classes of neurons of one activation by their rows; factors are those on rows of norm one if σ is homogeneous."""
    shifts = rows[:, 0] if rule.exponential else np.zeros(len(neurons))
    vectors = rows.copy()
    if rule.exponential:
        vectors[:, 0] = 0
    lengths = norm(vectors, 1)
    scales = lengths if rule.degree else np.ones(len(neurons))
    units = vectors / scales[:, None]
    first = classes_of(units, tolerance * lengths / scales, rule.parity != 0)
    opposite = norm(units + units[first], 1) < norm(units - units[first], 1)
    factors = np.where((rule.parity != 0) & opposite, -scales, scales)
    sizes = rule.degree * np.log(scales) + shifts  # logarithms of the gains
    offsets = np.where(factors < 0, rule.constant, 0.0)
    signs = rule.outgoing(np.sign(factors), 0.0) * np.ones(len(neurons))
    classes = []
    for leader in np.unique(first):
        at = np.flatnonzero(first == leader)
        gains = signs[at] * np.exp(sizes[at] - sizes[at].max())  # e^800 is fine where e^−800 multiplies it
        classes.append(RelatedNeurons(parameters.layer, neurons[at], factors[at], shifts[at], gains, offsets[at]))
    return classes


def downward(net: MLP, layers: list[LayerFunctions], tolerance: float, centred: bool) -> list[LayerFunctions]:
    """The layers with what the layers above make of them."""
    result: list[LayerFunctions] = []
    for layer in reversed(layers):
        outgoing = layer.parameters.multiplier_above * layer.parameters.outgoing * layer.sizes
        if result:
            relevant, effects = above(result[-1], outgoing, tolerance)
        else:
            relevant = effects = outgoing - outgoing.mean(axis=0) if centred else outgoing
            if centred:  # what is left of equal rows is rounding
                size = np.abs(outgoing).max(axis=0, initial=0)
                relevant = effects = np.where(np.abs(effects) <= tolerance * size, 0, effects)
        result.append(replace(layer, relevant=row_space(relevant, tolerance), effects=row_space(effects, tolerance)))
    return result[::-1]


def above(upper: LayerFunctions, outgoing: Array, tolerance: float) -> tuple[Array, Array]:
    """Rows that span those of Q and B of a layer, from the layer above and the weights between, (d_above, d)."""
    straight = np.concatenate([upper.linear, np.setdiff1d(upper.constant, upper.kinks)]).astype(int)
    bent = np.setdiff1d(np.arange(len(outgoing)), upper.linear)
    relevant = [outgoing[bent[norm(upper.relevant[:, bent], 0) > 0]]]
    linear = upper.relevant[:, upper.linear] * upper.slopes[upper.linear]
    relevant.append(product(linear, outgoing[upper.linear], tolerance))
    effects = [product(upper.effects[:, straight] * upper.slopes[straight], outgoing[straight], tolerance)]
    effects.append(outgoing[upper.kinks[norm(upper.effects[:, upper.kinks], 0) > 0]])
    for group in upper.related:
        weights = np.sign(group.gains) / group.factors
        effects.append(product(upper.effects[:, group.neurons] * weights, outgoing[group.neurons], tolerance))
    return np.vstack(relevant), np.vstack(effects)


def product(a: Array, b: Array, tolerance: float) -> Array:
    """The matrix a b, with zeros where its terms cancel."""
    result = a @ b
    return np.asarray(np.where(np.abs(result) <= tolerance * (np.abs(a) @ np.abs(b)), 0, result))


def row_space(rows: Array, tolerance: float) -> Array:
    """An orthonormal basis of the span of rows, each counted by its direction alone; columns of rounding are zero."""
    sizes = norm(rows, 1)
    rows = rows[(sizes > 1e-14 * sizes.max(initial=0)) & np.isfinite(sizes)]
    if not len(rows):
        return rows
    scaled = rows / norm(rows, 1)[:, None]
    _, values, right = interruptible(side(rows), np.linalg.svd, scaled, full_matrices=False)
    basis: Array = right[values > tolerance * values[0]]
    basis[:, norm(basis, 0) <= tolerance] = 0
    return np.asarray(basis)


def null_space(columns: Array, tolerance: float) -> Array:
    """Orthonormal n with columns · n = 0, (m, k), for columns of about one size or zero."""
    if not columns.shape[0]:
        return np.eye(columns.shape[1])
    _, values, right = interruptible(max(columns.shape), np.linalg.svd, columns)
    return np.asarray(right[int((values > tolerance * values.max(initial=0)).sum()) :].T)
