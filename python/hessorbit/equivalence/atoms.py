"""Activations as sums of atoms, functions with one symmetry each that no others are made of.

    σ(z) = constant + slope · z + Σ_t a_t φ_t(c_t z)

The atoms φ are even, odd, or neither. The even part σ(z) − κz/2 of an even-linear σ is one, and so is the odd part of
one that is odd up to a constant. Activations may share one: sigmoid(z) = ½ + ½ tanh(z/2), and relu and leaky_relu are
made of |z|.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from .. import _core, activations


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
    bound, slope_bound : float or None
        |φ| and |φ'| are at most these; None if unbounded.
    """

    name: str
    parity: int = field(compare=False)
    degree: int = field(compare=False, default=0)
    bound: float | None = field(compare=False, default=None)
    slope_bound: float | None = field(compare=False, default=None)


@dataclass(frozen=True)
class Expansion:
    """An activation in atoms; `terms` holds (a, c, φ)."""

    constant: float
    slope: float
    terms: tuple[tuple[float, float, Atom], ...]


@cache
def expansion_of(activation: str) -> Expansion:
    """The expansion of an activation by name, from the core's table."""
    known = _core.activation_properties(*activations.split(activation))["expansion"]
    terms = tuple((amplitude, scale, Atom(*atom)) for amplitude, scale, *atom in known["terms"])
    return Expansion(known["constant"], known["slope"], terms)
