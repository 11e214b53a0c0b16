"""Activations as sums of atoms, functions with one symmetry each that no others are made of.

    σ(z) = constant + slope · z + Σ_t a_t φ_t(c_t z)

The atoms φ are even, odd, or neither. The even part σ(z) − κz/2 of an even-linear σ is one, and so is the odd part of
one that is odd up to a constant. Activations may share one: sigmoid(z) = ½ + ½ tanh(z/2), and relu and leaky_relu are
made of |z|.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .. import _core, activations
from .._checks import Array
from ..symmetry.rules import rule_of


@dataclass(frozen=True)
class Atom:
    """A function φ of one number.

    Attributes
    ----------
    name : str
    parity : int
        +1 if φ is even, −1 if it is odd, 0 otherwise.
    degree : int
        k with φ(c z) = c^k φ(z) for c > 0; 0 if there is none.
    """

    name: str
    parity: int
    degree: int = 0


@dataclass(frozen=True)
class Expansion:
    """An activation in atoms; `terms` holds (a, c, φ)."""

    constant: float
    slope: float
    terms: tuple[tuple[float, float, Atom], ...]


ABSOLUTE = Atom("absolute value", +1, 1)
TANH = Atom("tanh", -1)
ERF = Atom("erf", -1)
ELU = Atom("elu", 0)
SOFTPLUS = Atom("softplus", +1)


@cache
def expansion_of(activation: str) -> Expansion:
    """The expansion of an activation by name; sin, cos and exp, whose biases matter otherwise, count as atoms here."""
    kind, parameter = activations.split(activation)
    rule = rule_of(activation)
    if rule.linear:
        return Expansion(0.0, 1.0, ())
    match kind:
        case "relu" | "leaky_relu":
            return Expansion(0.0, (1 + parameter) / 2, (((1 - parameter) / 2, 1.0, ABSOLUTE),))
        case "sigmoid":
            return Expansion(0.5, 0.0, ((0.5, 0.5, TANH),))
        case "normal_cdf":
            return Expansion(0.5, 0.0, ((0.5, 1.0, ERF),))
        case "selu":  # left · elu(z) + (right − left) · relu(z)
            right, left = float(values(kind, [1.0])[0]), -float(values(kind, [-1e3])[0])
            return Expansion(0.0, (right - left) / 2, ((left, 1.0, ELU), ((right - left) / 2, 1.0, ABSOLUTE)))
        case "g":  # sigmoid(4z) + softplus(z)
            return Expansion(0.5, 0.5, ((0.5, 2.0, TANH), (1.0, 1.0, SOFTPLUS)))
    parity = rule.parity or int(rule.even_linear != 0)
    return Expansion(rule.constant / 2, rule.even_linear / 2, ((1.0, 1.0, Atom(kind, parity, rule.degree)),))


def values(activation: str, z: Array | list[float]) -> Array:
    """σ(z)."""
    return values_and_slopes(activation, z)[0]


def values_and_slopes(activation: str, z: Array | list[float]) -> tuple[Array, Array]:
    """σ(z) and σ'(z)."""
    kind, parameter = activations.split(activation)
    at = np.asarray(z, np.float64)
    value, slope, _ = _core.activation_derivatives(kind, parameter, at.ravel())
    return value.reshape(at.shape), slope.reshape(at.shape)
