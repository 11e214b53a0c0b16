"""A `Choice` says what is open about one neuron while best_conditioned searches: copies, flips, a part of the curve.

Its relaxation is a convex set of factors D that holds all that the choice allows; a settled choice gives the factors of
given numbers of copies and of flipped ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from .regions import (
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


def scalings_of(choices: Choices, copies: tuple[int, ...], flipped: tuple[int, ...]) -> tuple[NeuronScaling, ...]:
    """Returns the factors of each neuron with these numbers of copies and of flipped ones."""
    return tuple(c.scaling(m, f) for c, m, f in zip(choices, copies, flipped, strict=True))
