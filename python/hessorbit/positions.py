"""Eigenpairs with their positions among all; where few of ascending eigenvalues are, at the ends or by magnitude."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._checks import Array


@dataclass(frozen=True)
class Pairs:
    """Eigenvalues (k,) ascending, vectors (P, k), and positions in ascending order."""

    eigenvalues: Array
    vectors: Array
    positions: Array

    def part(self, chosen: Array | slice) -> Pairs:
        return Pairs(self.eigenvalues[chosen], self.vectors[:, chosen], self.positions[chosen])


def at_end(count: int, k: int, sign: int) -> Array:
    """The last k of so many positions, or the first."""
    return np.arange(count)[-k:] if sign > 0 else np.arange(count)[:k]


def nearest_zero(values: Array, k: int) -> Array:
    """Where the k smallest magnitudes of ascending values are: neighbours, also where several are equal."""
    negative = int(np.searchsorted(values, 0.0))
    outwards = np.concatenate([np.arange(negative)[::-1], np.arange(negative, len(values))])
    return np.sort(outwards[np.argsort(np.abs(values[outwards]), kind="stable")[:k]])


def furthest(values: Array, k: int) -> Array:
    """Where the k largest magnitudes of ascending values are: at the ends, also where several are equal."""
    negative = int(np.searchsorted(values, 0.0))
    inwards = np.concatenate([np.arange(negative), np.arange(negative, len(values))[::-1]])
    return np.sort(inwards[np.argsort(-np.abs(values[inwards]), kind="stable")[:k]])


def sides(values: Array, k: int) -> tuple[int, int]:
    """How many of the k largest magnitudes of ascending values are at the lower end, and at the upper."""
    negative = int((values[furthest(values, k)] < 0).sum())
    return negative, k - negative


def ends_of(values: Array, count: int) -> Array:
    """The positions of ascending values at both ends of so many."""
    negative = int((values < 0).sum())
    return np.concatenate([np.arange(negative), np.arange(count - len(values) + negative, count)])
