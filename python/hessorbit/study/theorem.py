"""Checks the theorem that the best condition number in the class of a teacher does not grow with width.

Every widening of the teacher to a width is, with one more dead neuron, one to the next width, and has the same nonzero
spectrum; so the least κ over all widenings cannot grow. The numbers are searched for, each with a certified lower
bound: a bound above what a narrower width reaches would refute the theorem, or the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .._words import number_of

if TYPE_CHECKING:
    from pandas import DataFrame

ACCURACY = 1e-4  # of the best κ that the search aims at


@dataclass(frozen=True)
class Theorem:
    """A theorem holds a sentence that is proved, and how it did where it was checked.

    Attributes
    ----------
    sentence : str
    pairs : int
        Number of pairs of neighbouring widths of a seed, from the teacher's width on.
    held : int
        In how many of them the best κ found for the wider one is no larger, up to the accuracy of the search.
    refuted : int
        In how many its certified lower bound is larger: 0, unless something is wrong.

    Examples
    --------
    >>> from hessorbit.study.theorem import Theorem
    >>> print(Theorem("The best κ does not grow with width", pairs=40, held=40, refuted=0))
    The best κ does not grow with width: a theorem, which holds in 40 of 40 pairs checked
    """

    sentence: str
    pairs: int
    held: int
    refuted: int

    def __str__(self) -> str:
        if not self.pairs:
            return f"{self.sentence}: a theorem; no seed has two widths to check it at"
        text = f"{self.sentence}: a theorem, which holds in {self.held} of {number_of(self.pairs, 'pair')} checked"
        if self.held + self.refuted < self.pairs:
            text += f"; the search leaves {self.pairs - self.held - self.refuted} open"
        against = number_of(self.refuted, "contradicts", "contradict")
        return text + (f"; {against} it, so there is an error" if self.refuted else "")


def check(table: DataFrame) -> Theorem:
    """Returns the check from the columns `best_condition` and `best_condition_bound` of a study's rows."""
    rows = table.dropna(subset=["best_condition"]).sort_values(["seed", "width"])
    before = rows.groupby("seed")["best_condition"].shift()
    pairs = before.notna()
    held = rows["best_condition"] <= before * (1 + ACCURACY)
    refuted = rows["best_condition_bound"] > before * (1 + ACCURACY)
    sentence = "The best κ in the teacher's class does not grow with width"
    return Theorem(sentence, int(pairs.sum()), int((held & pairs).sum()), int((refuted & pairs).sum()))
