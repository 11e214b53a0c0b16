"""What each activation allows: the moves M z + τ of preactivations that it turns into moves of activations.

    σ(M z + τ) = N σ(z) + c

Everything here follows from the core's table of activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from .. import _core, activations
from .._checks import Array
from ..network import MLP


@dataclass(frozen=True)
class Rule:
    """How one activation answers to a factor f and a shift τ of its argument.

    Attributes
    ----------
    linear : bool
        σ(z) = z up to a factor: neurons may be mixed by any invertible matrix.
    degree : int
        k with σ(c z) = c^k σ(z) for c > 0; 0 if there is none.
    parity : int
        +1 if σ is even, −1 if it is odd up to `constant`, 0 otherwise.
    constant : float
        σ(z) + σ(−z) for an odd σ; not 0 for sigmoid and normal_cdf.
    even_linear : float
        κ with σ(z) − σ(−z) = κ z, where σ is neither even nor odd; 0 if there is none.
    exponential : bool
        σ(z + τ) = e^τ σ(z).
    phase : float or None
        φ with σ(z) = sin(z + φ), if there is one.
    power : int
        k > 1 with σ(z) = z^k; 0 if there is none.
    zero_below : bool
        σ(z) = 0 for every z ≤ 0.
    bound, slope_bound : float or None
        |σ| and |σ'| are at most these everywhere; None if unbounded.
    """

    activation: str
    linear: bool
    degree: int
    parity: int
    constant: float
    even_linear: float
    exponential: bool
    phase: float | None
    power: int
    zero_below: bool
    bound: float | None
    slope_bound: float | None

    def outgoing(self, factor: Any, shift: Any) -> Any:
        """N for M = factor and τ = shift, which the activation must allow."""
        sign = np.where(factor < 0, -1, 1) if self.parity < 0 else 1
        return sign * np.abs(factor) ** self.degree * (np.exp(shift) if self.exponential else 1)

    def offset(self, factor: Any, shift: Any) -> Any:
        """c for M = factor and τ = shift."""
        return shift if self.linear else np.where(factor < 0, self.constant, 0)

    def steepest(self, size: Array) -> Array:
        """The largest |σ'(z)| for |z| ≤ size, or more."""
        if self.slope_bound is not None:
            return np.full_like(size, self.slope_bound)
        return activations.derivatives(self.activation, size)[1]

    def largest(self, size: Array) -> Array:
        """The largest |σ(z)| for |z| ≤ size, or more."""
        if self.slope_bound is None:
            return activations.derivatives(self.activation, size)[0]
        grown = abs(activations.derivatives(self.activation, 0.0)[0]) + self.slope_bound * size
        return np.asarray(grown if self.bound is None else np.minimum(grown, self.bound))


@cache
def rule_of(activation: str) -> Rule:
    """The rule of an activation by name, as 'leaky_relu(0.2)'."""
    kind, parameter = activations.split(activation)
    known = _core.activation_properties(kind, parameter)
    constant, slope = known["constant_odd"], known["even_linear"]
    even = known["even"] or slope == 0  # leaky_relu(-1) is |z|
    return Rule(
        activation=activation,
        linear=known["linear"],
        degree=known["homogeneous_degree"],
        parity=1 if even else -1 if known["odd"] or constant is not None else 0,
        constant=constant or 0.0,
        even_linear=slope or 0.0,
        exponential=known["exponential"],
        phase=known["phase"],
        power=known["power"],
        zero_below=known["zero_below"],
        bound=known["bound"],
        slope_bound=known["slope_bound"],
    )


@dataclass(frozen=True)
class HiddenLayer:
    """A hidden layer of a network, counted from 1, and what its neighbourhood allows.

    Neurons are in classes of equal activation; moves never leave a class.
    """

    net: MLP
    layer: int

    @property
    def names(self) -> tuple[str, ...]:
        """Activation of each neuron."""
        return self.net.activations[self.layer - 1]

    @property
    def width(self) -> int:
        return self.net.widths[self.layer]

    @property
    def has_bias(self) -> bool:
        return self.net.biases[self.layer - 1]

    @property
    def bias_above(self) -> bool:
        return self.net.biases[self.layer]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Rule of each neuron."""
        return tuple(map(rule_of, self.names))

    @cached_property
    def classes(self) -> dict[str, tuple[int, ...]]:
        """Neurons of each activation, in the order in which activations first appear."""
        return {name: tuple(i for i, n in enumerate(self.names) if n == name) for name in dict.fromkeys(self.names)}

    @cached_property
    def linear(self) -> Array:
        """Neurons that a matrix may mix, (m,)."""
        return np.flatnonzero([rule.linear for rule in self.rules])

    def can_flip(self, neuron: int) -> bool:
        """Whether z → −z is a move of this neuron by itself."""
        rule = self.rules[neuron]
        return rule.parity != 0 and (rule.constant == 0 or self.bias_above)

    def can_shift(self, neuron: int) -> bool:
        """Whether z → z + τ is a move of this neuron."""
        rule = self.rules[neuron]
        return self.has_bias and (rule.exponential or (rule.linear and self.bias_above))


@cache
def hidden_layers(net: MLP) -> tuple[HiddenLayer, ...]:
    return tuple(HiddenLayer(net, layer) for layer in range(1, net.num_layers))
