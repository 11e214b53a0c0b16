"""Gradient flow conserves a quantity for every generator with a symmetric matrix, by Noether's theorem.

If θ moves along Xθ + e without changing L, then gᵀ(Xθ + e) = 0; with X symmetric, dθ/dt = −g conserves ½θᵀXθ + eᵀθ.
Twice that, for neuron i (and j) of hidden layer l with incoming row w̃_i = (W_l b_l)[i] and outgoing column v_i:

    rescaling, degree k     ‖w̃_i‖² − k ‖v_i‖²
    linear                  w̃_i·w̃_j − v_i·v_j
    translation             2 b_i − ‖v_i‖²              if σ is exponential; X is not symmetric if it is linear
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .._checks import Array
from .._norms import norm
from ..network import MLP
from .factors import Factor
from .rules import rule_of


def conserved(net: MLP, factors: Sequence[Factor], theta: Array) -> dict[str, Array]:
    """Returns the conserved quantities of each continuous factor, at theta (..., P)."""
    layers = net.unflatten(theta)
    result = {}
    for factor in factors:
        rule = rule_of(factor.activation)
        if not factor.dimension or (factor.kind == "translation" and rule.linear):
            continue
        (weights, biases), (above, _) = layers[factor.layer - 1], layers[factor.layer]
        neurons = list(factor.neurons)
        incoming = weights if biases is None else np.concatenate([weights, biases[..., None]], axis=-1)
        incoming, outgoing = incoming[..., neurons, :], np.swapaxes(above[..., neurons], -1, -2)
        with np.errstate(over="ignore", invalid="ignore"):  # squares may leave the range
            if factor.kind == "linear":
                value = gram(incoming) - gram(outgoing)
            elif factor.kind == "rescaling":
                value = difference_of_squares(incoming, np.sqrt(rule.degree) * outgoing)
            else:
                value = 2 * incoming[..., -1] - squares(outgoing)
        result[f"layer {factor.layer} {factor.kind} ({factor.activation})"] = value
    return result


def gram(rows: Array) -> Array:
    """Returns the inner products of all pairs of rows: (..., m, n) to (..., m, m)."""
    products: Array = rows @ np.swapaxes(rows, -1, -2)
    return products


def difference_of_squares(left: Array, right: Array) -> Array:
    """Returns the squared norm of each row of one less that of the other, also where both overflow."""
    value = squares(left) - squares(right)
    a, b = norm(left, axis=-1), norm(right, axis=-1)
    return np.where(np.isnan(value), (a - b) * (a + b), value)


def squares(rows: Array) -> Array:
    """Returns the squared norm of each row: (..., m, n) to (..., m)."""
    sums: Array = np.sum(rows**2, axis=-1)
    return sums
