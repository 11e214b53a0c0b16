"""A factor of a symmetry group is one kind of move of the neurons of one activation in one layer.

Which there are follows from the rules of the activation (σ is homogeneous, odd, even, …):

    permutation         neurons of one activation change places          order m!
    sign flip           incoming × −1; outgoing × −1 if σ is odd         order 2^m
    rescaling           incoming × c, outgoing × c^−k, c > 0             dimension m
    linear              incoming × M, outgoing × M⁻¹, M in GL(m)         dimension m²
    translation         bias + τ, and outgoing × e^−τ if σ = exp,
                        next bias − outgoing × τ if σ is linear          dimension m
    even-linear flip    incoming × −1, where others carry what is linear
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from .rules import HiddenLayer, Rule, rule_of


@dataclass(frozen=True, repr=False)
class Factor:
    """A factor is one kind of move of the neurons of one activation in one layer.

    Attributes
    ----------
    layer : int
        Hidden layer, counted from 1.
    kind : str
        "permutation", "sign flip", "rescaling", "linear", "translation" or "even-linear flip".
    activation : str
    neurons : tuple of int
    action : str
        What the move does, in words.
    order : int
        Number of moves of a finite factor, exact; 1 for a continuous one.
    dimension : int
        Number of parameters of a continuous factor; 0 for a finite one.

    Examples
    --------
    >>> import hessorbit as ho
    >>> for factor in ho.symmetries(ho.MLP([2, 3, 1], "relu")).factors:
    ...     print(factor.kind, factor.neurons, factor.order, factor.dimension, factor.conditional)
    permutation (0, 1, 2) 6 0 False
    rescaling (0, 1, 2) 1 3 False
    even-linear flip (0, 1, 2) 8 0 True
    """

    layer: int
    kind: str
    activation: str
    neurons: tuple[int, ...]
    action: str
    order: int = 1
    dimension: int = 0

    def __repr__(self) -> str:
        size = f"dimension {self.dimension}" if self.dimension else f"order {order_text(self.order)}"
        return f"Factor({self.kind}, layer {self.layer}, {len(self.neurons)} {self.activation}, {size})"

    @property
    def conditional(self) -> bool:
        """Whether the move is possible only at some θ."""
        return self.kind == "even-linear flip"


def order_text(order: int) -> str:
    """Writes an order exactly, or what it is about where that would take more than 60 digits."""
    exponent, first = divmod(math.log10(order), 1.0)
    return str(order) if exponent < 60 else f"{10**first:.1f}e+{exponent:.0f}"


def factors_of(hidden: HiddenLayer) -> Iterator[Factor]:
    """Yields the factors of one hidden layer."""
    for name, neurons in hidden.classes.items():
        rule, count = rule_of(name), len(neurons)
        factor = partial(Factor, layer=hidden.layer, activation=name, neurons=neurons)
        if rule.linear:
            yield factor(kind="linear", action="incoming × M, outgoing × M⁻¹", dimension=count**2)
        else:
            if count > 1:
                yield factor(kind="permutation", action="neurons change places", order=math.factorial(count))
            if hidden.can_flip(neurons[0]):
                yield factor(kind="sign flip", action=flip_action(rule), order=2**count)
            if rule.degree:
                yield factor(kind="rescaling", action=rescaling_action(rule), dimension=count)
        if hidden.can_shift(neurons[0]):
            yield factor(kind="translation", action=translation_action(rule), dimension=count)
        if rule.even_linear:
            yield factor(kind="even-linear flip", action="incoming × −1, if others carry the rest", order=2**count)


def flip_action(rule: Rule) -> str:
    if rule.parity > 0:
        return "incoming × −1"
    return "incoming × −1, outgoing × −1" + (", next bias + outgoing" if rule.constant else "")


def rescaling_action(rule: Rule) -> str:
    return "incoming × c, outgoing × 1/c" + (f"^{rule.degree}" if rule.degree > 1 else "")


def translation_action(rule: Rule) -> str:
    return "bias + τ, " + ("next bias − outgoing × τ" if rule.linear else "outgoing × e^−τ")
