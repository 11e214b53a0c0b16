"""A `Choice` says what is open about one neuron while best_conditioned searches: copies, flips, a part of the curve.

Its relaxation is a convex set of factors D that holds all that the choice allows; a settled choice gives the factors of
given numbers of copies and of flipped ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..network import MLP
from ..symmetry.rules import hidden_layers
from .balance import movable
from .diagonals import Architecture
from .regions import (
    LOG_SPAN,
    Copied,
    CopiedAndRescaled,
    CopiedBetween,
    CopiedEitherWay,
    NeuronScaling,
    Rescaled,
    Segment,
    Shifted,
)


@dataclass(frozen=True)
class Choice:
    """A choice says what is open about one neuron.

    `low` to `high` copies; of a settled number of copies, those in `signs` may be flipped; without copies, v of the
    curve in `range`.
    """

    degree: int
    low: int
    high: int
    range: tuple[float, float] | None = None  # only where the curve makes the set nonconvex
    shifted: bool = False
    flips: bool = False
    signs: tuple[int, int] | None = None  # how many of the copies may be flipped; any number if None

    @property
    def counted(self) -> bool:
        """Whether the number of copies is a variable of the relaxation. That of a neuron of degree 1 is not needed."""
        return self.low < self.high and self.degree != 1

    @property
    def undecided(self) -> bool:
        """Whether a pair of the relaxation may be off the curve, with no number of copies to tell."""
        return (self.degree == 1 and self.low < self.high) or (self.high == 1 and self.range is not None)

    @property
    def flipped(self) -> tuple[int, int]:
        """The fewest and the most flipped copies, of `high`."""
        return (0, self.high if self.flips else 0) if self.signs is None else self.signs

    @property
    def unsigned(self) -> bool:
        """Whether the number of flipped copies is open, that of copies being settled."""
        return self.low == self.high and self.flipped[0] < self.flipped[1]

    @property
    def open(self) -> bool:
        """Whether the relaxation has factors that the neuron cannot reach."""
        return self.counted or self.undecided or self.unsigned

    def relaxation(self, start: float) -> NeuronScaling:
        """Returns a convex set of pairs with all that is open; `start` is a number of copies within the budget."""
        if self.high == 1 and self.range is not None:
            return Segment(self.degree, *self.range)
        if self.counted:
            return CopiedBetween(self.degree, self.low, self.high, start, self.flips, self.shifted)
        if self.unsigned:
            return CopiedEitherWay(self.high, *self.flipped)
        return self.scaling(self.high, self.flipped[0])

    def scaling(self, copies: int, flipped: int) -> NeuronScaling:
        """Returns the factors that given numbers of copies and of flipped ones reach."""
        if self.shifted:
            return Shifted(copies)
        if self.degree:
            return CopiedAndRescaled(self.degree, copies) if copies > 1 else Rescaled(self.degree)
        return Copied(copies, flipped)


Choices = tuple[Choice, ...]


def orbit_choices(net: MLP) -> Choices:
    """Returns the choices of an orbit: every neuron is rescaled or shifted by itself."""
    return copy_choices(net, net.widths[1:-1], [[1] * width for width in net.widths[1:-1]])


def copy_choices(net: MLP, sizes: Sequence[int], numbers: list[list[int]] | None) -> Choices:
    """Returns the choices of widenings: the numbers of copies given, or any that fit."""
    choices: list[Choice] = []
    flippable = set(Architecture(net, tuple(sizes)).flippable.tolist())
    for index, (hidden, size) in enumerate(zip(hidden_layers(net), sizes, strict=True)):
        _, shifted = movable(hidden)
        for neuron, rule in enumerate(hidden.rules):
            if numbers is None:
                most = size - hidden.width + 1
                low, high = 1, min(most, 2) if rule.degree == 1 else most
            else:
                low = high = numbers[index][neuron]
            flips = len(choices) in flippable
            choices.append(Choice(rule.degree, low, high, shifted=neuron in shifted, flips=flips))
    return tuple(choices)


def with_curve(choice: Choice) -> Choice:
    """Returns the choice with the range in which the curve of a homogeneous neuron without copies is searched."""
    if not choice.degree:
        return choice
    widest = LOG_SPAN / choice.degree
    return replace(choice, range=(-widest, widest))


def scalings_of(choices: Choices, copies: tuple[int, ...], flipped: tuple[int, ...]) -> tuple[NeuronScaling, ...]:
    """Returns the factors of each neuron with these numbers of copies and of flipped ones."""
    return tuple(c.scaling(m, f) for c, m, f in zip(choices, copies, flipped, strict=True))
